//! From files to declarations: which resources there are, before what they say is checked

use super::{
    address::{Address, Kind},
    bundle::{Bundle, ROOT, is_safe, matches},
    codes::Code,
    diagnostic::{Diagnostic, Diagnostics, Place},
    nearest::nearest,
    pack,
    spec::{PACK_FIELD, PolicyKind},
    yaml::{self, Key, Mark, Node, Yaml},
};
use crate::scope::Name;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use strum::IntoEnumIterator as _;

/// Most resources of a definition
pub const MAX_RESOURCES: usize = 100_000;
/// The fields of `weir.yaml` that are no kinds
const HEADER: [&str; 4] = ["version", "workspace", "files", "packs"];

/// A resource as a file declares it
pub struct Declared {
    /// The file
    pub file: Arc<str>,
    /// Where its name stands
    pub mark: Mark,
    /// What it says
    pub node: Node,
}

/// Everything that the files declare
#[derive(Default)]
pub struct Declarations {
    /// The workspace, if `weir.yaml` names one
    pub workspace: Option<Name>,
    /// The resources
    pub resources: BTreeMap<Address, Declared>,
    /// The packs, by name, each with its file
    pub packs: BTreeMap<String, String>,
}

/// Where a file comes from
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// It is `weir.yaml`
    Root,
    /// `weir.yaml` names it
    Own,
    /// It is in the pack of this name
    Pack(&'a str),
}

/// What the files of `bundle` declare
pub fn declarations(bundle: &Bundle, diagnostics: &mut Diagnostics) -> Declarations {
    let mut all = Declarations::default();
    let root: Arc<str> = ROOT.into();
    let Some(text) = bundle.files.get(ROOT) else {
        let place = Place { file: root, line: 1, column: 1, length: 1 };
        diagnostics.push(
            Diagnostic::error(Code::RootMissing, place, "there is no `weir.yaml`")
                .help(Code::RootMissing.help()),
        );
        return all;
    };
    let before = diagnostics.count();
    let Some(node) = yaml::parse(&root, text, diagnostics) else {
        if diagnostics.count() == before {
            let place = Place { file: root, line: 1, column: 1, length: 1 };
            diagnostics.push(
                Diagnostic::error(Code::RootInvalid, place, "`weir.yaml` is empty")
                    .help(Code::RootInvalid.help()),
            );
        }
        return all;
    };
    all.workspace = workspace(&root, &node, diagnostics);
    let files = matched(&patterns(&root, &node, "files", diagnostics), bundle, diagnostics);
    let packs = matched(&patterns(&root, &node, "packs", diagnostics), bundle, diagnostics);
    all.take(&root, node, Origin::Root, diagnostics);
    for file in files {
        let Some(text) = bundle.files.get(file) else { continue };
        let name: Arc<str> = file.into();
        if let Some(node) = yaml::parse(&name, text, diagnostics) {
            all.take(&name, node, Origin::Own, diagnostics);
        }
    }
    // Last: whom to trust is said by what is the definition's own.
    let trusted = all.signers();
    for file in packs {
        let Some(text) = bundle.files.get(file) else { continue };
        pack::declare(&mut all, file, text, &trusted, diagnostics);
    }
    all
}

/// The paths and patterns that `weir.yaml` names as its `field`, each with its place
fn patterns(
    file: &Arc<str>,
    root: &Node,
    field: &str,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Place)> {
    let mut patterns = Vec::new();
    let Some(node) = root.get(field) else { return patterns };
    let items =
        if let Yaml::List(items) = &node.value { items.as_slice() } else { std::slice::from_ref(node) };
    for item in items {
        let place = item.mark.in_file(file);
        match item.value.as_text() {
            Some(text) if is_safe(text) => patterns.push((text.to_owned(), place)),
            Some(_) => diagnostics.push(
                Diagnostic::error(Code::PathUnsafe, place, "this path leaves the definition's folder")
                    .help(Code::PathUnsafe.help()),
            ),
            None => diagnostics.push(
                Diagnostic::error(
                    Code::RootInvalid,
                    place,
                    format!("expected a path, found {}", item.value.noun()),
                )
                .help(Code::RootInvalid.help()),
            ),
        }
    }
    patterns
}

