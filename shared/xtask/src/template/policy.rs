//! The statements of a function's role, from what it says that it uses

use super::{
    allow, attribute,
    parameters::{OPERATION_MACHINE, SEGMENT_MACHINE, machine_arn},
    queues, sub,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_edge::{Use, function::Trigger};

/// Where objects are written with a retention of their own
const RETAINED: [&str; 2] = ["audit/", "evidence/"];

/// Where answers lie that are too long for a function's
pub const ANSWERS: &str = "answers/";

/// What reading `trigger` needs
pub fn reading(trigger: Trigger) -> Vec<Value> {
    match trigger {
        Trigger::Http | Trigger::Task | Trigger::Schedule { .. } => Vec::new(),
        Trigger::Stream { .. } => vec![
            allow(
                &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                vec![attribute("Table", "StreamArn")],
            ),
            // Asked for when the event source is made; the service knows no resource for it.
            allow(&["dynamodb:ListStreams"], vec!["*".into()]),
        ],
        Trigger::Queue { queue, .. } => vec![allow(
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            vec![attribute(queues::logical_id(queue), "Arn")],
        )],
    }
}

/// What `uses` need; object prefixes of one kind share a statement
pub fn statements(uses: &BTreeSet<Use>) -> Vec<Value> {
    let (mut read, mut written, mut statements) = (Vec::new(), Vec::new(), Vec::new());
    for used in uses {
        match used {
            Use::ObjectsRead(prefix) => read.push(*prefix),
            Use::ObjectsWrite(prefix) => written.push(*prefix),
            Use::LargeAnswers => {
                read.push(ANSWERS);
                written.push(ANSWERS);
            }
            Use::TableRead => statements.push(allow(
                &["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"],
                vec![attribute("Table", "Arn"), sub("${Table.Arn}/index/*")],
            )),
            Use::TableWrite => statements.push(allow(
                &[
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ],
                vec![attribute("Table", "Arn")],
            )),
            Use::StartOperation => {
                statements
                    .push(allow(&["states:StartExecution"], vec![sub(&machine_arn(OPERATION_MACHINE))]));
            }
            Use::StartSegment => statements.extend(start_segment()),
            Use::StopExecution => statements.push(allow(
                &["states:StopExecution"],
                vec![sub(&executions(OPERATION_MACHINE)), sub(&executions(SEGMENT_MACHINE))],
            )),
            // Whoever holds a token may answer it: the service knows no resource for that.
            Use::SendTask => statements.push(allow(&["states:SendTaskSuccess"], vec!["*".into()])),
            Use::JobsSend => {
                statements.push(allow(&["sqs:SendMessage"], vec![attribute("JobsQueue", "Arn")]))
            }
            Use::NotifySend => {
                statements.push(allow(&["sqs:SendMessage"], vec![attribute("NotifyQueue", "Arn")]))
            }
            Use::InvokeJobFunctions => statements.push(allow(
                &["lambda:InvokeFunction"],
                vec![sub(
                    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${JobFunctions}",
                )],
            )),
            Use::Sign => statements.push(allow(&["kms:Sign"], vec![attribute("SigningKey", "Arn")])),
            Use::PublicKey => {
                statements.push(allow(&["kms:GetPublicKey"], vec![attribute("SigningKey", "Arn")]))
            }
        }
    }
    statements.extend(objects(&read, &written));
    statements
}

/// Whoever starts a segment may look whether it still runs: a start that is refused means that it *was* started
fn start_segment() -> [Value; 2] {
    [
        allow(&["states:StartExecution"], vec![sub(&machine_arn(SEGMENT_MACHINE))]),
        allow(&["states:DescribeExecution"], vec![sub(&executions(SEGMENT_MACHINE))]),
    ]
}

fn executions(machine: &str) -> String {
    machine_arn(machine).replace(":stateMachine:", ":execution:") + ":*"
}

fn objects(read: &[&str], written: &[&str]) -> Vec<Value> {
    let arns = |prefixes: &[&str]| -> Vec<Value> {
        prefixes.iter().map(|prefix| sub(&format!("${{Bucket.Arn}}/${{Workspace}}/{prefix}*"))).collect()
    };
    let mut statements = Vec::new();
    if !read.is_empty() {
        statements.push(allow(&["s3:GetObject"], arns(read)));
        // Without it a missing object is answered 403, not 404.
        let keys: Vec<_> = read.iter().map(|prefix| sub(&format!("${{Workspace}}/{prefix}*"))).collect();
        let mut list = allow(&["s3:ListBucket"], vec![attribute("Bucket", "Arn")]);
        if let Some(statement) = list.as_object_mut() {
            statement.insert("Condition".to_owned(), json!({ "StringLike": { "s3:prefix": keys } }));
        }
        statements.push(list);
    }
    if !written.is_empty() {
        statements.push(allow(&["s3:PutObject"], arns(written)));
    }
    let retained: Vec<_> = written.iter().copied().filter(|prefix| RETAINED.contains(prefix)).collect();
    if !retained.is_empty() {
        statements.push(allow(&["s3:PutObjectRetention"], arns(&retained)));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(uses: &[Use]) -> Vec<String> {
        let statements = statements(&uses.iter().copied().collect());
        let of = |statement: &Value| {
            statement["Action"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        statements.iter().flat_map(of).collect()
    }

    #[test]
    fn a_reader_may_not_write() {
        let read = actions(&[Use::TableRead, Use::ObjectsRead("plans/"), Use::PublicKey]);
        assert!(
            read.iter().all(|a| ["Get", "BatchGet", "Query", "List"].iter().any(|verb| a.contains(verb))),
            "{read:?}"
        );
        assert!(actions(&[]).is_empty());
    }

    #[test]
    fn only_what_is_kept_is_written_with_a_retention() {
        let retains =
            |prefix| actions(&[Use::ObjectsWrite(prefix)]).contains(&"s3:PutObjectRetention".to_owned());
        assert!(retains("evidence/") && retains("audit/") && !retains("state/"));
    }

    #[test]
    fn no_statement_reaches_beyond_the_workspace() {
        let statements =
            statements(&BTreeSet::from([Use::ObjectsRead("plans/"), Use::ObjectsWrite("plans/")]));
        let text = serde_json::to_string(&statements).unwrap();
        assert!(
            !text.contains("\"*\"") && !text.contains("Arn}/*") && text.contains("${Workspace}/plans/*"),
            "{text}"
        );
    }
}
