//! Members answer and none is in a primary component: which of them can be made one, and what is asked of the others
//! first.

use super::{
    Evidence, Instruction, MostAdvanced, contradicted, doubts, foreign, histories, nothing,
    steps::{ask, examine, examine_one, labels, look, rejoin, restart, start},
    unknown,
};

pub(super) fn sheet(
    evidence: &[Evidence],
    answering: &[&Evidence],
) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let all = histories(evidence);
    if all.len() > 1 {
        return (foreign(&all), vec![], vec![]);
    }
    let waiting = answering.iter().filter(|e| e.waits);
    let best = waiting.filter_map(|e| Some((e.position()?.seqno, *e))).max_by_key(|(seqno, _)| *seqno);
    let Some((seqno, best)) = best else {
        let reason = "no member that answers both waits for a quorum and holds its whole state: none can be made the primary component as it is";
        return (nothing(reason), Vec::from_iter(ask(&unknown(evidence))), examine(evidence));
    };
    let silent: Vec<_> = evidence.iter().filter(|e| e.answers.is_err()).collect();
    let more = |e: &&Evidence| e.at_least().is_some_and(|p| all.contains(&p.uuid) && p.seqno > seqno);
    if let Some(ahead) = evidence.iter().find(more) {
        return behind(ahead, best, seqno);
    }
    let mut unproven = doubts(evidence);
    let mut steps = Vec::new();
    unproven.extend(match silent.as_slice() {
        [] => None,
        [one] => Some(format!(
            "{} does not answer: that it is dead is not proven. When it only is cut off from here it may be in a primary component, and bootstrapping another makes two clusters",
            one.label
        )),
        all => Some(format!(
            "{} do not answer: that they are dead is not proven. When they only are cut off from here they may be in a primary component, and bootstrapping another makes two clusters",
            labels(all)
        )),
    });
    for member in &silent {
        if member.position().is_none() && !member.is_empty() {
            steps.push(examine_one(member));
            continue;
        }
        steps.push(Instruction {
            on: member.label.clone(),
            what: "log in on its machine; the server must not run. If it runs, stop here: look at its wsrep_cluster_status and repair the network instead".into(),
            command: "pgrep -ax 'mariadbd|mysqld' || echo not running".into(),
            by_hand: None,
        });
    }
    let unknown = unknown(evidence);
    unproven.extend(ask(&unknown));
    let proven = unknown.is_empty() && !contradicted(evidence);
    let same = answering.iter().filter(|e| e.position().is_some_and(|p| p.seqno == seqno)).count();
    let reason = match (proven, same) {
        (true, 1) => format!("{} has the most of all members: seqno {seqno}", best.label),
        (true, n) => format!(
            "{n} members that answer are equal at seqno {seqno}, and no other has more: {} will do",
            best.label
        ),
        (false, _) => format!(
            "{} has the most of those that answer: seqno {seqno}; the others are not known",
            best.label
        ),
    };
    steps.push(Instruction {
        on: best.label.clone(),
        what: "make it the primary component, on this one member only, once the others are certainly dead or see it".into(),
        command: "SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'".into(),
        by_hand: None,
    });
    steps.push(look(best));
    for member in &silent {
        steps.push(start(member, "start it again, one member after the other; it fetches what it misses"));
        steps.push(look(member));
    }
    for member in answering.iter().filter(|e| !e.waits) {
        steps.push(if member.unfit { restart(member) } else { rejoin(member) });
    }
    let verdict =
        MostAdvanced { member: Some(best.label.clone()), position: best.position(), proven, reason };
    (verdict, unproven, steps)
}

/// One that is away has more than those that wait for a quorum.
fn behind(ahead: &Evidence, best: &Evidence, seqno: u64) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let position = ahead.at_least();
    let has = position.as_ref().map_or(0, |p| p.seqno);
    let certain = ahead.position() == position;
    let reason = format!(
        "{} is {} and {} than the members that wait for a quorum (seqno {has}, against {seqno} on {}): bootstrapping those would lose {} transactions",
        ahead.label,
        if ahead.answers.is_ok() { "not connected" } else { "down" },
        if certain { "has more" } else { "said before it fell silent that it has more" },
        best.label,
        has - seqno
    );
    let verdict = MostAdvanced { member: Some(ahead.label.clone()), position, proven: false, reason };
    let unproven = vec![
        "first try to bring it back: when it joins those that answer as a quorum, nothing is lost".into(),
    ];
    let back = match ahead.answers {
        Ok(()) => rejoin(ahead),
        Err(_) => start(ahead, "starts it; with enough members the quorum comes back by itself"),
    };
    (verdict, unproven, vec![back, look(best)])
}
