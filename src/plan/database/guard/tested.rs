//! Where a plan goes beyond what was measured on real ProxySQLs, it says so.

use super::super::routing::{Edit, Proxied, Routing};
use crate::plan::{
    Check,
    Verdict::{Ok, Warn},
};

/// What is known of the forms this plan uses; see the documentation of `plan::database`.
pub(in crate::plan::database) fn tested(routing: &Routing<'_>, phases: &[Vec<Edit>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |verdict, text: String| checks.push(Check::new("tested", verdict, text));
    let of = |pick: &dyn Fn(&Proxied<'_>, &Edit) -> bool| {
        let picked = |proxied: &&Proxied<'_>| {
            let mut edits = phases.iter().flatten().filter(|e| e.proxy == *proxied.name);
            edits.any(|edit| pick(proxied, edit))
        };
        routing.proxied.iter().filter(picked).map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let enters = |edit: &Edit| edit.from.is_empty() && !edit.to.is_empty();
    let offline = |proxied: &Proxied<'_>, edit: &Edit| {
        edit.to.iter().any(|row| proxied.groups.iter().any(|g| g.offline == row.hostgroup))
    };
    let through_offline = of(&|proxied, edit| enters(edit) && offline(proxied, edit));
    if !through_offline.is_empty() {
        push(
            Warn,
            format!(
                "{through_offline}: that a server is added to the offline hostgroup was not tested on a real ProxySQL; \
                 one that was there came back by itself at the next check. The run waits for two checks that leave it \
                 as predicted"
            ),
        );
    }
    let beside = of(&|proxied, edit| enters(edit) && !offline(proxied, edit));
    if !beside.is_empty() {
        push(
            Ok,
            format!(
                "{beside}: it is added to the backup and reader hostgroups and not to the writers, as tested on a real \
                 ProxySQL"
            ),
        );
    }
    let lightened = of(&|proxied, edit| {
        let weight = |rows: &[crate::cluster::ServerRow]| rows.iter().map(|r| r.weight).max();
        proxied.writes_to(&edit.address) && !edit.to.is_empty() && weight(&edit.to) < weight(&edit.from)
    });
    if !lightened.is_empty() {
        push(
            Warn,
            format!(
                "{lightened}: tested on a real ProxySQL is that another member gets a higher weight than the writer; \
                 here the writer gets a lower one. ProxySQL elects by weight in both cases, and the next step waits \
                 for two checks"
            ),
        );
    }
    for proxied in &routing.proxied {
        let version = &*proxied.status.version;
        let mut other = Vec::new();
        if !version.is_empty() && !version.starts_with("2.7.") {
            other.push(format!("ProxySQL {version}"));
        }
        for group in &proxied.groups {
            if group.max_writers != 1 {
                other.push(format!("max_writers {}", group.max_writers));
            }
            if group.writer_is_also_reader != 2 {
                other.push(format!("writer_is_also_reader {}", group.writer_is_also_reader));
            }
        }
        if !other.is_empty() {
            push(
                Warn,
                format!(
                    "{}: not tested with {} (tested: ProxySQL 2.7.1, max_writers 1, writer_is_also_reader 2): watch the first run",
                    proxied.name,
                    other.join(", ")
                ),
            );
        }
    }
    checks
}
