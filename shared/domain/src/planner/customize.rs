//! Edits of a template at its editable points

use super::template::step::said;
use crate::{
    definition::{
        address::Address,
        secrets::named,
        spec::{Job, NodeSpec, Template},
    },
    plan::Customization,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Why an edit is refused
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomizeError {
    /// The template does not allow it
    #[error("`{point}` may not be changed; what may: {}", listed(.allowed))]
    NotEditable {
        /// Where it was
        point: String,
        /// Where edits are allowed
        allowed: Vec<String>,
    },
    /// The value does not fit there
    #[error("`{point}` cannot be that: {problem}")]
    Value {
        /// Where it was
        point: String,
        /// Why
        problem: String,
    },
}

fn listed(allowed: &[String]) -> String {
    if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
}

/// `template` with `edits` at `<node>.<field>`, and what was edited
///
/// A point also covers what is inside of it: `verify.with` allows `verify.with.path`. No edit names a secret that the step
/// or the one of `jobs` that it shares does not name: whoever wants something does not choose among the secrets.
pub fn customize(
    template: &Template,
    jobs: &BTreeMap<Address, Job>,
    edits: &BTreeMap<String, Value>,
) -> Result<(Template, Vec<Customization>), CustomizeError> {
    let (mut edited, mut kept) = (template.clone(), Vec::new());
    for (point, value) in edits {
        let covers = |allowed: &String| {
            point.strip_prefix(allowed.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let allowed = template.editable_points.iter().any(covers);
        let refused = || CustomizeError::NotEditable {
            point: point.clone(),
            allowed: template.editable_points.clone(),
        };
        let (node, field) = point.split_once('.').filter(|_| allowed).ok_or_else(refused)?;
        let node_id = node.parse().map_err(|_| refused())?;
        let found = edited.nodes.iter_mut().find(|found| found.id == node).ok_or_else(refused)?;
        let wrong = |problem| CustomizeError::Value { point: point.clone(), problem };
        let told = template.nodes.iter().find(|found| found.id == node).map(|node| secrets(node, jobs));
        if let Some(secret) = named(value).difference(&told.unwrap_or_default()).next() {
            return Err(wrong(format!(
                "it names the secret `{secret}`, which the template does not give it"
            )));
        }
        *found = edit(found, field, value).map_err(wrong)?;
        kept.push(Customization { node_id, point: field.to_owned(), value: value.clone() });
    }
    Ok((edited, kept))
}

/// The secrets that a step is told, by itself or by the job that it shares
fn secrets(node: &NodeSpec, jobs: &BTreeMap<Address, Job>) -> BTreeSet<String> {
    let job = node.job.as_ref().and_then(|job| jobs.get(job.address()));
    let listed = job.into_iter().flat_map(|job| &job.secrets).map(|secret| secret.name().to_owned());
    named(&Value::Object(said(node, job))).into_iter().chain(listed).collect()
}

/// `node` with `value` at `field`, as if the template had said so
fn edit(node: &NodeSpec, field: &str, value: &Value) -> Result<NodeSpec, String> {
    if matches!(field, "id" | "type" | "depends_on") {
        return Err("it would be another graph; change the template instead".to_owned());
    }
    let mut spec = serde_json::to_value(node).map_err(|error| error.to_string())?;
    set(&mut spec, field, value.clone());
    let edited: NodeSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
    in_range("timeout_s", edited.timeout_s, 1, 86_400)?;
    if let Some(deadline) = edited.deadline_s {
        in_range("deadline_s", deadline, 1, 360 * 86_400)?;
    }
    in_range("attempts", edited.attempts, 1, 100)?;
    in_range("backoff.initial_s", edited.backoff.initial_s, 1, 3_600)?;
    in_range("backoff.factor", edited.backoff.factor, 1, 10)?;
    in_range("backoff.max_s", edited.backoff.max_s, 1, 3_600)?;
    Ok(edited)
}

/// As the template's schema says
fn in_range(what: &str, found: u32, low: u32, high: u32) -> Result<(), String> {
    if (low..=high).contains(&found) { Ok(()) } else { Err(format!("`{what}` is from {low} to {high}")) }
}

/// Puts `value` at `path`; objects on the way are made
fn set(within: &mut Value, path: &str, value: Value) {
    if !within.is_object() {
        *within = Value::Object(Map::new());
    }
    let Value::Object(fields) = within else { return };
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), value);
        }
        Some((first, rest)) => set(fields.entry(first).or_insert(Value::Null), rest, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Template {
        serde_json::from_value(json!({
            "version": 1,
            "nodes": [
                { "id": "deploy", "type": "job", "capability": "deploy.host", "for_each": "target" },
                { "id": "verify", "type": "verification", "capability": "verify.http", "with": { "path": "/" } },
            ],
            "editable_points": ["deploy.timeout_s", "verify.with", "verify.id"],
        }))
        .unwrap()
    }

    fn edits(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn edits_inside_the_points_are_applied_and_kept() {
        let made = edits(json!({ "deploy.timeout_s": 300, "verify.with.path": "/up" }));
        let (edited, kept) = customize(&template(), &BTreeMap::new(), &made).unwrap();
        assert_eq!(edited.nodes[0].timeout_s, 300);
        assert_eq!(edited.nodes[1].with["path"], "/up");
        let kept: Vec<_> =
            kept.iter().map(|it| format!("{} {} {}", it.node_id, it.point, it.value)).collect();
        assert_eq!(kept, ["deploy timeout_s 300", "verify with.path \"/up\""]);
        assert_eq!(
            customize(&template(), &BTreeMap::new(), &BTreeMap::new()).unwrap(),
            (template(), Vec::new())
        );
    }

    #[test]
    fn edits_outside_are_refused_with_what_is_allowed() {
        for point in [
            "deploy.attempts",
            "deploy",
            "deploy.timeout_s2",
            "verify.without",
            "moon.with",
            "deploy.timeout",
        ] {
            let refused = customize(&template(), &BTreeMap::new(), &edits(json!({ point: 1 }))).unwrap_err();
            let expected =
                format!("`{point}` may not be changed; what may: deploy.timeout_s, verify.with, verify.id");
            assert_eq!(refused.to_string(), expected);
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        for (point, value) in [
            ("deploy.timeout_s", json!("soon")),
            ("deploy.timeout_s", json!(0)),
            ("deploy.timeout_s", json!(90_000)),
            ("verify.with", json!(3)),
            ("verify.id", json!("other")),
        ] {
            let refused = customize(&template(), &BTreeMap::new(), &edits(json!({ point: value })));
            assert!(matches!(refused, Err(CustomizeError::Value { .. })), "{point} {refused:?}");
        }
    }

    #[test]
    fn an_edit_names_no_secret_that_the_template_does_not_name_there() {
        let template: Template = serde_json::from_value(json!({
            "version": 1, "editable_points": ["tell.with", "look.with"],
            "nodes": [
                { "id": "tell", "type": "job", "job": "job.tell", "with": { "body": "${OWN}" } },
                { "id": "look", "type": "verification", "capability": "verify.metric" },
            ],
        }))
        .unwrap();
        let jobs = json!({ "job.tell": {
            "capability": "http.call", "with": { "sign_with": "${HOOK}" }, "secrets": ["${LISTED}"],
        } });
        let jobs = serde_json::from_value(jobs).unwrap();
        for (point, value, secret) in [
            ("tell.with.body", json!({ "a": ["${OWN} ${HOOK} ${LISTED}"] }), None),
            ("tell.with.body", json!("$${OTHER} ${inputs.x}"), None),
            ("tell.with.body", json!({ "a": "${OTHER}" }), Some("OTHER")),
            ("tell.with", json!({ "sign_with": "${OTHER}" }), Some("OTHER")),
            ("look.with.headers", json!({ "a": "${OWN}" }), Some("OWN")),
        ] {
            let made = customize(&template, &jobs, &edits(json!({ point: value })));
            let told = made.err().map(|error| error.to_string());
            let expected = secret.map(|secret| {
                format!("`{point}` cannot be that: it names the secret `{secret}`, which the template does not give it")
            });
            assert_eq!(told, expected, "{point} {value}");
        }
    }
}
