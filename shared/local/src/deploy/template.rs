//! The template, read, asked and packaged
//!
//! It is plain YAML: intrinsics are in their long form (`Ref:`, `Fn::GetAtt:`), so it is JSON in another
//! spelling, and CloudFormation is sent that JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

use super::digest;
use crate::artefacts::Binaries;
use crate::error::{LocalError, Result};
use crate::gateway::HttpRoute;

const FUNCTION: &str = "AWS::Serverless::Function";
const MACHINE: &str = "AWS::Serverless::StateMachine";

/// A template as read from its file
#[derive(Debug, Clone)]
pub struct Template {
    path: PathBuf,
    root: Value,
}

/// What packaging puts in
#[derive(Debug, Clone)]
pub struct Packaging {
    /// Where code and definitions are uploaded
    pub bucket: String,
    /// The key of each artefact's code
    pub code: BTreeMap<String, String>,
    /// Added to every function's environment
    pub environment: BTreeMap<String, String>,
}

/// A packaged template
#[derive(Debug, Clone)]
pub struct Packaged {
    /// What CloudFormation is given
    pub template: Value,
    /// State machine definitions to upload: key and text
    pub definitions: Vec<(String, Vec<u8>)>,
}

impl Template {
    /// Reads a file
    pub fn read(path: &Path) -> Result<Self> {
        let fail = |reason: String| LocalError::Template { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let documents = Yaml::load_from_str(&text).map_err(|error| fail(error.to_string()))?;
        let document = documents.first().ok_or_else(|| fail("it is empty".to_owned()))?;
        let root = to_json(document).map_err(fail)?;
        if root.get("Resources").and_then(Value::as_object).is_none() {
            return Err(fail("it has no `Resources`".to_owned()));
        }
        Ok(Self { path: path.to_owned(), root })
    }

    fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.root.get("Resources").and_then(Value::as_object).into_iter().flatten();
        let of_kind = all.filter(move |(_, resource)| text(resource, "/Type") == Some(kind));
        of_kind.map(|(name, resource)| (name.as_str(), resource))
    }

    /// The artefact of each function, by its name in AWS
    pub fn functions(&self, stack: &str, binaries: &Binaries) -> BTreeMap<String, String> {
        let common = text(&self.root, "/Globals/Function/CodeUri");
        let of = |(_, resource): (&str, &Value)| {
            let uri = text(resource, "/Properties/CodeUri").or(common)?;
            Some((function_name(resource, stack)?, artefact(uri, binaries)?))
        };
        self.resources(FUNCTION).filter_map(of).collect()
    }

    /// The artefacts that any function uses
    pub fn artefacts(&self, binaries: &Binaries) -> BTreeSet<String> {
        self.functions("", binaries).into_values().collect()
    }

    /// The buckets that are to have Object Lock, by their names in the template
    pub fn locked_buckets(&self) -> impl Iterator<Item = &str> {
        let locked = |(_, bucket): &(&str, &Value)| {
            bucket.pointer("/Properties/ObjectLockEnabled") == Some(&json!(true))
        };
        self.resources("AWS::S3::Bucket").filter(locked).map(|(name, _)| name)
    }

    /// Whether it asks for the parameter `name`
    pub fn has_parameter(&self, name: &str) -> bool {
        self.root.get("Parameters").and_then(|parameters| parameters.get(name)).is_some()
    }

    /// The routes of the HTTP API: an API's OpenAPI document, SAM `HttpApi` events, native API Gateway routes
    pub fn routes(&self, stack: &str) -> Vec<HttpRoute> {
        let mut routes = self.event_routes(stack);
        routes.extend(self.native_routes(stack));
        routes.extend(self.document_routes(stack));
        routes.sort_unstable();
        routes
    }

    fn event_routes(&self, stack: &str) -> Vec<HttpRoute> {
        let of_function = |(_, function): (&str, &Value)| {
            let name = function_name(function, stack)?;
            let events = function.pointer("/Properties/Events").and_then(Value::as_object)?;
            let http = events.values().filter(|event| text(event, "/Type") == Some("HttpApi"));
            let route = |event: &Value| {
                let method = text(event, "/Properties/Method")?.to_ascii_uppercase();
                Some(HttpRoute {
                    method,
                    path: text(event, "/Properties/Path")?.to_owned(),
                    function: name.clone(),
                })
            };
            Some(http.filter_map(route).collect::<Vec<_>>())
        };
        self.resources(FUNCTION).filter_map(of_function).flatten().collect()
    }

    fn native_routes(&self, stack: &str) -> Vec<HttpRoute> {
        let integrations: BTreeMap<_, _> = self.resources("AWS::ApiGatewayV2::Integration").collect();
        let functions: BTreeMap<_, _> = self.resources(FUNCTION).collect();
        let route = |(_, route): (&str, &Value)| {
            let (method, path) = text(route, "/Properties/RouteKey")?.split_once(' ')?;
            let integration = mentioned(route.pointer("/Properties/Target")?, &integrations)?;
            let function = mentioned(integration.pointer("/Properties/IntegrationUri")?, &functions)?;
            Some(HttpRoute {
                method: method.to_owned(),
                path: path.to_owned(),
                function: function_name(function, stack)?,
            })
        };
        self.resources("AWS::ApiGatewayV2::Route").filter_map(route).collect()
    }

