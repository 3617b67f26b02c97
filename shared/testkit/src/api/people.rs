//! Who calls in tests: one person a role, and some that gates tell apart
//!
//! Everybody's token is `<name>-token`.

use serde_json::{Value, json};
use weir_domain::canonical::Digest;

/// The workspace of every test
pub const WORKSPACE: &str = "harbor";
/// The tenant that callers belong to unless they say otherwise
pub const TENANT: &str = "acme";
/// Its external id
pub const TENANT_EXTERNAL_ID: &str = "00000000-0000-4000-8000-00000000000a";
/// Another tenant of the workspace
pub const OTHER_TENANT: &str = "globex";

/// Name, kind, on behalf of, groups, roles, tenant
type Person = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    &'static [&'static str],
    Option<&'static str>,
);

const PEOPLE: &[Person] = &[
    ("viewer", "user", None, &[], &["viewer"], Some(TENANT)),
    ("developer", "user", None, &[], &["developer"], Some(TENANT)),
    ("operator", "user", None, &[], &["operator"], Some(TENANT)),
    ("release_manager", "user", None, &["release-managers"], &["release_manager"], Some(TENANT)),
    ("admin", "user", None, &[], &["admin"], Some(TENANT)),
    ("nobody", "user", None, &[], &[], Some(TENANT)),
    ("alice", "user", None, &["release-managers"], &["operator"], Some(TENANT)),
    ("bob", "user", None, &["release-managers"], &["operator"], Some(TENANT)),
    ("alices-ai", "ai_agent", Some("alice"), &["release-managers"], &["operator"], Some(TENANT)),
    ("stranger", "user", None, &["release-managers"], &["admin"], Some(OTHER_TENANT)),
    ("root", "user", None, &[], &["admin"], None),
    ("root-manager", "user", None, &["release-managers"], &["release_manager"], None),
];

/// The tokens as the environment holds them
pub(super) fn dev_tokens() -> Value {
    let token = |(name, kind, on_behalf_of, groups, roles, tenant): &Person| {
        let mut actor = json!({ "id": name, "kind": kind, "groups": groups, "roles": roles });
        if let (Some(person), Value::Object(fields)) = (on_behalf_of, &mut actor) {
            fields.insert("on_behalf_of".to_owned(), json!(person));
        }
        let hash = Digest::of_bytes(format!("{name}-token").as_bytes());
        json!({ "sha256": hash.hex(), "actor": actor, "tenant": tenant })
    };
    PEOPLE.iter().map(token).collect()
}
