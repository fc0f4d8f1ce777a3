//! What has come up since the plan, and stands in the way of one of its writes now.
//!
//! The guards of a plan judge the moment it is made; an operator may think it over for minutes, and a run waits between
//! its steps. So each write is judged again right before it is begun: by the transfer of a state, by who can write and
//! read afterwards, by the quorum, and by whether it moves the writer where that was agreed to, and only there.

use super::{
    Backend, Edit, guard,
    routing::{self, BackendRole, Routing},
};
use crate::{
    cluster::Snapshot,
    plan::{Check, Desync, Servers, Verdict},
};

/// What stands in the way of changing the rows of a backend; `as_writer` is what the wait that follows asks of it.
pub(in crate::plan) fn servers(change: &Servers, as_writer: Option<bool>, seen: &Snapshot) -> Option<String> {
    let Servers { proxy, address, from, to } = change;
    // Only memory is put right: nobody is moved.
    if from == to {
        return None;
    }
    let mut routing = Routing::of(seen)?;
    routing.proxied.retain(|proxied| proxied.name == proxy);
    let proxied = routing.proxied.first()?;
    let edit = Edit { proxy: proxy.clone(), address: address.clone(), from: from.clone(), to: to.clone() };
    let known = |address: &str| {
        let row = routing.member(address)?;
        Some((row.name.clone(), row.label.to_string(), routing::fit_to_write(row)))
    };
    let after = proxied.after(&[edit], known);
    let then = after.iter().find(|s| s.address == *address).map(|s| s.role);
    let writes = then.map(|place| place == BackendRole::Writer);
    if as_writer.is_some() && writes.is_some() && writes != as_writer {
        let would = if writes == Some(true) { "would" } else { "would not" };
        return Some(format!(
            "it {would} take the writes of {proxy} then, which is not what was planned: others have changed since"
        ));
    }
    let mut checks = vec![guard::transfer(&routing)];
    checks.extend(guard::afterwards(&routing, &[after]));
    first(checks)
}

/// What stands in the way of a member's desync.
pub(in crate::plan) fn desync(change: &Desync, seen: &Snapshot) -> Option<String> {
    let Desync { member, to, .. } = change;
    let routing = Routing::of(seen)?;
    let row = routing.member(member.as_str())?;
    let mut checks: Vec<_> = guard::desync(&routing, row, *to).into_iter().collect();
    if *to {
        let left = |proxied: &routing::Proxied<'_>| -> Vec<Backend> {
            let backend = proxied.backends.iter().find(|s| s.member.as_ref() == Some(member));
            backend.map_or(proxied.backends.clone(), |backend| proxied.without(&backend.address))
        };
        let after: Vec<_> = routing.proxied.iter().map(left).collect();
        checks.push(guard::transfer(&routing));
        checks.extend(guard::afterwards(&routing, &after));
    }
    first(checks)
}

fn first(checks: Vec<Check>) -> Option<String> {
    checks.into_iter().find(|c| c.verdict == Verdict::Refuse).map(|c| c.text)
}
