//! Calls about scenario packs

use crate::api::{ApiError, Client};
use weir_edge::wire::{pack::PackView, page::Page};

impl Client {
    /// The scenario packs that are applied
    pub async fn pack_list(&self, query: &[(&str, &str)]) -> Result<Page<PackView>, ApiError> {
        self.get("/v1/packs", query).await
    }
}
