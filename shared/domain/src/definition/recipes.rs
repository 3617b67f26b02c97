//! What a template says together with the jobs that its steps share

mod delivery;
mod step;

use super::{
    address::{Address, Kind},
    codes::Code,
    declared::Declared,
    diagnostic::{Diagnostic, Diagnostics},
    document::Resource,
    spec::{Finding, Job, Ref, Scenario, Template},
};
use std::collections::BTreeMap;
use step::Step;

/// The actions that are planned target by target, where they are done to an environment
const DELIVERIES: [&str; 3] = ["deploy", "promote", "rollback"];

/// The definition, as far as it could be read
pub(super) struct Recipes<'a> {
    pub resources: &'a BTreeMap<Address, Resource>,
    pub declared: &'a BTreeMap<Address, Declared>,
}

impl Recipes<'_> {
    /// Checks every template
    pub fn check(&self, diagnostics: &mut Diagnostics) {
        let deliveries = self.deliveries();
        for (address, resource) in self.resources {
            let Some(template) = resource.spec::<Template>() else { continue };
            for finding in self.findings(&template, deliveries.get(address).copied()) {
                self.report(address, finding, diagnostics);
            }
        }
    }

    /// What is wrong with `template`, by which `delivers`, if any, brings releases to environments
    fn findings(&self, template: &Template, delivers: Option<&Address>) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(scenario) = delivers {
            found.extend(delivery::not_given(template, scenario));
            found.extend(delivery::kept_by_nobody(template, scenario));
        }
        for (at, node) in template.nodes.iter().enumerate() {
            let (job, undo) = (self.job(node.job.as_ref()), node.compensation.as_ref());
            let undo = self.job(undo.or(job.as_ref().and_then(|job| job.compensation.as_ref())));
            let step = Step { at, node, job: job.as_ref(), undo: undo.as_ref() };
            found.extend(step.wrong(&template.inputs));
            found.extend(delivers.into_iter().flat_map(|scenario| step.cannot(scenario)));
            let taken = template.outputs.iter().filter(|_| delivers.is_none());
            let taken = taken.filter(|(_, from)| from.split('.').next() == Some(node.id.as_str()));
            found.extend(taken.filter_map(|(name, _)| Some(never(name, step.gives_nothing()?))));
        }
        found
    }

    fn job(&self, named: Option<&Ref<Job>>) -> Option<Job> {
        self.resources.get(named?.address())?.spec()
    }

    /// The templates by which scenarios bring releases to environments, each with one of those
    fn deliveries(&self) -> BTreeMap<Address, &Address> {
        let mut found = BTreeMap::new();
        for (address, resource) in self.resources {
            let Some(scenario) = resource.spec::<Scenario>() else { continue };
            let delivers = scenario.actions.iter().any(|action| DELIVERIES.contains(&action.as_str()));
            if delivers && scenario.target_resource_type == Kind::Environment {
                found.entry(scenario.template.address().clone()).or_insert(address);
            }
        }
        found
    }

    fn report(&self, address: &Address, finding: Finding, diagnostics: &mut Diagnostics) {
        let Some(declared) = self.declared.get(address) else { return };
        let place = declared.node.mark_of(&finding.path).in_file(&declared.file);
        let mut diagnostic = Diagnostic::error(finding.code, place, finding.message);
        diagnostic.help = finding.help;
        diagnostics.push(diagnostic);
    }
}

/// An output that is taken from a step that gives none
fn never(name: &str, why: String) -> Finding {
    Finding {
        path: format!("outputs.{name}"),
        code: Code::OutputNever,
        message: format!("`{name}` would never be there: {why}"),
        help: Some("take it from a step that gives something, or away".to_owned()),
    }
}
