//! Alarms: each says that something will not be put right without a person

use super::{
    Resources, attribute, logical_id,
    parameters::{ALARMED, ON_AWS},
    queues, reference,
};
use serde_json::{Value, json};
use weir_edge::function::Queue;

/// What is looked at, and from when on it is too much
struct Alarm {
    id: &'static str,
    says: &'static str,
    namespace: &'static str,
    metric: &'static str,
    statistic: &'static str,
    dimension: (&'static str, Value),
    above: u32,
    minutes: u32,
}

/// Adds the alarms
pub fn add(resources: &mut Resources) {
    for alarm in alarms() {
        let (name, of) = &alarm.dimension;
        resources.insert(
            alarm.id.to_owned(),
            json!({
                "Type": "AWS::CloudWatch::Alarm",
                "Condition": ON_AWS,
                "Properties": {
                    "AlarmDescription": alarm.says,
                    "Namespace": alarm.namespace,
                    "MetricName": alarm.metric,
                    "Dimensions": [{ "Name": name, "Value": of }],
                    "Statistic": alarm.statistic,
                    "Period": 60,
                    "EvaluationPeriods": alarm.minutes,
                    "Threshold": alarm.above,
                    "ComparisonOperator": "GreaterThanThreshold",
                    "TreatMissingData": "notBreaching",
                    "AlarmActions": {
                        "Fn::If": [ALARMED, [reference("AlarmTopic")], { "Ref": "AWS::NoValue" }],
                    },
                },
            }),
        );
    }
}

fn alarms() -> [Alarm; 6] {
    [
        messages(
            "JobsDead",
            "Jobs could not be handled, and neither could what was to drive their nodes",
            Queue::JobsDead,
        ),
        Alarm {
            dimension: ("QueueName", attribute("NotifyDeadQueue", "QueueName")),
            ..messages("NotifyDead", "People were not told of a gate", Queue::Notify)
        },
        Alarm {
            metric: "ApproximateAgeOfOldestMessage",
            above: 900,
            ..messages("JobsLate", "Jobs wait for longer than a quarter of an hour", Queue::Jobs)
        },
        errors("ReconcileFails", "Nothing finds what stands still", "reconcile"),
        Alarm {
            metric: "IteratorAge",
            statistic: "Maximum",
            above: 300_000,
            ..errors(
                "AuditLate",
                "Audit events wait for longer than five minutes to be sealed",
                "audit_write",
            )
        },
        Alarm {
            namespace: "AWS/States",
            metric: "ExecutionsFailed",
            dimension: ("StateMachineArn", reference("OperationMachine")),
            minutes: 1,
            ..errors("OperationAborted", "An operation's execution could not go on", "operation_abort")
        },
    ]
}

/// Messages wait in `queue` where none should
fn messages(id: &'static str, says: &'static str, queue: Queue) -> Alarm {
    Alarm {
        id,
        says,
        namespace: "AWS/SQS",
        metric: "ApproximateNumberOfMessagesVisible",
        statistic: "Maximum",
        dimension: ("QueueName", attribute(queues::logical_id(queue), "QueueName")),
        above: 0,
        minutes: 5,
    }
}

/// The function of `handler` fails
fn errors(id: &'static str, says: &'static str, handler: &str) -> Alarm {
    Alarm {
        id,
        says,
        namespace: "AWS/Lambda",
        metric: "Errors",
        statistic: "Sum",
        dimension: ("FunctionName", reference(&logical_id(handler))),
        above: 0,
        minutes: 5,
    }
}
