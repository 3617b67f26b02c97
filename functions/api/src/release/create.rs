//! `POST /v1/releases`: puts versions together; they never change again

use serde_json::json;
use std::collections::BTreeMap;
use weir_domain::{
    definition::{
        address::{Address, Kind as ResourceKind},
        spec::Service,
    },
    delivery::{Release, ReleaseComponent, ReleaseError, ReleaseStatus, Version, is_tag},
    id::VersionId,
    scope::Scope,
};
use weir_edge::{
    Answer, Call, Cx, Endpoint, Kind, Nothing, Problem, Route,
    wire::release::{COMPONENTS_MAX, ReleaseCreate as Body},
};
use weir_store::{Entity as _, Key, Record, Write};

/// Longest name, in characters
const NAME_MAX: usize = 200;

/// Makes a release
pub struct ReleaseCreate;

impl Endpoint for ReleaseCreate {
    const ROUTE: Route = Route {
        path: "/v1/releases",
        operation: "release_create",
        permission: "release:create",
        summary: "Puts versions of a service's components together; the release is ready and frozen at once",
        ..Route::POST
    };
    type Path = Nothing;
    type Query = Nothing;
    type Body = Body;
    type Reply = Release;

    async fn handle(cx: &Cx, call: Call<Self>) -> Result<Answer<Release>, Problem> {
        let scope = call.tenant_scope()?.clone();
        check(&call.body)?;
        let service = service(cx, &scope, &call.body.service_id).await?;
        let mut components = BTreeMap::new();
        for (address, version) in &call.body.components {
            if !service.components.iter().any(|part| part.address() == address) {
                return Err(no_component(address, format!("is no component of `{}`", call.body.service_id)));
            }
            components.insert(address.clone(), component(cx, &scope, address, *version).await?);
        }
        let release = release(&call, components)?;
        let metadata = json!({ "service": release.service_id, "version": release.version });
        let audit = call.audit("release.create", ("release", release.id.to_string()), metadata);
        cx.commit(&scope, vec![Write::Create(Record::new(&scope, &release)?)], &audit).await?;
        Ok(release.into())
    }
}

fn release(
    call: &Call<ReleaseCreate>,
    components: BTreeMap<Address, ReleaseComponent>,
) -> Result<Release, Problem> {
    let body = call.body.clone();
    let name = body.name.unwrap_or_else(|| format!("{}-{}", body.service_id.name(), body.version));
    let draft = Release {
        id: call.ids.id("release"),
        service_id: body.service_id,
        name,
        version: body.version,
        display_name: body.display_name,
        components,
        source_ref: body.source_ref,
        status: ReleaseStatus::Draft,
        created_by: call.actor.id.clone(),
        created_at: call.ids.created_at().into(),
    };
    draft.freeze().map_err(|error| match error {
        ReleaseError::Empty(_) => {
            Problem::new(Kind::InvalidBody, "a release has at least one component").at("/components", "none")
        }
        ReleaseError::NotAllowed(_) | ReleaseError::Frozen(_) => Problem::internal(error),
    })
}

fn check(body: &Body) -> Result<(), Problem> {
    let wrong = |pointer: &str, message: &str| {
        Err(Problem::new(Kind::InvalidBody, format!("the body was refused at `{pointer}`: {message}"))
            .at(pointer, message))
    };
    let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > NAME_MAX);
    if !is_tag(&body.version) {
        return wrong(
            "/version",
            "at most 128 letters, digits, `.`, `-`, `_` or `+`, beginning with a letter or digit",
        );
    }
    if is_long(&body.name) {
        return wrong("/name", "at most 200 characters");
    }
    if is_long(&body.display_name) {
        return wrong("/display_name", "at most 200 characters");
    }
    if body.components.len() > COMPONENTS_MAX {
        let detail = format!("a release has at most {COMPONENTS_MAX} components");
        return Err(Problem::new(Kind::LimitExceeded, detail));
    }
    Ok(())
}

async fn service(cx: &Cx, scope: &Scope, address: &Address) -> Result<Service, Problem> {
    let found = cx.resource(scope, address).await?.filter(|_| address.kind() == ResourceKind::Service);
    let found = found.and_then(|(row, _)| serde_json::from_value(row.spec).ok());
    found.ok_or_else(|| {
        let detail = format!("there is no service `{address}` in the applied definition");
        Problem::new(Kind::InvalidReference, detail).at("/service_id", "no such service")
    })
}

async fn component(
    cx: &Cx,
    scope: &Scope,
    address: &Address,
    id: VersionId,
) -> Result<ReleaseComponent, Problem> {
    let found = cx.table().read::<Version>(&Key::entity(scope, Version::KIND, id)).await?;
    match found {
        Some((version, _)) if version.component_id == *address => Ok(ReleaseComponent {
            version_id: version.id,
            version: version.label().to_owned(),
            digest: version.digest,
            size: version.size,
        }),
        Some(_) => Err(no_component(address, format!("has no version `{id}`: that is another component's"))),
        None => Err(no_component(address, format!("has no version `{id}`"))),
    }
}

fn no_component(address: &Address, message: String) -> Problem {
    Problem::new(Kind::InvalidReference, format!("`{address}` {message}"))
        .at(format!("/components/{address}"), message)
}
