//! Reading a definition: from its files to resources that are known to be right

use super::{
    address::{Address, Kind},
    bundle::Bundle,
    check::Check,
    codes::Code,
    declared::{Declarations, Declared, declarations},
    diagnostic::{Diagnostic, Diagnostics, Place},
    recipes::Recipes,
    resolve::Names,
    shape::{self, Shape},
    spec::{self, ApprovalRule, Environment, Ownership, Policy, Scenario},
    state::State,
    yaml::{self, Mark, Yaml},
};
use crate::{
    canonical::{Digest, NotCanonical, to_vec},
    scope::Name,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use super::declared::{MAX_RESOURCES, files_named, packs_named};

/// Largest resource, in bytes of canonical JSON: it is an item of the table
pub const MAX_RESOURCE: usize = 256 << 10;

/// `text`, YAML or JSON in the file called `name`, as JSON: read as strictly as a definition's files are
pub fn read_value(name: &str, text: &str) -> Result<Value, Vec<Diagnostic>> {
    let mut diagnostics = Diagnostics::default();
    let read = yaml::parse(&Arc::from(name), text, &mut diagnostics);
    if diagnostics.refuse() {
        return Err(diagnostics.finish());
    }
    Ok(read.map_or(Value::Null, |node| node.to_json()))
}

/// A definition in which everything is right
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The workspace that it defines
    pub workspace: Name,
    /// The digest of its files
    pub digest: Digest,
    /// Its resources
    pub resources: BTreeMap<Address, Resource>,
}

/// One resource of a definition
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its kind
    pub kind: Kind,
    /// Whose it is; the workspace's when absent
    pub tenant: Option<Name>,
    /// What it says, with typed addresses; read it as its kind's type of [`spec`]
    pub spec: Value,
    /// The digest of its kind, tenant and spec
    pub digest: Digest,
    /// The resources that it refers to, its tenant among them
    pub dependencies: BTreeSet<Address>,
    /// Where it is declared
    pub place: Place,
    /// How large its spec is, in bytes of canonical JSON
    pub size: usize,
}

impl Resource {
    /// What it says, as the type of its kind
    pub fn spec<S: spec::Spec>(&self) -> Option<S> {
        (self.kind == S::KIND).then(|| S::deserialize(&self.spec).ok()).flatten()
    }
}

/// What came of reading
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The definition; none if something is refused
    pub definition: Option<Definition>,
    /// Everything that is wrong with it
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `bundle`; `applied` is the ledger, if it is known, so that references to what is being removed are told from typos
pub fn read(bundle: &Bundle, applied: Option<&State>) -> Result<Reading, NotCanonical> {
    let wrong = bundle.check();
    if !wrong.is_empty() {
        return Ok(Reading { definition: None, diagnostics: wrong });
    }
    let mut diagnostics = Diagnostics::default();
    let Declarations { workspace, resources: declared, packs: _ } = declarations(bundle, &mut diagnostics);
    let applied = applied.map(|state| state.resources().keys().cloned().collect()).unwrap_or_default();
    let names = Names::new(declared.keys(), applied);
    let mut resources = BTreeMap::new();
    for (address, declared) in &declared {
        if let Some(resource) = resource(address, declared, &names, &mut diagnostics)? {
            resources.insert(address.clone(), resource);
        }
    }
    check_tenants(&resources, &mut diagnostics);
    check_approvals(&resources, &mut diagnostics);
    check_risks(&resources, &mut diagnostics);
    Recipes { resources: &resources, declared: &declared }.check(&mut diagnostics);
    let refused = diagnostics.refuse();
    let definition = match workspace.filter(|_| !refused) {
        Some(workspace) => Some(Definition { workspace, digest: bundle.digest()?, resources }),
        None => None,
    };
    Ok(Reading { definition, diagnostics: diagnostics.finish() })
}

