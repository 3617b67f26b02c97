//! The queues, each with a queue for what could not be handled

use super::{Resources, attribute};
use serde_json::json;
use weir_edge::function::{Queue, Trigger};

/// What reads the jobs queue
pub const JOBS_TRIGGER: Trigger = Trigger::Queue { queue: Queue::Jobs, batch: 1 };

/// What reads the notify queue
pub const NOTIFY_TRIGGER: Trigger = Trigger::Queue { queue: Queue::Notify, batch: 1 };

/// For how long a job is not given to another reader, in seconds: longer than its function may run
const JOBS_VISIBILITY_S: u32 = 960;

/// The same for a notice
const NOTIFY_VISIBILITY_S: u32 = 120;

/// The same for what could not be handled
const DEAD_VISIBILITY_S: u32 = 120;

/// How often a message is given to a reader
const RECEIVES_MAX: u32 = 5;

/// SQS keeps no message longer, in seconds
const KEPT_S: u32 = 14 * 24 * 3600;

/// The logical id of `queue`
pub const fn logical_id(queue: Queue) -> &'static str {
    match queue {
        Queue::Jobs => "JobsQueue",
        Queue::JobsDead => "JobsDeadQueue",
        Queue::Notify => "NotifyQueue",
    }
}

/// Adds the queues
pub fn add(resources: &mut Resources) {
    for (id, dead, visibility) in [
        ("JobsQueue", "JobsDeadQueue", JOBS_VISIBILITY_S),
        ("NotifyQueue", "NotifyDeadQueue", NOTIFY_VISIBILITY_S),
    ] {
        resources.insert(
            id.to_owned(),
            json!({
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "VisibilityTimeout": visibility,
                    "MessageRetentionPeriod": KEPT_S,
                    "SqsManagedSseEnabled": true,
                    "RedrivePolicy": { "deadLetterTargetArn": attribute(dead, "Arn"), "maxReceiveCount": RECEIVES_MAX },
                },
            }),
        );
        resources.insert(
            dead.to_owned(),
            json!({
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "VisibilityTimeout": DEAD_VISIBILITY_S,
                    "MessageRetentionPeriod": KEPT_S,
                    "SqsManagedSseEnabled": true,
                },
            }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_reactors::functions::REACTORS;

    #[test]
    fn no_message_is_given_out_again_while_its_function_may_still_run() {
        for function in REACTORS {
            if let Trigger::Queue { queue, .. } = function.trigger {
                let visibility = match queue {
                    Queue::Jobs => JOBS_VISIBILITY_S,
                    Queue::JobsDead => DEAD_VISIBILITY_S,
                    Queue::Notify => NOTIFY_VISIBILITY_S,
                };
                assert!(function.timeout_s < visibility, "{}", function.handler);
            }
        }
    }
}
