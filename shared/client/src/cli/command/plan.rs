//! `weir plan show`, `weir plan verify`, `weir operation patch`: plans and what is appended to them

mod chain;

use super::definition;
use crate::{
    api::IdempotencyKey,
    cli::{
        args::Paging,
        exit::{Exit, Failure},
        render::{self, Cell, Drawing, Table},
        session::{Session, collect},
        style::{Style, date_time, plain},
    },
};
use chain::Chain;
use clap::{Args, Subcommand};
use std::{collections::BTreeMap, fs, path::PathBuf, str::FromStr};
use weir_domain::{
    definition::document::read_value,
    id::{OperationId, PlanId},
    plan::{PatchChanges, PlanStatus, patch::PatchRecord},
};
use weir_edge::wire::{patch::PatchCreate, plan::PlanRecord};

/// Columns where no screen says how many it has
const WIDTH: usize = 100;

/// What would change, or a plan that was made
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Plans {
    /// What about a plan that was made; without it, the definition is planned
    #[command(subcommand)]
    pub command: Option<Made>,
    /// How the definition is planned
    #[command(flatten)]
    pub definition: definition::Plan,
}

/// A plan that was made
#[derive(Debug, Subcommand)]
pub enum Made {
    /// List plans, the newest first
    List {
        /// Only those that are so, such as ready or unbound
        #[arg(long, value_parser = status)]
        status: Option<PlanStatus>,
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
    /// Draw a plan's graph, or what an operation runs and how far it is
    Show(Show),
    /// Replay a plan's patches from its graph, and say whether each hash holds
    Verify(Verify),
}

/// A plan to draw
#[derive(Debug, Args)]
pub struct Show {
    /// The plan, or the operation that runs it
    #[arg(value_name = "PLAN|OPERATION")]
    pub subject: Subject,
    /// Print Graphviz' language instead
    #[arg(long, conflicts_with = "mermaid")]
    pub dot: bool,
    /// Print Mermaid's language instead
    #[arg(long)]
    pub mermaid: bool,
}

/// A plan to verify
#[derive(Debug, Args)]
pub struct Verify {
    /// The plan, or the operation that runs it
    #[arg(value_name = "PLAN|OPERATION", required_unless_present = "dir")]
    pub subject: Option<Subject>,
    /// Ask no server: read the plan and its patches from the JSON files of this folder
    #[arg(long, value_name = "DIR", conflicts_with = "subject")]
    pub dir: Option<PathBuf>,
    /// Keep what was fetched in this folder, for `--dir`
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub save: Option<PathBuf>,
}

/// A change of what an operation runs
#[derive(Debug, Args)]
pub struct Patch {
    /// The operation
    #[arg(value_name = "OPERATION")]
    pub operation: OperationId,
    /// What changes: a file with `added`, `removed`, `rewired`, `changed`
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Why; kept in the patch, its timeline and the audit trail
    #[arg(short = 'm', long)]
    pub reason: String,
}

/// What is shown or verified
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// A plan as it was made
    Plan(PlanId),
    /// What an operation runs, with its patches
    Operation(OperationId),
}

impl FromStr for Subject {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let operation = || text.parse().map(Self::Operation);
        text.parse().map(Self::Plan).or_else(|_| operation()).map_err(|_| {
            format!("`{}` is neither a plan nor an operation, such as pln_01J… or op_01J…", plain(text))
        })
    }
}

/// `weir plan …`
pub async fn run(session: &mut Session, command: &Plans) -> Result<Exit, Failure> {
    match &command.command {
        None => definition::plan(session, &command.definition).await,
        Some(Made::List { status, paging }) => list(session, *status, paging).await,
        Some(Made::Show(command)) => show(session, command).await,
        Some(Made::Verify(command)) => verify(session, command).await,
    }
}

async fn show(session: &mut Session, command: &Show) -> Result<Exit, Failure> {
    let client = session.client()?;
    let width = if session.host.terminal.out { session.host.terminal.width } else { WIDTH };
    let style = session.style();
    let mut facts = String::new();
    let drawing = match command.subject {
        Subject::Plan(id) => {
            let plan = client.plan_show(id).await?;
            if session.is_json() {
                session.json(&plan)?;
                return Ok(Exit::Done);
            }
            facts = render::plan_facts(&plan, style);
            Drawing::of_plan(&plan.graph)
        }
        Subject::Operation(id) => {
            let operation = client.operation_show(id).await?;
            if session.is_json() {
                session.json(&operation)?;
                return Ok(Exit::Done);
            }
            Drawing::of_operation(&operation.nodes)
        }
    };
    session.data(&if command.dot {
        drawing.dot()
    } else if command.mermaid {
        drawing.mermaid()
    } else {
        facts + &drawing.text(width, style)
    })?;
    Ok(Exit::Done)
}

