//! What a template may not ask for that releases are brought to environments by

use super::step::Step;
use crate::{
    definition::{
        address::Address,
        codes::Code,
        expression::{self, Reference, Root},
        spec::{Finding, ForEach, NodeType, Template},
    },
    planner::{DELIVERY_INPUTS, DEPLOY_HOST, ENVIRONMENT, Performer, capability},
};
use serde_json::Value;

/// The inputs that nobody gives a delivery
pub(super) fn not_given(template: &Template, scenario: &Address) -> Vec<Finding> {
    let nobody = template.inputs.iter().filter(|(name, input)| {
        input.required && input.default.is_none() && !DELIVERY_INPUTS.contains(&name.as_str())
    });
    let told = |name: &String| Finding {
        path: format!("inputs.{name}"),
        code: Code::DeliveryCannot,
        message: format!("`{scenario}` delivers by this template, and no delivery is given `{name}`"),
        help: Some(format!(
            "a delivery has {}: give others a default",
            DELIVERY_INPUTS.map(|it| format!("`{it}`")).join(", ")
        )),
    };
    nobody.map(|(name, _)| told(name)).collect()
}

/// The outputs of the template: a delivery keeps none
pub(super) fn kept_by_nobody(template: &Template, scenario: &Address) -> Vec<Finding> {
    let told = |name: &String| Finding {
        path: format!("outputs.{name}"),
        code: Code::DeliveryCannot,
        message: format!("`{scenario}` delivers by this template, and a delivery gives no `{name}`"),
        help: Some("what a delivery leaves behind is what its targets run: take it away".to_owned()),
    };
    template.outputs.keys().map(told).collect()
}

impl Step<'_> {
    /// What a delivery would not do of it, each with what to do about it
    pub fn cannot(&self, scenario: &Address) -> Vec<Finding> {
        let found = [self.layout(), self.kind(), self.way_back(), self.work(), self.references()];
        let told = |(field, what, help): (&str, String, &str)| Finding {
            path: format!("nodes.{}{field}", self.at),
            code: Code::DeliveryCannot,
            message: format!("`{scenario}` delivers by this template, and `{}` {what}", self.node.id),
            help: Some(help.to_owned()),
        };
        found.into_iter().flatten().map(told).collect()
    }

    fn layout(&self) -> Option<(&'static str, String, &'static str)> {
        match (&self.node.for_each, &self.node.when) {
            (Some(ForEach::Input(_)), _) => Some((
                ".for_each",
                "is multiplied by a list".to_owned(),
                "a delivery lays every step out for each target: take `for_each` away",
            )),
            (_, Some(_)) => Some((
                ".when",
                "has a condition".to_owned(),
                "every step of a delivery is done: take `when` away, or say it in a scenario of another template",
            )),
            (Some(ForEach::Target) | None, None) => None,
        }
    }

    fn kind(&self) -> Option<(&'static str, String, &'static str)> {
        match self.node.node_type {
            NodeType::Job | NodeType::Gate | NodeType::Verification | NodeType::Intervention => None,
            NodeType::SubOperation | NodeType::Change | NodeType::Evidence => Some((
                ".type",
                format!("is of type `{}`", self.node.node_type),
                "a delivery has jobs, gates, verifications and interventions, and writes its evidence by itself",
            )),
        }
    }

    fn way_back(&self) -> Option<(&'static str, String, &'static str)> {
        let help = "a delivery is taken back by bringing what was there before: take `compensation` away";
        if self.node.compensation.is_some() {
            return Some((".compensation", "says what undoes it".to_owned(), help));
        }
        let undone = self.job.is_some_and(|job| job.compensation.is_some());
        undone.then(|| (".job", "shares a job that says what undoes it".to_owned(), help))
    }

    fn work(&self) -> Option<(&'static str, String, &'static str)> {
        if !matches!(self.node.node_type, NodeType::Job | NodeType::Verification) {
            return None;
        }
        let Some(asked) = self.capability() else {
            let help = "say which `capability` it needs, or the `job` that it does";
            return Some(("", "asks for no capability".to_owned(), help));
        };
        if asked == DEPLOY_HOST && !self.node.with.is_empty() {
            let help = "what is put on a host, and how, is said by the component: take `with` away";
            return Some((".with", "is given something that `deploy.host` does not read".to_owned(), help));
        }
        match capability(asked).map(|known| known.by) {
            Some(Performer::Provider | Performer::Engine) => Some((
                ".capability",
                format!("asks for `{asked}`, which is done by an operation of its own"),
                "a delivery asks what is built in and the agents of its targets",
            )),
            Some(Performer::Agent | Performer::Job) | None => None,
        }
    }

    /// What it is about are a target and a component, and not what is known of an environment
    fn references(&self) -> Option<(&'static str, String, &'static str)> {
        self.in_with().or_else(|| self.in_constraints())
    }

    fn in_with(&self) -> Option<(&'static str, String, &'static str)> {
        let mut with = self.job.map(|job| job.with.clone()).unwrap_or_default();
        with.extend(self.node.with.clone());
        let named = expression::references(&Value::Object(with)).unwrap_or_default();
        let unknown = named.iter().find(|it| !matches!(it.root, Root::Inputs | Root::Target))?;
        Some((
            ".with",
            format!("refers to `${{{unknown}}}`"),
            "a step of a delivery may refer to `${target.<field>}` and to the inputs of its template",
        ))
    }

    /// Who does a step does it for whatever is brought
    fn in_constraints(&self) -> Option<(&'static str, String, &'static str)> {
        let constraints = serde_json::to_value(&self.node.constraints).unwrap_or_default();
        let named = expression::references(&constraints).unwrap_or_default();
        let of_release = |name: &String| name != ENVIRONMENT && DELIVERY_INPUTS.contains(&name.as_str());
        let is_known = |it: &&Reference| match it.root {
            Root::Target => true,
            Root::Inputs => !it.path.first().is_some_and(of_release),
            Root::Resource | Root::Each | Root::Outputs => false,
        };
        let unknown = named.iter().find(|it| !is_known(it))?;
        Some((
            ".constraints",
            format!("asks for somebody by `${{{unknown}}}`"),
            "who does a step is known of its target: refer to `${target.<field>}`, or to inputs that have a default",
        ))
    }
}
