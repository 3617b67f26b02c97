//! One target as it lies on this machine's disk
//!
//! | path                      | what                                                       |
//! |---------------------------|------------------------------------------------------------|
//! | `agent.json`              | who the agent is, and its credential                       |
//! | `next.json`               | what is about to be put here, while that is not yet certain |
//! | `deployment.json`         | what was last put here                                     |
//! | `releases/<hex>/`         | an unpacked archive; `<hex>.json` beside it says it is whole |
//! | `current`                 | a link to the release that is run                          |
//! | `weir.version.json`       | the version sticker                                        |
//! | `service.json`, `.pid`    | the service that was started, and its process              |
//! | `service.lock`            | held while a service is being started                      |
//! | `logs/service.log`, `.1`  | what it printed, and what the one before it printed        |
//! | `tmp/`                    | work under way; emptied at every start                     |

use crate::agent::{
    files::{self, FileError},
    unpack::Limits,
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};
use weir_domain::{
    canonical::Digest,
    definition::address::Address,
    id::{ReleaseId, TaskId},
};
use weir_edge::wire::{
    agent::StickerState,
    task::{RunSpec, Sticker},
};

/// One target's folder
#[derive(Debug, Clone)]
pub struct Site {
    /// The target that it is
    pub target: Address,
    /// The port that its service listens on
    pub port: u16,
    folder: PathBuf,
    /// What an archive may amount to
    pub limits: Limits,
}

/// What was put on the target, or is about to be
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The task that asked for it
    pub task: TaskId,
    /// The release
    pub release: ReleaseId,
    /// The component
    pub component: Address,
    /// The archive
    pub digest: Digest,
    /// What was there before, if it was something else
    pub previous_digest: Option<Digest>,
    /// How it is run
    pub run: RunSpec,
    /// The hash of the sticker's content
    pub sticker_hash: Digest,
    /// How far it got
    pub stage: Stage,
}

/// How far a deployment got
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// In place; whether its service starts is not known yet, or was never found out
    Changing,
    /// Done: the service ran
    Done,
    /// In place, but its service did not start
    Failed,
}

/// Says that a release's folder is whole, and how much is in it
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Whole {
    entries: u64,
    bytes: u64,
}

impl Site {
    /// The target whose files lie in `folder`
    pub fn open(folder: &Path, target: Address, port: u16, limits: Limits) -> Result<Self, FileError> {
        files::make_folder(folder)?;
        let folder = fs::canonicalize(folder).map_err(FileError::when("open", folder))?;
        let site = Self { target, port, folder, limits };
        files::remove(&site.path("tmp"))?;
        for name in ["tmp", "releases", "logs"] {
            files::make_folder(&site.path(name))?;
        }
        site.settle()?;
        Ok(site)
    }

    /// A path in the target's folder
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the release with this digest
    pub fn release(&self, digest: &Digest) -> PathBuf {
        self.path("releases").join(digest.hex())
    }

    /// Where work under way on `digest` may be kept; never the same twice
    pub fn temporary(&self, digest: &Digest, suffix: &str) -> PathBuf {
        self.path("tmp").join(format!("{}-{:x}{suffix}", digest.short(), crate::clock::random_bits()))
    }

    /// Whether the release is unpacked here, whole
    pub fn has_release(&self, digest: &Digest) -> Result<bool, FileError> {
        // A record that cannot be read says nothing; the release is unpacked again.
        let Ok(Some(whole)) = files::read_json::<Whole>(&self.whole(digest)) else { return Ok(false) };
        let folder = self.release(digest);
        Ok(folder.is_dir() && measure(&folder)? == whole)
    }

    /// Makes the freshly unpacked folder `unpacked` the release with this digest
    pub fn keep_release(&self, digest: &Digest, unpacked: &Path) -> Result<(), FileError> {
        let (folder, whole) = (self.release(digest), measure(unpacked)?);
        files::remove(&self.whole(digest))?;
        if folder.exists() {
            // A process may still run in it: it keeps its open files.
            let aside = self.temporary(digest, ".old");
            files::rename(&folder, &aside)?;
            files::remove(&aside)?;
        }
        files::rename(unpacked, &folder)?;
        files::write_json(&self.whole(digest), &whole)
    }

