//! What a prediction says, in the words of the screens and the command line.

use super::{Harm, Loss, Waiting, WhatIf, Worst};
use crate::cluster::{Severity, TenantName, words::count};

/// A sentence of a prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// How bad it is; `None`: it is not.
    pub severity: Option<Severity>,
    /// The sentence.
    pub text: String,
}

impl WhatIf {
    /// What is lost how: `if worker-3 fails now: 23 pods lost`.
    pub fn heading(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|n| n.as_str()).collect();
        let many = self.nodes.len() > 1;
        if self.loss == Loss::Crash && !self.already.is_empty() && self.already.len() == self.nodes.len() {
            let pods = count(self.pods as usize, "pod");
            return match many {
                false => format!("when the pods of {} are evicted: {pods}", nodes.join(", ")),
                true => format!("when the pods of {} are evicted: {pods} in all", nodes.join(", ")),
            };
        }
        let (lost, pods) = match (self.loss, many) {
            (Loss::Crash, false) => ("fails now", "lost"),
            (Loss::Crash, true) => ("fail now", "lost"),
            (Loss::Drain, false) => ("is drained now", "evicted"),
            (Loss::Drain, true) => ("are drained now", "evicted"),
        };
        format!("if {} {lost}: {} {pods}", nodes.join(", "), count(self.pods as usize, "pod"))
    }

    /// Everything it says, the worst first.
    pub fn told(&self) -> Vec<Sentence> {
        let mut all = Vec::new();
        let mut say = |severity, text| all.push(Sentence { severity, text });
        if let Some(what) = &self.not_counted {
            say(Some(Severity::Warning), format!("{what}: what becomes of that is not counted here"));
        }
        if let Some(database) = &self.database {
            let grave = database.stops() || database.has_gap() || database.is_headless();
            let severity = if grave { Severity::Critical } else { Severity::Warning };
            database.sentences().into_iter().for_each(|text| say(Some(severity), text));
        }
        for lost in &self.platform {
            let severity = if lost.grave { Severity::Critical } else { Severity::Warning };
            say(Some(severity), lost.sentence());
        }
        for already in &self.already {
            let names: Vec<_> = already.down.iter().map(TenantName::as_str).collect();
            let node = &already.node;
            match names.len() {
                0 => say(
                    Some(Severity::Warning),
                    format!("{node} does not answer already: no tenant is down by it"),
                ),
                n => {
                    let tenants = count(n, "tenant");
                    let are = if n == 1 { "is" } else { "are" };
                    let names = names.join(", ");
                    say(
                        Some(Severity::Critical),
                        format!("{node} does not answer already: {tenants} {are} down: {names}"),
                    );
                }
            }
        }
        match self.down.as_slice() {
            [] if !self.already.is_empty() => say(None, "no further tenant loses all its ready pods".into()),
            [] => say(None, "no tenant loses all its ready pods".into()),
            down => {
                let names: Vec<_> = down.iter().map(TenantName::as_str).collect();
                say(Some(Severity::Critical), format!("down: {}", names.join(", ")));
            }
        }
        let (none, halved): (Vec<_>, Vec<_>) = self.halved.iter().partition(|h| h.after == 0);
        let listed = |all: &[&super::Halved]| {
            let one = |h: &&super::Halved| format!("{} ({} → {})", h.tenant, h.before, h.after);
            all.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        if !none.is_empty() {
            say(Some(Severity::Warning), format!("no headroom is left to: {}", listed(&none)));
        }
        if !halved.is_empty() {
            let text = format!("at least half of the headroom is lost to: {}", listed(&halved));
            say(Some(Severity::Warning), text);
        }
        let alike = |a: &Waiting, b: &Waiting| {
            a.tenant.is_some() && a.tenant == b.tenant && a.why == b.why && a.preempts == b.preempts
        };
        for group in self.pending.chunk_by(alike) {
            say(Some(Severity::Critical), waiting(group));
        }
        for pod in &self.stuck {
            let text = format!("{pod} is not created again while its node is unreachable (StatefulSet)");
            say(Some(Severity::Warning), text);
        }
        for pod in &self.lone {
            say(Some(Severity::Critical), format!("{pod} is lost: no controller makes it again"));
        }
        for blocked in &self.blocked {
            say(Some(Severity::Warning), format!("{} is not evicted: {}", blocked.pod, blocked.why));
        }
        if !self.emptied.is_empty() {
            const SHOWN: usize = 4;
            let one = |e: &super::Emptied| format!("{}: {}", e.pod, e.volumes.join(", "));
            let shown: Vec<_> = self.emptied.iter().take(SHOWN).map(one).collect();
            let more = match self.emptied.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!("; and {}", count(more, "more pod")),
            };
            let text = format!(
                "what is in emptyDir volumes of {} is lost, and kubectl drain refuses that without \
                 --delete-emptydir-data ({}{more})",
                count(self.emptied.len(), "pod"),
                shown.join("; ")
            );
            say(Some(Severity::Warning), text);
        }
        if self.left > 0 {
            let pods = count(self.left as usize, "pod");
            let stay = if self.left == 1 { "stays" } else { "stay" };
            let text = format!("{pods} of DaemonSets {stay}; kubectl drain wants --ignore-daemonsets");
            say(Some(Severity::Notice), text);
        }
        for line in &self.kubectl {
            say(None, format!("by hand: {line}"));
        }
        if !self.with_node.is_empty() {
            let (pods, go) = match self.with_node.len() {
                1 => ("1 pod".to_owned(), "belongs to its node (DaemonSet or static): it comes back with it"),
                n => (
                    count(n, "pod"),
                    "belong to their nodes (DaemonSets or static): they come back with them",
                ),
            };
            say(Some(Severity::Notice), format!("{pods} {go}"));
        }
        let landed: Vec<_> = self.landed().into_iter().map(|(node, n)| format!("{node} +{n}")).collect();
        if !landed.is_empty() {
            say(
                None,
                format!(
                    "{} elsewhere: {}",
                    match self.landings.len() {
                        1 => "1 comes up".to_owned(),
                        n => format!("{n} come up"),
                    },
                    landed.join(", ")
                ),
            );
        }
        if self.pending.is_empty() && self.stuck.is_empty() && self.lone.is_empty() && self.blocked.is_empty()
        {
            let pods = if self.with_node.is_empty() { "every pod" } else { "every other pod" };
            say(None, format!("{pods} finds a node"));
        }
        // A stable sort keeps the order of each weight.
        all.sort_by_key(|told| std::cmp::Reverse(told.severity));
        all
    }
}

