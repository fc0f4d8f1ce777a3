//! The proxies, and what they do with the members.

use wheelhouse::cluster::{Answer, Layers, Proxy, ProxyRows, Trouble};

use super::{Case, worlds::*};
use crate::database::{behind, healthy, later, now, said, silent};

pub fn cases() -> Vec<Case> {
    let down = |node| silent(node, Trouble::Refused);
    let n = |state: &str, node| said(state, node, now());
    let ps1 = |edit: fn(&mut ProxyRows)| fronted(vec![answers(edit)]);
    let lost = answers(|_| {}).failed(Trouble::Refused, "refuses connections", later(1.0));
    let denied =
        Proxy::new("ps1".into()).failed(Trouble::Denied, "ps1: wrong password for user radmin", now());
    vec![
        (
            "no-writer",
            ps1(|rows| rows.servers = servers(["SHUNNED", "SHUNNED", "SHUNNED"], "1")),
            "no backend ONLINE in the writer hostgroup: writes fail",
            "synced and not read-only",
            None,
        ),
        (
            "no-writer",
            behind("nonprim_t18", vec![n("nonprimary_survivor", 1), down(2), down(3)]),
            "ps1 sends the writes here, and it takes none: no quorum",
            "`galera recovery`",
            Some(Answer::Recovery),
        ),
        (
            "no-writer",
            behind(
                "healthy",
                vec![
                    spoke(1, &[with_variables(1, &[("wsrep_reject_queries", "ALL")])]),
                    n("healthy", 2),
                    n("healthy", 3),
                ],
            ),
            "it takes none: refuses clients by hand",
            "`galera move-writer n2`",
            Some(Answer::MoveWriter),
        ),
        (
            "no-writer",
            behind(
                "healthy",
                vec![
                    spoke(1, &[with_variables(1, &[("read_only", "ON")])]),
                    n("healthy", 2),
                    n("healthy", 3),
                ],
            ),
            "ps1 sends the writes here, and it is read-only",
            "`galera move-writer n2`",
            Some(Answer::MoveWriter),
        ),
        (
            "two-writers",
            ps1(|rows| rows.servers = servers(["ONLINE", "ONLINE", "SHUNNED"], "1")),
            "2 writers where 1 may be: 127.0.0.1:24010, 127.0.0.1:24020",
            "max_writers",
            None,
        ),
        (
            "two-writers",
            fronted(vec![
                answers(|_| {}),
                answers_as("ps2", |rows| rows.servers = servers(["SHUNNED", "ONLINE", "SHUNNED"], "1")),
            ]),
            "the proxies write to different members: ps1 to 127.0.0.1:13310; ps2 to 127.0.0.1:13320",
            "`galera move-writer n1`",
            Some(Answer::MoveWriter),
        ),
        (
            "readers-empty",
            behind("desync_all", healthy()),
            "hostgroup 30: reads wait and fail",
            "bring a member back to Synced",
            None,
        ),
        (
            "readers-empty",
            behind("desync_all", vec![n("desynced_peer", 1), n("desynced", 2)]),
            "reads wait and fail",
            "`galera resync n2`",
            Some(Answer::Resync),
        ),
        (
            "readers-empty",
            ps1(|rows| {
                let columns = ["hostgroup_id", "hostname", "port", "status", "weight"];
                rows.servers = Some(table(&columns, &[&["10", "127.0.0.1", "24010", "ONLINE", "1"]]));
            }),
            "reads wait and fail",
            "`galera bring-back n2`",
            Some(Answer::BringBack),
        ),
        (
            "backend-shunned",
            behind("reject_n1", healthy()),
            "shunned by errors in hostgroup 10",
            "stats_mysql_errors",
            None,
        ),
        (
            "monitor-failing",
            ps1(|rows| {
                let columns = ["hostname", "port", "time_start_us", "connect_error"];
                let row: &[&str] = &["db1", "3306", "5", "Access denied for user 'monitor'"];
                rows.connects = Some(table(&columns, &[row]));
            }),
            "its monitor may not log in at db1:3306: Access denied for user 'monitor'; the next failover will not happen",
            "mysql-monitor_username",
            None,
        ),
        (
            "clients-waiting",
            behind("saturation", healthy()),
            "3 clients wait for a backend connection",
            "max_connections",
            None,
        ),
        (
            "sessions-pinned",
            ps1(|rows| {
                let columns = ["hostgroup", "srv_host", "srv_port", "command", "sessions", "longest_ms"];
                rows.sessions = table(&columns, &[&["10", "127.0.0.1", "24020", "Query", "2", "50"]]);
            }),
            "2 sessions hold connections on n2, which is no longer the writer",
            "KILL on that member",
            None,
        ),
        (
            "proxy-drift",
            fronted(vec![drift("mysql_servers", Layers::RuntimeDisk)]),
            "mysql_servers: runtime differs from disk: loaded, not saved, gone after a restart: 127.0.0.1:24020",
            "`proxysql save ps1`",
            Some(Answer::Save),
        ),
        (
            "proxy-drift",
            fronted(vec![drift("mysql_query_rules", Layers::RuntimeDisk)]),
            "not saved",
            "SAVE MYSQL QUERY RULES TO DISK",
            None,
        ),
        (
            "proxy-drift",
            fronted(vec![drift("mysql_servers", Layers::MemoryRuntime)]),
            "edited, not loaded",
            "drops such edits",
            None,
        ),
        (
            "proxy-drift",
            fronted(vec![drift("mysql_users", Layers::MemoryRuntime)]),
            "edited, not loaded",
            "LOAD MYSQL USERS TO RUNTIME",
            None,
        ),
        (
            "proxies-differ",
            fronted(vec![
                answers(|_| {}),
                answers_as("ps2", |rows| {
                    rows.checksums = Some(table(&["name", "checksum"], &[&["mysql_query_rules", "0x1"]]));
                }),
            ]),
            "the proxies run different mysql_query_rules",
            "which of them is meant",
            None,
        ),
        (
            "proxies-differ",
            fronted(vec![
                answers(|rows| rows.servers = servers(["ONLINE", "SHUNNED", "SHUNNED"], "5")),
                answers_as("ps2", |rows| {
                    rows.servers = servers(["ONLINE", "SHUNNED", "SHUNNED"], "7");
                }),
            ]),
            "servers (127.0.0.1:24010, 127.0.0.1:24020, 127.0.0.1:24030)",
            "which of them is meant",
            None,
        ),
        ("proxy-lost", fronted(vec![lost]), "refuses connections", "start it", None),
        ("proxy-lost", fronted(vec![denied]), "wrong password for user radmin", "[proxysql]", None),
    ]
}
