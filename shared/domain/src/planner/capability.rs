//! What this version of Weir can do, and who does it
//!
//! A capability is added here when somebody can carry it out: an adapter (`weir_adapters`), or an agent.

/// Asks an agent of the target to put a release's component on it
pub const DEPLOY_HOST: &str = "deploy.host";
/// Asks a target over HTTP how it is
pub const VERIFY_HTTP: &str = "verify.http";
/// Makes one apply group of a definition true
pub const APPLY_GROUP: &str = "definition.apply_group";
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
}

/// Everything that can be asked for
pub const CAPABILITIES: &[Capability] = &[
    Capability::new(DEPLOY_HOST, Performer::Agent),
    Capability::new(VERIFY_HTTP, Performer::Job),
    Capability::new(APPLY_GROUP, Performer::Engine),
    Capability::new(EVIDENCE, Performer::Engine),
    Capability::new(BATCH_CHECK, Performer::Engine),
];

/// The capability called `name`
pub fn capability(name: &str) -> Option<Capability> {
    CAPABILITIES.iter().copied().find(|known| known.name == name)
}
