//! What is wrong with single members.

use super::{Said, of, states};
use crate::cluster::{
    Answer, LocalState, Member, Severity, Snapshot,
    database::{Database, Role, Row, State},
    finding::found,
};

pub(super) fn down(_: &Snapshot, d: &Database) -> Said {
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

pub(super) fn cut_off(_: &Snapshot, d: &Database) -> Said {
    // When nobody has a quorum that is one finding, not one a member.
    if d.view.is_none() {
        return Vec::new();
    }
    states(d, |s| matches!(s, State::NoQuorum { .. }), Answer::Database)
}

pub(super) fn lock_holder(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))) {
        let Some(threads) = &status.threads else { continue };
        let Some(seconds) = threads.applier_blocked else { continue };
        // A global read lock takes the member out of flow control: it hurts only itself.
        if threads.global_lock || status.local_state == LocalState::Donor {
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

pub(super) fn stale(_: &Snapshot, d: &Database) -> Said {
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

pub(super) fn unsynced(s: &Snapshot, d: &Database) -> Said {
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

pub(super) fn queue(s: &Snapshot, d: &Database) -> Said {
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

pub(super) fn donor_in_rotation(_: &Snapshot, d: &Database) -> Said {
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

pub(super) fn conflicts(s: &Snapshot, d: &Database) -> Said {
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
    vec![(of(row), found(Severity::Notice, text).answer(Answer::Database))]
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
            let severity = if share >= 0.95 { Severity::Critical } else { Severity::Warning };
            said.push((of(row), found(severity, text).answer(Answer::Database)));
        }
    }
    said
}

pub(super) fn unreadable(_: &Snapshot, d: &Database) -> Said {
    let rows = d.members.iter().filter(|r| r.state == State::Unreadable);
    rows.map(|r| {
        let why = r.member.link.trouble().unwrap_or_default();
        (of(r), found(Severity::Warning, why).since(r.member.silent_since).answer(Answer::Database))
    })
    .collect()
}
