//! What state a member is in, judged across all members: its own word is not enough.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Component, Expectations, LocalState, Member, Reject, Status, Trouble, VIEW_SETTLES, View, owner,
};
use crate::cluster::Severity;

/// Peers exclude a silent member after `evs.suspect_timeout` and a round of agreement: 6 s by default, measured.
const NOTICED_WITHIN: f64 = 10.0;

/// The state of a member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Not asked yet.
    Unknown,
    /// In sync, in the newest view.
    Synced,
    /// Out of flow control by hand (`wsrep_desync=ON`).
    Desynced {
        /// Write-sets waiting.
        behind: u64,
    },
    /// Desynced more often than once: `SET GLOBAL wsrep_desync=OFF` takes back one of them, and a restart the others.
    StuckDesync {
        /// `wsrep_desync_count`.
        count: u32,
        /// Write-sets waiting.
        behind: u64,
    },
    /// Gives its state to others.
    Donor {
        /// To whom, where it can be told.
        to: Vec<Arc<str>>,
    },
    /// Applies nothing: FLUSH TABLES WITH READ LOCK, a backup, or a schema change here only. Its reads are stale.
    Paused {
        /// Write-sets waiting.
        behind: u64,
        /// It is the global read lock, as its threads show.
        locked: bool,
    },
    /// A schema change on this member only (RSU).
    LocalSchemaChange {
        /// Write-sets waiting.
        behind: u64,
        /// The statement.
        statement: Arc<str>,
        /// How far, 0 to 1.
        progress: Option<f64>,
    },
    /// Has its state, applies what it missed.
    CatchingUp {
        /// Write-sets left.
        left: u64,
        /// At its present pace, in seconds.
        seconds: Option<u64>,
    },
    /// Waits for its state.
    Joining {
        /// Since when.
        since: Timestamp,
    },
    /// Receives its state: SQL is closed meanwhile, but its peers list it.
    Receiving {
        /// The donor.
        from: Arc<str>,
        /// A full copy; otherwise the donor still keeps what it missed.
        full: bool,
    },
    /// Refuses clients (`wsrep_reject_queries`), though everything else looks healthy.
    Rejecting {
        /// It cuts clients off as well.
        kill: bool,
    },
    /// Claims to be in sync, in a view its peers have left behind: a frozen member that woke. Its data are old.
    Outdated {
        /// The view it tells.
        view: u64,
        /// The newest.
        newest: u64,
    },
    /// Part of another primary component than its peers.
    Split {
        /// It has another history.
        foreign: bool,
    },
    /// The cluster was formed by members that knew no position: the data may differ.
    Reformed,
    /// No quorum: refuses everything.
    NoQuorum {
        /// Members it still sees.
        sees: u32,
    },
    /// Expelled: its data differ from the others'.
    Inconsistent,
    /// Its provider is not connected.
    Left {
        /// `wsrep_cluster_address` is empty: somebody stopped it.
        on_purpose: bool,
    },
    /// A server without Galera.
    NotGalera,
    /// Does not answer, and its peers still count on it: commits wait until they exclude it.
    Unnoticed,
    /// Does not answer us, but its peers list it.
    Unanswering,
    /// Does not answer, and its peers have excluded it (or none can be asked).
    Down,
    /// Answers, but may not be read: password, rights, TLS, connections.
    Unreadable,
    /// A combination not known.
    Odd {
        /// `wsrep_local_state_comment`.
        comment: Arc<str>,
    },
}

impl State {
    /// A word or two, for the table.
    pub fn word(&self) -> String {
        match self {
            Self::Unknown => "connecting".into(),
            Self::Synced => "synced".into(),
            Self::Desynced { .. } => "desynced by hand".into(),
            Self::StuckDesync { count, .. } => format!("desynced {count} times"),
            Self::Donor { to } if to.is_empty() => "donor".into(),
            Self::Donor { to } => format!("donor (to {})", to.join(", ")),
            Self::Paused { .. } => "paused, stale".into(),
            Self::LocalSchemaChange { progress: Some(p), .. } => {
                format!("schema change here {:.0} %", p * 100.0)
            }
            Self::LocalSchemaChange { .. } => "schema change here".into(),
            Self::CatchingUp { .. } => "catching up".into(),
            Self::Joining { .. } => "joining".into(),
            Self::Receiving { full: true, .. } => "joining, full copy".into(),
            Self::Receiving { full: false, .. } => "joining".into(),
            Self::Rejecting { .. } => "rejects clients".into(),
            Self::Outdated { .. } => "outdated view".into(),
            Self::Split { foreign: true } => "another cluster".into(),
            Self::Split { foreign: false } => "split brain".into(),
            Self::Reformed => "re-formed, data may differ".into(),
            Self::NoQuorum { .. } => "no quorum".into(),
            Self::Inconsistent => "expelled, data differ".into(),
            Self::Left { .. } => "left the cluster".into(),
            Self::NotGalera => "not galera".into(),
            Self::Unnoticed => "silent, not yet excluded".into(),
            Self::Unanswering => "no answer, peers list it".into(),
            Self::Down => "down".into(),
            Self::Unreadable => "cannot be read".into(),
            Self::Odd { comment } => comment.to_lowercase(),
        }
    }

