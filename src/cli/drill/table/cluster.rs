//! The drills about the cluster and what leads to it.

use super::{Drill, Stage, nothing, step};
use crate::demo::Scenario;

pub(super) const CORDONED: Drill = Drill {
    name: "cordoned",
    about: "A cordon was forgotten, and pods find no node.",
    story: "All three nodes were cordoned and forgotten, and soylent was scaled to five replicas: two pods found no node.",
    scenario: Scenario::Calm,
    nodes: 3,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        for node in ["worker-1", "worker-2", "worker-3"] {
            site.cordon(node);
        }
        site.scale("soylent", 5);
        Ok(())
    },
    meanwhile: nothing,
    rules: &["pods-unschedulable", "node-cordoned", "not-ready"],
    stages: &[
        Stage {
            what: "all pods of soylent are ready",
            hint: "the pods of soylent find no node: all three are cordoned. 2 shows the nodes, C uncordons the selected one",
            done: |site| site.is_whole("soylent"),
        },
        Stage {
            what: "every node takes pods",
            hint: "not every node takes pods yet: select a cordoned one under 2, and press C",
            done: |site| ["worker-1", "worker-2", "worker-3"].iter().all(|node| site.is_ready(node)),
        },
    ],
    minutes: 20,
    model: &[
        step("on no node", "2", "shows the nodes: all are cordoned"),
        step("IF IT FAILS", "gC", "plans to uncordon the first of them"),
        step("checks passed", "y", "runs it"),
        step(", ended ", "2", "back to the nodes"),
        step("IF IT FAILS", "gC", "plans to uncordon the next one"),
        step("checks passed", "y", "runs it"),
        step(", ended ", "2", "back to the nodes"),
        step("IF IT FAILS", "gC", "plans to uncordon the last one"),
        step("checks passed", "y", "runs it"),
    ],
    reference: 19,
};

pub(super) const BAD_RELEASE: Drill = Drill {
    name: "bad-release",
    about: "A release does not start.",
    story: "globex was released with the image 2.4.3-broken, which is not in the registry: the rollout stood, and the old pods served on.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        site.release("globex", "2.4.3-broken");
        Ok(())
    },
    meanwhile: nothing,
    rules: &["pods-failing", "rollout-stuck", "not-ready", "tenant-down"],
    stages: &[Stage {
        what: "globex has its old image, and all its pods are ready",
        hint: "the new pods of globex do not start, the old ones still serve. Open globex with Enter: l shows the log, :rollback plans to go back to the revision before",
        done: |site| !site.tag("globex").contains("broken") && site.is_whole("globex"),
    }],
    minutes: 20,
    model: &[
        step("pod failing", ":tenant globex\r", "opens globex"),
        step("deploy/globex", ":rollback globex\r", "plans to roll back to the revision before"),
        step("checks passed", "y", "runs it"),
    ],
    reference: 5,
};

pub(super) const MEMORY: Drill = Drill {
    name: "memory",
    about: "The users of a tenant need more memory than its pods may take.",
    story: "More and more users of globex worked at once, until its pods were close to their memory limit.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |_| Ok(()),
    meanwhile: |site, seconds, _| {
        // From 5 to 6.1 requests for each of the pods it had: a little below what their limit carries.
        site.demand("globex", (5.0 + seconds as f64 / 40.0).min(6.1) * 3.0);
        None
    },
    rules: &["memory-limit", "headroom-low", "headroom-falling", "oom-killed", "pods-failing", "tenant-down"],
    stages: &[Stage {
        what: "globex has pods enough for its users, all of them ready",
        hint: "each request takes memory: with more pods each serves fewer. s on globex asks for the number of replicas; h shows the arithmetic",
        // A request takes 80 MB beside 60 MB, of 640 Mi: with four pods each has less than five.
        done: |site| site.replicas("globex") >= 4 && site.is_whole("globex"),
    }],
    minutes: 30,
    model: &[
        step("of 640 Mi memory", ":scale globex +2\r", "plans two replicas more"),
        step("checks passed", "y", "runs it"),
    ],
    reference: 118,
};

pub(super) const AUTOSCALER: Drill = Drill {
    name: "autoscaler",
    about: "The users of a tenant need more memory, and an autoscaler takes every further pod back.",
    story: "More and more users of globex worked at once, until its pods were close to their memory limit; its autoscaler holds it at three replicas and takes any more of them back within 15 seconds.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        site.autoscale("globex", 2, 3);
        Ok(())
    },
    meanwhile: |site, seconds, _| {
        site.demand("globex", (5.0 + seconds as f64 / 40.0).min(6.1) * 3.0);
        None
    },
    rules: &["memory-limit", "headroom-low", "headroom-falling", "oom-killed", "pods-failing", "tenant-down"],
    stages: &[Stage {
        what: "each pod of globex may take more memory",
        hint: "an autoscaler holds globex at three replicas: what is scaled beyond them is taken back. V on globex asks for another memory limit of its running pods; h shows what they use",
        done: |site| site.memory("globex") >= 768 && site.is_whole("globex"),
    }],
    minutes: 30,
    model: &[
        step("of 640 Mi memory", ":resize globex\r", "asks for the memory limit of its pods"),
        step("such as 768Mi", "768Mi\r", "plans to give each of them more"),
        step("checks passed", "y", "runs it"),
    ],
    reference: 117,
};

