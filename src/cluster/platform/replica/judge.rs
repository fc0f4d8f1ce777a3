//! What the servers mean together: which is the primary, how far each replica is behind in truth, and which holds what no
//! other has.
//!
//! The primary is whom replicas follow. How far a replica is behind is the worst of what it says itself and of what its
//! position says beside the primary's of that time; while the primary does not answer, what a replica says is worth
//! nothing.

use jiff::Timestamp;

use super::{
    Channel, Numbers, ReplicaFacts,
    server::{Server, followers, servers, source},
    services,
};
use crate::cluster::{
    Freshness, LinkState, Snapshot, Trouble,
    platform::Judged,
    words::{count, span},
};

/// Seconds behind from which it is told.
const BEHIND: i64 = 30;
/// Seconds behind from which what is read there is of the past.
const FAR_BEHIND: i64 = 300;

/// What the servers are found to be, at least one line each.
pub(in crate::cluster::platform) fn judge(seen: &Snapshot) -> Vec<Judged> {
    let servers = servers(seen);
    let mut found: Vec<_> = servers.iter().flat_map(|server| one(server, &servers)).collect();
    let led = services::judge(seen, &servers, &found);
    found.extend(led);
    found
}

fn one(server: &Server<'_>, servers: &[Server<'_>]) -> Vec<Judged> {
    let followed = followers(server, servers);
    let Some(said) = server.now() else { return vec![silent(server, followed)] };
    let mut all = Vec::new();
    match &said.channels {
        None => {
            let text = "does not say what it replicates: the user lacks a right (1227)";
            let answer = "GRANT SLAVE MONITOR ON *.* TO the user (MySQL: REPLICATION CLIENT)";
            all.push(server.judged(LinkState::Notice, text).rule("platform-replica-right").remedy(answer));
        }
        Some(channels) if channels.is_empty() => all.extend(no_replica(server, said, servers, followed)),
        Some(channels) => {
            all.extend(errant(server, said, servers));
            all.extend(channels.iter().filter_map(|channel| replicates(server, said, channel, servers)));
            if said.read_only == Some(false) {
                let text = "is a replica and takes writes (read_only is off)";
                let answer = "on it: `SET GLOBAL read_only = ON`";
                all.push(
                    server.judged(LinkState::Warning, text).rule("platform-replica-writable").remedy(answer),
                );
            }
        }
    }
    if all.is_empty() {
        let text = match said.channels.as_deref() {
            Some([channel, ..]) => {
                let of = source(channel, servers).map_or(&channel.source, |source| &source.key.name);
                format!("follows {of}")
            }
            _ if followed > 0 => format!("is the primary of {}", count(followed, "replica")),
            _ => "is a server that nobody follows".to_owned(),
        };
        all.push(server.judged(LinkState::Ok, text));
    }
    if let Some(first) = all.first_mut() {
        first.numbers = numbers(server, said, servers, followed);
    }
    all
}

fn silent(server: &Server<'_>, followed: usize) -> Judged {
    let component = server.component;
    let Some(why) = component.link.trouble() else {
        return server.judged(LinkState::Unknown, "has not been asked yet");
    };
    let since = component.silent_since;
    if matches!(component.trouble, Some(Trouble::Denied | Trouble::Tls)) {
        let judged = server.judged(LinkState::Warning, format!("cannot be asked: {why}"));
        return judged.rule("platform-replica-down").since(since);
    }
    let (state, text, answer) = match followed {
        0 => (
            LinkState::Warning,
            format!("does not answer: {why}"),
            format!("look at its server: `systemctl status {}`", server.unit()),
        ),
        n => (
            LinkState::Broken,
            format!(
                "does not answer: {why}; it is the primary of {}: nobody takes writes",
                count(n, "replica")
            ),
            "read the failover sheet: `:recovery`, or `wheelhouse platform --failover`".to_owned(),
        ),
    };
    server.judged(state, text).rule("platform-replica-down").remedy(answer).since(since)
}

