//! What is wrong with the database, as rules: of each member, of all together, and of the proxies.
//!
//! Appended to the health rules by [`crate::cluster::findings`]. What a member says of itself is not repeated where its
//! peers know better, and nothing is said of what has not been seen.

use std::{collections::BTreeMap, sync::Arc};

use super::{Database, Role, Row, State};
use crate::cluster::{
    Answer, Member, Severity, Snapshot, Subject,
    finding::{Check, Found, Rule, found},
};

mod proxies;

type Said = Vec<(Subject, Found)>;

/// The rules of the database.
pub(in crate::cluster) const RULES: &[Rule] = &[
    Rule {
        name: "galera-no-quorum",
        doc: "No member is in a primary component: the database refuses everything.",
        check: Check::Database(no_quorum),
    },
    Rule {
        name: "galera-reformed",
        doc: "The cluster was formed without a known position: its members may hold different data.",
        check: Check::Database(reformed),
    },
    Rule {
        name: "galera-views",
        doc: "Members tell different views: one was frozen and woke, or there are two clusters.",
        check: Check::Database(views),
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
        check: Check::Database(|_, d| states(d, |s| matches!(s, State::Inconsistent), Answer::Database)),
    },
    Rule { name: "member-down", doc: "A member does not answer.", check: Check::Database(down) },
    Rule {
        name: "member-no-quorum",
        doc: "A member is cut off from the primary component.",
        check: Check::Database(cut_off),
    },
    Rule {
        name: "commits-blocked",
        doc: "Commits stand still on all members while sessions wait, as a schema change under TOI makes them.",
        check: Check::Database(commits_blocked),
    },
    Rule {
        name: "lock-holder",
        doc: "A session holds a lock that an applier waits for: the whole cluster waits for it.",
        check: Check::Database(lock_holder),
    },
    Rule {
        name: "flow-control",
        doc: "Replication is paused for a member that cannot keep up.",
        check: Check::Database(flow_control),
    },
    Rule {
        name: "stale-reads",
        doc: "A member applies nothing and still takes reads: they are stale.",
        check: Check::Database(stale),
    },
    Rule {
        name: "member-rejects",
        doc: "A member refuses clients behind a healthy status (wsrep_reject_queries).",
        check: Check::Database(|_, d| states(d, |s| matches!(s, State::Rejecting { .. }), Answer::Database)),
    },
    Rule { name: "galera-size", doc: "Fewer members than there should be.", check: Check::Database(size) },
    Rule {
        name: "member-unsynced",
        doc: "A member has been out of sync for longer than allowed.",
        check: Check::Database(unsynced),
    },
    Rule {
        name: "queue-growing",
        doc: "Write-sets pile up on a member: its reads grow stale and flow control is near.",
        check: Check::Database(queue),
    },
    Rule {
        name: "donor-in-rotation",
        doc: "A donor takes reads: it is slow, and blocks for part of the transfer.",
        check: Check::Database(donor_in_rotation),
    },
    Rule {
        name: "conflicts",
        doc: "Transactions fail certification or are aborted by replicated ones: hot rows, or several writers.",
        check: Check::Database(conflicts),
    },
    Rule {
        name: "gcache-window",
        doc: "A member that is away for long needs a full copy: its peers keep too little.",
        check: Check::Database(gcache),
    },
    Rule {
        name: "member-connections",
        doc: "A member is near its connection limit.",
        check: Check::Database(connections),
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
        check: Check::Database(unreadable),
    },
    Rule {
        name: "member-unknown",
        doc: "The cluster or a proxy has members that are not configured, or the reverse.",
        check: Check::Database(strangers),
    },
    Rule {
        name: "members-differ",
        doc: "Members run different versions, or provider options that matter.",
        check: Check::Database(members_differ),
    },
    Rule {
        name: "rights-missing",
        doc: "Something cannot be known for lack of rights.",
        check: Check::Database(rights),
    },
];

fn of(row: &Row) -> Subject {
    Subject::Member(row.name.clone())
}

/// The whole database.
fn all() -> Subject {
    Subject::Source("galera".into())
}

