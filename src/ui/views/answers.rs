//! What answers a finding, or a run that waits, right where it is shown: one key opens the plan, the question, the sheet or
//! the evidence.

use crate::{
    cluster::{Answer, Finding, MemberName, PodState, Subject, TenantName, left_over},
    plan::{DatabaseAct, Intent, rebalance::Aim},
    run::{RunSeen, campaign::CampaignSeen},
    ui::{
        action::Action,
        command::Command,
        replay,
        stops::Stop,
        view::{Cx, Place},
    },
};

/// What answers a finding, in a word or two; `None`: nothing does, or it is not known.
pub(super) fn of_finding(cx: &Cx<'_>, finding: &Finding) -> Option<(&'static str, Action)> {
    let everything = || Aim::Rebalance { nodes: Vec::new(), tenants: Vec::new() };
    let act = |word, act| Some((word, Action::Plan(Intent::Database { act })));
    let done = match (finding.answer?, &finding.subject) {
        (Answer::Recovery, _) => Some(("recovery", Action::Go(Place::Recovery))),
        (Answer::Rebalance, _) => Some(("rebalance", Action::Aim(everything()))),
        (Answer::Undrain, Subject::Node(node)) => {
            Some(("undrain", Action::Aim(Aim::Undrain { node: node.clone() })))
        }
        (Answer::DeletePod, Subject::Tenant(tenant)) => left_over(cx.seen, tenant)
            .map(|pod| ("delete pod", Action::Plan(Intent::DeletePod { pod: pod.key.clone() }))),
        (Answer::Scale, Subject::Tenant(tenant)) => {
            Some(("scale", Action::AskReplicas(vec![tenant.clone()])))
        }
        (Answer::Open, Subject::Tenant(tenant)) if is_failing(cx, tenant) => {
            Some(("log", Action::Go(Place::Log(tenant.clone(), None))))
        }
        (Answer::TakeOut, Subject::Member(member)) => {
            act("take out", DatabaseAct::TakeOut { member: member.clone() })
        }
        (Answer::BringBack, Subject::Member(member)) => {
            act("bring back", DatabaseAct::BringBack { member: member.clone(), like: None })
        }
        (Answer::MoveWriter, Subject::Member(member)) => {
            act("move writer", DatabaseAct::MoveWriter { member: member.clone() })
        }
        (Answer::Desync, Subject::Member(member)) => {
            act("desync", DatabaseAct::Desync { member: member.clone() })
        }
        (Answer::Resync, Subject::Member(member)) => {
            act("resync", DatabaseAct::Resync { member: member.clone() })
        }
        (Answer::Save, Subject::Proxy(proxy)) => {
            act("save", DatabaseAct::Save { proxy: Some(proxy.clone()) })
        }
        _ => None,
    };
    // What is to be done to another than the subject is not a key away: there the evidence is.
    let own = |action: &Action| !matches!(action, Action::Plan(Intent::Database { .. })) || names(finding);
    // A recording only shows, and logs are not in it.
    let shows = |action: &Action| {
        cx.replay.is_none() || matches!(action, Action::Go(place) if !matches!(place, Place::Log(..)))
    };
    let done = done.filter(|(_, action)| own(action) && shows(action));
    done.or_else(|| Some(("open", place(&finding.subject)?)))
}

/// What answers the worst that is said of these, seen from that place: one that only leads to where one is already is no
/// answer.
pub(super) fn of_all(
    cx: &Cx<'_>,
    here: &Place,
    all: impl IntoIterator<Item = Stop>,
) -> Option<(&'static str, Action)> {
    let is_here = |place: &Place| {
        place == here
            || (matches!(here, Place::Database | Place::Member(_) | Place::Proxy(_))
                && matches!(place, Place::Database | Place::Member(_) | Place::Proxy(_)))
            || (*here == Place::Platform && matches!(place, Place::Component(_)))
    };
    let mut found = all.into_iter().flat_map(|stop| of_stop(cx, &stop));
    found.find(|(_, action)| !matches!(action, Action::Go(place) if is_here(place)))
}