/// One that follows nobody: the primary, or one that lost what it followed.
fn no_replica(
    server: &Server<'_>,
    said: &ReplicaFacts,
    servers: &[Server<'_>],
    followed: usize,
) -> Option<Judged> {
    let judged =
        |state, text: &str, rule, answer: &str| Some(server.judged(state, text).rule(rule).remedy(answer));
    if followed > 0 {
        let text = "is the primary and read-only: nobody takes writes";
        let answer = "where no failover is under way, on it: `SET GLOBAL read_only = OFF`";
        return (said.read_only == Some(true))
            .then(|| judged(LinkState::Broken, text, "platform-replica-writable", answer))?;
    }
    let others = servers.iter().any(|other| other.key != server.key && !other.channels().is_empty());
    if !others {
        return None;
    }
    match said.read_only {
        Some(false) => judged(
            LinkState::Broken,
            "follows nobody, nobody follows it, and it takes writes: what is written there is nowhere else",
            "platform-replica-stopped",
            "take it out of the services, then make it a replica again or stop it",
        ),
        _ => judged(
            LinkState::Broken,
            "is no replica (SHOW REPLICA STATUS has no row): what is read there is of the past",
            "platform-replica-stopped",
            "take it out of the read-only service, then let it follow the primary again (CHANGE MASTER TO ..)",
        ),
    }
}

/// Positions of writes that a replica holds and its primary does not have, of either kind of server.
pub(super) fn own_writes(said: &ReplicaFacts, channel: &Channel, primary: &ReplicaFacts) -> Vec<String> {
    // The id that the channel knows is of the server it is fed by.
    let id = primary.server_id.or(channel.source_id);
    let mut found = said.written.errant(&said.applied, (&primary.written, &primary.applied), id);
    found.extend(said.written.errant_sets(&primary.written, primary.uuid.as_deref()));
    found
}

/// Writes that the primary does not have.
fn errant(server: &Server<'_>, said: &ReplicaFacts, servers: &[Server<'_>]) -> Option<Judged> {
    let channel = said.channels.as_deref()?.first()?;
    let primary = source(channel, servers)?;
    let of_primary = primary.said?;
    let found = own_writes(said, channel, of_primary);
    if found.is_empty() {
        return None;
    }
    let text = format!(
        "holds writes of its own that {} does not have ({}): the next write there may stop it, and after a failover they are everywhere",
        primary.key.name,
        found.join(", ")
    );
    let answer = "take it out of the services, see what was written (`mariadb-binlog`), then build it again from the primary";
    Some(server.judged(LinkState::Broken, text).rule("platform-replica-errant").remedy(answer))
}

