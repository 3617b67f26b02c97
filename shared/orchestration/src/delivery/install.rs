//! What an agent put on its target, written down before its node ends

use super::gather::target_state;
use crate::{Engine, EngineError, records::record};
use weir_domain::{
    definition::address::Address,
    delivery::{Installed, TargetState, VersionSticker},
    scope::Scope,
};
use weir_store::{Entity as _, Key, TransactError, Write};

/// How often a write that met another one is made again
const TRIES: u32 = 5;

/// Records that `target` has `installed`, and the sticker that says so. The same again changes nothing, and so does what
/// was held up until another operation had put something there
pub async fn record_installed(
    engine: &Engine,
    scope: &Scope,
    target: &Address,
    installed: Installed,
    sticker: Option<VersionSticker>,
) -> Result<(), EngineError> {
    for _ in 0..TRIES {
        let before = target_state(engine, scope, target).await?;
        let expected = before.as_ref().map(|(_, version)| *version);
        let after = TargetState::after(before.map(|(state, _)| state), target.clone(), installed.clone());
        let Some(after) = after else { return Ok(()) };
        let mut writes = vec![put(record(scope, &after)?, expected)];
        if let Some(sticker) = &sticker {
            let key = Key::entity(scope, VersionSticker::KIND, target);
            let expected = engine.table.get(&key).await?.map(|found| found.version);
            writes.push(put(record(scope, sticker)?, expected));
        }
        if engine.commit(&writes).await? {
            return Ok(());
        }
    }
    Err(TransactError::Conflict(vec![0]).into())
}

fn put(record: weir_store::Record, expected: Option<u64>) -> Write {
    match expected {
        None => Write::Create(record),
        Some(expected) => Write::Replace { expected, record },
    }
}
