//! Planning acts on the database: a member taken out of the proxies or brought back, a weight, the writer, the servers
//! saved, a member desynced.
//!
//! # What it is built on
//!
//! Rules measured on ProxySQL 2.7.1 before three Galera members (one writer, `writer_is_also_reader` 2), where they
//! live, and the test that holds them. Another version or another setting is told in the preview (rule `measured`).
//!
//! | rule | code | test |
//! |---|---|---|
//! | A plain LOAD makes every member a writer and empties the readers: memory from runtime, surplus writers' rows deleted, edited, loaded | `edit`, sent by `run/perform/sql.rs`, printed by `sql` | `edit::tests`, `database_typed` |
//! | No LOAD while there is no writer or one too many: every row in waiting would write | `edit::sorted`, `guard::proxies` | `edit::tests`, `guards::without_a_monitor_..` |
//! | OFFLINE_SOFT does not hold | never used: rows are deleted | `database_runs` |
//! | LOAD and SAVE answer 0 rows: success is what is read again over two checks of the monitor | `standing::holds`, `run/decide.rs` | `tests::a_change_holds_only_after_two_checks_..` |
//! | The heaviest writes within one check; failback by itself | `acts::change_weight`, `routing::elect` | `database_runs`, `database_cli::weights_and_the_writer_..` |
//! | Rows that were loaded stay beside the new writer's: who is about to write leaves the readers in the same LOAD | `edit::leave_readers` | `edit::tests`, `database_runs` |
//! | The rows a LOAD deletes stay as OFFLINE_HARD, and the monitor makes them live again with the old weight, unless `runtime_mysql_servers` is read first | `edit::SHOW` | `database_typed` |
//! | Memory from runtime drops others' pending edits | `guard::proxies` (rule `drift`) | `tests::drift_is_saved_once_..` |
//! | A SAVE is a step of its own; nothing else writes to a disk | `acts::save` | `database_cli::what_runs_is_saved_..` |
//! | A desync moves a member to offline and cuts its pooled clients | `guard::pooled`, `guard::desync` | `database_runs::a_member_is_desynced_..` |
//! | Without readers reads hang for 10 s and end in 9001 | `guard::afterwards` (rule `last-reader`) | `guards::the_last_that_can_write_or_read_stays` |
//! | A member that lags is kept by the proxies unless it is read-only | `guard::behind` | `guards::who_is_behind_..` |
//! | In a ProxySQL cluster a LOAD reaches the others in 3 s; two different LOADs in one second diverge for good | all proxies get the same rows, one after the other; rule `cluster-sync` | `guards::proxies_that_synchronise_..` |
//! | The monitor moves members while memory is being edited: what runs is read again before the LOAD, and others' edits are not loaded with ours | `run/perform/sql.rs` | `database_amid` |
//! | What held when it was planned may not hold when it is written: each write is judged again | `hindrance`, `run/decide.rs` | `database_amid` |
//! | Several clusters behind one proxy elect each by itself | `routing`, `guard::afterwards`, `acts::placed` | `tests::clusters` |
//! | An arbitrator votes and is no backend (measured with garbd) | `routing::weights` | `tests::clusters` |
//! | `admin-read_only` answers OK to a LOAD | `guard::proxies`, `sql::editable` | `database_act::without_the_rights_..` |
//!
//! # Where it goes beyond what was measured
//!
//! - **The writer leaves.** Its rows are never deleted while it writes. It is made the lightest first, and the run waits
//!   until another writes and two checks have left it so; only then its rows go, which is the measured removal of one
//!   that waits. Measured was a writer moving to a member made heavier. The election goes by weight, then name and port
//!   (source of 2.7.1), and sees the same order either way.
//! - **A server enters.** Into the writer hostgroup it would write at once, beside the writer. A synced one enters with
//!   rows in the backup and reader hostgroups and none among the writers: as every writer in waiting does in the
//!   measured safe form (`load_safe_watch.tsv`: the monitor adds their SHUNNED rows at its next check). One that is not
//!   known to be synced enters in the offline hostgroup, where a desynced member stood and came back from at the next
//!   check; that a LOAD may put a *new* server there was not measured.
//! - **Open transactions.** Deleting rows cut no client that ran one statement at a time. What becomes of a transaction
//!   was not measured, and is told as a cut.
//!
//! In each of these nothing but the reading over two checks counts, and the preview says what was not measured.

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    About, Change, Check, Desync, Desynced, Holds, Intent, Plan, Save, Servers, Serves, Step, Verdict,
};
use crate::cluster::{Holder, MemberName, ProxyName, Snapshot};

