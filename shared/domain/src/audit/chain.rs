//! The audit chain as data: how an object of it is made, and how it is verified by whoever holds it
//!
//! An object is JSON Lines: a header, then one line per event, `{"event":…,"hash":…}`, all canonical (RFC 8785).
//! Every hash is the SHA-256 of the 64 digits of the hash before it, followed by what it seals: for the header
//! its `count`, `day`, `next_day` and `seq`; for a line its event. The hash before the header is that of the last
//! object; before the first one, the workspace's own. With `jq` and `sha256sum` alone:
//!
//! ```text
//! printf '%s%s' "$prev" "$(jq -cS .event <<< "$line")" | sha256sum
//! ```
//!
//! A chain cannot see that its end was cut off: whoever verifies it brings the head from somewhere else.

use crate::{
    canonical::{self, Digest},
    id::AuditId,
    scope::Name,
};
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An object holds no more events than this: their outbox rows and the head fit into one transaction of the table
pub const EVENTS_MAX: usize = 90;

/// Where the chain of a workspace ends
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// How many objects it has: also the number of the last one
    pub seq: u64,
    /// The hash of all of it
    pub hash: Digest,
    /// The folder of the next object: decided here, so that there is one key only that can follow
    pub day: Date,
}

impl AuditHead {
    /// The head of a chain without objects. The first one lies at 1970-01-01 and opens the first day
    pub fn genesis(workspace: &Name) -> Self {
        let hash = Digest::of_bytes(format!("weir audit chain of {workspace}").as_bytes());
        Self { seq: 0, hash, day: date(1970, 1, 1) }
    }
}

/// An event that cannot be sealed
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event cannot be sealed: {0}")]
pub struct EntryError(&'static str);

/// One event, ready to be sealed
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    id: AuditId,
    /// The event as canonical JSON, without a line break in it
    event: String,
}

impl AuditEntry {
    /// `event`, a document whose `id` is that of an audit event
    pub fn new(event: &impl Serialize) -> Result<Self, EntryError> {
        let canonical =
            |value: &Value| canonical::to_vec(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let value = serde_json::to_value(event).map_err(|_| EntryError("it is not JSON"))?;
        let text = canonical(&value).ok_or(EntryError("it has no canonical form"))?;
        // A number that JSON readers do not agree on would give another text, and so another hash, when read back.
        let again: Value = serde_json::from_str(&text).map_err(|_| EntryError("it does not read back"))?;
        if canonical(&again).as_ref() != Some(&text) {
            return Err(EntryError("it does not read back as it was"));
        }
        let id = value.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Ok(Self { id: id.ok_or(EntryError("its `id` is not that of an audit event"))?, event: text })
    }

    /// What it is called
    pub const fn id(&self) -> AuditId {
        self.id
    }
}

/// Where a chain is broken, and how
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain is broken at object {seq}: {reason}")]
pub struct Break {
    /// The object that should have followed
    pub seq: u64,
    /// What is wrong with it
    pub reason: BreakReason,
}

/// What is wrong with an object of a chain
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BreakReason {
    /// It was removed, or the end was cut off
    #[error("it is missing")]
    Missing,
    /// It is not an object of an audit chain
    #[error("line {0} cannot be read")]
    Unreadable(usize),
    /// Another object stands in its place
    #[error("it says that it is object {0}")]
    OtherSeq(u64),
    /// It does not follow what is before it: that was changed, or this belongs elsewhere
    #[error("it does not follow the object before it")]
    Unlinked,
    /// Lines were removed or inserted
    #[error("it says that it has {said} events, and has {found}")]
    Count {
        /// In its header
        said: u64,
        /// Lines after the header
        found: u64,
    },
    /// Something in this line (the header is line 1) was changed
    #[error("line {0} was changed")]
    Changed(usize),
    /// All of it follows, but is not what the head was made of: somebody made it anew
    #[error("it is not the one that the head was made of")]
    Rewritten,
}

/// What a header says, in the order of canonical JSON
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    count: u64,
    day: Date,
    hash: Digest,
    next_day: Date,
    prev_hash: Digest,
    seq: u64,
}

/// A verified object
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where the chain ends with it
    pub head: AuditHead,
    /// The events that it seals, in order
    pub ids: Vec<AuditId>,
}

