//! What is wrong with the cluster as a whole: quorum, views, size, and commits that stand still or are paused.

use std::time::Duration;

use super::{Said, all, in_state, keep_off, of, sessions, silence, states};
use crate::cluster::{
    Answer, Severity, Snapshot, Trouble,
    database::{Database, Row, State},
    finding::found,
};

/// What the recovery sheet tells.
const SHEET: &str = "tells which member has the most, what is not proven, and the commands in order";

pub(super) fn no_quorum(s: &Snapshot, d: &Database) -> Said {
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
        // A refusal comes from the machine itself. Where nothing at all comes from anywhere, it may be our own line.
        let mute = |t: Option<Trouble>| matches!(t, Some(Trouble::Silent | Trouble::Unreachable));
        let cut = d.members.iter().all(|r| mute(r.member.trouble))
            && s.proxies.values().all(|p| p.now().is_none() && mute(p.trouble));
        let doubt = match (cut, s.proxies.is_empty()) {
            (false, _) => "",
            (true, true) => ": or are we cut off from them?",
            (true, false) => ", nor does any proxy: or are we cut off from them?",
        };
        let text = format!("none of {} members answers{doubt}", d.members.len());
        let last = d.members.iter().max_by_key(|r| r.member.silent_since);
        let found = found(Severity::Critical, text);
        let found = match last {
            Some(row) => silence(&row.member, found),
            None => found,
        };
        return vec![(all(), found.act(Answer::Recovery, "", SHEET))];
    }
    let last = answering.iter().max_by_key(|r| r.now().map(|s| s.state_since));
    let text = format!(
        "no quorum: {} of {} members answer and none is in a primary component; everything is refused",
        answering.len(),
        d.members.len()
    );
    let found = found(Severity::Critical, text);
    let found = match last {
        Some(row) => in_state(row, found),
        None => found,
    };
    vec![(all(), found.act(Answer::Recovery, "", SHEET))]
}

pub(super) fn twice(_: &Snapshot, d: &Database) -> Said {
    let told = d.twins.iter().map(|(other, kept)| {
        let text =
            format!("{other} is the same member as {kept} (both tell one wsrep_gcomm_uuid): it counts once");
        let remedy = format!("remove one of the two addresses from galera.members, such as {other}");
        let f = found(Severity::Notice, text).answer(Answer::Database).remedy(remedy);
        (crate::cluster::Subject::Member(kept.clone()), f)
    });
    told.collect()
}

pub(super) fn reformed(_: &Snapshot, d: &Database) -> Said {
    let members: Vec<_> =
        d.members.iter().filter(|r| r.state == State::Reformed).map(|r| &*r.label).collect();
    if members.is_empty() {
        return Vec::new();
    }
    let text = format!("{}: {}", members.join(", "), State::Reformed.meaning());
    let more = "tells how to stop the writes and how to find the member with the most";
    vec![(all(), found(Severity::Critical, text).act(Answer::Recovery, "", more))]
}

pub(super) fn views(_: &Snapshot, d: &Database) -> Said {
    states(
        d,
        |s| matches!(s, State::Outdated { .. } | State::Split { .. }),
        |row, found| match row.state {
            State::Split { foreign: true } => keep_off(
                row,
                found,
                "; then check its wsrep_cluster_name and wsrep_cluster_address",
                "check its wsrep_cluster_name and wsrep_cluster_address",
            ),
            State::Split { foreign: false } => keep_off(
                row,
                found,
                "; then SET GLOBAL wsrep_reject_queries=ALL_KILL there, and find out which side holds the data",
                "SET GLOBAL wsrep_reject_queries=ALL_KILL there, and find out which side holds the data",
            ),
            _ => keep_off(
                row,
                found,
                "until it is back in the view of its peers, within 10 s by itself",
                "wait: within 10 s it notices, leaves, and comes back by itself",
            ),
        },
    )
}

pub(super) fn size(_: &Snapshot, d: &Database) -> Said {
    let quorum = &d.quorum;
    if !quorum.primary || quorum.present() >= quorum.expected {
        return Vec::new();
    }
    let text = format!("{} of {} members: {quorum}", quorum.present(), quorum.expected);
    let first = d.members.iter().filter_map(|r| r.member.first_read()).min();
    let since = d.view.as_ref().map(|v| v.since);
    let missing: Vec<_> = d.members.iter().filter(|r| !r.state.is_member()).map(|r| &*r.label).collect();
    let remedy = match missing.is_empty() {
        true => "a member that should be there is not configured; or correct galera.expected-size".to_owned(),
        false => format!("what to do with {} stands beside each", missing.join(", ")),
    };
    // While there is a quorum only the next failure stops anything.
    let found = found(Severity::Warning, text).dated(first, since);
    vec![(all(), found.answer(Answer::Database).remedy(remedy))]
}

