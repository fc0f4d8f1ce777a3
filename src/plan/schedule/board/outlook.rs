//! What a class of pods wants of its neighbours: spreading, affinity, and who asks the same of it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        class::{self, Class, Incoming, Kind, Outlook, Relations, Spread},
        fixed::Fixed,
        topology::{HOSTNAME, NONE, ZONE},
    },
    Board,
};
use crate::cluster::{Key, Selector, SpreadConstraint};

impl Board {
    /// How a class looks at the nodes: worked out once, as nodes do not change on a board.
    fn outlook(&mut self, class: Class) -> Arc<Outlook> {
        let id = class.0 as usize;
        if let Some(outlook) = &self.kinds[id].outlook {
            return outlook.clone();
        }
        let fixed = self.fixed_of(class);
        let pod = self.kinds[id].pod.clone();
        let spec = &pod.spec;
        let own = |hard: bool| spec.spread.iter().filter(|c| c.hard == hard).cloned().collect::<Vec<_>>();
        let own_soft = !spec.spread.is_empty();
        let soft = if own_soft { own(false) } else { self.system_defaults(&pod) };
        let hard = self.spreads(&own(true), &pod, &fixed, true);
        let soft = self.spreads(&soft, &pod, &fixed, own_soft);
        let outlook = Arc::new(Outlook { fixed, hard, soft, own_soft });
        self.kinds[id].outlook = Some(outlook.clone());
        outlook
    }

    /// The system's default constraints: for pods that have none of their own and that a Service or their owner
    /// selects. Source: `podtopologyspread/plugin.go` `systemDefaultConstraints`, `common.go`
    /// `buildDefaultConstraints`, `helper/spread.go` `DefaultSelector`.
    fn system_defaults(&self, pod: &Incoming) -> Vec<SpreadConstraint> {
        let mut labels = BTreeMap::new();
        for service in self.services.get(&pod.namespace).into_iter().flatten() {
            let has = |(key, value): (&Arc<str>, &Arc<str>)| pod.labels.get(&**key) == Some(value);
            if !service.selector.is_empty() && service.selector.iter().all(has) {
                labels
                    .extend(service.selector.iter().map(|(key, value)| (key.to_string(), value.to_string())));
            }
        }
        let mut selector = Selector::of(&labels);
        if let Some(owner) = &pod.owner {
            let key = Key::new(pod.namespace.clone(), owner.name.clone());
            let of_owner = match &*owner.kind {
                "ReplicaSet" => self.replica_sets.get(&key).map(|s| &s.selector),
                "StatefulSet" => self.stateful_sets.get(&key).map(|s| &s.selector),
                _ => None,
            };
            selector.requirements.extend(of_owner.into_iter().flat_map(|s| s.requirements.iter().cloned()));
        }
        if selector.requirements.is_empty() {
            return Vec::new();
        }
        let constraint = |topology_key: &str, max_skew| SpreadConstraint {
            max_skew,
            topology_key: topology_key.into(),
            hard: false,
            selector: Some(selector.clone()),
            match_label_keys: Vec::new(),
            min_domains: None,
            honor_affinity: true,
            honor_taints: false,
        };
        vec![constraint(HOSTNAME, 3), constraint(ZONE, 5)]
    }

    fn spreads(
        &mut self,
        constraints: &[SpreadConstraint],
        pod: &Incoming,
        fixed: &Fixed,
        all_keys: bool,
    ) -> Vec<Spread> {
        let topologies: Vec<_> = constraints.iter().map(|c| self.topology(&c.topology_key)).collect();
        let has_keys = |n: usize| topologies.iter().all(|t| self.topologies[*t as usize].value_of[n] != NONE);
        let spread = |(constraint, topology): (&SpreadConstraint, &u32)| {
            let counted: Vec<bool> = (0..self.nodes.len())
                .map(|n| {
                    (!all_keys || has_keys(n))
                        && (!constraint.honor_affinity || fixed.affinity[n])
                        && (!constraint.honor_taints || fixed.tolerated[n])
                })
                .collect();
            let values = &self.topologies[*topology as usize];
            let mut domains = vec![false; values.values];
            for value in (0..counted.len()).filter(|n| counted[*n]).filter_map(|n| values.of(n)) {
                domains[value] = true;
            }
            let selector = class::merged_selector(constraint, &pod.labels);
            Spread {
                topology: *topology,
                hostname: constraint.topology_key == HOSTNAME,
                max_skew: i64::from(constraint.max_skew),
                self_match: selector.as_ref().is_some_and(|s| s.matches(&pod.labels)),
                selector,
                min_domains: constraint.min_domains.unwrap_or(1),
                counted,
                domains,
            }
        };
        constraints.iter().zip(&topologies).map(spread).collect()
    }

