//! `cargo xtask sim`: many seeds, or one; a failure is reproduced by the command that is printed, and shrunk

#![expect(clippy::print_stdout, reason = "this is a command for people")]

use crate::Error;
use clap::{Args, ValueEnum};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use weir_orchestration::sim::{Case, Fault, Faults, Figures, Report, SimError, Workload, play, shrink};

/// How often figures are printed
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What to run
#[derive(Debug, Args)]
pub struct Options {
    /// Run this one seed and print everything that happens
    #[arg(long)]
    seed: Option<u64>,
    /// Run so many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Begin with this seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this workload only
    #[arg(long)]
    workload: Option<Workload>,
    /// About so many nodes
    #[arg(long)]
    size: Option<usize>,
    /// Which faults: none, those that the seed decides, or those given by `--fault` alone
    #[arg(long)]
    faults: Option<Which>,
    /// A fault at a point: `node_arrive:Arrive(3)#1=die_after`
    #[arg(long, value_parser = fault)]
    fault: Vec<(String, Fault)>,
    /// How many threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Which faults a run meets
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// None, and neither stream nor schedule where the workload ends without them
    None,
    /// Those that the seed decides
    Seeded,
    /// Those that are given, if any
    Listed,
}

fn fault(text: &str) -> Result<(String, Fault), String> {
    let (point, fault) = text.split_once('=').ok_or("expected `point=fault`")?;
    Ok((point.to_owned(), fault.parse().map_err(|_| format!("`{fault}` is no fault"))?))
}

impl Options {
    fn case(&self, seed: u64) -> Case {
        let mut case = self.workload.map_or_else(|| Case::of(seed), |workload| Case::with(seed, workload));
        case.size = self.size.unwrap_or(case.size);
        let given = (!self.fault.is_empty()).then_some(Which::Listed);
        match self.faults.or(given) {
            None => {}
            Some(Which::None) => case.faults = Faults::None,
            Some(Which::Seeded) => case.faults = Faults::Seeded,
            Some(Which::Listed) => case.faults = Faults::Listed(self.fault.iter().cloned().collect()),
        }
        case
    }
}

fn told(figures: &Figures, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64();
    let faults: BTreeMap<_, _> =
        figures.faults.iter().map(|(fault, times)| (fault.as_str(), times)).collect();
    format!(
        "{} schedules in {seconds:.0} s ({:.0}/s); {} faults {faults:?}; functions died at {} places, of {} kinds of \
         write; at most {} passes of reconcile; ends {:?}; deeds {:?}",
        figures.runs,
        figures.runs as f64 / seconds.max(0.001),
        figures.faults.values().sum::<u64>(),
        figures.deaths.len(),
        figures.writes.len(),
        figures.rounds_max,
        figures.ends,
        figures.deeds,
    )
}

fn wrong(error: &SimError) -> Error {
    Error::Failed(format!("simulating: {error}"))
}

/// Runs what `options` ask for; fails with the first run that breaks an invariant
pub fn sim(options: &Options) -> Result<(), Error> {
    if let Some(seed) = options.seed {
        let case = Case { trace: true, ..options.case(seed) };
        let report = play(&case).map_err(|error| wrong(&error))?;
        show(&case, &report);
        return if report.violations.is_empty() { Ok(()) } else { smallest(&case) };
    }
    let (next, stop) = (AtomicU64::new(options.from), AtomicBool::new(false));
    let end = options.from + options.seeds;
    let shared = Mutex::new((Figures::default(), Instant::now(), None));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let played = play(&options.case(seed));
                    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    let (figures, told_at, failed) = &mut *shared;
                    match played {
                        Ok(report) if report.violations.is_empty() => figures.add(&report),
                        Ok(_) | Err(_) => {
                            *failed = Some(seed);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    if told_at.elapsed() >= TOLD_EVERY {
                        println!("{}", told(figures, began));
                        *told_at = Instant::now();
                    }
                }
            });
        }
    });
    let (figures, _, failed) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{}", told(&figures, began));
    failed.map_or(Ok(()), |seed| smallest(&options.case(seed)))
}

/// Shows the smallest case that fails as `case` does
fn smallest(case: &Case) -> Result<(), Error> {
    println!("reproduced by: {case}");
    if let Some((least, report)) = shrink(case).map_err(|error| wrong(&error))? {
        println!("\nshrunk to:");
        show(&least, &report);
    }
    Err(Error::Failed(format!("an invariant was broken: {case}")))
}

fn show(case: &Case, report: &Report) {
    for line in &report.trace {
        println!("{line}");
    }
    for (point, fault) in &report.injected {
        println!("fault: {} at {point}", fault.as_str());
    }
    for violation in &report.violations {
        println!("broken: {violation}");
    }
    println!("{:?}", report.deeds);
    println!("{case}: {}", report.status.map_or("none", |it| it.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use weir_orchestration::sim::{Violation, shrink_by};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    /// The case that the printed command runs
    fn read(printed: &str) -> Case {
        let words = printed.strip_prefix("cargo xtask ").unwrap().split(' ');
        let options = Command::try_parse_from(words.map(|word| word.trim_matches('\''))).unwrap().options;
        options.case(options.seed.unwrap())
    }

    #[test]
    fn what_is_printed_runs_exactly_that() {
        let listed = BTreeMap::from([("node_arrive:Arrive(3)#1".to_owned(), Fault::DieAfter)]);
        for faults in [Faults::None, Faults::Seeded, Faults::Listed(BTreeMap::new()), Faults::Listed(listed)]
        {
            for seed in 30..33 {
                let case = Case { faults: faults.clone(), ..Case::of(seed) };
                assert_eq!(read(&case.to_string()), case);
            }
        }
    }

    /// What plays a case
    type Play<'a> = &'a dyn Fn(&Case) -> Result<Report, SimError>;

    #[test]
    fn a_failure_is_shrunk_to_a_command_that_fails_in_the_same_way() {
        // As if an invariant broke wherever a function dies after a call; and as if one always did.
        let deaths = |case: &Case| -> Result<Report, SimError> {
            let mut report = play(case)?;
            if report.injected.iter().any(|(_, fault)| *fault == Fault::DieAfter) {
                report.violations.push(Violation::NeverPlaced);
            }
            Ok(report)
        };
        let always = |case: &Case| -> Result<Report, SimError> {
            let mut report = play(case)?;
            report.violations.push(Violation::NeverPlaced);
            Ok(report)
        };
        let plays: [Play<'_>; 2] = [&deaths, &always];
        for (faults, broken) in [1, 0].into_iter().zip(plays) {
            let case = (0..200).map(Case::of).find(|case| !broken(case).unwrap().violations.is_empty());
            let (least, report) = shrink_by(&case.unwrap(), broken).unwrap().unwrap();
            assert_eq!(report.injected.len(), faults, "{least}");
            let again = Case { trace: true, ..read(&least.to_string()) };
            assert_eq!(broken(&again).unwrap(), report, "{least}");
        }
    }
}