/// Pods of one tenant that wait for the same reason.
fn waiting(group: &[Waiting]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let who = match (group.len(), &first.tenant) {
        (2.., Some(tenant)) => format!("{} and {} more of {tenant} find", first.pod, group.len() - 1),
        _ => format!("{} finds", first.pod),
    };
    let preempts: Vec<_> = first.preempts.iter().map(|n| n.as_str()).collect();
    let may = if preempts.is_empty() {
        String::new()
    } else {
        format!("; it may evict pods of lower priority from {}", preempts.join(", "))
    };
    format!("{who} no node: {}{may}", first.why)
}

impl Harm {
    /// The worst of it in two words, for a column: `2 down`.
    pub fn short(&self) -> String {
        match self.worst() {
            Worst::Stops | Worst::Headless => "no database".into(),
            Worst::Down(n) => format!("{n} down"),
            Worst::Pending(n) => format!("{n} pending"),
            Worst::Lost(n) => format!("{n} not replaced"),
            Worst::Halved(n) => format!("{n} halved"),
            Worst::Around => "platform".into(),
            Worst::Parts(_) if self.database.is_some() => "database".into(),
            Worst::Parts(_) => "platform".into(),
            Worst::Nothing => "no harm".into(),
        }
    }

    /// The worst of it, with its noun: `2 tenants down`.
    pub fn words(&self) -> String {
        match self.worst() {
            Worst::Down(n) => format!("{} down", count(n, "tenant")),
            Worst::Pending(n) => format!("{} without a node", count(n as usize, "pod")),
            Worst::Lost(n) => format!("{} not replaced", count(n as usize, "pod")),
            Worst::Halved(1) => "1 tenant loses half its headroom".into(),
            Worst::Halved(n) => format!("{n} tenants lose half their headroom"),
            Worst::Around | Worst::Stops | Worst::Headless | Worst::Parts(_) | Worst::Nothing => self.short(),
        }
    }

    /// How bad that is.
    pub fn severity(&self) -> Option<Severity> {
        match self.worst() {
            Worst::Stops | Worst::Headless | Worst::Around => Some(Severity::Critical),
            Worst::Down(_) | Worst::Pending(_) | Worst::Lost(_) => Some(Severity::Warning),
            Worst::Halved(_) | Worst::Parts(_) => Some(Severity::Notice),
            Worst::Nothing => None,
        }
    }
}