pub(super) fn commits_blocked(s: &Snapshot, d: &Database) -> Said {
    let members: Vec<_> =
        d.members.iter().filter(|r| r.is_primary()).filter_map(|r| Some((r, r.now()?))).collect();
    let Some(since) = members.iter().map(|(_, s)| s.committed_since).max() else { return Vec::new() };
    let first = members.iter().filter_map(|(r, _)| r.member.first_read()).max();
    let threads = || members.iter().filter_map(|(_, s)| s.threads.as_ref());
    // Sessions that wait tell of the time before the first reading as well.
    let waited = threads().filter(|t| t.waiting_for_certification > 0).map(|t| t.longest_wait).max();
    let still = s.at.duration_since(since).unsigned_abs().max(Duration::from_secs(waited.unwrap_or(0)));
    let waiting: u32 =
        members.iter().filter_map(|(_, s)| s.threads.as_ref()).map(|t| t.waiting_for_certification).sum();
    let changes = members.iter().filter_map(|(r, s)| Some((r, s.threads.as_ref()?.schema_change.as_ref()?)));
    let change = changes
        .filter(|(r, _)| !matches!(r.state, State::LocalSchemaChange { .. }))
        .min_by_key(|(_, c)| c.applied);
    if let Some((row, change)) = change {
        let long = change.seconds >= s.database.thresholds.commits_still.as_secs();
        // So from the first reading: how long before is not known, and the change has run for long enough.
        let unseen = first.is_none_or(|first| since <= first);
        if !long || still < s.database.thresholds.commits_still && !unseen {
            return Vec::new();
        }
        let progress = change.progress.map_or(String::new(), |p| format!(", {:.0} % done", p * 100.0));
        let text = format!(
            "a schema change blocks all commits{progress}, {}; wait for it, do not kill it: {} (on {})",
            sessions(waiting, "waits", "wait"),
            change.statement,
            row.label
        );
        let severity = if waiting > 0 { Severity::Critical } else { Severity::Warning };
        let remedy = "wait until it is done; killed half-way, a member may be expelled. Next time ALGORITHM=INSTANT, or RSU one member after the other";
        let found = found(severity, text).dated(first, Some(since)).answer(Answer::Database).remedy(remedy);
        return vec![(all(), found)];
    }
    if waiting == 0 || still < s.database.thresholds.commits_still {
        return Vec::new();
    }
    let text = format!("no member commits while {} for certification", sessions(waiting, "waits", "wait"));
    let remedy = "look for a member that is silent and not yet excluded (6 s), or one that asks for flow control; kill no session before";
    let found =
        found(Severity::Critical, text).dated(first, Some(since)).answer(Answer::Database).remedy(remedy);
    vec![(all(), found)]
}

pub(super) fn flow_control(s: &Snapshot, d: &Database) -> Said {
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
    let locked = culprit
        .and_then(|r| Some((r, r.now()?.threads.as_ref()?)))
        .filter(|(_, t)| t.applier_blocked.is_some());
    let text = match culprit {
        Some(row) if locked.is_some() => format!(
            "all writes paused {:.0} % of the time for {}, whose applier waits for a lock: {}",
            share * 100.0,
            row.label,
            locked.map_or_else(String::new, |(_, threads)| threads.holder())
        ),
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
    let found = found(severity, text);
    // A desync would wait behind the lock, and relieve nobody.
    if let Some((row, threads)) = locked {
        return vec![(subject, found.answer(Answer::Database).remedy(threads.release(&row.label)))];
    }
    let found = match culprit.filter(|r| r.now().is_some_and(|s| !s.desync)) {
        Some(row) if row.now().is_some_and(|s| s.threads.is_none()) => found.answer(Answer::Database).remedy(format!(
            "SHOW PROCESSLIST on {}: where a session holds a lock that an applier waits for, end that session, and do not desync. Without the PROCESS right it is not seen from here",
            row.label
        )),
        Some(row) => found.act(
            Answer::Desync,
            &row.label,
            ": it no longer slows the others and falls behind; ProxySQL takes it for offline until it is resynced",
        ),
        None => {
            found.answer(Answer::Database).remedy("look for the member with the longest queue, or one that cannot be read")
        }
    };
    vec![(subject, found)]
}
