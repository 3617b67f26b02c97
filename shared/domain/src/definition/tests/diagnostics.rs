//! Mistakes, and what is said of them

use super::*;
use crate::definition::{codes::Code, diagnostic::Diagnostic, document::MAX_RESOURCES, state::State};
use std::{collections::BTreeSet, fmt::Write as _};

fn rendered(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in diagnostics {
        let place = &it.place;
        writeln!(
            text,
            "{} {}:{}:{}+{} {}",
            it.code, place.file, place.line, place.column, place.length, it.message
        )
        .unwrap();
        for (word, value) in [("label", &it.label), ("help", &it.help), ("note", &it.note)] {
            if let Some(value) = value {
                writeln!(text, "    {word}: {value}").unwrap();
            }
        }
    }
    text
}

const MISTAKES: &[(&str, &str)] = &[
    (
        "a typo in a reference",
        "component: {web: {}}\nenvironment: {production: {order_index: 1}}\nservice:\n  checkout:\n    repo: r\n    components: [web]\n    environments:\n    - environment.prodction\n",
    ),
    ("a bare name that is not there", "graph: {knowledge: {}}\nquery: {q: {graph: knowlege, text: t}}\n"),
    ("a typo in a field", "environment:\n  staging:\n    order_index: 1\n    required_aprovals: 2\n"),
    ("a typo in a kind", "enviroment: {staging: {order_index: 1}}\n"),
    ("a missing field", "environment:\n  staging:\n    display_name: Staging\n"),
    (
        "wrong types",
        "environment:\n  staging:\n    order_index: one\n    production: 1\n    display_name: 7\n    policy_refs: x\n    delivery: []\n",
    ),
    ("out of range", "environment: {staging: {order_index: 0, required_approvals: 21}}\n"),
    (
        "not one of",
        "environment: {staging: {order_index: 1, delivery: {strategy: roling, on_failure: explode}}}\n",
    ),
    (
        "keys twice",
        "environment:\n  staging: {order_index: 1}\n  staging: {order_index: 2, order_index: 3}\n",
    ),
    ("production says where", "environment:\n  production: {order_index: 1, production: true}\n"),
    ("an alias", "graph: &all\n  knowledge: {}\nquery: *all\n"),
    (
        "limits that nobody keeps",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, capability: http.call, deadline_s: 59, timeout_s: 60}\n    - {id: b, type: intervention, timeout_s: 5}\n    - {id: c, type: sub_operation, capability: x, attempts: 3, deadline_s: 90}\n    - {id: d, type: verification, capability: verify.http, depends_on: [b]}\n    - {id: e, type: gate, gate: {approval: {required_approvals: 1}}, deadline_s: 9}\n",
    ),
    (
        "a deadline that is too far away",
        "job:\n  a: {capability: http.call, deadline_s: 31104001}\n  b: {capability: http.call, deadline_s: 31104000}\n",
    ),
    (
        "a deadline before the end of the first attempt",
        "job: {a: {capability: http.call, deadline_s: 599}}\n",
    ),
    ("not yaml", "graph: [1, 2\n"),
    ("two documents", "graph: {}\n---\ngraph: {}\n"),
    ("not a mapping", "graph: [knowledge]\nquery: {q: 7}\n"),
    (
        "a bad name",
        "graph: {Knowledge: {}}\ntenant: {a_b: {external_id: 3f6c1a52-8b0e-4d57-9a4c-2e1b7d90c6f4}}\n",
    ),
    (
        "a secret written out",
        "integration: {slack: {type_id: slack, credential_ref: hunter2}}\nprovider: {p: {provider_type: x, config: {api_key: hunter2, ok: \"${KEY}\", nested: {db_password: hunter2}}}}\n",
    ),
    (
        "a secret where none is read",
        "component: {web: {display_name: \"${NAME}\", run: {command: [\"AKIAABCDEFGHIJKLMNOP\"], env: {API_TOKEN: hunter2}}}}\n",
    ),
    (
        "a wrong kind",
        "graph: {g: {}}\nenvironment: {e: {order_index: 1}}\ntarget: {e.t: {environment: graph.g, target_type: host}}\n",
    ),
    (
        "an ambiguous name",
        "provider: {github: {provider_type: github}}\nplugin: {p: {plugin_id: p, version: 1.0.0, vendor: v, entrypoint: e}}\nplugin_instance: {github: {plugin: p}}\nbinding: {b: {capability: c, provider: github}}\n",
    ),
    (
        "a bare name that could be an address",
        "environment: {graph.g: {order_index: 1}}\ngraph: {g: {}}\ntarget: {t: {environment: graph.g, target_type: host}}\n",
    ),
    (
        "a cycle of nodes",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, depends_on: [c]}\n    - {id: b, type: job, depends_on: [a]}\n    - {id: c, type: job, depends_on: [b]}\n",
    ),
    (
        "nodes that are not there",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: deploy, type: job, depends_on: [depoy]}\n    - {id: deploy, type: intervention}\n    outputs: {x: gone.y}\n    editable_points: [deplo.with]\n",
    ),
    (
        "tenants that are not clear",
        "tenant:\n  a: {external_id: 3f6c1a52-8b0e-4d57-9a4c-2e1b7d90c6f4}\n  b: {external_id: 3f6c1a52-8b0e-1d57-9a4c-2e1b7d90c6f4}\ncomponent: {web: {}, api: {tenant: b}, old: {tenant: c}}\nservice: {s: {tenant: a, repo: r, components: [api], environments: []}}\ngraph: {g: {tenant: a}}\n",
    ),
    (
        "windows",
        "environment:\n  e:\n    order_index: 1\n    freeze_windows:\n    - {id: x, start: 2026-12-20T00:00:00Z, end: 2026-12-19T00:00:00Z, reason: r, exceptions: [bob]}\n    - {id: y, start: 2026-12-20, end: 2026-12-21T00:00:00Z, reason: r}\n",
    ),
    (
        "windows, once each is readable",
        "environment:\n  e:\n    order_index: 1\n    freeze_windows:\n    - {id: x, start: 2026-12-20T00:00:00Z, end: 2026-12-19T00:00:00Z, reason: r}\n    - {id: x, start: 2026-12-20T00:00:00Z, end: 2026-12-21T00:00:00Z, reason: r}\n",
    ),
    (
        "nobody could approve",
        "environment: {e: {order_index: 1, policy_refs: [a, b]}}\npolicy:\n  a: {kind: approval, required_approvals: 1, eligible_groups: [x]}\n  b: {kind: approval, required_approvals: 1, eligible_groups: [y]}\n",
    ),
    (
        "a group with a prefix",
        "policy:\n  a: {kind: approval, required_approvals: 1, eligible_groups: [\"group:x\"]}\n",
    ),
    (
        "too deep",
        "provider: {p: {provider_type: x, config: {a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}}\n",
    ),
    (
        "gates that ask for nothing, for two things, or stand where none is",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: gate}\n    - id: b\n      type: gate\n      gate: {approval: {required_approvals: 1}, manual: {people: [bob]}}\n    - {id: c, type: job, gate: {manual: {people: [bob]}}}\n    - {id: d, type: gate, gate: {manual: {}}}\n    - {id: e, type: gate, gate: {schedule: {}}}\n",
    ),
    (
        "gates that are misspelt",
        "template:\n  t:\n    version: 1\n    nodes:\n    - id: a\n      type: gate\n      gate: {shedule: {}}\n    - id: b\n      type: gate\n      gate: {security: {require: [signatur]}}\n    - id: c\n      type: gate\n      gate: {schedule: {windows: [{days: [saturday], from: \"22:00\", until: \"04:00\"}]}}\n",
    ),
    (
        "a zone that is none",
        "template:\n  t:\n    version: 1\n    nodes:\n    - id: a\n      type: gate\n      gate:\n        schedule:\n          time_zone: Europe/Atlantis\n          not_before: 2026-12-20T00:00:00Z\n",
    ),
    (
        "a time of the day that is none",
        "policy:\n  p:\n    kind: gate\n    gate:\n      schedule:\n        windows:\n        - {days: [sat], from: \"25:00\", until: \"04:00\"}\n",
    ),
    (
        "dependencies on nothing that there is",
        "environment: {e: {order_index: 1}}\npolicy:\n  p: {kind: gate, gate: {dependency: {release: {service: shop, environment: e}}}}\n",
    ),
    (
        "a dependency on two things, and on what is no operation",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: gate, gate: {dependency: {}}}\n    - {id: b, type: gate, gate: {dependency: {operation: yesterday}}}\n",
    ),
    (
        "policies whose kind and fields do not fit",
        "policy:\n  a: {kind: approval}\n  b: {kind: gate}\n  c: {kind: gate, required_approvals: 1, gate: {manual: {people: [bob]}}}\n  d: {kind: approval, required_approvals: 1, gate: {manual: {people: [bob]}}}\n  e: {kind: gate, gate: {policy: {rules: [{deny: all, when: {}}]}}}\n",
    ),
    (
        "secrets where nothing fills them in",
        "job:\n  hook: {capability: http.call, with: {url: \"https://x/?key=${KEY}\"}}\n  bad: {capability: http.call, with: {url: \"${inputs\"}}\ntemplate:\n  t:\n    version: 1\n    nodes:\n    - id: a\n      type: job\n      capability: lambda.invoke\n      with: {payload: {key: \"${KEY}\"}}\n    - {id: b, type: job, job: hook, with: {sign_with: plain}}\n    - {id: c, type: job, capability: command.run, with: {command: x, key: \"${KEY}\"}}\n",
    ),
    (
        "what no delivery does",
        "job: {undone: {capability: http.call, with: {url: /, body: \"${each}\"}, compensation: undone}}\nscenario: {d: {version: 1, target_resource_type: environment, actions: [deploy], template: t}}\ntemplate:\n  t:\n    version: 1\n    inputs: {release: {required: true}, colour: {required: true}, list: {}}\n    nodes:\n    - {id: a, type: job, capability: http.call, for_each: \"${inputs.list}\"}\n    - {id: b, type: job, capability: http.call, when: \"${inputs.colour}\"}\n    - {id: c, type: evidence}\n    - {id: d, type: job, job: undone}\n    - {id: e, type: job}\n    - {id: f, type: job, capability: deploy.host, with: {x: 1}}\n    - {id: g, type: job, capability: assignments.fetch}\n    - {id: h, type: verification, capability: verify.http, with: {path: \"${resource.name}\"}}\n    - {id: i, type: job, capability: http.call, compensation: undone}\n",
    ),
    (
        "limits that the step's shared job makes wrong, and those that no function keeps",
        "job:\n  slow: {capability: http.call, timeout_s: 800, with: {url: /}}\n  slower: {capability: http.call, timeout_s: 3600, with: {answers: later}}\n  undo: {capability: lambda.invoke, timeout_s: 900}\ntemplate:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, job: slow, deadline_s: 700}\n    - {id: b, type: job, job: slower, with: {answers: now}}\n    - {id: c, type: verification, capability: verify.metric, with: {attempts: 100}}\n    - {id: d, type: job, job: slow, compensation: undo}\n",
    ),
    (
        "what a step's shared job, its constraints and the job that undoes it refer to",
        "job:\n  call: {capability: http.call, with: {url: \"/${inputs.region}\", body: \"${each}\"}}\n  undo: {capability: http.call, with: {url: \"/${outputs.id}/${inputs.zone}\"}}\ntemplate:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, job: call, with: {body: x}}\n    - {id: b, type: job, capability: http.call, compensation: undo}\n",
    ),
    (
        "constraints that refer to nothing",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, capability: http.call, constraints: {region: \"${inputs.regoin}\"}}\n    - {id: b, type: job, capability: http.call, constraints: {labels: {zone: \"${traget.name}\"}}}\n",
    ),
    (
        "secrets of steps that ask for nothing",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: intervention, with: {key: \"${KEY}\"}}\n    - {id: b, type: verification, capability: verify.http, depends_on: [a]}\n",
    ),
    (
        "outputs that never come",
        "template:\n  t:\n    version: 1\n    nodes:\n    - {id: run, type: job, capability: command.run}\n    - {id: look, type: verification, capability: verify.http}\n    - {id: call, type: job, capability: http.call, with: {outputs: {id: /id}}}\n    - {id: ask, type: gate, gate: {approval: {required_approvals: 1}}}\n    outputs: {a: run.address, b: look.status, c: call.id, d: ask.by}\n",
    ),
    (
        "what a delivery keeps of its steps, and who does them for one release only",
        "scenario: {d: {version: 1, target_resource_type: environment, actions: [rollback], template: t}}\njob: {tell: {capability: http.call, with: {url: \"/${inputs.why}\"}}}\ntemplate:\n  t:\n    version: 1\n    inputs: {version: {}}\n    nodes:\n    - {id: a, type: job, job: tell}\n    - {id: b, type: job, capability: http.call, constraints: {version: \"${inputs.version}\"}}\n    outputs: {address: b.address}\n",
    ),
    ("a number too large", "provider: {p: {provider_type: x, config: {a: 9007199254740993}}}\n"),
];

#[test]
fn each_mistake_is_told_like_this() {
    let mut text = String::new();
    for (name, mistake) in MISTAKES {
        let Reading { definition, diagnostics } = reading(mistake);
        assert!(definition.is_none(), "{name} is let through");
        let told = rendered(&diagnostics);
        assert!(!told.contains("hunter2") && !told.contains("AKIA"), "{name} tells a secret: {told}");
        writeln!(text, "# {name}\n{told}").unwrap();
    }
    crate::golden::check("definition_mistakes.txt", &text);
}

#[test]
fn files_are_told_like_this() {
    let mut text = String::new();
    for (name, files) in [
        ("no root", vec![("a.yaml", "")]),
        ("empty root", vec![("weir.yaml", "")]),
        ("bad header", vec![("weir.yaml", "version: 2\nworkspace: Harbor\nfiles: [7, ../x.yaml]\n")]),
        ("no header", vec![("weir.yaml", "graph: {g: {}}\n")]),
        (
            "missing file",
            vec![
                ("weir.yaml", "version: 1\nworkspace: harbor\nfiles: [servces.yaml, a/*.yaml]\n"),
                ("services.yaml", ""),
            ],
        ),
        (
            "twice in two files",
            vec![
                ("weir.yaml", "version: 1\nworkspace: harbor\nfiles: [a.yaml]\ngraph: {g: {}}\n"),
                ("a.yaml", "# again\ngraph:\n  g: {}\n"),
            ],
        ),
        (
            "header elsewhere",
            vec![("weir.yaml", "version: 1\nworkspace: harbor\nfiles: a.yaml\n"), ("a.yaml", "version: 1\n")],
        ),
        ("paths", vec![("weir.yaml", ""), ("/etc/passwd", ""), ("a/../b", "")]),
    ] {
        let Reading { definition, diagnostics } = read(&bundle(&files), None).unwrap();
        assert!(definition.is_none(), "{name} is let through");
        writeln!(text, "# {name}\n{}", rendered(&diagnostics)).unwrap();
    }
    crate::golden::check("definition_files.txt", &text);
}

#[test]
fn every_code_can_be_met() {
    let mut met: BTreeSet<Code> =
        MISTAKES.iter().flat_map(|(_, text)| reading(text).diagnostics).map(|it| it.code).collect();
    // Those of whole files and large definitions are met in the tests around this one.
    met.extend([
        Code::RootMissing,
        Code::RootInvalid,
        Code::FileMissing,
        Code::PathUnsafe,
        Code::DuplicateAddress,
    ]);
    met.extend([
        Code::BeingRemoved,
        Code::TooMany,
        Code::TooLarge,
        Code::GroupTooLarge,
        Code::ExpressionWrong,
    ]);
    // Those of packs are met where packs are.
    met.extend(Code::all().filter(|code| code.as_str().starts_with("W07")));
    assert_eq!(Code::all().filter(|code| !met.contains(code)).collect::<Vec<_>>(), []);
}

#[test]
fn conditions_and_references_that_cannot_be_read_are_refused() {
    let text = "template:\n  t:\n    version: 1\n    inputs: {mode: {type: string}}\n    nodes:\n    - {id: a, type: job, capability: x, when: \"${inputs.mod} == 'x'\"}\n    - {id: b, type: job, capability: x, when: \"mode is x\"}\n    - {id: c, type: job, capability: x, with: {n: \"${each}\"}}\n    - {id: d, type: job, capability: x, for_each: \"${inputs.regions}\"}\n";
    let codes: Vec<_> = reading(text).diagnostics.iter().map(|it| it.code).collect();
    assert_eq!(codes, [Code::ExpressionWrong; 4]);
}

#[test]
fn a_shared_job_may_leave_less_time_than_is_usual() {
    definition(
        "job: {quick: {capability: http.call, timeout_s: 60}}\ntemplate:\n  t:\n    version: 1\n    nodes:\n    - {id: a, type: job, job: quick, deadline_s: 300}\n",
    );
}

#[test]
fn what_is_being_removed_is_told_from_what_never_was() {
    let before = definition("graph: {g: {}}\nquery: {q: {graph: g, text: t}}\n");
    let state = applied(None, &plan(&before, None, None), &before);
    let after = bundle(&[("weir.yaml", "version: 1\nworkspace: harbor\nquery: {q: {graph: g, text: t}}\n")]);
    let codes = |state: Option<&State>| {
        read(&after, state).unwrap().diagnostics.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(state.as_ref()), [Code::BeingRemoved]);
    assert_eq!(codes(None), [Code::MissingReference]);
}

#[test]
fn what_is_too_much_is_refused() {
    let large = format!("query: {{q: {{graph: g, text: {}}}}}\ngraph: {{g: {{}}}}\n", "x".repeat(300 << 10));
    assert_eq!(reading(&large).diagnostics[0].code, Code::TooLarge);
    let nodes: String = (0..1_001).map(|i| format!("    - {{id: n{i}, type: job}}\n")).collect();
    assert_eq!(
        reading(&format!("template:\n  t:\n    version: 1\n    nodes:\n{nodes}")).diagnostics[0].code,
        Code::TooMany
    );
    let many: String = (0..=MAX_RESOURCES).map(|i| format!("  g{i}:\n")).collect();
    assert_eq!(reading(&format!("graph:\n{many}")).diagnostics[0].code, Code::TooMany);
    let wrong: String = (0..2_000).map(|i| format!("  g{i}: {{x: 1}}\n")).collect();
    let Reading { diagnostics, .. } = reading(&format!("graph:\n{wrong}"));
    assert_eq!(diagnostics.len(), 1_000);
    assert_eq!(diagnostics.last().unwrap().note.as_deref(), Some("1000 more are not shown"));
}
