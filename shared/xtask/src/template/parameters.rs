//! What a deployment is told, and what it tells

use super::{attribute, reference, sub};
use serde_json::{Value, json};

/// Set where the stack is on AWS itself: emulators lack, or get wrong, what is not needed to run
pub const ON_AWS: &str = "OnAws";

/// Set where alarms have somebody to tell
pub const ALARMED: &str = "Alarmed";

/// Set where deleting the table must take two steps
pub const PROTECTED: &str = "Protected";

/// The names of the state machines: functions know them by name, or there would be a cycle
pub const OPERATION_MACHINE: &str = "${AWS::StackName}-operation";
/// As [`OPERATION_MACHINE`]
pub const SEGMENT_MACHINE: &str = "${AWS::StackName}-segment";

/// The ARN of the state machine called `name`
pub fn machine_arn(name: &str) -> String {
    format!("arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:stateMachine:{name}")
}

/// The template's parameters
pub fn parameters() -> Value {
    let mut all = of_stack();
    if let (Some(all), Value::Object(of_jobs)) = (all.as_object_mut(), of_jobs()) {
        all.extend(of_jobs);
    }
    all
}

/// What jobs are told and may do
fn of_jobs() -> Value {
    json!({
        "JobSecrets": {
            "Type": "String",
            "NoEcho": true,
            "Default": "",
            "Description": "What jobs are told in confidence: a JSON object of values by name, named as ${NAME} in definitions",
        },
        "PublicUrl": {
            "Type": "String",
            "Default": "",
            "Description": "Where the API answers, as others see it; without it no job can be called back",
        },
        "JobFunctions": {
            "Type": "String",
            "Default": "weir-job-*",
            "AllowedPattern": "[A-Za-z0-9_*-]{1,64}",
            "Description": "The functions that jobs may invoke, by name; * stands for any ending",
        },
    })
}

fn of_stack() -> Value {
    json!({
        "Stage": {
            "Type": "String",
            "Default": "dev",
            "AllowedPattern": "[a-z][a-z0-9-]{0,15}",
            "Description": "What this deployment is for; on `prod` the table is protected, on `local` alone dev tokens are taken",
        },
        "Workspace": {
            "Type": "String",
            "AllowedPattern": "[a-z][a-z0-9-]{0,62}",
            "Description": "The workspace that this deployment is",
        },
        "Architecture": {
            "Type": "String",
            "Default": "arm64",
            "AllowedValues": ["arm64", "x86_64"],
            "Description": "The processor that the artefacts were built for",
        },
        "Emulated": {
            "Type": "String",
            "Default": "false",
            "AllowedValues": ["true", "false"],
            "Description": "Whether this is an emulator, where the HTTP API is served by weir-local",
        },
        "CheckInSeconds": {
            "Type": "Number",
            "Default": 3600,
            "MinValue": 5,
            "Description": "How long an active operation may rest before `reconcile` looks whether its executions still run",
        },
        "SlackSigningSecret": {
            "Type": "String",
            "NoEcho": true,
            "Default": "",
            "Description": "Proves that a callback comes from Slack; without it every callback is refused",
        },
        "SlackWebhookUrl": {
            "Type": "String",
            "NoEcho": true,
            "Default": "",
            "Description": "Where notices are posted; without it there are none",
        },
        "AlarmTopic": {
            "Type": "String",
            "Default": "",
            "Description": "The ARN of the SNS topic that alarms tell",
        },
        "LogRetentionDays": {
            "Type": "Number",
            "Default": 30,
            "AllowedValues": [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
            "Description": "How long logs are kept; audit and evidence are not logs",
        },
    })
}

/// The template's conditions
pub fn conditions() -> Value {
    json!({
        ON_AWS: { "Fn::Equals": [reference("Emulated"), "false"] },
        PROTECTED: { "Fn::Equals": [reference("Stage"), "prod"] },
        ALARMED: { "Fn::Not": [{ "Fn::Equals": [reference("AlarmTopic"), ""] }] },
    })
}

/// The template's outputs: what functions are told, for whoever runs them elsewhere
pub fn outputs() -> Value {
    json!({
        "Table": { "Value": reference("Table") },
        "Bucket": { "Value": reference("Bucket") },
        "JobsQueue": { "Value": reference("JobsQueue") },
        "NotifyQueue": { "Value": reference("NotifyQueue") },
        "OperationMachine": { "Value": sub(&machine_arn(OPERATION_MACHINE)) },
        "SegmentMachine": { "Value": sub(&machine_arn(SEGMENT_MACHINE)) },
        "SigningKey": { "Value": attribute("SigningKey", "Arn") },
        "ApiUrl": { "Condition": ON_AWS, "Value": attribute("Api", "ApiEndpoint") },
    })
}
