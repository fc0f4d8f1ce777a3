//! The recovery sheet: what is known of every member when there is no primary component, which is provably the most
//! advanced, what cannot be proven, and the commands, in order. They are printed, never run.
//!
//! Rules (measured, MariaDB 10.11 and galera 26.4): only positions of the same history (UUID) compare; `seqno: -1` in
//! `grastate.dat` says "crashed or running", not "empty"; an expelled member has a zero UUID and is never a candidate;
//! bootstrapping without `--wsrep_start_position` costs the others a full copy; starting *all* members without it
//! re-forms a cluster whose members hold different data and claim to be in sync.

use std::{fmt, sync::Arc};

use serde::Serialize;

mod evidence;
mod steps;
mod survivors;

pub use evidence::{Evidence, Position, Saved};
use steps::{ask, datadir, examine, examine_one, look, start};

/// Which of the situations it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// A primary component exists: nothing is to be recovered.
    Primary,
    /// There are two primary components, or members of different clusters.
    Split,
    /// The cluster was formed without a known position.
    Reformed,
    /// Members answer, and none is in a primary component.
    NoQuorum,
    /// No member answers.
    AllDown,
}

/// Which member is the most advanced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MostAdvanced {
    /// The member to start from; `None`: the evidence does not say, or says to stop.
    pub member: Option<Arc<str>>,
    /// Its position.
    pub position: Option<Position>,
    /// The evidence proves that no other member has more.
    pub proven: bool,
    /// Why.
    pub reason: String,
}

/// One command, for a person to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// On which member.
    pub on: Arc<str>,
    /// What it does.
    pub what: String,
    /// The command, for a member run by systemd as Debian and Red Hat do.
    pub command: String,
    /// The same where the server is started by hand or in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<String>,
}

/// The sheet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sheet {
    /// Which of the situations it is.
    pub case: Case,
    /// What is known of every member.
    pub evidence: Vec<Evidence>,
    /// Which member is the most advanced.
    pub verdict: MostAdvanced,
    /// What is not proven, and what could go wrong.
    pub unproven: Vec<String>,
    /// The commands, in order. Only those that the evidence allows.
    pub steps: Vec<Instruction>,
}

/// What to do when there is no primary component. Pure: it decides from the evidence alone.
pub fn recovery(evidence: &[Evidence]) -> Sheet {
    let answering: Vec<_> = evidence.iter().filter(|e| e.answers.is_ok()).collect();
    let states = [super::State::Split { foreign: false }, super::State::Split { foreign: true }];
    let apart: Vec<_> =
        evidence.iter().filter(|e| states.iter().any(|state| e.state == state.word())).collect();
    let case = if !apart.is_empty() {
        Case::Split
    } else if evidence.iter().any(|e| e.primary) {
        Case::Primary
    } else if answering.iter().any(|e| e.unfit && e.state == super::State::Reformed.word()) {
        Case::Reformed
    } else if answering.is_empty() {
        Case::AllDown
    } else {
        Case::NoQuorum
    };
    let (verdict, unproven, steps) = match case {
        Case::Split => split(&apart),
        Case::Primary => (nothing("a primary component exists: nothing is to be recovered"), vec![], vec![]),
        Case::Reformed => reformed(evidence),
        Case::NoQuorum => survivors::sheet(evidence, &answering),
        Case::AllDown => all_down(evidence),
    };
    Sheet { case, evidence: evidence.to_vec(), verdict, unproven, steps }
}

