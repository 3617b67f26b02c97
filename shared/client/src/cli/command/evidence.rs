//! `weir evidence`: signed statements of what was decided and done

use crate::cli::{
    exit::{Exit, Failure},
    session::Session,
    style::{Style, date_time, plain},
};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use weir_domain::{
    evidence::{Envelope, EvidenceError, Statement, verify},
    id::EvidenceId,
};
use weir_edge::wire::evidence::EvidenceView;

/// Evidence: signed statements of what was decided and done
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Show an evidence packet
    Show {
        /// The packet, such as evd_01J…
        #[arg(value_name = "EVIDENCE")]
        evidence: EvidenceId,
    },
    /// Verify a packet's signature and hashes; a file needs no server
    Verify(Verify),
}

/// A packet to verify
#[derive(Debug, Args)]
pub struct Verify {
    /// A file that `weir evidence show --json` wrote, or a DSSE envelope; or a packet's id
    #[arg(value_name = "FILE|ID")]
    what: String,
    /// The public key in PEM, from a source that you trust [default: the key that came with the packet]
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
}

/// What `weir evidence verify --json` prints
#[derive(Debug, Serialize)]
struct Verified {
    verified: bool,
    /// Whether the key came from the caller, not with the packet
    key_given: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Statement>,
}

/// What a file may hold
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    View(Box<EvidenceView>),
    Envelope(Envelope),
}

/// `weir evidence …`
pub async fn run(session: &mut Session, command: &Evidence) -> Result<Exit, Failure> {
    match command {
        Evidence::Show { evidence } => {
            let view = session.client()?.evidence_show(*evidence).await?;
            session.show(&view, show)?;
            session.next("verify it", &format!("weir evidence verify {evidence}"));
            Ok(Exit::Done)
        }
        Evidence::Verify(command) => verify_packet(session, command).await,
    }
}

async fn verify_packet(session: &mut Session, command: &Verify) -> Result<Exit, Failure> {
    let (envelope, own_key) = match command.what.parse::<EvidenceId>() {
        Ok(id) => {
            let view = session.client()?.evidence_show(id).await?;
            (view.envelope, Some(view.public_key_pem))
        }
        Err(_) => read(Path::new(&command.what))?,
    };
    let given = command.key.as_deref().map(read_text).transpose()?;
    let key_given = given.is_some();
    let Some(key) = given.or(own_key) else {
        return Err(Failure::Usage(
            "an envelope by itself has no key: give the signer's with `--key PEM`".to_owned(),
        ));
    };
    let verified = match verify(&envelope, &key) {
        Ok(statement) => Verified { verified: true, key_given, error: None, statement: Some(statement) },
        Err(error) => Verified { verified: false, key_given, error: Some(why(&error)), statement: None },
    };
    session.show(&verified, outcome)?;
    if verified.verified && !key_given {
        session.note("the key came with the packet: compare it with one from elsewhere (`--key PEM`) before you trust it");
    }
    Ok(if verified.verified { Exit::Done } else { Exit::Failed })
}

fn why(error: &EvidenceError) -> String {
    plain(&error.to_string()).into_owned()
}

fn read(path: &Path) -> Result<(Envelope, Option<String>), Failure> {
    let text = read_text(path)?;
    match serde_json::from_str(&text) {
        Ok(Kept::View(view)) => Ok((view.envelope, Some(view.public_key_pem))),
        Ok(Kept::Envelope(envelope)) => Ok((envelope, None)),
        Err(_) => Err(Failure::File {
            path: path.to_owned(),
            reason: "is neither a DSSE envelope nor what `weir evidence show --json` prints".to_owned(),
        }),
    }
}

fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file(path, &error))
}

fn outcome(verified: &Verified, style: Style) -> String {
    match (&verified.statement, &verified.error) {
        (Some(statement), _) => {
            let packet = &statement.predicate;
            let mut text = format!(
                "{} {}  {} of {}\n  signed by   {}\n  content     {}\n",
                style.good("✔ verified"),
                packet.id,
                packet.packet_type.as_str(),
                packet.content.operation_id,
                plain(&packet.signer_key_ref),
                packet.content_hash,
            );
            for subject in statement.subject.iter().skip(1) {
                let digest = subject.digest.get("sha256").map_or("", String::as_str);
                let _ = writeln!(text, "  {:<11} sha256:{}", plain(&subject.name), plain(digest));
            }
            text
        }
        (None, error) => {
            format!("{} {}\n", style.bad("✖ not verified:"), error.as_deref().unwrap_or_default())
        }
    }
}

fn show(view: &EvidenceView, style: Style) -> String {
    let mut text = format!(
        "{}  {}  {}\n  operation   {}\n  content     {}\n  signed by   {}\n",
        style.strong(view.id),
        view.packet_type.as_str(),
        date_time(view.created_at),
        view.operation_id,
        view.content_hash,
        plain(&view.signer_key_ref),
    );
    if let Ok(statement) = verify(&view.envelope, &view.public_key_pem) {
        let content = serde_json::to_string_pretty(&statement.predicate.content).unwrap_or_default();
        for line in content.lines() {
            let _ = writeln!(text, "  {}", plain(line));
        }
    } else {
        let _ = writeln!(text, "  {}", style.bad("the signature is not this key's over this content"));
    }
    text
}
