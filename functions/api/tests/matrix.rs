//! What holds for every endpoint of the list, whatever it does
#![cfg(test)]

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write as _, path::Path};
use weir_api::ENDPOINTS;
use weir_domain::actor::Actor;
use weir_edge::{Auth, Entry, Idempotency, Method, authz, openapi::openapi};
use weir_testkit::{TestApi, api::Request, golden};

/// A well-formed id of every kind, none of which is there
const BODY: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A request to `entry` with `path`
fn request<'a>(api: &'a TestApi, entry: &Entry, path: &str) -> Request<'a> {
    match entry.route.method {
        Method::Get => api.get(path),
        Method::Post => api.post(path).header("content-type", "application/json").raw("{}"),
    }
}

/// The path of `entry` with `id` in the place of every parameter
fn filled(entry: &Entry, id: impl Fn(&str) -> String) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
        Some(name) => id(name),
        None => part.to_owned(),
    };
    entry.route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A value that is well formed for the parameter `name` and that nothing has
fn well_formed(entry: &Entry, name: &str) -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = (entry.schemas)(&mut generator).path;
    let property = &schema.as_value()["properties"][name];
    if let Some((prefix, _)) =
        property["pattern"].as_str().and_then(|it| it.trim_start_matches('^').split_once('_'))
    {
        return format!("{prefix}_{BODY}");
    }
    let reference = property["$ref"].as_str().or_else(|| property["allOf"][0]["$ref"].as_str()).unwrap();
    let kind = reference.rsplit('/').next().unwrap();
    let pattern = generator.definitions()[kind]["pattern"].as_str().unwrap().to_owned();
    match (kind, pattern.trim_start_matches('^').split_once('_')) {
        ("TaskId", _) => format!("op_{BODY}.1"),
        ("Digest", _) => format!("sha256:{}", "0".repeat(64)),
        ("Address", _) => "environment.nowhere".to_owned(),
        (_, Some((prefix, _))) => format!("{prefix}_{BODY}"),
        (kind, None) => panic!("{kind} has no sample"),
    }
}

fn by_bearer() -> impl Iterator<Item = &'static Entry> {
    ENDPOINTS.iter().filter(|entry| entry.route.auth == Auth::Bearer)
}

#[test]
fn every_route_is_whole_and_its_own() {
    let names: BTreeSet<_> = ENDPOINTS.iter().map(|e| e.route.operation).collect();
    let places: BTreeSet<_> = ENDPOINTS.iter().map(|e| (e.route.path, e.route.method)).collect();
    assert_eq!((names.len(), places.len()), (ENDPOINTS.len(), ENDPOINTS.len()));
    for Entry { route, .. } in ENDPOINTS {
        let (noun, verb) = route.operation.split_once('_').unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{noun}/{verb}.rs"));
        assert!(file.exists(), "`{}` is not in {}", route.operation, file.display());
        assert!(route.path.starts_with("/v1/") && !route.summary.is_empty(), "{}", route.operation);
        let checked = matches!(route.auth, Auth::Bearer | Auth::Agent);
        assert_eq!(checked, !route.permission.is_empty(), "{}", route.operation);
        let callback = matches!(route.auth, Auth::Agent | Auth::SlackSignature | Auth::Callback);
        assert!(
            route.method == Method::Get || route.idempotency != Idempotency::None || callback,
            "`{}` must say what a repeat means",
            route.operation
        );
    }
}

