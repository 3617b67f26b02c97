//! `weir artifact`: what is to be deployed

use crate::{
    api::{Client, IdempotencyKey},
    cli::{
        exit::{Exit, Failure},
        session::Session,
        upload,
    },
};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use weir_edge::wire::artifact::{ARTIFACT_MAX, UploadCreate, UploadTicket};

/// Upload what is to be deployed
#[derive(Debug, Subcommand)]
pub enum Artifact {
    /// Upload a file; bytes that are there already are not sent again
    Push {
        /// The file, such as an archive made by `tar -czf`
        file: PathBuf,
    },
}

/// `weir artifact …`
pub async fn run(session: &mut Session, command: &Artifact) -> Result<Exit, Failure> {
    let Artifact::Push { file } = command;
    let client = session.client()?;
    let ticket = push(session, &client, file).await?;
    // The digest alone on stdout: what other commands take.
    session.show(&ticket, |ticket, _| format!("{}\n", ticket.digest))?;
    session
        .next("next", &format!("weir version create --component NAME --tag TAG --digest {}", ticket.digest));
    Ok(Exit::Done)
}

/// Uploads a file; the answer is without the presigned request, which is a secret and used up
pub(super) async fn push(
    session: &mut Session,
    client: &Client,
    file: &Path,
) -> Result<UploadTicket, Failure> {
    let (digest, size) = upload::measure(file)?;
    if size > ARTIFACT_MAX {
        let reason = format!("has {size} bytes; an artifact has at most {ARTIFACT_MAX}");
        return Err(Failure::File { path: file.to_owned(), reason });
    }
    let body = UploadCreate { digest, size };
    let ticket = client.artifact_create(&body, &IdempotencyKey::random()).await?;
    match &ticket.upload {
        Some(request) => {
            upload::send_file(session, file, size, request).await?;
            session.note(&format!("sent {size} bytes"));
        }
        None => session.note("these bytes are there already"),
    }
    Ok(UploadTicket { upload: None, ..ticket })
}
