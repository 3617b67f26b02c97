//! `cargo xtask bench`: the figures that Weir holds itself to, as JSON
//!
//! | key | what | target |
//! |---|---|---|
//! | `exec_to_first_poll_ms` | from the start of each artefact's process to its first poll, median of 20 | ≤ 15 |
//! | `zipped_mb` | each artefact as Lambda takes it | ≤ 8 |
//! | `warm_overhead_ms` | one warm call of an endpoint that asks AWS for nothing, p50 and p99 | p99 ≤ 1 |
//! | `transitions_per_node` | states entered over all executions, by node | ≤ 1.18 at 40, ≤ 1.12 at 400 |
//! | `table_write_requests_per_node` | after a node was put, by node; `limit` is 5 + the mean out-degree | ≤ `limit` |
//! | `makespan_ratio` | makespan ÷ max(longest path, work ÷ workers), nodes of 1 s, simulated | ≤ 1.05 |
//! | `makespan_ratio_worst_of_20_shapes` | as above, for random graphs of 40 to 400 nodes, with a worker for each node of the widest layer | ≤ 1.05 |
//! | `planning` | from a template to the snapshot of 10,000 nodes: median time, and the process's most memory | ≤ 300 ms, ≤ 100 MB |
//!
//! Times depend on the machine: compare the ratios of one sitting.

#![expect(clippy::print_stdout, reason = "this is a command for people and programs")]

mod engine;
mod process;

use crate::{Error, package, root};
use clap::Args;
use serde_json::{Map, Value, json};
use std::process::{Command, Stdio};
use weir_edge::function::Artefact;

/// Processes started for each artefact
const STARTS: usize = 20;

/// Warm calls
const CALLS: usize = 2_000;

/// What to measure
#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// Only what the engine and the planner cost, and not the artefacts: nothing is packaged for that
    #[arg(long)]
    engine: bool,
}

/// Measures, and prints what was found
pub fn bench(options: Options) -> Result<(), Error> {
    let mut figures = if options.engine { Map::new() } else { of_artefacts()? };
    figures.append(&mut of_engine()?);
    println!("{:#}", Value::Object(figures));
    Ok(())
}

fn of_artefacts() -> Result<Map<String, Value>, Error> {
    package::package(None)?;
    let (mut polls, mut sizes) = (Map::new(), Map::new());
    for artefact in Artefact::ALL {
        let binary = root().join("target/release").join(artefact.binary());
        let poll = process::exec_to_first_poll(&binary, handler(artefact), STARTS)?;
        polls.insert(artefact.name().to_owned(), json!(rounded(poll)));
        let zip = root().join("target/package").join(artefact.name()).with_extension("zip");
        let bytes = std::fs::metadata(&zip).map_err(Error::file(&zip))?.len();
        sizes.insert(artefact.name().to_owned(), json!(rounded(bytes as f64 / 1_000_000.0)));
    }
    let binary = root().join("target/release").join(Artefact::Api.binary());
    let warm = process::warm_overhead(&binary, "health_get", CALLS)?;
    let warm = json!({ "p50": rounded(warm.p50), "p99": rounded(warm.p99) });
    Ok(Map::from_iter([
        ("exec_to_first_poll_ms".to_owned(), Value::Object(polls)),
        ("zipped_mb".to_owned(), Value::Object(sizes)),
        ("warm_overhead_ms".to_owned(), warm),
    ]))
}

fn of_engine() -> Result<Map<String, Value>, Error> {
    let (small, large, huge) = (engine::figures(5, 8)?, engine::figures(10, 40)?, engine::figures(100, 100)?);
    let each = |of: fn(&engine::Figures) -> Value| json!({ "40": of(&small), "400": of(&large), "10000": of(&huge) });
    let writes = |it: &engine::Figures| json!({ "value": rounded(it.writes_per_node), "limit": rounded(it.writes_limit) });
    Ok(Map::from_iter([
        ("transitions_per_node".to_owned(), each(|it| json!(rounded(it.transitions_per_node)))),
        ("table_write_requests_per_node".to_owned(), each(writes)),
        ("makespan_ratio".to_owned(), each(|it| json!(rounded(it.makespan_ratio)))),
        ("makespan_ratio_worst_of_20_shapes".to_owned(), json!(rounded(engine::worst_makespan(20)?))),
        ("planning".to_owned(), planning()?),
    ]))
}

/// What planning takes: in a program of its own, so that nothing else is in its memory
fn planning() -> Result<Value, Error> {
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--quiet", "-p", "weir-domain", "--example", "planning"]);
    let ended = command.current_dir(root()).stderr(Stdio::inherit()).output();
    let ended = ended.map_err(|source| Error::Program { program: "cargo".to_owned(), source })?;
    serde_json::from_slice(&ended.stdout).map_err(|error| Error::Failed(format!("planning: {error}")))
}

/// An entry of each artefact that is there in every version
const fn handler(artefact: Artefact) -> &'static str {
    match artefact {
        Artefact::Api => "health_get",
        Artefact::Tasks => "node_arrive",
        Artefact::Reactors => "reconcile",
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