fn states(d: &Database, which: impl Fn(&State) -> bool, answer: Answer) -> Said {
    let rows = d.members.iter().filter(|r| which(&r.state));
    rows.map(|r| {
        let severity = r.state.severity().unwrap_or(Severity::Notice);
        let since = r.now().map(|s| s.state_since);
        (of(r), found(severity, r.state.meaning()).since(since).answer(answer))
    })
    .collect()
}

fn no_quorum(_: &Snapshot, d: &Database) -> Said {
    let answering: Vec<_> = d.members.iter().filter(|r| r.now().is_some_and(|s| s.galera)).collect();
    let unreachable =
        d.members.iter().filter(|r| matches!(r.state, State::Down | State::Unanswering)).count();
    if d.members.is_empty() || d.view.is_some() {
        return Vec::new();
    }
    if answering.is_empty() {
        if unreachable < d.members.len() {
            return Vec::new();
        }
        let text = format!("none of {} members answers", d.members.len());
        let since = d.members.iter().filter_map(|r| r.member.silent_since).max();
        return vec![(all(), found(Severity::Critical, text).since(since).answer(Answer::Recovery))];
    }
    let since = answering.iter().filter_map(|r| r.now()).map(|s| s.state_since).max();
    let text = format!(
        "no quorum: {} of {} members answer and none is in a primary component; everything is refused",
        answering.len(),
        d.members.len()
    );
    vec![(all(), found(Severity::Critical, text).since(since).answer(Answer::Recovery))]
}

fn reformed(_: &Snapshot, d: &Database) -> Said {
    let members: Vec<_> =
        d.members.iter().filter(|r| r.state == State::Reformed).map(|r| &*r.label).collect();
    if members.is_empty() {
        return Vec::new();
    }
    let text = format!("{}: {}", members.join(", "), State::Reformed.meaning());
    vec![(all(), found(Severity::Critical, text).answer(Answer::Recovery))]
}

fn views(_: &Snapshot, d: &Database) -> Said {
    states(d, |s| matches!(s, State::Outdated { .. } | State::Split { .. }), Answer::TakeOut)
}

fn down(_: &Snapshot, d: &Database) -> Said {
    let silent = |r: &&Row| {
        matches!(
            r.state,
            State::Down | State::Unnoticed | State::Unanswering | State::Left { .. } | State::NotGalera
        )
    };
    let mut said = Vec::new();
    for row in d.members.iter().filter(silent) {
        let why = row.member.link.trouble().unwrap_or_default();
        let meaning = row.state.meaning();
        let mut text = if why.is_empty() { meaning } else { format!("{meaning}: {why}") };
        if row.state == State::Down
            && let Some(return_by) = state_transfer(d, &row.member)
        {
            text = format!("{text}; {return_by}");
        }
        let severity = match row.state {
            State::Unnoticed => Severity::Critical,
            _ => Severity::Warning,
        };
        let since = row.member.silent_since.or_else(|| row.now().map(|s| s.state_since));
        said.push((of(row), found(severity, text).since(since).answer(Answer::Database)));
    }
    said
}

/// Whether a member that is away could still come back without a full copy.
fn state_transfer(d: &Database, member: &Member) -> Option<String> {
    let last = member.status.as_ref()?.last_committed?;
    let donors = d.members.iter().filter(|r| r.is_primary()).filter_map(|r| r.now());
    let kept = donors.filter_map(|s| s.gcache.from).min()?;
    Some(match last.checked_add(1)? >= kept {
        true => "its peers still keep what it misses".into(),
        false => "it needs a full copy: its peers no longer keep what it misses".into(),
    })
}

fn cut_off(_: &Snapshot, d: &Database) -> Said {
    // When nobody has a quorum that is one finding, not one a member.
    if d.view.is_none() {
        return Vec::new();
    }
    states(d, |s| matches!(s, State::NoQuorum { .. }), Answer::Database)
}

