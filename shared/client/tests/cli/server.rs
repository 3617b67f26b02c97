//! The server's endpoints

use crate::{
    plans,
    state::{Running, State, Step, evidence, time},
    things,
    views::{actor, decide, gate, gates, view},
    workflows,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, Request, State as Shared},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use weir_domain::{
    canonical::Digest,
    id::{EvidenceId, GateId, Id as _, OperationId, PlanId},
};

pub type Answer = Result<Json<Value>, Response>;
pub type Pages = Query<BTreeMap<String, String>>;

#[derive(Clone)]
pub struct Server {
    pub state: Arc<Mutex<State>>,
    pub url: String,
}

impl Server {
    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    /// A server on a free port of this machine
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { state: Arc::default(), url };
        let router = Router::new()
            .route("/v1/artifacts", post(announce))
            .route("/v1/definition/uploads", post(announce))
            .route("/v1/definition/plans", post(plan))
            .route("/v1/definition/applies", post(apply))
            .route("/v1/versions", post(version).get(versions))
            .route("/v1/releases", post(release).get(releases))
            .route("/v1/promotions", post(promote))
            .route("/v1/operations", get(operations))
            .route("/v1/operations/{id}", get(operation))
            .route("/v1/operations/{id}/timeline", get(timeline))
            .route("/v1/operations/{id}/explain", get(explain))
            .route("/v1/operations/{id}/cancel", post(cancel))
            .route("/v1/operations/{id}/pause", post(|server, id| hold(server, id, true)))
            .route("/v1/operations/{id}/resume", post(|server, id| hold(server, id, false)))
            .route("/v1/plans/{id}", get(any_plan))
            .route("/v1/gates", get(gates))
            .route("/v1/gates/{id}", get(gate))
            .route("/v1/gates/{id}/decisions", post(decide))
            .route("/v1/evidence/{id}", get(packet))
            .route("/v1/audit", get(audit))
            .merge(things::routes())
            .merge(plans::routes())
            .merge(workflows::routes())
            .layer(from_fn_with_state(server.clone(), door))
            .route("/bucket/{digest}", put(blob))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }
}

