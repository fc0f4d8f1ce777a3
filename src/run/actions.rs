//! The action log: every request that changed anything, by whom, why, and what came of it. Pure.
//!
//! Told by the journals of runs, those of colleagues too, and by the audit file of this machine: that one knows commands
//! in containers, and the runs whose journals have been removed since.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Run, RunSeen, Shown, campaign::CampaignSeen};
use crate::{cluster::Snapshot, plan::Change};

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// It may have been sent, and what came of it is not written down.
    Unknown,
    /// It is being carried out.
    UnderWay,
    /// It failed, or its run paused at it.
    Failed,
    /// It was done.
    Done,
}

impl Came {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "not known",
            Self::UnderWay => "under way",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }
}

/// One request that changed something, or may have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Acted {
    /// Tells it from every other: the run and the number of the entry, or the line of the audit file.
    #[serde(skip)]
    pub id: String,
    /// When it was sent, in the API server's time.
    pub time: Timestamp,
    /// `alice@bastion`.
    pub operator: String,
    /// The Kubernetes user, where known.
    pub user: Option<String>,
    /// What it changed: a tenant, a node, the database, a pod.
    pub about: String,
    /// What was done.
    pub what: String,
    /// What came of it.
    pub result: Came,
    /// The same in a sentence; empty where nothing more is known.
    pub text: String,
    /// Why it was done, in the operator's words.
    pub reason: Option<String>,
    /// The line of `kubectl` that does the same.
    pub kubectl: Option<String>,
    /// The statements of its run, where it changed the database.
    pub sql: Vec<String>,
    /// Its run.
    pub run: Option<String>,
    /// The campaign of that run.
    pub campaign: Option<String>,
    /// Where this is written down: `journal`, or `audit` (the file on this machine).
    pub from: &'static str,
}

impl Acted {
    /// The lines that do the same by hand.
    pub fn lines(&self) -> Vec<&str> {
        self.kubectl.iter().chain(&self.sql).map(String::as_str).collect()
    }
}

/// A line of the audit file, as far as it tells of requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AuditLine {
    pub(super) time: Timestamp,
    pub(super) operator: String,
    pub(super) user: Option<String>,
    context: String,
    /// Absent in lines of development versions.
    server: Option<String>,
    run: Option<String>,
    event: Option<String>,
    step: Option<usize>,
    text: Option<String>,
    exec: Option<ExecLine>,
    exec_failed: Option<ExecFailedLine>,
    kubectl: Option<String>,
    database: Option<String>,
    reason: Option<String>,
}

impl AuditLine {
    /// Whether it is about this cluster. Contexts of one name may lead to several: without a server it is about none.
    pub(super) fn is_of(&self, context: &str, server: &str) -> bool {
        self.context == context && self.server.as_deref() == Some(server)
    }
}

/// A command in a container.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct ExecLine {
    namespace: String,
    pod: String,
    container: String,
    command: String,
}

/// A command that was not started after all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct ExecFailedLine {
    namespace: String,
    pod: String,
    why: String,
}

/// Every request that changed anything, the newest first. `audit` is what the file of this machine says.
pub fn actions(
    runs: &[RunSeen],
    campaigns: &[CampaignSeen],
    audit: &[AuditLine],
    seen: &Snapshot,
) -> Vec<Acted> {
    let mut all: Vec<_> = runs.iter().flat_map(|known| of_run(known, campaigns, seen)).collect();
    // A journal that was read before its first request was written down tells of none.
    let told: BTreeSet<String> = all.iter().filter_map(|acted| acted.run.clone()).collect();
    all.extend(of_audit(audit, &told));
    all.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| b.id.cmp(&a.id)));
    all
}

