//! What can go wrong, where, and by what plan

use super::chance::Chance;
use std::{collections::BTreeMap, fmt};
use strum::{EnumString, IntoStaticStr, VariantArray};
use weir_domain::time::Millis;

/// One place in a run: the `nth` time that `function` makes the call `op` about `subject`
///
/// Written `node_arrive:Arrive(3)#1`. The name is the same in every run of the same seed, so it can be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The function, or whoever else calls
    pub function: &'static str,
    /// The call
    pub op: &'static str,
    /// The node's ordinal, the segment's number; 0 where it is about nothing of the kind
    pub subject: u32,
    /// Which time, from 1
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, op, subject, nth } = self;
        write!(f, "{function}:{op}({subject})#{nth}")
    }
}

/// One thing that goes wrong
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Fault {
    /// The function dies before the call
    DieBefore,
    /// The function dies after the call was carried out
    DieAfter,
    /// The call is refused for now and not carried out: throttled, 409, a transaction in the way
    Throttle,
    /// The call is carried out and made once more, and that one's answer is heard: its condition does not hold any more
    Refuse,
    /// The call is carried out, and its answer is lost: a 500 after the commit
    LoseAnswer,
    /// The call is carried out, its answer is lost, and the SDK makes it again
    Repeat,
    /// The call takes long; it may outlive its function
    Delay,
    /// An index answers as it was some time ago
    Stale,
    /// A message or record is lost
    Drop,
    /// A message, record or invocation comes twice
    Duplicate,
    /// A message or record comes late, and so behind later ones
    Late,
    /// An execution is stopped from outside
    Stop,
    /// A function that was to hear of a token is never run, nobody notices, and the state waits on
    NeverCalled,
    /// A function under `waitForTaskToken` dies and is not called again, as on some emulators
    NotRetried,
    /// An agent forgets a task
    Forget,
    /// An agent goes on without a sign of life, and reports when it was given up
    Silent,
}

impl Fault {
    /// The fault as it is written
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a state may wait for ever because of it: a machine's own time limit is all that ends it
    pub const fn leaves_execution_open(self) -> bool {
        matches!(self, Self::NeverCalled | Self::NotRetried)
    }
}

/// What kind of place a point is: which faults can happen there
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    Write,
    /// A write that a condition decides on, and whose answer does not show by whose write it fails
    Conditional,
    Read,
    Index,
    Sign,
    Message,
    Token,
    Execution,
    Task,
    Report,
}

impl Site {
    const fn faults(self) -> &'static [Fault] {
        use Fault::{
            Delay, DieAfter, DieBefore, Drop, Duplicate, Forget, Late, LoseAnswer, NeverCalled, NotRetried,
            Refuse, Repeat, Silent, Stale, Stop, Throttle,
        };
        match self {
            Self::Write => &[DieBefore, DieAfter, DieAfter, Throttle, LoseAnswer, Repeat, Delay],
            Self::Conditional => {
                &[DieBefore, DieAfter, DieAfter, Throttle, LoseAnswer, Refuse, Refuse, Repeat, Delay]
            }
            Self::Read => &[DieBefore, Throttle, Delay],
            Self::Index => &[DieBefore, Throttle, Delay, Stale, Stale],
            Self::Sign => &[DieBefore, Throttle, Throttle, Delay],
            Self::Message => &[Drop, Duplicate, Late],
            Self::Token => &[NeverCalled, NotRetried, Duplicate],
            Self::Execution => &[Stop],
            Self::Task => &[Forget, Silent],
            Self::Report => &[Duplicate],
        }
    }

    /// How much rarer than a write's faults its own are
    const fn rarity(self) -> u64 {
        match self {
            Self::Write
            | Self::Conditional
            | Self::Index
            | Self::Sign
            | Self::Token
            | Self::Message
            | Self::Task
            | Self::Report => 1,
            Self::Read | Self::Execution => 3,
        }
    }
}

/// Which faults a run meets
#[derive(Debug, Clone, PartialEq)]
pub enum Faults {
    /// None
    None,
    /// What the seed decides
    Seeded,
    /// Exactly these, by the points' names
    Listed(BTreeMap<String, Fault>),
}

/// The faults of one run
pub(super) struct Plan {
    faults: Faults,
    chance: Chance,
    /// One call in so many meets a fault
    one_in: u64,
    kinds: Vec<Fault>,
    /// Nothing goes wrong any more after this, counted from the run's begin
    pub until: Millis,
    /// How far the functions' clocks are apart at most
    pub skew: Millis,
}

impl Plan {
    pub fn new(faults: Faults, chance: Chance) -> Self {
        let chance = chance.of("faults");
        // A run meets some kinds only: each then has the time to do harm that others would cut short.
        let met = |kind: &&Fault| chance.of((**kind).into()).below(5) < 3;
        let kinds = Fault::VARIANTS.iter().filter(met).copied().collect();
        let one_in = [4, 12, 30, 90].get(chance.of("rate").below(4) as usize).copied().unwrap_or(30);
        let until = Millis::from_secs(i64::try_from(20 + chance.of("until").below(400)).unwrap_or(60));
        let skews = matches!(faults, Faults::Seeded | Faults::Listed(_)) && chance.of("skewed").one_in(3);
        let skew = Millis(if skews { 1_500 } else { 0 });
        Self { faults, chance, one_in, kinds, until, skew }
    }

    /// What goes wrong at `point`, at the time `passed`
    pub fn at(&self, point: &Point, site: Site, passed: Millis) -> Option<Fault> {
        match &self.faults {
            Faults::None => None,
            Faults::Listed(listed) => listed.get(&point.to_string()).copied(),
            Faults::Seeded if passed > self.until => None,
            Faults::Seeded => {
                let here = self.chance.of(point.function).of(point.op);
                let here = here.at(u64::from(point.subject)).at(u64::from(point.nth));
                if !here.one_in(self.one_in * site.rarity()) {
                    return None;
                }
                let faults = site.faults();
                let which = usize::try_from(here.of("which").below(faults.len() as u64)).unwrap_or(0);
                faults.get(which).filter(|fault| self.kinds.contains(fault)).copied()
            }
        }
    }

    /// Whether anything may go wrong
    pub const fn is_any(&self) -> bool {
        !matches!(self.faults, Faults::None)
    }
}
