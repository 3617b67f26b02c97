//! `POST /v1/versions`: registers uploaded bytes as a version of a component

use super::tag::{TagRow, tagged};
use crate::artifact::announced;
use serde_json::json;
use weir_domain::{
    canonical::Digest,
    definition::spec::Component,
    delivery::{Attestation, Version, VersionRefusal, is_semver, is_tag, register},
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route, Use,
    wire::{
        artifact::ARTIFACT_MAX,
        release::{ATTESTATIONS_MAX, AttestationCreate, VersionCreate as Body},
    },
};
use weir_ledger::ledger::Artifact;
use weir_store::{Record, Write};

/// Registers a version
pub struct VersionCreate;

impl Endpoint for VersionCreate {
    const ROUTE: Route = Route {
        path: "/v1/versions",
        operation: "version_create",
        permission: "version:create",
        summary: "Registers uploaded bytes as a version of a component; 200 where they already are that version",
        uses: &[Use::TableRead, Use::TableWrite, Use::ObjectsRead("artifacts/")],
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = Version;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Version>, Problem> {
        let scope = call.tenant_scope()?;
        let version = version(cx, &call).await?;
        // An unusable tag is refused before it could stand in a key.
        let existing = if is_tag(&version.tag) {
            tagged(cx, scope, &version.component_id, &version.tag).await?
        } else {
            None
        };
        let new = register(existing.as_ref().map(|(known, _)| known), &version).map_err(refused)?;
        if let Some((known, written)) = existing.filter(|_| !new) {
            let own = known.id == version.id;
            let after = attest(cx, &call, known, written, &version.attestations).await?;
            return Ok(if own { after.into() } else { Answer::with_status(200, after) });
        }
        let tag = TagRow {
            component_id: version.component_id.clone(),
            tag: version.tag.clone(),
            version_id: version.id,
        };
        let metadata =
            json!({ "component": version.component_id, "tag": version.tag, "digest": version.digest });
        let audit = call.audit("version.create", ("version", version.id.to_string()), metadata);
        let writes = vec![
            Write::Create(Record::new(scope, &version)?),
            // Refused where somebody else took the tag meanwhile; asking again then says who.
            Write::Create(Record::new(scope, &tag)?),
        ];
        cx.commit(scope, writes, &audit).await?;
        Ok(version.into())
    }
}

/// The version as it is to be registered, if its component exists and its bytes are there
async fn version(cx: &Cx, call: &Call<VersionCreate>) -> Result<Version, Problem> {
    let Body { component_id, tag, digest, semver, channel, attestations } = call.body.clone();
    within_limit(attestations.len())?;
    let component = cx.resource(&call.scope, &component_id).await?;
    let spec =
        component.as_ref().and_then(|(row, _)| serde_json::from_value::<Component>(row.spec.clone()).ok());
    let Some(spec) =
        spec.filter(|_| component_id.kind() == weir_domain::definition::address::Kind::Component)
    else {
        let detail = format!("there is no component `{component_id}` in the applied definition");
        return Err(Problem::new(Kind::InvalidReference, detail).at("/component_id", "no such component"));
    };
    let plain =
        tag.strip_prefix(spec.versioning_strategy.tag_prefix.as_deref().unwrap_or("v")).unwrap_or(&tag);
    let semver = semver.or_else(|| is_semver(plain).then(|| plain.to_owned()));
    Ok(Version {
        id: call.ids.id("version"),
        component_id,
        size: uploaded(cx, call, &digest).await?,
        tag,
        digest,
        semver,
        channel: channel.unwrap_or(spec.default_channel),
        created_by: call.actor.id.clone(),
        created_at: call.ids.created_at().into(),
        attestations: attestations.into_iter().map(|said| attestation(call, said)).collect(),
    })
}

fn attestation(call: &Call<VersionCreate>, said: AttestationCreate) -> Attestation {
    Attestation {
        kind: said.kind,
        digest: said.digest,
        status: said.status,
        by: call.actor.id.clone(),
        at: call.ids.created_at().into(),
    }
}

/// Adds what was found out since to a version that is registered already: scans end later than builds
async fn attest(
    cx: &Cx,
    call: &Call<VersionCreate>,
    known: Version,
    written: u64,
    more: &[Attestation],
) -> Result<Version, Problem> {
    let Some(after) = known.attested(more) else { return Ok(known) };
    within_limit(after.attestations.len())?;
    let scope = call.tenant_scope()?;
    let metadata = json!({ "component": after.component_id, "tag": after.tag, "attestations": more });
    let audit = call.audit("version.attest", ("version", after.id.to_string()), metadata);
    let replace = Write::Replace { expected: written, record: Record::new(scope, &after)? };
    cx.commit(scope, vec![replace], &audit).await?;
    Ok(after)
}

/// How many bytes were uploaded as `digest`, if they are what they are called
async fn uploaded(cx: &Cx, call: &Call<VersionCreate>, digest: &Digest) -> Result<u64, Problem> {
    let missing = || {
        let detail =
            format!("nothing was uploaded as `{digest}`: announce it with `POST /v1/artifacts` and send it");
        Problem::new(Kind::UploadMissing, detail)
    };
    announced(cx, &call.scope, digest).await?.ok_or_else(missing)?;
    match cx.ledger().artifact_verify(digest, ARTIFACT_MAX).await? {
        Artifact::Verified { size } => Ok(size),
        Artifact::Absent => Err(missing()),
        Artifact::Mismatch => {
            let detail = format!("what was uploaded as `{digest}` has another digest: send the right bytes");
            Err(Problem::new(Kind::DigestMismatch, detail).at("/digest", "the uploaded bytes have another"))
        }
    }
}

fn within_limit(attestations: usize) -> Result<(), Problem> {
    if attestations <= ATTESTATIONS_MAX {
        return Ok(());
    }
    let detail = format!("a version has at most {ATTESTATIONS_MAX} attestations");
    Err(Problem::new(Kind::LimitExceeded, detail).at("/attestations", "too many"))
}

fn refused(refusal: VersionRefusal) -> Problem {
    let (kind, pointer) = match &refusal {
        VersionRefusal::Tag(_) => (Kind::InvalidBody, "/tag"),
        VersionRefusal::Semver(_) => (Kind::InvalidBody, "/semver"),
        VersionRefusal::TagTaken { .. } => (Kind::AlreadyExists, "/tag"),
    };
    let text = refusal.to_string();
    Problem::new(kind, text.clone()).at(pointer, text)
}