mod acts;
pub mod edit;
mod guard;
pub(super) mod hindrance;
mod names;
mod routing;
mod sql;
pub(super) mod standing;
mod undo;
mod verify;

pub use names::Names;
use routing::{Backend, BackendRole, Edit, Routing};
pub use verify::{backends, verify};

/// The weights a ProxySQL takes: with 0 a backend would be sent nobody.
pub const WEIGHTS: RangeInclusive<u64> = 1..=10_000_000;

/// What an operator wants of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum DatabaseAct {
    /// Out of every proxy's servers.
    TakeOut {
        /// Which member.
        member: MemberName,
    },
    /// Into every proxy's servers that lacks it, with rows like another's.
    BringBack {
        /// Which member.
        member: MemberName,
        /// Like this one; `None`: like a member that serves.
        #[serde(default)]
        like: Option<MemberName>,
    },
    /// Another weight in every proxy: the heaviest writes.
    Weight {
        /// Which member.
        member: MemberName,
        /// The weight.
        weight: u64,
    },
    /// The member every proxy shall write to.
    MoveWriter {
        /// Which member.
        member: MemberName,
    },
    /// A server the proxies do not know yet.
    AddServer {
        /// `host:port`.
        address: Arc<str>,
        /// With rows like this member's; `None`: like a member that serves.
        #[serde(default)]
        like: Option<MemberName>,
    },
    /// A server out of every proxy, member or not.
    RemoveServer {
        /// `host:port`, as the proxies know it.
        address: Arc<str>,
    },
    /// What runs is written to disk.
    Save {
        /// In this proxy; `None`: in every one that differs.
        #[serde(default)]
        proxy: Option<ProxyName>,
    },
    /// Out of flow control (`wsrep_desync=ON`).
    Desync {
        /// Which member.
        member: MemberName,
    },
    /// Back into flow control.
    Resync {
        /// Which member.
        member: MemberName,
    },
}

/// What a plan does to the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabasePart {
    /// What is done; of an undo, what it amounts to.
    pub act: DatabaseAct,
    /// What people call what it is about.
    pub subject: String,
    /// The proxies now, a line each: `proxy1 db1 writer, db2 next writer, db3 reader`.
    pub now: Vec<String>,
    /// The same afterwards, as predicted.
    pub after: Vec<String>,
    /// Which clients are cut.
    pub cut: Vec<Cut>,
    /// What was checked, and how it came out.
    pub checks: Vec<Check>,
    /// The statements an operator would type.
    pub sql: Vec<String>,
    /// What undoing it would do, in words.
    pub undo: String,
    /// Another member takes the writes afterwards, in some proxy.
    #[serde(default)]
    pub moves_writer: bool,
    /// Proxies that do not answer: nothing is done there, and they come back with what is on their disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<ProxyName>,
    /// What people call those that the steps are about.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}

/// Clients that notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Through which proxy; `None`: all that are connected to the member.
    pub proxy: Option<ProxyName>,
    /// How many, where it is known; 0: they notice, and are not cut.
    pub clients: Option<u32>,
    /// Whose they are, the most first, where the list of sessions may be read.
    #[serde(default)]
    pub who: Vec<Holder>,
    /// For how many seconds at most they find nobody to serve them; 0: they can connect again at once.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// Who, what they see, and for how long.
    pub text: String,
}

impl Cut {
    /// Nobody is cut: they keep their connection where it is.
    pub fn stays(&self) -> bool {
        self.clients == Some(0)
    }
}

