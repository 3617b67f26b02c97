//! Entities as the table holds them: a document, a version, and the list it stands in

use crate::Key;
use serde::{Serialize, de::DeserializeOwned};
use weir_domain::{scope::Scope, time::Millis};

/// Something that is stored whole under its own key
pub trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// The kind as it stands in keys: `release`, `plan`, …
    const KIND: &'static str;

    /// Where it is stored
    fn key(&self, scope: &Scope) -> Key;

    /// The status that it is listed by, and the id that sorts it within that list; `None` keeps it out of lists
    fn listed(&self) -> Option<(String, String)> {
        None
    }

    /// When the table may forget it
    fn expires_at(&self) -> Option<Millis> {
        None
    }
}

/// An entity as it was read, or as it is to be written
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it is
    pub key: Key,
    /// How often it has been written; the next write must find it unchanged
    pub version: u64,
    /// The entity
    pub doc: serde_json::Value,
    /// The list that it stands in and its place there (GSI1)
    pub list: Option<(String, String)>,
    /// When the table may forget it
    pub expires_at: Option<Millis>,
}

impl Record {
    /// `entity` of `scope` as it is first written
    pub fn new<E: Entity>(scope: &Scope, entity: &E) -> Result<Self, serde_json::Error> {
        Ok(Self {
            key: entity.key(scope),
            version: 1,
            doc: serde_json::to_value(entity)?,
            list: entity.listed().map(|(status, id)| (Key::list(scope, E::KIND, &status), id)),
            expires_at: entity.expires_at(),
        })
    }

    /// The entity
    pub fn entity<E: Entity>(&self) -> Result<E, serde_json::Error> {
        E::deserialize(&self.doc)
    }
}

/// The table's time to live counts in seconds: rounded up, so that nothing is forgotten too early
pub(crate) const fn whole_seconds(at: Millis) -> i64 {
    at.0.div_euclid(1_000) + (at.0.rem_euclid(1_000) != 0) as i64
}