    /// Removes the releases that are neither run, nor what was run before, nor among the `more` newest of the others;
    /// says how many
    ///
    /// A release's record goes first: what a crash leaves is not whole, and goes the next time.
    pub fn prune(&self, more: usize) -> Result<usize, FileError> {
        let last = self.deployment()?;
        let (run, before) = last.map(|last| (last.digest, last.previous_digest)).unzip();
        let needed = [self.current(), run, before.flatten()];
        let folder = self.path("releases");
        let failed = |error| FileError::when("read", &folder)(error);
        let mut others = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let hex = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else { continue };
            if !needed.contains(&Some(digest.clone())) {
                let unpacked_at = fs::metadata(self.whole(&digest)).and_then(|found| found.modified()).ok();
                others.insert(digest, unpacked_at);
            }
        }
        let mut others: Vec<(Digest, Option<SystemTime>)> = others.into_iter().collect();
        others.sort_by_key(|(_, unpacked_at)| Reverse(*unpacked_at));
        let old = others.get(more..).unwrap_or_default();
        for (digest, _) in old {
            files::remove(&self.whole(digest))?;
            files::remove(&self.release(digest))?;
        }
        Ok(old.len())
    }

    fn whole(&self, digest: &Digest) -> PathBuf {
        self.path("releases").join(format!("{}.json", digest.hex()))
    }

    /// The release that `current` points at
    pub fn current(&self) -> Option<Digest> {
        let to = fs::read_link(self.path("current")).ok()?;
        format!("sha256:{}", to.strip_prefix("releases").ok()?.to_str()?).parse().ok()
    }

    /// What was last put here
    pub fn deployment(&self) -> Result<Option<Deployment>, FileError> {
        files::read_json(&self.path("deployment.json"))
    }

    /// Records how far what lies here got
    pub fn set_deployment(&self, deployment: &Deployment) -> Result<(), FileError> {
        files::write_json(&self.path("deployment.json"), deployment)
    }

    /// Puts `next` here: recorded, switched to, labelled with its sticker, and only then the deployment
    ///
    /// Wherever this is cut off, [`Self::settle`] tells by `current` which of the two it is.
    pub fn place(&self, next: &Deployment, sticker: &Sticker) -> Result<(), FileError> {
        files::write_json(&self.path("next.json"), next)?;
        files::point(&self.path("current"), &Path::new("releases").join(next.digest.hex()))?;
        files::write_json(&self.path("weir.version.json"), sticker)?;
        files::rename(&self.path("next.json"), &self.path("deployment.json"))
    }

    /// Decides a switch that was cut off: it has happened, or it is forgotten
    pub fn settle(&self) -> Result<(), FileError> {
        let path = self.path("next.json");
        match files::read_json::<Deployment>(&path)? {
            Some(next) if self.current().as_ref() == Some(&next.digest) => {
                files::rename(&path, &self.path("deployment.json"))
            }
            Some(_) => files::remove(&path),
            None => Ok(()),
        }
    }

    /// What a deployment of `digest` replaces
    ///
    /// Where an earlier attempt at the same was cut off, that is what *it* replaced.
    pub fn previous_of(&self, digest: &Digest) -> Result<Option<Digest>, FileError> {
        match self.current().filter(|current| current != digest) {
            Some(current) => Ok(Some(current)),
            None => {
                let last = self.deployment()?.filter(|last| last.digest == *digest);
                Ok(last.and_then(|last| last.previous_digest))
            }
        }
    }

    /// The sticker as it lies on disk; none where there is none that can be read
    pub fn sticker(&self) -> Option<Sticker> {
        files::read_json(&self.path("weir.version.json")).ok().flatten()
    }

    /// The hash of the sticker's content as it lies on disk, and both compared with what was put here
    pub fn inspect(&self) -> (Option<Digest>, StickerState) {
        let found = self.sticker().and_then(|sticker| Digest::of(&sticker.content).ok());
        // A journal that cannot be read was changed by somebody.
        let Ok(last) = self.deployment() else { return (found, StickerState::Drift) };
        let state = match last {
            None if found.is_none() && self.current().is_none() => StickerState::Absent,
            None => StickerState::Drift,
            Some(last) if last.stage == Stage::Changing => StickerState::Changing,
            Some(last) => {
                let as_put = found.as_ref() == Some(&last.sticker_hash)
                    && self.current().as_ref() == Some(&last.digest)
                    && self.has_release(&last.digest).unwrap_or(false);
                if as_put { StickerState::Ok } else { StickerState::Drift }
            }
        };
        (found, state)
    }
}

