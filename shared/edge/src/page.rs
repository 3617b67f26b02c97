//! Lists, a page at a time: `?limit=&cursor=` → `{items, next_cursor}`

use crate::wire::page::Page;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many items a page has, where the caller does not say
pub const LIMIT_DEFAULT: u32 = 50;
/// How many items a page has at most; asking for more is no error
pub const LIMIT_MAX: u32 = 200;

/// What a list's query string holds when it has no filters
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most so many items; 50 if absent, never more than 200
    pub limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many items to read
    pub fn size(&self) -> usize {
        size(self.limit)
    }
}

/// How many items to read when `limit` was asked for
pub fn size(limit: Option<u32>) -> usize {
    usize::try_from(limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)).unwrap_or(1)
}

/// A page of what was read, each item as callers see it
pub fn page<S, T>((items, next_cursor): (Vec<S>, Option<String>), view: impl FnMut(S) -> T) -> Page<T> {
    Page { items: items.into_iter().map(view).collect(), next_cursor }
}
