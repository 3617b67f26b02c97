//! What the commands of agents have really done, as they wrote it down themselves

use std::{collections::BTreeMap, fs, path::PathBuf};
use weir_domain::id::{OperationId, TaskId};

/// `work.sh FOLDER SECONDS [hangs-once | needs FILE | awaits FILE]`: a line when it begins, and one when it ends well
const WORK: &str = r#"
echo "begin $WEIR_ATTEMPT $$" >> "$1/effects"
echo "works for $2 s"
sleep "$2"
case "$3" in
hangs-once) if [ "${WEIR_ATTEMPT##*/}" = 1 ]; then sleep 600; fi ;;
needs) if [ ! -e "$1/$4" ]; then echo "$4 is not there"; exit 1; fi ;;
awaits) while [ ! -e "$1/$4" ]; do sleep 0.1; done ;;
esac
echo "end $WEIR_ATTEMPT" >> "$1/effects"
"#;

/// A folder that commands leave their traces in
pub struct Effects {
    folder: tempfile::TempDir,
}

/// What one attempt left behind
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub begun: usize,
    pub ended: usize,
    pub pid: u32,
}

impl Effects {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("work.sh"), WORK).unwrap();
        fs::write(folder.path().join("effects"), "").unwrap();
        Self { folder }
    }

    /// What agents are told, so that they may run it
    pub fn arguments(&self) -> Vec<String> {
        let (script, folder) = (self.path("work.sh"), self.folder.path());
        let allowed = format!("work=/bin/sh {} {} ...", script.display(), folder.display());
        vec!["--allow-command".to_owned(), allowed]
    }

    /// Puts a file there that a step needs
    pub fn put(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    /// What each attempt at the nodes of `operation` has done, by ordinal and attempt
    pub fn of(&self, operation: OperationId) -> BTreeMap<(u32, u32), Attempt> {
        let text = fs::read_to_string(self.path("effects")).unwrap();
        let mut found: BTreeMap<(u32, u32), Attempt> = BTreeMap::new();
        // A line that is being written is not looked at yet.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let mut words = line.split(' ');
            let (what, attempt) = (words.next().unwrap(), words.next().unwrap());
            let (task, number) = attempt.split_once('/').unwrap();
            let task: TaskId = task.parse().unwrap();
            if task.operation != operation {
                continue;
            }
            let one = found.entry((task.ordinal, number.parse().unwrap())).or_default();
            match what {
                "begin" => {
                    one.begun += 1;
                    one.pid = words.next().unwrap().parse().unwrap();
                }
                "end" => one.ended += 1,
                other => panic!("`{other}` is no effect"),
            }
        }
        found
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
