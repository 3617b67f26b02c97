//! What the agent is told when it is started

use crate::agent::{
    command::{AllowedCommand, CommandSettings},
    deploy::DeploySettings,
    identity::Introduction,
    service::PASSED_ON,
    unpack::Limits,
};
use clap::Parser;
use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};
use weir_domain::definition::address::{Address, Kind};
use weir_edge::wire::task::{COMMAND_RUN, DEPLOY_HOST, VERIFY_COMMAND};

/// Serves one target of Weir on this machine
///
/// Claims the target's tasks, brings releases into DIR/releases, points DIR/current at one of them and runs it. The
/// service goes on running when the agent ends, and is adopted by the next agent with the same DIR.
#[derive(Debug, Clone, Parser)]
#[command(name = "weir-agent", version, max_term_width = 110)]
pub struct Options {
    /// Where Weir's API is, such as http://127.0.0.1:8080
    #[arg(long, env = "WEIR_SERVER", value_name = "URL")]
    pub server: String,
    /// What people call this agent
    #[arg(long)]
    pub name: String,
    /// The target that it serves, such as target.staging.stg-1
    #[arg(long, value_parser = target)]
    pub target: Address,
    /// The folder that it owns; one agent at a time
    #[arg(long)]
    pub dir: PathBuf,
    /// A file with a one-time registration token; needed once, and again only for a new registration
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The port that the service listens on; it is given as PORT
    #[arg(long = "listen-port", env = "PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Where the service answers, as others see it [default: http://127.0.0.1:PORT]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Between two heartbeats; a short lease makes it shorter
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    pub heartbeat: Duration,
    /// The longest pause after a claim that brought nothing
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "TIME")]
    pub poll: Duration,
    /// How many tasks it works on at a time; deployments are done one after the other all the same
    #[arg(long, default_value = "1", value_name = "N")]
    pub parallel: NonZeroUsize,
    /// A command that tasks may run, by its name; `...` at the end lets them add arguments. May be repeated
    #[arg(long, value_name = "NAME=PROGRAM [ARG]… [...]")]
    pub allow_command: Vec<AllowedCommand>,
    /// A variable that tasks may set for such a command. May be repeated
    #[arg(long, value_name = "NAME")]
    pub allow_env: Vec<String>,
    /// How long a service may take to stop before it is killed
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub stop_grace: Duration,
    /// The pause before a service that ended by itself is started again; doubled each time, up to five minutes
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub restart_pause: Duration,
    /// Releases that are kept unpacked besides the current and the previous one
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    pub keep_releases: usize,
    /// The largest archive that is fetched, in MiB
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    pub max_archive: u64,
    /// Stop the service, too, when the agent is told to end
    #[arg(long)]
    pub stop_service_on_exit: bool,
    /// What is logged to stderr, as a tracing filter
    #[arg(long, env = "WEIR_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// Log one JSON object a line
    #[arg(long)]
    pub log_json: bool,
}

impl Options {
    pub(super) fn introduction(&self) -> Introduction {
        let base_url = self.base_url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{}", self.port));
        Introduction {
            name: self.name.clone(),
            base_url,
            token_file: self.token_file.clone(),
            capabilities: self.capabilities(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits::default()
    }

    pub(super) fn deploy_settings(&self) -> DeploySettings {
        DeploySettings {
            stop_grace: self.stop_grace,
            keep_releases: self.keep_releases,
            archive_max_bytes: self.max_archive.saturating_mul(1024 * 1024),
            passed_on: passed_on(),
        }
    }

    pub(super) fn command_settings(&self) -> CommandSettings {
        CommandSettings {
            allowed: self.allow_command.iter().map(|it| (it.name.clone(), it.clone())).collect(),
            variables: self.allow_env.iter().cloned().collect(),
            passed_on: passed_on(),
        }
    }

    /// The kinds of task that it can do
    pub(super) fn capabilities(&self) -> Vec<String> {
        let commands: &[&str] =
            if self.allow_command.is_empty() { &[] } else { &[COMMAND_RUN, VERIFY_COMMAND] };
        std::iter::once(&DEPLOY_HOST).chain(commands).map(|it| (*it).to_owned()).collect()
    }
}

/// What is given on of the agent's own environment
fn passed_on() -> Vec<(OsString, OsString)> {
    PASSED_ON.iter().filter_map(|name| Some(((*name).into(), env::var_os(name)?))).collect()
}

fn target(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error| format!("{error}"))?;
    if address.kind() == Kind::Target { Ok(address) } else { Err(format!("`{text}` is not a target")) }
}

/// A length of time as people write it: `500ms`, `5s`, `2m`
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    let usable = parsed.filter(|time| !time.is_zero());
    usable.ok_or_else(|| format!("`{text}` is not a length of time: write something like `500ms` or `5s`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_options_are_well_formed_and_wrong_values_are_refused() {
        Options::command().debug_assert();
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "5", "0s", "-1s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(target("target.staging.stg-1").is_ok());
        assert!(target("environment.staging").is_err());
    }
}