/// What is in `folder`: entries, and bytes of its files
///
/// A service that writes into its own release folder is drift, and is seen here.
fn measure(folder: &Path) -> Result<Whole, FileError> {
    let mut whole = Whole { entries: 0, bytes: 0 };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| FileError::when("read", &folder)(error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // What the interpreter caches beside its sources is nobody's change.
            if entry.file_name() == "__pycache__" {
                continue;
            }
            let found = entry.metadata().map_err(failed)?;
            whole.entries += 1;
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                whole.bytes += found.len();
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn site() -> (tempfile::TempDir, Site) {
        let folder = tempfile::tempdir().unwrap();
        let target = "target.staging.stg-1".parse().unwrap();
        let site = Site::open(folder.path(), target, 1, Limits::default()).unwrap();
        (folder, site)
    }

    fn put(site: &Site, text: &str, stage: Stage) -> Digest {
        let digest = Digest::of_bytes(text.as_bytes());
        let unpacked = site.temporary(&digest, "");
        fs::create_dir(&unpacked).unwrap();
        fs::write(unpacked.join("file"), text).unwrap();
        site.keep_release(&digest, &unpacked).unwrap();
        let content = json!({"version": text});
        let sticker_hash = Digest::of(&content).unwrap();
        let next = Deployment {
            task: "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.1".parse().unwrap(),
            release: "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
            component: "component.web".parse().unwrap(),
            digest: digest.clone(),
            previous_digest: site.previous_of(&digest).unwrap(),
            run: serde_json::from_value(json!({"command": ["true"]})).unwrap(),
            sticker_hash: sticker_hash.clone(),
            stage,
        };
        let written_at = crate::clock::now();
        site.place(&next, &Sticker { content, content_hash: sticker_hash, written_at }).unwrap();
        digest
    }

    #[test]
    fn drift_is_what_differs_from_what_was_put_there() {
        let (_folder, site) = site();
        assert_eq!(site.inspect(), (None, StickerState::Absent));
        let digest = put(&site, "one", Stage::Done);
        assert_eq!(site.inspect().1, StickerState::Ok);
        fs::write(site.release(&digest).join("file"), "edited").unwrap();
        assert_eq!(site.inspect().1, StickerState::Drift);
        put(&site, "one", Stage::Done);
        assert_eq!(site.inspect().1, StickerState::Ok);
        fs::write(site.path("weir.version.json"), "{}").unwrap();
        assert_eq!(site.inspect(), (None, StickerState::Drift));
        put(&site, "one", Stage::Changing);
        assert_eq!(site.inspect().1, StickerState::Changing);
    }

    #[test]
    fn a_switch_that_was_cut_off_has_happened_or_is_forgotten() {
        let (_folder, site) = site();
        let one = put(&site, "one", Stage::Done);
        let mut next = site.deployment().unwrap().unwrap();
        next.digest = Digest::of_bytes(b"two");
        files::write_json(&site.path("next.json"), &next).unwrap();
        site.settle().unwrap();
        assert_eq!(site.deployment().unwrap().unwrap().digest, one);
        assert_eq!(site.inspect().1, StickerState::Ok);

        files::write_json(&site.path("next.json"), &next).unwrap();
        files::point(&site.path("current"), &Path::new("releases").join(next.digest.hex())).unwrap();
        site.settle().unwrap();
        assert_eq!(site.deployment().unwrap().unwrap().digest, next.digest);
        assert!(!site.path("next.json").exists());
    }

    #[test]
    fn what_is_run_what_was_run_and_the_newest_others_are_kept() {
        let (_folder, site) = site();
        let all = ["1", "2", "3", "4", "5"].map(|text| put(&site, text, Stage::Done));
        fs::write(site.path("releases").join("notes.txt"), "a person's").unwrap();
        assert_eq!(site.prune(3).unwrap(), 0);
        // A folder that a crash left without its record is the oldest.
        files::remove(&site.whole(&all[2])).unwrap();
        assert_eq!(site.prune(1).unwrap(), 2);
        let there = all.each_ref().map(|digest| site.release(digest).exists());
        assert_eq!(there, [false, true, false, true, true]);
        put(&site, "2", Stage::Done);
        assert_eq!(site.prune(0).unwrap(), 1);
        let there = all.each_ref().map(|digest| site.has_release(digest).unwrap());
        assert_eq!(there, [false, true, false, false, true]);
        assert!(site.path("releases").join("notes.txt").exists());
    }

    #[test]
    fn what_was_there_before_survives_an_attempt_that_was_cut_off() {
        let (_folder, site) = site();
        let one = put(&site, "one", Stage::Done);
        let two = put(&site, "two", Stage::Changing);
        assert_eq!(site.previous_of(&two).unwrap(), Some(one.clone()));
        assert_eq!(site.previous_of(&one).unwrap(), Some(two));
        fs::remove_file(site.path("releases").join(format!("{}.json", one.hex()))).unwrap();
        assert!(!site.has_release(&one).unwrap(), "a folder without its record is not whole");
    }
}
