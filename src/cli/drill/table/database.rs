//! The drills about the database.

use super::{Drill, Stage, nothing, step};
use crate::demo::Scenario;

/// The last stage where one member was started first.
const ALL_BACK: Stage = Stage {
    what: "all three members are in the component",
    hint: "the others join by themselves: wait until all three are there",
    done: |site| site.members_ready() == 3,
};

pub(super) const WRITER_LOST: Drill = Drill {
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
};

pub(super) const FLOW_CONTROL: Drill = Drill {
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
};

pub(super) const PROXYSQL_DRIFT: Drill = Drill {
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
};

pub(super) const NO_QUORUM: Drill = Drill {
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
        ALL_BACK,
    ],
    minutes: 30,
    model: &[
        step("NO QUORUM", "R", "shows the recovery sheet"),
        step("RECOVERY SHEET", "c", "copies it for the colleague at the machines"),
    ],
    reference: 15,
};

pub(super) const ALL_DOWN: Drill = Drill {
    name: "all-down",
    about: "All members of the database are lost at once.",
    story: "All three members of the database were killed: nobody serves, and the one that is started first decides what is lost. A colleague at the machines read where each stands, as the recovery sheet says that is copied for them, and started the furthest first.",
    scenario: Scenario::Calm,
    nodes: 5,
    speed: 4.0,
    strikes_after: 10,
    strike: |site| {
        for member in 0..3 {
            site.member(member, false);
        }
        Ok(())
    },
    meanwhile: |site, _, copied| {
        if copied.contains("--wsrep-recover") && (0..3).all(|member| !site.answers(member)) {
            let first = site.recover() + 1;
            return Some(format!(
                "a colleague at the machines reads where each stands, and starts db{first} first, then the others"
            ));
        }
        None
    },
    rules: &["galera-no-quorum", "no-writer", "member-down", "readers-empty"],
    stages: &[
        Stage {
            what: "the member that is furthest serves again",
            hint: "no member serves, and which of them is furthest is not known. R shows the recovery sheet: what is to be read on each machine before any is started; c copies it for the colleague there, who runs it",
            done: |site| site.members_ready() > 0,
        },
        ALL_BACK,
    ],
    minutes: 30,
    model: &[
        step("NO ANSWER", "R", "shows the recovery sheet"),
        step("RECOVERY SHEET", "c", "copies it for the colleague at the machines"),
    ],
    reference: 8,
};
