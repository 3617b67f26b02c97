//! `weir pack`: made from a folder, imported into a definition, listed

use crate::{
    rig::{Ran, weir},
    server::Server,
    state::{private_key, public_key},
};
use std::{fs, path::Path};

const RECIPES: &str = "\
scenario:
  restart: {version: 2, target_resource_type: environment, actions: [restart], template: restart}
template:
  restart: {version: 1, nodes: [{id: go, type: job, capability: http.call}]}
";

/// A folder with a pack's source, a key, and a definition that trusts it if asked to
fn folder(trusts: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("source/pack.yaml", "name: ops\nversion: 1.2.0\nvendor: Acme Works\n");
    write("source/recipes/restart.yaml", RECIPES);
    write("key.pem", &private_key());
    let key = serde_json::to_string(&public_key()).unwrap();
    let trust = format!("policy:\n  trust: {{kind: packs, signers: {{acme: {key}}}}}\n");
    let root = "version: 1\nworkspace: harbor\nenvironment:\n  staging: {order_index: 1}\n";
    write("def/weir.yaml", &format!("{root}{}", if trusts { &trust } else { "" }));
    dir
}

fn path(dir: &Path, path: &str) -> String {
    dir.join(path).to_str().unwrap().to_owned()
}

async fn build(server: &Server, dir: &Path) -> Ran {
    let (source, key, out) = (path(dir, "source"), path(dir, "key.pem"), path(dir, "ops.pack.json"));
    weir(server, "alice", &["pack", "build", &source, "--key", &key, "-o", &out]).await
}

async fn import(server: &Server, dir: &Path) -> Ran {
    let (file, definition) = (path(dir, "ops.pack.json"), path(dir, "def"));
    weir(server, "alice", &["pack", "import", &file, "--config", &definition]).await
}

#[tokio::test]
async fn a_pack_is_built_imported_and_a_part_of_the_definition() {
    let (server, dir) = (Server::start().await, folder(true));
    let built = build(&server, dir.path()).await;
    assert_eq!(built.code, 0, "{built:?}");
    assert!(built.out.contains("ops 1.2.0") && built.out.contains("BEGIN PUBLIC KEY"), "{built:?}");
    let first = fs::read(dir.path().join("ops.pack.json")).unwrap();
    build(&server, dir.path()).await;
    assert_eq!(fs::read(dir.path().join("ops.pack.json")).unwrap(), first, "the same again is the same");

    let imported = import(&server, dir.path()).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(imported.out.contains("ops 1.2.0 of Acme Works, signed by acme"), "{imported:?}");
    assert!(imported.out.contains("+ scenario.restart"), "{imported:?}");
    let definition = path(dir.path(), "def");
    let valid = weir(&server, "alice", &["validate", "--config", &definition]).await;
    assert!(valid.out.contains("4 resources in 2 files are right"), "{valid:?}");
    let root = fs::read_to_string(dir.path().join("def/weir.yaml")).unwrap();
    assert_eq!(import(&server, dir.path()).await.code, 0, "the same again changes nothing");
    assert_eq!(fs::read_to_string(dir.path().join("def/weir.yaml")).unwrap(), root);
    assert!(server.with(|state| state.requests.is_empty()), "nothing of this needs a server");
}

#[tokio::test]
async fn what_cannot_be_verified_leaves_the_definition_as_it_is() {
    let (server, dir) = (Server::start().await, folder(false));
    assert_eq!(build(&server, dir.path()).await.code, 0);
    let refused = import(&server, dir.path()).await;
    assert!(refused.code == 1 && refused.err.contains("W0703"), "{refused:?}");
    assert!(!dir.path().join("def/packs").exists());

    let dir = folder(true);
    build(&server, dir.path()).await;
    let file = dir.path().join("ops.pack.json");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_at(text.find("\"payload\":\"").unwrap() + 40);
    let flipped = if after.starts_with('A') { "B" } else { "A" };
    fs::write(&file, format!("{before}{flipped}{}", &after[1..])).unwrap();
    let refused = import(&server, dir.path()).await;
    assert!(refused.code == 1 && refused.err.contains("W0704"), "{refused:?}");

    let dir = folder(true);
    build(&server, dir.path()).await;
    let root = dir.path().join("def/weir.yaml");
    let mine = "template:\n  restart: {version: 1, nodes: [{id: go, type: job, capability: http.call}]}\n";
    let text = format!("{}{mine}", fs::read_to_string(&root).unwrap());
    fs::write(&root, &text).unwrap();
    let refused = import(&server, dir.path()).await;
    assert!(refused.code == 1 && refused.err.contains("W0706"), "{refused:?}");
    assert_eq!(fs::read_to_string(&root).unwrap(), text, "nothing is written");
    assert!(!dir.path().join("def/packs").exists());
}

#[tokio::test]
async fn a_pack_that_is_not_right_is_not_signed() {
    let (server, dir) = (Server::start().await, folder(true));
    fs::write(dir.path().join("source/more.yaml"), "environment:\n  mine: {order_index: 1}\n").unwrap();
    let refused = build(&server, dir.path()).await;
    assert!(refused.code == 1 && refused.err.contains("W0705"), "{refused:?}");
    assert!(!dir.path().join("ops.pack.json").exists());
}

#[tokio::test]
async fn packs_are_listed_with_signer_and_risk() {
    let server = Server::start().await;
    let listed = weir(&server, "alice", &["pack", "list"]).await;
    assert_eq!(listed.code, 0, "{listed:?}");
    for word in ["ops", "1.2.0", "marketplace", "medium", "acme", "scenario.restart"] {
        assert!(listed.out.contains(word), "{word}: {listed:?}");
    }
}
