//! The cluster and its members.

use wheelhouse::cluster::{Answer, Member, Trouble};

use super::{Case, worlds::*};
use crate::database::{behind, now, said, silent};

pub fn cases() -> Vec<Case> {
    let down = |node| silent(node, Trouble::Refused);
    let n = |state: &str, node| said(state, node, now());
    let of_two = |state: &str| vec![n(&format!("{state}_peer"), 1), n(state, 2)];
    vec![
        (
            "galera-no-quorum",
            alone(vec![n("nonprimary_survivor", 1), down(2), down(3)], 1.0),
            "1 of 3 members answer and none is in a primary component; everything is refused",
            "`galera recovery` tells which member has the most",
            Some(Answer::Recovery),
        ),
        (
            "galera-no-quorum",
            alone(vec![down(1), down(2)], 1.0),
            "none of 2 members",
            "`galera recovery`",
            Some(Answer::Recovery),
        ),
        (
            "galera-no-quorum",
            alone(vec![silent(1, Trouble::Silent), silent(2, Trouble::Unreachable)], 1.0),
            "none of 2 members answers: or are we cut off from them?",
            "`galera recovery`",
            Some(Answer::Recovery),
        ),
        (
            "galera-reformed",
            alone((1..=3).map(|node| n("crash_restart_diverged", node)).collect(), 1.0),
            "n1, n2, n3: the cluster was formed by members that knew no position",
            "`galera recovery`",
            Some(Answer::Recovery),
        ),
        (
            "galera-views",
            alone(woken(), 9.0),
            "what it reads is old and what it writes is lost",
            "wait: within 10 s",
            None,
        ),
        (
            "galera-views",
            behind_with(woken(), 9.0),
            "claims to be in sync in view 3, but its peers are at view 4",
            "`galera take-out",
            Some(Answer::TakeOut),
        ),
        (
            "member-expelled",
            alone(vec![n("inconsistent_peer", 1), n("inconsistent", 3)], 1.0),
            "expelled by a vote because its data differ",
            "make sure that the majority is right, then restart it",
            None,
        ),
        (
            "member-down",
            alone(vec![n("killed1_noticed", 1), down(2), down(3)], 1.0),
            "no server runs there",
            "",
            None,
        ),
        (
            "member-down",
            alone(vec![n("healthy", 1), n("healthy", 2), n("disconnected", 3)], 1.0),
            "left the cluster on purpose",
            "wsrep_cluster_address",
            None,
        ),
        (
            "member-no-quorum",
            alone(vec![n("partition_majority", 1), n("partition_minority", 3)], 1.0),
            "no quorum: sees nobody else and refuses everything",
            "Never bootstrap it",
            None,
        ),
        (
            "commits-blocked",
            alone(vec![blocked()], 5.0),
            "a schema change blocks all commits, 17 % done, 1 session waits; wait for it, do not kill it: ALTER TABLE big ADD x INT (on n1)",
            "ALGORITHM=INSTANT",
            None,
        ),
        (
            "lock-holder",
            alone(vec![locked(true, "6")], 1.0),
            "an applier has waited 6 s for a lock, and stops all writes of the cluster: held by session 77 (app@10.0.0.9, 8 s)",
            "KILL 77 on n2",
            None,
        ),
        (
            "lock-holder",
            alone(vec![locked(false, "6")], 1.0),
            "likely held by idle session 77",
            "METADATA_LOCK_INFO",
            None,
        ),
        (
            "flow-control",
            alone(throttled(87), 1.0),
            "all writes paused 87 % of the time for n2, which has 30 write-sets waiting",
            "`galera desync n2`: it no longer slows the others",
            Some(Answer::Desync),
        ),
        (
            "stale-reads",
            alone(of_two("ftwrl"), 1.0),
            "reads are stale",
            "wait until the statement is done",
            None,
        ),
        (
            "stale-reads",
            alone(of_two("rsu_alter"), 1.0),
            "a schema change on this member only",
            "wait until",
            None,
        ),
        (
            "stale-reads",
            behind("healthy", vec![n("ftwrl_peer", 1), n("ftwrl", 2)]),
            "; ProxySQL still sends traffic to it",
            "`galera take-out n2`: its readers then read elsewhere",
            Some(Answer::TakeOut),
        ),
        (
            "member-rejects",
            alone(vec![n("reject_all", 3)], 1.0),
            "though its status looks healthy",
            "SET GLOBAL wsrep_reject_queries=NONE",
            None,
        ),
        (
            "galera-size",
            alone(vec![n("graceful_survivor", 1), down(2), down(3)], 1.0),
            "1 of 3 members: quorum 1 of 3 weights",
            "what to do with 127.0.0.1:13320, 127.0.0.1:13330 stands beside each",
            None,
        ),
        (
            "member-unsynced",
            alone(of_two("desynced"), 20.0),
            "taken out of flow control by hand (wsrep_desync)",
            "`galera resync n2` if whoever desynced it is done",
            Some(Answer::Resync),
        ),
        (
            "member-unsynced",
            alone(vec![n("joining_stuck_sstskip", 1), n("joining_stuck_sstskip", 2)], 20.0),
            "waits for its state transfer",
            "read its error log",
            None,
        ),
        (
            "queue-growing",
            alone(vec![counted(1, "wsrep_local_recv_queue", &["200", "300", "400"])], 3.0),
            "400 write-sets wait to be applied, and no fewer than before",
            "wsrep_slave_threads",
            None,
        ),
        (
            "queue-growing",
            behind_with(among(counted(2, "wsrep_local_recv_queue", &["200", "300", "400"]), 3), 3.0),
            "400 write-sets",
            "`galera take-out n2` until it has caught up",
            Some(Answer::TakeOut),
        ),
        (
            "donor-in-rotation",
            behind(
                "healthy",
                vec![n("sst_in_progress", 1), n("sst_in_progress", 2), n("sst_in_progress", 3), down(4)],
            ),
            "donor (to 127.0.0.1:13340) while it still takes writes",
            "wait: nothing is changed while a state is transferred",
            None,
        ),
        (
            "conflicts",
            alone(vec![counted(1, "wsrep_local_cert_failures", &["0", "3"])], 1.0),
            "3.0 certification failures",
            "let one member take all writes",
            None,
        ),
        (
            "gcache-window",
            alone(vec![counted(1, "wsrep_received_bytes", &["0", "2097152", "4194304"])], 2.0),
            "keeps 8s of writes (gcache.size 16M): a member away for longer needs a full copy",
            "raise gcache.size",
            None,
        ),
        (
            "member-connections",
            alone(vec![crowded("85")], 1.0),
            "85 of 100 connections in use",
            "SHOW PROCESSLIST",
            None,
        ),
        (
            "member-twice",
            alone(vec![n("healthy", 1), Member { name: "db1:3306".into(), ..n("healthy", 1) }], 1.0),
            "db1:3306 is the same member as 127.0.0.1:13310",
            "remove one of the two addresses from galera.members",
            Some(Answer::Database),
        ),
        ("member-unreadable", alone(among(silent(2, Trouble::Denied), 3), 1.0), "", "[galera]", None),
        ("member-unreadable", alone(among(silent(2, Trouble::Tls), 3), 1.0), "", "tls-ca", None),
    ]
}
