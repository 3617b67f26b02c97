//! What this version of Weir can do, and who does it
//!
//! A capability is added here when somebody can carry it out: an adapter (`weir_adapters`), or an agent.

/// Asks an agent of the target to put a release's component on it
pub const DEPLOY_HOST: &str = "deploy.host";
/// Asks a target over HTTP how it is
pub const VERIFY_HTTP: &str = "verify.http";
/// Asks a target over TCP whether it listens
pub const VERIFY_TCP: &str = "verify.tcp";
/// Asks for a number over HTTP until it is good
pub const VERIFY_METRIC: &str = "verify.metric";
/// Sends one signed request
pub const HTTP_CALL: &str = "http.call";
/// Invokes a function of the account
pub const LAMBDA_INVOKE: &str = "lambda.invoke";
/// Runs a command on a target that its agent's owner has allowed
pub const COMMAND_RUN: &str = "command.run";
/// Runs such a command to find out whether all is well
pub const VERIFY_COMMAND: &str = "verify.command";
/// Reads all assignments of an external directory
pub const ASSIGNMENTS_FETCH: &str = "assignments.fetch";
/// Puts assignments of a snapshot back; planned by itself
pub const ASSIGNMENTS_RESTORE: &str = "assignments.restore";
/// Makes one apply group of a definition true
pub const APPLY_GROUP: &str = "definition.apply_group";
/// Makes the table's rows of the definition again from the ledger
pub const REBUILD_ROWS: &str = "projections.rebuild";
/// Runs the operation of a scenario that provides what a step asks for
pub const SUB_OPERATION: &str = "weir.sub_operation";
/// Stands where something cannot be undone, and fails with the reason
pub const NOT_UNDONE: &str = "weir.not_undone";
/// What a manual step asks for is said in its contract
pub const BY_HAND: &str = "weir.intervention";
/// Writes an evidence packet
pub const EVIDENCE: &str = "weir.evidence";
/// Counts how many targets of the batches so far have failed
pub const BATCH_CHECK: &str = "weir.batch_check";

/// Who does what a capability is asked for
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performer {
    /// An agent that serves a target and says that it can
    Agent,
    /// An adapter that is built in
    Job,
    /// An adapter that is built in, with a provider of the definition that says where
    Provider,
    /// The engine itself; no template may ask for it
    Engine,
}

/// Something that can be asked for
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// What it is called: `deploy.host`
    pub name: &'static str,
    /// Who does it
    pub by: Performer,
}

impl Capability {
    const fn new(name: &'static str, by: Performer) -> Self {
        Self { name, by }
    }

    /// Whether anything can be kept of what it gives: agents report none, and checks say only whether all is well
    pub fn gives_outputs(self) -> bool {
        matches!(self.name, HTTP_CALL | LAMBDA_INVOKE | VERIFY_METRIC | ASSIGNMENTS_FETCH)
    }
}

/// Everything that can be asked for
pub const CAPABILITIES: &[Capability] = &[
    Capability::new(DEPLOY_HOST, Performer::Agent),
    Capability::new(COMMAND_RUN, Performer::Agent),
    Capability::new(VERIFY_COMMAND, Performer::Agent),
    Capability::new(VERIFY_HTTP, Performer::Job),
    Capability::new(VERIFY_TCP, Performer::Job),
    Capability::new(VERIFY_METRIC, Performer::Job),
    Capability::new(HTTP_CALL, Performer::Job),
    Capability::new(LAMBDA_INVOKE, Performer::Job),
    Capability::new(ASSIGNMENTS_FETCH, Performer::Provider),
    Capability::new(ASSIGNMENTS_RESTORE, Performer::Engine),
    Capability::new(APPLY_GROUP, Performer::Engine),
    Capability::new(REBUILD_ROWS, Performer::Engine),
    Capability::new(EVIDENCE, Performer::Engine),
    Capability::new(BATCH_CHECK, Performer::Engine),
];

/// The capability called `name`
pub fn capability(name: &str) -> Option<Capability> {
    CAPABILITIES.iter().copied().find(|known| known.name == name)
}
