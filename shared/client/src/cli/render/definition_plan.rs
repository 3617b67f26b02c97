//! The plan of a definition: what would change, how it weighs, what it touches

use crate::cli::style::{Style, counted, plain};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _};
use weir_domain::{
    definition::{
        address::Address,
        plan::{Change, DefinitionPlan, FieldChange, Operation},
        spec::Reversibility,
    },
    id::PlanId,
};

/// How many characters of a value are shown
const VALUE_MAX: usize = 48;

/// How many fields of one change are shown
const FIELDS_MAX: usize = 12;

/// How many resources a line names
const NAMES_MAX: usize = 6;

/// What is known besides the plan itself
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanFacts<'a> {
    /// The folder that was planned
    pub folder: &'a str,
    /// What applies it; none where there is nothing to apply
    pub plan_id: Option<PlanId>,
}

/// A plan: every change with its symbol, the groups, what is affected, what it needs, and the next command
pub fn definition_plan(plan: &DefinitionPlan, facts: PlanFacts<'_>, style: Style) -> String {
    let mut text = String::new();
    let against = match plan.state_revision {
        0 => "nothing applied yet".to_owned(),
        revision => format!("state revision {revision}"),
    };
    let workspace = style.strong(&plan.workspace);
    let _ = writeln!(text, "{}  →  workspace {workspace}   {}", plain(facts.folder), style.dim(against));
    if plan.changes.is_empty() {
        let _ = writeln!(
            text,
            "\nnothing changes: {} resources are as they should be",
            plan.resource_digests.len()
        );
        return text;
    }
    text.push('\n');
    let width = plan.changes.iter().map(|change| change.resource.as_str().len()).max().unwrap_or(0);
    for change in &plan.changes {
        one(&mut text, change, width, style);
    }
    text.push('\n');
    groups(&mut text, plan, style);
    affected(&mut text, plan, style);
    needs(&mut text, plan, style);
    text.push_str(&footer(plan, facts, style));
    text
}

/// `~ environment.production   NARROWING  a safeguard…` and its fields
fn one(text: &mut String, change: &Change, width: usize, style: Style) {
    let (symbol, name) = match (change.reversibility, change.operation) {
        (Reversibility::Irreversible, operation) => (style.bad("!"), format!("{operation} ")),
        (Reversibility::Reversible | Reversibility::Narrowing, Operation::Create) => {
            (style.good("+"), String::new())
        }
        (Reversibility::Reversible | Reversibility::Narrowing, Operation::Update) => {
            (style.warn("~"), String::new())
        }
        (Reversibility::Reversible | Reversibility::Narrowing, Operation::Delete) => {
            (style.bad("-"), String::new())
        }
    };
    let weight = match change.reversibility {
        Reversibility::Reversible => String::new(),
        Reversibility::Narrowing => format!("   {}  {}", style.warn("NARROWING"), plain(&change.reason)),
        Reversibility::Irreversible => {
            format!("   {}  {name}· {}", style.bad("IRREVERSIBLE"), plain(&change.reason))
        }
    };
    let line = format!("  {symbol} {:<width$}{weight}", change.resource.as_str());
    let _ = writeln!(text, "{}", line.trim_end());
    let shown = change.fields.get(..FIELDS_MAX).unwrap_or(&change.fields);
    let width = shown.iter().map(|field| field.path.chars().count()).max().unwrap_or(0);
    for it in shown {
        let _ = writeln!(text, "      {}", field(it, width, style));
    }
    if let Some(more) = change.fields.len().checked_sub(FIELDS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "      {}", style.dim(format!("… {more} more fields (--json shows all)")));
    }
}

fn field(field: &FieldChange, width: usize, style: Style) -> String {
    let path = plain(&field.path);
    match (&field.before, &field.after) {
        (Some(before), Some(after)) => {
            format!("{path:<width$}  {} → {}", style.dim(value(before)), value(after))
        }
        (None, Some(after)) => format!("{path:<width$}  {} {}", style.good("+"), value(after)),
        (Some(before), None) => format!("{path:<width$}  {} {}", style.bad("-"), style.dim(value(before))),
        (None, None) => path.into_owned(),
    }
}

/// A value as JSON, cut where it gets long
fn value(value: &Value) -> String {
    let text = value.to_string();
    let text = plain(&text);
    match text.char_indices().nth(VALUE_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.into_owned(),
    }
}

fn groups(text: &mut String, plan: &DefinitionPlan, style: Style) {
    let of = |(number, group): (usize, &Vec<Address>)| format!("{number} {{{}}}", names(group.iter()));
    let shown: Vec<String> = (1..).zip(plan.groups.iter().take(NAMES_MAX)).map(of).collect();
    let more = plan.groups.len().saturating_sub(NAMES_MAX);
    let more = if more > 0 { format!("   … {more} more") } else { String::new() };
    if !shown.is_empty() {
        line(text, style, "groups", &format!("{}{more}", shown.join("   ")));
    }
}

fn affected(text: &mut String, plan: &DefinitionPlan, style: Style) {
    let all: BTreeSet<&Address> = plan.blast_radius.iter().flat_map(|it| &it.affected).collect();
    if all.is_empty() {
        return;
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for address in &all {
        let kind = address.kind().to_string();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let counts: Vec<String> = kinds.into_iter().map(|(kind, count)| counted(count, &kind)).collect();
    let more = if plan.blast_radius.iter().any(|it| it.more) { " and more" } else { "" };
    line(text, style, "affects", &format!("{}{more}: {}", counts.join(", "), names(all.into_iter())));
}

fn needs(text: &mut String, plan: &DefinitionPlan, style: Style) {
    let mut name = "needs";
    for required in &plan.approvals_required {
        let what = format!("an approval of {}: {}", required.resource, plain(&required.reason));
        line(text, style, name, &what);
        name = "";
    }
}

fn line(text: &mut String, style: Style, name: &str, what: &str) {
    let _ = writeln!(text, "  {}{what}", style.dim(format!("{name:<9}")));
}

fn names<'a>(addresses: impl ExactSizeIterator<Item = &'a Address>) -> String {
    let more = addresses.len().saturating_sub(NAMES_MAX);
    let shown: Vec<&str> = addresses.take(NAMES_MAX).map(Address::as_str).collect();
    if more > 0 { format!("{}, … {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn footer(plan: &DefinitionPlan, facts: PlanFacts<'_>, style: Style) -> String {
    let count = |operation| plan.changes.iter().filter(|change| change.operation == operation).count();
    let irreversible =
        plan.changes.iter().filter(|change| change.reversibility == Reversibility::Irreversible).count();
    let mut facts_of = vec![format!(
        "{} to create, {} to update, {} to delete",
        count(Operation::Create),
        count(Operation::Update),
        count(Operation::Delete)
    )];
    facts_of.extend((irreversible > 0).then(|| style.bad(format!("{irreversible} irreversible"))));
    facts_of.push("nothing written".to_owned());
    let apply = match facts.plan_id {
        Some(id) if plan.is_applicable() => {
            format!("        apply with:  {}", style.strong(format!("weir apply --plan {id}")))
        }
        Some(_) | None => String::new(),
    };
    format!("  {}{apply}\n", facts_of.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{golden, render::sample};
    use weir_domain::id::Id as _;

    #[test]
    fn plans_look_like_this() {
        let facts = PlanFacts { folder: "infra/example", plan_id: Some(PlanId::new(1, 1)) };
        let plans = sample::definition_plans();
        let text: Vec<String> = plans.iter().map(|plan| definition_plan(plan, facts, Style::PLAIN)).collect();
        golden::check("definition-plans.txt", &text.join("\n"));
    }
}
