//! Every diagnostic of definitions: a stable code, what it means, and what to do about it
//!
//! `W01xx` files and their syntax · `W02xx` fields, references and graphs · `W03xx` secrets · `W06xx` limits ·
//! `W05xx` plans · `W07xx` packs. A code that has been given out is never given another meaning.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};
use strum::{EnumIter, IntoEnumIterator as _};

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $help:literal;)+) => {
        /// What a diagnostic says, as a stable code
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, Serialize, Deserialize)]
        pub enum Code {$(
            #[doc = $title]
            #[serde(rename = $code)]
            $name,
        )+}

        impl Code {
            /// The code as it is written: `W0207`
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it means
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// Why it is refused, and what to do about it
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)+ }
            }
        }
    };
}

codes! {
    Syntax = "W0101", "the file is not YAML",
        "A definition is YAML 1.2. The position is where reading stopped; the mistake is there or just before.";
    DuplicateKey = "W0102", "a key stands twice in one place",
        "One of the two would silently win. Keep one; two resources of one kind need two names.";
    AliasRefused = "W0103", "YAML anchors, aliases and tags are not read",
        "A few lines of aliases can stand for gigabytes, and a diff no longer shows what changes. Write it out, or \
         share it by a reference to a `template` or `job`.";
    NotAMapping = "W0104", "a file must be a mapping of kinds",
        "Each file maps kinds to names to fields: `environment:`, below it `production:`, below that its fields.";
    RootMissing = "W0105", "there is no `weir.yaml`",
        "The folder's root holds `weir.yaml` with `version: 1`, the name of the `workspace` and the `files` to read.";
    RootInvalid = "W0106", "`weir.yaml` is not right",
        "It holds `version: 1`, `workspace: <name>` and `files:`, a list of paths or patterns such as `services/*.yaml`; \
         and it may hold resources.";
    FileMissing = "W0107", "a file that `weir.yaml` names is not there",
        "Each entry of `files` must match at least one file of the folder: an entry that matches nothing is a mistake.";
    PathUnsafe = "W0108", "a path leaves the definition's folder",
        "Paths are relative, with `/` between parts, and have no `..`: whatever a definition says can then be read \
         from its folder alone.";
    UnknownKind = "W0109", "there is no such kind of resource",
        "The kinds are those of `weir help kinds`; each has a schema in `infra/schemas`.";
    BadName = "W0110", "a resource's name is malformed",
        "Names are lower-case letters, digits, `-` and `_`, begin with a letter and are at most 63 long; up to four \
         with dots between, such as `staging.stg-1`.";
    DuplicateAddress = "W0111", "a resource is declared twice",
        "An address names one resource. Keep one declaration or rename one.";
    UnknownField = "W0201", "there is no such field",
        "Fields that nothing reads are refused, since a misspelt safeguard would otherwise be no safeguard.";
    WrongType = "W0202", "a value is of the wrong type",
        "The message says what was expected. Texts that look like numbers or truth values need quotes.";
    MissingField = "W0203", "a field is missing",
        "The field has no default that would be right for everybody.";
    OutOfRange = "W0204", "a value is out of its range",
        "The message says the range.";
    NotOneOf = "W0205", "a value is none of those allowed",
        "The message lists what is allowed.";
    Format = "W0206", "a value has the wrong form",
        "The message says the form.";
    MissingReference = "W0207", "a reference names a resource that does not exist",
        "A reference to a missing resource is refused when planned, never when running.";
    WrongKind = "W0208", "a reference names a resource of the wrong kind",
        "The message says which kinds fit in the field.";
    AmbiguousName = "W0209", "a bare name could mean several resources",
        "Write the typed address, such as `provider.source.github_org`.";
    BeingRemoved = "W0210", "a reference names a resource that is being removed",
        "The resource is still in the ledger but no longer in the definition. Keep it, or take the reference away first.";
    NodeTwice = "W0211", "two nodes of a template have one name",
        "Nodes are referred to by name within their template.";
    NodeMissing = "W0212", "a template refers to a node that it does not hold",
        "`depends_on`, `outputs` and `editable_points` name nodes of the same template.";
    NodeCycle = "W0213", "nodes of a template wait for each other",
        "None of them could ever begin. The message names the whole cycle.";
    InterventionUnverified = "W0214", "nothing verifies a manual step",
        "A manual step is always followed by a verification: else nobody would know that it was done.";
    TenantUnclear = "W0215", "it is not clear whose a resource is",
        "With one tenant, resources of tenants are that tenant's. With several, each says `tenant: <name>`.";
    TenantRefused = "W0216", "resources of this kind belong to the workspace",
        "The whole workspace shares them; take `tenant` away.";
    OtherTenant = "W0217", "a reference reaches into another tenant",
        "Tenants see their own resources and those of the workspace, and nothing of each other.";
    ProductionExplicit = "W0218", "a production environment leaves something to a default",
        "Defaults of adapters may change; production says where it runs.";
    Contradiction = "W0219", "a resource contradicts itself",
        "The message says how.";
    NobodyEligible = "W0220", "nobody could approve",
        "The policies that hold in the environment have no eligible group in common, so that a promotion would wait for ever.";
    ExpressionWrong = "W0221", "a condition or reference of a template is not right",
        "A reference is `${inputs.<name>}`, `${target.<field>}`, `${resource.<field>}` or `${each}`; a condition compares them, as \
         in `${inputs.mode} == 'full'`. Inputs are declared by the same template. `${NAME}`, in capitals, names a secret.";
    DeliveryCannot = "W0222", "a template of deliveries asks for what no delivery does",
        "Scenarios that deploy, promote or roll back environments lay their template out target by target. What they do not do \
         is refused here, so that it is not found out in the middle of a delivery.";
    OutputNever = "W0223", "an output of a template is taken from a step that gives none",
        "Agents report whether it went well, and so do checks; gates and manual steps are decided. Take the output from an \
         `http.call`, a `lambda.invoke`, a `verify.metric` or a sub-operation, or away.";
    SecretLiteral = "W0301", "a secret is written out",
        "Definitions are shared and kept for ever. Write `${NAME}` here and the value into the git-ignored `.env`; and \
         change the secret if this file was ever committed.";
    SecretMisplaced = "W0302", "a secret is named where none is read",
        "`${NAME}` is filled in only in fields that hold secrets; elsewhere the text itself would be used.";
    GroupTooLarge = "W0501", "a change cannot be applied in one piece",
        "Resources that change together and refer to each other become true together, in one transaction of at most 80 \
         resources. Apply the change in two steps.";
    TooMany = "W0601", "there is too much of something",
        "The message says the limit. Limits are checked here so that they are never met in the middle of a run.";
    TooLarge = "W0602", "a file or value is too large",
        "A file may have 16 MiB, a definition 64 MiB, a resource 256 KiB.";
    TooDeep = "W0603", "values are nested too deeply",
        "No field of any kind needs more than 32 levels.";
    PackUnreadable = "W0701", "a file that `packs` names is no scenario pack",
        "A pack is one file that `weir pack build` has written, of a form that this version knows.";
    PackUnsigned = "W0702", "a scenario pack is not signed",
        "Whoever makes the pack signs it: `weir pack build --key`. Nothing of an unsigned pack is read.";
    PackSignerUnknown = "W0703", "nobody who is trusted has signed a scenario pack",
        "A policy of the kind `packs` names in `signers` whose packs may be imported, each with a public key. Ask whoever \
         made the pack for theirs, on another way than the pack came.";
    PackTampered = "W0704", "a scenario pack is not what was signed",
        "Its bytes have changed since they were signed, or somebody has put a trusted name on them. Get it again from \
         whoever made it, and tell them.";
    PackForeign = "W0705", "a scenario pack says what is not for it to say",
        "A pack holds scenarios, templates and jobs. Environments, policies and whose things are stay with the definition.";
    PackClash = "W0706", "a scenario pack holds a resource that is there already",
        "An address names one resource. Rename your own, or ask for a pack with another name for its own.";
    PackTwice = "W0707", "a scenario pack is there twice",
        "One version of a pack holds at a time. Remove the older file.";
    PackRisk = "W0708", "a scenario of a pack is riskier than is allowed",
        "The policy that trusts its signer says in `max_risk` how risky their scenarios may be; `medium` when it does not.";
    PackByHand = "W0709", "a resource claims to come from a pack",
        "`pack` is written by reading a signed pack and by nothing else. Take it away.";
}

impl Code {
    /// Every code, in order
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::all().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A stable code, such as `W0207`", "pattern": "^W[0-9]{4}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable() {
        let table: String = Code::all().map(|code| format!("{code} {}\n", code.title())).collect();
        crate::golden::check("codes.txt", &table);
        let mut codes: Vec<_> = Code::all().map(Code::as_str).collect();
        assert!(codes.is_sorted());
        codes.dedup();
        assert_eq!(codes.len(), Code::all().count());
    }
}