    /// What it means, in a sentence.
    pub fn meaning(&self) -> String {
        match self {
            Self::Unknown => "not asked yet".into(),
            Self::Synced => "in sync".into(),
            Self::Desynced { behind } => {
                format!("taken out of flow control by hand (wsrep_desync): {behind} write-sets behind, its reads may be stale")
            }
            Self::StuckDesync { count, behind } => format!(
                "wsrep_desync was set {count} times (wsrep_desync_count), and nobody fetches a state from it: OFF takes back one, only a restart takes back the rest; {behind} write-sets behind"
            ),
            Self::Donor { to } if to.is_empty() => "donor, or desynced for a reason it does not tell".into(),
            Self::Donor { to } => format!("gives its state to {}; it serves meanwhile, slower", to.join(", ")),
            Self::Paused { behind, locked: true } => format!(
                "paused by FLUSH TABLES WITH READ LOCK or a backup: {behind} write-sets behind and drifting; reads are stale, writes hang"
            ),
            Self::Paused { behind, locked: false } => format!(
                "paused by a global read lock, a backup or a schema change on this member only: {behind} write-sets behind and drifting, its reads are stale"
            ),
            Self::LocalSchemaChange { behind, statement, .. } => format!(
                "schema change on this member only: {behind} write-sets behind, its reads are stale: {statement}"
            ),
            Self::CatchingUp { left, seconds: Some(s) } => {
                format!("has its state and applies what it missed: {left} write-sets left, about {s} s")
            }
            Self::CatchingUp { left, .. } => format!("has its state and applies what it missed: {left} write-sets left"),
            Self::Joining { .. } => "waits for its state transfer".into(),
            Self::Receiving { from, full: true } => {
                format!("receives a full copy from {from}; SQL is not open yet")
            }
            Self::Receiving { from, full: false } => format!(
                "fetches what it missed from {from}, or a full copy if it has lost its position; SQL is not open yet"
            ),
            Self::Rejecting { kill: false } => {
                "refuses clients by hand (wsrep_reject_queries=ALL), though its status looks healthy".into()
            }
            Self::Rejecting { kill: true } => {
                "refuses clients and cuts them off by hand (wsrep_reject_queries=ALL_KILL), though its status looks healthy"
                    .into()
            }
            Self::Outdated { view, newest } => format!(
                "claims to be in sync in view {view}, but its peers are at view {newest}: it was frozen and has not noticed; what it reads is old and what it writes is lost"
            ),
            Self::Split { foreign: true } => "part of another cluster: its history has another UUID".into(),
            Self::Split { foreign: false } => {
                "a second primary component beside the first: both take writes and their data part ways".into()
            }
            Self::Reformed => {
                "the cluster was formed by members that knew no position: they may hold different data, and the next conflict expels some of them. Stop writes"
                    .into()
            }
            Self::NoQuorum { sees: 0 | 1 } => "no quorum: sees nobody else and refuses everything".into(),
            Self::NoQuorum { sees } => format!("no quorum: {sees} members see each other and refuse everything"),
            Self::Inconsistent => {
                "expelled by a vote because its data differ; it needs a full copy. First make sure that the majority is right".into()
            }
            Self::Left { on_purpose: true } => "left the cluster on purpose (wsrep_cluster_address is empty)".into(),
            Self::Left { on_purpose: false } => "its provider is not connected to any group".into(),
            Self::NotGalera => "not a Galera member: no provider is loaded".into(),
            Self::Unnoticed => {
                "does not answer, and its peers still count on it: commits wait until they exclude it, at most 6 s".into()
            }
            Self::Unanswering => "does not answer us, but its peers list it as a member".into(),
            Self::Down => "does not answer".into(),
            Self::Unreadable => "answers, but cannot be read".into(),
            Self::Odd { comment } => format!("in a state that is not known here: {comment}"),
        }
    }

