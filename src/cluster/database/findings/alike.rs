//! What does not fit together: members that are not configured, members that differ, rights that are missing.

use std::{collections::BTreeMap, sync::Arc};

use super::{Said, all, of};
use crate::cluster::{
    Answer, Freshness, Severity, Snapshot, Subject,
    database::{Database, Role, State},
    finding::found,
    values::plain,
};

pub(super) fn strangers(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    let mut say = |subject, severity, text: String, remedy: &str| {
        said.push((subject, found(severity, text).answer(Answer::Database).remedy(remedy)));
    };
    let list =
        "add it under [galera] members; or, if it is another address of one listed, under [galera] aliases";
    if !d.members.is_empty() {
        for address in &d.strangers {
            let text = format!("{address} is a member of the cluster and is not configured");
            say(all(), Severity::Warning, text, list);
        }
        for address in &d.unknown_backends {
            let text = format!("{address} is a backend of ProxySQL and no configured member");
            let remedy = format!("{list}; `proxysql remove {address}` if it is gone for good");
            say(all(), Severity::Warning, text, &remedy);
        }
    }
    for row in d.members.iter().filter(|r| d.unlisted.contains(&r.name)) {
        if row.state.is_member() {
            let text = "in the cluster by its own word, but under no address the cluster lists: roles and peers cannot be joined to it";
            let remedy = "name the address the cluster lists for it under [galera] aliases, or set wsrep_node_incoming_address there";
            say(of(row), Severity::Warning, text.into(), remedy);
        } else if row.member.status.is_none() {
            let text = "configured, and not among the members the cluster lists";
            say(
                of(row),
                Severity::Notice,
                text.into(),
                "correct the address under [galera] members, or start it",
            );
        }
    }
    for row in d.members.iter().filter(|r| r.role == Role::Absent) {
        let text = "in no hostgroup of ProxySQL: it takes no traffic and cannot take over";
        let found = found(Severity::Warning, text);
        let stands_as = d.unknown_backends.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(" or ");
        let found = match row.state {
            // To bring it back would add it a second time.
            _ if !stands_as.is_empty() => found.answer(Answer::Database).remedy(format!(
                "if {stands_as} is its other address, name that under [galera] aliases; otherwise `galera bring-back {}` gives it rows",
                row.label
            )),
            State::Synced => found.act(Answer::BringBack, &row.label, "gives it its rows again"),
            _ => found
                .answer(Answer::Database)
                .remedy("once it is synced, `galera bring-back` gives it its rows again"),
        };
        said.push((of(row), found));
    }
    said
}

/// Names in the configuration that stand for nothing, and one half of the database that is not configured.
pub(super) fn configuration(s: &Snapshot, d: &Database) -> Said {
    let expected = &s.database;
    let mut said = Vec::new();
    let members: Vec<_> = d.members.iter().map(|r| r.name.as_str()).collect();
    let proxies: Vec<_> = s.proxies.values().map(|p| p.name.as_str()).collect();
    let there = |all: &[&str]| match all {
        [] => "none is configured".to_owned(),
        all => format!("there are {}", all.join(", ")),
    };
    let is_member = |name: &str| d.members.iter().any(|r| r.name.as_str() == name || &*r.label == name);
    // Without any the notice below says all there is to say.
    let any = !d.members.is_empty();
    let mut say = |source: &str, text: String, remedy: &str| {
        said.push((Subject::Source(source.into()), found(Severity::Warning, text).remedy(remedy)));
    };
    for name in expected.hosts.keys().filter(|name| any && !is_member(name)) {
        let text = format!("[galera.hosts] names {name}, which is no configured member: {}", there(&members));
        say("galera", text, "correct the name; until then what-if takes the member for a machine of its own");
    }
    for name in expected.names.keys().filter(|name| any && !members.contains(&name.as_str())) {
        let text = format!("[galera.names] names {name}, which is no configured member: {}", there(&members));
        say("galera", text, "correct the address");
    }
    for (from, to) in expected.aliases.iter().filter(|(_, to)| any && !is_member(to)) {
        let text = format!(
            "[galera.aliases] leads {from} to {to}, which is no configured member: {}",
            there(&members)
        );
        say("galera", text, "correct the address it leads to");
    }
    for name in expected.proxy_hosts.keys().filter(|name| !proxies.contains(&name.as_str())) {
        let text =
            format!("[proxysql.hosts] names {name}, which is no configured proxy: {}", there(&proxies));
        say("proxysql", text, "correct the name; of proxies behind a service the pods tell where they run");
    }
    let asked = |link: &Freshness| *link != Freshness::Connecting;
    if d.members.is_empty() && s.proxies.values().any(|p| asked(&p.link)) {
        let text = "no members are configured: roles, backends and errors are known from ProxySQL alone; quorum, state and queues are not";
        let found = found(Severity::Notice, text)
            .remedy("name them under [galera] members, or with --galera-members");
        said.push((all(), found));
    }
    if s.proxies.is_empty() && d.members.iter().any(|r| asked(&r.member.link)) {
        let text =
            "no ProxySQL is configured: who takes the writes and the reads, and who is next, is not known";
        let remedy = "name its admin ports under [proxysql] addresses, or with --proxysql-addresses";
        let found = found(Severity::Notice, text).remedy(remedy);
        said.push((Subject::Source("proxysql".into()), found));
    }
    said
}

pub(super) fn members_differ(_: &Snapshot, d: &Database) -> Said {
    let mut said = Vec::new();
    // What it means, and how it is spelt where it was first read so.
    type Values = BTreeMap<String, (Arc<str>, Vec<Arc<str>>)>;
    let mut values: BTreeMap<&str, Values> = BTreeMap::new();
    for (row, status) in d.members.iter().filter_map(|r| Some((r, r.now()?))).filter(|(_, s)| s.galera) {
        let mut note = |name, value: &Arc<str>, meaning: String| {
            if !value.is_empty() {
                let known = values.entry(name).or_default().entry(meaning);
                known.or_insert_with(|| (value.clone(), Vec::new())).1.push(row.label.clone());
            }
        };
        note("version", &status.version, status.version.to_string());
        note("provider version", &status.provider_version, status.provider_version.to_string());
        for (name, value) in status.options.iter().filter(|(name, _)| **name != "pc.weight") {
            note(name, value, plain(value));
        }
    }
    for (name, by_value) in values.iter().filter(|(_, by_value)| by_value.len() > 1) {
        let mut each: Vec<_> =
            by_value.values().map(|(value, labels)| format!("{value} on {}", labels.join(", "))).collect();
        each.sort();
        let severity = if name.ends_with("version") { Severity::Notice } else { Severity::Warning };
        let text = format!("members differ in {name}: {}", each.join("; "));
        let remedy = match name.ends_with("version") {
            true => "finish the upgrade, one member after the other",
            false => "set it alike in wsrep_provider_options of every member",
        };
        said.push((all(), found(severity, text).answer(Answer::Database).remedy(remedy)));
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
        let remedy = "GRANT PROCESS ON *.* to the user of [galera], on any member";
        said.push((of(row), found(Severity::Notice, text).remedy(remedy)));
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
            let remedy = match known {
                true => "a user of admin-admin_credentials under [proxysql] may read them",
                false => "name the hostgroups under [proxysql], or a user of admin-admin_credentials",
            };
            said.push((Subject::Proxy(proxy.name.clone()), found(severity, text).remedy(remedy)));
        }
    }
    said
}
