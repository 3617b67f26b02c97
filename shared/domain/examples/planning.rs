//! What it takes to plan 10,000 nodes, as JSON: `cargo run --release -p weir-domain --example planning`
//!
//! From a template and 3,333 targets to the snapshot that is kept: the graph, its hash, its bytes. The memory is the most
//! that the process ever had, the program itself included.
#![expect(clippy::print_stdout, reason = "this is a command for people and programs")]

use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, error::Error, time::Instant};
use weir_domain::{
    definition::{
        address::Address,
        spec::{Constraints, Environment, Job, Scenario, Template},
    },
    plan::PlanSnapshot,
    planner::{Guarded, Library, Offers, ScenarioRequest, Site, Subject, plan_scenario},
};

/// How many targets there are: with one node for the whole, 10,000 nodes in all
const TARGETS: usize = 3_333;

/// How many nodes each has
const STEPS: [&str; 3] = ["look", "warm", "switch"];

/// How often it is planned; the median counts
const TIMES: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let environment: Address = "environment.e".parse()?;
    let site = |number: usize| {
        let spec = json!({ "environment": "environment.e", "target_type": "host" });
        let address = format!("target.e.t-{number}").parse()?;
        Ok::<_, Box<dyn Error>>(Site { address, spec: serde_json::from_value(spec)?, region: None })
    };
    let sites = (0..TARGETS).map(site).collect::<Result<Vec<_>, _>>()?;
    let scenario: Scenario = serde_json::from_value(json!({
        "version": 1, "target_resource_type": "environment", "actions": ["roll"], "template": "template.roll",
    }))?;
    let nodes = STEPS.iter().enumerate().map(|(place, step)| {
        let needs: Vec<_> = place.checked_sub(1).and_then(|place| STEPS.get(place)).into_iter().collect();
        json!({
            "id": step, "type": "verification", "capability": "verify.http", "for_each": "target",
            "depends_on": needs, "with": { "path": "/health" },
        })
    });
    let nodes: Vec<Value> = nodes.collect();
    let template: Template = serde_json::from_value(json!({ "version": 1, "nodes": nodes }))?;
    let spec: Environment = serde_json::from_value(json!({ "order_index": 1 }))?;
    let (jobs, scenario) = (BTreeMap::<Address, Job>::new(), ("scenario.roll".parse()?, scenario));
    let (scenarios, templates) =
        ([scenario.clone()], BTreeMap::from([("template.roll".parse()?, template.clone())]));
    let offers = Offers { agents: Vec::new(), providers: Vec::new(), version: "0.1.0".to_owned() };
    let request = ScenarioRequest {
        scenario: &scenario,
        template: &template,
        library: Library { scenarios: &scenarios, templates: &templates, jobs: &jobs },
        subject: Subject { address: &environment, spec: &json!({ "order_index": 1 }) },
        sites: &sites,
        guarded: Some(Guarded { environment: &environment, spec: &spec, policies: &[] }),
        inputs: &Map::new(),
        constraints: &Constraints::default(),
        offers: &offers,
    };
    let (mut times, mut nodes, mut bytes) = (Vec::new(), 0, 0);
    for _ in 0..TIMES {
        let began = Instant::now();
        let planned = plan_scenario(&request)?;
        let snapshot = PlanSnapshot::new(planned.graph)?;
        bytes = serde_json::to_vec(&snapshot)?.len();
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        nodes = snapshot.nodes.len();
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(TIMES / 2).copied().unwrap_or_default();
    let told = json!({ "nodes": nodes, "bytes": bytes, "ms": median.round(), "peak_mb": peak_mb()? });
    println!("{told}");
    Ok(())
}

/// The most memory that this process ever had, in MB
fn peak_mb() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok((kilobytes / 1_024.0).round())
}