/// The paths and patterns that the `weir.yaml` in `text` names: the files to read besides it, packs included
pub fn files_named(text: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    named(text, &["files", "packs"])
}

/// As [`files_named`], those of packs only
pub fn packs_named(text: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    named(text, &["packs"])
}

fn named(text: &str, fields: &[&str]) -> Result<Vec<String>, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::default();
    let root: Arc<str> = ROOT.into();
    let node = yaml::parse(&root, text, &mut diagnostics);
    let mut named = Vec::new();
    for field in fields {
        named.extend(node.iter().flat_map(|node| patterns(&root, node, field, &mut diagnostics)));
    }
    if diagnostics.refuse() {
        Err(diagnostics.finish())
    } else {
        Ok(named.into_iter().map(|(pattern, _)| pattern).collect())
    }
}

fn matched<'a>(
    patterns: &[(String, Place)],
    bundle: &'a Bundle,
    diagnostics: &mut Diagnostics,
) -> BTreeSet<&'a str> {
    let mut files = BTreeSet::new();
    for (pattern, place) in patterns {
        let found: Vec<&str> = bundle
            .files
            .keys()
            .map(String::as_str)
            .filter(|path| *path != ROOT && matches(pattern, path))
            .collect();
        if found.is_empty() {
            let near = nearest(pattern, bundle.files.keys().map(String::as_str));
            let mut diagnostic = Diagnostic::error(
                Code::FileMissing,
                place.clone(),
                format!("no file is, or matches, `{pattern}`"),
            );
            diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
            diagnostics.push(diagnostic);
        }
        files.extend(found);
    }
    files
}

fn workspace(file: &Arc<str>, root: &Node, diagnostics: &mut Diagnostics) -> Option<Name> {
    let mut refuse = |mark: Mark, message: &str| {
        diagnostics.push(
            Diagnostic::error(Code::RootInvalid, mark.in_file(file), message).help(Code::RootInvalid.help()),
        );
    };
    match root.get("version") {
        Some(Node { value: Yaml::Int(1), .. }) => {}
        Some(node) => refuse(node.mark, "this version of definitions is not known: expected `version: 1`"),
        None => refuse(root.mark, "`version: 1` is missing"),
    }
    match root.get("workspace") {
        Some(Node { value: Yaml::Text(text), mark }) => {
            let name = text.parse();
            if name.is_err() {
                refuse(
                    *mark,
                    "the workspace's name is a lower-case letter, then at most 62 lower-case letters, digits or `-`",
                );
            }
            name.ok()
        }
        Some(node) => {
            refuse(node.mark, "the workspace's name is a text");
            None
        }
        None => {
            refuse(root.mark, "`workspace` is missing");
            None
        }
    }
}

impl Declarations {
    /// Whose packs are trusted, as far as the policies say so that have been read
    fn signers(&self) -> pack::Signers {
        let policies = self.resources.iter().filter(|(address, _)| address.kind() == Kind::Policy);
        let of_packs = policies.filter(|(_, policy)| {
            policy.node.get("kind").and_then(|kind| kind.value.as_text()) == Some(PolicyKind::PACKS)
        });
        let mut signers = pack::Signers::new();
        for (_, policy) in of_packs {
            let Some(Node { value: Yaml::Map(said), .. }) = policy.node.get("signers") else { continue };
            let key = |node: &Node| node.value.as_text().map(str::to_owned);
            signers.extend(said.iter().filter_map(|(name, node)| Some((name.text.clone(), key(node)?))));
        }
        signers
    }

