//! Watching an operation: to its end, or to where it waits for somebody

use super::{
    exit::{Exit, Failure},
    render,
    session::Session,
    settle,
    style::{Style, clock_time, plain},
};
use crate::api::Client;
use std::{collections::BTreeSet, time::Duration};
use weir_domain::{
    id::{EventId, OperationId},
    operation::OperationStatus,
    plan::{NodeStatus, NodeType},
    timeline::{Level, TimelineEvent},
};
use weir_edge::wire::operation::{OperationView, Wait};

/// Between two looks while something moves, and while nothing does
const PAUSES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));

/// How many looks in a row may fail before the watch is given up; each was tried for some seconds already
const FAILED_LOOKS_MAX: u32 = 20;

/// What an operation is watched for
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Its end
    Ended,
    /// Its end, or that a person has to do something
    SomebodyIsNeeded,
}

/// Where the events of an operation go
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// They are what was asked for: to stdout
    Data,
    /// They are progress: to stderr
    Progress,
}

/// Watches `id`; where it is taken back by another operation, that one, too
///
/// On a terminal a tree of it stays in place and changes; elsewhere every event is a line.
pub async fn watch(
    session: &mut Session,
    client: &Client,
    id: OperationId,
    until: Until,
    events: Events,
) -> Result<OperationView, Failure> {
    session.goes_on = Some(format!("weir operation watch {id}"));
    let (mut operation, rollback) = watch_one(session, client, id, until, events).await?;
    if let Some(rollback) = rollback {
        let style = session.prose_style();
        let what = plain(&operation.title).into_owned();
        session.note(&format!("{} {what} is rolled back by {rollback}", style.bad("↩")));
        session.goes_on = Some(format!("weir operation watch {rollback}"));
        watch_one(session, client, rollback, Until::Ended, events).await?;
        operation = client.operation_show(id).await?;
    }
    session.goes_on = None;
    Ok(operation)
}

/// How a command that watched ends
pub fn exit(operation: &OperationView) -> Exit {
    let denied = |node: &weir_edge::wire::operation::NodeView| {
        node.node_type == NodeType::Gate && node.status == NodeStatus::Failed
    };
    match operation.status {
        OperationStatus::Succeeded => Exit::Done,
        OperationStatus::Failed if operation.nodes.iter().any(denied) => Exit::Refused,
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::RolledBack => Exit::Failed,
        OperationStatus::Created
        | OperationStatus::Queued
        | OperationStatus::Running
        | OperationStatus::WaitingGate
        | OperationStatus::WaitingIntervention
        | OperationStatus::Paused
        | OperationStatus::Verifying => Exit::Waiting,
    }
}

async fn watch_one(
    session: &mut Session,
    client: &Client,
    id: OperationId,
    until: Until,
    events: Events,
) -> Result<(OperationView, Option<OperationId>), Failure> {
    let mut picture = Picture::new(session, events);
    let mut pause = PAUSES.0;
    let mut failed = 0;
    let mut before: Option<OperationView> = None;
    loop {
        let looked = look(client, id, &picture).await;
        match looked {
            Ok((operation, timeline)) => {
                failed = 0;
                picture.show(session, &operation, &timeline)?;
                if is_over(&operation, until) {
                    let ended = ended(session, client, operation, &mut picture).await?;
                    picture.finish(session, &ended.0)?;
                    return Ok(ended);
                }
                let moved = before.as_ref() != Some(&operation);
                pause = if moved { PAUSES.0 } else { (pause * 3 / 2).min(PAUSES.1) };
                before = Some(operation);
            }
            Err(Failure::Api(error)) if error.is_transient() && failed < FAILED_LOOKS_MAX => {
                if failed == 0 {
                    picture.clear(session);
                    session.note(&format!("{error}; the operation goes on, and so does the watch"));
                }
                failed += 1;
                pause = PAUSES.1;
            }
            Err(error) => return Err(error),
        }
        (session.host.pause)(pause).await;
    }
}

/// What is over, with what followed from its end and the rollback that was started for it
async fn ended(
    session: &mut Session,
    client: &Client,
    operation: OperationView,
    picture: &mut Picture,
) -> Result<(OperationView, Option<OperationId>), Failure> {
    if !operation.status.is_terminal() {
        return Ok((operation, None));
    }
    let id = operation.operation_id;
    match settle::settled(session, client, operation.clone()).await {
        Ok((_, rollback)) => {
            let (operation, timeline) = look(client, id, picture).await?;
            picture.show(session, &operation, &timeline)?;
            Ok((operation, rollback))
        }
        // How it ended is known; what followed can be looked at later.
        Err(error) if error.is_transient() => Ok((operation, None)),
        Err(error) => Err(error.into()),
    }
}

fn is_over(operation: &OperationView, until: Until) -> bool {
    let needs_somebody =
        matches!(operation.status, OperationStatus::WaitingGate | OperationStatus::WaitingIntervention);
    operation.status.is_terminal() || (until == Until::SomebodyIsNeeded && needs_somebody)
}

