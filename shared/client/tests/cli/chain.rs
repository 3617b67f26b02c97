//! The audit chain, verified from a folder

use crate::{
    rig::{Ran, weir},
    server::Server,
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};
use weir_domain::{
    audit::chain::{AuditEntry, AuditHead, seal},
    id::{AuditId, Id as _},
};

/// A copy of a chain of three objects, as `aws s3 sync` makes it; its files
fn copy(folder: &Path) -> Vec<PathBuf> {
    let mut head = AuditHead::genesis(&"harbor".parse().unwrap());
    let write = |number: u32| {
        let event = json!({ "id": AuditId::derived(1, &number.to_string()), "action": "release.create" });
        let day = folder.join(head.day.to_string());
        let next_day = "2026-03-01".parse().unwrap();
        let (bytes, next) = seal(&head, [&AuditEntry::new(&event).unwrap()], next_day);
        fs::create_dir_all(&day).unwrap();
        let file = day.join(format!("{:012}.jsonl", next.seq));
        fs::write(&file, bytes).unwrap();
        head = next;
        file
    };
    (1..=3).map(write).collect()
}

/// What is done to the files of a copy
type Change<'a> = &'a dyn Fn(&[PathBuf]);

async fn verify(server: &Server, folder: &Path, more: &[&str]) -> Ran {
    let mut line = vec!["audit", "verify", "--workspace", "harbor", "--dir", folder.to_str().unwrap()];
    line.extend(more);
    weir(server, "nobody", &line).await
}

#[tokio::test]
async fn a_copy_of_the_chain_verifies_without_a_server_being_asked() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    copy(folder.path());
    let whole = verify(&server, folder.path(), &[]).await;
    assert_eq!(whole.code, 0, "{} {}", whole.out, whole.err);
    assert!(whole.out.starts_with("✔ verified 3 events in 3 objects\n"), "{}", whole.out);
    assert!(whole.err.contains("--head"), "{}", whole.err);
    assert!(server.with(|state| state.requests.is_empty()));
    let line = ["audit", "verify", "--workspace", "dock", "--dir", folder.path().to_str().unwrap()];
    assert!(weir(&server, "nobody", &line).await.out.contains("does not follow the object before it"));
}

#[tokio::test]
async fn what_was_done_to_a_copy_is_told() {
    let server = Server::start().await;
    let cases: [(Change<'_>, &str); 4] = [
        (
            &|files| {
                let text = fs::read_to_string(&files[1]).unwrap().replace("create", "delete");
                fs::write(&files[1], text).unwrap();
            },
            "object 2: line 2 was changed",
        ),
        (&|files| fs::remove_file(&files[1]).unwrap(), "object 2: it says that it is object 3"),
        (
            &|files| {
                let (second, third) = (fs::read(&files[1]).unwrap(), fs::read(&files[2]).unwrap());
                fs::write(&files[1], third).unwrap();
                fs::write(&files[2], second).unwrap();
            },
            "object 2: it says that it is object 3",
        ),
        (&|files| fs::write(&files[2], "{}\n").unwrap(), "object 3: line 1 cannot be read"),
    ];
    for (change, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        change(&copy(folder.path()));
        let broken = verify(&server, folder.path(), &[]).await;
        assert_eq!(broken.code, 1, "{says}");
        assert!(broken.out.contains("✖ not verified") && broken.out.contains(says), "{says}: {}", broken.out);
        assert!(broken.out.contains(".jsonl"), "{says}: {}", broken.out);
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_told_by_a_head_that_was_kept_elsewhere() {
    let (server, folder, elsewhere) =
        (Server::start().await, tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let files = copy(folder.path());
    let whole = verify(&server, folder.path(), &["--json"]).await;
    fs::write(elsewhere.path(), &whole.out).unwrap();
    let head = ["--head", elsewhere.path().to_str().unwrap()];
    assert_eq!(verify(&server, folder.path(), &head).await.code, 0);
    fs::remove_file(&files[2]).unwrap();
    assert_eq!(verify(&server, folder.path(), &[]).await.code, 0, "by itself it cannot know");
    let cut = verify(&server, folder.path(), &head).await;
    assert_eq!(cut.code, 1);
    assert!(cut.out.contains("object 3: it is missing"), "{}", cut.out);
    let none = tempfile::tempdir().unwrap();
    let empty = verify(&server, none.path(), &[]).await;
    assert!(empty.code == 1 && empty.err.contains("holds no object"), "{}", empty.err);
    let wrong = verify(&server, folder.path(), &["--head", files[0].to_str().unwrap()]).await;
    assert!(wrong.code == 1 && wrong.err.contains("of a chain that holds"), "{}", wrong.err);
}
