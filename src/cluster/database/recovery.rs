//! The recovery sheet: what is known of every member when there is no primary component, which is provably the most
//! advanced, what cannot be proven, and the commands, in order. They are printed, never run.
//!
//! Rules (measured, MariaDB 10.11 and galera 26.4): only positions of the same history (UUID) compare; `seqno: -1` in
//! `grastate.dat` says "crashed or running", not "empty"; an expelled member has a zero UUID and is never a candidate;
//! bootstrapping without `--wsrep_start_position` costs the others a full copy; starting *all* members without it
//! re-forms a cluster whose members hold different data and claim to be in sync.

use std::sync::Arc;

use serde::Serialize;

mod apart;
mod down;
mod evidence;
mod print;
mod steps;
mod survivors;

pub use evidence::{Evidence, Position, Saved};

/// Which of the situations it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// A primary component exists: nothing is to be recovered.
    Primary,
    /// There are two primary components, or members of different clusters.
    Split,
    /// The cluster was formed without a known position.
    Reformed,
    /// Members answer, and none is in a primary component.
    NoQuorum,
    /// No member answers.
    AllDown,
}

/// Which member is the most advanced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MostAdvanced {
    /// The member to start from; `None`: the evidence does not say, or says to stop.
    pub member: Option<Arc<str>>,
    /// Its position.
    pub position: Option<Position>,
    /// The evidence proves that no other member has more.
    pub proven: bool,
    /// Why.
    pub reason: String,
}

/// One command, for a person to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// On which member.
    pub on: Arc<str>,
    /// What it does.
    pub what: String,
    /// The command, for a member run by systemd as Debian and Red Hat do.
    pub command: String,
    /// The same where the server is started by hand or in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<String>,
}

/// The sheet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sheet {
    /// Which of the situations it is.
    pub case: Case,
    /// What is known of every member.
    pub evidence: Vec<Evidence>,
    /// Which member is the most advanced.
    pub verdict: MostAdvanced,
    /// What is not proven, and what could go wrong.
    pub unproven: Vec<String>,
    /// The commands, in order. Only those that the evidence allows.
    pub steps: Vec<Instruction>,
}

/// What to do when there is no primary component. Pure: it decides from the evidence alone.
pub fn recovery(evidence: &[Evidence]) -> Sheet {
    let answering: Vec<_> = evidence.iter().filter(|e| e.answers.is_ok()).collect();
    let states = [super::State::Split { foreign: false }, super::State::Split { foreign: true }];
    let apart: Vec<_> =
        evidence.iter().filter(|e| states.iter().any(|state| e.state == state.word())).collect();
    let case = if !apart.is_empty() {
        Case::Split
    } else if evidence.iter().any(|e| e.primary) {
        Case::Primary
    } else if answering.iter().any(|e| e.unfit && e.state == super::State::Reformed.word()) {
        Case::Reformed
    } else if answering.is_empty() {
        Case::AllDown
    } else {
        Case::NoQuorum
    };
    let (verdict, unproven, steps) = match case {
        Case::Split => apart::split(&apart),
        Case::Primary => (nothing("a primary component exists: nothing is to be recovered"), vec![], vec![]),
        Case::Reformed => apart::reformed(evidence),
        Case::NoQuorum => survivors::sheet(evidence, &answering),
        Case::AllDown => down::sheet(evidence),
    };
    Sheet { case, evidence: evidence.to_vec(), verdict, unproven, steps }
}

fn nothing(reason: &str) -> MostAdvanced {
    MostAdvanced { member: None, position: None, proven: false, reason: reason.into() }
}

/// The different histories among the positions.
fn histories(evidence: &[Evidence]) -> Vec<Arc<str>> {
    let mut all: Vec<_> = evidence.iter().filter_map(|e| e.position()).map(|p| p.uuid).collect();
    all.sort();
    all.dedup();
    all
}

fn foreign(all: &[Arc<str>]) -> MostAdvanced {
    nothing(&format!(
        "the members have {} different histories ({}): their transactions do not compare. Stop here and find out which of them holds the data",
        all.len(),
        all.join(", ")
    ))
}

fn unknown(evidence: &[Evidence]) -> Vec<&Evidence> {
    evidence.iter().filter(|e| e.is_unknown()).collect()
}

/// A clean stop writes down the last transaction: less than the member said before is of another time. So are two
/// positions with no start between them.
fn contradicted(evidence: &[Evidence]) -> bool {
    let read = |e: &Evidence| e.saved.as_ref().is_some_and(|s| s.recovered.is_some());
    evidence.iter().any(|e| e.falls_short().is_some() && !read(e) || several(e).is_some())
}

/// What was fed of a member has several positions.
fn several(member: &Evidence) -> Option<String> {
    let saved = member.saved.as_ref().filter(|saved| member.answers.is_err() && !saved.others.is_empty())?;
    let others: Vec<_> = saved.others.iter().map(u64::to_string).collect();
    let last = saved.recovered.as_ref().map_or("-1".into(), |last| last.seqno.to_string());
    Some(format!(
        "what was fed of {} has several recovered positions, {} and {last}, and no start of its server between them: the \
         last counts. Where they are of two members, feed each its own",
        member.label,
        others.join(", ")
    ))
}

/// What speaks against what was fed.
fn doubts(evidence: &[Evidence]) -> Vec<String> {
    evidence.iter().flat_map(|member| [several(member), short(member)]).flatten().collect()
}

/// What was fed of a member is less than it said itself.
fn short(member: &Evidence) -> Option<String> {
    let (said, fed) = member.falls_short()?;
    Some(format!(
        "{} said it had seqno {} before it fell silent, and what was fed of it is {}: either its last transactions are lost, or what was fed is of another time. Read its disk again",
        member.label, said.seqno, fed.seqno
    ))
}
