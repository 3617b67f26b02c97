//! What is wrong with a step, seen together with the jobs that it names

use crate::{
    definition::{
        codes::Code,
        expression::{self, Root},
        secrets::misplaced,
        spec::{Finding, FreeForm, InputSpec, Job, NodeSpec, NodeType, too_short, unknown},
    },
    planner::{TooLong, capability, too_long},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A step of a template, with the jobs that it names
pub(super) struct Step<'a> {
    pub at: usize,
    pub node: &'a NodeSpec,
    /// The job that it shares
    pub job: Option<&'a Job>,
    /// The job that undoes it
    pub undo: Option<&'a Job>,
}

impl Step<'_> {
    /// The capability that it asks for, by itself or by its job
    pub fn capability(&self) -> Option<&str> {
        self.node.capability.as_deref().or_else(|| self.job.map(|job| job.capability.as_str()))
    }

    /// What no plan could be made of, whichever scenario asks for it
    pub fn wrong(&self, inputs: &BTreeMap<String, InputSpec>) -> Vec<Finding> {
        let wrong = misplaced(self.capability(), &self.node.with);
        let wrong = wrong.map(|it| it.finding(&format!("nodes.{}.with", self.at)));
        let mut found: Vec<_> = wrong.into_iter().collect();
        found.extend(self.limits());
        found.extend(self.unknown(inputs));
        found
    }

    fn is_work(&self) -> bool {
        matches!(self.node.node_type, NodeType::Job | NodeType::Verification)
    }

    /// Limits that contradict each other, or that no function could keep
    fn limits(&self) -> Vec<Finding> {
        let path = format!("nodes.{}.", self.at);
        let Some(own) = self.node.job_contract(self.job).filter(|_| self.is_work()) else {
            return Vec::new();
        };
        let shares = own.deadline_s.filter(|_| self.job.is_some());
        let mut found: Vec<_> = too_short(&path, shares, own.timeout_s).into_iter().collect();
        let long = |what: &str, long: TooLong, path: String| Finding {
            path,
            code: Code::Contradiction,
            message: format!("{what} {}", long.problem),
            help: Some(long.help.to_owned()),
        };
        let own_long = too_long(&own.capability, &own.with, own.timeout_s);
        found.extend(
            own_long
                .map(|it| long(&format!("`{}`", self.node.id), it.clone(), format!("{path}{}", it.field))),
        );
        if let Some(undo) = self.undo {
            let mut with = own.with;
            with.extend(undo.with.clone());
            let what = format!("what undoes `{}`", self.node.id);
            let undo_long = too_long(&undo.capability, &with, undo.timeout_s);
            found.extend(undo_long.map(|it| long(&what, it, format!("{path}compensation"))));
        }
        found
    }

    /// References of the jobs that it names to what its template does not have
    fn unknown(&self, inputs: &BTreeMap<String, InputSpec>) -> Vec<Finding> {
        let overridden = |name: &String| self.node.with.contains_key(name);
        let shared = self.job.map(|job| job.with.clone()).unwrap_or_default();
        let shared: FreeForm = shared.into_iter().filter(|(name, _)| !overridden(name)).collect();
        let undone = self.undo.map(|undo| undo.with.clone()).unwrap_or_default();
        let asked = [("job", shared, false), ("compensation", undone, true)];
        let wrong = asked.into_iter().filter_map(|(field, with, undoes)| {
            let named = expression::references(&Value::Object(with)).unwrap_or_default();
            let named = named.iter().filter(|it| !undoes || it.root != Root::Outputs);
            let (reference, why) =
                named.filter_map(|it| Some((it, unknown(it, self.node, inputs)?))).next()?;
            let what = if undoes { "the job that undoes" } else { "the job that is shared by" };
            Some(Finding {
                path: format!("nodes.{}.{field}", self.at),
                code: Code::ExpressionWrong,
                message: format!("{what} `{}` refers to `${{{reference}}}`: {why}", self.node.id),
                help: None,
            })
        });
        wrong.collect()
    }

    /// Why nothing can be taken from it, if so
    pub fn gives_nothing(&self) -> Option<String> {
        let id = &self.node.id;
        match self.node.node_type {
            NodeType::SubOperation => None,
            NodeType::Job | NodeType::Verification => {
                let known = capability(self.capability()?).filter(|known| !known.gives_outputs())?;
                Some(format!("`{id}` asks for `{}`, which gives nothing but its end", known.name))
            }
            NodeType::Gate | NodeType::Intervention | NodeType::Change | NodeType::Evidence => {
                Some(format!("`{id}` is a {}, which gives nothing but its end", self.node.node_type))
            }
        }
    }
}
