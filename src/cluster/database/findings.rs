//! What is wrong with the database, as rules: of each member, of all together, and of the proxies.
//!
//! Appended to the health rules by [`crate::cluster::findings`]. What a member says of itself is not repeated where its
//! peers know better, and nothing is said of what has not been seen.

use jiff::Timestamp;

use super::{Database, Role, Row, State};
use crate::cluster::{
    Answer, Endpoint, Severity, Subject,
    finding::{Check, Found, Rule, found},
};

mod alike;
mod members;
mod proxies;
mod whole;

type Said = Vec<(Subject, Found)>;

/// The rules of the database.
pub(in crate::cluster) const RULES: &[Rule] = &[
    Rule {
        name: "galera-no-quorum",
        doc: "No member is in a primary component: the database refuses everything.",
        check: Check::Database(whole::no_quorum),
    },
    Rule {
        name: "galera-reformed",
        doc: "The cluster was formed without a known position: its members may hold different data.",
        check: Check::Database(whole::reformed),
    },
    Rule {
        name: "galera-views",
        doc: "Members tell different views: one was frozen and woke, or there are two clusters.",
        check: Check::Database(whole::views),
    },
    Rule {
        name: "no-writer",
        doc: "ProxySQL has no writer, or one that takes no writes.",
        check: Check::Database(proxies::no_writer),
    },
    Rule {
        name: "two-writers",
        doc: "Writes go to more members than allowed, or the proxies disagree.",
        check: Check::Database(proxies::two_writers),
    },
    Rule {
        name: "readers-empty",
        doc: "No backend takes reads: readers wait and fail.",
        check: Check::Database(proxies::readers_empty),
    },
    Rule {
        name: "member-expelled",
        doc: "A member was voted out because its data differ.",
        check: Check::Database(members::expelled),
    },
    Rule { name: "member-down", doc: "A member does not answer.", check: Check::Database(members::down) },
    Rule {
        name: "member-no-quorum",
        doc: "A member is cut off from the primary component.",
        check: Check::Database(members::cut_off),
    },
    Rule {
        name: "commits-blocked",
        doc: "No member commits while sessions wait, as a schema change under TOI makes them.",
        check: Check::Database(whole::commits_blocked),
    },
    Rule {
        name: "lock-holder",
        doc: "A session holds a lock that an applier waits for: the whole cluster waits for it.",
        check: Check::Database(members::lock_holder),
    },
    Rule {
        name: "flow-control",
        doc: "Replication is paused for a member that cannot keep up.",
        check: Check::Database(whole::flow_control),
    },
    Rule {
        name: "stale-reads",
        doc: "A member applies nothing and still takes reads: they are stale.",
        check: Check::Database(members::stale),
    },
    Rule {
        name: "member-rejects",
        doc: "A member refuses clients behind a healthy status (wsrep_reject_queries).",
        check: Check::Database(members::rejecting),
    },
    Rule {
        name: "galera-size",
        doc: "Fewer members than there should be.",
        check: Check::Database(whole::size),
    },
    Rule {
        name: "member-unsynced",
        doc: "A member has been out of sync for longer than allowed.",
        check: Check::Database(members::unsynced),
    },
    Rule {
        name: "queue-growing",
        doc: "Write-sets pile up on a member: its reads grow stale and flow control is near.",
        check: Check::Database(members::queue),
    },
    Rule {
        name: "donor-in-rotation",
        doc: "A donor takes reads: it is slow, and blocks for part of the transfer.",
        check: Check::Database(members::donor_in_rotation),
    },
    Rule {
        name: "conflicts",
        doc: "Transactions fail certification or are aborted by replicated ones: hot rows, or several writers.",
        check: Check::Database(members::conflicts),
    },
    Rule {
        name: "gcache-window",
        doc: "A member that is away for long needs a full copy: its peers keep too little.",
        check: Check::Database(members::gcache),
    },
    Rule {
        name: "member-connections",
        doc: "A member is near its connection limit.",
        check: Check::Database(members::connections),
    },
    Rule {
        name: "backend-shunned",
        doc: "ProxySQL shuns a backend because of errors; surplus writers are not meant.",
        check: Check::Database(proxies::shunned),
    },
    Rule {
        name: "monitor-failing",
        doc: "ProxySQL's monitor cannot see: it will not fail over.",
        check: Check::Database(proxies::monitor),
    },
    Rule {
        name: "clients-waiting",
        doc: "Clients wait for a backend connection, or the proxy is near its limit of clients.",
        check: Check::Database(proxies::clients),
    },
    Rule {
        name: "sessions-pinned",
        doc: "Sessions hold connections on a member that is no longer the writer.",
        check: Check::Database(proxies::pinned),
    },
    Rule {
        name: "proxy-drift",
        doc: "What a proxy runs differs from what was edited or saved.",
        check: Check::Database(proxies::drift),
    },
    Rule {
        name: "proxies-differ",
        doc: "The proxies run different configurations.",
        check: Check::Database(proxies::proxies_differ),
    },
    Rule {
        name: "proxy-lost",
        doc: "A ProxySQL cannot be asked.",
        check: Check::Database(proxies::proxy_lost),
    },
    Rule {
        name: "member-unreadable",
        doc: "A member answers, but does not let us read it.",
        check: Check::Database(members::unreadable),
    },
    Rule {
        name: "member-unknown",
        doc: "The cluster or a proxy has members that are not configured, or the reverse.",
        check: Check::Database(alike::strangers),
    },
    Rule {
        name: "member-twice",
        doc: "Two configured addresses lead to one member: it is counted and asked as one.",
        check: Check::Database(whole::twice),
    },
    Rule {
        name: "members-differ",
        doc: "Members run different versions, or provider options that matter.",
        check: Check::Database(alike::members_differ),
    },
    Rule {
        name: "configuration",
        doc: "The configuration names members or proxies that it does not list, or only one of the two.",
        check: Check::Database(alike::configuration),
    },
    Rule {
        name: "rights-missing",
        doc: "Something cannot be known for lack of rights.",
        check: Check::Database(alike::rights),
    },
];