    /// How grave the state is by itself.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::Unknown | Self::Synced => None,
            Self::Donor { .. } | Self::CatchingUp { .. } | Self::Joining { .. } | Self::Receiving { .. } => {
                Some(Severity::Notice)
            }
            Self::Desynced { .. }
            | Self::StuckDesync { .. }
            | Self::LocalSchemaChange { .. }
            | Self::Paused { .. } => Some(Severity::Warning),
            Self::Rejecting { .. } | Self::Unreadable | Self::Unanswering | Self::Odd { .. } => {
                Some(Severity::Warning)
            }
            Self::Down | Self::Left { .. } | Self::NotGalera => Some(Severity::Warning),
            Self::Outdated { .. }
            | Self::Split { .. }
            | Self::Reformed
            | Self::NoQuorum { .. }
            | Self::Inconsistent
            | Self::Unnoticed => Some(Severity::Critical),
        }
    }

    /// It is part of the primary component that counts.
    pub fn is_member(&self) -> bool {
        matches!(
            self,
            Self::Synced
                | Self::Desynced { .. }
                | Self::StuckDesync { .. }
                | Self::Donor { .. }
                | Self::Paused { .. }
                | Self::LocalSchemaChange { .. }
                | Self::CatchingUp { .. }
                | Self::Rejecting { .. }
                | Self::Reformed
        )
    }

    /// Writes sent to it succeed.
    pub fn takes_writes(&self) -> bool {
        matches!(
            self,
            Self::Synced
                | Self::Desynced { .. }
                | Self::StuckDesync { .. }
                | Self::Donor { .. }
                | Self::Unknown
                | Self::Unreadable
        )
    }
}

/// The state of each member.
pub(super) fn judge(
    members: &[&Arc<Member>],
    view: Option<&View>,
    expected: &Expectations,
    at: Timestamp,
) -> Vec<State> {
    let listed = |m: &Member| {
        view.is_some_and(|v| {
            v.addresses.iter().any(|a| owner(members, expected, a).as_ref() == Some(&m.name))
        })
    };
    let gives = |s: &Status| {
        s.local_state == LocalState::Donor && !only_by_hand(s) && s.component == Component::Primary
    };
    let donor = members.iter().find(|m| m.now().is_some_and(|s| gives(s)));
    let receives = |m: &Member| match m.now() {
        Some(s) => s.local_state == LocalState::Joining && s.component != Component::Primary,
        None => m.trouble == Some(Trouble::Refused) && listed(m),
    };
    let silent = |m: &Member| match m.trouble {
        None => State::Unknown,
        Some(Trouble::Refused | Trouble::Silent | Trouble::Unreachable) => {
            let since = m.silent_since.map_or(0.0, |since| at.duration_since(since).as_secs_f64());
            match (listed(m), donor) {
                (true, Some(donor)) if m.trouble == Some(Trouble::Refused) => {
                    // What it still has is known only of one that was seen before.
                    let full = m.status.is_some() && !donor.now().is_some_and(|donor| keeps_all_of(donor, m));
                    State::Receiving { from: donor.label(), full }
                }
                (true, _) if since <= NOTICED_WITHIN && m.status.is_some() => State::Unnoticed,
                (true, _) => State::Unanswering,
                (false, _) => State::Down,
            }
        }
        Some(_) => State::Unreadable,
    };
    let answering = |m: &Member, s: &Status| -> State {
        if !s.galera {
            return State::NotGalera;
        }
        if s.is_reformed() {
            return State::Reformed;
        }
        if s.local_state == LocalState::Inconsistent {
            return State::Inconsistent;
        }
        match (s.component, s.local_state) {
            (Component::Disconnected, _) => return State::Left { on_purpose: s.cluster_address.is_empty() },
            (Component::NonPrimary, LocalState::Joining) => return State::Joining { since: s.state_since },
            (Component::NonPrimary, _) => return State::NoQuorum { sees: s.size },
            (Component::Primary, _) => {}
        }
        if let Some(state) = view.and_then(|view| apart(s, view, members)) {
            return state;
        }
        match s.local_state {
            LocalState::Joining | LocalState::Joined => State::CatchingUp {
                left: s.receive_queue,
                seconds: pace(m).map(|p| (s.receive_queue as f64 / p) as u64),
            },
            LocalState::Donor if only_by_hand(s) => State::Desynced { behind: s.receive_queue },
            LocalState::Donor if is_stuck(s, members, view) => {
                State::StuckDesync { count: s.desync_count, behind: s.receive_queue }
            }
            LocalState::Donor => donating(s, members, &receives),
            LocalState::Synced => match s.reject {
                Reject::None => State::Synced,
                reject => State::Rejecting { kill: reject == Reject::AllKill },
            },
            _ => State::Odd { comment: s.comment.clone() },
        }
    };
    members
        .iter()
        .map(|m| match m.now() {
            Some(status) => answering(m, status),
            None => silent(m),
        })
        .collect()
}