fn commits_blocked(s: &Snapshot, d: &Database) -> Said {
    let members: Vec<_> =
        d.members.iter().filter(|r| r.is_primary()).filter_map(|r| Some((r, r.now()?))).collect();
    let Some(since) = members.iter().map(|(_, s)| s.committed_since).max() else { return Vec::new() };
    let still = s.at.duration_since(since).unsigned_abs();
    let waiting: u32 =
        members.iter().filter_map(|(_, s)| s.threads.as_ref()).map(|t| t.waiting_for_certification).sum();
    let changes = members.iter().filter_map(|(r, s)| Some((r, s.threads.as_ref()?.schema_change.as_ref()?)));
    let change = changes
        .filter(|(r, _)| !matches!(r.state, State::LocalSchemaChange { .. }))
        .min_by_key(|(_, c)| c.applied);
    if let Some((row, change)) = change {
        let long = change.seconds >= s.database.thresholds.commits_still.as_secs();
        if !long || still < s.database.thresholds.commits_still {
            return Vec::new();
        }
        let progress = change.progress.map_or(String::new(), |p| format!(", {:.0} % done", p * 100.0));
        let text = format!(
            "a schema change blocks all commits{progress}, {} sessions wait; wait for it, do not kill it: {} (on {})",
            waiting, change.statement, row.label
        );
        let severity = if waiting > 0 { Severity::Critical } else { Severity::Warning };
        return vec![(all(), found(severity, text).since(Some(since)).answer(Answer::Database))];
    }
    if waiting == 0 || still < s.database.thresholds.commits_still {
        return Vec::new();
    }
    let text = format!("commits stand still on all members while {waiting} sessions wait for certification");
    vec![(all(), found(Severity::Critical, text).since(Some(since)).answer(Answer::Database))]
}

fn lock_holder(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let Some(threads) = &status.threads else { continue };
        let Some(seconds) = threads.applier_blocked else { continue };
        // A global read lock takes the member out of flow control: it hurts only itself.
        if threads.global_lock || status.local_state == crate::cluster::LocalState::Donor {
            continue;
        }
        let who: Vec<_> = threads
            .holders
            .iter()
            .take(3)
            .map(|h| format!("{} ({}, {} s)", h.id, h.who, h.seconds))
            .collect();
        let holders = match (who.is_empty(), threads.holders_certain) {
            (true, _) => "a local session holds it".to_owned(),
            (false, true) => format!("held by session {}", who.join(", ")),
            (false, false) => format!("likely held by idle session {}", who.join(", ")),
        };
        let stops = status.flow.requested || status.flow.share.unwrap_or(0.0) > 0.0;
        let effect = if stops { "and stops all writes of the cluster" } else { "its queue grows" };
        let text = format!("an applier has waited {seconds} s for a lock, {effect}: {holders}");
        let severity = if stops { Severity::Critical } else { Severity::Warning };
        said.push((of(row), found(severity, text).answer(Answer::Database)));
    }
    said
}

fn flow_control(s: &Snapshot, d: &Database) -> Said {
    let limits = &s.database.thresholds;
    let mut worst: Option<(&Row, f64)> = None;
    for (row, share) in d.members.iter().filter_map(|r| Some((r, r.now()?.flow.share?))) {
        if worst.is_none_or(|(_, w)| share > w) {
            worst = Some((row, share));
        }
    }
    let Some((_, share)) = worst.filter(|(_, share)| *share >= limits.flow_control) else {
        return Vec::new();
    };
    let severity = if share >= limits.flow_control_critical { Severity::Critical } else { Severity::Warning };
    let sends = |r: &&Row| {
        r.now().is_some_and(|s| s.flow.requested || s.flow.sent_rate.is_some_and(|rate| rate > 0.0))
    };
    let culprit = d
        .members
        .iter()
        .filter(sends)
        .max_by_key(|r| r.now().map(|s| (s.flow.requested, s.flow.sent_rate.unwrap_or(0.0) as u64)));
    let text = match culprit {
        Some(row) => format!(
            "all writes paused {:.0} % of the time for {}, which has {} write-sets waiting",
            share * 100.0,
            row.label,
            row.now().map_or(0, |s| s.receive_queue)
        ),
        None => format!(
            "all writes paused {:.0} % of the time; no member that answers asks for it",
            share * 100.0
        ),
    };
    let subject = culprit.map_or_else(all, of);
    vec![(subject, found(severity, text).answer(Answer::Desync))]
}

