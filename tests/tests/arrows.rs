//! Which crate may know of which: a new arrow is reviewed as a change of the golden file

#![cfg(test)]

use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, process::Command};
use weir_testkit::golden;

/// The services' clients, of which each belongs to one crate; whoever else names one makes it, or looks from outside
const CLIENTS: &str = "aws-sdk-";

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(xtask::root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// What each crate of the workspace depends on: `kind` is `null` for itself, `"dev"` for its tests
fn arrows(kind: &Value) -> BTreeMap<String, Vec<String>> {
    let packages = packages();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    let ours: Vec<_> = packages.iter().map(name).collect();
    let arrows = packages.iter().map(|package| {
        let known =
            package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] == *kind).map(name);
        let mut known: Vec<_> = known.filter(|d| ours.contains(d) || d.starts_with(CLIENTS)).collect();
        known.sort();
        known.dedup();
        (name(package), known)
    });
    arrows.collect()
}

#[test]
fn crates_know_of_each_other_like_this() {
    let mut out = String::new();
    for (title, kind) in [("crates", Value::Null), ("their tests, besides", Value::from("dev"))] {
        writeln!(out, "# {title}").unwrap();
        for (name, known) in arrows(&kind).iter().filter(|(_, known)| !known.is_empty()) {
            writeln!(out, "{name} -> {}", known.join(", ")).unwrap();
        }
    }
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/arrows.txt"), &out);
}

#[test]
fn the_domain_knows_of_nobody() {
    assert_eq!(arrows(&Value::Null)["weir-domain"], [""; 0]);
}

#[test]
fn each_service_is_called_by_one_crate() {
    let arrows = arrows(&Value::Null);
    // These two make clients or look at the stack from outside; neither is part of a function's logic.
    let aside = ["weir-edge", "weir-local"];
    for (client, owner) in [
        ("aws-sdk-dynamodb", "weir-store"),
        ("aws-sdk-kms", "weir-ledger"),
        ("aws-sdk-lambda", "weir-adapters"),
        ("aws-sdk-s3", "weir-ledger"),
        ("aws-sdk-sfn", "weir-orchestration"),
        ("aws-sdk-sqs", "weir-orchestration"),
    ] {
        let callers: Vec<_> = arrows
            .iter()
            .filter(|(name, known)| !aside.contains(&name.as_str()) && known.iter().any(|d| d == client))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(callers, [owner], "{client}");
    }
}

#[test]
fn versions_stand_in_one_place() {
    for package in packages() {
        let path = package["manifest_path"].as_str().unwrap();
        let manifest = std::fs::read_to_string(path).unwrap();
        let own = manifest.lines().filter(|line| line.contains("version = \"") || line.contains("git = "));
        assert_eq!(
            own.collect::<Vec<_>>(),
            [""; 0],
            "{}: versions stand in the workspace's manifest",
            package["name"]
        );
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(xtask::root().join("Cargo.toml")).unwrap();
    let list = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for paragraph in list.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let ours = paragraph.lines().all(|line| line.contains("path = "));
        assert!(ours || paragraph.starts_with('#'), "these lack a line that says why:\n{paragraph}");
    }
}