fn of(row: &Row) -> Subject {
    Subject::Member(row.name.clone())
}

/// The whole database.
fn all() -> Subject {
    Subject::Source("galera".into())
}

/// Dates a finding by the state of a member that answers.
fn in_state(row: &Row, found: Found) -> Found {
    found.dated(row.member.first_read(), row.now().map(|s| s.state_since))
}

/// Dates a finding by the silence of an endpoint: of one that never answered it is not known since when.
fn silence<N: Clone, S, H: Clone>(endpoint: &Endpoint<N, S, H>, found: Found) -> Found {
    let answered = endpoint.status.is_some().then_some(Timestamp::MIN);
    found.dated(answered, endpoint.silent_since)
}

/// A finding for each member in such a state, and what answers it.
fn states(d: &Database, which: impl Fn(&State) -> bool, answer: impl Fn(&Row, Found) -> Found) -> Said {
    let rows = d.members.iter().filter(|r| which(&r.state));
    rows.map(|r| {
        let severity = d.severity(r).unwrap_or(Severity::Notice);
        (of(r), answer(r, in_state(r, found(severity, r.state.meaning()))))
    })
    .collect()
}

/// `1 session waits`, `2 sessions wait`.
fn sessions(n: u32, one: &str, several: &str) -> String {
    if n == 1 { format!("1 session {one}") } else { format!("{n} sessions {several}") }
}

/// Clients reach the member through a proxy.
fn serves(row: &Row) -> bool {
    row.reads || row.role == Role::Writer
}

/// Taken out of the proxies it harms nobody; where no proxy sends it clients, something else answers.
fn keep_off(row: &Row, found: Found, more: &str, otherwise: &str) -> Found {
    match serves(row) {
        true => found.act(Answer::TakeOut, &row.label, more),
        false => found.answer(Answer::Database).remedy(otherwise),
    }
}

/// A member that could take the writes, other than that one.
fn successor<'a>(d: &'a Database, row: &Row) -> Option<&'a Row> {
    let fit = |r: &&Row| {
        r.name != row.name
            && r.state == State::Synced
            && matches!(r.role, Role::NextWriter | Role::Standby | Role::Writer)
            && r.now().is_some_and(|s| !s.read_only)
    };
    let mut all: Vec<_> = d.members.iter().filter(fit).collect();
    all.sort_by_key(|r| (r.role != Role::Writer, r.role != Role::NextWriter));
    all.first().copied()
}
