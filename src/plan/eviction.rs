//! Whether a pod may be evicted. Source: `registry/core/pod/storage/eviction.go`.

use std::sync::Arc;

use crate::cluster::{Budget, Key, Phase, Pod, Snapshot};

/// What the budgets say of the eviction of a pod.
#[derive(Debug)]
pub(super) enum Eviction<'a> {
    /// No budget is asked.
    Free,
    /// This budget counts it.
    Counted(&'a Arc<Budget>),
    /// Every eviction is refused: the first budget, and why.
    Never(Key, String),
}

/// The one rule: budgets are asked about pods that run, one at most may guard a pod, and one that is not ready may go
/// where its budget lets it or enough others are healthy (`unhealthyPodEvictionPolicy`).
pub(super) fn eviction<'a>(seen: &'a Snapshot, pod: &Pod) -> Eviction<'a> {
    // A pod that has never run is evicted whatever its budgets say (`canIgnorePDB`).
    if pod.phase == Phase::Pending {
        return Eviction::Free;
    }
    let here = Key::new(pod.key.namespace.clone(), "");
    let here = seen.budgets.items.range(here..).take_while(|(key, _)| key.namespace == pod.key.namespace);
    let mut mine = here.filter(|(_, b)| guards(b, pod)).map(|(_, b)| b);
    let Some(budget) = mine.next() else { return Eviction::Free };
    if let Some(other) = mine.next() {
        let text =
            format!("{} and {} both guard it: every eviction is refused", budget.key.name, other.key.name);
        return Eviction::Never(budget.key.clone(), text);
    }
    let enough = budget.healthy >= budget.needed && budget.needed > 0;
    if !pod.ready && (budget.lets_unready_go || enough) {
        return Eviction::Free;
    }
    Eviction::Counted(budget)
}

/// What a budget that allows none says, with its arithmetic.
pub(super) fn none_allowed(budget: &Budget, pod: &Pod) -> String {
    let policy = if pod.ready { "" } else { "; unhealthyPodEvictionPolicy: AlwaysAllow would let it go" };
    format!(
        "{} ({}) allows no eviction: {} healthy, {} needed{policy}",
        budget.key.name, budget.rule, budget.healthy, budget.needed
    )
}

/// Why a pod cannot be evicted at present; `None`: it can.
pub(super) fn blocked(seen: &Snapshot, pod: &Pod) -> Option<String> {
    match eviction(seen, pod) {
        Eviction::Counted(budget) if budget.allowed == 0 => Some(none_allowed(budget, pod)),
        Eviction::Free | Eviction::Counted(_) => None,
        Eviction::Never(_, why) => Some(why),
    }
}

/// Why waiting would not make the eviction of a pod possible: its budget wants every pod there is.
pub(super) fn never(seen: &Snapshot, pod: &Pod) -> Option<String> {
    match eviction(seen, pod) {
        Eviction::Free => None,
        Eviction::Never(_, why) => Some(why),
        Eviction::Counted(budget) => {
            let guarded =
                seen.pods.values().filter(|p| p.key.namespace == pod.key.namespace && guards(budget, p));
            let all = guarded.filter(|p| p.is_active()).count();
            (budget.allowed == 0 && budget.needed as usize >= all).then(|| none_allowed(budget, pod))
        }
    }
}

fn guards(budget: &Budget, pod: &Pod) -> bool {
    budget.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
}
