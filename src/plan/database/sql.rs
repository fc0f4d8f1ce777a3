//! The statements an operator would type to do the same.

use super::Draft;
use crate::{
    cluster::{ServerRow, database::Row},
    plan::{Change, Step},
};

pub(super) fn of(draft: &Draft<'_>, steps: &[Step]) -> Vec<String> {
    let mut blocks: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for step in steps {
        let (place, lines) = match &step.change {
            Change::Servers { proxy, address, to, .. } => {
                (proxy.to_string(), servers(draft, proxy.as_str(), address, to))
            }
            Change::Save { proxy, .. } => (proxy.to_string(), save(draft, proxy.as_str())),
            Change::Desync { member, to, .. } => {
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

fn servers(draft: &Draft<'_>, proxy: &str, address: &str, to: &[ServerRow]) -> Vec<String> {
    let mut lines = prepare(draft, proxy);
    lines.push(format!("DELETE FROM mysql_servers WHERE {};", is(address)));
    lines.extend(to.iter().map(insert));
    lines.push("LOAD MYSQL SERVERS TO RUNTIME;".into());
    lines
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
