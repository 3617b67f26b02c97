//! The HTTP API: its routes as one OpenAPI document, and one role that may call the functions behind them
//!
//! One document instead of a route, an integration and a permission for each endpoint keeps the stack far from
//! CloudFormation's limit. It holds routes only: API Gateway checks nothing else, and what the endpoints take and
//! answer is in `infra/openapi.json`.

use super::{Resources, allow, attribute, log_group, logical_id, parameters::ON_AWS, reference, role, sub};
use serde_json::{Map, Value, json};
use weir_edge::Route;

/// How many requests a second the API takes, and how many at once; more are answered 429
const RATE: u32 = 200;
/// As [`RATE`]
const BURST: u32 = 400;

/// Adds the API for `routes`
pub fn add(resources: &mut Resources, routes: &[Route]) {
    let functions: Vec<_> =
        routes.iter().map(|route| attribute(&logical_id(route.operation), "Arn")).collect();
    let api = [
        ("Api", json!({ "Type": "AWS::ApiGatewayV2::Api", "Properties": { "Body": body(routes) } })),
        ("ApiStage", stage()),
        ("ApiRole", role("apigateway.amazonaws.com", vec![allow(&["lambda:InvokeFunction"], functions)])),
        ("ApiLogs", log_group("/aws/vendedlogs/apis/${AWS::StackName}")),
    ];
    for (id, mut resource) in api {
        if let Some(resource) = resource.as_object_mut() {
            resource.insert("Condition".to_owned(), ON_AWS.into());
        }
        resources.insert(id.to_owned(), resource);
    }
}

fn body(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.0.1",
        "info": { "title": sub("${AWS::StackName}"), "version": "1" },
        "paths": paths,
    })
}

fn operation(route: &Route) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<_> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut operation = json!({
        "operationId": route.operation,
        "responses": { "default": { "description": "an answer" } },
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "payloadFormatVersion": "2.0",
            "uri": attribute(&logical_id(route.operation), "Arn"),
            "credentials": attribute("ApiRole", "Arn"),
        },
    });
    if let (false, Some(operation)) = (parameters.is_empty(), operation.as_object_mut()) {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    operation
}

fn stage() -> Value {
    let line = json!({
        "requestId": "$context.requestId",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "latencyMs": "$context.responseLatency",
        "sourceIp": "$context.identity.sourceIp",
        "error": "$context.integrationErrorMessage",
    });
    json!({
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {
            "ApiId": reference("Api"),
            "StageName": "$default",
            "AutoDeploy": true,
            "DefaultRouteSettings": { "ThrottlingRateLimit": RATE, "ThrottlingBurstLimit": BURST },
            "AccessLogSettings": { "DestinationArn": attribute("ApiLogs", "Arn"), "Format": line.to_string() },
        },
    })
}
