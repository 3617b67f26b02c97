//! Kills by a seed: whether anything is lost when processes die at any moment
//!
//! A stack of its own runs in another process (`weir-local up`), so that it can be killed like everything else.
//! Round by round a new version is brought into staging while function processes, agents and weir-local itself
//! die by SIGKILL. Afterwards the operation must have ended as if nothing had been, with its evidence, the
//! servers must answer as the new version, and no attempt may have been begun twice. Only the emulator is
//! spared: it holds the state.

mod dice;
mod victim;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_domain::delivery::Release;
use weir_domain::id::OperationId;
use weir_domain::operation::OperationStatus;
use weir_edge::wire::operation::OperationView;

use crate::agents::{self, Agents, Place};
use crate::error::{Doing as _, LocalError, Result};
use crate::progress::{Progress, took};
use crate::state::StateDir;
use crate::story::teller::Teller;
use crate::story::wait::until;
use crate::story::{address, definition, deliver, promote};
use crate::tokens::Tokens;
use dice::Dice;
use victim::Local;

/// Where the versions go
const TARGETS: [&str; 2] = ["stg-1", "stg-2"];

/// The longest pause between two kills, in milliseconds
const PAUSE_MAX: u64 = 1_500;

/// An operation that has not ended by then hangs: leases of 15 s pass several times in it
const LIMIT: Duration = Duration::from_secs(240);

/// What to do, and with what
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// The checkout
    pub root: PathBuf,
    /// The folder of the stack that is killed
    pub dir: PathBuf,
    /// The binary of weir-local; that of the agent lies beside it
    pub program: PathBuf,
    /// Decides who is killed, and when
    pub seed: u64,
    /// How many versions are brought
    pub rounds: u32,
}

/// What came of it
#[derive(Debug, Default)]
pub struct ChaosReport {
    /// How many of each kind were killed
    pub kills: BTreeMap<&'static str, usize>,
    /// What was not as it should be
    pub violations: Vec<String>,
}

/// Runs the rounds; whatever comes of it, nothing is left running
pub async fn run(options: &ChaosOptions, progress: &Progress) -> Result<ChaosReport> {
    let state = StateDir::open(&options.dir)?;
    progress.say(&format!("  seed {} · {} rounds", options.seed, options.rounds));
    let played = match Local::start(options, &state).await {
        Ok(local) => play(options, local, progress).await,
        Err(error) => Err(error),
    };
    stop(&state).await;
    let report = played?;
    let kills: Vec<_> = report.kills.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    progress.say(&format!(
        "  seed {} · {} rounds · killed {} · {} violations",
        options.seed,
        options.rounds,
        kills.join(", "),
        report.violations.len()
    ));
    Ok(report)
}

/// Ends what is there of the stack: also when a run was cut off
pub async fn stop(state: &StateDir) {
    agents::stop_recorded(state).await;
    // Whoever does not stop is named by the next run, which finds the folder taken.
    drop(crate::inspect::down(state, &Progress::silent()).await);
}

async fn play(options: &ChaosOptions, local: Local, progress: &Progress) -> Result<ChaosReport> {
    let (state, silent) = (StateDir::open(&options.dir)?, Progress::silent());
    let tokens = Tokens::load(&state)?;
    let teller = Teller::new(&options.root, local.url(), &tokens, &silent)?;
    definition::apply(&teller).await?;
    let place = Place {
        state: state.clone(),
        program: options.program.with_file_name("weir-agent"),
        server: local.url().to_owned(),
        arguments: Vec::new(),
    };
    let targets =
        TARGETS.iter().map(|name| address(&format!("target.staging.{name}"))).collect::<Result<Vec<_>>>()?;
    let agents = Agents::start(place, &teller.alice, &targets).await?;
    let mut storm = Storm { dice: Dice::new(options.seed), local, agents, report: ChaosReport::default() };
    for round in 1..=options.rounds {
        storm.round(&teller, &state, round, progress).await?;
    }
    Ok(storm.report)
}

/// Everything that may die
struct Storm {
    dice: Dice,
    local: Local,
    agents: Agents,
    report: ChaosReport,
}

impl Storm {
    async fn round(
        &mut self,
        teller: &Teller<'_>,
        state: &StateDir,
        round: u32,
        progress: &Progress,
    ) -> Result<()> {
        let (began, version) = (Instant::now(), format!("1.0.{round}"));
        let release = release(teller, state, &version).await?;
        let id = deliver::promote(teller, &release, "environment.staging").await?;
        let mut kills = Vec::new();
        for _ in 0..=self.dice.below(3) {
            tokio::time::sleep(Duration::from_millis(self.dice.below(PAUSE_MAX))).await;
            kills.extend(self.kill().await?);
        }
        let found = self.check(teller, state, id, &version).await;
        let mark = if found.is_empty() { "✔" } else { "✖" };
        let (killed, time) = (kills.join(", "), took(began.elapsed()));
        progress.say(&format!("  {mark} {round:>3}  {version:<8} {time:>8}  killed {killed}"));
        for violation in found {
            progress.say(&format!("       {violation}"));
            self.report.violations.push(format!("round {round}, {id}, after {killed}: {violation}"));
        }
        Ok(())
    }

