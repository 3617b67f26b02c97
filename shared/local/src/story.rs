//! What `weir-local demo` plays through: the main job, with everything that it says checked
//!
//! Nothing here decides anything: it does by the API what people and programs do, waits for conditions and
//! looks at what came of it. A claim that does not hold ends the story with an error. Played again on the
//! same stack it uses what is there.

mod archive;
pub(crate) mod definition;
pub(crate) mod deliver;
pub(crate) mod promote;
mod proof;
mod report;
pub(crate) mod teller;
pub mod wait;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_client::cli::render;

use crate::agents::{Agents, Place};
use crate::error::Result;
use crate::progress::Progress;
use crate::stack::Stack;
pub use report::{Refusal, StoryReport};
use teller::Teller;
pub use teller::{address, person};

/// The targets of the example
pub const TARGETS: [&str; 4] =
    ["target.staging.stg-1", "target.staging.stg-2", "target.production.prd-1", "target.production.prd-2"];

/// How long each part takes
struct Clock {
    began: Instant,
    took: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn note(&mut self, part: &'static str) {
        self.took.push((part, self.began.elapsed()));
        self.began = Instant::now();
    }
}

/// Plays the story on `stack`; its agents run until the stack is stopped
pub async fn run(stack: &Stack, progress: &Progress) -> Result<StoryReport> {
    let teller = Teller::new(stack.root(), &stack.api_url(), stack.tokens(), progress)?;
    let mut clock = Clock { began: Instant::now(), took: Vec::new() };
    let definition = definition::apply(&teller).await?;
    clock.note("definition");
    let targets = TARGETS.iter().map(|target| address(target)).collect::<Result<Vec<_>>>()?;
    let step = progress.step("agents");
    let agents = Agents::start(place(stack)?, &teller.alice, &targets).await?;
    step.done(&format!("{} online", agents.names().collect::<Vec<_>>().join(" ")));
    clock.note("agents");

    let good = deliver::release(&teller, "1.0.0", &teller.example("web/v1")).await?;
    heading(&teller, "1.0.0", &good);
    let staging = promote::straight(&teller, &good, "environment.staging").await?;
    promote::serve(&agents, &["stg-1", "stg-2"], "1.0.0").await?;
    clock.note("staging");
    let (production, refusal) = promote::approved(&teller, stack, &good).await?;
    promote::serve(&agents, &["prd-1", "prd-2"], "1.0.0").await?;
    clock.note("production");

    let bad = deliver::release(&teller, "1.1.0", &teller.example("web/v2")).await?;
    heading(&teller, "1.1.0", &bad);
    let (failed, rollback, failed_promotion) = promote::taken_back(&teller, &bad).await?;
    let all = ["stg-1", "stg-2", "prd-1", "prd-2"];
    let answers = promote::serve(&agents, &all, "1.0.0").await?;
    for (target, answer) in &answers {
        progress.say(&format!("     {target} answers “{answer}” at {}", agents.url(target)));
    }
    clock.note("rollback");

    let mut report = StoryReport {
        definition,
        staging,
        production,
        failed,
        rollback,
        failed_promotion,
        refusal,
        answers,
        evidence: Vec::new(),
        audit_events: 0,
        took: Vec::new(),
    };
    let folder = prove(&teller, stack, &mut report).await?;
    clock.note("evidence");
    report.took = clock.took;
    close(&teller, stack, &report, &folder);
    Ok(report)
}

/// Where the agents of `stack` run
pub fn place(stack: &Stack) -> Result<Place> {
    let program = stack.binaries().path("weir-agent")?.to_owned();
    Ok(Place { state: stack.state().clone(), program, server: stack.api_url(), arguments: Vec::new() })
}

fn heading(teller: &Teller<'_>, version: &str, release: &weir_domain::delivery::Release) {
    let digests: Vec<_> = release.components.values().map(|part| part.digest.to_string()).collect();
    let digest: String = digests.join(" ").chars().take(19).collect();
    teller.progress.say("");
    teller.progress.say(&format!("  web {version}  {digest}…  → release {}", release.id));
}

/// The folder in which the evidence is kept
async fn prove(teller: &Teller<'_>, stack: &Stack, report: &mut StoryReport) -> Result<PathBuf> {
    // What was written when an operation ended is known only when it is asked for again.
    let mut fresh = Vec::new();
    for operation in report.operations() {
        let client = if operation.tenant_id.is_some() { &teller.alice } else { &teller.workspace };
        let read = client.operation_show(operation.operation_id).await;
        fresh.push(read.map_err(|error| teller::told("an operation", &error))?);
    }
    let kept = proof::evidence(teller, stack, fresh.iter()).await?;
    report.evidence = kept.packets;
    let tenant = proof::audit(&teller.alice).await?.len();
    report.audit_events = tenant + proof::audit(&teller.workspace).await?.len();
    Ok(kept.folder)
}

/// What there is to show for it, and how to go on
fn close(teller: &Teller<'_>, stack: &Stack, report: &StoryReport, folder: &Path) {
    let (progress, style) = (teller.progress, teller.style());
    for (what, operation) in [("production", &report.production), ("1.1.0 to staging", &report.failed)] {
        progress.say("");
        progress.say(&format!("  {what}  {}", style.dim(operation.operation_id)));
        progress.say(watch::indented(&render::dag(operation)).trim_end());
    }
    let shown = report.evidence.last().map(ToString::to_string).unwrap_or_default();
    progress.say("");
    progress.say(&format!(
        "  Evidence   {} packets, each verified with the key that KMS gave   weir evidence show {shown}",
        report.evidence.len()
    ));
    progress.say(&format!("             kept in {}", folder.display()));
    progress.say(&format!(
        "             verify one offline: weir evidence verify --key {0}/signing-key.pem {0}/{shown}.dsse.json",
        folder.display()
    ));
    progress.say(&format!("  Audit      {} events   weir audit tail", report.audit_events));
    summary(stack, progress);
}

/// Where everything is
pub fn summary(stack: &Stack, progress: &Progress) {
    let tokens = stack.state().path("tokens.json");
    progress.say("");
    progress.say(&format!("  API      {}/v1", stack.api_url()));
    progress.say(&format!("  AWS      export AWS_ENDPOINT_URL={}", stack.endpoint().url()));
    progress.say(&format!("  tokens   {}", tokens.display()));
    progress.say(&format!("  logs     {}", stack.state().logs().display()));
    progress.say(&format!(
        "  go on    export WEIR_SERVER={} WEIR_TENANT=acme WEIR_TOKEN=$(python3 -c 'import json; print(json.load(open(\"{}\"))[0][\"token\"])')",
        stack.api_url(),
        tokens.display()
    ));
}
