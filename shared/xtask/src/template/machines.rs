//! The two state machines: their definitions are files, what they call is put in here

use super::{
    Resources, allow, attribute, log_group, logical_id,
    parameters::{OPERATION_MACHINE, SEGMENT_MACHINE},
    reference, role, sub,
};
use serde_json::{Map, Value, json};

/// The tasks that each machine calls; a test compares them with its definition
pub const MACHINES: [(&str, &str, &str, &[&str]); 2] = [
    (
        "OperationMachine",
        OPERATION_MACHINE,
        "operation",
        &["operation_begin", "operation_finish", "operation_abort"],
    ),
    ("SegmentMachine", SEGMENT_MACHINE, "segment", &["node_arrive", "segment_finish"]),
];

/// What a machine needs to write its log: delivery is set up for the account, there is no narrower resource
const LOG_DELIVERY: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

/// Adds both
pub fn add(resources: &mut Resources) {
    for (id, name, definition, tasks) in MACHINES {
        let (role_id, logs_id) = (format!("{id}Role"), format!("{id}Logs"));
        let arns: Vec<_> = tasks.iter().map(|task| attribute(&logical_id(task), "Arn")).collect();
        let mut substitutions = Map::new();
        substitutions.insert("Partition".to_owned(), reference("AWS::Partition"));
        for (task, arn) in tasks.iter().zip(&arns) {
            substitutions.insert(format!("{}Arn", logical_id(task)), arn.clone());
        }
        let statements =
            vec![allow(&["lambda:InvokeFunction"], arns), allow(&LOG_DELIVERY, vec!["*".into()])];
        resources.insert(id.to_owned(), machine(name, definition, &role_id, &logs_id, &substitutions));
        resources.insert(role_id, role("states.amazonaws.com", statements));
        resources.insert(logs_id, log_group(&format!("/aws/vendedlogs/states/{name}")));
    }
}

fn machine(
    name: &str,
    definition: &str,
    role_id: &str,
    logs_id: &str,
    substitutions: &Map<String, Value>,
) -> Value {
    json!({
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "Name": sub(name),
            "Type": "STANDARD",
            "DefinitionUri": format!("../statemachines/{definition}.asl.json"),
            "DefinitionSubstitutions": substitutions,
            "Role": attribute(role_id, "Arn"),
            // The table knows every node's story; only what went wrong with the execution itself is logged.
            "Logging": {
                "Level": "ERROR",
                "IncludeExecutionData": false,
                "Destinations": [{ "CloudWatchLogsLogGroup": { "LogGroupArn": attribute(logs_id, "Arn") } }],
            },
        },
    })
}