fn stale(_: &Snapshot, d: &Database) -> Said {
    let behind = |s: &State| matches!(s, State::Paused { .. } | State::LocalSchemaChange { .. });
    let mut said = states(d, behind, Answer::TakeOut);
    for (subject, found) in &mut said {
        let reads = d.members.iter().any(|r| of(r) == *subject && (r.reads || r.role == Role::Writer));
        if reads {
            found.severity = Severity::Critical;
            found.text.push_str("; ProxySQL still sends traffic to it");
        }
    }
    said
}

fn size(_: &Snapshot, d: &Database) -> Said {
    let quorum = &d.quorum;
    if !quorum.primary || quorum.size >= quorum.expected {
        return Vec::new();
    }
    let severity = if quorum.safe_losses == 0 { Severity::Critical } else { Severity::Warning };
    let text = format!("{} of {} members: {quorum}", quorum.size, quorum.expected);
    let since = d.view.as_ref().map(|v| v.since);
    vec![(all(), found(severity, text).since(since).answer(Answer::Database))]
}

fn unsynced(s: &Snapshot, d: &Database) -> Said {
    let out = |r: &&Row| {
        matches!(
            r.state,
            State::Desynced { .. }
                | State::Donor { .. }
                | State::CatchingUp { .. }
                | State::Joining { .. }
                | State::Receiving { .. }
                | State::Odd { .. }
        )
    };
    let mut said = Vec::new();
    for row in d.members.iter().filter(out) {
        let since = match row.now() {
            Some(status) => Some(status.state_since),
            None => row.member.silent_since,
        };
        let long =
            since.is_some_and(|t| s.at.duration_since(t).unsigned_abs() >= s.database.thresholds.unsynced);
        if !long {
            continue;
        }
        let (severity, answer) = match row.state {
            State::Desynced { .. } => (Severity::Warning, Answer::Resync),
            State::Donor { .. } | State::Receiving { .. } => (Severity::Notice, Answer::Database),
            _ => (Severity::Warning, Answer::Database),
        };
        said.push((of(row), found(severity, row.state.meaning()).since(since).answer(answer)));
    }
    said
}

fn queue(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let explained = !matches!(row.state, State::Synced | State::Rejecting { .. });
        let readings: Vec<u64> = row.member.history.iter().rev().take(5).map(|s| s.queue).collect();
        let shrinks = readings.windows(2).any(|pair| pair[0] < pair[1]);
        if explained || status.receive_queue <= s.database.thresholds.queue || shrinks || readings.len() < 3 {
            continue;
        }
        let text =
            format!("{} write-sets wait to be applied, and no fewer than before", status.receive_queue);
        said.push((of(row), found(Severity::Warning, text).answer(Answer::TakeOut)));
    }
    said
}

fn donor_in_rotation(_: &Snapshot, d: &Database) -> Said {
    let donors = d.members.iter().filter(|r| matches!(r.state, State::Donor { .. }));
    donors
        .filter(|r| r.reads || r.role == Role::Writer)
        .map(|r| {
            let what = if r.role == Role::Writer { "writes" } else { "reads" };
            let text = format!("{} while it still takes {what}", r.state.word());
            let severity = if r.role == Role::Writer { Severity::Warning } else { Severity::Notice };
            (of(r), found(severity, text).since(r.now().map(|s| s.state_since)).answer(Answer::TakeOut))
        })
        .collect()
}

fn conflicts(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let (failures, aborts) = (status.cert_failures.1.unwrap_or(0.0), status.bf_aborts.1.unwrap_or(0.0));
        if failures.max(aborts) < s.database.thresholds.conflicts {
            continue;
        }
        let text =
            format!("{failures:.1} certification failures and {aborts:.1} aborts by replication a second");
        said.push((of(row), found(Severity::Warning, text).answer(Answer::Database)));
    }
    said
}

