//! What answers each finding, and the settings that say when it is one: told beside the rules' own words.

/// A rule, the settings that are its thresholds, and what answers it.
pub(super) const ANSWERS: &[(&str, &[&str], &str)] = &[
    ("node-not-ready", &[], "start the node; `w` shows what a further loss would do"),
    ("tenant-down", &[], "`logs TENANT` (`l`), `describe` (`d`); `rollback` (`Z`) after a rollout"),
    ("pods-refused", &[], "raise the quota or mend what admission refuses"),
    ("pods-failing", &[], "`logs TENANT --previous` (`l`, `P`); `rollback` (`Z`)"),
    ("pods-unschedulable", &[], "`fits TENANT` says why each node does not take it; `uncordon`, `rebalance`"),
    ("rollout-stuck", &[], "`rollback TENANT` (`Z`)"),
    ("pods-failed", &[], "the line it prints removes them"),
    ("resize-pending", &[], "free memory on the node, or move the pod (`v`)"),
    ("resized", &[], "change the limit in the manifest as well, where it is to last"),
    ("quota-full", &[], "raise the quota"),
    ("parked", &[], "`scale TENANT N` (`s`)"),
    ("under-floor", &["floor"], "`scale TENANT N` (`s`)"),
    ("node-empty", &[], "`rebalance` (`b`), or `undrain` (`U`)"),
    ("one-node", &[], "`rebalance` (`b`)"),
    ("doubled", &[], "`rebalance` (`b`)"),
    ("memory-limit", &[], "`scale TENANT +1` (`+`), or a higher limit: `resize` (`V`)"),
    ("platform-redis-masters", &[], "`REPLICAOF` on the one the sentinels do not name, if they do not do it"),
    ("platform-redis-writes", &[], "raise maxmemory, free the disk, or bring the replicas back"),
    ("platform-redis-clients", &[], "name the master, or a Service that follows it"),
    ("platform-redis-evictions", &[], "raise maxmemory, or let sessions expire sooner"),
    ("platform-redis-down", &[], "look at its server; the sentinels choose another master"),
    ("platform-redis-login", &[], "`ACL SETUSER` on that server"),
    ("platform-redis-quorum", &[], "start the missing sentinels"),
    ("platform-redis-sentinel", &[], "compare the sentinels: `SENTINEL MASTERS`"),
    ("platform-redis-replica", &[], "its log, and masterauth"),
    ("platform-redis-empty", &[], "`appendonly yes`, or no restart by itself"),
    ("platform-replica-errant", &[], "take it out of the services, build it again from the primary"),
    ("platform-replica-stopped", &[], "mend the cause, then `START SLAVE` (MySQL 8.4: `START REPLICA`)"),
    ("platform-replica-lag", &[], "`SHOW PROCESSLIST` on it"),
    ("platform-replica-down", &[], "the failover sheet (`:recovery`)"),
    ("platform-replica-writable", &[], "read_only on or off there, as its role wants"),
    ("platform-replica-service", &[], "correct the endpoints of the Service"),
    ("platform-replica-right", &[], "`GRANT SLAVE MONITOR`"),
    ("platform-volume-bricks", &[], "see why the brick ended, then `gluster volume start .. force`"),
    ("platform-volume-split-brain", &[], "`gluster volume heal .. split-brain`, file by file"),
    ("platform-volume-backlog", &[], "bring its bricks back; take no node away until it is healed"),
    ("platform-volume-space", &[], "make room, or add bricks"),
    ("platform-storage-node", &[], "glusterd there, the key and the known host"),
    ("platform-floating", &[], "look who holds the address; keepalived on the edges"),
    ("platform-edge-down", &[], "start its proxy"),
    ("platform-node-down", &[], "the ingress controller's pod there"),
    ("platform-node-differs", &[], "the log of the ingress controller there"),
    ("platform-edge-differs", &[], "configure the host there as on the other edge"),
    ("platform-edge-hung", &[], "its workers, and its error log; reload it"),
    ("platform-edge-stale", &[], "`nginx -t && nginx -s reload` there"),
    ("platform-edge-saturated", &[], "raise worker_connections"),
    ("platform-registry-down", &[], "look at its service"),
    ("platform-registry-storage", &[], "mount its storage again"),
    ("platform-registry-login", &[], "renew the login, or the pull secret"),
    ("platform-registry-image", &[], "push the image again"),
    ("platform-tag-moved", &[], "release by digest, or by a tag of its own"),
    ("headroom-low", &["low"], "`scale TENANT +1` (`+`)"),
    ("headroom-falling", &["exhausted-within"], "`scale TENANT +1` (`+`)"),
    ("oom-killed", &[], "`sizing TENANT` (`h`): a higher limit, `resize` (`V`), or fewer children"),
    ("node-overcommitted", &["overcommit", "node-used"], "`rebalance` (`b`)"),
    ("node-overpacked", &[], "higher requests"),
    ("n-1", &[], "`what-if NODE` (`w`) says who; `rebalance` (`b`)"),
    ("node-cordoned", &[], "`uncordon` (`C`) or `undrain` (`U`)"),
    ("pod-left-over", &[], "`delete-pod` (`x`)"),
    ("journal-unreadable", &[], "`runs` names it; a newer version of wheelhouse may read it"),
    ("source-lost", &[], "`wheelhouse doctor` names the missing right"),
    ("galera-no-quorum", &[], "`galera recovery` (`R`)"),
    ("galera-reformed", &[], "`galera recovery` (`R`)"),
    ("galera-views", &[], "`galera take-out` (`t`) while clients reach it"),
    ("no-writer", &[], "`galera move-writer` (`M`), `bring-back` (`b`), or `recovery`"),
    ("two-writers", &["writers-settle"], "`galera move-writer` (`M`); by hand otherwise"),
    ("readers-empty", &[], "`galera resync` (`Y`) where one is desynced"),
    ("member-expelled", &[], "restart it: a full copy"),
    ("member-down", &[], "start it"),
    ("member-no-quorum", &[], "repair the network; `take-out` while clients reach it"),
    ("commits-blocked", &["commits-still"], "wait"),
    ("lock-holder", &["lock-wait"], "`KILL`, named"),
    ("flow-control", &["flow-control", "flow-control-critical"], "`galera desync` (`D`)"),
    ("stale-reads", &[], "`galera take-out` (`t`) while clients reach it"),
    ("member-rejects", &[], "set it to `NONE`"),
    ("galera-size", &[], "start those named"),
    ("member-unsynced", &["unsynced"], "`galera resync` (`Y`) when it was desynced by hand"),
    ("queue-growing", &["queue"], "`galera take-out` (`t`) while clients reach it"),
    ("donor-in-rotation", &[], "wait: nothing is changed during a transfer"),
    ("conflicts", &["conflicts"], "one writer; hot rows"),
    ("gcache-window", &["gcache-window"], "a greater `gcache.size`"),
    ("member-connections", &["connections", "connections-critical"], "by hand"),
    ("backend-shunned", &[], "mend what its errors name"),
    ("monitor-failing", &["missed-checks"], "mend its user"),
    ("clients-waiting", &["clients-waiting", "connections", "connections-critical"], "by hand"),
    ("sessions-pinned", &[], "`KILL`, when they do not end"),
    ("proxy-drift", &[], "`proxysql save` (`S`) for servers"),
    ("proxies-differ", &[], "by hand"),
    ("proxy-lost", &[], "by hand"),
    ("member-unreadable", &[], "mend the login"),
    ("member-unknown", &[], "the configuration; `galera bring-back` (`b`), `proxysql remove`"),
    ("member-twice", &[], "remove one of the two addresses from the configuration"),
    ("members-differ", &[], "by hand"),
    ("configuration", &[], "the configuration"),
    ("rights-missing", &[], "the grant, named"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::RULES, config::settings};

    #[test]
    fn what_stands_around_is_answered() {
        let around = RULES.iter().filter(|rule| rule.name.starts_with("platform-"));
        let left: Vec<_> = around
            .filter(|rule| !ANSWERS.iter().any(|(name, ..)| *name == rule.name))
            .map(|rule| rule.name)
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn every_answer_is_of_a_rule_and_every_threshold_a_setting() {
        for (rule, thresholds, answer) in ANSWERS {
            assert!(RULES.iter().any(|known| known.name == *rule), "{rule}");
            assert!(!answer.is_empty(), "{rule}");
            for key in *thresholds {
                let ends = format!(".{key}");
                assert!(settings::paths().any(|path| path.ends_with(&ends)), "{rule}: {key}");
            }
        }
    }
}
