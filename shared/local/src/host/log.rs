//! What a function writes, kept in one file per function and bounded

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::lock;

/// At this size a log becomes `<name>.1` (replacing the last one) and a new one is begun
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// A longer line is cut in pieces
const MAX_LINE: u64 = 64 * 1024;

/// One function's log
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    open: Mutex<Option<(File, u64)>>,
}

impl LogFile {
    /// Opened at the first line
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: Mutex::default() }
    }

    /// Appends one line; a full disk must not stop the function
    pub(super) fn append(&self, line: &[u8]) {
        let mut open = lock(&self.open);
        if open.as_ref().is_some_and(|(_, size)| *size > MAX_BYTES) {
            *open = None;
            drop(std::fs::rename(&self.path, self.path.with_extension("log.1")));
        }
        if open.is_none() {
            *open = OpenOptions::new().create(true).append(true).open(&self.path).ok().map(|file| {
                let size = file.metadata().map_or(0, |meta| meta.len());
                (file, size)
            });
        }
        if let Some((file, size)) = open.as_mut() {
            *size += line.len() as u64;
            drop(file.write_all(line));
        }
    }

    /// Copies a process's output until it closes it
    pub(super) async fn copy(&self, output: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if line.last() != Some(&b'\n') {
                        line.push(b'\n');
                    }
                    self.append(&line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::new(folder.path().join("f.log"));
        let line = vec![b'x'; 60_000];
        for _ in 0..200 {
            log.append(&line);
        }
        log.copy(&b"one\ntwo"[..]).await;
        let size = |name| std::fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size("f.log") <= MAX_BYTES + MAX_LINE && size("f.log.1") <= MAX_BYTES + MAX_LINE);
        let text = std::fs::read(folder.path().join("f.log")).unwrap();
        assert!(text.ends_with(b"one\ntwo\n"));
    }
}
