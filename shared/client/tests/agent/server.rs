//! What the API knows of agents and tasks, held in memory and under the same rules

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use weir_client::clock;
use weir_domain::{
    canonical::Digest,
    id::{Id as _, OperationId, TaskId},
};
use weir_edge::wire::{
    agent::Heartbeat,
    task::{Report, Task},
};

pub const TARGET: &str = "target.staging.stg-1";
pub const AGENT: &str = "agt_01ARZ3NDEKTSV4RRFFQ69G5FAV";
pub const TOKEN: &str = "one-time-token";
pub const CREDENTIAL: &str = "the-credential";

/// A node run, as far as an agent can see it
#[derive(Debug, Clone)]
pub struct Node {
    pub kind: &'static str,
    pub input: Value,
    pub attempt: u32,
    pub lease: Option<Instant>,
    pub cancel: bool,
    pub report: Option<Report>,
}

#[derive(Debug, Default)]
pub struct State {
    pub lease: Duration,
    /// How long a claim is held before anything is given
    pub holds_claims: Duration,
    /// How long each attempt may take
    pub deadline_ms: u64,
    pub nodes: BTreeMap<TaskId, Node>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub fetched: Vec<String>,
    pub heartbeats: Vec<Heartbeat>,
    /// Requests by path and body, in the order they came
    pub posts: Vec<(String, Vec<u8>)>,
    /// Answers by key, with the body they were given for
    pub answers: BTreeMap<String, (Value, Value)>,
    pub registrations: usize,
    /// Paths that contain one of these are answered 503
    pub down: BTreeSet<&'static str>,
    pub disowned: bool,
    pub refused_reports: usize,
}

/// The server's shared state; every change is told
#[derive(Clone)]
pub struct Server {
    pub state: Arc<Mutex<State>>,
    pub changed: Arc<watch::Sender<()>>,
    pub url: String,
}

impl Server {
    /// Changes or reads the state, and tells of it
    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.send_replace(());
        result
    }

    /// Waits until `see` sees something
    pub async fn until<T>(&self, what: &str, see: impl Fn(&mut State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if let Some(seen) = see(&mut self.state.lock().unwrap()) {
                    return seen;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// Keeps `bytes` as an artefact; its digest
    pub fn upload(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of_bytes(&bytes);
        self.with(|state| state.blobs.insert(digest.hex().to_owned(), bytes));
        digest
    }

    /// A deployment of the artefact `digest`, with `change` made to its input
    pub fn deploy(&self, digest: &Digest, change: impl FnOnce(&mut Value)) -> TaskId {
        let size = self.with(|state| state.blobs.get(digest.hex()).map_or(0, Vec::len));
        let mut input = json!({
            "release": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "component": "component.web", "digest": digest,
            "artifact": {"url": format!("{}/blobs/{}?signature=s3cr3t", self.url, digest.hex()), "size": size},
            "run": {"command": ["python3", "serve.py"], "health": {"path": "/healthz"}},
            "sticker": {"component": "web", "digest": digest},
        });
        change(&mut input);
        self.ask("deploy.host", input)
    }

    /// A task of any kind
    pub fn ask(&self, kind: &'static str, input: Value) -> TaskId {
        let task = TaskId { operation: OperationId::new(1, clock::random_bits()), ordinal: 3 };
        let node = Node { kind, input, attempt: 1, lease: None, cancel: false, report: None };
        self.with(|state| state.nodes.insert(task, node));
        task
    }

    /// The report that ended `task`, and the attempt that made it
    pub async fn ended(&self, task: TaskId) -> Report {
        self.until("a report", |state| state.nodes[&task].report.clone()).await
    }

    /// Waits until an agent works on `task`
    pub async fn started(&self, task: TaskId) {
        self.until("a claim", |state| state.nodes[&task].lease.map(|_| ())).await;
    }
}

impl State {
    /// What reconcile does: an attempt whose lease has passed is followed by another
    pub fn expire(&mut self) {
        for node in self.nodes.values_mut() {
            if node.report.is_none() && node.lease.is_some_and(|until| until <= Instant::now()) {
                node.lease = None;
                node.attempt += 1;
            }
        }
    }

    /// Gives the first task that waits to whoever asks
    pub fn claim(&mut self) -> Option<Task> {
        self.expire();
        let lease = self.lease;
        let (task, node) = self
            .nodes
            .iter_mut()
            .find(|(_, node)| node.lease.is_none() && node.report.is_none() && !node.cancel)?;
        node.lease = Some(Instant::now() + lease);
        let task = json!({
            "task": task, "attempt": node.attempt, "target": TARGET,
            "lease_until": clock::now(), "lease_remaining_ms": lease.as_millis() as u64,
            "deadline": clock::now(), "deadline_remaining_ms": self.deadline_ms,
            "kind": node.kind, "input": node.input,
        });
        Some(serde_json::from_value(task).unwrap())
    }

    /// Takes in a report of the current attempt; false for any other
    pub fn report(&mut self, task: TaskId, report: Report) -> bool {
        let node = self.nodes.get_mut(&task).unwrap();
        let current = node.report.is_none() && node.lease.is_some() && node.attempt == report.attempt;
        if current {
            node.report = Some(report);
        } else {
            self.refused_reports += 1;
        }
        current
    }
}