/// A hand has taken it out of step, and nothing else: a donor that was desynced as well has two reasons.
fn only_by_hand(s: &Status) -> bool {
    s.desync && s.desync_count <= 1
}

/// Desynced for several reasons, of which a transfer is none: every member of the view is known and has its state, and
/// no lock or schema change shows here.
fn is_stuck(s: &Status, members: &[&Arc<Member>], view: Option<&View>) -> bool {
    let whole = |m: &&&Arc<Member>| {
        m.now().is_some_and(|s| {
            s.component == Component::Primary
                && matches!(s.local_state, LocalState::Synced | LocalState::Donor)
        })
    };
    let seen = members.iter().filter(whole).count() as u32;
    let all = view.is_some_and(|v| seen + v.arbitrators >= v.size);
    let busy = s
        .threads
        .as_ref()
        .is_none_or(|t| t.global_lock || t.schema_change.as_ref().is_some_and(|change| !change.applied));
    s.desync_count > 1 && all && !busy
}

/// A donor still has what a member, by its last word, misses.
fn keeps_all_of(donor: &Status, member: &Member) -> bool {
    let expelled = |s: &&Status| s.local_state == LocalState::Inconsistent;
    let same = member.status.as_deref().filter(|s| s.cluster_uuid == donor.cluster_uuid && !expelled(s));
    let next = same.and_then(|s| s.last_committed?.checked_add(1));
    next.zip(donor.gcache.from).is_some_and(|(next, kept)| next >= kept)
}

/// It tells another view than the one that counts.
fn apart(s: &Status, view: &View, members: &[&Arc<Member>]) -> Option<State> {
    if s.cluster_uuid != view.uuid {
        return Some(State::Split { foreign: true });
    }
    let (Some(own), newest) = (s.conf_id, view.conf_id) else { return None };
    if own > newest || s.at.duration_since(view.since).as_secs_f64() < VIEW_SETTLES {
        return None;
    }
    // One view has one list of members. Two halves that were both made primary count on from the same view, and so
    // come to the same number (measured): only their members tell them apart.
    if own == newest {
        let all = |list: &[Arc<str>]| list.iter().cloned().collect::<BTreeSet<_>>();
        let same = s.size == view.size && all(&s.incoming) == all(&view.addresses);
        return (!same).then_some(State::Split { foreign: false });
    }
    // A frozen member still lists those that have gone on without it; the other half of a split does not.
    let newer = members.iter().filter_map(|m| m.now()).filter(|o| o.conf_id == Some(newest));
    let lists_them = newer.flat_map(|o| &o.addresses).any(|a| s.incoming.contains(a));
    match lists_them {
        true => Some(State::Outdated { view: own, newest }),
        false => Some(State::Split { foreign: false }),
    }
}

fn donating(s: &Status, members: &[&Arc<Member>], receives: &dyn Fn(&Member) -> bool) -> State {
    if let Some(change) = s.threads.as_ref().and_then(|t| t.schema_change.as_ref()).filter(|c| !c.applied) {
        return State::LocalSchemaChange {
            behind: s.receive_queue,
            statement: change.statement.clone(),
            progress: change.progress,
        };
    }
    let locked = s.threads.as_ref().is_some_and(|t| t.global_lock);
    let to: Vec<Arc<str>> = members.iter().filter(|m| receives(m)).map(|m| m.label()).collect();
    if to.is_empty() && (locked || s.receive_queue > 0) {
        return State::Paused { behind: s.receive_queue, locked };
    }
    State::Donor { to }
}

/// Write-sets a second by which the queue shrinks, over the last readings.
fn pace(member: &Member) -> Option<f64> {
    let last = member.history.back()?;
    let first = member.history.iter().rev().take(10).last()?;
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let shrunk = first.queue.checked_sub(last.queue)?;
    (seconds > 0.0 && shrunk > 0).then(|| shrunk as f64 / seconds)
}
