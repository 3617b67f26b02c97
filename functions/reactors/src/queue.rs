//! Messages of a queue, and the answer that says which of them have to be delivered again

use crate::ReactorError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

/// One message
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    message_id: String,
    body: String,
}

impl Message {
    /// What it says
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.body)
    }
}

/// The messages of an event
pub(crate) fn messages(event: Value) -> Result<Vec<Message>, ReactorError> {
    Ok(serde_json::from_value::<Event>(event)?.records)
}

/// Which messages have to be delivered again (`ReportBatchItemFailures`)
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl Failures {
    /// Keeps `message` for another delivery where `done` is an error, and says so in the log
    pub fn note(&mut self, message: &Message, done: Result<(), ReactorError>) {
        if let Err(error) = done {
            tracing::warn!(
                message.id = message.message_id,
                error = &error as &dyn std::error::Error,
                "a message failed"
            );
            self.batch_item_failures.push(Failure { item_identifier: message.message_id.clone() });
        }
    }

    /// The answer of the function
    pub fn answer(self) -> Result<Value, ReactorError> {
        Ok(serde_json::to_value(self)?)
    }
}
