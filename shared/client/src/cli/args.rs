//! The command line: every command and what is common to all of them

use super::{
    command::{
        agent, artifact, audit, definition, deployment, evidence, gate, help, intent, intervention,
        operation, ops, pack, plan, projection, promote, release, resource, run, scenario, service, version,
        workflow,
    },
    style::ColorChoice,
};
use clap::{Args, Parser, Subcommand};
use weir_edge::wire::secret::Secret;

/// Plans, approves and watches changes, and proves afterwards what was done
///
/// Data goes to stdout, progress to stderr. `weir help` explains a command, or one of these: `codes` (every code of an
/// error), a code such as `W0412`, `exit-codes`, `kinds` (of resources).
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    disable_help_subcommand = true,
    max_term_width = 110,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What is common to all commands
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What is common to all commands
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Where Weir's API is, such as http://127.0.0.1:8080
    #[arg(long, global = true, env = "WEIR_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// Who you are; better set in the environment, where other users of the machine do not see it
    #[arg(long, global = true, env = "WEIR_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = secret)]
    pub token: Option<Secret>,
    /// The profile of ~/.config/weir/config.json to take server, token and tenant from
    #[arg(long, global = true, env = "WEIR_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// The tenant that the command is about
    #[arg(long, global = true, env = "WEIR_TENANT", value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print one JSON value, or for what goes on one JSON value a line
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
}

/// A command
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the definition's files; needs no server
    Validate(definition::Validate),
    /// Show what applying the definition would change; draw or verify a plan that was made
    Plan(plan::Plans),
    /// Make the definition true
    Apply(definition::Apply),
    /// Bring a release into an environment
    Promote(promote::Promote),
    /// Run what a scenario of the definition does
    Run(run::Run),
    /// Agree to what waits at a gate
    Approve(gate::Decide),
    /// Refuse what waits at a gate
    Reject(gate::Decide),
    /// Watch an operation to its end: short for `operation watch`
    Watch(operation::Watch),
    /// Say why an operation waits, and who can end that
    Explain(operation::Explain),
    /// Upload what is to be deployed
    #[command(subcommand)]
    Artifact(artifact::Artifact),
    /// Versions of components
    #[command(subcommand)]
    Version(version::Version),
    /// Releases of services
    #[command(subcommand)]
    Release(release::Release),
    /// Gates: what waits for a decision
    #[command(subcommand)]
    Gate(gate::Gate),
    /// Intents: what somebody wanted, and what came of it
    #[command(subcommand)]
    Intent(intent::Intent),
    /// Interventions: nodes that wait for a person
    #[command(subcommand)]
    Intervention(intervention::Intervention),
    /// Operations: plans that run
    #[command(subcommand)]
    Operation(operation::Operation),
    /// Operation runs: the ledger of everything that ran, and housekeeping
    #[command(subcommand)]
    Ops(ops::Ops),
    /// Deployments: operations that bring a release onto targets
    #[command(subcommand)]
    Deployment(deployment::Deployment),
    /// Agents of targets
    #[command(subcommand)]
    Agent(agent::Agent),
    /// Assignments of external directories
    #[command(subcommand)]
    Assignment(crate::cli::command::assignment::Assignment),
    /// Evidence: signed statements of what was decided and done
    #[command(subcommand)]
    Evidence(evidence::Evidence),
    /// The audit trail
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Scenario packs: recipes of others, signed
    #[command(subcommand)]
    Pack(pack::Pack),
    /// Resources as the definition has them
    #[command(subcommand)]
    Resource(resource::Resource),
    /// Scenarios: what can be done, by which recipe
    #[command(subcommand)]
    Scenario(scenario::Scenario),
    /// Workflows: templates, their runs, and the attempts of their steps
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    /// Projections: rows that follow from the ledger
    #[command(subcommand)]
    Projections(projection::Projections),
    /// Services, and what of each was brought where last
    #[command(subcommand)]
    Service(service::Service),
    /// Explain a command, a code such as W0207, `codes`, `exit-codes` or `kinds`
    Help(help::Help),
    /// Print completions for a shell
    Completions(help::Completions),
}

/// Which part of a list is wanted
#[derive(Debug, Clone, Args)]
pub struct Paging {
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Where to begin: what the command before said
    #[arg(long)]
    pub cursor: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in [
            &["weir", "--json", "--server", "http://h", "gate", "list"][..],
            &["weir", "gate", "list", "--server", "http://h", "--json"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(cli.global.json && cli.global.server.as_deref() == Some("http://h"));
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let cli = Cli::try_parse_from(["weir", "--token", "hunter2", "gate", "list"]).unwrap();
        assert!(!format!("{cli:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            &["weir", "plan", "--detailed"][..],
            &["weir", "approve", "op_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            &["weir", "promote", "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            &["weir", "gate", "list", "--limit", "0"],
            &["weir", "operation", "show", "nonsense"],
        ] {
            assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
