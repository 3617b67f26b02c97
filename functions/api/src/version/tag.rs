//! Which version a tag is: one row a tag, so that two requests cannot give it to two

use serde::{Deserialize, Serialize};
use weir_domain::{definition::address::Address, delivery::Version, id::VersionId, scope::Scope};
use weir_edge::{Cx, Problem};
use weir_store::{Entity, Key};

/// Which version a tag is
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TagRow {
    /// The component
    pub component_id: Address,
    /// The tag
    pub tag: String,
    /// The version
    pub version_id: VersionId,
}

impl Entity for TagRow {
    const KIND: &'static str = "version-tag";

    fn key(&self, scope: &Scope) -> Key {
        key(scope, &self.component_id, &self.tag)
    }
}

/// A tag holds no `/` and no `#` ([`weir_domain::delivery::is_tag`]), so that a key has one meaning
fn key(scope: &Scope, component: &Address, tag: &str) -> Key {
    Key::entity(scope, TagRow::KIND, format!("{component}/{tag}"))
}

/// The version that `tag` of `component` is, if it is one, and how often its record was written
pub(super) async fn tagged(
    cx: &Cx,
    scope: &Scope,
    component: &Address,
    tag: &str,
) -> Result<Option<(Version, u64)>, Problem> {
    let Some((row, _)) = cx.table().read::<TagRow>(&key(scope, component, tag)).await? else {
        return Ok(None);
    };
    Ok(cx.table().read::<Version>(&Key::entity(scope, Version::KIND, row.version_id)).await?)
}