impl DatabaseAct {
    /// What it is about, as it was named.
    pub fn subject(&self) -> &str {
        match self {
            Self::TakeOut { member }
            | Self::BringBack { member, .. }
            | Self::Weight { member, .. }
            | Self::MoveWriter { member }
            | Self::Desync { member }
            | Self::Resync { member } => member.as_str(),
            Self::AddServer { address, .. } | Self::RemoveServer { address } => address,
            Self::Save { proxy: Some(proxy) } => proxy.as_str(),
            Self::Save { proxy: None } => "every proxy",
        }
    }

    fn words(&self, subject: &str) -> String {
        match self {
            Self::TakeOut { .. } => format!("take {subject} out of the proxies"),
            Self::BringBack { .. } => format!("bring {subject} back into the proxies"),
            Self::Weight { weight, .. } => format!("weight of {subject} → {weight}"),
            Self::MoveWriter { .. } => format!("move the writer to {subject}"),
            Self::AddServer { .. } => format!("add {subject} to the proxies"),
            Self::RemoveServer { .. } => format!("remove {subject} from the proxies"),
            Self::Save { .. } => format!("save the servers of {subject}"),
            Self::Desync { .. } => format!("desync {subject}"),
            Self::Resync { .. } => format!("resync {subject}"),
        }
    }
}

impl DatabasePart {
    /// What is done, in a few words, its subject by the name people use.
    pub fn words(&self) -> String {
        self.act.words(&self.subject)
    }

    /// The same of a plan that takes a run back. A save has no inverse that could be named.
    pub fn words_of_undo(&self) -> String {
        match self.act {
            DatabaseAct::Save { .. } => "a save cannot be taken back".into(),
            _ => self.words(),
        }
    }
}

impl fmt::Display for DatabaseAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words(self.subject()))
    }
}

/// Seconds a write may take.
const WRITE_WITHIN: u32 = 30;

/// A plan while it is being worked out.
struct Draft<'a> {
    routing: Routing<'a>,
    act: DatabaseAct,
    subject: String,
    checks: Vec<Check>,
    /// What is done to the servers: each phase is written in every proxy and then waited for.
    phases: Vec<Vec<Edit>>,
    /// Backends whose rows stand while the memory of their proxy may hold what a run has begun.
    leftovers: Vec<Edit>,
    /// Proxies that save, with what differs there.
    saves: Vec<(ProxyName, String)>,
    /// A member whose `wsrep_desync` is set.
    desync: Option<(MemberName, bool)>,
    undo: String,
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, act: &DatabaseAct) -> Plan {
    match Draft::new(seen, act) {
        None => blank(seen, intent, act),
        Some(mut draft) => {
            draft.work_out(act);
            draft.finish(seen, intent)
        }
    }
}

pub(super) fn undo(seen: &Snapshot, intent: &Intent, run: &str, changes: &[(About, Change)]) -> Plan {
    let act = undo::act(changes);
    match Draft::new(seen, &act) {
        None => blank(seen, intent, &act),
        Some(mut draft) => {
            undo::work_out(&mut draft, run, changes);
            draft.finish(seen, intent)
        }
    }
}

/// Why nothing can be done to a database that is not there.
pub(super) const NOT_CONFIGURED: &str =
    "no database is configured: name its members and proxies in the configuration ([galera], [proxysql])";

/// Without a database there is nothing to act on.
fn blank(seen: &Snapshot, intent: &Intent, act: &DatabaseAct) -> Plan {
    let part = DatabasePart {
        act: act.clone(),
        subject: act.subject().to_owned(),
        now: Vec::new(),
        after: Vec::new(),
        cut: Vec::new(),
        checks: vec![Check::new("member", Verdict::Refuse, NOT_CONFIGURED)],
        sql: Vec::new(),
        undo: String::new(),
        moves_writer: false,
        without: Vec::new(),
        names: Names::default(),
    };
    assembled(seen, intent, part, Vec::new())
}

