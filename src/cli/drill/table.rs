//! The drills, one entry each: what happens, how it is seen that it is over, hints, and the keys that solve it.

use super::site::{Colleague, Site};
use crate::demo::{Cluster, Scenario};

/// One drill.
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// What has happened, told afterwards.
    pub story: &'static str,
    /// The world it begins in.
    pub scenario: Scenario,
    /// So many nodes are in it.
    pub nodes: usize,
    /// World seconds a second where nothing else is said.
    pub speed: f64,
    /// It strikes so many world seconds after the operator is at the screen.
    pub strikes_after: i64,
    pub(super) strike: fn(&Site<'_>) -> Result<(), String>,
    /// What else happens, by the world seconds since, and what somebody does with what was copied. What is to be said of it.
    pub(super) meanwhile: fn(&Site<'_>, i64, &str) -> Option<String>,
    /// The rules whose findings tell of it.
    pub rules: &'static [&'static str],
    /// What has to be so, one after another.
    pub stages: &'static [Stage],
    /// It is over after so many minutes of the world's time.
    pub minutes: u32,
    /// The keys that solve it, for tests and for the end report.
    pub model: &'static [Step],
    /// World seconds from its begin to its end with these keys, as they were measured.
    pub reference: u32,
}

impl Drill {
    /// Lets the incident strike in a cluster.
    ///
    /// # Errors
    /// One sentence: who takes part in it cannot be started.
    pub fn strike_in(&self, cluster: &Cluster) -> Result<(), String> {
        (self.strike)(&Site { cluster, colleague: &Colleague::default() })
    }
}

