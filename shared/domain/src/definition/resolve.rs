//! Resolving references: from what a file says to the address that it means

use super::{
    address::{Address, Kind, are_names},
    codes::Code,
    diagnostic::{Diagnostic, Diagnostics, Place},
    nearest::nearest,
};
use std::collections::{BTreeMap, BTreeSet};

/// The names of all resources of a definition, and of those that are still applied but no longer in it
#[derive(Debug, Default)]
pub struct Names {
    by_kind: BTreeMap<Kind, BTreeSet<String>>,
    applied: BTreeSet<Address>,
}

impl Names {
    /// The names of the `declared` resources, where those `applied` are in the ledger
    pub fn new<'a>(declared: impl IntoIterator<Item = &'a Address>, applied: BTreeSet<Address>) -> Self {
        let mut by_kind: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
        for address in declared {
            by_kind.entry(address.kind()).or_default().insert(address.names().to_owned());
        }
        Self { by_kind, applied }
    }

    /// All names of `kind`
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.by_kind.get(&kind).into_iter().flatten().map(String::as_str)
    }

    fn has(&self, kind: Kind, names: &str) -> bool {
        self.by_kind.get(&kind).is_some_and(|known| known.contains(names))
    }

    /// The address that `text` means in a field that takes `kinds`; `None` if there is none, which is then reported
    pub fn resolve(
        &self,
        text: &str,
        kinds: &[Kind],
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> Option<Address> {
        let report = |diagnostic: Diagnostic, diagnostics: &mut Diagnostics| {
            diagnostics.push(diagnostic);
            None
        };
        let only = if let [only] = kinds { Some(*only) } else { None };
        // A bare name whose first part is the name of a kind: `service.x` may be the environment `environment.service.x`.
        let bare = only.filter(|kind| self.has(*kind, text));
        match text.parse::<Address>() {
            Ok(address) if kinds.contains(&address.kind()) => {
                match (self.has(address.kind(), address.names()), bare) {
                    (true, None) => Some(address),
                    (true, Some(_)) => report(ambiguous(text, kinds, place, self), diagnostics),
                    (false, Some(kind)) => Address::new(kind, text).ok(),
                    (false, None) => {
                        report(self.missing(&address, text, place, diagnostics.are_few()), diagnostics)
                    }
                }
            }
            Ok(address) => match bare {
                Some(_) if self.has(address.kind(), address.names()) => {
                    report(ambiguous(text, kinds, place, self), diagnostics)
                }
                Some(kind) => Address::new(kind, text).ok(),
                None => {
                    let message = format!("`{address}` is of the wrong kind");
                    let help = format!("this field takes {}", written(kinds));
                    report(Diagnostic::error(Code::WrongKind, place.clone(), message).help(help), diagnostics)
                }
            },
            Err(_) if !are_names(text) => {
                let message = "this is not the name of a resource";
                report(
                    Diagnostic::error(Code::Format, place.clone(), message).help(Code::BadName.help()),
                    diagnostics,
                )
            }
            Err(_) => match only {
                None => report(ambiguous(text, kinds, place, self), diagnostics),
                Some(kind) => {
                    let address = Address::new(kind, text).ok()?;
                    if bare.is_some() {
                        return Some(address);
                    }
                    report(self.missing(&address, text, place, diagnostics.are_few()), diagnostics)
                }
            },
        }
    }

    fn missing(&self, address: &Address, text: &str, place: &Place, search: bool) -> Diagnostic {
        if self.applied.contains(address) {
            let message = format!("`{address}` is being removed");
            return Diagnostic::error(Code::BeingRemoved, place.clone(), message)
                .label("it is applied, but no longer in this definition")
                .help("keep it, or take this reference away");
        }
        let diagnostic = Diagnostic::error(
            Code::MissingReference,
            place.clone(),
            format!("`{address}` does not exist"),
        )
        .label("no such resource in this definition")
        .note(format!(
            "a reference to a missing resource is refused when planned, never when running (weir help {})",
            Code::MissingReference
        ));
        let near = search.then(|| nearest(address.names(), self.of(address.kind()))).flatten();
        match near {
            Some(near) if text == address.as_str() => {
                diagnostic.help(format!("did you mean `{}.{near}`?", address.kind()))
            }
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        }
    }
}

fn ambiguous(text: &str, kinds: &[Kind], place: &Place, names: &Names) -> Diagnostic {
    let mut meant: Vec<String> =
        kinds.iter().filter(|kind| names.has(**kind, text)).map(|kind| format!("`{kind}.{text}`")).collect();
    if text.parse::<Address>().is_ok_and(|address| names.has(address.kind(), address.names())) {
        meant.push(format!("`{text}`"));
    }
    let help = match meant.as_slice() {
        [] => format!("write the typed address of {}", written(kinds)),
        [one] => format!("write {one}"),
        several => format!("write one of {}", several.join(", ")),
    };
    Diagnostic::error(
        Code::AmbiguousName,
        place.clone(),
        format!("`{text}` does not say which kind of resource it means"),
    )
    .help(help)
}

fn written(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ")
}
