//! Sending a file to the bucket by a presigned request, without holding it in memory

use super::{exit::Failure, session::Session};
use bytes::Bytes;
use futures::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::{Body, Method, Url, header::CONTENT_LENGTH};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};
use weir_domain::canonical::Digest;
use weir_edge::wire::artifact::SignedRequest;

use crate::api::{ApiError, http_client};

/// How much of a file is in memory at a time
const CHUNK: usize = 256 * 1024;

/// The digest and size of the file at `path`
pub fn measure(path: &Path) -> Result<(Digest, u64), Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Failure::File {
            path: path.to_owned(),
            reason: "is a folder: pack it with `tar -czf`".to_owned(),
        });
    }
    let (mut hash, mut size, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => break,
            read => {
                hash.update(chunk.get(..read).unwrap_or_default());
                size += u64::try_from(read).unwrap_or(u64::MAX);
            }
        }
    }
    let digest = format!("sha256:{}", hex::encode(hash.finalize()));
    let digest = digest.parse().map_err(|_| Failure::Wrong(format!("`{digest}` is no digest")))?;
    Ok((digest, size))
}

/// Sends the file at `path`, of `size` bytes, as `request` says
pub async fn send_file(
    session: &Session,
    path: &Path,
    size: u64,
    request: &SignedRequest,
) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let bar = bar(session, size);
    let progress = bar.clone();
    let chunks = stream::unfold(file, move |mut file| {
        let progress = progress.clone();
        async move {
            let mut chunk = vec![0; CHUNK];
            match file.read(&mut chunk) {
                Ok(0) => None,
                Ok(read) => {
                    chunk.truncate(read);
                    progress.inc(u64::try_from(read).unwrap_or(0));
                    Some((Ok(Bytes::from(chunk)), file))
                }
                Err(error) => Some((Err(error), file)),
            }
        }
    });
    let sent = send(request, size, Body::wrap_stream(chunks)).await;
    bar.finish_and_clear();
    sent
}

/// Sends `bytes` as `request` says
pub async fn send_bytes(bytes: Vec<u8>, request: &SignedRequest) -> Result<(), Failure> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    send(request, size, Body::from(bytes)).await
}

/// The address is a secret: no message names it
async fn send(request: &SignedRequest, size: u64, body: Body) -> Result<(), Failure> {
    let wrong = || Failure::Wrong("the server's upload request is not one that can be sent".to_owned());
    let url = Url::parse(request.url.expose()).map_err(|_| wrong())?;
    let method: Method = request.method.parse().map_err(|_| wrong())?;
    let mut call = http_client(&url)?.request(method, url).body(body);
    // Said before the request's own headers: a bucket takes no body of unknown length.
    call = call.header(CONTENT_LENGTH, size);
    for header in request.headers.iter().filter(|it| !it.name.eq_ignore_ascii_case("content-length")) {
        call = call.header(&header.name, &header.value);
    }
    let answer = call.send().await.map_err(|error| ApiError::unreachable(&error))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(Failure::Wrong(format!(
            "the upload was refused (HTTP {}): the bytes are not those that were announced, or it took too long",
            status.as_u16()
        ))),
    }
}

fn bar(session: &Session, size: u64) -> ProgressBar {
    let is_shown = session.host.terminal.err && !session.is_json();
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(size), target);
    match ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_measured_as_its_bytes_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let bytes = vec![7; CHUNK * 2 + 5];
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(measure(&path).unwrap(), (Digest::of_bytes(&bytes), bytes.len() as u64));
        assert!(measure(dir.path()).unwrap_err().to_string().contains("is a folder"));
        assert!(measure(&dir.path().join("none")).is_err());
    }
}
