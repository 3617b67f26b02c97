//! Resources of the definition, as they were applied last

mod get;
mod list;
#[cfg(test)]
mod tests;

pub use get::ResourceGet;
pub use list::ResourceList;

use weir_domain::scope::Scope;
use weir_edge::wire::resource::ResourceView;
use weir_store::ResourceRow;

fn view(row: ResourceRow, scope: &Scope) -> ResourceView {
    ResourceView {
        kind: row.address.kind(),
        address: row.address,
        scope: scope.to_string(),
        spec: row.spec,
        digest: row.digest,
        revision: row.revision,
        operation_id: row.operation_id,
        applied_at: row.applied_at,
    }
}
