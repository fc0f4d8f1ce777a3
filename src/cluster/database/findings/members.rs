//! What is wrong with single members.

use super::{Said, in_state, keep_off, of, serves, silence, states};
use crate::cluster::{
    Answer, LocalState, Member, Severity, Snapshot, Trouble,
    database::{Database, Role, Row, State},
    finding::found,
};

pub(super) fn expelled(_: &Snapshot, d: &Database) -> Said {
    let remedy = "make sure that the majority is right, then restart it: it takes a full copy";
    states(d, |s| matches!(s, State::Inconsistent), |_, found| found.answer(Answer::Database).remedy(remedy))
}

pub(super) fn rejecting(_: &Snapshot, d: &Database) -> Said {
    let remedy = "SET GLOBAL wsrep_reject_queries=NONE there, if whoever set it is done";
    let which = |s: &State| matches!(s, State::Rejecting { .. });
    states(d, which, |_, found| found.answer(Answer::Database).remedy(remedy))
}

pub(super) fn down(_: &Snapshot, d: &Database) -> Said {
    let silent = |r: &&Row| {
        matches!(
            r.state,
            State::Down | State::Unnoticed | State::Unanswering | State::Left { .. } | State::NotGalera
        )
    };
    let mut said = Vec::new();
    for row in d.members.iter().filter(silent) {
        let why = row.member.why().unwrap_or_default();
        let meaning = row.state.meaning();
        let mut text = if why.is_empty() { meaning } else { format!("{meaning}: {why}") };
        if row.state == State::Down
            && let Some(return_by) = state_transfer(d, &row.member)
        {
            text = format!("{text}; {return_by}");
        }
        let severity = d.severity(row).unwrap_or(Severity::Warning);
        let remedy = match row.state {
            State::Unnoticed => "wait: its peers exclude it within 6 s, and commits go on",
            State::Unanswering => {
                "look at its machine, and at the network from here to it: its peers reach it"
            }
            State::Left { on_purpose: true } => {
                "SET GLOBAL wsrep_cluster_address='gcomm://...' there lets it join again, if whoever emptied it is done"
            }
            State::Left { on_purpose: false } => "read its error log, then restart it",
            State::NotGalera => {
                "is the address right? Otherwise load its provider (wsrep_provider, wsrep_on) and restart it"
            }
            _ if d.view.is_none() => {
                "do not just start it: without a quorum it waits with SQL closed; `galera recovery` says what to do"
            }
            _ if row.member.trouble == Some(Trouble::Silent) => {
                "its port takes connections and its server says nothing: it is frozen, or its machine is. Look there; kill it before you start it"
            }
            _ => "start it on its machine: it joins by itself",
        };
        let found = match row.member.silent_since {
            Some(_) => silence(&row.member, found(severity, text)),
            None => in_state(row, found(severity, text)),
        };
        said.push((of(row), found.answer(Answer::Database).remedy(remedy)));
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

pub(super) fn cut_off(_: &Snapshot, d: &Database) -> Said {
    // When nobody has a quorum that is one finding, not one a member.
    if d.view.is_none() {
        return Vec::new();
    }
    let heal = "repair the network: it comes back by itself in seconds. Never bootstrap it while the others have a quorum";
    states(
        d,
        |s| matches!(s, State::NoQuorum { .. }),
        |row, found| keep_off(row, found, "; then repair the network, and it comes back by itself", heal),
    )
}

pub(super) fn lock_holder(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let Some(threads) = &status.threads else { continue };
        let Some(seconds) = threads.applier_blocked else { continue };
        if seconds < s.database.thresholds.lock_wait.as_secs() {
            continue;
        }
        // A global read lock takes the member out of flow control: it harms only itself.
        if threads.global_lock || status.local_state == LocalState::Donor {
            continue;
        }
        let holders = threads.holder();
        let stops = status.flow.requested || status.flow.share.unwrap_or(0.0) > 0.0;
        let effect = if stops { "and stops all writes of the cluster" } else { "its queue grows" };
        let text = format!("an applier has waited {seconds} s for a lock, {effect}: {holders}");
        let severity = if stops { Severity::Critical } else { Severity::Warning };
        let remedy = threads.release(&row.label);
        said.push((of(row), found(severity, text).answer(Answer::Database).remedy(remedy)));
    }
    said
}

pub(super) fn stale(_: &Snapshot, d: &Database) -> Said {
    let behind = |s: &State| matches!(s, State::Paused { .. } | State::LocalSchemaChange { .. });
    let wait = "wait until the statement is done, or end the session that runs it: it catches up by itself";
    let mut said = states(d, behind, |row, found| {
        keep_off(row, found, ": its readers then read elsewhere; it catches up by itself", wait)
    });
    for (subject, found) in &mut said {
        if d.members.iter().any(|r| of(r) == *subject && serves(r)) {
            found.severity = Severity::Critical;
            found.text.push_str("; ProxySQL still sends traffic to it");
        }
    }
    said
}

pub(super) fn unsynced(s: &Snapshot, d: &Database) -> Said {
    let out = |r: &&Row| {
        matches!(
            r.state,
            State::Desynced { .. }
                | State::StuckDesync { .. }
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
        // So when it was first looked at: it may have been for hours.
        let from = since.filter(|since| row.member.first_read().is_some_and(|first| *since > first));
        if !long && from.is_some() {
            continue;
        }
        let severity = match row.state {
            State::Donor { .. } | State::Receiving { .. } => Severity::Notice,
            _ => Severity::Warning,
        };
        let text = match from {
            Some(_) => row.state.meaning(),
            None => format!("{}; since when is not known", row.state.meaning()),
        };
        let found = found(severity, text).dated(row.member.first_read(), since);
        let found = match row.state {
            State::StuckDesync { .. } => found.answer(Answer::Database).remedy(format!(
                "`galera take-out {0}`, restart {0}, then `galera bring-back {0}`",
                row.label
            )),
            State::Desynced { .. } => found.act(Answer::Resync, &row.label, "if whoever desynced it is done"),
            State::Donor { .. } | State::Receiving { .. } => {
                found.answer(Answer::Database).remedy("wait until the transfer is over")
            }
            State::Joining { .. } => found
                .answer(Answer::Database)
                .remedy("read its error log and the donor's; a joiner that does not get on is killed and started again"),
            _ => found.answer(Answer::Database).remedy("wait until it has caught up"),
        };
        said.push((of(row), found));
    }
    said
}

pub(super) fn queue(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let explained = !matches!(row.state, State::Synced | State::Rejecting { .. });
        let readings: Vec<u64> = row.member.history.iter().rev().take(5).map(|s| s.queue).collect();
        let shrinks = readings.windows(2).any(|pair| pair[0] < pair[1]);
        if explained || status.receive_queue <= s.database.thresholds.queue || shrinks || readings.len() < 2 {
            continue;
        }
        let text =
            format!("{} write-sets wait to be applied, and no fewer than before", status.receive_queue);
        let slow = "look at its disk and processor, and at wsrep_slave_threads";
        let found = keep_off(row, found(Severity::Warning, text), "until it has caught up", slow);
        said.push((of(row), found));
    }
    said
}

pub(super) fn donor_in_rotation(_: &Snapshot, d: &Database) -> Said {
    let donors = d.members.iter().filter(|r| matches!(r.state, State::Donor { .. }));
    donors
        .filter(|r| serves(r))
        .map(|r| {
            let what = if r.role == Role::Writer { "writes" } else { "reads" };
            let text = format!("{} while it still takes {what}", r.state.word());
            let severity = if r.role == Role::Writer { Severity::Warning } else { Severity::Notice };
            let remedy = "wait: nothing is changed while a state is transferred; wsrep_sst_donor on the joiner names another donor next time";
            let found = in_state(r, found(severity, text));
            (of(r), found.answer(Answer::Database).remedy(remedy))
        })
        .collect()
}

pub(super) fn conflicts(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let (failures, aborts) = (status.cert_failures.1.unwrap_or(0.0), status.bf_aborts.1.unwrap_or(0.0));
        if failures.max(aborts) < s.database.thresholds.conflicts {
            continue;
        }
        let text = format!(
            "{failures:.1} certification failures and {aborts:.1} aborts by replication a second: clients see deadlocks"
        );
        let remedy = "let one member take all writes; what is left are hot rows of the application: cert.log_conflicts names them in its error log";
        said.push((of(row), found(Severity::Warning, text).answer(Answer::Database).remedy(remedy)));
    }
    said
}

