//! What a template says together with the jobs that its steps share

mod delivery;

use super::{
    address::{Address, Kind},
    declared::Declared,
    diagnostic::{Diagnostic, Diagnostics},
    document::Resource,
    secrets::misplaced,
    spec::{Finding, Job, NodeSpec, Scenario, Template},
};
use delivery::Step;
use std::collections::BTreeMap;

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
        for (address, resource) in self.resources {
            let Some(template) = resource.spec::<Template>() else { continue };
            let delivers = self.delivers(address);
            if let Some(scenario) = delivers {
                for input in delivery::not_given(&template, scenario) {
                    self.report(address, input, diagnostics);
                }
            }
            for (at, node) in template.nodes.iter().enumerate() {
                let job = self.job(node);
                let capability =
                    node.capability.as_deref().or(job.as_ref().map(|job| job.capability.as_str()));
                let wrong = misplaced(capability.unwrap_or_default(), &node.with);
                let wrong = wrong.map(|it| it.finding(&format!("nodes.{at}.with")));
                let step = Step { at, node, job: job.as_ref(), capability };
                let cannot = delivers.into_iter().flat_map(|scenario| step.cannot(scenario));
                wrong.into_iter().chain(cannot).for_each(|it| self.report(address, it, diagnostics));
            }
        }
    }

    /// The job that a step shares
    fn job(&self, node: &NodeSpec) -> Option<Job> {
        self.resources.get(node.job.as_ref()?.address())?.spec()
    }

    /// A scenario that brings releases to environments by the template `address`
    fn delivers(&self, address: &Address) -> Option<&Address> {
        let by_it = |resource: &Resource| {
            resource.spec::<Scenario>().is_some_and(|scenario| {
                scenario.template.address() == address
                    && scenario.target_resource_type == Kind::Environment
                    && scenario.actions.iter().any(|action| DELIVERIES.contains(&action.as_str()))
            })
        };
        self.resources.iter().find(|(_, resource)| by_it(resource)).map(|(scenario, _)| scenario)
    }

    fn report(&self, address: &Address, finding: Finding, diagnostics: &mut Diagnostics) {
        let Some(declared) = self.declared.get(address) else { return };
        let place = declared.node.mark_of(&finding.path).in_file(&declared.file);
        let mut diagnostic = Diagnostic::error(finding.code, place, finding.message);
        diagnostic.help = finding.help;
        diagnostics.push(diagnostic);
    }
}