    fn document_routes(&self, stack: &str) -> Vec<HttpRoute> {
        let functions: BTreeMap<_, _> = self.resources(FUNCTION).collect();
        let mut routes = Vec::new();
        for (_, api) in self.resources("AWS::ApiGatewayV2::Api") {
            let paths = api.pointer("/Properties/Body/paths").and_then(Value::as_object);
            for (path, operations) in paths.into_iter().flatten() {
                for (method, operation) in operations.as_object().into_iter().flatten() {
                    let uri = operation.pointer("/x-amazon-apigateway-integration/uri");
                    let function = uri.and_then(|uri| mentioned(uri, &functions));
                    routes.extend(function.and_then(|function| {
                        let function = function_name(function, stack)?;
                        Some(HttpRoute { method: method.to_ascii_uppercase(), path: path.clone(), function })
                    }));
                }
            }
        }
        routes
    }

    /// A copy with code and definitions in S3 and the additions to the environment
    pub fn package(&self, packaging: &Packaging) -> Result<Packaged> {
        let mut packaged = Packaged { template: self.root.clone(), definitions: Vec::new() };
        let known = Binaries::from_paths(packaging.code.keys().map(|name| (name.clone(), PathBuf::new())));
        let locate = |uri: &mut Value| {
            let key = uri.as_str().and_then(|uri| packaging.code.get(&artefact(uri, &known)?));
            if let Some(key) = key {
                *uri = json!({ "Bucket": packaging.bucket, "Key": key });
            }
        };
        if let Some(uri) = packaged.template.pointer_mut("/Globals/Function/CodeUri") {
            locate(uri);
        }
        let resources = packaged.template.get_mut("Resources").and_then(Value::as_object_mut);
        for (_, resource) in resources.into_iter().flatten() {
            let kind = text(resource, "/Type").map(str::to_owned);
            if let Some(uri) =
                resource.pointer_mut("/Properties/CodeUri").filter(|_| kind.as_deref() == Some(FUNCTION))
            {
                locate(uri);
            }
            if let Some(uri) =
                resource.pointer_mut("/Properties/DefinitionUri").filter(|_| kind.as_deref() == Some(MACHINE))
            {
                let (key, bytes) = self.definition(uri)?;
                *uri = json!({ "Bucket": packaging.bucket, "Key": key });
                packaged.definitions.push((key, bytes));
            }
        }
        let variables =
            object_at(&mut packaged.template, &["Globals", "Function", "Environment", "Variables"]);
        if let Some(variables) = variables {
            variables.extend(packaging.environment.iter().map(|(name, value)| (name.clone(), json!(value))));
        }
        Ok(packaged)
    }

    /// A state machine's definition, read from beside the template
    fn definition(&self, uri: &Value) -> Result<(String, Vec<u8>)> {
        let fail = |reason: String| LocalError::Template { path: self.path.clone(), reason };
        let uri = uri.as_str().ok_or_else(|| fail("a `DefinitionUri` is not a path".to_owned()))?;
        let file = self.path.parent().unwrap_or(Path::new(".")).join(uri);
        let bytes = std::fs::read(&file).map_err(|error| fail(format!("`{uri}`: {error}")))?;
        Ok((format!("definitions/{}.json", digest(&[&bytes])), bytes))
    }
}

/// A function's name in AWS: as the template says, else of stack and handler
fn function_name(function: &Value, stack: &str) -> Option<String> {
    let given = function.pointer("/Properties/FunctionName");
    let given = given.and_then(|name| name.as_str().or_else(|| text(name, "/Fn::Sub")));
    match given {
        Some(name) => Some(name.replace("${AWS::StackName}", stack)),
        None => text(function, "/Properties/Handler").map(|handler| format!("{stack}-{handler}")),
    }
}

/// The binary that a `CodeUri` means: its name, or what follows `weir-` in it, is a part of the path
fn artefact(uri: &str, binaries: &Binaries) -> Option<String> {
    let parts = uri.split('/').map(|part| part.trim_end_matches(".zip"));
    let named = |part: &str, name: &str| name == part || name.strip_prefix("weir-") == Some(part);
    parts.rev().find_map(|part| binaries.names().find(|name| named(part, name))).map(str::to_owned)
}

/// The first of `candidates` that `value` refers to, in any of the forms of a reference
fn mentioned<'a>(value: &Value, candidates: &BTreeMap<&str, &'a Value>) -> Option<&'a Value> {
    match value {
        Value::String(text) => {
            let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
            words.find_map(|word| candidates.get(word).copied())
        }
        Value::Array(values) => values.iter().find_map(|value| mentioned(value, candidates)),
        Value::Object(fields) => fields.values().find_map(|value| mentioned(value, candidates)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The object at `path`, made on the way; nothing if something else is there
fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter()
        .try_fold(value, |value, name| {
            let fields = value.as_object_mut()?;
            Some(fields.entry(*name).or_insert_with(|| json!({})))
        })?
        .as_object_mut()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// YAML as JSON; what JSON has no word for is refused
fn to_json(yaml: &Yaml<'_>) -> std::result::Result<Value, String> {
    match yaml {
        Yaml::Value(Scalar::Null) => Ok(Value::Null),
        Yaml::Value(Scalar::Boolean(value)) => Ok(json!(value)),
        Yaml::Value(Scalar::Integer(value)) => Ok(json!(value)),
        Yaml::Value(Scalar::FloatingPoint(value)) => Ok(json!(value.into_inner())),
        Yaml::Value(Scalar::String(value)) => Ok(json!(value)),
        Yaml::Sequence(values) => values.iter().map(to_json).collect(),
        Yaml::Mapping(fields) => {
            let field = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = to_json(key)?;
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                Ok((key, to_json(value)?))
            };
            fields.iter().map(field).collect::<std::result::Result<Map<_, _>, String>>().map(Value::Object)
        }
        Yaml::Tagged(tag, _) => {
            Err(format!("the short form `{tag}` is not read: write intrinsics in their long form"))
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            Err("it uses anchors or invalid values".to_owned())
        }
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