/// What answers it, and then what answers its cause.
fn of_stop(cx: &Cx<'_>, stop: &Stop) -> Vec<(&'static str, Action)> {
    match stop {
        Stop::Run(id) => {
            let known = cx.runs.iter().find(|known| known.run.id == *id);
            known.map(|known| of_run(cx, known)).into_iter().collect()
        }
        Stop::Campaign(id) => {
            let known = cx.campaigns.iter().find(|known| known.campaign.id == *id);
            known.map(|known| of_campaign(cx, known)).into_iter().collect()
        }
        Stop::About(subject) => {
            let of = |subject: &Subject| cx.findings.iter().find(|finding| finding.subject == *subject);
            let finding = of(subject);
            let cause = finding.and_then(|finding| of(finding.because.as_ref()?));
            finding.into_iter().chain(cause).filter_map(|finding| of_finding(cx, finding)).collect()
        }
    }
}

/// The key of its own that answers a finding here, beside that which answers the selected one.
pub(super) fn own_key(cx: &Cx<'_>, finding: &Finding) -> Option<Command> {
    let own = match finding.answer? {
        Answer::Recovery => Command::Recovery,
        Answer::Rebalance => Command::Rebalance,
        Answer::Undrain => Command::Undrain,
        Answer::DeletePod => Command::DeletePod,
        _ => return None,
    };
    Some(own).filter(|own| cx.replay.is_none() || replay::bars(*own).is_none())
}

/// Why there is no recovery sheet to show; `None`: there is.
pub(super) fn nothing_to_recover(cx: &Cx<'_>) -> Option<String> {
    let lost = cx.findings.iter().any(|finding| finding.answer == Some(Answer::Recovery));
    (!lost).then(|| "nothing is to be recovered: the database has a quorum, or is not set up".into())
}

/// Whether the remedy of a finding is about its own subject.
fn names(finding: &Finding) -> bool {
    let act = finding.answer.and_then(|answer| answer.command(""));
    let (Some(act), Some(remedy)) = (act, finding.remedy.as_deref()) else { return false };
    remedy.starts_with(&format!("`{}", act.trim_end()))
}

fn is_failing(cx: &Cx<'_>, tenant: &TenantName) -> bool {
    let failing = |tenant: &std::sync::Arc<crate::cluster::Tenant>| {
        tenant.pods.iter().any(|pod| cx.seen.state_of(pod) == PodState::Failing)
    };
    cx.seen.tenants.get(tenant).is_some_and(failing)
}

/// Where one looks at it.
pub(super) fn place(subject: &Subject) -> Option<Action> {
    let member = |name: &MemberName| Place::Member(name.clone());
    Some(Action::Go(match subject {
        Subject::Tenant(name) => Place::Tenant(name.clone()),
        Subject::Node(name) => Place::Node(name.clone()),
        Subject::Member(name) => member(name),
        Subject::Proxy(name) => Place::Proxy(name.clone()),
        Subject::Component(key) => Place::Component(key.clone()),
        Subject::Source(name) if name == "galera" || name == "proxysql" => Place::Database,
        Subject::Source(_) => return None,
    }))
}

/// What answers a run that waits for an operator.
pub(super) fn of_run(cx: &Cx<'_>, known: &RunSeen) -> (&'static str, Action) {
    let id = known.run.id.clone();
    let offers = known.offers(cx.seen);
    match known.wants_an_operator() {
        _ if cx.replay.is_some() => ("open", Action::Go(Place::Run(id))),
        true if offers.resume.is_ok() => ("resume", Action::Resume(id)),
        true if offers.undo.is_ok() => ("undo", Action::Undo(id)),
        _ => ("open", Action::Go(Place::Run(id))),
    }
}

/// What answers a campaign that is not over.
pub(super) fn of_campaign(cx: &Cx<'_>, known: &CampaignSeen) -> (&'static str, Action) {
    let id = known.campaign.id.clone();
    match known.wants_an_operator() {
        true if cx.replay.is_none() => ("resume", Action::GoOn(id)),
        _ => ("open", Action::Go(Place::Campaign(id))),
    }
}
