//! What one server says of itself: what the user may not ask, what keeps it from taking writes, and its numbers.

use super::Server;
use crate::cluster::{
    LinkState, Memory,
    platform::{
        Counter, Judged,
        redis::{RedisFacts, RedisInfo, RedisRole},
    },
    words::count,
};

/// Memory in use from which it is told, of what may be used.
const FULL: f64 = 0.9;

fn bytes(n: u64) -> String {
    Memory(n).to_string()
}

pub(super) fn denied(server: &Server<'_>, said: &RedisFacts) -> Option<Judged> {
    if said.denied.is_empty() {
        return None;
    }
    let rights: Vec<_> = said.denied.iter().map(|c| format!("+{}", c.to_ascii_lowercase())).collect();
    let text = format!(
        "does not let the user run {} (NOPERM): part of its state is not known",
        said.denied.join(" and ")
    );
    let answer =
        format!("on it: `ACL SETUSER USER {}`, then `ACL SAVE`; ACLs are not replicated", rights.join(" "));
    Some(server.judged(LinkState::Warning, text).rule("platform-redis-login").remedy(answer))
}

/// Clients take a replica for the master.
pub(super) fn written_to(server: &Server<'_>, said: &RedisFacts) -> Option<Judged> {
    let (n, since) = said.refused.get("READONLY").and_then(Counter::lately)?;
    let text = format!(
        "is a replica, and has refused {} of clients that take it for the master (READONLY)",
        count(n, "write")
    );
    let answer = "point the clients to the master, or let a Service follow it: the session handler of PHP knows no sentinel";
    let judged = server.judged(LinkState::Broken, text).rule("platform-redis-writes");
    Some(judged.remedy(answer).since(Some(since)))
}

/// What keeps a master from taking writes.
pub(super) fn refuses(server: &Server<'_>, said: &RedisFacts, info: &RedisInfo) -> Option<Judged> {
    let refused = |code: &str| said.refused.get(code).and_then(Counter::lately);
    let lately = |code: &str| refused(code).is_some();
    let ever = |code: &str| info.errors.get(code).is_some_and(|n| *n > 0);
    let judged = |state, text: String, answer: &str| {
        Some(server.judged(state, text).rule("platform-redis-writes").remedy(answer))
    };
    let limit = info.max.filter(|max| *max > 0);
    let share = limit.zip(info.used).map(|(max, used)| (used as f64 / max as f64, used, max));
    let policy = info.policy.as_deref().unwrap_or("noeviction");
    // With a policy for keys that expire there must be such keys.
    let lasting = info.keys.is_some_and(|(all, expiring)| all > 0 && expiring == 0);
    let evicts = policy != "noeviction" && !(policy.starts_with("volatile") && lasting);
    let room = "raise maxmemory, or let sessions expire sooner";
    if let Some((share, used, max)) = share.filter(|(share, ..)| !evicts && *share >= 1.0) {
        let text = format!(
            "refuses writes (OOM): {} of {} in use ({:.0} %), and {policy} evicts nothing",
            bytes(used),
            bytes(max),
            share * 100.0
        );
        return judged(LinkState::Broken, text, room);
    }
    if let Some((n, _)) = refused("OOM") {
        let used = share.map_or(String::new(), |(share, used, max)| {
            format!(": {} of {} in use ({:.0} %), {policy}", bytes(used), bytes(max), share * 100.0)
        });
        let text = format!("has refused {} lately (OOM){used}", count(n, "write"));
        return judged(LinkState::Broken, text, room);
    }
    if info.appends == Some(false) {
        let text = "refuses writes (MISCONF): it cannot write its append-only file".to_owned();
        return judged(LinkState::Broken, text, "free its disk, and read its log");
    }
    if info.saves == Some(false) {
        let (state, what) = match ever("MISCONF") {
            true => (LinkState::Broken, "refuses writes"),
            false => (LinkState::Warning, "refuses writes unless stop-writes-on-bgsave-error is off"),
        };
        let answer = "free its disk and mend the rights of its folder, then `BGSAVE`; its log says which";
        return judged(state, format!("{what} (MISCONF): its last snapshot to disk failed"), answer);
    }
    if let Some(good) = info.good_replicas {
        let answer = "bring the replicas back, or lower min-replicas-to-write";
        let near = match good {
            0 => "no replica is near enough".to_owned(),
            1 => "1 replica is near enough".to_owned(),
            n => format!("{n} replicas are near enough"),
        };
        if good == 0 || lately("NOREPLICAS") {
            let text = format!("refuses writes (NOREPLICAS): {near}, fewer than min-replicas-to-write");
            return judged(LinkState::Broken, text, answer);
        }
        if let Some(n) = info.errors.get("NOREPLICAS").filter(|n| **n > 0) {
            let text = format!("has refused {} since its start (NOREPLICAS); now {near}", count(*n, "write"));
            return judged(LinkState::Notice, text, answer);
        }
    }
    let (share, used, max) = share.filter(|(share, ..)| !evicts && *share >= FULL)?;
    let text = format!(
        "has {} of {} in use ({:.0} %): when it is full it refuses writes, {policy} evicts nothing",
        bytes(used),
        bytes(max),
        share * 100.0
    );
    judged(LinkState::Warning, text, room)
}

pub(super) fn numbers(said: &RedisFacts) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    match &said.role {
        Some(RedisRole::Master { offset, replicas }) => {
            all.push(("role", "master".to_owned()));
            all.push(("replicas", replicas.len().to_string()));
            let behind = replicas.iter().map(|(_, at)| offset.saturating_sub(*at)).max();
            all.extend(behind.map(|n| ("not confirmed", bytes(n))));
        }
        Some(RedisRole::Replica { link, .. }) => {
            all.push(("role", "replica".to_owned()));
            all.push(("link", link.to_string()));
        }
        Some(RedisRole::Other(other)) => all.push(("role", other.to_string())),
        None => {}
    }
    if let Some(info) = &said.info {
        all.extend(info.keys.map(|(keys, _)| ("keys", keys.to_string())));
        let memory = info.used.map(|used| match info.max.filter(|max| *max > 0) {
            Some(max) => format!("{} of {}", bytes(used), bytes(max)),
            None => bytes(used),
        });
        all.extend(memory.map(|memory| ("memory", memory)));
        all.extend(info.clients.map(|(now, of)| ("clients", format!("{now} of {of}"))));
        all.extend(info.version.as_ref().map(|version| ("version", version.to_string())));
    }
    all.extend(said.evicted.lately().map(|(n, _)| ("evicted lately", n.to_string())));
    all
}