fn assembled(seen: &Snapshot, intent: &Intent, part: DatabasePart, steps: Vec<Step>) -> Plan {
    Plan::assemble(seen, intent.clone(), Vec::new(), Vec::new(), Some(part), steps, Vec::new())
}

impl<'a> Draft<'a> {
    fn new(seen: &'a Snapshot, act: &DatabaseAct) -> Option<Self> {
        let routing = Routing::of(seen)?;
        let subject = match routing.member(act.subject()) {
            Some(row) => row.label.to_string(),
            None => act.subject().to_owned(),
        };
        Some(Self {
            routing,
            act: act.clone(),
            subject,
            checks: Vec::new(),
            phases: Vec::new(),
            leftovers: Vec::new(),
            saves: Vec::new(),
            desync: None,
            undo: String::new(),
        })
    }

    fn check(&mut self, rule: &str, verdict: Verdict, text: impl Into<String>) {
        self.checks.push(Check::new(rule, verdict, text));
    }

    /// The backends of every proxy once all phases are through.
    fn after(&self) -> Vec<Vec<Backend>> {
        self.after_phases(self.phases.len())
    }

    /// Another member takes the writes afterwards, in some proxy.
    fn moves_writer(&self) -> bool {
        let moved = |(proxied, after): (&routing::Proxied<'_>, Vec<Backend>)| {
            let now = writers(&proxied.backends);
            !now.is_empty() && now != writers(&after)
        };
        self.routing.proxied.iter().zip(self.after()).any(moved)
    }

    /// Which of the Galera clusters behind each proxy are touched.
    fn clusters(&self) -> Vec<(ProxyName, usize)> {
        let edits = self.phases.iter().flatten();
        let of = |edit: &Edit| {
            let proxied = self.routing.proxied.iter().find(|f| *f.name == edit.proxy)?;
            let stands = proxied.backend(&edit.address).map(|s| s.cluster);
            let enters =
                || edit.to.first().map(|row| routing::cluster(&proxied.groups, |g| g.has(row.hostgroup)));
            Some((edit.proxy.clone(), stands.or_else(enters)?))
        };
        edits.filter_map(of).collect()
    }

    fn after_phases(&self, phases: usize) -> Vec<Vec<Backend>> {
        let edits: Vec<Edit> = self.phases[..phases].concat();
        let backends = self.routing.proxied.iter().map(|proxied| match self.moved_by_monitor(proxied) {
            Some((backend, true)) => proxied.with(&backend.address),
            Some((backend, false)) => proxied.without(&backend.address),
            None => self.backends(proxied, &edits),
        });
        backends.collect()
    }