fn of_run(known: &RunSeen, campaigns: &[CampaignSeen], seen: &Snapshot) -> Vec<Acted> {
    let run = &known.run;
    let campaign = run.campaign.as_ref();
    let of = campaign.and_then(|id| campaigns.iter().find(|known| known.campaign.id == *id));
    let reason = run.approved.reason().map(str::to_owned).or_else(|| of?.campaign.reason.clone());
    let new = |at: usize, change: &Change, about: String, what: String| Acted {
        id: format!("{} {at:06}", run.id),
        time: run.entries[at].at,
        operator: run.entries[at].by.clone(),
        user: run.user.clone(),
        about,
        what,
        result: Came::Unknown,
        text: String::new(),
        reason: reason.clone(),
        kubectl: change.by_hand(seen),
        sql: sql(run, change),
        run: Some(run.id.clone()),
        campaign: run.campaign.clone(),
        from: "journal",
    };
    let mut all: Vec<Acted> = Vec::new();
    // The request of each step that is not answered yet.
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, entry) in run.entries.iter().enumerate() {
        match &entry.event {
            Event::Started { step } => {
                let Some(planned) = run.plan().steps.get(*step).filter(|s| s.change.is_write()) else {
                    continue;
                };
                open.insert(*step, all.len());
                let (change, about) = (&planned.change, planned.about.to_string());
                all.push(new(at, change, about, run.plan().words(change)));
            }
            Event::Done { step, text } | Event::Skipped { step, text } => {
                if let Some(acted) = open.remove(step).and_then(|i| all.get_mut(i)) {
                    (acted.result, acted.text) = (Came::Done, text.clone());
                }
            }
            Event::Paused { step, why, .. } => {
                // It is begun again by whoever goes on.
                if let Some(acted) = open.remove(step).and_then(|i| all.get_mut(i)) {
                    (acted.result, acted.text) = (Came::Failed, why.clone());
                }
            }
            Event::TakenBack { step, text } => {
                let Some(planned) = run.plan().steps.get(*step) else { continue };
                let back = planned.change.invert();
                let change = back.as_ref().unwrap_or(&planned.change);
                let what = format!("take back: {}", run.plan().words(&planned.change));
                let acted = new(at, change, planned.about.to_string(), what);
                all.push(Acted { result: Came::Done, text: text.clone(), ..acted });
            }
            _ => {}
        }
    }
    let under_way = known.shown() == Shown::Running;
    let failed = run.state.is_over().then(|| run.last_word()).flatten();
    for acted in open.into_values() {
        let acted = &mut all[acted];
        match failed {
            Some(why) => (acted.result, acted.text) = (Came::Failed, why.to_owned()),
            None if under_way => acted.result = Came::UnderWay,
            None => {}
        }
    }
    all
}

/// The statements of a change of the database: those of its run, which are typed together.
fn sql(run: &Run, change: &Change) -> Vec<String> {
    match &run.plan().database {
        Some(part) if change.object().is_of_database() => part.sql.clone(),
        _ => Vec::new(),
    }
}

/// What a line of `kubectl` is about (the namespace, or the node), and what it does: without what leads to the cluster.
fn shortly(line: &str) -> (String, String) {
    let (mut about, mut what) = (String::new(), Vec::new());
    let mut words = line.split_whitespace().skip_while(|word| *word == "kubectl");
    while let Some(word) = words.next() {
        match word {
            "--kubeconfig" | "--context" | "--server" | "--namespace" | "-n" => {
                let value = words.next().unwrap_or_default();
                if matches!(word, "--namespace" | "-n") {
                    value.clone_into(&mut about);
                }
            }
            word => what.push(word),
        }
    }
    if about.is_empty() && matches!(what.first(), Some(&"cordon" | &"uncordon")) {
        about = what.get(1).copied().unwrap_or_default().to_owned();
    }
    (about, what.join(" "))
}

