//! Every kind of problem that the API answers with

/// Declares every kind: its name in `type`, its status, its code and its title
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $code:literal, $title:literal;)+) => {
        /// Every kind of problem that the API answers with
        ///
        /// A kind is part of the contract: add, never rename. Each has a page under `shared/docs/problems/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)+ }

        impl Kind {
            /// Every kind
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The kind's name in `type`
            pub const fn slug(self) -> &'static str { match self { $(Self::$name => $slug,)+ } }

            /// The HTTP status
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)+ } }

            /// The stable code
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)+ } }

            /// The kind in a few words
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)+ } }

            /// Its page of `shared/docs/problems/`: what happened, and what to do
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../../docs/problems/", $slug, ".md")),)+
                }
            }
        }
    };
}

kinds! {
    /// The request can not be understood, in a way that no other kind names
    InvalidRequest = "invalid-request", 400, "W0400", "The request can not be understood";
    /// No token, or none that is known
    Unauthenticated = "unauthenticated", 401, "W0401", "The caller is not known";
    /// The body is not JSON
    InvalidJson = "invalid-json", 400, "W0402", "The body is not JSON";
    /// The caller's roles do not allow this
    Forbidden = "forbidden", 403, "W0403", "The caller may not do this";
    /// No such thing, or none that the caller may know of
    NotFound = "not-found", 404, "W0404", "There is no such thing";
    /// The path exists, with other methods
    MethodNotAllowed = "method-not-allowed", 405, "W0405", "The path does not have this method";
    /// The body is JSON, but not what is asked for
    InvalidBody = "invalid-body", 400, "W0406", "The body is not what is asked for";
    /// A query parameter is not what is asked for
    InvalidQuery = "invalid-query", 400, "W0407", "The query string is not what is asked for";
    /// An id in the path is malformed or of another kind
    InvalidId = "invalid-id", 400, "W0408", "The id is malformed or of another kind";
    /// Somebody else changed the thing first
    Conflict = "conflict", 409, "W0409", "It was changed meanwhile";
    /// The thing's status does not allow this
    NotAllowedNow = "not-allowed-now", 409, "W0410", "The current status does not allow this";
    /// The actor has decided on this gate already
    AlreadyDecided = "already-decided", 409, "W0411", "The decision was taken already";
    /// The requester, or an agent acting for them, would decide on their own request
    SeparationOfDuties = "separation-of-duties", 403, "W0412", "The requester may not decide";
    /// More bytes than the endpoint takes
    BodyTooLarge = "body-too-large", 413, "W0413", "The body is too large";
    /// The actor is in none of the groups that may decide
    NotAnApprover = "not-an-approver", 403, "W0414", "The actor is not among those who may decide";
    /// The body's media type is another one
    UnsupportedMediaType = "unsupported-media-type", 415, "W0415", "The body's media type is not supported";
    /// There is one of that name or digest already
    AlreadyExists = "already-exists", 409, "W0416", "There is one already";
    /// What the plan was made from has moved
    PlanStale = "plan-stale", 409, "W0417", "The plan is stale";
    /// A later attempt at the task has begun
    AttemptSuperseded = "attempt-superseded", 409, "W0418", "The attempt is no longer the current one";
    /// The uploaded bytes are not those that were announced
    DigestMismatch = "digest-mismatch", 422, "W0419", "The bytes do not match their digest";
    /// What was announced has not been uploaded
    UploadMissing = "upload-missing", 409, "W0420", "Nothing was uploaded";
    /// More than a documented limit allows
    LimitExceeded = "limit-exceeded", 422, "W0421", "A limit is exceeded";
    /// Something that the request refers to does not exist
    InvalidReference = "invalid-reference", 422, "W0422", "It refers to something that does not exist";
    /// The definition has errors
    InvalidDefinition = "invalid-definition", 422, "W0423", "The definition has errors";
    /// A signature is missing, wrong or too old
    InvalidSignature = "invalid-signature", 401, "W0424", "The signature is not valid";
    /// A signed delivery was received before
    DeliveryReplayed = "delivery-replayed", 409, "W0425", "The delivery was received before";
    /// A tenant has to be named
    TenantRequired = "tenant-required", 400, "W0426", "A tenant has to be named";
    /// No `Idempotency-Key`
    IdempotencyKeyMissing = "idempotency-key-missing", 400, "W0430", "An idempotency key is required";
    /// The same `Idempotency-Key` with another request
    IdempotencyKeyReused = "idempotency-key-reused", 422, "W0431", "The idempotency key belongs to another request";
    /// The same request is still running
    RequestInProgress = "request-in-progress", 409, "W0432", "The same request is still running";
    /// The answer held a secret, and was given once
    SecretShownOnce = "secret-shown-once", 409, "W0433", "The secret was shown once";
    /// A policy refuses
    PolicyDenied = "policy-denied", 403, "W0434", "A policy refuses this";
    /// The gate has been opened or closed for good
    GateClosed = "gate-closed", 409, "W0435", "The gate is closed";
    /// Nobody decided on the gate in time
    GateExpired = "gate-expired", 409, "W0436", "The gate has expired";
    /// The plan around a gate is not the one that was shown
    PlanChanged = "plan-changed", 409, "W0437", "The plan has changed";
    /// What a patch would make of the plan is no plan, or goes against a rule
    PatchRefused = "patch-refused", 422, "W0450", "The patch is refused";
    /// A patch touches a node that runs, waits or has ended
    NodeStarted = "node-started", 409, "W0451", "The node has started";
    /// Our fault; the caller may try again
    Internal = "internal", 500, "W0500", "Internal error";
    /// Something that we depend on does not answer
    Unavailable = "unavailable", 503, "W0503", "Temporarily unavailable";
}

impl Kind {
    /// The URI that names the kind
    pub fn uri(self) -> String {
        format!("https://weir.dev/problems/{}", self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn names_and_codes_are_unique() {
        let slugs: BTreeSet<_> = Kind::ALL.iter().map(|k| k.slug()).collect();
        let codes: BTreeSet<_> = Kind::ALL.iter().map(|k| k.code()).collect();
        assert_eq!((slugs.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
    }

    #[test]
    fn every_kind_has_its_page_and_every_page_its_kind() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/problems");
        for kind in Kind::ALL {
            let head = format!("# {}\n\n`{}` · HTTP {}\n", kind.title(), kind.code(), kind.status());
            assert!(kind.page().starts_with(&head), "{}.md does not begin with\n{head}", kind.slug());
        }
        let pages: BTreeSet<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".md"))
            .collect();
        let kinds: BTreeSet<String> = Kind::ALL.iter().map(|k| format!("{}.md", k.slug())).collect();
        assert_eq!(pages, kinds);
    }
}
