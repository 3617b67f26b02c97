//! `infra/template.yaml`, made from what the functions say of themselves
//!
//! Nothing here knows a single function: each gets a resource, a role, a log group and its triggers from its
//! [`FunctionSpec`]. Names that functions and state machines know of each other are put together from the stack's
//! name, since references both ways would be a cycle.

mod functions;
mod http;
pub mod machines;
mod parameters;
mod policy;
mod queues;
mod storage;
mod watch;

use crate::yaml;
use serde_json::{Map, Value, json};
use weir_edge::{Route, function::FunctionSpec};

/// CloudFormation refuses a template with more
pub const RESOURCES_MAX: usize = 500;

/// CloudFormation refuses a larger one, in bytes
pub const BYTES_MAX: usize = 1_000_000;

/// Resources by their logical id
type Resources = Map<String, Value>;

/// The template's text
pub fn text(routes: &[Route], functions: &[FunctionSpec]) -> String {
    let template = template(routes, functions);
    let count = template.get("Resources").and_then(Value::as_object).map_or(0, Map::len);
    format!(
        "# Made by `cargo xtask generate` from the lists of endpoints, tasks and reactors: change those.\n\
         # {} functions, {count} resources, of {RESOURCES_MAX} that CloudFormation takes.\n{}",
        functions.len(),
        yaml::write(&template)
    )
}

/// The template for an API of `routes`, and all `functions`, those of the routes among them
fn template(routes: &[Route], functions: &[FunctionSpec]) -> Value {
    let mut resources = Resources::new();
    storage::add(&mut resources);
    queues::add(&mut resources);
    machines::add(&mut resources);
    for function in functions {
        functions::add(&mut resources, function, routes);
    }
    http::add(&mut resources, routes);
    watch::add(&mut resources);
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "Weir: a serverless control plane for releases",
        "Parameters": parameters::parameters(),
        "Conditions": parameters::conditions(),
        "Globals": functions::globals(),
        "Resources": resources,
        "Outputs": parameters::outputs(),
    })
}

/// `operation_begin` as a logical id: `OperationBegin`
pub fn logical_id(handler: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    handler.split('_').map(capital).collect()
}

/// A reference to a parameter or resource
fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// An attribute of a resource
fn attribute(name: &str, of: &str) -> Value {
    json!({ "Fn::GetAtt": [name, of] })
}

/// A text with `${…}` in it
fn sub(text: &str) -> Value {
    json!({ "Fn::Sub": text })
}

/// A role that `service` takes, allowed what `statements` say
fn role(service: &str, statements: Vec<Value>) -> Value {
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": service },
                    "Action": "sts:AssumeRole",
                }],
            },
            "Policies": [{
                "PolicyName": "uses",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
            }],
        },
    })
}

/// A statement that allows `actions` on `resources`
fn allow(actions: &[&str], resources: Vec<Value>) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// A log group that forgets after a while
fn log_group(name: &str) -> Value {
    json!({
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": { "LogGroupName": sub(name), "RetentionInDays": reference("LogRetentionDays") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_resources_have_one_id_even_after_the_sam_transform() {
        let (routes, functions) = (crate::generate::routes(), crate::generate::functions());
        let template = template(&routes, &functions);
        let resources = template["Resources"].as_object().unwrap();
        let belong = |id: &str| ["", "Role", "Logs"].map(|suffix| format!("{id}{suffix}"));
        let function_ids: Vec<_> =
            functions.iter().flat_map(|function| belong(&logical_id(function.handler))).collect();
        let unique: BTreeSet<_> = function_ids.iter().collect();
        assert_eq!(unique.len(), function_ids.len(), "two functions share a logical id");
        let kind = |id: &String| resources[id]["Type"].as_str().unwrap().to_owned();
        let taken = function_ids.iter().find(|id| {
            !["AWS::Serverless::Function", "AWS::IAM::Role", "AWS::Logs::LogGroup"]
                .contains(&kind(id).as_str())
        });
        assert_eq!(taken, None, "something else has the logical id of a function");
        for (id, resource) in resources {
            for event in resource["Properties"]["Events"].as_object().into_iter().flat_map(Map::keys) {
                assert!(
                    !resources.contains_key(&format!("{id}{event}")),
                    "`{id}{event}` is an event source and a resource"
                );
            }
        }
        assert!(resources.len() <= RESOURCES_MAX);
        assert!(text(&routes, &functions).len() <= BYTES_MAX);
    }

    #[test]
    fn a_handler_is_a_logical_id_in_capitals() {
        assert_eq!(logical_id("operation_begin"), "OperationBegin");
        assert_eq!(logical_id("health"), "Health");
    }
}