/// One resource, as far as it could be read
fn resource(
    address: &Address,
    declared: &Declared,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Resource>, NotCanonical> {
    let Declared { file, mark, node } = declared;
    let place = mark.in_file(file);
    let (Shape::Object(fields), Yaml::Map(_)) = (shape::of(address.kind()), &node.value) else {
        let message = format!("expected the fields of `{address}`, found {}", node.value.noun());
        diagnostics.push(Diagnostic::error(Code::WrongType, node.mark.in_file(file), message));
        return Ok(None);
    };
    let before = diagnostics.count();
    let mut check = Check { file, names, diagnostics, references: BTreeMap::new() };
    let spec = Value::Object(check.object(node, fields, *mark, &["tenant"]));
    let mut dependencies: BTreeSet<Address> = std::mem::take(&mut check.references).into_keys().collect();
    let tenant = tenant(address, declared, names, diagnostics);
    if diagnostics.count() == before {
        for finding in spec::entry(address.kind()).findings(&spec) {
            let at = if finding.path.is_empty() { *mark } else { node.mark_of(&finding.path) };
            let mut diagnostic = Diagnostic::error(finding.code, at.in_file(file), finding.message);
            diagnostic.help = finding.help;
            diagnostics.push(diagnostic);
        }
    }
    dependencies.extend(tenant.as_ref().and_then(|tenant| Address::new(Kind::Tenant, tenant.as_str()).ok()));
    let size = to_vec(&spec)?.len();
    if size > MAX_RESOURCE {
        let message = format!("`{address}` has {size} bytes; at most {MAX_RESOURCE} fit");
        diagnostics.push(Diagnostic::error(Code::TooLarge, place.clone(), message));
    }
    let digest = digest(address.kind(), tenant.as_ref(), &spec)?;
    Ok(Some(Resource { kind: address.kind(), tenant, spec, digest, dependencies, place, size }))
}

/// The digest of a resource: a change of any of these is a change of it
pub fn digest(kind: Kind, tenant: Option<&Name>, spec: &Value) -> Result<Digest, NotCanonical> {
    Digest::of(&(kind, tenant, spec))
}

/// Whose a resource is
fn tenant(
    address: &Address,
    declared: &Declared,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<Name> {
    let file = &declared.file;
    let said = declared.node.get("tenant").filter(|node| !matches!(node.value, Yaml::Null));
    let ownership = spec::entry(address.kind()).ownership;
    let refuse = |code: Code, mark: Mark, message: String, diagnostics: &mut Diagnostics| {
        diagnostics.push(Diagnostic::error(code, mark.in_file(file), message).help(code.help()));
        None
    };
    match (ownership, said) {
        (Ownership::Workspace, None) | (Ownership::Either, None) => None,
        (Ownership::Workspace, Some(node)) => refuse(
            Code::TenantRefused,
            node.mark,
            format!("a `{}` belongs to the workspace", address.kind()),
            diagnostics,
        ),
        (Ownership::Tenant, None) => {
            let mut tenants = names.of(Kind::Tenant);
            match (tenants.next(), tenants.next()) {
                (Some(only), None) => only.parse().ok(),
                (None, _) => None,
                (Some(_), Some(_)) => refuse(
                    Code::TenantUnclear,
                    declared.mark,
                    format!("`{address}` does not say whose it is"),
                    diagnostics,
                ),
            }
        }
        (Ownership::Tenant | Ownership::Either, Some(node)) => match node.value.as_text() {
            Some(text) => {
                let found = names.resolve(text, &[Kind::Tenant], &node.mark.in_file(file), diagnostics)?;
                found.names().parse().ok()
            }
            None => refuse(
                Code::WrongType,
                node.mark,
                format!("expected a tenant's name, found {}", node.value.noun()),
                diagnostics,
            ),
        },
    }
}

/// No tenant's resource refers to another tenant's
fn check_tenants(resources: &BTreeMap<Address, Resource>, diagnostics: &mut Diagnostics) {
    for (address, resource) in resources {
        for needed in &resource.dependencies {
            let theirs = resources.get(needed).and_then(|needed| needed.tenant.as_ref());
            if let (Some(own), Some(theirs)) = (&resource.tenant, theirs)
                && own != theirs
            {
                let message =
                    format!("`{address}` of tenant `{own}` refers to `{needed}` of tenant `{theirs}`");
                diagnostics.push(
                    Diagnostic::error(Code::OtherTenant, resource.place.clone(), message)
                        .help(Code::OtherTenant.help()),
                );
            }
        }
    }
}

/// Wherever an approval is asked for, somebody could give it
fn check_approvals(resources: &BTreeMap<Address, Resource>, diagnostics: &mut Diagnostics) {
    let policies = policies(resources);
    for (address, resource) in resources.iter().filter(|(address, _)| address.kind() == Kind::Environment) {
        let rule = resource.spec().map(|environment| rule(address, &environment, &policies));
        if rule.is_some_and(|rule| {
            rule.required_approvals > 0 && rule.eligible_groups.is_some_and(|groups| groups.is_empty())
        }) {
            let message = format!("nobody could approve a promotion to `{address}`");
            diagnostics.push(
                Diagnostic::error(Code::NobodyEligible, resource.place.clone(), message)
                    .help(Code::NobodyEligible.help()),
            );
        }
    }
}

/// No scenario of a pack is riskier than the policies allow that trust whoever has signed it
fn check_risks(resources: &BTreeMap<Address, Resource>, diagnostics: &mut Diagnostics) {
    let policies = policies(resources);
    let allowed = |signer: &str| {
        let trusting = policies.iter().filter(|(_, policy)| policy.signers.contains_key(signer));
        trusting.map(|(_, policy)| policy.risk_allowed()).min()
    };
    for (address, resource) in resources {
        let Some(scenario) = resource.spec::<Scenario>() else { continue };
        let Some(pack) = &scenario.pack else { continue };
        let level = scenario.risk_metadata.level;
        if allowed(&pack.signer).is_none_or(|allowed| level > allowed) {
            let said = serde_json::to_value(level).unwrap_or_default();
            let message = format!("`{address}` of the pack `{}` is of risk {said}", pack.name);
            let diagnostic = Diagnostic::error(Code::PackRisk, resource.place.clone(), message);
            diagnostics.push(diagnostic.help(Code::PackRisk.help()));
        }
    }
}

impl Definition {
    /// What `environment` and the policies that hold there ask for together; none if there is no such environment
    pub fn approval_rule(&self, environment: &Address) -> Option<ApprovalRule> {
        Some(rule(environment, &self.resources.get(environment)?.spec()?, &policies(&self.resources)))
    }
}

fn policies(resources: &BTreeMap<Address, Resource>) -> Vec<(&Address, Policy)> {
    resources.iter().filter_map(|(address, resource)| Some((address, resource.spec::<Policy>()?))).collect()
}

fn rule(address: &Address, environment: &Environment, policies: &[(&Address, Policy)]) -> ApprovalRule {
    let named: BTreeSet<&Address> = environment.policy_refs.iter().map(spec::Ref::address).collect();
    let holds = |(name, policy): &&(&Address, Policy)| {
        named.contains(name) || policy.environments.iter().any(|r| r.address() == address)
    };
    ApprovalRule::of(environment, policies.iter().filter(holds).map(|(_, policy)| policy))
}
