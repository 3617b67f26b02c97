//! `weir audit verify`: the audit chain, verified by whoever holds a copy of it

use crate::cli::{
    exit::{Exit, Failure},
    session::Session,
    style::{Style, plain},
};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use weir_domain::{
    audit::chain::{AuditHead, Break, Verification},
    scope::Name,
};

/// A copy of the chain
#[derive(Debug, Args)]
pub struct Verify {
    /// A copy of the bucket's folder `<workspace>/audit`, such as `aws s3 sync` makes
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// The workspace whose chain it is: its name is what the chain begins with
    #[arg(long, value_name = "NAME")]
    workspace: Name,
    /// What this command printed with `--json` some time ago, kept elsewhere: the chain has to reach that head
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
}

/// What `weir audit verify --json` prints
#[derive(Debug, Serialize)]
struct Verified {
    verified: bool,
    /// Objects up to the break, or all
    objects: u64,
    /// Events that they seal
    events: u64,
    /// Where the chain ends
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<AuditHead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The file in which, or before which, it is broken
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// The part of it that is kept elsewhere
#[derive(Deserialize)]
struct Kept {
    head: AuditHead,
}

/// `weir audit verify …`
pub fn run(session: &mut Session, command: &Verify) -> Result<Exit, Failure> {
    let files = objects(&command.dir)?;
    let known = command.head.as_deref().map(kept).transpose()?;
    let verified = verify(&files, AuditHead::genesis(&command.workspace), known.as_ref())?;
    session.show(&verified, outcome)?;
    if verified.verified && known.is_none() {
        session.note(
            "a chain cannot see that its end was cut off: keep its head elsewhere (`--json`), and give it the next time (`--head`)",
        );
    }
    Ok(if verified.verified { Exit::Done } else { Exit::Failed })
}

fn verify(files: &[PathBuf], genesis: AuditHead, known: Option<&AuditHead>) -> Result<Verified, Failure> {
    let mut seen = Verified { verified: false, objects: 0, events: 0, head: None, error: None, file: None };
    let broken = |seen: Verified, error: &Break, file: Option<&PathBuf>| {
        Ok(Verified { error: Some(error.to_string()), file: file.cloned(), ..seen })
    };
    let mut chain = match Verification::new(genesis, known) {
        Ok(chain) => chain,
        Err(error) => return broken(seen, &error, None),
    };
    for file in files {
        let object = fs::read(file).map_err(|error| Failure::file(file, &error))?;
        match chain.follow(&object) {
            Ok(ids) => {
                seen.objects += 1;
                seen.events += ids.len() as u64;
            }
            Err(error) => return broken(seen, &error, Some(file)),
        }
    }
    match chain.end() {
        Ok(head) => Ok(Verified { verified: true, head: Some(head), ..seen }),
        Err(error) => broken(seen, &error, None),
    }
}

/// The chain's objects below `folder`, `<day>/<number>.jsonl`, by their numbers; other files are left alone
fn objects(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, Failure> {
        let listed = fs::read_dir(folder).and_then(|all| all.map(|it| Ok(it?.path())).collect());
        listed.map_err(|error: io::Error| Failure::file(folder, &error))
    };
    let mut found = Vec::new();
    for day in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let files = entries(&day)?.into_iter();
        found.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")));
    }
    if found.is_empty() {
        let reason = "holds no object of an audit chain, `<day>/<number>.jsonl`".to_owned();
        return Err(Failure::File { path: folder.to_owned(), reason });
    }
    // Twelve digits each, whatever the day.
    found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    Ok(found)
}

fn kept(path: &Path) -> Result<AuditHead, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let kept: Result<Kept, _> = serde_json::from_str(&text);
    kept.map(|kept| kept.head).map_err(|_| Failure::File {
        path: path.to_owned(),
        reason: "is not what `weir audit verify --json` prints of a chain that holds".to_owned(),
    })
}

fn outcome(verified: &Verified, style: Style) -> String {
    let Verified { objects, events, .. } = verified;
    match (&verified.head, &verified.error) {
        (Some(head), _) => format!(
            "{} {events} events in {objects} objects\n  head        {}\n",
            style.good("✔ verified"),
            head.hash,
        ),
        (None, error) => {
            let error = error.as_deref().unwrap_or_default();
            let file = verified.file.as_deref().map(|file| format!("  {}\n", plain(&file.to_string_lossy())));
            format!("{} {}\n{}", style.bad("✖ not verified:"), plain(error), file.unwrap_or_default())
        }
    }
}
