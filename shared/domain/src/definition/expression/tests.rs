use super::*;
use serde_json::json;

fn facts() -> Facts {
    Facts::default()
        .with(
            Root::Inputs,
            json!({ "region": "eu", "count": 3, "regions": ["eu", "us"], "off": false, "none": null }),
        )
        .with(Root::Target, json!({ "address": "target.e.t-1", "name": "t-1", "labels": { "zone": "a" } }))
}

#[test]
fn a_reference_alone_keeps_its_type_and_within_a_text_becomes_one() {
    for (written, expected) in [
        (json!("${inputs.count}"), json!(3)),
        (json!("${inputs.regions}"), json!(["eu", "us"])),
        (json!("n=${inputs.count} in ${ inputs.region }"), json!("n=3 in eu")),
        (json!("$${inputs.count}"), json!("${inputs.count}")),
        (json!("100 $ and }"), json!("100 $ and }")),
        (json!("Bearer ${TOKEN_2} in ${inputs.region}"), json!("Bearer ${TOKEN_2} in eu")),
        (json!("$${TOKEN}"), json!("${TOKEN}")),
        (json!("${target}"), json!("target.e.t-1")),
        (json!({ "${inputs.count}": ["${target.labels.zone}", 1] }), json!({ "${inputs.count}": ["a", 1] })),
    ] {
        assert_eq!(fill(&written, &facts()), Ok(expected), "{written}");
    }
}

#[test]
fn what_refers_to_nothing_is_refused() {
    for (written, expected) in [
        ("${inputs.colour}", "`${inputs.colour}` refers to nothing that is known here"),
        ("${each}", "`${each}` refers to nothing that is known here"),
        ("a ${inputs.regions}", "`${inputs.regions}` is a list or an object and cannot stand within a text"),
    ] {
        assert_eq!(fill(&json!(written), &facts()).unwrap_err().to_string(), expected);
    }
    for written in ["${", "${inputs}", "${secret.x}", "${inputs.a..b}", "${inputs.x!}", "${Token}"] {
        assert!(matches!(fill(&json!(written), &facts()), Err(ExpressionError::Reference(_))), "{written}");
    }
}

#[test]
fn conditions_hold_or_do_not() {
    for (text, expected) in [
        ("${inputs.region} == 'eu'", true),
        ("${inputs.region} != \"eu\"", false),
        ("!(${inputs.region} == 'us') && ${inputs.count} == 3", true),
        ("${inputs.off} || ${inputs.none}", false),
        ("!${inputs.off}", true),
        ("!!${inputs.off}", false),
        ("'us' in ${inputs.regions} && 'zone' in ${target.labels}", true),
        ("${inputs.region} in ${inputs.regions}", true),
        ("true && (false || 1) && 'x' && !'' && !0", true),
        ("${inputs.count} == '3'", false),
    ] {
        assert_eq!(Condition::read(text).unwrap().holds(&facts()), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_condition_is_refused() {
    let deep = "(".repeat(40);
    for text in
        ["", "==", "${inputs.x} ==", "a", "('x'", "'x' 'y'", "${inputs.x", "'x", "truest", "1 &&", &deep]
    {
        assert!(Condition::read(text).is_err(), "{text}");
    }
}

#[test]
fn every_reference_is_found() {
    let written = json!({ "a": ["${inputs.x}-${target}"], "b": "$${inputs.no}" });
    let mut found: Vec<_> = references(&written).unwrap().iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, ["inputs.x", "target"]);
    let condition = Condition::read("${inputs.x} == 1 || !(${inputs.y} in ${resource.spec})").unwrap();
    let mut found: Vec<_> = condition.references().iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, ["inputs.x", "inputs.y", "resource.spec"]);
}