    /// Finds out how the classes that came since the last time bear on this one.
    pub(in crate::plan::schedule) fn relate(&mut self, class: Class) -> Arc<Outlook> {
        let outlook = self.outlook(class);
        let id = class.0 as usize;
        let mut relations = self.kinds[id].relations.take().unwrap_or_else(|| Box::new(Relations::none()));
        let me = &self.kinds[id];
        let (namespace, labels, affinity) = (&me.pod.namespace, &me.pod.labels, &me.pod.spec.affinity);
        let near = self.by_namespace.get(namespace).map_or(&[][..], |all| &all[..]);
        let labels_of = |name: &str| self.namespaces.get(name).map(|l| &**l);
        relations.spread.resize_with(outlook.hard.len() + outlook.soft.len(), Vec::new);
        relations.apart.resize_with(affinity.anti_required.len(), Vec::new);
        relations.liked.resize_with(me.liked.len(), Vec::new);

        for &other in &near[relations.seen_near..] {
            let them = &self.kinds[other as usize];
            for (spread, found) in outlook.hard.iter().chain(&outlook.soft).zip(&mut relations.spread) {
                if spread.selector.as_ref().is_some_and(|s| s.matches(&them.pod.labels)) {
                    found.push(other);
                }
            }
        }

        let selected = |term, them: &Kind| {
            class::selects(term, namespace, &them.pod.namespace, &them.pod.labels, labels_of)
        };
        let mut select = |other: u32| {
            let them = &self.kinds[other as usize];
            let required = &affinity.pod_required;
            if !required.is_empty() && required.iter().all(|t| selected(t, them)) {
                relations.near.push(other);
            }
            for (term, found) in affinity.anti_required.iter().zip(&mut relations.apart) {
                if selected(term, them) {
                    found.push(other);
                }
            }
            let preferred = affinity.pod_preferred.iter().chain(&affinity.anti_preferred);
            for ((_, term), found) in preferred.zip(&mut relations.liked) {
                if selected(term, them) {
                    found.push(other);
                }
            }
        };
        if me.wide {
            (relations.seen_all as u32..self.kinds.len() as u32).for_each(&mut select);
        } else {
            near[relations.seen_near..].iter().copied().for_each(&mut select);
        }

        let selects_me =
            |term, them: &Kind| class::selects(term, &them.pod.namespace, namespace, labels, labels_of);
        let mut be_selected = |other: u32| {
            let them = &self.kinds[other as usize];
            let theirs = &them.pod.spec.affinity;
            for (term, topology) in theirs.anti_required.iter().zip(&them.apart) {
                if selects_me(term, them) {
                    relations.kept_away.push((*topology, other));
                }
            }
            // HardPodAffinityWeight: a required affinity of a pod that is there counts 1.
            for (term, topology) in theirs.pod_required.iter().zip(&them.near) {
                if selects_me(term, them) {
                    relations.liked_by.push((*topology, 1, other));
                }
            }
            let preferred = theirs.pod_preferred.iter().chain(&theirs.anti_preferred);
            for ((_, term), (topology, weight)) in preferred.zip(&them.liked) {
                if selects_me(term, them) {
                    relations.liked_by.push((*topology, *weight, other));
                }
            }
        };
        let neighbours = near[relations.seen_near..].iter().filter(|o| !self.kinds[**o as usize].wide);
        neighbours.chain(&self.wide[relations.seen_wide..]).copied().for_each(&mut be_selected);

        relations.seen_near = near.len();
        relations.seen_wide = self.wide.len();
        relations.seen_all = self.kinds.len();
        self.kinds[id].relations = Some(relations);
        outlook
    }
}
