//! The program itself: exit codes, environment, what stands on which output

use crate::{delivery::release, server::Server};
use std::{fs, process::Output};
use tokio::process::Command;

async fn run(env: &[(&str, &str)], line: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().envs(env.iter().copied()).args(line).stdin(std::process::Stdio::null());
    command.output().await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_wrong_command_line_is_2_and_says_what_would_be_right() {
    for (line, says) in [
        (&["gate", "lst"][..], "list"),
        (&["plan", "--detailed-exit"], "--detailed-exitcode"),
        (&["approve", "op_01ARZ3NDEKTSV4RRFFQ69G5FAV"], "not a gate id"),
        (&["help", "nothing"], "exit-codes"),
        (&["help", "W0499"], "did you mean `W0409`?"),
        (&["help", "W9999"], "`weir help codes` lists all"),
        (&["gate", "list"], "no server is named"),
        (&["gate", "list", "--server", "nowhere"], "not the address of a server"),
        (&["gate", "list", "--profile", "x"], "there is no profile `x`"),
    ] {
        let ran = run(&[("HOME", "/nonexistent")], line).await;
        let err = text(&ran.stderr);
        assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{line:?} {err}");
        assert!(err.contains(says), "{line:?} {err}");
    }
}

#[tokio::test]
async fn help_is_data() {
    for (line, says) in [
        (&["--help"][..], "Bring a release into an environment"),
        (&["help"], "Bring a release into an environment"),
        (&["help", "gate", "list"], "--status"),
        (&["help", "exit-codes"], "it waits for somebody"),
        (&["help", "kinds"], "environment"),
        (&["help", "W0207"], "a reference names a resource that does not exist"),
        (&["help", "W0412"], "W0412: The requester may not decide (HTTP 403)\n\nWhat happened\n"),
        (&["help", "w0412"], "What to do"),
        (&["help", "codes"], "  W0503  Temporarily unavailable"),
        (&["completions", "bash"], "_weir"),
        (&["completions", "zsh"], "#compdef weir"),
        (&["completions", "fish"], "complete -c weir"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ran = run(&[], line).await;
        assert_eq!((ran.status.code(), ran.stderr.len()), (Some(0), 0), "{line:?}");
        assert!(text(&ran.stdout).contains(says), "{line:?} {}", text(&ran.stdout));
        assert!(!text(&ran.stdout).contains('\u{1b}'), "{line:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_1() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let file = tempfile::NamedTempFile::new().unwrap();
    let ran = run(&[("WEIR_SERVER", &url)], &["artifact", "push", file.path().to_str().unwrap()]).await;
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("the server was not reached"), "{}", text(&ran.stderr));
}

#[tokio::test]
async fn settings_come_from_the_profile_and_the_environment_goes_before_it() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("weir")).unwrap();
    let profiles = format!(
        r#"{{"default": "a", "profiles": {{"a": {{"server": "{}", "token_file": "token", "tenant": "acme"}}}}}}"#,
        server.url
    );
    fs::write(dir.path().join("weir/config.json"), profiles).unwrap();
    fs::write(dir.path().join("weir/token"), "alice\n").unwrap();
    let config = ("XDG_CONFIG_HOME", dir.path().to_str().unwrap());
    assert_eq!(run(&[config], &["gate", "list"]).await.status.code(), Some(0));
    let last = server.with(|state| state.requests.last().cloned().unwrap());
    assert!(last.ends_with("tenant=acme"), "{last}");
    let other = run(&[config, ("WEIR_TOKEN", "nobody")], &["gate", "list"]).await;
    assert_eq!(other.status.code(), Some(1));
    let err = text(&other.stderr);
    assert!(err.contains("error[W0401]") && err.contains("WEIR_TOKEN") && !err.contains('\u{1b}'), "{err}");
}

#[tokio::test]
async fn the_program_ends_as_the_operation_does() {
    let server = Server::start().await;
    let good = release(&server, "1.0.0").await;
    let bad = release(&server, "bad").await;
    let env = [("WEIR_SERVER", server.url.as_str()), ("WEIR_TOKEN", "alice")];
    for (line, code) in [
        (["promote", &good, "staging", "--json"], 0),
        (["promote", &bad, "staging", "--json"], 1),
        (["promote", &good, "production", "--no-wait"], 3),
    ] {
        let ran = run(&env, &line).await;
        assert_eq!(ran.status.code(), Some(code), "{line:?} {}", text(&ran.stderr));
        assert!(!text(&ran.stdout).contains('\u{1b}') && !text(&ran.stderr).contains('\u{1b}'), "{line:?}");
    }
    let gate = server.with(|state| {
        let steps = state.operations.values().flat_map(|it| &it.steps);
        steps.filter_map(|step| step.gate).next().unwrap().to_string()
    });
    assert_eq!(run(&env, &["approve", &gate]).await.status.code(), Some(4));
}
