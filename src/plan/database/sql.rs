//! The statements an operator would type to do the same.

use std::sync::Arc;

use super::{
    Draft,
    field::{Edit, Place, Seat},
};
use crate::{
    cluster::{ServerRow, database::Row},
    plan::{Change, Desync, Save, Servers, Step},
};

pub(super) fn of(draft: &Draft<'_>, steps: &[Step]) -> Vec<String> {
    let mut blocks: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut done: Vec<Edit> = Vec::new();
    for step in steps {
        let (place, lines) = match &step.change {
            Change::Servers(Servers { proxy, from, to, .. }) if from == to => {
                (proxy.to_string(), prepare(draft, proxy.as_str()))
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
                (proxy.to_string(), lines)
            }
            Change::Save(Save { proxy, .. }) => (proxy.to_string(), save(draft, proxy.as_str())),
            Change::Desync(Desync { member, to, .. }) => {
                let label = draft
                    .field
                    .member(member.as_str())
                    .map_or(member.to_string(), |r: &Row| r.label.to_string());
                (label, vec![format!("SET GLOBAL wsrep_desync={};", if *to { "ON" } else { "OFF" })])
            }
            _ => continue,
        };
        match blocks.iter_mut().find(|(_, said)| *said == lines) {
            Some((places, _)) => places.push(place),
            None => blocks.push((vec![place], lines)),
        }
    }
    let head = |places: &[String]| format!("-- at {}", places.join(", then at "));
    blocks.into_iter().flat_map(|(places, lines)| std::iter::once(head(&places)).chain(lines)).collect()
}

/// Memory as it runs, without the surplus writers, which a LOAD would make writers.
fn prepare(draft: &Draft<'_>, proxy: &str) -> Vec<String> {
    let mut lines = vec!["SAVE MYSQL SERVERS FROM RUNTIME;".to_owned()];
    let Some(face) = draft.field.faces.iter().find(|f| f.name.as_str() == proxy) else { return lines };
    let writers = face.status.online_writers(&face.groups);
    for group in &face.groups {
        let keep: Vec<_> = writers.iter().map(|w| format!("NOT {}", is(w))).collect();
        let keep = if keep.is_empty() { String::new() } else { format!(" AND {}", keep.join(" AND ")) };
        lines.push(format!("DELETE FROM mysql_servers WHERE hostgroup_id={}{keep};", group.writer));
    }
    lines
}

fn servers(draft: &Draft<'_>, done: &[Edit], edit: &Edit) -> Vec<String> {
    let mut lines = prepare(draft, edit.proxy.as_str());
    let next = elected(draft, done, edit);
    if let Some((next, readers)) = next.as_ref().filter(|(next, _)| **next != *edit.address) {
        let of = readers.iter().map(|group| format!("hostgroup_id={group}")).collect::<Vec<_>>().join(" OR ");
        lines.push(format!("DELETE FROM mysql_servers WHERE ({of}) AND {};", is(next)));
    }
    lines.push(format!("DELETE FROM mysql_servers WHERE {};", is(&edit.address)));
    let reads = |row: &&ServerRow| {
        next.as_ref()
            .is_some_and(|(next, readers)| **next == *edit.address && readers.contains(&row.hostgroup))
    };
    lines.extend(edit.to.iter().filter(|row| !reads(row)).map(insert));
    lines.push("LOAD MYSQL SERVERS TO RUNTIME;".into());
    lines
}

/// Who is about to be elected by an edit, and the hostgroups it leaves for that: those of the readers, while others
/// read.
fn elected(draft: &Draft<'_>, done: &[Edit], edit: &Edit) -> Option<(Arc<str>, Vec<u32>)> {
    let face = draft.field.faces.iter().find(|f| *f.name == edit.proxy)?;
    let with = [done, std::slice::from_ref(edit)].concat();
    let (before, after) = (draft.seats(face, done), draft.seats(face, &with));
    let writer = |seats: &[Seat]| seats.iter().find(|s| s.place == Place::Writer).map(|s| s.address.clone());
    let next = writer(&after)?;
    let others = before.iter().any(|s| s.reads && s.address != next && s.place != Place::Writer);
    let groups = face.groups.iter().filter(|g| g.writer_is_also_reader != 1 && g.max_writers == 1);
    let readers: Vec<_> = groups.map(|g| g.reader).collect();
    let moves = writer(&before).as_ref() != Some(&next) && others && !readers.is_empty();
    let reads = next == edit.address || before.iter().any(|s| s.address == next && s.reads);
    (moves && reads).then_some((next, readers))
}

fn save(draft: &Draft<'_>, proxy: &str) -> Vec<String> {
    let mut lines = prepare(draft, proxy);
    lines.push("SAVE MYSQL SERVERS TO DISK;".into());
    lines
}

fn insert(row: &ServerRow) -> String {
    let (host, port) = apart(&row.address);
    format!(
        "INSERT INTO mysql_servers (hostgroup_id, hostname, port, gtid_port, weight, compression, max_connections, \
         max_replication_lag, use_ssl, max_latency_ms, comment) VALUES ({}, {}, {port}, {}, {}, {}, {}, {}, {}, {}, {});",
        row.hostgroup,
        quoted(host),
        row.gtid_port,
        row.weight,
        row.compression,
        row.max_connections,
        row.max_replication_lag,
        u8::from(row.use_ssl),
        row.max_latency_ms,
        quoted(&row.comment)
    )
}

fn is(address: &str) -> String {
    let (host, port) = apart(address);
    format!("(hostname={} AND port={port})", quoted(host))
}

fn apart(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host, port.parse().unwrap_or(3306))
}

/// ProxySQL's admin speaks SQLite: a quote is doubled, nothing else is special.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