fn of_audit(audit: &[AuditLine], told: &BTreeSet<String>) -> Vec<Acted> {
    let mut all: Vec<Acted> = Vec::new();
    let mut open: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    for (number, line) in audit.iter().enumerate() {
        let new = |about: String, what: String| Acted {
            id: format!("audit {number:09}"),
            time: line.time,
            operator: line.operator.clone(),
            user: line.user.clone(),
            about,
            what,
            result: Came::Unknown,
            text: String::new(),
            reason: line.reason.clone(),
            kubectl: line.kubectl.clone(),
            sql: Vec::new(),
            run: line.run.clone(),
            campaign: None,
            from: "audit",
        };
        if let Some(ExecLine { namespace, pod, container, command }) = &line.exec {
            let what = format!("exec {command} in container {container}");
            all.push(Acted { result: Came::Done, ..new(format!("pod {namespace}/{pod}"), what) });
            continue;
        }
        if let Some(ExecFailedLine { namespace, pod, why }) = &line.exec_failed {
            let about = format!("pod {namespace}/{pod}");
            // It is written right behind the line that says what was to be started.
            let begun = all.iter_mut().rev().find(|acted| {
                acted.about == about && acted.operator == line.operator && acted.what.starts_with("exec ")
            });
            if let Some(acted) = begun {
                acted.result = Came::Failed;
                acted.text.clone_from(why);
            }
            continue;
        }
        let Some(run) = line.run.as_deref().filter(|run| !told.contains(*run)) else { continue };
        let words = line.database.clone().or_else(|| line.kubectl.clone());
        match (line.event.as_deref(), line.step, words) {
            (Some("started"), Some(step), Some(what)) => {
                open.insert((run, step), all.len());
                let (about, what) = match line.database {
                    Some(_) => ("database".to_owned(), what),
                    None => shortly(&what),
                };
                all.push(new(about, what));
            }
            (Some("done"), Some(step), _) => {
                if let Some(acted) = open.remove(&(run, step)).and_then(|i| all.get_mut(i)) {
                    acted.result = Came::Done;
                    acted.text = line.text.clone().unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::sketch,
        plan::{Intent, Target, plan},
        run::{Entry, Outcome},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn scaled(events: Vec<Event>) -> (RunSeen, Snapshot) {
        let seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", at(0)).expect("a cluster");
        let intent = Intent::Scale { targets: vec![Target { tenant: "acme".into(), to: 3 }] };
        let approved = plan(&seen, &intent).approve(None, Some("a campaign starts".into())).expect("a yes");
        let mut run = Run::new("20261129-030000-9c1f", "alice@bastion", approved);
        for (i, event) in (0..).zip(events) {
            let entry = Entry { at: at(i), by: "alice@bastion".into(), token: 1, event };
            run.apply(entry).expect("it may follow");
        }
        (RunSeen::of(run), seen)
    }

    fn line(text: &str) -> AuditLine {
        serde_json::from_str(text).expect("a line")
    }

    #[test]
    fn a_request_is_told_with_operator_reason_result_and_line() {
        let events = vec![
            Event::Taken,
            Event::Started { step: 0 },
            Event::Done { step: 0, text: "3 replicas".into() },
            Event::Started { step: 1 },
        ];
        let (run, seen) = scaled(events);
        let all = actions(&[run], &[], &[], &seen);
        let [acted] = all.as_slice() else { panic!("one write, and a wait that is none: {all:?}") };
        assert_eq!(
            (acted.time, acted.operator.as_str(), acted.about.as_str()),
            (at(1), "alice@bastion", "acme")
        );
        assert_eq!((acted.result, acted.text.as_str()), (Came::Done, "3 replicas"));
        assert_eq!(acted.reason.as_deref(), Some("a campaign starts"));
        assert!(acted.kubectl.as_deref().is_some_and(|line| line.contains("--replicas=3")), "{acted:?}");
    }

    #[test]
    fn a_request_without_an_answer_is_not_known_and_one_whose_run_failed_has_failed() {
        let (run, seen) = scaled(vec![Event::Taken, Event::Started { step: 0 }]);
        assert_eq!(actions(&[run], &[], &[], &seen)[0].result, Came::Unknown, "nobody drives it");
        let paused = Event::Paused { step: 0, why: "no answer".into(), asked: false };
        let (run, seen) = scaled(vec![Event::Taken, Event::Started { step: 0 }, paused]);
        let all = actions(&[run], &[], &[], &seen);
        assert_eq!((all[0].result, all[0].text.as_str()), (Came::Failed, "no answer"));
        let over = Event::Finished { outcome: Outcome::Failed, text: "given up".into() };
        let (run, seen) = scaled(vec![Event::Taken, Event::Started { step: 0 }, over]);
        assert_eq!(actions(&[run], &[], &[], &seen)[0].result, Came::Failed);
    }

    #[test]
    fn a_line_of_another_cluster_whose_context_has_the_same_name_is_none_of_this_one() {
        let of = |more: &str| {
            line(&format!(
                r#"{{"time":"2027-01-15T08:00:09Z","operator":"bob@lab","user":null,"context":"demo"{more},"reason":null}}"#
            ))
        };
        let here = "https://127.0.0.1:4000";
        assert!(of(r#","server":"https://127.0.0.1:4000""#).is_of("demo", here));
        assert!(!of(r#","server":"https://127.0.0.1:4001""#).is_of("demo", here));
        assert!(!of("").is_of("demo", here), "which of them is not known");
    }

    #[test]
    fn the_audit_file_adds_commands_in_containers_and_runs_whose_journals_are_gone() {
        let exec = line(
            r#"{"time":"2027-01-15T08:00:09Z","operator":"bob@lab","user":null,"context":"c","exec":{"namespace":"acme",
                "pod":"acme-1","container":"php-fpm","command":"php"},"reason":null}"#,
        );
        let old = |event: &str, more: &str| {
            line(&format!(
                r#"{{"time":"2027-01-15T08:00:01Z","operator":"bob@lab","user":"bob","context":"c",
                    "run":"20260101-000000-aaaa","event":"{event}","step":0{more},"reason":"cleanup"}}"#
            ))
        };
        let started = old("started", r#","kubectl":"kubectl cordon w1""#);
        let done = old("done", r#","text":"cordoned","kubectl":"kubectl cordon w1""#);
        let all = actions(&[], &[], &[started.clone(), done, exec.clone()], &Snapshot::default());
        let told: Vec<_> = all.iter().map(|a| (a.what.as_str(), a.result, a.text.as_str())).collect();
        assert_eq!(
            told,
            [("exec php in container php-fpm", Came::Done, ""), ("cordon w1", Came::Done, "cordoned")]
        );
        assert_eq!((all[1].about.as_str(), all[1].kubectl.as_deref()), ("w1", Some("kubectl cordon w1")));
        // A command that was not started is no command that ran.
        let failed = line(
            r#"{"time":"2027-01-15T08:00:10Z","operator":"bob@lab","user":null,"context":"c","exec_failed":{"namespace":
                "acme","pod":"acme-1","container":"php-fpm","why":"no such program"},"reason":null}"#,
        );
        let all = actions(&[], &[], &[exec, failed], &Snapshot::default());
        let told: Vec<_> = all.iter().map(|a| (a.result, a.text.as_str())).collect();
        assert_eq!(told, [(Came::Failed, "no such program")]);
        let line = "kubectl --kubeconfig /tmp/k -n acme scale deploy/acme --replicas=3";
        assert_eq!(shortly(line), ("acme".to_owned(), "scale deploy/acme --replicas=3".to_owned()));
        // What a journal tells is not told twice.
        let (run, seen) = scaled(vec![Event::Taken, Event::Started { step: 0 }]);
        let same = AuditLine { run: Some(run.run.id.clone()), ..started };
        assert_eq!(actions(&[run], &[], &[same], &seen).len(), 1);
    }
}
