//! How the pods are spread, as numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::stage::{Stage, WHOLE, part};
use crate::{
    cluster::NodeName,
    plan::{Balance, schedule::At},
};

/// The balance of the stage as it stands.
pub(super) fn of(stage: &Stage) -> Balance {
    let mut balance =
        Balance { pods: stage.all().map(|at| (stage.name(at).clone(), 0)).collect(), ..Balance::default() };
    let mut alone: BTreeMap<At, u32> = stage.all().map(|at| (at, 0)).collect();
    for housed in &stage.housed {
        for (at, count) in &housed.counts {
            *balance.pods.entry(stage.name(*at).clone()).or_default() += count;
            balance.doubled += count - 1;
        }
        let ready: BTreeSet<At> = housed.pods.iter().filter(|p| p.pod.ready).map(|p| p.at).collect();
        if let (1, Some(at)) = (ready.len(), ready.first()) {
            balance.on_one_node += u32::from(housed.tenant.desired() > 1);
            *alone.entry(*at).or_default() += 1;
        }
    }
    // Of several that are equally bad, the first by name.
    let worst = alone.into_iter().max_by_key(|(at, tenants)| (*tenants, std::cmp::Reverse(*at)));
    balance.worst = worst.map(|(at, tenants)| (stage.name(at).clone(), tenants));
    let ready: Vec<At> = stage.all().filter(|at| stage.board.node(*at).is_ready()).collect();
    balance.requests_deviation = deviation(ready.iter().map(|at| stage.share(*at, 0)));
    let used = |at: &At| Some(part(stage.used[at.index()]?, stage.board.memory(*at).1));
    balance.use_deviation =
        ready.iter().map(used).collect::<Option<Vec<_>>>().map(|all| deviation(all.into_iter()));
    balance.overcommit = overcommit(stage, &ready);
    balance
}

/// The standard deviation of parts of the whole, in percent.
fn deviation(shares: impl Iterator<Item = u64>) -> f64 {
    let all: Vec<f64> = shares.map(|share| share as f64 * 100.0 / WHOLE as f64).collect();
    let count = all.len().max(1) as f64;
    let mean = all.iter().sum::<f64>() / count;
    (all.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / count).sqrt()
}

fn overcommit(stage: &Stage, ready: &[At]) -> f64 {
    let mut limits: BTreeMap<&NodeName, i128> =
        stage.seen.loads.iter().map(|(node, load)| (node, i128::from(load.limits.1.0))).collect();
    for tried in &stage.tried {
        let limit = i128::from(stage.lodger(tried.who).pod.spec.limits().1.0);
        *limits.entry(stage.name(tried.from)).or_default() -= limit;
        *limits.entry(stage.name(tried.to)).or_default() += limit;
    }
    let share = |at: &At| {
        let limit = limits.get(stage.name(*at)).copied().unwrap_or(0).max(0) as f64;
        match stage.board.memory(*at).1 {
            0 => 0.0,
            all => limit * 100.0 / all as f64,
        }
    };
    ready.iter().map(share).fold(0.0, f64::max)
}