    /// Kills somebody and brings back whoever does not come back by themselves; who it was
    async fn kill(&mut self) -> Result<Option<String>> {
        let (kind, who) = match self.dice.below(10) {
            0..5 => {
                let live = self.local.functions();
                let Some(pid) = self.dice.one_of(&live) else { return Ok(None) };
                crate::process::kill(*pid);
                ("a function process", format!("function process {pid}"))
            }
            5..7 => {
                let live = self.local.functions();
                live.iter().for_each(|pid| crate::process::kill(*pid));
                ("all function processes", format!("all {} function processes", live.len()))
            }
            7..9 => {
                let Some(name) = self.dice.one_of(&TARGETS).copied() else { return Ok(None) };
                self.agents.kill(name).await;
                self.agents.restart(name)?;
                ("an agent", format!("agent {name}"))
            }
            _ => {
                self.local.kill_and_start_again().await?;
                ("weir-local", "weir-local".to_owned())
            }
        };
        *self.report.kills.entry(kind).or_default() += 1;
        Ok(Some(who))
    }

    /// What is not as it should be when the operation `id` has brought `version`
    async fn check(
        &self,
        teller: &Teller<'_>,
        state: &StateDir,
        id: OperationId,
        version: &str,
    ) -> Vec<String> {
        let mut found = Vec::new();
        // An answer that does not come is no violation: the next one may.
        let look = || async {
            let shown = teller.alice.operation_show(id).await.ok();
            Ok(shown.filter(|it| it.status.is_terminal() && !it.evidence_ids.is_empty()))
        };
        match until("its end and its evidence", LIMIT, look).await {
            Ok(operation) => found.extend(wrong_end(&operation)),
            Err(error) => {
                found.push(match teller.alice.operation_show(id).await {
                    Ok(operation) => format!("{error}: {}", standing(&operation)),
                    Err(unseen) => format!("{error}: {unseen}"),
                });
            }
        }
        if let Err(error) = promote::serve(&self.agents, &TARGETS, version).await {
            found.push(error.to_string());
        }
        found.extend(begun_twice(&state.logs()));
        found.extend(TARGETS.iter().filter_map(|name| self.agents.ended(name)));
        found
    }
}

fn wrong_end(operation: &OperationView) -> Option<String> {
    (operation.status != OperationStatus::Succeeded).then(|| standing(operation))
}

/// Where an operation stands, with every node that is not done
fn standing(operation: &OperationView) -> String {
    let nodes = operation.nodes.iter().map(|node| {
        let error = node.error.as_ref().map(|error| format!(" ({})", error.message)).unwrap_or_default();
        format!("{} {} attempt {}{error}", node.node_id, node.status.as_str(), node.attempt)
    });
    format!("it is {}: {}", operation.status.as_str(), nodes.collect::<Vec<_>>().join(", "))
}

/// Attempts that more than one agent process began, by what agents logged
fn begun_twice(logs: &Path) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for name in TARGETS {
        let text = fs::read_to_string(logs.join(format!("agent-{name}.log"))).unwrap_or_default();
        for line in text.lines().filter(|line| line.contains(" begins ")) {
            let attempt = line.split_once(" task ").map_or(line, |(_, attempt)| attempt);
            if !seen.insert(attempt.to_owned()) {
                twice.push(format!("begun twice: {attempt}"));
            }
        }
    }
    twice
}

/// A version that differs from all others by its number alone
async fn release(teller: &Teller<'_>, state: &StateDir, version: &str) -> Result<Release> {
    let folder = state.path("tmp").join("web");
    fs::create_dir_all(&folder).at("making", &folder)?;
    let (from, to) = (teller.example("web/v1/server.py"), folder.join("server.py"));
    fs::copy(&from, &to).at("copying", &from)?;
    let file = folder.join("VERSION");
    fs::write(&file, format!("{version}\n")).at("writing", &file)?;
    // Nobody is killed between rounds, but what was killed last may still be coming back.
    let made = until("the release", LIMIT, || async {
        match deliver::release(teller, version, &folder).await {
            Ok(release) => Ok(Some(release)),
            Err(LocalError::Story(_)) => Ok(None),
            Err(error) => Err(error),
        }
    });
    made.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_begins_twice_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let line = |attempt: u32| format!("T INFO task op_1.3 attempt {attempt} begins task.id=op_1.3\n");
        let log = folder.path().join("agent-stg-1.log");
        fs::write(&log, format!("{}T INFO task op_1.3 attempt 1 is reported\n{}", line(1), line(2))).unwrap();
        assert_eq!(begun_twice(folder.path()), [""; 0]);
        fs::write(folder.path().join("agent-stg-2.log"), line(2)).unwrap();
        assert_eq!(begun_twice(folder.path()), ["begun twice: op_1.3 attempt 2 begins task.id=op_1.3"]);
    }
}
