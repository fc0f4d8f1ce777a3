//! Driving an approved plan: decide, write it down, do it, write it down, wait for the cluster to show it.
//!
//! The thinking ([`Run`], its fold over entries, `decide`) is pure. `perform` is the only code in the program that
//! writes to the cluster, and the one place where read-only mode is enforced. The record of a step is stored before
//! its request is sent, so that a crash at any moment leaves something that another cockpit finds and finishes or
//! takes back.

mod event;

use crate::plan::Check;

pub use event::{Entry, Event, Outcome, Run, RunState, StepState};

/// What a rehearsal found before anything moved: the rights (access reviews) and the writes (`dryRun=All`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsal {
    /// The id of the plan that was rehearsed.
    pub plan: String,
    /// Rights and dry runs; a missing right or a rejected write refuses.
    pub checks: Vec<Check>,
    /// The rights that keeping the journal in the cluster would need and that are missing. Not empty: only a journal
    /// on this machine is possible, which colleagues can neither see nor finish; the operator must choose that.
    pub journal_missing: Vec<String>,
}

/// Where a run's journal is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalPlace {
    /// A ConfigMap, and Leases: every cockpit sees the run and can finish it.
    #[default]
    Cluster,
    /// A file on this machine: nobody else can.
    Local,
}