fn status(text: &str) -> Result<PlanStatus, String> {
    text.parse().map_err(|_| format!("`{text}` is no status of a plan, such as ready or unbound"))
}

async fn list(session: &mut Session, status: Option<PlanStatus>, paging: &Paging) -> Result<Exit, Failure> {
    let client = session.client()?;
    let filter = status.map(|status| ("status", status.as_str()));
    let call = async |query: &[(&str, &str)]| client.plan_list(query).await;
    let plans = collect(paging.limit, paging.cursor.as_deref(), filter, call).await?;
    session.show_list(&plans, "nothing was planned yet; `weir run` and `weir promote` begin", table)?;
    Ok(Exit::Done)
}

fn table(plans: &[PlanRecord], _: Style) -> Table {
    let mut table = Table::new(&["plan", "type", "status", "version", "nodes", "run by", "by", "made"]);
    for PlanRecord { plan, operation_id } in plans {
        table.row([
            Cell::from(plan.plan_id),
            Cell::from(plan.operation_type.as_str()),
            Cell::from(plan.status.as_str()),
            Cell::from(plan.effective_version),
            Cell::from(plan.node_count),
            Cell::from(operation_id.map(|id| id.to_string()).unwrap_or_default()),
            Cell::from(plan.created_by.id.as_str()),
            Cell::from(date_time(plan.created_at)),
        ]);
    }
    table
}

async fn verify(session: &mut Session, command: &Verify) -> Result<Exit, Failure> {
    let chain = match (&command.dir, command.subject) {
        (Some(dir), _) => Chain::read(dir)?,
        (None, Some(subject)) => Chain::fetch(&session.client()?, subject).await?,
        (None, None) => return Err(Failure::Usage("name a plan, an operation or a folder".to_owned())),
    };
    if let Some(dir) = &command.save {
        chain.save(dir)?;
    }
    let verified = chain.verify();
    session.show(&verified, chain::text)?;
    Ok(if verified.holds { Exit::Done } else { Exit::Failed })
}

/// `weir operation patch …`
pub async fn patch(session: &mut Session, command: &Patch) -> Result<Exit, Failure> {
    let Some(changes) = changes(session, &command.file)? else { return Ok(Exit::Failed) };
    let body = PatchCreate { reason: command.reason.clone(), changes };
    let client = session.client()?;
    let made = client.patch_create(command.operation, &body, &IdempotencyKey::random()).await?;
    session.show(&made, |made, _| told(made))?;
    session.next("see it", &format!("weir plan show {}", command.operation));
    Ok(Exit::Done)
}

fn told(made: &PatchRecord) -> String {
    let mut text = format!("patch {}  {}\n", made.sequence, made.effective_hash);
    let lists = [
        ("added", &made.added),
        ("removed", &made.removed),
        ("rewired", &made.rewired),
        ("changed", &made.changed),
    ];
    for (what, nodes) in lists.into_iter().filter(|(_, nodes)| !nodes.is_empty()) {
        let names: Vec<&str> = nodes.iter().map(|node| node.as_str()).collect();
        text.push_str(&format!("  {what:<8} {}\n", names.join(", ")));
    }
    for gate in &made.voided {
        text.push_str(&format!("  what was approved at {gate} does not count any more: it asks anew\n"));
    }
    text
}

/// What the file says; none where it cannot be read, which was shown
fn changes(session: &mut Session, path: &PathBuf) -> Result<Option<PatchChanges>, Failure> {
    let file = |reason: String| Failure::File { path: path.clone(), reason };
    let text = fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
    let name = path.display().to_string();
    match read_value(&name, &text) {
        Ok(value) => serde_json::from_value(value).map(Some).map_err(|error| file(error.to_string())),
        Err(found) => {
            let style = session.prose_style();
            let files = BTreeMap::from([(name, text)]);
            session.note(render::diagnostics(&found, &files, style).trim_end());
            Ok(None)
        }
    }
}
