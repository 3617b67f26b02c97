//! Pages of lists of which not all is wanted that is stored

use weir_domain::time::Millis;
use weir_edge::{Cx, Problem, wire::page::Page};

/// How many entries are read at a time, at least, once it is known that some are not wanted
const LOOK: usize = 100;

/// How often that is done for one page: a page may hold fewer than asked for, so that none takes long
const LOOKS: usize = 20;

/// After this long a page is what has been found: an HTTP API gives up after 30 s
const LONG_ENOUGH: Millis = Millis::from_secs(10);

/// A list whose entries have to be looked at before it is known whether they are wanted
pub(crate) trait Listed {
    /// An entry as it is stored
    type Found;
    /// An entry as it is shown
    type Item;

    /// At most `limit` entries of each kind after the cursor, in their order, and where the next look begins
    async fn look(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Self::Found>, Option<String>), Problem>;

    /// The cursor of what comes after the entry
    fn cursor(&self, found: &Self::Found) -> String;

    /// The entry as it is shown; none if it is not wanted
    async fn item(&self, found: &Self::Found) -> Result<Option<Self::Item>, Problem>;
}

/// One page: full, or the last one, or what was found within a bounded number of looks and time
pub(crate) async fn fill<L: Listed>(
    cx: &Cx,
    list: &L,
    cursor: Option<String>,
    limit: usize,
) -> Result<Page<L::Item>, Problem> {
    let until = cx.clock.now() + LONG_ENOUGH;
    let (mut page, mut after) = (Page { items: Vec::new(), next_cursor: None }, cursor);
    for look in 0..LOOKS {
        // Where all is wanted the first look is enough.
        let size = if look == 0 { limit } else { limit.max(LOOK) };
        let (found, next) = list.look(after.as_deref(), size).await?;
        let mut found = found.iter().peekable();
        while let Some(one) = found.next() {
            page.items.extend(list.item(one).await?);
            let is_full = page.items.len() == limit || cx.clock.now() >= until;
            if is_full && (found.peek().is_some() || next.is_some()) {
                page.next_cursor = Some(list.cursor(one));
            }
            if is_full {
                return Ok(page);
            }
        }
        let Some(next) = next else { return Ok(page) };
        after = Some(next);
    }
    page.next_cursor = after;
    Ok(page)
}
