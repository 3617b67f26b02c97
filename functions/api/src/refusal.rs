//! What the engine's requests refuse, as problems
//!
//! What a path names is not found; what a body names refers to nothing.

use weir_domain::{
    id::{OperationId, RequestId},
    plan::PatchError,
};
use weir_edge::{Call, Endpoint, Kind, Problem};
use weir_orchestration::{
    PatchFailure,
    definition::DefinitionError,
    delivery::{DeliveryError, Origin},
    scenario::RetryFailure,
};

/// Where the engine derives the ids of what `call` creates from: a repeat of the call meets what is there
pub fn origin<E: Endpoint>(call: &Call<E>) -> Origin {
    Origin {
        now: call.ids.created_at(),
        seed: call.ids.id::<RequestId>("origin").to_string(),
        request_id: Some(call.request),
    }
}

/// The operation that a request of this origin makes, where it does not meet one of the same identity
pub fn own_operation(origin: &Origin) -> OperationId {
    use weir_domain::id::Id as _;
    OperationId::derived(origin.now.0, &origin.seed)
}

/// Why something is not delivered
pub fn delivery(error: DeliveryError) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        DeliveryError::NoRelease(_)
        | DeliveryError::NoResource(_)
        | DeliveryError::NotItsEnvironment(..)
        | DeliveryError::Scenario(_) => Kind::InvalidReference,
        DeliveryError::NotPromotable(..)
        | DeliveryError::NotInSource(..)
        | DeliveryError::NotStartable(..)
        | DeliveryError::Unbound(..)
        | DeliveryError::PartOf(..)
        | DeliveryError::IntentEnded(..)
        | DeliveryError::PlanStays(..)
        | DeliveryError::OtherPlanner(_) => Kind::NotAllowedNow,
        DeliveryError::IntentBusy(_) => Kind::Conflict,
        DeliveryError::NoIntent(intent) => return Problem::not_found(format!("intent `{intent}`")),
        DeliveryError::NoPlan(plan) => return Problem::not_found(format!("plan `{plan}`")),
        DeliveryError::Incomplete(_) => Kind::InvalidBody,
        DeliveryError::Plan(_) | DeliveryError::Customize(_) => Kind::InvalidDefinition,
        DeliveryError::Engine(error) => return error.into(),
    };
    Problem::new(kind, detail)
}

/// Why a patch is not made
pub fn patch(error: PatchFailure) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        PatchFailure::NotFound(_) => Kind::NotFound,
        PatchFailure::NotNow(_) => Kind::NotAllowedNow,
        PatchFailure::Busy => Kind::Conflict,
        PatchFailure::Refused(PatchError::Started { .. }) => Kind::NodeStarted,
        PatchFailure::Refused(_) => Kind::PatchRefused,
        PatchFailure::Engine(error) => return error.into(),
    };
    Problem::new(kind, detail)
}

/// Why an operation is not retried
pub fn retry(error: RetryFailure) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        RetryFailure::NotFound(_) => Kind::NotFound,
        RetryFailure::Active(_)
        | RetryFailure::Unsettled(_)
        | RetryFailure::Nothing(_)
        | RetryFailure::Done(..)
        | RetryFailure::Retried(..)
        | RetryFailure::Once(..)
        | RetryFailure::OtherType(..)
        | RetryFailure::TakenBack(..)
        | RetryFailure::PartOf(..)
        | RetryFailure::Graph(_) => Kind::NotAllowedNow,
        RetryFailure::Engine(error) => return error.into(),
    };
    Problem::new(kind, detail)
}

/// Why a change of the definition is not planned or applied
pub fn definition(error: DefinitionError) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        DefinitionError::NotUploaded(_) => Kind::UploadMissing,
        DefinitionError::NoPlan(_) => Kind::InvalidReference,
        DefinitionError::NotApplicable(..) => Kind::NotAllowedNow,
        DefinitionError::Stale { .. } => Kind::PlanStale,
        DefinitionError::Invalid(found) => {
            return Problem::new(Kind::InvalidDefinition, detail).in_definition(&found);
        }
        DefinitionError::OtherWorkspace { .. } | DefinitionError::Unreadable(_) => Kind::InvalidDefinition,
        DefinitionError::Engine(error) => return error.into(),
    };
    Problem::new(kind, detail)
}