#[test]
fn who_may_do_what_is_this() {
    let mut table = format!("{:<26}{:<22}", "", "");
    authz::ROLES.iter().for_each(|role| write!(table, " {}", role.name).unwrap());
    table.push('\n');
    for Entry { route, .. } in ENDPOINTS {
        write!(
            table,
            "{:<26}{:<22}",
            route.operation,
            if route.permission.is_empty() { "-" } else { route.permission }
        )
        .unwrap();
        for role in authz::ROLES {
            let actor = Actor { roles: vec![role.name.to_owned()], ..Actor::system("test") };
            let mark = match route.auth {
                Auth::Bearer if authz::require(&actor, route.permission).is_ok() => "yes",
                Auth::Agent if role.name == authz::AGENT => "yes",
                Auth::Bearer | Auth::Agent => ".",
                Auth::Registration | Auth::SlackSignature | Auth::Callback | Auth::Public => "-",
            };
            write!(table, " {mark:<width$}", width = role.name.len()).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/authorization.txt"), &table);
}

#[tokio::test]
async fn nobody_gets_in_without_a_credential_and_a_role() {
    let api = TestApi::new(ENDPOINTS).await;
    for entry in ENDPOINTS {
        let path = filled(entry, |name| well_formed(entry, name));
        let expected = match entry.route.auth {
            Auth::Bearer | Auth::Agent | Auth::Registration | Auth::Callback => "401 unauthenticated",
            Auth::SlackSignature => "401 invalid-signature",
            Auth::Public => "200",
        };
        assert_eq!(request(&api, entry, &path).send().await.short(), expected, "{}", entry.route.operation);
    }
    for entry in by_bearer() {
        let path = filled(entry, |name| well_formed(entry, name));
        let reply = request(&api, entry, &path).by("nobody").send().await;
        assert_eq!(reply.short(), "403 forbidden", "{}", entry.route.operation);
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(detail.contains(entry.route.permission) && detail.contains("`admin`"), "{detail}");
    }
    for entry in ENDPOINTS.iter().filter(|entry| entry.route.auth == Auth::Agent) {
        let path = filled(entry, |name| well_formed(entry, name));
        let reply = request(&api, entry, &path).by("admin").send().await;
        assert_eq!(reply.short(), "401 unauthenticated", "{}", entry.route.operation);
    }
}

#[tokio::test]
async fn ids_that_are_malformed_of_another_kind_or_unknown_are_told_apart() {
    let api = TestApi::new(ENDPOINTS).await;
    for entry in by_bearer().filter(|entry| entry.route.path.contains('{')) {
        for id in ["nonsense", &format!("upl_{BODY}"), "a%23b"] {
            let path = filled(entry, |_| id.to_owned());
            let reply = request(&api, entry, &path).by("admin").send().await;
            assert_eq!(reply.short(), "400 invalid-id", "{} {id}", entry.route.operation);
        }
        if entry.route.method == Method::Get {
            let path = filled(entry, |name| well_formed(entry, name));
            let reply = request(&api, entry, &path).by("admin").send().await;
            assert_eq!(reply.short(), "404 not-found", "{}", entry.route.operation);
        }
    }
}

#[tokio::test]
async fn bodies_are_strict() {
    let api = TestApi::new(ENDPOINTS).await;
    for entry in by_bearer().filter(|entry| entry.route.method == Method::Post) {
        let path = filled(entry, |name| well_formed(entry, name));
        let send = |body: Vec<u8>| request(&api, entry, &path).by("admin").raw(body).send();
        let long = vec![b' '; entry.route.body_limit + 1];
        for (body, expected) in [
            (b"{\"no_such_field\": 1}".to_vec(), "400 invalid-body"),
            (b"[]".to_vec(), "400 invalid-body"),
            (b"7".to_vec(), "400 invalid-body"),
            (b"{".to_vec(), "400 invalid-json"),
            (b"{} {}".to_vec(), "400 invalid-json"),
            (b"\xff".to_vec(), "400 invalid-json"),
            (long, "413 body-too-large"),
        ] {
            let text = String::from_utf8_lossy(body.get(..body.len().min(30)).unwrap()).into_owned();
            let found = send(body).await.short();
            // What is wrong first is said first: `{} {}` lacks a field before it goes on too long.
            let as_well = expected == "400 invalid-json" && found == "400 invalid-body" && text == "{} {}";
            assert!(found == expected || as_well, "{} {text}: {found}", entry.route.operation);
        }
        let other = request(&api, entry, &path).by("admin").header("content-type", "text/plain").send().await;
        assert_eq!(other.short(), "415 unsupported-media-type", "{}", entry.route.operation);
    }
}

#[tokio::test]
async fn a_command_needs_its_key() {
    let api = TestApi::new(ENDPOINTS).await;
    for entry in by_bearer().filter(|entry| entry.route.idempotency != Idempotency::None) {
        let path = filled(entry, |name| well_formed(entry, name));
        let reply = request(&api, entry, &path).by("admin").without("idempotency-key").send().await;
        assert_eq!(reply.short(), "400 idempotency-key-missing", "{}", entry.route.operation);
    }
}

#[tokio::test]
async fn query_strings_are_strict_and_lists_are_pages() {
    let api = TestApi::new(ENDPOINTS).await;
    for entry in by_bearer().filter(|entry| entry.route.method == Method::Get) {
        let path = filled(entry, |name| well_formed(entry, name));
        for query in ["no_such_parameter=1", "limit=x", "limit=1&limit=2", "%ff=1"] {
            let reply = request(&api, entry, &format!("{path}?{query}")).by("admin").send().await;
            assert_eq!(reply.short(), "400 invalid-query", "{} {query}", entry.route.operation);
        }
        if entry.route.operation.ends_with("_list") {
            let page = request(&api, entry, &format!("{path}?limit=1")).by("viewer").send().await.expect(200);
            assert!(page["items"].is_array(), "{}: {page}", entry.route.operation);
        }
    }
}

#[test]
fn the_description_names_every_endpoint_and_refers_to_nothing_that_is_missing() {
    let document = openapi(ENDPOINTS);
    for Entry { route, .. } in ENDPOINTS {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], route.operation);
        let named: BTreeSet<_> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["in"] == "path")
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        let wanted: BTreeSet<_> =
            route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(named, wanted, "{}", route.operation);
    }
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert_eq!(document["openapi"], json!("3.1.0"));
}