/// How one channel is; `None`: it replicates, near enough.
fn replicates(
    server: &Server<'_>,
    said: &ReplicaFacts,
    channel: &Channel,
    servers: &[Server<'_>],
) -> Option<Judged> {
    let primary = source(channel, servers);
    let of = primary.map_or(&channel.source, |primary| &primary.key.name);
    let lost = primary.is_some_and(|primary| primary.component.link.trouble().is_some());
    let judged =
        |state, text: String, rule, answer: &str| Some(server.judged(state, text).rule(rule).remedy(answer));
    let stopped = "platform-replica-stopped";
    if !channel.applies() {
        let text = match &channel.sql_error {
            Some((number, why)) => format!("has stopped applying (error {number}: {why})"),
            None => "has stopped applying: its SQL thread does not run".to_owned(),
        };
        let answer = format!(
            "take it out of the read-only service; mend the cause, then on it: `START {} SQL_THREAD`. Never skip an event unread",
            server.replica()
        );
        return judged(
            LinkState::Broken,
            format!("{text}; how far it is behind is not known"),
            stopped,
            &answer,
        );
    }
    if !channel.fetches() {
        let connecting = !channel.io.eq_ignore_ascii_case("no");
        let why = channel.io_error.as_ref().map(|(number, why)| format!(" (error {number}: {why})"));
        let why = why.unwrap_or_default();
        let state = if lost { LinkState::Warning } else { LinkState::Broken };
        return match (connecting, lost) {
            (true, true) => judged(
                state,
                format!("cannot reach its primary {of}, which does not answer here either{why}"),
                stopped,
                "see the primary first",
            ),
            (true, false) => judged(
                state,
                format!("cannot fetch from its primary {of}{why}, and what it is behind is not known"),
                stopped,
                &format!(
                    "check user, password and address of the replication: `SHOW {} STATUS`",
                    server.replica()
                ),
            ),
            (false, _) => judged(
                LinkState::Broken,
                format!("has stopped fetching from {of}{why}; how far it is behind is not known"),
                stopped,
                &format!("on it: `START {} IO_THREAD`", server.replica()),
            ),
        };
    }
    if lost {
        let says = channel.behind.map_or("NULL".to_owned(), |s| format!("{s} s"));
        let text = format!(
            "says {says} behind, and its primary {of} does not answer: nothing arrives, whatever it says"
        );
        return judged(LinkState::Warning, text, "platform-replica-lag", "see the primary first");
    }
    let Some(behind) = channel.behind else {
        let text = format!("does not know how far it is behind {of} (NULL)");
        return judged(LinkState::Broken, text, stopped, "see its log, and `SHOW REPLICA STATUS`");
    };
    let behind = i64::try_from(behind.saturating_sub(channel.delay)).unwrap_or(i64::MAX);
    let by_position = primary.and_then(|primary| lag(server, said, primary)).unwrap_or(0);
    let by_position = by_position.saturating_sub(i64::try_from(channel.delay).unwrap_or(0));
    let worst = behind.max(by_position);
    if worst < BEHIND {
        return None;
    }
    let doing = match channel.doing.is_empty() || channel.doing.contains("has read all") {
        true => String::new(),
        false => format!(" ({})", channel.doing),
    };
    let text = match by_position > behind.saturating_add(BEHIND) {
        true => format!(
            "says {behind} s behind, and has had nothing of {of} for {}: its position stands still",
            span(by_position)
        ),
        false => format!("is {} behind {of}{doing}", span(worst)),
    };
    let state = if worst >= FAR_BEHIND { LinkState::Broken } else { LinkState::Warning };
    judged(
        state,
        text,
        "platform-replica-lag",
        "see what it waits for: `SHOW PROCESSLIST` on it; what is read there is of the past",
    )
}

/// For how many seconds the primary has been ahead of what the replica has applied, at least; `None`: it is not, or not
/// known to be.
fn lag(replica: &Server<'_>, said: &ReplicaFacts, primary: &Server<'_>) -> Option<i64> {
    let Freshness::Live { since: asked } = &replica.component.link else { return None };
    let ahead = |(_, sets): &&(Timestamp, super::Gtids)| sets.beyond(&said.applied) > 0;
    // The oldest position of the primary that the replica does not have.
    let since = primary.said?.before.iter().find(ahead).map(|(at, _)| *at)?;
    Some(asked.duration_since(since).as_secs().max(0))
}

fn numbers(server: &Server<'_>, said: &ReplicaFacts, servers: &[Server<'_>], followed: usize) -> Numbers {
    let mut all = Vec::new();
    match said.channels.as_deref() {
        Some([channel, ..]) => {
            all.push(("role", "replica".to_owned()));
            all.push(("fetches", channel.io.to_string()));
            all.push(("applies", channel.sql.to_string()));
            all.push(("behind", channel.behind.map_or("NULL".to_owned(), |s| format!("{s} s"))));
            let primary = source(channel, servers).and_then(|primary| primary.said);
            let missing = primary.map(|primary| primary.written.beyond(&said.applied));
            all.extend(missing.map(|n| ("transactions missing", n.to_string())));
        }
        Some([]) if followed > 0 => {
            all.push(("role", "primary".to_owned()));
            all.push(("replicas", followed.to_string()));
        }
        _ => {}
    }
    let position = if said.is_replica() { &said.applied } else { &said.written };
    all.push(("position", position.to_string()));
    all.extend(said.read_only.map(|on| ("read-only", if on { "on" } else { "off" }.to_owned())));
    all.extend(server.said.and_then(|said| said.version.as_ref()).map(|v| ("version", v.to_string())));
    all
}
