//! One node of a plan: what it is given, and who does it

use super::{
    Child, DEPTH_MAX, Made, PlanError, Planner, ScenarioRequest, Subject,
    layout::Placed,
    step::{Step, asked, constraints, said},
};
use crate::{
    definition::{
        address::Address,
        expression::{self, ExpressionError},
        secrets::fill_inputs,
        spec::{Constraints, FreeForm, Job, NodeFailure, NodeSpec, NodeType as SpecType},
    },
    gate::GateContext,
    plan::{Executor, Idempotency, JobContract, NodeId, NodeType, OnFailure, PlanNode},
    planner::{
        BY_HAND, DEPLOY_HOST, EVIDENCE, SUB_OPERATION,
        binding::{Requirement, Resolved, Site, resolve, unfit},
        fragment::{self, decided_contract, object},
        gate_node,
    },
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

impl Planner<'_> {
    /// The capability that a node asks for: its own, or that of its shared job
    pub(super) fn capability<'b>(&'b self, spec: &'b NodeSpec) -> Option<&'b str> {
        spec.capability.as_deref().or_else(|| self.job(spec).map(|job| job.capability.as_str()))
    }

    pub(super) fn job(&self, spec: &NodeSpec) -> Option<&Job> {
        spec.job.as_ref().and_then(|job| self.request.library.jobs.get(job.address()))
    }

    pub(super) fn node(
        &self,
        made: &mut Made,
        placed: &Placed<'_>,
        inputs: &Map<String, Value>,
    ) -> Result<PlanNode, PlanError> {
        let said = self.said(placed.spec);
        let spec = placed.spec;
        fragment::refuse_secrets(spec, self.capability(spec), &said)?;
        let mut node = match spec.node_type {
            SpecType::Job | SpecType::Verification => self.work(made, placed, &said)?,
            SpecType::SubOperation => {
                let capability = self.asked(spec)?;
                let constraints = constraints(spec, &placed.facts)?;
                let resolved = self.resolve(capability, placed.id.as_str(), placed.site, &constraints);
                self.note(made, &resolved);
                self.child(made, placed.id.clone(), &title(placed), &resolved, &filled(placed, &said)?)?
            }
            SpecType::Gate => {
                let problem = "is a gate that does not say in `gate` what it waits for".to_owned();
                let unsaid = || PlanError::Node { node: spec.id.clone(), problem };
                let context = GateContext {
                    environment: self.request.guarded.map(|guarded| (guarded.environment, guarded.spec)),
                    policy: None,
                    inputs,
                };
                gate_node(
                    placed.id.clone(),
                    &title(placed),
                    spec.gate.as_ref().ok_or_else(unsaid)?,
                    &context,
                )?
            }
            SpecType::Intervention => {
                self.decided(placed, NodeType::Intervention, Some((BY_HAND, filled(placed, &said)?)))
            }
            SpecType::Evidence => {
                self.decided(placed, NodeType::Evidence, Some((EVIDENCE, filled(placed, &said)?)))
            }
            SpecType::Change => {
                let node_type = spec.node_type.to_string();
                return Err(PlanError::NodeType { node: spec.id.clone(), node_type });
            }
        };
        if let Some(contract) =
            node.job_contract.as_mut().filter(|_| node.node_type == NodeType::SubOperation)
        {
            contract.deadline_s = spec.deadline_s.or(self.job(spec).and_then(|job| job.deadline_s));
        }
        node.on_failure = match spec.on_failure {
            NodeFailure::Fail => OnFailure::Fail,
            NodeFailure::Continue => OnFailure::Continue,
            NodeFailure::Pause => OnFailure::Pause,
            NodeFailure::Rollback => OnFailure::Rollback,
        };
        Ok(node)
    }

    /// What the node is given, before it is filled in
    fn said(&self, spec: &NodeSpec) -> FreeForm {
        said(spec, self.job(spec))
    }

    fn asked<'b>(&'b self, spec: &'b NodeSpec) -> Result<&'b str, PlanError> {
        asked(spec, self.job(spec))
    }

    /// A node that an agent or an adapter does; where neither can and a scenario provides it, that one's operation
    fn work(&self, made: &mut Made, placed: &Placed<'_>, said: &FreeForm) -> Result<PlanNode, PlanError> {
        let spec = placed.spec;
        let capability = self.asked(spec)?;
        if capability == DEPLOY_HOST {
            let what = "`deploy.host`, which is planned by `deploy`, `promote` and `rollback` only";
            return Err(PlanError::NotHere { node: spec.id.clone(), what });
        }
        let resolved =
            self.resolve(capability, placed.id.as_str(), placed.site, &constraints(spec, &placed.facts)?);
        self.note(made, &resolved);
        if resolved.scenario.is_some() {
            let given = filled(placed, said)?;
            return self.child(made, placed.id.clone(), &title(placed), &resolved, &given);
        }
        let mut with = fill_inputs(capability, said, &placed.facts).map_err(|error| wrong(placed, error))?;
        let target = match &resolved.runs {
            Executor::Agent(target) => Some(target.clone()),
            Executor::Decide | Executor::Job | Executor::Join => placed.site.map(|site| site.address.clone()),
        };
        let exclusive = placed.site.filter(|site| site.spec.exclusive);
        made.exclusive.extend(exclusive.map(|site| site.address.clone()));
        if let Some(target) = &target {
            with.insert("target".to_owned(), json!(target));
        } else if let Some(provider) = &resolved.resource {
            with.insert("provider".to_owned(), json!(provider));
        }
        let node_type = if spec.node_type == SpecType::Job { NodeType::Job } else { NodeType::Verification };
        let mut node = PlanNode::new(placed.id.clone(), node_type, title(placed), resolved.runs);
        node.target = target;
        node.requires = vec![capability.to_owned()];
        let step = Step { spec, job: self.job(spec), said };
        let contract = step.contract(capability, with, Idempotency::AttemptKey)?;
        node.produces.clone_from(&contract.outputs);
        node.job_contract = Some(contract);
        if node_type == NodeType::Job {
            node.compensation = self.compensation(made, placed, &node)?;
        }
        Ok(node)
    }

    /// A node that is decided by whoever finds it ready
    fn decided(
        &self,
        placed: &Placed<'_>,
        node_type: NodeType,
        contract: Option<(&str, FreeForm)>,
    ) -> PlanNode {
        let mut node = PlanNode::new(placed.id.clone(), node_type, title(placed), Executor::Decide);
        node.target = placed.site.map(|site| site.address.clone());
        node.job_contract = contract.map(|(capability, inputs)| decides(capability, inputs, placed.spec));
        node
    }

    pub(super) fn resolve(
        &self,
        capability: &str,
        id: &str,
        site: Option<&Site>,
        constraints: &Constraints,
    ) -> Resolved {
        let request = self.request;
        let (constraints, conflict) = match request.constraints.and(constraints) {
            Ok(both) => (both, None),
            Err(conflict) => (constraints.clone(), Some(conflict)),
        };
        let region = request.guarded.and_then(|guarded| guarded.spec.region.as_deref());
        let requirement = Requirement { id: id.to_owned(), capability, site, region, constraints };
        if let Some(conflict) = conflict {
            return unfit(&requirement, conflict);
        }
        let own = site.map(|site| site.address.clone());
        let environment = request.guarded.map(|guarded| guarded.environment.clone());
        let subjects: Vec<Address> =
            own.into_iter().chain([request.subject.address.clone()]).chain(environment).collect();
        resolve(&requirement, request.sites, request.offers, request.library.scenarios, &subjects)
    }

    /// The node that runs the operation of the scenario that provides what is asked for
    pub(super) fn child(
        &self,
        made: &mut Made,
        id: NodeId,
        title: &str,
        resolved: &Resolved,
        given: &Map<String, Value>,
    ) -> Result<PlanNode, PlanError> {
        let mut node = PlanNode::new(id.clone(), NodeType::SubOperation, title, Executor::Decide);
        node.requires = vec![resolved.binding.capability_key.clone()];
        let Some((scenario, subject)) = &resolved.scenario else { return Ok(node) };
        let child = self.child_plan(&id, (scenario, subject), &resolved.constraints, given)?;
        let hash = child.plan.graph.graph_hash().map_err(|error| PlanError::Node {
            node: id.to_string(),
            problem: format!("cannot be hashed: {error}"),
        })?;
        let inputs = object(json!({ "scenario": scenario, "subject": subject, "graph_hash": hash }));
        let outputs: Vec<String> = child.outputs.keys().cloned().collect();
        node.produces.clone_from(&outputs);
        node.job_contract = Some(JobContract { outputs, ..decided_contract(SUB_OPERATION, inputs) });
        made.children.push(child);
        Ok(node)
    }

    fn child_plan(
        &self,
        id: &NodeId,
        (scenario, subject): (&Address, &Address),
        constraints: &Constraints,
        given: &Map<String, Value>,
    ) -> Result<Child, PlanError> {
        let request = self.request;
        let mut path = self.path.clone();
        path.push(scenario.to_string());
        if self.path.contains(&scenario.to_string()) || path.len() > DEPTH_MAX {
            return Err(PlanError::TooDeep { path, max: DEPTH_MAX });
        }
        let missing = |what: &Address| PlanError::Node {
            node: id.to_string(),
            problem: format!("needs `{what}`, which is not in the definition that is applied"),
        };
        let found = request.library.scenarios.iter().find(|(address, _)| address == scenario);
        let found = found.ok_or_else(|| missing(scenario))?;
        let address = found.1.template.address();
        let template = request.library.templates.get(address).ok_or_else(|| missing(address))?;
        let inputs = given.iter().filter(|(name, _)| template.inputs.contains_key(*name));
        let inputs: Map<String, Value> = inputs.map(|(name, value)| (name.clone(), value.clone())).collect();
        let spec =
            if subject == request.subject.address { request.subject.spec.clone() } else { Value::Null };
        let sites: Vec<Site> = match request.sites.iter().find(|site| site.address == *subject) {
            Some(site) => vec![site.clone()],
            None => request.sites.to_vec(),
        };
        let asked = ScenarioRequest {
            scenario: found,
            template,
            subject: Subject { address: subject, spec: &spec },
            sites: &sites,
            inputs: &inputs,
            constraints,
            ..request.clone()
        };
        // Its environment's gates stand before the operation that runs it, whose approval is given to its graph, too.
        let plan = Planner { request: &asked, path }.plan(Vec::new(), BTreeSet::new())?;
        let action = found.1.actions.first().cloned().unwrap_or_default();
        Ok(Child {
            requirement_id: id.to_string(),
            scenario: scenario.clone(),
            version: found.1.version,
            template_version: template.version,
            action,
            subject: subject.clone(),
            outputs: template.outputs.clone(),
            plan,
        })
    }
}

/// What the node is given, filled in
fn filled(placed: &Placed<'_>, said: &FreeForm) -> Result<FreeForm, PlanError> {
    expression::fill_fields(said, &placed.facts).map_err(|error| wrong(placed, error))
}

fn wrong(placed: &Placed<'_>, error: ExpressionError) -> PlanError {
    PlanError::Expression { node: placed.spec.id.clone(), error }
}

fn title(placed: &Placed<'_>) -> String {
    let title = placed.spec.title.as_deref().unwrap_or(&placed.spec.id);
    match placed.id.as_str().strip_prefix(&format!("{}.", placed.spec.id)) {
        Some(element) => format!("{title} {element}"),
        None => title.to_owned(),
    }
}

fn decides(capability: &str, inputs: FreeForm, spec: &NodeSpec) -> JobContract {
    JobContract { deadline_s: spec.deadline_s, ..decided_contract(capability, inputs) }
}