pub(super) const QUOTA: Drill = Drill {
    name: "quota",
    about: "A tenant is scaled up, and a quota refuses its pods.",
    story: "soylent was scaled to six replicas while its quota allows four pods: two were refused again and again.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        site.quota("soylent", 4);
        site.scale("soylent", 6);
        Ok(())
    },
    meanwhile: nothing,
    rules: &["pods-refused", "quota-full", "not-ready"],
    stages: &[Stage {
        what: "soylent asks for no more pods than its quota allows, and all are ready",
        hint: "the quota of soylent allows four pods. s on soylent asks for the number of replicas: with 4 nothing is refused any more",
        done: |site| site.replicas("soylent") >= 3 && site.is_whole("soylent"),
    }],
    minutes: 30,
    model: &[
        step("quota pods is full", ":scale soylent 4\r", "plans as many replicas as the quota allows"),
        step("checks passed", "y", "runs it"),
    ],
    reference: 6,
};

pub(super) const NODE_LOST: Drill = Drill {
    name: "node-lost",
    about: "A node fails, comes back, and stays empty.",
    story: "worker-3 lost its power. Its pods were made again on other nodes after five minutes, beside others of their tenants; it came back after seven, and nothing moved back.",
    scenario: Scenario::Calm,
    nodes: 4,
    speed: 10.0,
    strikes_after: 20,
    strike: |site| {
        site.power("worker-3", false);
        Ok(())
    },
    meanwhile: |site, seconds, _| {
        if seconds >= 420 {
            site.power("worker-3", true);
        }
        None
    },
    rules: &["node-not-ready", "tenant-down", "not-ready", "node-empty", "one-node", "doubled"],
    stages: &[
        Stage {
            what: "worker-3 is back",
            hint: "worker-3 does not answer. Kubernetes makes its pods again elsewhere after five minutes; until then nothing of it can be mended from here. w on it under 2 says what else would be lost",
            done: |site| site.is_ready("worker-3"),
        },
        Stage {
            what: "no tenant is doubled up elsewhere while worker-3 has none of it",
            hint: "worker-3 is back and empty: Kubernetes moves nothing back by itself. b plans the moves, y runs them",
            done: |site| site.is_ready("worker-3") && site.doubled_without("worker-3") == 0,
        },
    ],
    minutes: 60,
    model: &[
        step("3/4", "5", "lists what is wrong"),
        step("back and empty", "b", "plans the moves onto the node"),
        step("rehearsed in", "y", "runs them"),
    ],
    reference: 615,
};

pub(super) const MIGRATION_CUT_OFF: Drill = Drill {
    name: "migration-cut-off",
    about: "A colleague's migration is cut off, and the tenant is left with one pod.",
    story: "bob began to migrate tyrell and lost his connection while its job ran: tyrell was left at one replica.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 2.0,
    strikes_after: 5,
    strike: |site| site.colleague_migrates("tyrell", "2.4.2"),
    meanwhile: |site, _, _| {
        site.colleague_is_cut_off("tyrell");
        None
    },
    rules: &["under-floor", "one-node", "not-ready"],
    stages: &[
        Stage {
            what: "bob is cut off",
            hint: "bob migrates tyrell: look at his run under 3",
            done: |site| site.colleague_is_cut_off("tyrell"),
        },
        Stage {
            what: "tyrell is migrated and has its replicas again",
            hint: "nobody drives bob's run any more: open it under 3, r finishes it",
            done: |site| site.replicas("tyrell") > 1 && site.is_whole("tyrell"),
        },
    ],
    minutes: 30,
    model: &[
        step("interrupted", "3", "lists the runs"),
        step("at step", "r", "asks whether to finish bob's run"),
        step("is checked against", "y", "finishes it"),
    ],
    reference: 38,
};

pub(super) const CERTIFICATE: Drill = Drill {
    name: "certificate",
    about: "A certificate has expired, and the users of its host are turned away.",
    story: "The renewal of initech's certificate had failed for weeks, and it expired on both edges. A colleague who keeps the certificates mended the renewal and reloaded edge1, and forgot edge2.",
    scenario: Scenario::CertificateExpiring,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        site.certificate_expires("initech");
        Ok(())
    },
    meanwhile: |site, _, copied| {
        let names = |words: &[&str]| words.iter().all(|word| copied.contains(word));
        if !site.presents(0, "initech") && names(&["initech", "certificate", "renew"]) {
            site.renew_certificate("initech");
            return Some("a colleague mends the renewal of initech-tls, and reloads edge1".into());
        }
        if site.presents(0, "initech") && names(&["edge2", "nginx -s reload"]) {
            site.reload_edge(1);
            return Some("a colleague reloads edge2".into());
        }
        None
    },
    rules: &["certificate", "host-not-served", "platform-edge-stale"],
    stages: &[
        Stage {
            what: "users of initech are served again",
            hint: "initech's certificate has expired, and nothing of it can be renewed from here. 5 lists what is wrong: c copies the line with what is to be done, for the colleague who keeps the certificates",
            done: |site| site.presents(0, "initech"),
        },
        Stage {
            what: "both edges present the renewed certificate",
            hint: "edge2 was not reloaded, and users of initech are turned away when it takes over. 5 lists it: c copies the line for the colleague at the edges",
            done: |site| site.presents(0, "initech") && site.presents(1, "initech"),
        },
    ],
    minutes: 30,
    model: &[
        step("expired", "5", "lists what is wrong"),
        step("WHAT IS WRONG", "gc", "copies what is wrong and what is to be done, for the colleague"),
        step("earlier certificate", "/edge2\r", "shows what is said of edge2"),
        step("nginx -s reload", "c", "copies it for the colleague at the edges"),
    ],
    reference: 18,
};
