use super::*;
use crate::definition::{bundle::ROOT, document::Reading, spec::Scenario};
use p256::pkcs8::EncodePrivateKey as _;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A private key in PEM, and its public half
fn keys(seed: u8) -> (String, String) {
    let key = SigningKey::from_slice(&[seed; 32]).unwrap();
    let private = key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
    (private, key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap())
}

const RECIPES: &str = "
scenario:
  restart: {version: 2, target_resource_type: environment, actions: [restart], template: restart, risk_metadata: {level: low}}
template:
  restart:
    version: 1
    nodes: [{id: go, type: job, job: restart}]
job:
  restart: {capability: command.run}
";

fn pack(version: &str, files: &[(&str, &str)]) -> Pack {
    let manifest = json!({ "name": "ops", "version": version, "vendor": "Acme Works" });
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Pack::new(serde_json::from_value(manifest).unwrap(), files).unwrap()
}

fn signed(text: &str) -> String {
    pack("1.2.0", &[("recipes.yaml", text)]).sign(&keys(7).0).unwrap().text
}

/// A definition that trusts one key up to a risk, and names its packs
fn definition(trusted: u8, more: &str, packs: &[(&str, &str)]) -> Bundle {
    let key = serde_json::to_string(&keys(trusted).1).unwrap();
    let root = format!(
        "version: 1\nworkspace: harbor\npacks: ['packs/*.json']\npolicy:\n  trust: {{kind: packs, signers: {{acme: {key}}}}}\n{more}"
    );
    let packs = packs.iter().map(|(name, text)| (format!("packs/{name}.json"), (*text).to_owned()));
    Bundle { files: packs.chain([(ROOT.to_owned(), root)]).collect() }
}

fn reading(bundle: &Bundle) -> Reading {
    read(bundle, None).unwrap()
}

fn codes(bundle: &Bundle) -> Vec<&'static str> {
    reading(bundle).diagnostics.iter().map(|it| it.code.as_str()).collect()
}

#[test]
fn the_same_folder_and_key_make_the_same_file() {
    let one = signed(RECIPES);
    assert_eq!(one, signed(RECIPES));
    let opened = open_pack(&one, &Signers::from([("acme".to_owned(), keys(7).1)])).unwrap();
    assert_eq!((opened.signer.as_str(), opened.pack.manifest.version.as_str()), ("acme", "1.2.0"));
}

#[test]
fn the_resources_of_a_pack_are_the_definitions_and_say_where_they_come_from() {
    let read = reading(&definition(7, "", &[("ops", &signed(RECIPES))]));
    let definition = read.definition.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    let restart = &definition.resources[&"scenario.restart".parse().unwrap()];
    let scenario: Scenario = restart.spec().unwrap();
    let pack = scenario.pack.unwrap();
    assert_eq!((pack.name.as_str(), pack.signer.as_str(), pack.version.as_str()), ("ops", "acme", "1.2.0"));
    assert_eq!(restart.spec["source"], "marketplace");
    assert_eq!(&*restart.place.file, "packs/ops.json!recipes.yaml");
    let held: Vec<String> = definition.packs()[&pack].iter().map(ToString::to_string).collect();
    assert_eq!(held, ["job.restart", "scenario.restart", "template.restart"]);
    assert_eq!(definition.signers().len(), 1);
}

#[test]
fn what_is_wrong_with_a_pack_has_a_code_of_its_own() {
    let good = signed(RECIPES);
    let mut unsigned: Value = serde_json::from_str(&good).unwrap();
    unsigned["signatures"] = json!([]);
    let mut tampered: Value = serde_json::from_str(&good).unwrap();
    let other: Value = serde_json::from_str(&signed(&RECIPES.replace("command.run", "http.call"))).unwrap();
    tampered["payload"] = other["payload"].clone();
    let risky = signed(&RECIPES.replace("level: low", "level: high"));
    let foreign = signed("policy:\n  mine: {kind: approval, required_approvals: 1}\n");
    let tenant = signed(&RECIPES.replace("version: 2,", "version: 2, tenant: acme,"));
    let local = "job:\n  restart: {capability: http.call}\n";
    let claim = "job:\n  mine: {capability: http.call, pack: {name: ops, version: 1.0.0, vendor: x, signer: acme, digest: x}}\n";
    let newer = pack("2.0.0", &[]).sign(&keys(7).0).unwrap().text;
    for (expected, bundle) in [
        ("W0701", definition(7, "", &[("ops", "{}")])),
        ("W0701", definition(7, "", &[("ops", "scenario: {}")])),
        ("W0702", definition(7, "", &[("ops", &unsigned.to_string())])),
        ("W0703", definition(8, "", &[("ops", &good)])),
        ("W0704", definition(7, "", &[("ops", &tampered.to_string())])),
        ("W0705", definition(7, "", &[("ops", &foreign)])),
        ("W0705", definition(7, "", &[("ops", &tenant)])),
        ("W0706", definition(7, local, &[("ops", &good)])),
        ("W0707", definition(7, "", &[("ops", &good), ("ops-2", &newer)])),
        ("W0708", definition(7, "", &[("ops", &risky)])),
        ("W0709", definition(7, claim, &[("ops", &good)])),
    ] {
        assert_eq!(codes(&bundle), [expected], "{:?}", reading(&bundle).diagnostics);
        assert!(reading(&bundle).definition.is_none(), "nothing of it is taken");
    }
}

