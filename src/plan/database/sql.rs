//! The statements an operator would type to do the same: those that the run sends, one for one, with what is to be
//! waited for between them. They are right at typing speed: see [`super::edit`].

use super::{
    Draft,
    edit::{LOAD, Runtime, SHOW, STORE},
    routing::{Backend, BackendRole, Edit, Proxied},
};
use crate::{
    cluster::{BackendStatus, ProxyName, database::Row},
    plan::{Change, Desync, Holds, Save, Servers, Step},
};

/// Some lines to type at one place; those that are alike at several places are told once.
struct Block {
    places: Vec<String>,
    lines: Vec<String>,
    wait: bool,
}

pub(super) fn of(draft: &Draft<'_>, steps: &[Step]) -> Vec<String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut done: Vec<Edit> = Vec::new();
    for step in steps {
        let (place, lines, wait) = match &step.change {
            Change::Servers(Servers { proxy, from, to, .. }) if from == to => {
                (proxy.to_string(), typed(take(draft, proxy)), false)
            }
            Change::Servers(Servers { proxy, address, from, to }) => {
                let edit = Edit {
                    proxy: proxy.clone(),
                    address: address.clone(),
                    from: from.clone(),
                    to: to.clone(),
                };
                let lines = servers(draft, &done, &edit);
                done.push(edit);
                (proxy.to_string(), lines, false)
            }
            Change::Holds(Holds { proxy, address, rows, as_writer }) => {
                let name = draft.routing.member(address).map_or(&**address, |row| &row.label);
                (proxy.to_string(), vec![hold(draft, proxy, name, rows.is_empty(), *as_writer)], true)
            }
            Change::Save(Save { proxy, .. }) => (proxy.to_string(), typed(save(draft, proxy)), false),
            Change::Desync(Desync { member, to, .. }) => {
                let label = draft
                    .routing
                    .member(member.as_str())
                    .map_or(member.to_string(), |r: &Row| r.label.to_string());
                (label, vec![format!("SET GLOBAL wsrep_desync={};", if *to { "ON" } else { "OFF" })], false)
            }
            _ => continue,
        };
        // Only what follows one another without a wait may be told as one.
        let since = blocks.iter().rposition(|b| b.wait != wait).map_or(0, |last| last + 1);
        match blocks[since..].iter_mut().find(|block| block.lines == lines) {
            Some(block) => block.places.push(place),
            None => blocks.push(Block { places: vec![place], lines, wait }),
        }
    }
    // What is waited for after the last statement needs no typing.
    while blocks.last().is_some_and(|block| block.wait) {
        blocks.pop();
    }
    blocks.into_iter().flat_map(told).chain(ending(draft)).collect()
}

/// How the sessions are ended that go on writing to a member that writes no longer: by nobody but who types it.
/// Measured on ProxySQL 2.7.1: `KILL CONNECTION` takes a `SessionID`, and its client sees error 2013.
fn ending(draft: &Draft<'_>) -> Vec<String> {
    let writes = |backends: &[Backend], address: &str| {
        backends.iter().any(|s| &*s.address == address && s.role == BackendRole::Writer)
    };
    let mut lines = Vec::new();
    for (proxied, after) in draft.routing.proxied.iter().zip(draft.after()) {
        let stays = |s: &&Backend| {
            let there = after.iter().any(|other| other.address == s.address);
            s.role == BackendRole::Writer && there && !writes(&after, &s.address)
        };
        for backend in proxied.backends.iter().filter(stays) {
            let (host, port) = backend.address.rsplit_once(':').unwrap_or((&backend.address, "3306"));
            lines.push(format!(
                "-- only to cut those that go on writing to {} at {}: KILL CONNECTION, with each number of SELECT SessionID FROM stats_mysql_processlist WHERE srv_host='{}' AND srv_port={port}",
                backend.label,
                proxied.name,
                host.replace('\'', "''")
            ));
        }
    }
    lines
}

fn told(block: Block) -> Vec<String> {
    let Block { places, lines, wait } = block;
    match wait {
        true => lines.iter().map(|line| format!("-- at {}: {line}", places.join(" and at "))).collect(),
        false => std::iter::once(format!("-- at {}", places.join(", then at "))).chain(lines).collect(),
    }
}

fn typed(statements: Vec<String>) -> Vec<String> {
    statements.into_iter().map(|statement| statement + ";").collect()
}

/// What runs at a proxy, by what was seen of it.
fn runtime(proxied: &Proxied<'_>) -> Runtime {
    let rows = proxied.status.servers.iter().map(|row| {
        let online = proxied
            .status
            .backend(row.hostgroup, &row.address)
            .is_some_and(|backend| backend.status == BackendStatus::Online);
        (row.clone(), online)
    });
    Runtime::new(rows.collect(), proxied.groups.clone())
}

fn at<'d, 'a>(draft: &'d Draft<'a>, proxy: &ProxyName) -> Option<&'d Proxied<'a>> {
    draft.routing.proxied.iter().find(|proxied| proxied.name == proxy)
}

fn take(draft: &Draft<'_>, proxy: &ProxyName) -> Vec<String> {
    at(draft, proxy).map(|proxied| runtime(proxied).take()).unwrap_or_default()
}

fn save(draft: &Draft<'_>, proxy: &ProxyName) -> Vec<String> {
    take(draft, proxy).into_iter().chain([STORE.to_owned()]).collect()
}

fn servers(draft: &Draft<'_>, done: &[Edit], edit: &Edit) -> Vec<String> {
    let Some(proxied) = at(draft, &edit.proxy) else { return Vec::new() };
    let before = done.iter().filter(|other| other.proxy == edit.proxy);
    let runtime = before.fold(runtime(proxied), |runtime, edit| runtime.after(&edit.address, &edit.to));
    // What cannot be loaded is refused by a check, and printed for nobody.
    let Ok(statements) = runtime.edit(&edit.address, &edit.from, &edit.to) else { return Vec::new() };
    let mut lines = typed(statements);
    lines.push(
        "-- both on one line: the SELECT purges what the LOAD deletes, or the monitor brings it back".into(),
    );
    lines.push(format!("{LOAD}; {SHOW};"));
    lines
}

fn hold(draft: &Draft<'_>, proxy: &ProxyName, name: &str, gone: bool, as_writer: Option<bool>) -> String {
    let what = match as_writer {
        _ if gone => format!("{name} stays out"),
        Some(true) => format!("{name} is ONLINE in the writer hostgroup"),
        Some(false) => format!("{name} is not ONLINE in the writer hostgroup, and another is"),
        None => format!("{name} stays as it is"),
    };
    let seconds = at(draft, proxy).map_or(10, |proxied| super::standing::evidence(proxied.status).as_secs());
    format!("repeat the SELECT until {what}, for {seconds} s (two checks of the monitor)")
}
