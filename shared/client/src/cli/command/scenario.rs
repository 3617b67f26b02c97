//! `weir scenario`: what can be done, by which recipe

use super::address_of;
use crate::cli::{
    args::Paging,
    exit::{Exit, Failure},
    render::{Cell, Table},
    session::{Session, collect},
    style::{Style, date_time, plain},
};
use clap::Subcommand;
use serde_json::Value;
use std::fmt::Write as _;
use weir_domain::definition::address::{Address, Kind};
use weir_edge::wire::scenario::{ScenarioView, TemplateView};

/// Scenarios: what can be done, by which recipe
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// List scenarios
    List {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one scenario, with the steps of its template and what may be edited there
    Show {
        /// The scenario, such as deploy
        #[arg(value_name = "SCENARIO", value_parser = scenario)]
        scenario: Address,
    },
}

pub(super) fn scenario(text: &str) -> Result<Address, String> {
    address_of(Kind::Scenario, text)
}

/// `weir scenario …`
pub async fn run(session: &mut Session, command: &Scenario) -> Result<Exit, Failure> {
    let client = session.client()?;
    match command {
        Scenario::List { paging } => {
            let call = async |query: &[(&str, &str)]| client.scenario_list(query).await;
            let found = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
            session.show_list(&found, "no scenario is applied; `weir plan` begins", table)?;
        }
        Scenario::Show { scenario } => {
            let found = client.scenario_show(scenario).await?;
            if session.is_json() {
                session.json(&found)?;
                return Ok(Exit::Done);
            }
            let template = client.plan_template_show(&found.template).await?;
            session.show(&found, |found, style| shown(found, &template, style))?;
            if let Some(action) = found.actions.first() {
                let kind = found.target_resource_type;
                session.next("what it would do", &format!("weir run {action} {kind}.NAME --dry-run"));
            }
        }
    }
    Ok(Exit::Done)
}

/// As JSON writes it: `medium`
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

fn table(scenarios: &[ScenarioView], _: Style) -> Table {
    let mut table = Table::new(&["scenario", "version", "source", "of", "actions", "risk", "applied"]);
    for scenario in scenarios {
        table.row([
            Cell::from(&scenario.id),
            Cell::from(scenario.version),
            Cell::from(word(&scenario.source)),
            Cell::from(&scenario.target_resource_type),
            Cell::from(scenario.actions.join(", ")),
            Cell::from(word(&scenario.risk_metadata.level)),
            Cell::from(date_time(scenario.created_at)),
        ]);
    }
    table
}

fn shown(scenario: &ScenarioView, template: &TemplateView, style: Style) -> String {
    let mut text = format!("{}  version {}\n", style.strong(&scenario.id), scenario.version);
    let facts = format!(
        "{} · {} of {} · applied {}",
        word(&scenario.source),
        scenario.actions.join(", "),
        scenario.target_resource_type,
        date_time(scenario.created_at)
    );
    let _ = writeln!(text, "{}", style.dim(plain(&facts)));
    let risk = &scenario.risk_metadata;
    let summary = risk.summary.as_deref().map(|summary| format!(": {summary}")).unwrap_or_default();
    let mut line = |what: &str, said: &str| {
        if !said.is_empty() {
            let _ = writeln!(text, "  {what:<9} {}", plain(said));
        }
    };
    line("risk", &format!("{}{summary}", word(&risk.level)));
    line("requires", &scenario.requires.join(", "));
    line("provides", &scenario.provides.join(", "));
    if let Some(pack) = &scenario.pack {
        line(
            "pack",
            &format!("{} {} of {}, signed by {}", pack.name, pack.version, pack.vendor, pack.signer),
        );
    }
    line("template", &format!("{} version {}", scenario.template, template.template_version));
    for (name, input) in &template.inputs {
        let default = input.default.as_ref().map(Value::to_string).map(|it| format!(" [default: {it}]"));
        let needed = if input.required { " (required)" } else { "" };
        line("input", &format!("{name}{needed}{}", default.unwrap_or_default()));
    }
    line("editable", &template.editable_points.join(", "));
    for node in &template.graph_definition.nodes {
        let does = template.job_contracts.get(&node.id).map(|job| format!(" · {}", job.capability));
        let after = if node.depends_on.is_empty() {
            String::new()
        } else {
            format!(" · after {}", node.depends_on.join(", "))
        };
        let _ = writeln!(text, "  {} {}{}{after}", node.id, node.node_type, plain(&does.unwrap_or_default()));
    }
    text
}
