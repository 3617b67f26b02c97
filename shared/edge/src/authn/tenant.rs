//! Which tenant a call is about: the token's, or the one that the header names

use super::TENANT_HEADER;
use crate::{Cx, Problem, router::HttpRequest};
use weir_domain::scope::{Name, Scope};
use weir_store::{Key, Query};

/// How many tenants are looked through for an external id
const TENANTS_MAX: usize = 1000;

/// The scope of a call by a token that may name only `own`, or any tenant of the workspace
pub(super) async fn choose(cx: &Cx, own: Option<&Name>, request: &HttpRequest) -> Result<Scope, Problem> {
    let workspace = cx.workspace();
    let scope = |tenant: Name| Scope::tenant(workspace.workspace.clone(), tenant);
    match request.header(TENANT_HEADER) {
        Some(wanted) => tenant_named(cx, own, wanted).await,
        None => Ok(own.map_or_else(|| workspace.clone(), |own| scope(own.clone()))),
    }
}

/// The scope of the tenant that `wanted` names or whose external id it is, for whoever may name only `own`, or any
///
/// A tenant that does not exist and one that may not be named are answered alike: 404.
pub async fn tenant_named(cx: &Cx, own: Option<&Name>, wanted: &str) -> Result<Scope, Problem> {
    let workspace = cx.workspace();
    let scope = |tenant: Name| Scope::tenant(workspace.workspace.clone(), tenant);
    let named = match wanted.parse::<Name>() {
        Ok(name) if Some(&name) == own => return Ok(scope(name)),
        Ok(name) => exists(cx, &workspace, &name).await?.then_some(name),
        Err(_) => None,
    };
    let found = match named {
        Some(name) => Some(name),
        None => by_external_id(cx, &workspace, wanted).await?,
    };
    let allowed = |name: &Name| own.is_none_or(|own| own == name);
    found.filter(allowed).map(scope).ok_or_else(|| Problem::not_found(format!("tenant `{}`", clip(wanted))))
}

async fn exists(cx: &Cx, workspace: &Scope, name: &Name) -> Result<bool, Problem> {
    let key = Key::resource(workspace, "tenant", &format!("tenant.{name}"));
    Ok(cx.table().get(&key).await?.is_some())
}

async fn by_external_id(cx: &Cx, workspace: &Scope, id: &str) -> Result<Option<Name>, Problem> {
    let all = Query::Partition { pk: Key::resource_partition(workspace, "tenant"), prefix: String::new() };
    let page = cx.table().query(&all, None, TENANTS_MAX).await?;
    let found = page.records.iter().find(|record| {
        record
            .doc
            .pointer("/spec/external_id")
            .and_then(|v| v.as_str())
            .is_some_and(|own| own.eq_ignore_ascii_case(id))
    });
    Ok(found.and_then(|record| record.key.sk().strip_prefix("tenant.")?.parse().ok()))
}

fn clip(text: &str) -> String {
    text.chars().take(64).filter(|c| !c.is_control()).collect()
}