pub(super) fn gcache(s: &Snapshot, d: &Database) -> Said {
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
    let remedy = "raise gcache.size in wsrep_provider_options, and restart one member after the other";
    vec![(of(row), found(Severity::Notice, text).answer(Answer::Database).remedy(remedy))]
}

pub(super) fn connections(s: &Snapshot, d: &Database) -> Said {
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
            let critical = share >= s.database.thresholds.connections_critical;
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            let remedy = "find out who holds them (SHOW PROCESSLIST there); lower max_connections of its rows in ProxySQL, or raise it on the member";
            said.push((of(row), found(severity, text).answer(Answer::Database).remedy(remedy)));
        }
    }
    said
}

pub(super) fn unreadable(_: &Snapshot, d: &Database) -> Said {
    let rows = || d.members.iter().filter(|r| r.state == State::Unreadable);
    // The login is that of all of them.
    let no_login = |r: &&Row| r.member.trouble == Some(Trouble::NoLogin);
    let login = rows().find(no_login).map(|r| {
        let remedy = "correct [galera.password] in the configuration, or what it names";
        let found = silence(&r.member, found(Severity::Warning, r.member.why().unwrap_or_default()));
        (super::all(), found.answer(Answer::Database).remedy(remedy))
    });
    let others = rows().filter(|r| !no_login(r)).map(|r| {
        let why = r.member.why().unwrap_or_default();
        let remedy = match r.member.trouble {
            Some(Trouble::Denied) => {
                "correct user, password or rights: [galera] in the configuration, and the grants of `wheelhouse help database`"
            }
            Some(Trouble::Tls) => "correct tls-ca and tls-name under [galera], or the member's certificate",
            Some(Trouble::NotMysql) => "correct the address under [galera] members",
            Some(Trouble::Full) => "free connections there; it is asked over one connection only",
            _ => "the sentence says what stands in the way; it is tried again by itself",
        };
        let found = silence(&r.member, found(Severity::Warning, why));
        (of(r), found.answer(Answer::Database).remedy(remedy))
    });
    login.into_iter().chain(others).collect()
}
