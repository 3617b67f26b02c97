//! One function: the function itself, its role, its log group and what invokes it

use super::{
    Resources, allow, attribute, log_group, logical_id,
    parameters::{OPERATION_MACHINE, SEGMENT_MACHINE, machine_arn},
    policy, queues, reference, role, sub,
};
use serde_json::{Map, Value, json};
use weir_edge::{
    Auth, Route,
    function::{FunctionSpec, Trigger},
};

/// How often a batch of table changes is tried again, in halves, before it is left to `reconcile`
const STREAM_RETRIES: u32 = 100;

/// What all functions have in common
pub fn globals() -> Value {
    json!({
        "Function": {
            "Runtime": "provided.al2023",
            "Architectures": [reference("Architecture")],
            "Environment": {
                "Variables": {
                    "WEIR_STAGE": reference("Stage"),
                    "WEIR_WORKSPACE": reference("Workspace"),
                    "WEIR_TABLE": reference("Table"),
                    "WEIR_BUCKET": reference("Bucket"),
                    "WEIR_JOBS_QUEUE": reference("JobsQueue"),
                    "WEIR_NOTIFY_QUEUE": reference("NotifyQueue"),
                    "WEIR_OPERATION_MACHINE": sub(&machine_arn(OPERATION_MACHINE)),
                    "WEIR_SEGMENT_MACHINE": sub(&machine_arn(SEGMENT_MACHINE)),
                    "WEIR_SIGNING_KEY": attribute("SigningKey", "Arn"),
                    "WEIR_LOG": "info",
                    "WEIR_CHECK_IN_S": reference("CheckInSeconds"),
                },
            },
        },
    })
}

/// Adds `function` and what belongs to it
pub fn add(resources: &mut Resources, function: &FunctionSpec, routes: &[Route]) {
    let id = logical_id(function.handler);
    let (role_id, logs_id) = (format!("{id}Role"), format!("{id}Logs"));
    let name = format!("${{AWS::StackName}}-{}", function.handler);
    let mut properties = json!({
        "FunctionName": sub(&name),
        "Description": function.summary,
        "CodeUri": format!("../target/package/{}.zip", function.artefact.name()),
        "Handler": function.handler,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "Role": attribute(&role_id, "Arn"),
        "LoggingConfig": { "LogGroup": reference(&logs_id) },
    });
    if let Some(map) = properties.as_object_mut() {
        let secrets = secrets(function, routes);
        if !secrets.is_empty() {
            map.insert("Environment".to_owned(), json!({ "Variables": secrets }));
        }
        if let Some((name, event)) = event(function) {
            map.insert("Events".to_owned(), json!({ name: event }));
        }
    }
    let mut statements =
        vec![allow(&["logs:CreateLogStream", "logs:PutLogEvents"], vec![attribute(&logs_id, "Arn")])];
    statements.extend(policy::reading(function.trigger));
    statements.extend(policy::statements(&function.needs()));
    resources.insert(id.clone(), json!({ "Type": "AWS::Serverless::Function", "Properties": properties }));
    resources.insert(role_id, role("lambda.amazonaws.com", statements));
    resources.insert(logs_id, log_group(&format!("/aws/lambda/{name}")));
    if let Trigger::Schedule { every } = function.trigger {
        schedule(resources, &id, every);
    }
}

/// The secrets that this function is told, and no other
fn secrets(function: &FunctionSpec, routes: &[Route]) -> Map<String, Value> {
    let mut secrets = Map::new();
    let route = routes.iter().find(|route| route.operation == function.handler);
    if route.is_some_and(|route| route.auth == Auth::SlackSignature) {
        secrets.insert("WEIR_SLACK_SIGNING_SECRET".to_owned(), reference("SlackSigningSecret"));
    }
    if function.trigger == queues::NOTIFY_TRIGGER {
        secrets.insert("WEIR_SLACK_WEBHOOK_URL".to_owned(), reference("SlackWebhookUrl"));
    }
    let called_back = route.is_some_and(|route| route.auth == Auth::Callback);
    if called_back || function.trigger == queues::JOBS_TRIGGER {
        secrets.insert("WEIR_JOB_SECRETS".to_owned(), reference("JobSecrets"));
    }
    if function.trigger == queues::JOBS_TRIGGER {
        secrets.insert("WEIR_PUBLIC_URL".to_owned(), reference("PublicUrl"));
    }
    secrets
}

/// The event source that SAM makes for the function; a schedule is a resource of its own
fn event(function: &FunctionSpec) -> Option<(&'static str, Value)> {
    match function.trigger {
        Trigger::Http | Trigger::Task | Trigger::Schedule { .. } => None,
        Trigger::Stream { filters, batch, window_s } => {
            let filters: Vec<_> = filters.iter().map(|pattern| json!({ "Pattern": pattern })).collect();
            Some((
                "Changes",
                json!({
                    "Type": "DynamoDB",
                    "Properties": {
                        "Stream": attribute("Table", "StreamArn"),
                        "StartingPosition": "TRIM_HORIZON",
                        "BatchSize": batch,
                        "MaximumBatchingWindowInSeconds": window_s,
                        "MaximumRetryAttempts": STREAM_RETRIES,
                        "BisectBatchOnFunctionError": true,
                        "FunctionResponseTypes": ["ReportBatchItemFailures"],
                        "FilterCriteria": { "Filters": filters },
                    },
                }),
            ))
        }
        Trigger::Queue { queue, batch } => Some((
            "Messages",
            json!({
                "Type": "SQS",
                "Properties": {
                    "Queue": attribute(queues::logical_id(queue), "Arn"),
                    "BatchSize": batch,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                },
            }),
        )),
    }
}

fn schedule(resources: &mut Resources, function: &str, every: &str) {
    let role_id = format!("{function}ScheduleRole");
    resources.insert(
        format!("{function}Schedule"),
        json!({
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "FlexibleTimeWindow": { "Mode": "OFF" },
                "ScheduleExpression": every,
                "Target": {
                    "Arn": attribute(function, "Arn"),
                    "RoleArn": attribute(&role_id, "Arn"),
                    // The next tick is better than a late one.
                    "RetryPolicy": { "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60 },
                },
            },
        }),
    );
    resources.insert(
        role_id,
        role(
            "scheduler.amazonaws.com",
            vec![allow(&["lambda:InvokeFunction"], vec![attribute(function, "Arn")])],
        ),
    );
}
