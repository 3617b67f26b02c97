//! Who may decide at a gate, and how many of them have to

use super::{record::Gate, spec::GateSpec};
use crate::{actor::Actor, time::Millis};

/// What a gate asks of people
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People<'a> {
    /// How many different ones have to agree
    pub need: u32,
    /// The groups whose members may decide: `None` for everybody's who may decide at all, empty for nobody's
    pub groups: Option<&'a [String]>,
    /// The people who may decide besides
    pub named: &'a [String],
    /// Whether whoever asked may not decide
    pub require_sod: bool,
    /// How long a decision counts
    pub life: Option<Millis>,
    /// Whether a decision has to say why
    pub comment: bool,
}

impl GateSpec {
    /// What is asked of people; nothing where the gate opens by itself
    pub fn people(&self) -> Option<People<'_>> {
        match self {
            Self::Approval(gate) => Some(People {
                need: gate.rule.required_approvals,
                groups: gate.rule.eligible_groups.as_deref(),
                named: &[],
                require_sod: gate.rule.require_sod,
                life: self.patience(),
                comment: false,
            }),
            Self::Manual(gate) => Some(People {
                need: 1,
                groups: Some(&gate.groups),
                named: &gate.people,
                require_sod: gate.require_sod,
                life: None,
                comment: true,
            }),
            Self::FreezeWindow(_)
            | Self::Schedule(_)
            | Self::Dependency(_)
            | Self::Policy(_)
            | Self::Security(_) => None,
        }
    }
}

impl People<'_> {
    /// Whether `actor` is one of them
    pub fn holds(&self, actor: &Actor) -> bool {
        self.groups.is_none_or(|groups| actor.in_any(groups))
            || self.named.iter().any(|name| name == actor.person())
    }

    /// Whether the policies that hold leave nobody
    pub fn is_nobody(&self) -> bool {
        self.groups.is_some_and(<[String]>::is_empty) && self.named.is_empty()
    }
}

/// Who may decide, in words: `anyone of group:release-managers but alice`
pub fn who_may(spec: &GateSpec, requested_by: &Actor) -> String {
    let Some(people) = spec.people() else { return "nobody: it opens by itself".to_owned() };
    if people.is_nobody() {
        return "nobody: the policies leave no group that may".to_owned();
    }
    let groups = people.groups.map(|groups| groups.iter().map(|group| format!("group:{group}")));
    let named = people.named.iter().map(|name| format!("user:{name}"));
    let mut who = match groups {
        None => "anyone who may decide".to_owned(),
        Some(groups) => {
            let all: Vec<String> = groups.chain(named).collect();
            let any = if people.groups.is_some_and(|groups| !groups.is_empty()) { "anyone of " } else { "" };
            format!("{any}{}", all.join(" or "))
        }
    };
    if people.require_sod {
        who.push_str(" but ");
        who.push_str(requested_by.person());
    }
    who
}

impl Gate {
    /// Who may decide, in words
    pub fn who(&self) -> String {
        who_may(&self.spec, &self.requested_by)
    }
}