#[test]
fn what_would_leave_the_pack_or_be_too_much_is_refused() {
    let made = |path: &str| {
        let manifest = json!({ "name": "ops", "version": "1.0.0", "vendor": "x" });
        Pack::new(serde_json::from_value(manifest).unwrap(), [(path.to_owned(), String::new())].into())
    };
    for path in ["../x.yaml", "/etc/x.yaml", "a//b.yaml", "C:/x.yaml"] {
        assert_eq!(made(path).unwrap_err().code(), Code::PathUnsafe, "{path}");
    }
    let many: Vec<String> = (0..=MAX_PACK_FILES).map(|n| format!("{n}.yaml")).collect();
    let mut all = pack("1.0.0", &[]);
    all.files = many.iter().map(|path| (path.clone(), String::new())).collect();
    assert_eq!(Pack::new(all.manifest.clone(), all.files).unwrap_err().code(), Code::TooLarge);
    let large = pack("1.0.0", &[("a.yaml", &"# a\n".repeat(MAX_PACK / 4))]);
    assert_eq!(large.sign(&keys(7).0).unwrap_err().code(), Code::TooLarge);
    assert!(matches!(pack("1.0.0", &[]).sign("no key"), Err(PackError::Key)));
    let mut wrong = pack("1.0.0", &[]).manifest;
    wrong.version = "one".to_owned();
    assert!(matches!(Pack::new(wrong, BTreeMap::new()), Err(PackError::Version(_))));
}

#[test]
fn a_signed_pack_is_checked_again_when_it_is_read() {
    // Whoever has a trusted key may still have signed what no `weir pack build` would.
    let mut bad = pack("1.0.0", &[]);
    bad.files.insert("../x.yaml".to_owned(), String::new());
    let text = bad.sign(&keys(7).0).unwrap().text;
    assert_eq!(codes(&definition(7, "", &[("ops", &text)])), ["W0108"]);
}

#[test]
fn a_pack_is_right_by_itself_before_it_is_signed() {
    assert_eq!(pack("1.0.0", &[("a.yaml", RECIPES)]).findings().unwrap(), []);
    let found = |text: &str| {
        let found = pack("1.0.0", &[("a.yaml", text)]).findings().unwrap();
        found.iter().map(|it| it.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(found(&RECIPES.replace("job: restart", "job: gone")), ["W0207"]);
    assert_eq!(found("environment:\n  staging: {order_index: 1}\n"), ["W0705"]);
}

#[test]
fn trusting_somebody_is_a_change_that_people_agree_to() {
    use crate::definition::spec::{Reversibility, Spec as _};
    let policy = |signers: Value| {
        serde_json::from_value::<Policy>(json!({ "kind": "packs", "signers": signers })).unwrap()
    };
    let (one, two) = (policy(json!({ "a": keys(1).1 })), policy(json!({ "a": keys(2).1 })));
    assert_eq!(Policy::weigh_create(&one).reversibility, Reversibility::Narrowing);
    assert_eq!(Policy::weigh_update(&one, &two).reversibility, Reversibility::Narrowing, "another key");
    assert_eq!(Policy::weigh_update(&one, &one).reversibility, Reversibility::Reversible);
    let wrong = policy(json!({ "a": "no key" })).findings();
    assert_eq!((wrong[0].code, wrong[0].path.as_str()), (Code::Format, "signers.a"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_byte_of_a_pack_can_change(place in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let text = signed(RECIPES);
        let mut bytes = text.clone().into_bytes();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != to);
        bytes[place] = to;
        let changed = String::from_utf8(bytes).unwrap();
        let trusted = Signers::from([("acme".to_owned(), keys(7).1)]);
        // What may change is the name of the key, which nobody believes, and nothing else.
        if let Ok(opened) = open_pack(&changed, &trusted) {
            prop_assert_eq!(opened, open_pack(&text, &trusted).unwrap());
        }
    }
}
