//! The folder in which everything of one local stack lies
//!
//! | file | what |
//! |---|---|
//! | `lock` | held while a weir-local runs; says which process and which address |
//! | `emulator.json` | the emulator that was started: process, port, mark (0600) |
//! | `host.json` | the address of the function host, kept so that an adopted stack finds it again (0600) |
//! | `tokens.json` | the tokens of the people (0600) |
//! | `slack.json` | the signing secret and the address of the Slack that this machine plays (0600) |
//! | `agents.json` | the agents that were started: process, port (0600) |
//! | `agents/` | the folder of each agent, with the releases on its target |
//! | `evidence/` | the evidence packets of the last demo, and the key that verifies them |
//! | `logs/` | the emulator's log and one per function |
//!
//! The Python environment lies beside them, in `target/local/venv`, shared by all stacks of the checkout.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Doing as _, LocalError, Result};

/// The folder of one local stack
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

/// The right to use a folder: given back when dropped, and by the kernel when the process dies
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Who holds the lock, as it says itself
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Its process
    pub pid: u32,
    /// Where it serves the API, once it does
    pub url: Option<String>,
}

impl StateDir {
    /// Opens `root`, making it if need be
    pub fn open(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root.join("logs")).at("making", root)?;
        std::fs::create_dir_all(root.join("tmp")).at("making", root)?;
        let root = root.canonicalize().at("finding", root)?;
        Ok(Self { root })
    }

    /// The file or folder `name` in it
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where logs are
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Reads a JSON file; one that is absent, half-written or of another version is as good as none
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = std::fs::read(self.path(name)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes a JSON file that only its owner may read, whole or not at all
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let (path, part) = (self.path(name), self.path(&format!("{name}.part")));
        let text = serde_json::to_vec_pretty(value).at("writing", &path)?;
        let mut file = private(&part)?;
        file.write_all(&text).at("writing", &part)?;
        std::fs::rename(&part, &path).at("writing", &path)
    }

    /// Writes a text that only its owner may read
    pub fn write_text(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        private(&path)?.write_all(text.as_bytes()).at("writing", &path)
    }

    /// Removes a file, if it is there
    pub fn remove(&self, name: &str) {
        drop(std::fs::remove_file(self.path(name)));
    }

    /// Takes the lock of the folder, or says who has it
    pub fn lock(&self) -> Result<Lock> {
        let path = self.path("lock");
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let mut lock = Lock { file: file.at("opening", &path)? };
        if flock(&lock.file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder =
                self.holder().map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
            return Err(LocalError::AlreadyRunning { holder });
        }
        lock.say(&Holder { pid: std::process::id(), url: None })?;
        Ok(lock)
    }

    /// Who holds the lock now
    pub fn holder(&self) -> Option<Holder> {
        let file = OpenOptions::new().read(true).write(true).open(self.path("lock")).ok()?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return None;
        }
        let mut text = String::new();
        (&file).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Lock {
    /// Tells whoever is refused who holds it
    pub fn say(&mut self, holder: &Holder) -> Result<()> {
        let text = serde_json::to_string(holder).doing(|| "writing the lock".to_owned())?;
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        write().doing(|| "writing the lock".to_owned())
    }
}

/// Closing the file is not enough: a child forked at this moment has it open too, until it runs its own program
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.url {
            Some(url) => write!(f, "process {}, serving {url}", self.pid),
            None => write!(f, "process {}, still starting", self.pid),
        }
    }
}

/// A new file that only its owner may read
fn private(path: &Path) -> Result<File> {
    drop(std::fs::remove_file(path));
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).at("writing", path)
}

/// Waits for the lock of `path`: for what is shared by several stacks, such as the Python environment
pub fn wait_lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).at("opening", path)?;
    flock(&file, FlockOperation::LockExclusive).at("locking", path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_holder_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let mut lock = state.lock().unwrap();
        lock.say(&Holder { pid: 7, url: Some("http://127.0.0.1:9".into()) }).unwrap();
        let refused = state.lock().unwrap_err().to_string();
        assert!(refused.contains("process 7, serving http://127.0.0.1:9"), "{refused}");
        drop(lock);
        assert_eq!(state.holder(), None);
        state.lock().unwrap();
    }

    #[test]
    fn what_is_written_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let holder = Holder { pid: 1, url: None };
        state.write("x.json", &holder).unwrap();
        assert_eq!(state.read::<Holder>("x.json"), Some(holder));
        let mode = std::fs::metadata(state.path("x.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(state.path("x.json"), "{").unwrap();
        assert_eq!(state.read::<Holder>("x.json"), None);
    }
}
