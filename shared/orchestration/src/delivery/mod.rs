//! Delivery: from "bring this release there" to a plan, an operation, and what follows from its end

mod conclude;
mod gather;
mod index;
mod install;
mod reindex;
mod request;
mod rollback;

pub use install::record_installed;
pub use request::{PromotionRequest, Requested, request_promotion, start_plan};

pub(crate) use conclude::{conclude, end_intent};
pub(crate) use gather::policies;
pub(crate) use index::links;
pub(crate) use reindex::{mark, rebuild_rows};
pub(crate) use request::{PLAN_LIFE, keep_snapshot, prepare};

use crate::EngineError;
use weir_domain::{
    definition::address::Address,
    delivery::ReleaseStatus,
    id::{IntentId, PlanId, ReleaseId, RequestId},
    intent::IntentStatus,
    plan::PlanStatus,
    planner::{CustomizeError, PlanError, SelectError},
    time::Millis,
};

/// Where a request comes from: what its ids are derived from, so that the same request again meets itself
#[derive(Debug, Clone)]
pub struct Origin {
    /// When it was first made
    pub now: Millis,
    /// What no other request has
    pub seed: String,
    /// The API request, if it was one
    pub request_id: Option<RequestId>,
}

/// Why something is not delivered
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// There is no such release
    #[error("there is no release `{0}`")]
    NoRelease(ReleaseId),
    /// There is no such plan
    #[error("there is no plan `{0}`")]
    NoPlan(PlanId),
    /// There is no such resource, or it was not applied yet
    #[error("there is no `{0}` in the definition that is applied")]
    NoResource(Address),
    /// The release is not one that may be promoted
    #[error("release `{0}` is {status}, and only one that is ready or deployed may be brought anywhere", status = .1.as_str())]
    NotPromotable(ReleaseId, ReleaseStatus),
    /// The release is of a service that does not go there
    #[error("`{0}` does not go to `{1}`")]
    NotItsEnvironment(Address, Address),
    /// It has to run in another environment first
    #[error("release `{0}` has to run on every target of `{1}` first")]
    NotInSource(ReleaseId, Address),
    /// No recipe does this, or more than one
    #[error(transparent)]
    Scenario(#[from] SelectError),
    /// The template may not be edited like that
    #[error(transparent)]
    Customize(#[from] CustomizeError),
    /// A requirement of the plan has no provider
    #[error("plan `{0}` cannot be started, since nothing provides what it requires: {missing}", missing = .1.join("; "))]
    Unbound(PlanId, Vec<String>),
    /// The plan is run by another plan's operation
    #[error("plan `{0}` runs as a part of plan `{1}`: start that one")]
    PartOf(PlanId, PlanId),
    /// The intent does not say what is needed
    #[error("{0}")]
    Incomplete(String),
    /// There is no such intent
    #[error("there is no intent `{0}`")]
    NoIntent(IntentId),
    /// The intent has ended
    #[error("intent `{0}` is {status}: it can neither be planned again nor cancelled", status = .1.as_str())]
    IntentEnded(IntentId, IntentStatus),
    /// What the intent's plan came to stays
    #[error("intent `{0}` has plan `{1}`, which is {status}: cancel the operation that runs it", status = .2.as_str())]
    PlanStays(IntentId, PlanId, PlanStatus),
    /// The intent was planned from something else than what it says
    #[error("intent `{0}` was not planned by a scenario or as a delivery: ask for what you want anew")]
    OtherPlanner(IntentId),
    /// Others change the intent at the same time
    #[error("intent `{0}` is being changed by others: ask again")]
    IntentBusy(IntentId),
    /// The plan cannot be started as it is
    #[error("plan `{0}` is {status}, and only one that is ready may be started", status = .1.as_str())]
    NotStartable(PlanId, PlanStatus),
    /// There is no plan
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It could not be carried out
    #[error(transparent)]
    Engine(#[from] EngineError),
}
