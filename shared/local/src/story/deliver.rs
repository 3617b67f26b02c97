//! What is delivered: archives of the example, registered as versions, put together as releases

use std::collections::BTreeMap;
use std::path::Path;

use weir_client::api::IdempotencyKey;
use weir_domain::delivery::{Release, Version};
use weir_domain::id::OperationId;
use weir_edge::wire::artifact::UploadCreate;
use weir_edge::wire::promotion::{PromotionCreate, PromotionView};
use weir_edge::wire::release::{ReleaseCreate, VersionCreate};

use super::archive::{self, Archive};
use super::teller::{Teller, address, told};
use crate::error::Result;

const COMPONENT: &str = "component.web";
const SERVICE: &str = "service.shop";

/// The release `version`, made of the sources in `folder`; what is there already is used again
pub(crate) async fn release(teller: &Teller<'_>, version: &str, folder: &Path) -> Result<Release> {
    let archive = archive::pack(folder)?;
    let registered = registered(teller, version, archive).await?;
    if let Some(known) = known_release(teller, version, &registered).await? {
        return Ok(known);
    }
    let body = ReleaseCreate {
        service_id: address(SERVICE)?,
        version: version.to_owned(),
        name: None,
        display_name: None,
        components: BTreeMap::from([(address(COMPONENT)?, registered.id)]),
        source_ref: None,
    };
    let made = teller.alice.release_create(&body, &IdempotencyKey::random()).await;
    made.map_err(|error| told(&format!("the release {version}"), &error))
}

/// The version of the component with exactly these bytes
async fn registered(teller: &Teller<'_>, tag: &str, archive: Archive) -> Result<Version> {
    let what = |error| told(&format!("the version {tag}"), &error);
    let known = teller.alice.version_list(&[]).await.map_err(what)?;
    let same = |version: &Version| version.tag == tag && version.digest == archive.digest;
    if let Some(version) = known.items.into_iter().find(same) {
        return Ok(version);
    }
    let size = archive.bytes.len() as u64;
    let announced = UploadCreate { digest: archive.digest.clone(), size };
    let ticket = teller.alice.artifact_create(&announced, &IdempotencyKey::random()).await.map_err(what)?;
    teller.send(ticket, archive.bytes).await?;
    let body = VersionCreate {
        component_id: address(COMPONENT)?,
        tag: tag.to_owned(),
        digest: archive.digest,
        semver: None,
        channel: None,
        attestations: Vec::new(),
    };
    teller.alice.version_create(&body, &IdempotencyKey::random()).await.map_err(what)
}

async fn known_release(teller: &Teller<'_>, version: &str, made_of: &Version) -> Result<Option<Release>> {
    let known = teller.alice.release_list(&[]).await.map_err(|error| told("the releases", &error))?;
    let same = |release: &Release| {
        release.version == version && release.components.values().any(|part| part.version_id == made_of.id)
    };
    Ok(known.items.into_iter().find(same))
}

/// Asks that `release` be brought into `environment`; the operation that does it
pub(crate) async fn promote(
    teller: &Teller<'_>,
    release: &Release,
    environment: &str,
) -> Result<OperationId> {
    let body = PromotionCreate {
        release_id: release.id,
        target_environment_id: address(environment)?,
        source_environment_id: None,
        customizations: std::collections::BTreeMap::new(),
    };
    let asked = teller.alice.promotion_create(&body, &IdempotencyKey::random()).await;
    let asked: PromotionView =
        asked.map_err(|error| told(&format!("the promotion to {environment}"), &error))?;
    Ok(asked.promotion.workflow_run_id)
}
