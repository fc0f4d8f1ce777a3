//! Whether the database came out as planned.

use super::{
    DatabasePart,
    routing::{self, Routing},
};
use crate::cluster::Snapshot;

/// Whom each proxy sends its clients to, a line each, as [`DatabasePart::now`] has it of the moment of the plan.
pub fn backends(seen: &Snapshot) -> Vec<String> {
    let Some(routing) = Routing::of(seen) else { return Vec::new() };
    let line = |proxy: &std::sync::Arc<crate::cluster::Proxy>| match routing
        .proxied
        .iter()
        .find(|f| *f.name == proxy.name)
    {
        Some(proxied) => routing::line(proxied.name, &proxied.backends),
        None => {
            let why = proxy.why().map_or(String::new(), |why| format!(": {why}"));
            format!("{}  does not answer{why}", proxy.name)
        }
    };
    seen.proxies.values().map(line).collect()
}

/// Compares the proxies with what the plan said of them. The sentence says what came out.
pub fn verify(part: &DatabasePart, after: &Snapshot) -> (bool, String) {
    let Some(routing) = Routing::of(after) else {
        return (false, "no database is configured any more".into());
    };
    // One that did not answer when it was planned has come back as its disk has it.
    let planned = || routing.proxied.iter().filter(|proxied| !part.without.contains(proxied.name));
    let lines: Vec<_> = planned().map(|proxied| routing::line(proxied.name, &proxied.backends)).collect();
    let behind: Vec<_> = planned().flat_map(|proxied| left_behind(proxied)).collect();
    let behind = if behind.is_empty() { String::new() } else { format!("; {}", behind.join("; ")) };
    let other: Vec<_> = lines.iter().filter(|line| !part.after.contains(line)).cloned().collect();
    let missing = part.after.len().saturating_sub(lines.len());
    if missing > 0 {
        return (false, format!("{missing} of {} proxies do not answer now", part.after.len()));
    }
    match other.is_empty() {
        true if lines.is_empty() => (true, "as planned".into()),
        true => (true, lines.join("; ") + &behind),
        false => (false, other.join("; ") + &behind),
    }
}

/// Sessions that still write to a member that is no longer the writer.
fn left_behind(proxied: &routing::Proxied<'_>) -> Vec<String> {
    let writers: Vec<u32> = proxied.groups.iter().map(|g| g.writer).collect();
    let one = |backend: &&routing::Backend| {
        let n = proxied.sessions(&backend.address, &writers);
        let (sessions, write) = if n == 1 { ("session", "writes") } else { ("sessions", "write") };
        format!("{n} {sessions} of {} still {write} to {} until they end", proxied.name, backend.label)
    };
    proxied.left_behind().iter().map(one).collect()
}
