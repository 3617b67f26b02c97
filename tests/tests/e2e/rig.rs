//! The stack under test, and clients that look at it from outside

use std::sync::Arc;

use weir_client::api::Client;
use weir_domain::scope::Name;
use weir_edge::wire::secret::Secret;
use weir_ledger::{Ledger, Locking, s3::S3Objects};
use weir_local::{
    progress::Progress,
    stack::{Stack, StackOptions},
    story::{self, StoryReport},
};
use weir_store::dynamo::{DynamoTable, create_table};

/// A stack in a folder of its own
pub struct Rig {
    pub stack: Stack,
    /// Whether it runs on the emulator that comes with it
    pub embedded: bool,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// Brings it up; the Python environment and the binaries are the checkout's
    pub async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = std::env::var_os("WEIR_E2E_ENDPOINT").map(|url| url.into_string().unwrap());
        let mut options = StackOptions::new(&xtask::root());
        options.dir = folder.path().to_owned();
        let embedded = endpoint.is_none();
        options.endpoint = endpoint;
        let stack = Stack::start(options, &Progress::stderr()).await.unwrap();
        Self { stack, embedded, _folder: folder }
    }

    /// Runs `checks`, stops the stack, and only then fails if they did
    pub async fn checked(self, checks: impl AsyncFnOnce(&Self)) {
        let outcome = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(checks(&self))).await;
        self.stack.stop().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }

    /// Plays the story
    pub async fn told(&self) -> StoryReport {
        story::run(&self.stack, &Progress::stderr()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// An output of the stack
    pub fn output(&self, name: &str) -> String {
        self.stack.outputs().get(name).cloned().unwrap_or_else(|| panic!("the stack has no output `{name}`"))
    }

    pub fn workspace(&self) -> Name {
        "harbor".parse().unwrap()
    }

    /// The bucket, seen without the API
    pub fn ledger(&self) -> Ledger {
        let s3 = self.stack.endpoint().s3().clone();
        Ledger::new(Arc::new(S3Objects::new(s3, self.output("Bucket"), Locking::Required)), self.workspace())
    }

    /// The table, seen without the API
    pub fn table(&self) -> DynamoTable {
        let client = aws_sdk_dynamodb::Client::new(self.stack.endpoint().config());
        DynamoTable::new(client, self.output("Table"))
    }

    /// A table of its own, which no function of the stack looks at
    pub async fn table_beside(&self, name: &str) -> DynamoTable {
        let client = aws_sdk_dynamodb::Client::new(self.stack.endpoint().config());
        create_table(&client, name).await.unwrap();
        DynamoTable::new(client, name.to_owned())
    }

    /// Step Functions, seen without the API
    pub fn machines(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(self.stack.endpoint().config())
    }

    /// The person called `name`, about the tenant of the example
    pub fn person(&self, name: &str) -> Client {
        story::person(&self.stack, name).unwrap().with_tenant("acme")
    }

    /// Whoever holds `credential`
    pub fn holder(&self, credential: Secret) -> Client {
        Client::new(&self.stack.api_url()).unwrap().with_bearer(credential)
    }
}