/// The operation, and what happened in it where that is shown
async fn look(
    client: &Client,
    id: OperationId,
    picture: &Picture,
) -> Result<(OperationView, Vec<TimelineEvent>), Failure> {
    // The operation first: whatever it says has happened is then in the timeline.
    let operation = client.operation_show(id).await?;
    let timeline = if picture.is_live() { Vec::new() } else { client.operation_timeline(id).await?.events };
    Ok((operation, timeline))
}

/// How a watched operation is shown
enum Picture {
    /// A tree that stays in place; how many lines of it are on the screen
    Live(usize),
    /// A line for each event and wait
    Lines { to: Events, told: BTreeSet<EventId>, waits: Vec<Wait> },
    /// One JSON value a line for each event, or nothing where they are not what was asked for
    Json { to: Events, told: BTreeSet<EventId> },
}

impl Picture {
    fn new(session: &Session, to: Events) -> Self {
        if session.is_json() {
            Self::Json { to, told: BTreeSet::new() }
        } else if session.host.terminal.err {
            Self::Live(0)
        } else {
            Self::Lines { to, told: BTreeSet::new(), waits: Vec::new() }
        }
    }

    const fn is_live(&self) -> bool {
        match self {
            Self::Live(_) => true,
            Self::Lines { .. } | Self::Json { .. } => false,
        }
    }

    fn show(
        &mut self,
        session: &mut Session,
        operation: &OperationView,
        timeline: &[TimelineEvent],
    ) -> Result<(), Failure> {
        let style = session.style();
        match self {
            Self::Live(lines) => {
                *lines = redraw(session, *lines, operation);
            }
            Self::Json { to, told } => {
                for event in timeline.iter().filter(|event| told.insert(event.id)) {
                    if *to == Events::Data {
                        session.json(event)?;
                    }
                }
            }
            Self::Lines { to, told, waits } => {
                for event in timeline.iter().filter(|event| told.insert(event.id)) {
                    tell(session, *to, &event_line(event, style))?;
                }
                for wait in operation.waits.iter().filter(|wait| !waits.contains(wait)) {
                    let line = format!("{} {} {}", style.warn("◔"), wait.node_id, render::wait(wait, style));
                    tell(session, *to, &line)?;
                }
                waits.clone_from(&operation.waits);
            }
        }
        Ok(())
    }

    /// Takes a live picture off the screen, so that something else can be written
    fn clear(&mut self, session: &mut Session) {
        if let Self::Live(lines) = self {
            let _ = write!(session.host.err, "{}", erase(std::mem::take(lines)));
        }
    }

    /// What stays when the watch is over
    fn finish(&mut self, session: &mut Session, operation: &OperationView) -> Result<(), Failure> {
        self.clear(session);
        match self {
            Self::Live(_) => {
                let style = session.style();
                session.data(&render::operation_tree(operation, style))?;
            }
            Self::Lines { .. } | Self::Json { .. } => {}
        }
        Ok(())
    }
}

fn tell(session: &mut Session, to: Events, line: &str) -> Result<(), Failure> {
    match to {
        Events::Data => session.data(&format!("{line}\n")),
        Events::Progress => {
            session.note(line);
            Ok(())
        }
    }
}

/// `14:02:07 ✔ verify.stg-1 …`
pub fn event_line(event: &TimelineEvent, style: Style) -> String {
    let time = style.dim(clock_time(event.ts));
    let message = plain(&event.message);
    let message = match event.level {
        Level::Info => message.into_owned(),
        Level::Warn => style.warn(message),
        Level::Error => style.bad(message),
    };
    let who =
        event.actor_id.as_ref().map(|who| style.dim(format!("  by {}", plain(who)))).unwrap_or_default();
    match &event.node_id {
        Some(node) => format!("{time}  {node}  {message}{who}"),
        None => format!("{time}  {message}{who}"),
    }
}

/// Puts the operation's tree where its last one of `lines` lines was; returns how many it has now
///
/// Lines are cut to the screen's width, and lines above its height left out: what was scrolled away could not be
/// taken back.
fn redraw(session: &mut Session, lines: usize, operation: &OperationView) -> usize {
    let tree = render::operation_tree(operation, session.prose_style());
    let (width, height) = (session.host.terminal.width.max(20), session.host.terminal.height.max(4));
    let all: Vec<_> = tree.lines().map(|line| console::truncate_str(line, width - 1, "…")).collect();
    let shown = all.get(all.len().saturating_sub(height - 1)..).unwrap_or(&all);
    let text: String = shown.iter().map(|line| format!("{line}\n")).collect();
    // One write, so that the screen is never seen half drawn.
    let _ = write!(session.host.err, "{}{text}", erase(lines));
    let _ = session.host.err.flush();
    shown.len()
}

/// Goes up so many lines and clears what is below
fn erase(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\u{1b}[{lines}F\u{1b}[J") }
}
