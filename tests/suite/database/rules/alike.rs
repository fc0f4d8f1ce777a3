//! What does not fit together.

use wheelhouse::cluster::{Answer, Member, ProxyRows, Trouble};

use super::{Case, worlds::*};
use crate::database::{behind, changed, healthy, now, said, silent, world};

pub fn cases() -> Vec<Case> {
    let down = |node| silent(node, Trouble::Refused);
    let n = |state: &str, node| said(state, node, now());
    let ps1 = |edit: fn(&mut ProxyRows)| fronted(vec![answers(edit)]);
    vec![
        (
            "member-unknown",
            alone(vec![n("healthy", 1)], 1.0),
            "127.0.0.1:13320 is a member of the cluster and is not configured",
            "[galera] aliases",
            None,
        ),
        (
            "member-unknown",
            alone(vec![n("healthy", 1), Member { name: "db2:3306".into(), ..down(2) }], 1.0),
            "configured, and not among the members the cluster lists",
            "correct the address",
            None,
        ),
        (
            "member-unknown",
            unlisted(),
            "under no address the cluster lists",
            "wsrep_node_incoming_address",
            None,
        ),
        (
            "member-unknown",
            configured(world(healthy(), vec![answers(|_| {})], now()), &[]),
            "127.0.0.1:24010 is a backend of ProxySQL and no configured member",
            "`proxysql remove 127.0.0.1:24010`",
            None,
        ),
        (
            "member-unknown",
            ps1(|rows| {
                let columns = ["hostgroup_id", "hostname", "port", "status", "weight"];
                rows.servers = Some(table(&columns, &[&["10", "127.0.0.1", "24010", "ONLINE", "1"]]));
            }),
            "in no hostgroup of ProxySQL",
            "`galera bring-back n2`",
            Some(Answer::BringBack),
        ),
        (
            "members-differ",
            alone(
                vec![
                    n("healthy", 1),
                    spoke(2, &[changed("healthy", 2, &[("wsrep_provider_version", "4.9(r0)")])]),
                ],
                1.0,
            ),
            "4.9(r0) on n2",
            "finish the upgrade",
            None,
        ),
        (
            "members-differ",
            alone(vec![n("healthy", 1), options("gcs.fc_limit = 16;", "gcs.fc_limit = 256;")], 1.0),
            "members differ in gcs.fc_limit: 16 on n1; 256 on n2",
            "wsrep_provider_options",
            None,
        ),
        (
            "configuration",
            configured(behind("healthy", healthy()), &["galera.hosts.\"db9:3306\"=worker-1"]),
            "[galera.hosts] names db9:3306, which is no configured member: there are 127.0.0.1:13310, ",
            "correct the name",
            None,
        ),
        (
            "configuration",
            configured(behind("healthy", healthy()), &["galera.aliases.\"10.0.0.1:3306\"=db9"]),
            "[galera.aliases] leads 10.0.0.1:3306 to db9:3306",
            "correct the address",
            None,
        ),
        (
            "configuration",
            configured(behind("healthy", healthy()), &["proxysql.hosts.\"ps9:6032\"=worker-1"]),
            "[proxysql.hosts] names ps9:6032, which is no configured proxy: there are ps1",
            "correct the name",
            None,
        ),
        ("configuration", alone(healthy(), 1.0), "no ProxySQL is configured", "[proxysql] addresses", None),
        (
            "configuration",
            world(vec![], vec![answers(|_| {})], now()),
            "no members are configured",
            "[galera] members",
            None,
        ),
        (
            "rights-missing",
            alone(vec![unprivileged()], 1.0),
            "without the PROCESS right",
            "GRANT PROCESS ON *.*",
            None,
        ),
        (
            "rights-missing",
            fronted(vec![answers(|rows| (rows.servers, rows.hostgroups) = (None, None))]),
            "which hostgroup writes is not known",
            "name the hostgroups",
            None,
        ),
    ]
}
