//! What an operation of 40 nodes costs at Step Functions: states entered, counted in the histories
//!
//! A definition with 19 hosts in one environment, all at once: a freeze gate, a decision, 19 deployments, 19
//! verifications. The test is the agent of all 19, by the API; they answer at the address of one real server.

use crate::{definition, rig::Rig};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};
use weir_client::{
    api::{Client, IdempotencyKey},
    clock,
};
use weir_domain::{
    definition::address::Address,
    id::{AgentId, OperationId, ReleaseId, VersionId},
    operation::OperationStatus,
};
use weir_edge::wire::{
    agent::{AgentRegister, AgentTarget, AgentTokenCreate},
    operation::OperationView,
    promotion::PromotionCreate,
    release::ReleaseCreate,
    task::{Claim, DEPLOY_HOST, Report, ReportStatus, Sticker, Task, TaskWork},
};
use weir_local::story::wait::until;

/// Hosts of the environment: two nodes each, and two more
const HOSTS: usize = 19;
const NODES: usize = 2 * HOSTS + 2;
const STATES_MAX: usize = 47;

/// How long anything here may take: LocalStack needs most of a minute for 40 nodes on two busy cores
const LIMIT: Duration = Duration::from_secs(240);

pub async fn nodes_cost_at_most_47_states(rig: &Rig) {
    let client = rig.person("carol");
    definition::apply(rig, &[("wide.yaml", definition())]).await;
    let agent = register(rig, &client).await;
    let release = release(&client).await;
    let body = PromotionCreate {
        release_id: release,
        target_environment_id: "environment.wide".parse().unwrap(),
        source_environment_id: None,
        customizations: std::collections::BTreeMap::new(),
    };
    let asked = client.promotion_create(&body, &IdempotencyKey::random()).await.unwrap();
    let id = asked.promotion.workflow_run_id;
    let operation = work(&client, &agent, id).await;
    assert_eq!(operation.status, OperationStatus::Succeeded, "{:?}", operation.failure_summary);
    assert_eq!(operation.nodes.len(), NODES);
    let entered = states_entered(rig, id).await;
    let total: usize = entered.values().sum();
    assert!((NODES..=STATES_MAX).contains(&total), "{NODES} nodes cost {total} states: {entered:#?}");
}

/// Beside the example: an environment of many hosts with a service of its own
pub fn definition() -> String {
    let mut wide = String::from(
        "environment:\n  wide: {display_name: Wide, order_index: 9, delivery: {strategy: all_at_once}}\n\
         service:\n  wide: {display_name: Wide, repo: https://git.example.com/acme/wide, components: [web], \
         adapters: {deployments: [host]}, environments: [wide]}\ntarget:\n",
    );
    for target in targets() {
        let name = target.as_str().trim_start_matches("target.").to_owned();
        writeln!(wide, "  {name}: {{environment: wide, target_type: host}}").unwrap();
    }
    wide
}

fn targets() -> impl Iterator<Item = Address> {
    (1..=HOSTS).map(|n| format!("target.wide.w-{n}").parse().unwrap())
}

struct Agent {
    id: AgentId,
    client: Client,
}

/// One agent for all hosts, each of which answers where stg-1 does
async fn register(rig: &Rig, client: &Client) -> Agent {
    let body = AgentTokenCreate { targets: targets().collect() };
    let token = client.agent_token_create(&body, &IdempotencyKey::random()).await.unwrap().token;
    let known = client.agent_list(&[]).await.unwrap().items;
    let of_stg_1 = known.iter().flat_map(|agent| &agent.targets).find(|it| it.target.name() == "stg-1");
    let base_url = of_stg_1.and_then(|it| it.base_url.clone());
    let targets = targets().map(|target| AgentTarget { target, base_url: base_url.clone() });
    let body = AgentRegister {
        token,
        name: "wide".to_owned(),
        version: "0.0.0".to_owned(),
        capabilities: vec![DEPLOY_HOST.to_owned()],
        targets: targets.collect(),
    };
    let registered = client.agent_register(&body).await.unwrap();
    Agent { id: registered.agent.id, client: rig.holder(registered.credential) }
}

async fn release(client: &Client) -> ReleaseId {
    let versions = client.version_list(&[]).await.unwrap().items;
    let version: VersionId = versions.iter().find(|version| version.tag == "1.0.0").unwrap().id;
    let body = ReleaseCreate {
        service_id: "service.wide".parse().unwrap(),
        version: "1.0.0".to_owned(),
        name: None,
        display_name: None,
        components: BTreeMap::from([("component.web".parse().unwrap(), version)]),
        source_ref: None,
    };
    client.release_create(&body, &IdempotencyKey::random()).await.unwrap().id
}

/// Claims and reports, as an agent does, until the operation has ended
async fn work(client: &Client, agent: &Agent, id: OperationId) -> OperationView {
    let step = || async {
        let claim = Claim { max: 10, wait_seconds: None };
        for task in agent.client.task_claim(agent.id, &claim).await.unwrap().tasks {
            let report = report(&task);
            assert!(agent.client.task_report(task.task, &report).await.unwrap().accepted);
        }
        let operation = client.operation_show(id).await.unwrap();
        Ok(operation.status.is_terminal().then_some(operation))
    };
    until("the operation of 40 nodes", LIMIT, step).await.unwrap()
}

fn report(task: &Task) -> Report {
    let TaskWork::DeployHost(input) = &task.work else { panic!("no deployment") };
    let content_hash = weir_domain::canonical::Digest::of(&input.sticker).unwrap();
    let now = clock::now();
    Report {
        attempt: task.attempt,
        status: ReportStatus::Succeeded,
        error: None,
        logs: String::new(),
        previous_digest: None,
        current_digest: Some(input.digest.clone()),
        sticker: Some(Sticker { content: input.sticker.clone(), content_hash, written_at: now }),
        started_at: now,
        finished_at: now,
    }
}

/// How many states each execution of the operation entered, by the execution's name
pub async fn states_entered(rig: &Rig, id: OperationId) -> BTreeMap<String, usize> {
    let machines = rig.machines();
    let mut entered = BTreeMap::new();
    for machine in ["OperationMachine", "SegmentMachine"] {
        let arn = rig.output(machine);
        let mut pages = machines.list_executions().state_machine_arn(arn).into_paginator().items().send();
        while let Some(execution) = pages.next().await {
            let execution = execution.unwrap();
            if !execution.name.contains(&id.to_string()) {
                continue;
            }
            let history = machines.get_execution_history().execution_arn(&execution.execution_arn);
            let mut events = history.into_paginator().items().send();
            let mut kinds = Vec::new();
            while let Some(event) = events.next().await {
                kinds.push(event.unwrap().r#type().as_str().to_owned());
            }
            entered.insert(execution.name, entries(&kinds));
        }
    }
    entered
}

/// What AWS bills: states entered, and tries after the first
///
/// ministack does not record that a state inside a Map was entered, but it records every task that was scheduled.
fn entries(kinds: &[String]) -> usize {
    let count = |is: fn(&str) -> bool| kinds.iter().filter(|kind| is(kind)).count();
    let entered = count(|kind| kind.ends_with("StateEntered"));
    let tasks = count(|kind| kind == "TaskStateEntered");
    entered + count(|kind| kind == "TaskScheduled").saturating_sub(tasks)
}