pub fn problem(status: u16, code: &str, detail: &str) -> Response {
    let body = json!({ "type": "about:blank", "title": "No", "status": status, "code": code,
        "detail": detail, "request_id": "req_01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

pub fn who(headers: &HeaderMap) -> String {
    header(headers, "authorization").unwrap().trim_start_matches("Bearer ").to_owned()
}

/// What every request meets first: outages, authentication, idempotency keys
async fn door(Shared(server): Shared<Server>, request: Request, next: Next) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers();
    let tenant = header(headers, "weir-tenant").map(|tenant| format!(" tenant={tenant}")).unwrap_or_default();
    let is_known = header(headers, "authorization").is_some_and(|it| it != "Bearer nobody");
    let key = header(headers, "idempotency-key");
    let is_down = server.with(|state| {
        state.requests.push(line.clone() + &tenant);
        state.outages = state.outages.saturating_sub(1);
        state.outages > 0
    });
    match key {
        _ if is_down => problem(503, "W0503", "down"),
        _ if !is_known => problem(401, "W0401", "no such token"),
        None if line.starts_with("POST") => problem(400, "W0430", "no key"),
        Some(key)
            if server
                .with(|state| state.keys.insert(key.clone(), line.clone()))
                .is_some_and(|was| was != line) =>
        {
            problem(422, "W0431", "reused")
        }
        _ => next.run(request).await,
    }
}

async fn announce(Shared(server): Shared<Server>, Json(body): Json<Value>) -> Answer {
    let (digest, size) = (body["digest"].as_str().unwrap().to_owned(), body["size"].as_u64().unwrap());
    let is_there = server.with(|state| {
        state.announced.insert(digest.clone(), size);
        state.blobs.contains_key(&digest)
    });
    let headers = [json!({ "name": "x-amz-checksum-sha256", "value": digest })];
    let request = json!({ "method": "PUT", "url": format!("{}/bucket/{digest}", server.url),
        "headers": headers, "expires_at": time() });
    let request = if is_there { Value::Null } else { request };
    Ok(Json(json!({ "digest": digest, "size": size, "upload": request })))
}

async fn blob(
    Shared(server): Shared<Server>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> StatusCode {
    let length = header(&headers, "content-length").and_then(|it| it.parse::<u64>().ok());
    let announced = server.with(|state| state.announced.get(&digest).copied());
    let is_right = Digest::of_bytes(&bytes).as_str() == digest
        && header(&headers, "x-amz-checksum-sha256").as_ref() == Some(&digest)
        && header(&headers, "authorization").is_none();
    if length.is_none() || length != announced || !is_right {
        return StatusCode::BAD_REQUEST;
    }
    server.with(|state| state.blobs.insert(digest, bytes.to_vec()));
    StatusCode::OK
}

async fn plan(Shared(server): Shared<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    if header(&headers, "weir-tenant").is_some() {
        return Err(problem(403, "W0403", "the definition is the workspace's"));
    }
    let planned = server.with(|state| state.plan(body["definition"].as_str().unwrap()));
    planned.map(Json).map_err(|why| problem(409, "W0420", &why))
}

async fn apply(Shared(server): Shared<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let id: PlanId = body["plan_id"].as_str().unwrap().parse().unwrap();
    server.with(|state| {
        let (definition, plan) =
            state.plans.remove(&id).ok_or_else(|| problem(404, "W0404", "no such plan"))?;
        if plan.state_revision != state.revision {
            return Err(problem(409, "W0417", "somebody else applied in between"));
        }
        let steps = vec![Step { id: "change.group-1", status: "pending", gate: None, fails: false }];
        let title = format!("harbor: {} changes", plan.changes.len());
        let id = state.start(Running {
            kind: "definition.apply",
            title,
            by: who(&headers),
            steps,
            cancelled: false,
            paused: false,
            undone_by: None,
            undoes: None,
            late: 0,
            applies: Some(definition),
        });
        Ok(Json(view(state, id)))
    })
}

async fn version(Shared(server): Shared<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    server.with(|state| {
        let digest = body["digest"].as_str().unwrap();
        let Some(bytes) = state.blobs.get(digest) else { return Err(problem(409, "W0420", "nothing was uploaded")) };
        let size = bytes.len();
        let id: weir_domain::id::VersionId = state.new_id();
        let made = json!({ "id": id, "component_id": body["component_id"], "tag": body["tag"], "digest": digest,
            "size": size, "semver": body["semver"], "channel": "stable", "created_by": who(&headers),
            "created_at": time() });
        state.versions.insert(0, made.clone());
        Ok(Json(made))
    })
}

async fn release(Shared(server): Shared<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    server.with(|state| {
        let mut components = serde_json::Map::new();
        for (component, id) in body["components"].as_object().unwrap() {
            let found = state.versions.iter().find(|version| version["id"] == *id);
            let version = found.ok_or_else(|| problem(422, "W0422", "no such version"))?;
            let what = json!({ "version_id": id, "version": version["tag"], "digest": version["digest"], "size": version["size"] });
            components.insert(component.clone(), what);
        }
        let id: weir_domain::id::ReleaseId = state.new_id();
        let made = json!({ "id": id, "service_id": body["service_id"], "name": "n", "version": body["version"],
            "components": components, "status": "ready", "created_by": who(&headers), "created_at": time() });
        state.releases.insert(0, made.clone());
        Ok(Json(made))
    })
}

/// One page of `all`: the cursor is how many were seen
pub fn page(all: &[Value], query: &BTreeMap<String, String>) -> Value {
    let number = |name: &str, default| query.get(name).map_or(default, |text| text.parse().unwrap());
    let (from, limit): (usize, usize) = (number("cursor", 0), number("limit", 50).min(2));
    let items: Vec<&Value> = all.iter().skip(from).take(limit).collect();
    let next = (from + items.len() < all.len()).then(|| (from + items.len()).to_string());
    json!({ "items": items, "next_cursor": next })
}

async fn versions(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    Json(server.with(|state| page(&state.versions, &query)))
}

async fn releases(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    Json(server.with(|state| page(&state.releases, &query)))
}

async fn audit(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    Json(server.with(|state| page(&state.audit.iter().rev().cloned().collect::<Vec<_>>(), &query)))
}

async fn packet(Path(id): Path<EvidenceId>) -> Json<Value> {
    Json(evidence(id))
}

/// Production waits for a gate; a release that is called `bad` fails and is taken back
async fn promote(Shared(server): Shared<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    server.with(|state| {
        let found = state.releases.iter().find(|release| release["id"] == body["release_id"]);
        let release = found.cloned().ok_or_else(|| problem(404, "W0404", "no such release"))?;
        let environment = body["target_environment_id"].as_str().unwrap();
        let is_bad = release["version"] == "bad";
        let step = |id, gate, fails| Step { id, status: "pending", gate, fails };
        let mut steps = vec![step("freeze", None, false)];
        if environment.ends_with("production") {
            steps.push(step("approval", Some(state.new_id()), false));
        }
        steps.extend([step("deploy.stg-1", None, false), step("verify.stg-1", None, is_bad)]);
        let running = |kind, steps| Running {
            kind,
            title: format!(
                "shop {} → {}",
                release["version"].as_str().unwrap(),
                environment.split('.').next_back().unwrap()
            ),
            by: who(&headers),
            steps,
            cancelled: false,
            paused: false,
            undone_by: None,
            undoes: None,
            late: 0,
            applies: None,
        };
        let back = running("rollback", vec![step("deploy.stg-1", None, false)]);
        let id = state.start(running("promote", steps));
        if is_bad {
            let back = state.start(Running { undoes: Some(id), ..back });
            state.operations.get_mut(&id).unwrap().undone_by = Some(back);
        }
        let (promotion, intent, plan): (weir_domain::id::PromotionId, weir_domain::id::IntentId, PlanId) =
            (state.new_id(), state.new_id(), state.new_id());
        Ok(Json(
            json!({ "id": promotion, "release_id": body["release_id"], "service_id": release["service_id"],
            "version": release["version"], "target_environment_id": environment, "status": "pending",
            "decision_record": [], "workflow_run_id": id, "intent_id": intent, "plan_id": plan,
            "requested_by": actor(&who(&headers)), "requested_at": time(), "release_status": "Draft",
            "deployment_id": weir_domain::id::DeploymentId::from(id) }),
        ))
    })
}

async fn operations(Shared(server): Shared<Server>, Query(query): Pages) -> Json<Value> {
    Json(server.with(|state| {
        let all: Vec<Value> = state.operations.keys().rev().map(|id| view(state, *id)).collect();
        page(&all, &query)
    }))
}

async fn operation(Shared(server): Shared<Server>, Path(id): Path<OperationId>) -> Answer {
    server.with(|state| {
        let gates = state.decisions.keys().filter_map(|gate| Some((*gate, state.decided(*gate)?)));
        let decided: BTreeMap<GateId, &'static str> = gates.collect();
        let running =
            state.operations.get_mut(&id).ok_or_else(|| problem(404, "W0404", "no such operation"))?;
        running.late += u32::from(running.is_over());
        running.step(|gate| decided.get(&gate).copied());
        if running.status() == "succeeded"
            && let Some(definition) = running.applies.take()
        {
            state.applied = Some(definition);
            state.revision += 1;
        }
        Ok(Json(view(state, id)))
    })
}

async fn timeline(Shared(server): Shared<Server>, Path(id): Path<OperationId>) -> Json<Value> {
    Json(server.with(|state| {
        let running = &state.operations[&id];
        let undone = running.undone_by.filter(|_| running.late > 1).map(|by| {
            json!({ "id": weir_domain::id::EventId::derived(2, &by.to_string()), "ts": time(), "operation_id": id,
                "kind": "rollback_started", "level": "warn", "message": "rolled back" })
        });
        let begun = running.steps.iter().zip(1..).filter(|(step, _)| step.status != "pending");
        let events: Vec<Value> = begun
            .map(|(step, number)| {
                let seed = format!("{id}{}{}", step.id, step.status);
                json!({ "id": weir_domain::id::EventId::derived(1, &seed), "ts": time(), "operation_id": id,
                    "kind": "node_status_changed", "level": "info", "node_id": step.id, "ordinal": number,
                    "message": format!("{}: {}", step.id, step.status) })
            })
            .chain(undone)
            .collect();
        json!({ "operation_id": id, "events": events })
    }))
}

/// Plans are not this server's matter: whoever asks may not read them
async fn any_plan() -> Response {
    problem(403, "W0403", "plans are for others")
}

async fn cancel(Shared(server): Shared<Server>, Path(id): Path<OperationId>) -> Answer {
    server.with(|state| {
        let running =
            state.operations.get_mut(&id).ok_or_else(|| problem(404, "W0404", "no such operation"))?;
        if running.is_over() {
            return Err(problem(409, "W0410", "it has ended"));
        }
        running.cancelled = true;
        Ok(Json(view(state, id)))
    })
}

async fn hold(Shared(server): Shared<Server>, Path(id): Path<OperationId>, paused: bool) -> Answer {
    server.with(|state| {
        let running =
            state.operations.get_mut(&id).ok_or_else(|| problem(404, "W0404", "no such operation"))?;
        running.paused = paused;
        Ok(Json(view(state, id)))
    })
}

async fn explain(Shared(server): Shared<Server>, Path(id): Path<OperationId>) -> Answer {
    server.with(|state| {
        let shown = view(state, id);
        Ok(Json(json!({ "operation_id": id, "title": shown["title"], "status": shown["status"],
            "since": shown["updated_at"], "waits": shown["waits"], "commands": [] })))
    })
}
