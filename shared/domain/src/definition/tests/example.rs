//! The example definition, and the schemas that editors read

use super::*;
use std::{fmt::Write as _, fs, path::Path};

fn example() -> Bundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/example");
    let mut example = Bundle::default();
    for path in
        ["weir.yaml", "environments.yaml", "services.yaml", "scenarios/deploy.yaml", "integrations.yaml"]
    {
        example.files.insert(path.to_owned(), fs::read_to_string(root.join(path)).unwrap());
    }
    example
}

#[test]
fn the_example_is_right_and_looks_like_this() {
    let Reading { definition, diagnostics } = read(&example(), None).unwrap();
    assert_eq!(diagnostics, []);
    let definition = definition.unwrap();
    let mut text = String::new();
    for (address, resource) in &definition.resources {
        let tenant = resource.tenant.as_ref().map_or("-", |tenant| tenant.as_str());
        writeln!(text, "{address}  {tenant}  {}", resource.digest.short()).unwrap();
        for needed in &resource.dependencies {
            writeln!(text, "    → {needed}").unwrap();
        }
    }
    let plan = plan(&definition, None, None);
    assert_eq!(
        (plan.diagnostics.as_slice(), plan.approvals_required.as_slice()),
        ([].as_slice(), [].as_slice())
    );
    writeln!(text, "groups {:?}", plan.groups.iter().map(Vec::len).collect::<Vec<_>>()).unwrap();
    crate::golden::check("example_definition.txt", &text);
}

#[test]
fn production_asks_for_what_its_policy_asks_for() {
    let definition = read(&example(), None).unwrap().definition.unwrap();
    let rule = definition.approval_rule(&"environment.production".parse().unwrap()).unwrap();
    assert_eq!((rule.required_approvals, rule.require_sod), (1, true));
    assert_eq!(rule.eligible_groups.unwrap(), ["release-managers"]);
}

#[test]
fn the_files_that_the_example_names_are_known_without_reading_them() {
    let named = super::super::document::files_named(&example().files["weir.yaml"]).unwrap();
    assert_eq!(named, ["environments.yaml", "services.yaml", "scenarios/*.yaml", "integrations.yaml"]);
}

#[test]
fn the_schemas_are_current() {
    for (name, schema) in super::super::schemas() {
        let path = Path::new("../../infra/schemas").join(format!("{name}.json"));
        crate::golden::check_at(&path, &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
    }
}
