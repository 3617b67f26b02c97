//! Who a Slack user is here: the definition says so

use weir_domain::{
    actor::{Actor, ActorKind, Via},
    definition::{
        address::Kind,
        spec::{Integration, IntegrationType},
    },
    scope::Scope,
};
use weir_edge::{Cx, Problem};

/// The actor that `user` is in `scope`, if an integration of it names them
pub(super) async fn actor(cx: &Cx, scope: &Scope, user: &str) -> Result<Option<Actor>, Problem> {
    let all = cx.engine().resources::<Integration>(scope, Kind::Integration).await?;
    let mut slack = all.into_iter().map(|(_, it)| it).filter(|it| it.type_id == IntegrationType::Slack);
    Ok(slack.find_map(|mut it| it.config.users.remove(user)).map(|known| Actor {
        id: known.actor,
        kind: ActorKind::User,
        on_behalf_of: None,
        groups: known.groups,
        roles: known.roles,
        via: Via::Slack,
    }))
}
