//! The whole API in one process: the real router over fakes that behave
//!
//! ```ignore
//! let api = TestApi::new(weir_api::ENDPOINTS);
//! let reply = api.post("/v1/releases").by("developer").json(&body).send().await;
//! assert_eq!(reply.status, 201);
//! ```

mod people;
mod request;

pub use people::{OTHER_TENANT, TENANT, TENANT_EXTERNAL_ID, WORKSPACE};
pub use request::{Reply, Request};

use crate::{clock::TestClock, cloud::TestCloud, life::Life};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock, atomic::AtomicU64};
use weir_domain::{
    canonical::Digest,
    definition::address::{Address, Kind},
    id::{Id as _, OperationId},
    scope::Scope,
    time::Time,
};
use weir_edge::{Cx, Entry, config::Config, cx::Parts, wire::artifact::SignedRequest};
use weir_ledger::{LocalSigner, Presigned, memory::MemoryObjects};
use weir_orchestration::Clock as _;
use weir_store::{Entity, Record, ResourceRow, Table as _, Write, memory::MemoryTable};

/// The secret with which tests sign what Slack would
pub const SLACK_SECRET: &str = "slack-secret-of-the-tests";

/// What the jobs of tests are told in confidence
pub const JOB_SECRETS: &str = r#"{"HOOK": "hook-key-of-the-tests"}"#;

/// The whole API in one process
pub struct TestApi {
    /// What the endpoints work with
    pub cx: Cx,
    /// The table behind it
    pub table: Arc<MemoryTable>,
    /// The bucket behind it
    pub objects: Arc<MemoryObjects>,
    /// The state machines and queues behind it
    pub cloud: Arc<TestCloud>,
    /// Its clock
    pub clock: Arc<TestClock>,
    /// What its functions write, and where they die
    pub life: Arc<Life>,
    entries: &'static [Entry],
    keys: AtomicU64,
}

#[expect(clippy::expect_used, reason = "a test kit fails where it cannot be put together")]
impl TestApi {
    /// The API of `entries`, with two tenants and nothing else
    pub async fn new(entries: &'static [Entry]) -> Self {
        Self::dying(entries, Life::default()).await
    }

    /// The same, whose functions die where `life` says
    pub async fn dying(entries: &'static [Entry], life: Life) -> Self {
        let api = Self::empty(entries, Arc::new(life));
        for (tenant, external_id) in
            [(TENANT, TENANT_EXTERNAL_ID), (OTHER_TENANT, "00000000-0000-4000-8000-00000000000b")]
        {
            let address = Address::new(Kind::Tenant, tenant).expect("a tenant's name is a name");
            api.resource(&api.cx.workspace(), address.as_str(), json!({ "external_id": external_id })).await;
        }
        api
    }

    fn empty(entries: &'static [Entry], life: Arc<Life>) -> Self {
        let (table, objects) = (Arc::new(MemoryTable::new()), Arc::new(MemoryObjects::new()));
        let (cloud, clock) = (Arc::new(TestCloud::default()), Arc::new(TestClock::default()));
        let (seen, config) = (parts(&life, &table, &objects, &cloud), config(""));
        let cx = Cx::over(config, clock.clone(), seen);
        Self { cx, table, objects, cloud, clock, life, entries, keys: AtomicU64::new(0) }
    }

    /// Puts new processes in the place of those that ran: what they kept in memory is lost. They post notices to
    /// `webhook`, if it is not empty
    pub fn restart(&mut self, webhook: &str) {
        let seen = parts(&self.life, &self.table, &self.objects, &self.cloud);
        self.cx = Cx::over(config(webhook), self.clock.clone(), seen);
    }

    /// The scope of the tenant that callers belong to unless they say otherwise
    pub fn scope(&self) -> Scope {
        format!("{WORKSPACE}/{TENANT}").parse().expect("a scope")
    }

    /// Puts a resource of the definition into `scope`, as if it had been applied
    pub async fn resource(&self, scope: &Scope, address: &str, spec: Value) {
        let digest = Digest::of(&spec).expect("canonical");
        let row = ResourceRow {
            address: address.parse().expect("an address"),
            spec,
            digest,
            revision: 1,
            operation_id: OperationId::derived(self.clock.now().0, "applied before the test"),
            applied_at: Time::from(self.clock.now()),
        };
        let record = Record::new(scope, &row).expect("a record");
        self.table.transact(&[Write::Upsert(record)]).await.expect("a fake never refuses an upsert");
    }

    /// Puts an entity into `scope`
    pub async fn put<E: Entity>(&self, scope: &Scope, entity: &E) {
        let record = Record::new(scope, entity).expect("a record");
        self.table.transact(&[Write::Upsert(record)]).await.expect("a fake never refuses an upsert");
    }

    /// Does what the holder of a signed upload does
    ///
    /// # Panics
    /// Where the bucket refuses the bytes.
    #[track_caller]
    pub fn upload(&self, request: &SignedRequest, bytes: &[u8]) {
        let headers =
            request.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect();
        let signed = Presigned { method: "PUT", url: request.url.expose().to_owned(), headers };
        assert!(
            request.method == "PUT" && self.objects.upload(&signed, bytes.to_vec().into()),
            "{request:?}"
        );
    }

    /// A request that reads
    pub fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, "GET", path)
    }

    /// A request that does something, with an idempotency key of its own
    pub fn post(&self, path: &str) -> Request<'_> {
        let number = self.keys.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Request::new(self, "POST", path).header("idempotency-key", &format!("key-{number}"))
    }
}

/// What stands behind the functions, with every write seen
#[expect(clippy::expect_used, reason = "a test kit fails where it cannot be put together")]
fn parts(
    life: &Arc<Life>,
    table: &Arc<MemoryTable>,
    objects: &Arc<MemoryObjects>,
    cloud: &Arc<TestCloud>,
) -> Parts {
    // Made once: without optimisation that takes longer than most tests.
    static SIGNER: OnceLock<Arc<LocalSigner>> = OnceLock::new();
    let signer =
        SIGNER.get_or_init(|| Arc::new(LocalSigner::from_seed("testkit").expect("any seed gives a key")));
    life.behind(Parts {
        table: table.clone(),
        objects: objects.clone(),
        machines: cloud.clone(),
        queues: cloud.clone(),
        signer: signer.clone(),
    })
}

#[expect(clippy::expect_used, reason = "a test kit fails where it cannot be put together")]
fn config(webhook: &str) -> Config {
    let tokens = serde_json::to_string(&people::dev_tokens()).expect("tokens are JSON");
    Config::from_lookup(|name| {
        Some(match name {
            "WEIR_STAGE" => "local".to_owned(),
            "WEIR_WORKSPACE" => WORKSPACE.to_owned(),
            "WEIR_DEV_TOKENS" => tokens.clone(),
            "WEIR_SLACK_SIGNING_SECRET" => SLACK_SECRET.to_owned(),
            "WEIR_PUBLIC_URL" => "http://weir.test".to_owned(),
            "WEIR_JOB_SECRETS" => JOB_SECRETS.to_owned(),
            "WEIR_SLACK_WEBHOOK_URL" => webhook.to_owned(),
            "AWS_ENDPOINT_URL" | "WEIR_CHECK_IN_S" | "_HANDLER" => String::new(),
            other => other.to_lowercase(),
        })
    })
    .expect("the test's own configuration")
}
