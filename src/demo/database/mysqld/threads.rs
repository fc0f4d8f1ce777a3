//! The processlist of a member: its clients, the clients of the tenants, and the provider's own threads.

use super::{Client, Rights};
use crate::database::galera::Galera;

/// A thread of the processlist.
pub(super) struct Thread {
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) host: String,
    pub(super) database: Option<String>,
    pub(super) command: &'static str,
    pub(super) seconds: u64,
    pub(super) state: Option<String>,
    pub(super) info: Option<String>,
    pub(super) progress: Option<f64>,
}

/// The threads this client may see: all with PROCESS, otherwise its own.
pub(super) fn threads(galera: &Galera, client: &Client) -> Vec<Thread> {
    let m = &galera.members[client.member];
    let here = client.member;
    let system = |id: u64, state: &str| Thread {
        id,
        user: "system user".to_owned(),
        host: String::new(),
        database: None,
        command: "Sleep",
        seconds: galera.now.saturating_sub(m.started) / 1000,
        state: Some(state.to_owned()),
        info: None,
        progress: None,
    };
    let mut threads = vec![
        system(1, "wsrep aborter idle"),
        match m.sessions.values().filter(|s| s.hold.is_some()).map(|s| s.since).min() {
            Some(since) => Thread {
                seconds: galera.now.saturating_sub(since) / 1000,
                ..system(2, "Waiting for table metadata lock")
            },
            None => system(2, "wsrep applier idle"),
        },
    ];
    let application = |id: u64, at: u64| Thread {
        id,
        user: "app".to_owned(),
        host: format!("10.4.7.{}:{}", 10 + id % 7, 40_000 + id),
        database: Some("tenant_acme".to_owned()),
        command: "Query",
        seconds: galera.now.saturating_sub(at) / 1000,
        state: None,
        info: None,
        progress: None,
    };
    if let Some(toi) = galera.toi.as_ref().filter(|toi| m.view.members.contains(&toi.origin)) {
        let done = Some(toi.change.progress(galera.now));
        let info = Some(toi.change.statement.clone());
        let state = Some("copy to tmp table".to_owned());
        let base = if toi.origin == here { application(11, toi.change.started) } else { system(3, "") };
        let seconds = galera.now.saturating_sub(toi.change.started) / 1000;
        threads.push(Thread { command: "Query", seconds, state, info, progress: done, ..base });
    }
    if let Some(rsu) = &m.rsu {
        threads.push(Thread {
            state: Some("copy to tmp table".to_owned()),
            info: Some(rsu.statement.clone()),
            progress: Some(rsu.progress(galera.now)),
            ..application(12, rsu.started)
        });
    }
    if galera.stalled(here) || m.paused {
        for id in 13..17 {
            threads.push(Thread {
                state: Some("Waiting for certification".to_owned()),
                info: Some("UPDATE invoices SET total=118.40 WHERE id=90210".to_owned()),
                ..application(id, galera.now.saturating_sub(700))
            });
        }
    }
    for (nth, (since, on)) in m.pending_desync.iter().enumerate() {
        threads.push(Thread {
            user: "dba".to_owned(),
            state: Some("starting".to_owned()),
            info: Some(format!("SET GLOBAL wsrep_desync = {}", if *on { "ON" } else { "OFF" })),
            ..application(900_000 + nth as u64, *since)
        });
    }
    for (id, s) in &m.sessions {
        let own = *id == client.id;
        threads.push(Thread {
            id: *id,
            user: s.user.clone(),
            host: s.host.clone(),
            database: s.database.clone(),
            command: if own { "Query" } else { "Sleep" },
            seconds: galera.now.saturating_sub(s.since) / 1000,
            state: Some(if own { "starting" } else { "" }.to_owned()),
            info: own.then(|| "SHOW PROCESSLIST".to_owned()),
            progress: None,
        });
    }
    threads.retain(|t| client.rights != Rights::Usage || t.user == client.user);
    threads
}
