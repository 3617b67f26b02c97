//! Fetches an archive and believes nothing but its digest

use crate::{
    agent::files::FileError,
    api::{Backoff, http_client},
};
use reqwest::Url;
use sha2::{Digest as _, Sha256};
use std::{path::Path, time::Duration};
use tokio::{fs::File, io::AsyncWriteExt as _};
use weir_domain::canonical::Digest;
use weir_edge::wire::task::ArtifactSource;

/// Tries before the download has failed
const TRIES: u32 = 4;

/// A transfer that stands still for so long is begun again
const STALL: Duration = Duration::from_secs(20);

/// An archive that was not fetched
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The URL is none, or its store has answered no
    #[error("the archive cannot be fetched: {0}")]
    Refused(String),
    /// The connection failed, every time
    #[error("the archive could not be fetched in {TRIES} tries: {0}")]
    Failed(String),
    /// Longer or shorter than was said
    #[error("the archive is not {expected} bytes long, as was said, but {found}")]
    Size {
        /// As was said
        expected: u64,
        /// Or more
        found: u64,
    },
    /// Larger than this agent takes
    #[error("the archive's {0} bytes are more than this agent takes")]
    TooLarge(u64),
    /// Not what was asked for
    #[error("the archive's digest is {found}, not {expected}")]
    Digest {
        /// What was asked for
        expected: Digest,
        /// What came
        found: Digest,
    },
    /// This machine's disk refused
    #[error(transparent)]
    Disk(#[from] FileError),
}

/// Fetches `source` into the file `path`, of at most `max` bytes, and checks that it is `digest`
///
/// Messages never show the URL: whoever has it may fetch.
pub async fn download(
    source: &ArtifactSource,
    digest: &Digest,
    path: &Path,
    max: u64,
) -> Result<(), DownloadError> {
    if source.size > max {
        return Err(DownloadError::TooLarge(source.size));
    }
    let url = Url::parse(source.url.expose())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| DownloadError::Refused("its URL is not one of HTTP".to_owned()))?;
    let client = http_client(&url).map_err(|error| DownloadError::Refused(error.to_string()))?;
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
    let mut last = String::new();
    for _ in 0..TRIES {
        match fetch(&client, &url, source.size, path).await {
            Ok(found) if found == *digest => return Ok(()),
            Ok(found) => return Err(DownloadError::Digest { expected: digest.clone(), found }),
            Err(FetchError::Fatal(error)) => return Err(error),
            Err(FetchError::Again(why)) => last = why,
        }
        tokio::time::sleep(backoff.pause()).await;
    }
    Err(DownloadError::Failed(last))
}

enum FetchError {
    Fatal(DownloadError),
    Again(String),
}

impl From<FileError> for FetchError {
    fn from(error: FileError) -> Self {
        Self::Fatal(error.into())
    }
}

async fn fetch(client: &reqwest::Client, url: &Url, size: u64, path: &Path) -> Result<Digest, FetchError> {
    let again =
        |error: reqwest::Error| FetchError::Again(crate::api::ApiError::unreachable(&error).to_string());
    let stalled = |_| FetchError::Again("the transfer stood still".to_owned());
    let sent = tokio::time::timeout(STALL, client.get(url.clone()).send()).await;
    let mut response = sent.map_err(stalled)?.map_err(again)?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(FetchError::Again(format!("its store answered {status}")));
    }
    if !status.is_success() {
        return Err(FetchError::Fatal(DownloadError::Refused(format!("its store answered {status}"))));
    }
    let mut file = File::create(path).await.map_err(FileError::when("write", path))?;
    let (mut hash, mut found) = (Sha256::new(), 0u64);
    while let Some(chunk) =
        tokio::time::timeout(STALL, response.chunk()).await.map_err(stalled)?.map_err(again)?
    {
        found += chunk.len() as u64;
        if found > size {
            break;
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(FileError::when("write", path))?;
    }
    file.flush().await.map_err(FileError::when("write", path))?;
    if found != size {
        return Err(FetchError::Fatal(DownloadError::Size { expected: size, found }));
    }
    let hex = hex::encode(hash.finalize());
    format!("sha256:{hex}").parse().map_err(|_| FetchError::Again(format!("`{hex}` is no digest")))
}
