//! `weir validate`, `weir plan`, `weir apply`: the definition's folder

use super::promote;
use crate::{
    api::{Client, IdempotencyKey},
    cli::{
        exit::{Exit, Failure},
        folder,
        render::{self, PlanFacts},
        session::Session,
        style::plain,
        upload,
    },
};
use clap::Args;
use std::path::{Path, PathBuf};
use weir_domain::{
    canonical::Digest,
    definition::{
        bundle::Bundle,
        diagnostic::{Diagnostic, Severity},
        document::{Reading, read},
    },
    id::PlanId,
};
use weir_edge::wire::{
    artifact::UploadCreate,
    definition::{DefinitionApplyCreate, DefinitionPlanCreate, DefinitionPlanView},
};

/// Where the definition is
#[derive(Debug, Args)]
pub struct Folder {
    /// The folder that holds weir.yaml
    #[arg(short = 'c', long = "config", value_name = "DIR", default_value = ".")]
    pub config: PathBuf,
}

/// A check of the definition
#[derive(Debug, Args)]
pub struct Validate {
    /// Which definition
    #[command(flatten)]
    pub folder: Folder,
}

/// `weir validate`
pub fn validate(session: &mut Session, command: &Validate) -> Result<Exit, Failure> {
    let (bundle, reading) = checked(&command.folder.config)?;
    if session.is_json() {
        session.json(&reading.diagnostics)?;
        return Ok(if reading.definition.is_some() { Exit::Done } else { Exit::Failed });
    }
    complain(session, &reading.diagnostics, &bundle);
    let Some(definition) = reading.definition else { return Ok(Exit::Failed) };
    let resources = definition.resources.len();
    session.data(&format!(
        "workspace {}: {resources} resources in {} files are right\n",
        definition.workspace,
        bundle.files.len()
    ))?;
    session.next("what would change", "weir plan");
    Ok(Exit::Done)
}

/// The folder's files, and what came of reading them
pub(super) fn checked(folder: &Path) -> Result<(Bundle, Reading), Failure> {
    let (bundle, wrong) = folder::read(folder)?;
    if !wrong.is_empty() {
        return Ok((bundle, Reading { definition: None, diagnostics: wrong }));
    }
    let reading = read(&bundle, None).map_err(|error| Failure::Wrong(error.to_string()))?;
    Ok((bundle, reading))
}

/// Shows what is wrong, each at its place
pub(super) fn complain(session: &mut Session, found: &[Diagnostic], bundle: &Bundle) {
    if found.is_empty() {
        return;
    }
    let style = session.prose_style();
    let text = render::diagnostics(found, &bundle.files, style);
    let summary = render::summary(found);
    let refused = found.iter().any(|it| it.severity == Severity::Error);
    let summary = if refused { style.bad(summary) } else { style.warn(summary) };
    session.note(&format!("{text}{summary}"));
}

/// A question what would change
#[derive(Debug, Args)]
pub struct Plan {
    /// Which definition
    #[command(flatten)]
    pub folder: Folder,
    /// End with exit code 2 if there is something to apply
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// An order to make it so
#[derive(Debug, Args)]
pub struct Apply {
    /// Which definition
    #[command(flatten)]
    pub folder: Folder,
    /// The plan that was shown; without it, the folder is planned now and shown before it is applied
    #[arg(long, value_name = "PLAN", conflicts_with = "config")]
    pub plan: Option<PlanId>,
    /// Apply what is planned without being asked; needed where nobody is there to be asked
    #[arg(long, short = 'y')]
    pub auto_approve: bool,
    /// Do not wait for people: end with exit code 3 as soon as somebody has to do something
    #[arg(long)]
    pub no_wait: bool,
}

/// `weir plan`
pub async fn plan(session: &mut Session, command: &Plan) -> Result<Exit, Failure> {
    let client = session.workspace_client()?;
    let Some(plan) = planned(session, &client, &command.folder).await? else { return Ok(Exit::Failed) };
    if session.is_json() {
        session.json(&plan)?;
    } else {
        show(session, &plan, &command.folder)?;
    }
    Ok(if !plan.changes.is_applicable() {
        Exit::Failed
    } else if command.detailed_exitcode && !plan.changes.changes.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}

fn show(session: &mut Session, plan: &DefinitionPlanView, folder: &Folder) -> Result<(), Failure> {
    let style = session.style();
    let shown = folder.config.display().to_string();
    let facts = PlanFacts { folder: &shown, plan_id: plan.plan_id };
    session.data(&render::definition_plan(&plan.changes, facts, style))
}

/// Checks the folder here, then has the server plan it; none where it has errors, which were shown
async fn planned(
    session: &mut Session,
    client: &Client,
    folder: &Folder,
) -> Result<Option<DefinitionPlanView>, Failure> {
    let (bundle, reading) = checked(&folder.config)?;
    if reading.definition.is_none() {
        if session.is_json() {
            session.json(&reading.diagnostics)?;
        }
        complain(session, &reading.diagnostics, &bundle);
        return Ok(None);
    }
    complain(session, &reading.diagnostics, &bundle);
    let bytes = bundle.to_vec().map_err(|error| Failure::Wrong(error.to_string()))?;
    let definition = Digest::of_bytes(&bytes);
    let body =
        UploadCreate { digest: definition.clone(), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) };
    let ticket = client.definition_upload_create(&body, &IdempotencyKey::random()).await?;
    if let Some(request) = &ticket.upload {
        upload::send_bytes(bytes, request).await?;
    }
    let plan = client
        .definition_plan_create(&DefinitionPlanCreate { definition }, &IdempotencyKey::random())
        .await?;
    complain(session, &plan.changes.diagnostics, &bundle);
    Ok(Some(plan))
}

/// `weir apply`
pub async fn apply(session: &mut Session, command: &Apply) -> Result<Exit, Failure> {
    let client = session.workspace_client()?;
    let plan_id = match command.plan {
        Some(plan_id) => plan_id,
        None => match agreed(session, &client, command).await? {
            Ok(plan_id) => plan_id,
            Err(exit) => return Ok(exit),
        },
    };
    let body = DefinitionApplyCreate { plan_id };
    let operation = client.definition_apply_create(&body, &IdempotencyKey::random()).await?;
    session.note(&format!("{}  {}", operation.operation_id, plain(&operation.title)));
    promote::follow(session, &client, operation.operation_id, command.no_wait).await
}

/// Plans the folder, shows the plan and asks; the plan's id, or how the command ends without one
async fn agreed(
    session: &mut Session,
    client: &Client,
    command: &Apply,
) -> Result<Result<PlanId, Exit>, Failure> {
    let Some(plan) = planned(session, client, &command.folder).await? else { return Ok(Err(Exit::Failed)) };
    if !session.is_json() {
        show(session, &plan, &command.folder)?;
    }
    let Some(plan_id) = plan.plan_id else {
        let exit = if plan.changes.is_applicable() { Exit::Done } else { Exit::Failed };
        return Ok(Err(exit));
    };
    if command.auto_approve {
        return Ok(Ok(plan_id));
    }
    let asked = session.ask("apply this? only `yes` does: ")?;
    match asked.as_deref() {
        Some("yes") => Ok(Ok(plan_id)),
        Some(_) => {
            session.note("nothing was applied");
            Ok(Err(Exit::Failed))
        }
        None => {
            let how = format!("weir apply --plan {plan_id}");
            session.note(&format!(
                "nobody is there to be asked: `{how}` applies this plan, `--auto-approve` any"
            ));
            Ok(Err(Exit::Usage))
        }
    }
}
