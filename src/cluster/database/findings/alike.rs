//! What does not fit together: members that are not configured, members that differ, rights that are missing.

use std::{collections::BTreeMap, sync::Arc};

use super::{Said, all, of};
use crate::cluster::{
    Answer, Severity, Snapshot, Subject,
    database::{Database, Role},
    finding::found,
};

pub(super) fn strangers(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    if !d.members.is_empty() {
        for address in &d.strangers {
            let text = format!("{address} is a member of the cluster and is not configured");
            said.push((all(), found(Severity::Warning, text).answer(Answer::Database)));
        }
        for address in &d.unknown_backends {
            let text = format!("{address} is a backend of ProxySQL and no configured member");
            said.push((all(), found(Severity::Warning, text).answer(Answer::Database)));
        }
    }
    for row in d.members.iter().filter(|r| r.role == Role::Absent) {
        let text = "in no hostgroup of ProxySQL: it takes no traffic and cannot take over";
        said.push((of(row), found(Severity::Warning, text).answer(Answer::Database)));
    }
    said
}

pub(super) fn members_differ(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let mut values: BTreeMap<&str, BTreeMap<Arc<str>, Vec<Arc<str>>>> = BTreeMap::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))).filter(|(_, s)| s.galera) {
        let mut note = |name, value: &Arc<str>| {
            if !value.is_empty() {
                values.entry(name).or_default().entry(value.clone()).or_default().push(row.label.clone());
            }
        };
        note("version", &status.version);
        note("provider version", &status.provider_version);
        for (name, value) in status.options.iter().filter(|(name, _)| **name != "pc.weight") {
            note(name, value);
        }
    }
    for (name, by_value) in values.iter().filter(|(_, by_value)| by_value.len() > 1) {
        let each: Vec<_> =
            by_value.iter().map(|(value, labels)| format!("{value} on {}", labels.join(", "))).collect();
        let severity = if name.ends_with("version") { Severity::Notice } else { Severity::Warning };
        let text = format!("members differ in {name}: {}", each.join("; "));
        said.push((all(), found(severity, text).answer(Answer::Database)));
    }
    said
}

pub(super) fn rights(s: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let blind =
        d.members.iter().filter(|r| r.now().is_some_and(|s| s.galera && s.threads.is_none() && s.connected));
    for row in blind {
        let text =
            "without the PROCESS right schema changes and lock holders cannot be seen: GRANT PROCESS ON *.*";
        said.push((of(row), found(Severity::Notice, text)));
    }
    for (proxy, status) in s.proxies.values().filter_map(|p| Some((p, p.now()?))) {
        if !status.admin {
            let known = !s.database.hostgroups.is_empty();
            let text = match known {
                true => {
                    "read with statistics rights only: weights, the next writer and drift cannot be known"
                }
                false => {
                    "read with statistics rights only: which hostgroup writes is not known; name the hostgroups in [proxysql]"
                }
            };
            let severity = if known { Severity::Notice } else { Severity::Warning };
            said.push((Subject::Proxy(proxy.name.clone()), found(severity, text)));
        }
    }
    said
}