fn gcache(s: &Snapshot, d: &Database) -> Said {
    let least = s.database.thresholds.gcache_window;
    let windows = d.members.iter().filter_map(|r| Some((r, r.now()?.gcache.window?)));
    let Some((row, window)) = windows.min_by_key(|(_, w)| *w).filter(|(_, w)| *w < least) else {
        return Vec::new();
    };
    let size = row.now().and_then(|s| s.options.get("gcache.size").cloned()).unwrap_or_default();
    let text = format!(
        "keeps {} of writes (gcache.size {size}): a member away for longer needs a full copy",
        humantime::format_duration(std::time::Duration::from_secs(window.as_secs()))
    );
    vec![(of(row), found(Severity::Notice, text).answer(Answer::Database))]
}

fn connections(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        if let Some(share) =
            status.connection_share().filter(|share| *share >= s.database.thresholds.connections)
        {
            let text = format!(
                "{} of {} connections in use",
                status.connections.unwrap_or(0),
                status.max_connections.unwrap_or(0)
            );
            let severity = if share >= 0.95 { Severity::Critical } else { Severity::Warning };
            said.push((of(row), found(severity, text).answer(Answer::Database)));
        }
    }
    said
}

fn unreadable(_: &Snapshot, d: &Database) -> Said {
    let rows = d.members.iter().filter(|r| r.state == State::Unreadable);
    rows.map(|r| {
        let why = r.member.link.trouble().unwrap_or_default();
        (of(r), found(Severity::Warning, why).since(r.member.silent_since).answer(Answer::Database))
    })
    .collect()
}

fn strangers(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    if !d.members.is_empty() {
        for address in &d.strangers {
            let text = format!("{address} is a member of the cluster and is not configured");
            said.push((all(), found(Severity::Warning, text).answer(Answer::Database)));
        }
        for address in &d.unknown_backends {
            let text = format!("{address} is a backend of ProxySQL and no configured member");
            said.push((all(), found(Severity::Warning, text).answer(Answer::Database)));
        }
    }
    for row in d.members.iter().filter(|r| r.role == Role::Absent) {
        let text = "in no hostgroup of ProxySQL: it takes no traffic and cannot take over";
        said.push((of(row), found(Severity::Warning, text).answer(Answer::Database)));
    }
    said
}

fn members_differ(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let mut values: BTreeMap<&str, BTreeMap<Arc<str>, Vec<Arc<str>>>> = BTreeMap::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))).filter(|(_, s)| s.galera) {
        let mut note = |name, value: &Arc<str>| {
            if !value.is_empty() {
                values.entry(name).or_default().entry(value.clone()).or_default().push(row.label.clone());
            }
        };
        note("version", &status.version);
        note("provider version", &status.provider_version);
        for (name, value) in status.options.iter().filter(|(name, _)| **name != "pc.weight") {
            note(name, value);
        }
    }
    for (name, by_value) in values.iter().filter(|(_, by_value)| by_value.len() > 1) {
        let each: Vec<_> =
            by_value.iter().map(|(value, labels)| format!("{value} on {}", labels.join(", "))).collect();
        let severity = if name.ends_with("version") { Severity::Notice } else { Severity::Warning };
        let text = format!("members differ in {name}: {}", each.join("; "));
        said.push((all(), found(severity, text).answer(Answer::Database)));
    }
    said
}

fn rights(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let blind =
        d.members.iter().filter(|r| r.now().is_some_and(|s| s.galera && s.threads.is_none() && s.connected));
    for row in blind {
        let text =
            "without the PROCESS right schema changes and lock holders cannot be seen: GRANT PROCESS ON *.*";
        said.push((of(row), found(Severity::Notice, text)));
    }
    for (proxy, status) in s.proxies.values().filter_map(|p| Some((p, p.now()?))) {
        if !status.admin {
            let known = !s.database.hostgroups.is_empty();
            let text = match known {
                true => {
                    "read with statistics rights only: weights, the next writer and drift cannot be known"
                }
                false => {
                    "read with statistics rights only: which hostgroup writes is not known; name the hostgroups in [proxysql]"
                }
            };
            let severity = if known { Severity::Notice } else { Severity::Warning };
            said.push((Subject::Proxy(proxy.name.clone()), found(severity, text)));
        }
    }
    said
}