/// Both sides take writes: one has to stop before anything else.
fn split(apart: &[&Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
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

fn nothing(reason: &str) -> MostAdvanced {
    MostAdvanced { member: None, position: None, proven: false, reason: reason.into() }
}

/// The different histories among the positions.
fn histories(evidence: &[Evidence]) -> Vec<Arc<str>> {
    let mut all: Vec<_> = evidence.iter().filter_map(|e| e.position()).map(|p| p.uuid).collect();
    all.sort();
    all.dedup();
    all
}

fn foreign(all: &[Arc<str>]) -> MostAdvanced {
    nothing(&format!(
        "the members have {} different histories ({}): their transactions do not compare. Stop here and find out which of them holds the data",
        all.len(),
        all.join(", ")
    ))
}

fn unknown(evidence: &[Evidence]) -> Vec<&Evidence> {
    evidence.iter().filter(|e| e.is_unknown()).collect()
}

/// A clean stop writes down the last transaction: less than the member said before is of another time. So are two
/// positions with no start between them.
fn contradicted(evidence: &[Evidence]) -> bool {
    let read = |e: &Evidence| e.saved.as_ref().is_some_and(|s| s.recovered.is_some());
    evidence.iter().any(|e| e.falls_short().is_some() && !read(e) || several(e).is_some())
}

/// What was fed of a member has several positions.
fn several(member: &Evidence) -> Option<String> {
    let saved = member.saved.as_ref().filter(|saved| member.answers.is_err() && !saved.others.is_empty())?;
    let others: Vec<_> = saved.others.iter().map(u64::to_string).collect();
    let last = saved.recovered.as_ref().map_or("-1".into(), |last| last.seqno.to_string());
    Some(format!(
        "what was fed of {} has several recovered positions, {} and {last}, and no start of its server between them: the \
         last counts. Where they are of two members, feed each its own",
        member.label,
        others.join(", ")
    ))
}

/// What speaks against what was fed.
fn doubts(evidence: &[Evidence]) -> Vec<String> {
    evidence.iter().flat_map(|member| [several(member), short(member)]).flatten().collect()
}

/// What was fed of a member is less than it said itself.
fn short(member: &Evidence) -> Option<String> {
    let (said, fed) = member.falls_short()?;
    Some(format!(
        "{} said it had seqno {} before it fell silent, and what was fed of it is {}: either its last transactions are lost, or what was fed is of another time. Read its disk again",
        member.label, said.seqno, fed.seqno
    ))
}

fn all_down(evidence: &[Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
    let all = histories(evidence);
    if all.len() > 1 {
        return (foreign(&all), vec![], vec![]);
    }
    if let Some(alive) = evidence.iter().find(|e| e.may_run) {
        let reason = format!(
            "{} could not be read ({}), and may run: then it may be in a primary component, and bootstrapping another makes two clusters. Mend that first",
            alive.label,
            alive.answers.as_ref().err().map_or("", |why| &**why)
        );
        return (nothing(&reason), vec![], examine(evidence));
    }
    let unknown = unknown(evidence);
    let last: Vec<_> = evidence.iter().filter(|e| e.left_last()).collect();
    let best = evidence
        .iter()
        .filter_map(|e| Some(((e.position()?.seqno, e.left_last()), e)))
        .max_by_key(|(rank, _)| *rank);
    let Some(((seqno, _), best)) = best else {
        let distrusted =
            |e: &Evidence| e.saved.as_ref().is_some_and(|s| s.distrusted && s.recovered.is_some());
        let reason = match unknown.is_empty() && !evidence.is_empty() {
            true if evidence.iter().any(distrusted) => {
                "no member has a position to go on from: where --wsrep-recover prints one, grastate.dat has a zero UUID, which says that the data are not to be trusted. Start none; compare the data by hand, or restore a backup"
            }
            true => "no member has a position to go on from: restore a backup",
            false => "no evidence yet: collect it on every member and feed it to this sheet",
        };
        return (nothing(reason), Vec::from_iter(ask(&unknown)), examine(evidence));
    };
    if last.len() > 1 || last.first().is_some_and(|e| e.name != best.name && e.position().is_some()) {
        let names: Vec<_> = last.iter().map(|e| &*e.label).collect();
        let reason = format!(
            "by safe_to_bootstrap: 1 {} left last, and {} has seqno {seqno}: in one history only one leaves last, and has the most. Either each went on without the other, and their transactions do not compare, or the file was edited by hand. Stop here and find out; what was edited is fed with safe_to_bootstrap: 0",
            names.join(" and "),
            best.label
        );
        return (nothing(&reason), Vec::from_iter(ask(&unknown)), vec![]);
    }
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
        let verdict = MostAdvanced {
            member: Some(best.label.clone()),
            position: best.position(),
            proven: false,
            reason,
        };
        let steps = unknown.iter().map(|e| examine_one(e)).collect();
        return (verdict, Vec::from_iter(ask(&unknown)), steps);
    }
    let doubts = doubts(evidence);
    if contradicted(evidence) {
        let reason = format!(
            "{} has the most of what was fed (seqno {seqno}), and that contradicts itself",
            best.label
        );
        let verdict = MostAdvanced {
            member: Some(best.label.clone()),
            position: best.position(),
            proven: false,
            reason,
        };
        return (verdict, doubts, examine(evidence));
    }
    let mut unproven = Vec::from_iter(ask(&unknown));
    unproven.extend(doubts);
    if evidence
        .iter()
        .any(|e| e.saved.as_ref().is_some_and(|s| s.recovered.is_some() && s.stopped_at.is_none()))
    {
        unproven.push(
            "members crashed: with innodb_flush_log_at_trx_commit other than 1 a recovered position may lag what clients were told".into(),
        );
    }
    unproven.push(
        "nobody else starts a member meanwhile, and no orchestrator restarts them: make sure of it first"
            .into(),
    );
    let same = evidence.iter().filter(|e| e.position().is_some_and(|p| p.seqno == seqno)).count();
    let reason = match (left_last, same) {
        (true, _) if !unknown.is_empty() => format!(
            "{} stopped cleanly as the last member (safe_to_bootstrap: 1, seqno {seqno}), so none of the others has more",
            best.label
        ),
        (_, 1) => format!("{} has the most: seqno {seqno}", best.label),
        (_, n) => format!("{n} members are equal at seqno {seqno}: {} will do", best.label),
    };
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
    let position = best.position();
    steps.push(Instruction {
        on: best.label.clone(),
        what: "form the cluster from it, with its position: without one the others need a full copy".into(),
        command: "galera_new_cluster".into(),
        by_hand: Some(format!(
            "mariadbd --user=mysql --wsrep-new-cluster{}",
            position.as_ref().map_or(String::new(), |p| format!(" --wsrep_start_position={p}"))
        )),
    });
    steps.push(look(best));
    for member in evidence.iter().filter(|e| e.name != best.name) {
        steps.push(start(member, "start it with its position, and wait until it is Synced before the next"));
        steps.push(look(member));
    }
    let verdict = MostAdvanced { member: Some(best.label.clone()), position, proven: true, reason };
    (verdict, unproven, steps)
}

fn reformed(evidence: &[Evidence]) -> (MostAdvanced, Vec<String>, Vec<Instruction>) {
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

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.case {
            Case::Primary => "a primary component exists",
            Case::Split => "there are two primary components",
            Case::Reformed => "the cluster re-formed without a known position",
            Case::NoQuorum => "members answer, none has a quorum",
            Case::AllDown => "no member answers",
        };
        writeln!(f, "RECOVERY SHEET: {title}")?;
        writeln!(f, "Nothing here has been run. Read all of it first.\n")?;
        writeln!(f, "EVIDENCE")?;
        for e in &self.evidence {
            let position = match (e.position(), &e.said) {
                (Some(position), _) => position.to_string(),
                (None, _) if e.is_empty() => "nothing to go on from".into(),
                (None, Some(said)) => format!("position not known (at least {said} before it fell silent)"),
                (None, None) => "position not known".into(),
            };
            let safe = match e.saved.as_ref().and_then(|s| s.safe_to_bootstrap) {
                Some(true) => ", safe_to_bootstrap: 1",
                _ => "",
            };
            let address = if *e.label == *e.name.as_str() { String::new() } else { format!(" ({})", e.name) };
            writeln!(f, "  {}{address}: {}, {position}{safe}", e.label, e.state)?;
            match &e.answers {
                Err(why) => writeln!(f, "      {why}")?,
                Ok(()) if e.saved.is_some() => {
                    writeln!(
                        f,
                        "      it answers: what it says itself counts, what was fed of its disk is not used"
                    )?;
                }
                Ok(()) => {}
            }
        }
        let proven = match (&self.verdict.member, self.verdict.proven) {
            (None, _) => "",
            (Some(_), true) => " (proven by the evidence above)",
            (Some(_), false) => " (NOT PROVEN)",
        };
        writeln!(f, "\nMOST ADVANCED\n  {}{proven}", self.verdict.reason)?;
        if !self.unproven.is_empty() {
            writeln!(f, "\nNOT PROVEN")?;
            for line in &self.unproven {
                writeln!(f, "  - {line}")?;
            }
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nSTEPS, in this order")?;
            for (number, step) in self.steps.iter().enumerate() {
                writeln!(f, "  {}. on {}: {}", number + 1, step.on, step.what)?;
                writeln!(f, "       {}", step.command)?;
                if let Some(by_hand) = &step.by_hand {
                    writeln!(f, "       by hand: {by_hand}")?;
                }
            }
        }
        Ok(())
    }
}
