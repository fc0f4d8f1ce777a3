//! What can be wrong on the way from outside to a tenant.

use super::{
    super::{Snapshot, words::count},
    Answer, Found, Severity, Subject, found,
};

pub(super) fn unreachable(s: &Snapshot) -> Vec<(Subject, Found)> {
    of_ways(s, "unreachable")
}

pub(super) fn not_served(s: &Snapshot) -> Vec<(Subject, Found)> {
    of_ways(s, "host-not-served")
}

pub(super) fn claimed_twice(s: &Snapshot) -> Vec<(Subject, Found)> {
    of_ways(s, "host-claimed-twice")
}

pub(super) fn certificate(s: &Snapshot) -> Vec<(Subject, Found)> {
    of_ways(s, "certificate")
}

pub(super) fn class_missing(s: &Snapshot) -> Vec<(Subject, Found)> {
    of_ways(s, "ingress-class-missing")
}

/// The faults of one rule, one a tenant.
fn of_ways(s: &Snapshot, rule: &str) -> Vec<(Subject, Found)> {
    if !s.is_ready() {
        return Vec::new();
    }
    let told = s.faults_outside(rule).into_iter().filter_map(|(fault, more)| {
        let severity = fault.link.state.severity()?;
        let more = if more > 0 { format!(" (and {})", count(more, "more host")) } else { String::new() };
        let said = found(severity, format!("{}: {}{more}", fault.host, fault.link.text));
        let said = said.since(fault.link.since).answer(Answer::Open);
        let said = match fault.link.remedy {
            Some(remedy) => said.remedy(remedy),
            None => said,
        };
        Some((Subject::Tenant(fault.tenant), said))
    });
    told.collect()
}

pub(super) fn default_classes(s: &Snapshot) -> Vec<(Subject, Found)> {
    let mut all: Vec<_> = s.ingress_classes.items.iter().filter(|(_, class)| class.is_default).collect();
    if all.len() < 2 {
        return Vec::new();
    }
    all.sort_by(|(a, x), (b, y)| y.created.cmp(&x.created).then_with(|| a.cmp(b)));
    let names: Vec<_> = all.iter().map(|(name, _)| &***name).collect();
    let text = format!("{} are default: new Ingresses without a class get {}", names.join(" and "), names[0]);
    let remedy = "take the annotation ingressclass.kubernetes.io/is-default-class from all but one";
    let said = found(Severity::Notice, text).since(Some(all[0].1.created)).remedy(remedy);
    vec![(Subject::Source("ingressclasses".into()), said)]
}
