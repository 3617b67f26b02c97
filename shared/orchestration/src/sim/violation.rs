//! What should never have happened

use weir_domain::{id::OperationId, plan::NodeStatus};

/// Something that should never have happened, by the invariant that it breaks
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// I1
    #[error("I1: node {0} began before node {1}, which it waits for, had ended well")]
    TooEarly(u32, u32),
    /// I2
    #[error("I2: attempt {1} of node {0} started twice")]
    StartedTwice(u32, u32),
    /// I3
    #[error("I3: node {0} left its end")]
    LeftItsEnd(u32),
    /// I3
    #[error("I3: node {0} fell back to an earlier attempt")]
    AttemptFell(u32),
    /// I3, for operations
    #[error("I3: the operation left its end")]
    EndedTwice,
    /// I4
    #[error("I4: a write about another attempt than {1} changed node {0}")]
    StaleAttempt(u32, u32),
    /// I5
    #[error("I5: {0} was sent back before what it waits for had ended so")]
    SentTooEarly(String),
    /// I5
    #[error("I5: the execution {0} never ended")]
    ExecutionOpen(String),
    /// I6
    #[error("I6: the operation ended before node {0}")]
    EndedBefore(u32),
    /// I8
    #[error("I8: node {0} is {kind} for ever", kind = .1.as_str())]
    Hangs(u32, NodeStatus),
    /// I8
    #[error("I8: node {0} has ended, and its consequences are not done")]
    NotClosed(u32),
    /// I8
    #[error("I8: the operation never ended")]
    NeverEnded,
    /// I8
    #[error("I8: the operation has ended, and what follows from that is not done: {0:?}")]
    NotFinished(Vec<String>),
    /// I8
    #[error("I8: {0} passes of reconcile had something to do when nothing went wrong any more")]
    TooManyRounds(u64),
    /// I8, deadlines
    #[error("I8: node {0} is {kind}, and should long have moved on", kind = .1.as_str())]
    Overdue(u32, NodeStatus),
    /// I8, deadlines
    #[error("I8: steps of the operation are left lying: {0:?}")]
    StepsOverdue(Vec<String>),
    /// I8, deadlines
    #[error("I8: all nodes of {0} have ended, and it should long have, too")]
    EndOverdue(OperationId),
    /// I9
    #[error("I9: node {0} was closed before node {1} was told and claimed")]
    ClosedBeforeTold(u32, u32),
    /// I10
    #[error("I10: the edge from node {0} to node {1} is at one end only")]
    LostEdge(u32, u32),
    /// I11
    #[error("I11: an attempt of node {0} began after the cancel was swept")]
    BeganAfterCancel(u32),
    /// Patches
    #[error("node {0} of a patch that is no part of the operation has moved, or could")]
    Uncommitted(u32),
    /// Patches
    #[error("node {0} is not as the plan that the operation runs has it")]
    NotAsPlanned(u32),
    /// Patches, begin
    #[error("node {0} of the plan that the operation runs is not there")]
    NotThere(u32),
    /// Patches
    #[error("the operation runs the plan {0}, which nobody has kept")]
    NoPlan(String),
    /// Queues
    #[error("{0} claimed a node and was not first in a queue that it stands in")]
    OutOfTurn(OperationId),
    /// Queues
    #[error("two operations use {0} at a time")]
    HeldTwice(String),
    /// Queues
    #[error("somebody was passed in a queue, or left it before his end")]
    QueueOrder,
    /// Queues
    #[error("{0} has ended and stands in a queue")]
    StillQueued(OperationId),
    /// Sub-operations
    #[error("node {0} ended well, and the operation that it runs has not")]
    ChildNotEnded(u32),
    /// Section 6
    #[error("attempt {1} of node {0} was worked on by somebody who did not have it")]
    NotHeld(u32, u32),
    /// The way back
    #[error("{0} was undone {1}")]
    UndoneWrongly(String, &'static str),
    /// The way back
    #[error(
        "{0} was done, its operation failed, and it was neither undone nor left behind what could not be"
    )]
    NotUndone(String),
    /// The way back
    #[error("{0} takes back {1}")]
    TakesBackWrongly(OperationId, &'static str),
    /// The way back, sub-operations
    #[error("node {0} ended before all was done that follows from the end of the operation that it runs")]
    EndedUnsettled(u32),
    /// Retry
    #[error("{0} does again {1}")]
    RetriesWrongly(OperationId, &'static str),
    /// Identity
    #[error("{0} came while another operation of its identity was active")]
    SameRunTwice(OperationId),
    /// Evidence
    #[error("{0} has ended and left no evidence")]
    NoPacket(OperationId),
    /// Deadlines
    #[error("an attempt of node {0} began when the time of all of them was over")]
    BeganTooLate(u32),
    /// Gates and interventions
    #[error("{0} asks for a person, and what it is for has ended")]
    StillAsks(String),
    /// Set-up
    #[error("an operation was never answered for")]
    NeverPlaced,
    /// Pause
    #[error("node {0} was claimed by a function that began after the pause")]
    ClaimedWhilePaused(u32),
    /// Begin
    #[error("node {0} was claimed before all nodes were there")]
    ClaimedTooSoon(u32),
    /// Skip
    #[error("node {0} was skipped although all that it waits for had ended well")]
    SkippedForNothing(u32),
    /// Effects
    #[error("the effect of attempt {1} of node {0} happened twice")]
    DoubledEffect(u32, u32),
    /// Effects
    #[error("attempt {1} of node {0} ended well without its effect")]
    NoEffect(u32, u32),
    /// The lock
    #[error("the operation has ended, and its identity is still locked")]
    StillLocked,
    /// The engine
    #[error("{0} met what cannot be: {1}")]
    Inconsistent(&'static str, String),
    /// The end
    #[error("the operation ended otherwise than its nodes: {0}")]
    WrongEnd(String),
}