    /// The resources of one file
    pub fn take(&mut self, file: &Arc<str>, node: Node, origin: Origin<'_>, diagnostics: &mut Diagnostics) {
        let is_root = origin == Origin::Root;
        let place = node.mark.in_file(file);
        let entries = node.value.into_entries().unwrap_or_else(|found| {
            refuse(place, format!("expected a mapping of kinds, found {found}"), diagnostics)
        });
        for (key, node) in entries {
            match key.text.parse::<Kind>() {
                Ok(kind) => self.take_kind(file, kind, node, origin, diagnostics),
                Err(_) if is_root && HEADER.contains(&key.text.as_str()) => {}
                Err(_) => {
                    let kinds = Kind::iter().map(Kind::as_str);
                    let near = nearest(&key.text, kinds.chain(HEADER.into_iter().filter(|_| is_root)));
                    let message = format!("there is no kind of resource `{}`", clip(&key.text));
                    let mut diagnostic =
                        Diagnostic::error(Code::UnknownKind, key.mark.in_file(file), message);
                    diagnostic.help = near.map(|near| format!("did you mean `{near}`?"));
                    diagnostics.push(diagnostic);
                }
            }
        }
    }

    fn take_kind(
        &mut self,
        file: &Arc<str>,
        kind: Kind,
        node: Node,
        origin: Origin<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let place = node.mark.in_file(file);
        let entries = node.value.into_entries().unwrap_or_else(|found| {
            let message = format!("expected names of kind `{kind}` and their fields, found {found}");
            refuse(place, message, diagnostics)
        });
        for (key, node) in entries {
            let by_hand = node.get(PACK_FIELD).filter(|_| !matches!(origin, Origin::Pack(_)));
            if let Some(claim) = by_hand.filter(|_| pack::PACK_KINDS.contains(&kind)) {
                let (code, place) = (Code::PackByHand, claim.mark.in_file(file));
                let message = "no resource that is written here comes from a pack";
                diagnostics.push(Diagnostic::error(code, place, message).help(code.help()));
            }
            self.take_resource(file, kind, &key, node, origin, diagnostics);
        }
    }

    fn take_resource(
        &mut self,
        file: &Arc<str>,
        kind: Kind,
        key: &Key,
        mut node: Node,
        origin: Origin<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let place = key.mark.in_file(file);
        let Some(address) =
            Address::new(kind, &key.text).ok().filter(|address| kind != Kind::Tenant || is_tenant(address))
        else {
            let message = format!("`{}` cannot be the name of a `{kind}`", clip(&key.text));
            diagnostics.push(Diagnostic::error(Code::BadName, place, message).help(Code::BadName.help()));
            return;
        };
        // A resource without fields is written `name:`; its fields are an empty mapping at its name.
        if matches!(node.value, Yaml::Null) {
            node = Node { mark: key.mark, value: Yaml::Map(Vec::new()) };
        }
        if let Some(first) = self.resources.get(&address) {
            // Twice in one file is a key that stands twice, and has been told.
            if first.file == *file {
                return;
            }
            let Place { file, line, .. } = first.mark.in_file(&first.file);
            let note = format!("it is declared first in {file}:{line}");
            let clash = match origin {
                Origin::Root | Origin::Own => {
                    Diagnostic::error(Code::DuplicateAddress, place, format!("`{address}` is declared twice"))
                }
                Origin::Pack(pack) => {
                    let message = format!("the pack `{pack}` holds `{address}`, which is there already");
                    Diagnostic::error(Code::PackClash, place, message).help(Code::PackClash.help())
                }
            };
            diagnostics.push(clash.note(note));
        } else if self.resources.len() == MAX_RESOURCES {
            let message = format!("there are more than {MAX_RESOURCES} resources");
            diagnostics.push(
                Diagnostic::error(Code::TooMany, place, message).help("split the definition into workspaces"),
            );
        } else {
            self.resources.insert(address, Declared { file: Arc::clone(file), mark: key.mark, node });
        }
    }
}

/// No entries, since what stands at `place` is no mapping
fn refuse(place: Place, message: String, diagnostics: &mut Diagnostics) -> Vec<(Key, Node)> {
    diagnostics.push(Diagnostic::error(Code::NotAMapping, place, message).help(Code::NotAMapping.help()));
    Vec::new()
}

/// Whether a tenant's name can stand in a scope, where names have no dots and no `_`
fn is_tenant(address: &Address) -> bool {
    address.names().parse::<Name>().is_ok()
}

fn clip(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
