//! Members answer and hold other data than one another: the writes stop first, and nothing is bootstrapped.

use super::{Evidence, Instruction, MostAdvanced, nothing, steps::datadir};

/// Both sides take writes: one has to stop before anything else.
pub(super) fn split(apart: &[&Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let verdict = nothing(
        "there are two primary components: both take writes, and their data part ways. Nothing is to be bootstrapped: stop the writes on one side at once, then find out which holds the data",
    );
    let unproven = vec![
        "which side holds what the clients were told: only the data themselves tell, such as the newest rows of a table that is written all the time".into(),
        "the side named here is the one with fewer members: the other may be the one without the writers".into(),
    ];
    let stop = |e: &&Evidence| Instruction {
        on: e.label.clone(),
        what: "refuse its clients, on every member of this side, so that one side alone is written".into(),
        command: "SET GLOBAL wsrep_reject_queries=ALL_KILL".into(),
        by_hand: None,
    };
    let mut steps: Vec<_> = apart.iter().map(stop).collect();
    steps.extend(apart.iter().map(|e| Instruction {
        on: e.label.clone(),
        what: "once it is certain that this side may be given up: keep a copy of its data, then stop it. Started again where it sees the others, it takes a full copy of theirs".into(),
        command: "systemctl stop mariadb".into(),
        by_hand: Some("mariadb-admin shutdown".into()),
    }));
    (verdict, unproven, steps)
}

/// The cluster was formed by members that knew no position.
pub(super) fn reformed(evidence: &[Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let verdict = nothing(
        "the cluster was formed by members that knew no position: every one may hold other data, and none says so. Stop the writes first, then the members, then compare what is on their disks",
    );
    let unproven = vec![
        "which member had the most before: only the log of its start (Recovered position) or the data themselves tell".into(),
        "what was written since: it may exist on some members only".into(),
    ];
    let mut steps = Vec::new();
    for member in evidence.iter().filter(|e| e.answers.is_ok()) {
        steps.push(Instruction {
            on: member.label.clone(),
            what: "refuse clients at once".into(),
            command: "SET GLOBAL wsrep_reject_queries=ALL_KILL".into(),
            by_hand: None,
        });
    }
    for member in evidence.iter().filter(|e| e.answers.is_ok()) {
        steps.push(Instruction {
            on: member.label.clone(),
            what: "stop it, and keep a copy of its data before anything else".into(),
            command: "systemctl stop mariadb".into(),
            by_hand: Some("mariadb-admin shutdown".into()),
        });
    }
    steps.extend(evidence.iter().map(|e| Instruction {
        on: e.label.clone(),
        what: "find the position it had before the cluster was formed".into(),
        command: "journalctl -u mariadb | grep 'Recovered position'".into(),
        by_hand: Some(format!("grep -a 'Recovered position' {}/*.err /var/log/mysql/error.log", datadir(e))),
    }));
    (verdict, unproven, steps)
}
