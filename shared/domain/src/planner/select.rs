//! Which scenario an intent means

use crate::definition::{
    address::{Address, Kind},
    spec::Scenario,
};

/// Why no scenario can be chosen
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is no scenario of that name
    #[error("there is no scenario `{named}`; there are: {}", listed(.there))]
    Missing {
        /// The name
        named: Address,
        /// What there is
        there: Vec<String>,
    },
    /// The named scenario does something else
    #[error("`{named}` does not do `{action}` to a resource of kind `{kind}`: it does {does}")]
    DoesNot {
        /// The name
        named: Address,
        /// What was wanted
        action: String,
        /// Of what
        kind: Kind,
        /// What it does
        does: String,
    },
    /// None does it
    #[error("no scenario does `{action}` to a resource of kind `{kind}`; there are: {}", listed(.there))]
    NoneDoes {
        /// What was wanted
        action: String,
        /// Of what
        kind: Kind,
        /// What there is
        there: Vec<String>,
    },
    /// Several do it
    #[error(
        "more than one scenario does `{action}` to a resource of kind `{kind}`: {}; name one as `scenario`",
        .candidates.join(", ")
    )]
    Ambiguous {
        /// What was wanted
        action: String,
        /// Of what
        kind: Kind,
        /// Which do it
        candidates: Vec<String>,
    },
}

fn listed(there: &[String]) -> String {
    if there.is_empty() { "none".to_owned() } else { there.join("; ") }
}

/// The scenario that does `action` to a resource of `kind`: the named one, or the only one
pub fn select<'a>(
    scenarios: &'a [(Address, Scenario)],
    action: &str,
    kind: Kind,
    named: Option<&Address>,
) -> Result<&'a (Address, Scenario), SelectError> {
    let fits = |scenario: &Scenario| {
        scenario.target_resource_type == kind && scenario.actions.iter().any(|does| does == action)
    };
    let there = || scenarios.iter().map(|(address, scenario)| described(address, scenario)).collect();
    let action = action.to_owned();
    if let Some(named) = named {
        let found = scenarios.iter().find(|(address, _)| address == named);
        let found = found.ok_or_else(|| SelectError::Missing { named: named.clone(), there: there() })?;
        if fits(&found.1) {
            return Ok(found);
        }
        let does = does(&found.1);
        return Err(SelectError::DoesNot { named: named.clone(), action, kind, does });
    }
    let fitting: Vec<_> = scenarios.iter().filter(|(_, scenario)| fits(scenario)).collect();
    match fitting.as_slice() {
        [only] => Ok(only),
        [] => Err(SelectError::NoneDoes { action, kind, there: there() }),
        several => {
            let candidates = several.iter().map(|(address, _)| address.to_string()).collect();
            Err(SelectError::Ambiguous { action, kind, candidates })
        }
    }
}

fn described(address: &Address, scenario: &Scenario) -> String {
    format!("{address} does {}", does(scenario))
}

fn does(scenario: &Scenario) -> String {
    format!("{} to resources of kind {}", scenario.actions.join(", "), scenario.target_resource_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scenario(name: &str, kind: &str, actions: &[&str]) -> (Address, Scenario) {
        let spec = json!({ "version": 1, "target_resource_type": kind, "actions": actions, "template": "template.t" });
        (format!("scenario.{name}").parse().unwrap(), serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn the_only_one_or_the_named_one_is_chosen_and_a_refusal_says_what_there_is() {
        let all = [
            scenario("a", "environment", &["restart", "backup"]),
            scenario("b", "environment", &["backup"]),
            scenario("c", "target", &["restart"]),
        ];
        let chosen = |action: &str, kind, named: Option<&str>| {
            let named = named.map(|named| named.parse().unwrap());
            select(&all, action, kind, named.as_ref())
                .map(|(address, _)| address.to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(chosen("restart", Kind::Environment, None).unwrap(), "scenario.a");
        assert_eq!(chosen("restart", Kind::Target, None).unwrap(), "scenario.c");
        assert_eq!(chosen("backup", Kind::Environment, Some("scenario.b")).unwrap(), "scenario.b");
        for (action, kind, named, expected) in [
            ("backup", Kind::Environment, None, "scenario.a, scenario.b; name one as `scenario`"),
            ("fly", Kind::Environment, None, "scenario.c does restart to resources of kind target"),
            ("restart", Kind::Target, Some("scenario.b"), "it does backup to resources of kind environment"),
            ("restart", Kind::Target, Some("scenario.x"), "there is no scenario `scenario.x`"),
        ] {
            let refused = chosen(action, kind, named).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        assert!(select(&[], "fly", Kind::Target, None).unwrap_err().to_string().ends_with("there are: none"));
    }
}
