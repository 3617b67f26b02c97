//! Killing a function, an agent or weir-local at any time loses nothing: five rounds of `weir-local chaos`

#![cfg(test)]

use weir_local::{
    artefacts,
    chaos::{self, ChaosOptions},
    progress::Progress,
};

/// Fixed, so that a failure is one of this code and not of that day; `weir-local chaos` takes any other
const SEED: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_processes_die() {
    let (root, folder) = (xtask::root(), tempfile::tempdir().unwrap());
    let binaries = artefacts::build(env!("CARGO").as_ref(), &root).await.unwrap();
    let options = ChaosOptions {
        dir: folder.path().to_owned(),
        root,
        program: binaries.path("weir-local").unwrap().to_owned(),
        seed: SEED,
        rounds: 5,
    };
    let report = chaos::run(&options, &Progress::stderr()).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.kills.values().sum::<usize>() >= 5, "{:?}", report.kills);
}
