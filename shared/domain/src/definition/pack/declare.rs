//! From the packs that a `weir.yaml` names to what they declare

use super::{Opened, PACK_KINDS, PackError, Signers, open_pack};
use crate::definition::{
    address::Kind,
    codes::Code,
    declared::{Declarations, Origin},
    diagnostic::{Diagnostic, Diagnostics, Place},
    spec::{PACK_FIELD, PackRef},
    yaml::{self, Key, Mark, Node, Yaml},
};
use std::{collections::BTreeMap, sync::Arc};

/// Takes the resources of the pack in `text` into `all`
pub fn declare(
    all: &mut Declarations,
    file: &str,
    text: &str,
    trusted: &Signers,
    diagnostics: &mut Diagnostics,
) {
    let place = start(&Arc::from(file));
    let opened = match open_pack(text, trusted) {
        Ok(opened) => opened,
        Err(error) => return diagnostics.push(refusal(&error, place)),
    };
    let name = opened.pack.manifest.name.to_string();
    if let Some(other) = all.packs.insert(name.clone(), file.to_owned()) {
        let message = format!("the pack `{name}` is here twice: `{other}` holds it, too");
        return diagnostics.push(coded(Code::PackTwice, place, message));
    }
    let Opened { pack, .. } = &opened;
    let reference = Arc::new(opened.reference());
    for (path, text) in &pack.files {
        let inner: Arc<str> = format!("{file}!{path}").into();
        if let Some(node) = yaml::parse(&inner, text, diagnostics) {
            if let Some(found) = foreign_in(&inner, &node) {
                diagnostics.push(found);
                continue;
            }
            all.take(&inner, marked(node, &reference), Origin::Pack(&name), diagnostics);
        }
    }
}

/// What in the files of a pack is not for a pack to say
pub(super) fn foreign(files: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (path, text) in files {
        let file: Arc<str> = path.as_str().into();
        let node = yaml::parse(&file, text, &mut Diagnostics::default());
        found.extend(node.and_then(|node| foreign_in(&file, &node)));
    }
    found
}

fn foreign_in(file: &Arc<str>, node: &Node) -> Option<Diagnostic> {
    let Yaml::Map(kinds) = &node.value else { return None };
    for (key, resources) in kinds {
        if let Some(kind) = key.text.parse::<Kind>().ok().filter(|kind| !PACK_KINDS.contains(kind)) {
            let message = format!("a pack holds no {kind}: it says what is done, not to what or who agrees");
            return Some(coded(Code::PackForeign, key.mark.in_file(file), message));
        }
        let Yaml::Map(resources) = &resources.value else { continue };
        for (_, resource) in resources {
            let Yaml::Map(fields) = &resource.value else { continue };
            let own = fields.iter().find(|(field, _)| matches!(field.text.as_str(), "tenant" | PACK_FIELD));
            if let Some((field, _)) = own {
                let message = format!("`{}` is not for a pack to say", field.text);
                return Some(coded(Code::PackForeign, field.mark.in_file(file), message));
            }
        }
    }
    None
}

/// `node`, a file of a pack, where each resource says which pack it comes from
fn marked(node: Node, pack: &PackRef) -> Node {
    let Node { mark, value: Yaml::Map(kinds) } = node else { return node };
    let kinds = kinds.into_iter().map(|(key, resources)| {
        let is_scenario = key.text == Kind::Scenario.as_str();
        let Node { mark, value } = resources;
        let value = if let Yaml::Map(entries) = value {
            let entries = entries.into_iter().map(|(name, it)| (name, of_pack(it, pack, is_scenario)));
            Yaml::Map(entries.collect())
        } else {
            value
        };
        (key, Node { mark, value })
    });
    Node { mark, value: Yaml::Map(kinds.collect()) }
}

fn of_pack(resource: Node, pack: &PackRef, is_scenario: bool) -> Node {
    let mark = resource.mark;
    let Yaml::Map(mut fields) = resource.value else { return resource };
    let text = |text: &str| Node { mark, value: Yaml::Text(text.to_owned()) };
    let entry = |name: &str, node: Node| (Key { mark, text: name.to_owned() }, node);
    let reference = [
        ("name", &pack.name),
        ("version", &pack.version),
        ("vendor", &pack.vendor),
        ("signer", &pack.signer),
        ("digest", &pack.digest),
    ];
    let reference = reference.into_iter().map(|(name, value)| entry(name, text(value))).collect();
    fields.push(entry(PACK_FIELD, Node { mark, value: Yaml::Map(reference) }));
    if is_scenario {
        fields.retain(|(field, _)| field.text != "source");
        fields.push(entry("source", text("marketplace")));
    }
    Node { mark, value: Yaml::Map(fields) }
}

fn refusal(error: &PackError, place: Place) -> Diagnostic {
    coded(error.code(), place, error.to_string())
}

fn coded(code: Code, place: Place, message: String) -> Diagnostic {
    Diagnostic::error(code, place, message).help(code.help())
}

/// The beginning of `file`: a signature is one of the whole
fn start(file: &Arc<str>) -> Place {
    Mark::START.in_file(file)
}
