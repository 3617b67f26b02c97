//! The command line `weir`
//!
//! Data on stdout, progress and prose on stderr; the same facts as JSON with `--json`. A command is a pure rendering of
//! what the API answers: every rule is the server's, so that the console and Slack obey the same ones.

pub mod args;
pub mod command;
pub mod exit;
pub mod folder;
pub mod host;
pub mod profile;
pub mod render;
pub mod session;
mod settle;
pub mod style;
mod upload;
pub mod watch;

#[cfg(test)]
mod golden;

use args::{Cli, Command};
use clap::Parser as _;
use command::{
    agent, artifact, audit, definition, deployment, evidence, gate, help, intent, intervention, operation,
    ops, pack, plan, projection, promote, release, resource, run, scenario, service, version, workflow,
};
use exit::{Exit, Failure};
use host::Host;
use session::Session;
use std::ffi::OsString;
use weir_domain::gate::DecisionAction;

/// Runs one command line, `line` with the program's name first, until it ends or `interrupted` does
pub async fn run(
    line: impl IntoIterator<Item = OsString>,
    mut host: Host,
    interrupted: impl Future<Output = ()>,
) -> Exit {
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(answer) => return answer_of_clap(&mut host, &answer),
    };
    let mut session = Session::new(host, cli.global);
    let ended = tokio::select! {
        ended = dispatch(&mut session, &cli.command) => ended,
        () = interrupted => {
            if let Some(command) = session.goes_on.take() {
                session.note("");
                session.next("it goes on without you; see it again", &command);
            }
            return Exit::Interrupted;
        }
    };
    match ended {
        Ok(exit) => exit,
        Err(failure) => {
            let exit = failure.exit();
            if exit != Exit::Done {
                let style = session.prose_style();
                session.note(render::failure(&failure, style).trim_end());
            }
            exit
        }
    }
}

/// Help and version are data; a wrong command line is prose
fn answer_of_clap(host: &mut Host, answer: &clap::Error) -> Exit {
    let colour = |is_terminal: bool| is_terminal && !host.no_color;
    let (text, is_terminal) =
        (answer.render(), if answer.use_stderr() { host.terminal.err } else { host.terminal.out });
    let text = if colour(is_terminal) { text.ansi().to_string() } else { text.to_string() };
    let to = if answer.use_stderr() { &mut host.err } else { &mut host.out };
    let _ = write!(to, "{text}");
    let _ = to.flush();
    if answer.use_stderr() { Exit::Usage } else { Exit::Done }
}

async fn dispatch(session: &mut Session, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Validate(command) => definition::validate(session, command),
        Command::Plan(command) => plan::run(session, command).await,
        Command::Apply(command) => definition::apply(session, command).await,
        Command::Promote(command) => promote::run(session, command).await,
        Command::Run(command) => run::run(session, command).await,
        Command::Approve(command) => gate::decide(session, command, DecisionAction::Approved).await,
        Command::Reject(command) => gate::decide(session, command, DecisionAction::Rejected).await,
        Command::Watch(command) => operation::watch(session, command).await,
        Command::Explain(command) => operation::explain(session, command).await,
        Command::Artifact(command) => artifact::run(session, command).await,
        Command::Version(command) => version::run(session, command).await,
        Command::Release(command) => release::run(session, command).await,
        Command::Gate(command) => gate::run(session, command).await,
        Command::Intent(command) => intent::run(session, command).await,
        Command::Intervention(command) => intervention::run(session, command).await,
        Command::Operation(command) => operation::run(session, command).await,
        Command::Ops(command) => ops::run(session, command).await,
        Command::Deployment(command) => deployment::run(session, command).await,
        Command::Agent(command) => agent::run(session, command).await,
        Command::Evidence(command) => evidence::run(session, command).await,
        Command::Audit(command) => audit::run(session, command).await,
        Command::Assignment(command) => command::assignment::run(session, command).await,
        Command::Pack(command) => pack::run(session, command).await,
        Command::Resource(command) => resource::run(session, command).await,
        Command::Scenario(command) => scenario::run(session, command).await,
        Command::Workflow(command) => workflow::run(session, command).await,
        Command::Projections(command) => projection::run(session, command).await,
        Command::Service(command) => service::run(session, command).await,
        Command::Help(command) => help::run(session, command),
        Command::Completions(command) => help::completions(session, command),
    }
}