    /// The backend of a member whose `wsrep_desync` is set, and whether the monitor takes it into service or out of it.
    fn moved_by_monitor<'f>(&self, proxied: &'f routing::Proxied<'_>) -> Option<(&'f Backend, bool)> {
        let (member, desync) = self.desync.as_ref()?;
        let backend = proxied.backends.iter().find(|s| s.member.as_ref() == Some(member))?;
        match (desync, backend.role) {
            (true, place) if place.serves() => Some((backend, false)),
            (false, BackendRole::Offline) => Some((backend, true)),
            _ => None,
        }
    }

    /// The backends of one proxy after some edits.
    fn backends(&self, proxied: &routing::Proxied<'_>, edits: &[Edit]) -> Vec<Backend> {
        let known = |address: &str| {
            let row = self.routing.member(address)?;
            Some((row.name.clone(), row.label.to_string(), routing::fit_to_write(row)))
        };
        proxied.after(edits, known)
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut push = |change, within| steps.push(Step::new(About::Database, change, within));
        let edited = |edit: &Edit| self.phases.iter().flatten().any(|other| other.proxy == edit.proxy);
        for edit in self.leftovers.iter().filter(|edit| !edited(edit)) {
            let Edit { proxy, address, from, to } = edit.clone();
            push(Change::Servers(Servers { proxy, address, from, to }), WRITE_WITHIN);
        }
        for (number, phase) in self.phases.iter().enumerate() {
            for edit in phase {
                let Edit { proxy, address, from, to } = edit.clone();
                push(Change::Servers(Servers { proxy, address, from, to }), WRITE_WITHIN);
            }
            let backends = self.after_phases(number + 1);
            for edit in phase {
                let at = self
                    .routing
                    .proxied
                    .iter()
                    .zip(&backends)
                    .find(|(proxied, _)| *proxied.name == edit.proxy);
                let place =
                    at.and_then(|(_, s)| s.iter().find(|s| s.address == edit.address)).map(|s| s.role);
                let as_writer = match place {
                    Some(BackendRole::Writer) => Some(true),
                    Some(BackendRole::Standby | BackendRole::Reader) => Some(false),
                    _ => None,
                };
                let within = at.map_or(50, |(proxied, _)| proxied.patience());
                let Edit { proxy, address, to, .. } = edit.clone();
                push(Change::Holds(Holds { proxy, address, rows: to, as_writer }), within);
            }
        }
        for (proxy, from) in &self.saves {
            push(Change::Save(Save { proxy: proxy.clone(), from: from.clone() }), WRITE_WITHIN);
        }
        if let Some((member, to)) = &self.desync {
            push(Change::Desync(Desync { member: member.clone(), from: !to, to: *to }), WRITE_WITHIN);
            let within = if *to { 60 } else { 600 };
            push(Change::Desynced(Desynced { member: member.clone(), desynced: *to }), within);
            for proxied in &self.routing.proxied {
                let Some((backend, serves)) = self.moved_by_monitor(proxied) else { continue };
                let (proxy, address) = (proxied.name.clone(), backend.address.clone());
                push(Change::Serves(Serves { proxy, address, serves }), proxied.patience());
            }
        }
        steps
    }

    /// What people call those that the steps are about.
    fn names(&self, steps: &[Step]) -> Names {
        let addresses = steps.iter().filter_map(|step| step.change.host());
        addresses.filter_map(|at| Some((at.into(), self.routing.member(at)?.label.clone()))).collect()
    }

    fn finish(mut self, seen: &Snapshot, intent: &Intent) -> Plan {
        let steps = self.steps();
        if steps.is_empty()
            && self.checks.iter().all(|c| c.verdict != Verdict::Refuse)
            && self.checks.is_empty()
        {
            self.check("nothing", Verdict::Ok, "it is so already: there is nothing to do");
        }
        let after = self.after();
        let mut cut = guard::cuts(&self.routing, &self.phases, &after);
        if let Some((member, true)) = &self.desync {
            cut.extend(guard::pooled(&self.routing, member));
        }
        if !steps.is_empty() {
            let quiet = match self.saves.is_empty() {
                true => "no client is cut",
                false => "no client notices: only the disk is written",
            };
            self.checks.push(guard::clients(&cut, quiet));
        }
        let lines = |backends: &[Vec<Backend>]| -> Vec<String> {
            let both = self.routing.proxied.iter().zip(backends);
            both.map(|(proxied, backends)| routing::line(proxied.name, backends)).collect()
        };
        let now: Vec<_> = self.routing.proxied.iter().map(|f| f.backends.clone()).collect();
        let touched = steps.iter().any(|step| matches!(step.change, Change::Servers { .. }));
        let without = match touched {
            true => seen.proxies.values().filter(|p| p.now().is_none()).map(|p| p.name.clone()).collect(),
            false => Vec::new(),
        };
        let part = DatabasePart {
            moves_writer: !steps.is_empty() && self.moves_writer(),
            without,
            names: self.names(&steps),
            subject: self.subject.clone(),
            now: lines(&now),
            after: lines(&after),
            cut,
            sql: sql::of(&self, &steps),
            checks: self.checks,
            undo: self.undo,
            act: self.act,
        };
        assembled(seen, intent, part, steps)
    }
}

fn writers(backends: &[Backend]) -> BTreeSet<&str> {
    backends.iter().filter(|s| s.role == BackendRole::Writer).map(|s| &*s.address).collect()
}

#[cfg(test)]
mod tests;