/// A part of the way to the end.
pub struct Stage {
    /// What is done in it, told afterwards.
    pub what: &'static str,
    /// What to do now.
    pub hint: &'static str,
    /// It is over: by what is so in the cluster, whatever keys led there.
    pub(super) done: fn(&Site<'_>) -> bool,
}

/// A step of the way that is known to lead to the end.
pub struct Step {
    /// What is on the screen then.
    pub see: &'static str,
    /// The keys, as a terminal sends them.
    pub keys: &'static str,
    /// What they do.
    pub what: &'static str,
}

const fn step(see: &'static str, keys: &'static str, what: &'static str) -> Step {
    Step { see, keys, what }
}

fn nothing(_: &Site<'_>, _: i64, _: &str) -> Option<String> {
    None
}

/// All drills, the easiest first.
pub const DRILLS: &[Drill] = &[
    Drill {
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
            step("u takes it back", "2", "back to the nodes"),
            step("IF IT FAILS", "gC", "plans to uncordon the next one"),
            step("checks passed", "y", "runs it"),
            step("u takes it back", "2", "back to the nodes"),
            step("IF IT FAILS", "gC", "plans to uncordon the last one"),
            step("checks passed", "y", "runs it"),
        ],
        reference: 19,
    },
    Drill {
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
    },
    Drill {
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
        rules: &[
            "memory-limit",
            "headroom-low",
            "headroom-falling",
            "oom-killed",
            "pods-failing",
            "tenant-down",
        ],
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
    },
    Drill {
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
    },
    Drill {
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
    },
    Drill {
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
    },
    Drill {
        name: "writer-lost",
        about: "The member of the database that takes the writes is lost.",
        story: "db1, which took the writes, crashed: ProxySQL sent them to db2. Whoever is at the machine starts db1 once no proxy sends anybody to it.",
        scenario: Scenario::Calm,
        nodes: 5,
        speed: 4.0,
        strikes_after: 10,
        strike: |site| {
            site.member(0, false);
            Ok(())
        },
        meanwhile: |site, _, _| {
            if site.is_out(0) && !site.answers(0) {
                site.member(0, true);
            }
            None
        },
        rules: &["member-down", "no-writer", "backend-shunned", "galera-size"],
        stages: &[
            Stage {
                what: "no proxy sends anybody to db1",
                hint: "db1 is down, and another member takes the writes. Before it is started it should have no clients: under 4 select db1, t takes it out of every proxy",
                done: |site| site.is_out(0),
            },
            Stage {
                what: "db1 is in the component again",
                hint: "whoever is at the machine starts db1: wait until it is in sync",
                done: |site| site.is_out(0) && site.members_ready() == 3,
            },
        ],
        minutes: 30,
        model: &[
            step("does not answer", "4", "shows the members"),
            step("REPLICATION", "gt", "plans to take db1 out of every proxy"),
            step("checks passed", "y", "runs it"),
        ],
        reference: 23,
    },
    Drill {
        name: "flow-control",
        about: "One slow member of the database slows every write.",
        story: "db3 applied what the others wrote too slowly, and flow control made them wait for it.",
        scenario: Scenario::Calm,
        nodes: 5,
        speed: 4.0,
        strikes_after: 10,
        strike: |site| {
            site.applies(2, 58.0);
            Ok(())
        },
        meanwhile: nothing,
        rules: &["flow-control", "queue-growing", "stale-reads", "commits-blocked"],
        stages: &[Stage {
            what: "nobody waits for db3",
            hint: "db3 is too slow, and the others wait for it. Under 4 select db3: D takes it out of flow control",
            done: |site| site.is_relieved(2) && !site.is_throttled(),
        }],
        minutes: 30,
        model: &[
            step("WRITES PAUSED", "4", "shows the members"),
            step("REPLICATION", "gjjD", "plans to take db3 out of flow control"),
            step("checks passed", "y", "runs it"),
        ],
        reference: 19,
    },
    Drill {
        name: "proxysql-drift",
        about: "What the ProxySQLs run was never saved: the next restart takes it back.",
        story: "Somebody gave db2 the greatest weight in both ProxySQLs, so that it takes the writes, and did not save it.",
        scenario: Scenario::Calm,
        nodes: 5,
        speed: 4.0,
        strikes_after: 10,
        strike: |site| {
            for proxy in 0..2 {
                site.weigh(proxy, "db2", 200);
            }
            Ok(())
        },
        meanwhile: nothing,
        rules: &["two-writers", "proxies-differ", "proxy-drift"],
        stages: &[Stage {
            what: "both ProxySQLs have on their disks what they run",
            hint: "both ProxySQLs run other servers than they have on their disks: a restart takes the writer back to db1. Under 4 with a member selected, S saves every proxy that differs",
            done: |site| site.is_saved(1),
        }],
        minutes: 30,
        model: &[
            step("not saved", "4", "shows the members"),
            step("REPLICATION", "S", "plans to save every proxy that differs"),
            step("checks passed", "y", "runs it"),
        ],
        reference: 13,
    },
    Drill {
        name: "no-quorum",
        about: "Two members of the database are lost, and the third refuses to serve.",
        story: "db2 and db3 were killed: db1 was left without a quorum and refused to serve. A colleague at the machines runs the recovery sheet that is copied for them.",
        scenario: Scenario::Calm,
        nodes: 5,
        speed: 4.0,
        strikes_after: 10,
        strike: |site| {
            site.member(1, false);
            site.member(2, false);
            Ok(())
        },
        meanwhile: |site, _, copied| {
            // The sheet names who goes first; nobody runs one that does not.
            if copied.contains("pc.bootstrap=YES") {
                site.bootstrap(0);
                site.member(1, true);
                site.member(2, true);
                return Some("a colleague at the machines runs the sheet: db1 first, then the others".into());
            }
            None
        },
        rules: &["galera-no-quorum", "no-writer", "member-down", "readers-empty"],
        stages: &[
            Stage {
                what: "db1 serves again",
                hint: "R shows the recovery sheet: what is known, who goes first, and the commands. Read it to its end; c copies it for the colleague at the machines, who runs it",
                done: |site| site.members_ready() > 0,
            },
            Stage {
                what: "all three members are in the component",
                hint: "the others join by themselves: wait until all three are there",
                done: |site| site.members_ready() == 3,
            },
        ],
        minutes: 30,
        model: &[
            step("NO QUORUM", "R", "shows the recovery sheet"),
            step("RECOVERY SHEET", "c", "copies it for the colleague at the machines"),
        ],
        reference: 15,
    },
];