/// The object that seals `entries` after `head`, and the head after it, whose next object lies at `next_day`
///
/// The same arguments give the same bytes: a write that is repeated after a crash meets itself.
pub fn seal<'a>(
    head: &AuditHead,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
    next_day: Date,
) -> (Vec<u8>, AuditHead) {
    let entries: Vec<&AuditEntry> = entries.into_iter().collect();
    let (count, day, seq) = (entries.len(), head.day, head.seq.saturating_add(1));
    // Written out: four plain members in canonical order need no serialiser that could fail.
    let opening = format!(r#"{{"count":{count},"day":"{day}","next_day":"{next_day}","seq":{seq}}}"#);
    let mut hash = link(&head.hash, &opening);
    let mut lines = String::new();
    for entry in entries {
        hash = link(&hash, &entry.event);
        lines.push_str(&format!("{{\"event\":{},\"hash\":\"{hash}\"}}\n", entry.event));
    }
    let header = format!(
        "{{\"count\":{count},\"day\":\"{day}\",\"hash\":\"{hash}\",\"next_day\":\"{next_day}\",\"prev_hash\":\"{}\",\"seq\":{seq}}}\n",
        head.hash
    );
    ((header + &lines).into_bytes(), AuditHead { seq, hash, day: next_day })
}

/// Reads the object after `head`; anything but what [`seal`] made of some events is a break
pub fn open(head: &AuditHead, object: &[u8]) -> Result<Opened, Break> {
    let seq = head.seq.saturating_add(1);
    let broken = |reason| Break { seq, reason };
    let text = std::str::from_utf8(object).map_err(|_| broken(BreakReason::Unreadable(1)))?;
    let mut lines = text.lines();
    let header: Header = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| broken(BreakReason::Unreadable(1)))?;
    if header.seq != seq {
        return Err(broken(BreakReason::OtherSeq(header.seq)));
    }
    if header.prev_hash != head.hash || header.day != head.day {
        return Err(broken(BreakReason::Unlinked));
    }
    let mut entries = Vec::new();
    for (index, line) in lines.enumerate() {
        let unreadable = || broken(BreakReason::Unreadable(index + 2));
        let line: Value = serde_json::from_str(line).map_err(|_| unreadable())?;
        entries.push(line.get("event").and_then(|event| AuditEntry::new(event).ok()).ok_or_else(unreadable)?);
    }
    let found = entries.len() as u64;
    if header.count != found {
        return Err(broken(BreakReason::Count { said: header.count, found }));
    }
    let (expected, after) = seal(head, &entries, header.next_day);
    if expected != object {
        return Err(broken(BreakReason::Changed(first_change(&expected, object))));
    }
    Ok(Opened { head: after, ids: entries.iter().map(AuditEntry::id).collect() })
}

/// A chain that is verified object by object, against a head from elsewhere if one is given
///
/// Objects after that head are fine: the chain has grown since.
#[derive(Debug)]
pub struct Verification<'a> {
    at: AuditHead,
    known: Option<&'a AuditHead>,
}

impl<'a> Verification<'a> {
    /// Begins after `start`
    pub fn new(start: AuditHead, known: Option<&'a AuditHead>) -> Result<Self, Break> {
        let begun = Self { at: start, known };
        begun.check()?;
        Ok(begun)
    }

    /// The next object; the events that it seals
    pub fn follow(&mut self, object: &[u8]) -> Result<Vec<AuditId>, Break> {
        let Opened { head, ids } = open(&self.at, object)?;
        self.at = head;
        self.check()?;
        Ok(ids)
    }

    /// Nothing follows: where the chain ends
    pub fn end(self) -> Result<AuditHead, Break> {
        match self.known {
            Some(known) if known.seq > self.at.seq => {
                Err(Break { seq: self.at.seq.saturating_add(1), reason: BreakReason::Missing })
            }
            Some(_) | None => Ok(self.at),
        }
    }

    fn check(&self) -> Result<(), Break> {
        match self.known {
            Some(known) if known.seq == self.at.seq && *known != self.at => {
                Err(Break { seq: self.at.seq, reason: BreakReason::Rewritten })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Verifies `objects`, in their order, as what follows `start`; the answer is where the chain ends
pub fn verify<O: AsRef<[u8]>>(
    start: &AuditHead,
    objects: impl IntoIterator<Item = O>,
    head: Option<&AuditHead>,
) -> Result<AuditHead, Break> {
    let mut verification = Verification::new(start.clone(), head)?;
    for object in objects {
        verification.follow(object.as_ref())?;
    }
    verification.end()
}

/// The hash after `before` that seals `canonical`
fn link(before: &Digest, canonical: &str) -> Digest {
    Digest::of_bytes(format!("{}{canonical}", before.hex()).as_bytes())
}

/// The first line that differs: an event's before the header's, whose hash covers them all
fn first_change(expected: &[u8], found: &[u8]) -> usize {
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (expected, found) = (lines(expected), lines(found));
    let differs = |(index, (one, other)): (usize, (&Vec<u8>, &Vec<u8>))| (one != other).then_some(index + 1);
    let mut changed = expected.iter().zip(&found).enumerate().filter_map(differs);
    let first = changed.next().unwrap_or(1);
    if first == 1 { changed.next().unwrap_or(1) } else { first }
}

#[cfg(test)]
mod tests;
