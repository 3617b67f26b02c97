//! Lists that stand in several partitions, read one after the other as if they were one

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use weir_domain::{definition::address::Kind as ResourceKind, scope::Scope};
use weir_edge::{Cx, Kind, Problem};
use weir_store::{Entity, Key, Query, ResourceRow};

/// Rows that are read at a time where all are read
const ALL_PAGE: usize = 200;

/// At most `limit` entities of `partitions`, each given by a label and its key, from `cursor` on
///
/// The label is what a cursor remembers, so that it means the same partition when it comes back.
pub async fn walk<E: Entity>(
    cx: &Cx,
    partitions: &[(String, String)],
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<(String, E)>, Option<String>), Problem> {
    let begin = cursor.map(|cursor| read(cursor, partitions).ok_or_else(unreadable)).transpose()?;
    let (first, mut after) = begin.unwrap_or((0, None));
    let mut found = Vec::new();
    for (label, pk) in partitions.iter().skip(first) {
        let left = limit - found.len();
        if left == 0 {
            return Ok((found, Some(write(label, ""))));
        }
        let query = Query::Partition { pk: pk.clone(), prefix: String::new() };
        let (entities, next) = cx.table().list::<E>(&query, after.take().as_deref(), left).await?;
        found.extend(entities.into_iter().map(|entity| (label.clone(), entity)));
        if let Some(next) = next {
            return Ok((found, Some(write(label, &next))));
        }
    }
    Ok((found, None))
}

/// Resources of one kind, the tenant's and then its workspace's, each with whose it is
pub async fn walk_kind(
    cx: &Cx,
    own: &Scope,
    kind: ResourceKind,
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<(Scope, ResourceRow)>, Option<String>), Problem> {
    let mut scopes = vec![own.clone()];
    scopes.extend(own.tenant.is_some().then(|| own.outer()));
    let place = |scope: &Scope| (scope.to_string(), Key::resource_partition(scope, kind.as_str()));
    let places: Vec<_> = scopes.iter().map(place).collect();
    let (rows, next) = walk::<ResourceRow>(cx, &places, cursor, limit).await?;
    let scope_of = |label: &str| if own.to_string() == label { own.clone() } else { own.outer() };
    Ok((rows.into_iter().map(|(label, row)| (scope_of(&label), row)).collect(), next))
}

/// Every resource of one kind, the tenant's and then its workspace's: only of kinds of which a definition has few
pub async fn all_of_kind(
    cx: &Cx,
    own: &Scope,
    kind: ResourceKind,
) -> Result<Vec<(Scope, ResourceRow)>, Problem> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (rows, next) = walk_kind(cx, own, kind, cursor.as_deref(), ALL_PAGE).await?;
        found.extend(rows);
        if next.is_none() {
            return Ok(found);
        }
        cursor = next;
    }
}

fn write(label: &str, after: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{label}\n{after}"))
}

/// The place of the partition in the list, and where to go on in it
fn read(cursor: &str, partitions: &[(String, String)]) -> Option<(usize, Option<String>)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (label, after) = text.split_once('\n')?;
    let place = partitions.iter().position(|(known, _)| known == label)?;
    Some((place, Some(after.to_owned()).filter(|after| !after.is_empty())))
}

fn unreadable() -> Problem {
    Problem::new(Kind::InvalidQuery, "`cursor` is not the `next_cursor` of a page of this list")
        .at("/cursor", "not a cursor of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_only_by_the_list_that_wrote_it() {
        let partitions = [("a".to_owned(), "x".to_owned()), ("b".to_owned(), "y".to_owned())];
        assert_eq!(read(&write("b", "id"), &partitions), Some((1, Some("id".to_owned()))));
        assert_eq!(read(&write("b", ""), &partitions), Some((1, None)));
        for cursor in ["", "b", "!", &write("c", "id")] {
            assert_eq!(read(cursor, &partitions), None, "{cursor}");
        }
    }
}
