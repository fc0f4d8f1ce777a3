//! No member answers: from which the cluster is formed again, by what is on the disks.

use super::{
    Evidence, Instruction, MostAdvanced, contradicted, doubts, foreign, histories, nothing,
    steps::{ask, datadir, examine, examine_one, look, start},
    unknown,
};

pub(super) fn sheet(evidence: &[Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let all = histories(evidence);
    if all.len() > 1 {
        return (foreign(&all), vec![], vec![]);
    }
    if let Some(alive) = evidence.iter().find(|e| e.may_run) {
        return (nothing(&may_run(alive)), vec![], examine(evidence));
    }
    let unknown = unknown(evidence);
    let best = evidence
        .iter()
        .filter_map(|e| Some(((e.position()?.seqno, e.left_last()), e)))
        .max_by_key(|(rank, _)| *rank);
    let Some(((seqno, _), best)) = best else {
        return (nothing(no_position(evidence, &unknown)), Vec::from_iter(ask(&unknown)), examine(evidence));
    };
    if let Some(reason) = two_left_last(evidence, best, seqno) {
        return (nothing(&reason), Vec::from_iter(ask(&unknown)), vec![]);
    }
    let leads = |proven: bool, reason: String| MostAdvanced {
        member: Some(best.label.clone()),
        position: best.position(),
        proven,
        reason,
    };
    let stopped = best.saved.as_ref().is_some_and(|s| s.stopped_at.is_some());
    let more = |e: &&Evidence| e.once_had().is_some_and(|p| all.contains(&p.uuid) && p.seqno > seqno);
    let left_last = best.left_last() && stopped && !unknown.iter().any(more);
    if !unknown.is_empty() && !left_last {
        let reason = format!(
            "{} has the most of those known (seqno {seqno}), but {} of {} are not known: any of them may have more",
            best.label,
            unknown.len(),
            evidence.len()
        );
        let steps = unknown.iter().map(|e| examine_one(e)).collect();
        return (leads(false, reason), Vec::from_iter(ask(&unknown)), steps);
    }
    if contradicted(evidence) {
        let reason = format!(
            "{} has the most of what was fed (seqno {seqno}), and that contradicts itself",
            best.label
        );
        return (leads(false, reason), doubts(evidence), examine(evidence));
    }
    let same = evidence.iter().filter(|e| e.position().is_some_and(|p| p.seqno == seqno)).count();
    let reason = match (left_last, same) {
        (true, _) if !unknown.is_empty() => format!(
            "{} stopped cleanly as the last member (safe_to_bootstrap: 1, seqno {seqno}), so none of the others has more",
            best.label
        ),
        (_, 1) => format!("{} has the most: seqno {seqno}", best.label),
        (_, n) => format!("{n} members are equal at seqno {seqno}: {} will do", best.label),
    };
    (leads(true, reason), unproven(evidence, &unknown), form(evidence, best))
}

fn may_run(alive: &Evidence) -> String {
    format!(
        "{} could not be read ({}), and may run: then it may be in a primary component, and bootstrapping another makes two clusters. Mend that first",
        alive.label,
        alive.answers.as_ref().err().map_or("", |why| &**why)
    )
}

/// Why no member can be named.
fn no_position(evidence: &[Evidence], unknown: &[&Evidence]) -> &'static str {
    let distrusted = |e: &Evidence| e.saved.as_ref().is_some_and(|s| s.distrusted && s.recovered.is_some());
    match unknown.is_empty() && !evidence.is_empty() {
        true if evidence.iter().any(distrusted) => {
            "no member has a position to go on from: where --wsrep-recover prints one, grastate.dat has a zero UUID, which says that the data are not to be trusted. Start none; compare the data by hand, or restore a backup"
        }
        true => "no member has a position to go on from: restore a backup",
        false => "no evidence yet: collect it on every member and feed it to this sheet",
    }
}

/// By their files several left last, or one that does not have the most.
fn two_left_last(evidence: &[Evidence], best: &Evidence, seqno: u64) -> Option<String> {
    let last: Vec<_> = evidence.iter().filter(|e| e.left_last()).collect();
    let first_is_other = last.first().is_some_and(|e| e.name != best.name && e.position().is_some());
    (last.len() > 1 || first_is_other).then(|| {
        let names: Vec<_> = last.iter().map(|e| &*e.label).collect();
        format!(
            "by safe_to_bootstrap: 1 {} left last, and {} has seqno {seqno}: in one history only one leaves last, and has the most. Either each went on without the other, and their transactions do not compare, or the file was edited by hand. Stop here and find out; what was edited is fed with safe_to_bootstrap: 0",
            names.join(" and "),
            best.label
        )
    })
}

/// What is not proven where a member can be named for certain.
fn unproven(evidence: &[Evidence], unknown: &[&Evidence]) -> Vec<String> {
    let mut unproven = Vec::from_iter(ask(unknown));
    unproven.extend(doubts(evidence));
    let crashed =
        |e: &Evidence| e.saved.as_ref().is_some_and(|s| s.recovered.is_some() && s.stopped_at.is_none());
    if evidence.iter().any(crashed) {
        unproven.push(
            "members crashed: with innodb_flush_log_at_trx_commit other than 1 a recovered position may lag what clients were told".into(),
        );
    }
    unproven.push(
        "nobody else starts a member meanwhile, and no orchestrator restarts them: make sure of it first"
            .into(),
    );
    unproven
}

/// The cluster is formed from the best, and the others start with their positions.
fn form(evidence: &[Evidence], best: &Evidence) -> Vec<Instruction> {
    let mut steps = Vec::new();
    if best.saved.as_ref().is_some_and(|s| s.safe_to_bootstrap != Some(true)) {
        steps.push(Instruction {
            on: best.label.clone(),
            what: "allow the bootstrap on this member only".into(),
            command: format!(
                "sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' {}/grastate.dat",
                datadir(best)
            ),
            by_hand: None,
        });
    }
    let position = best.position().map_or(String::new(), |p| format!(" --wsrep_start_position={p}"));
    steps.push(Instruction {
        on: best.label.clone(),
        what: "form the cluster from it, with its position: without one the others need a full copy".into(),
        command: "galera_new_cluster".into(),
        by_hand: Some(format!("mariadbd --user=mysql --wsrep-new-cluster{position}")),
    });
    steps.push(look(best));
    for member in evidence.iter().filter(|e| e.name != best.name) {
        steps.push(start(member, "start it with its position, and wait until it is Synced before the next"));
        steps.push(look(member));
    }
    steps
}
