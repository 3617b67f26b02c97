//! The API's description (OpenAPI 3.1), made from the list of endpoints

use crate::{
    Auth, Entry, Idempotency, Method, Use,
    authn::TENANT_HEADER,
    endpoint::Schemas,
    wire::problem::{MEDIA_TYPE, Problem},
};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The document
pub fn openapi(entries: &[Entry]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for entry in entries {
        let operation = operation(entry, &mut generator, &problem);
        let path = paths.entry(entry.route.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(entry.route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    paths.sort_keys();
    let mut schemas: Map<String, Value> = generator.take_definitions(true);
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weir",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every change is an intent, every intent a plan, every plan an operation, and every operation leaves evidence.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes() },
    })
}

fn security_schemes() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token of a person or a program; on the local stage a dev token" },
        "agent": { "type": "http", "scheme": "bearer", "description": "An agent's credential: `wea_…`" },
        "slack": { "type": "apiKey", "in": "header", "name": "X-Slack-Signature", "description": "Slack's `v0` signature over the raw body" },
    })
}

fn operation(entry: &Entry, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let route = &entry.route;
    let schemas = (entry.schemas)(generator);
    let security = match route.auth {
        Auth::Bearer => json!([{ "bearer": [] }, { "agent": [] }]),
        Auth::Agent => json!([{ "agent": [] }]),
        Auth::SlackSignature => json!([{ "slack": [] }]),
        // The token is the path itself.
        Auth::Callback => json!([]),
        Auth::Registration | Auth::Public => json!([]),
    };
    let done =
        json!({ "description": "Done", "content": { "application/json": { "schema": schemas.reply } } });
    let refused =
        json!({ "description": "Refused or failed", "content": { MEDIA_TYPE: { "schema": problem } } });
    let mut responses = json!({ route.success.to_string(): done, "default": refused });
    if let (true, Value::Object(responses)) = (route.uses.contains(&Use::LargeAnswers), &mut responses) {
        let description =
            "The answer is long: it is what `Location` gives, for a quarter of an hour, without credentials";
        responses.insert("303".to_owned(), json!({ "description": description }));
    }
    let mut fields: Map<String, Value> = [
        ("operationId", json!(route.operation)),
        ("summary", json!(route.summary)),
        ("tags", json!([route.operation.split('_').next()])),
        ("security", security),
        ("parameters", json!(parameters(entry, &schemas))),
        ("responses", responses),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    if route.method == Method::Post {
        let media_type = match route.auth {
            Auth::SlackSignature => "application/x-www-form-urlencoded",
            Auth::Bearer | Auth::Agent | Auth::Registration | Auth::Callback | Auth::Public => {
                "application/json"
            }
        };
        let body = json!({ "content": { media_type: { "schema": schemas.body } } });
        fields.insert("requestBody".to_owned(), body);
    }
    if !route.permission.is_empty() {
        fields.insert("x-weir-permission".to_owned(), json!(route.permission));
    }
    Value::Object(fields)
}

fn parameters(entry: &Entry, schemas: &Schemas) -> Vec<Value> {
    let mut all = Vec::new();
    for (place, schema) in [("path", &schemas.path), ("query", &schemas.query)] {
        let required = schema.get("required").and_then(Value::as_array);
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let required = required.is_some_and(|names| names.iter().any(|wanted| wanted == name));
            all.push(json!({ "name": name, "in": place, "required": required, "schema": schema }));
        }
    }
    if entry.route.idempotency != Idempotency::None {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        all.push(json!({ "name": "Idempotency-Key", "in": "header", "required": true, "schema": schema }));
    }
    if entry.route.auth == Auth::Bearer {
        let description = "Which tenant, by its name or external id, where the token may name several";
        all.push(json!({
            "name": TENANT_HEADER, "in": "header", "required": false, "description": description,
            "schema": { "type": "string" },
        }));
    }
    all
}
