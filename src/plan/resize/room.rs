//! Whether the nodes can give what is asked for: memory that may be used, and what the scheduler reserves.

use std::collections::BTreeMap;

use super::Wanted;
use crate::{
    cluster::{Cpu, Memory, NodeName, Snapshot, node_room, words::count},
    plan::{
        Check, Given,
        Verdict::{Ok, Refuse, Warn},
    },
};

/// Nodes named in one sentence.
const SHOWN: usize = 3;

/// How much more the pods of one node may use, and how much more is reserved for them.
#[derive(Default)]
struct More {
    pods: u32,
    limits: u64,
    requests: i128,
    cpu: i128,
}

/// What each node gives, or why it cannot.
pub(super) fn checks(seen: &Snapshot, wanted: &[Wanted]) -> Vec<Check> {
    let mut nodes: BTreeMap<&NodeName, More> = BTreeMap::new();
    for one in wanted {
        let Some(node) = &one.pod.node else { continue };
        let (now, to) = (one.in_force(), one.to);
        let more = nodes.entry(node).or_default();
        let bytes = |m: Option<Memory>| m.map_or(0, |m| m.0);
        let cores = |c: Option<Cpu>| c.map_or(0, |c| i128::from(c.0));
        more.pods += 1;
        if now.memory_limit.is_some() {
            let grows = bytes(to.memory_limit).saturating_sub(bytes(now.memory_limit));
            more.limits = more.limits.saturating_add(grows);
        }
        more.requests += i128::from(reserved(to)) - i128::from(reserved(now));
        more.cpu += cores(to.cpu_request) - cores(now.cpu_request);
    }
    if let Some(check) = wanted.iter().find_map(|one| too_large(seen, one)) {
        return vec![check];
    }
    let (mut all, mut told) = (Vec::new(), Vec::new());
    for (node, more) in &nodes {
        match given(seen, node, more) {
            Err(check) if check.verdict == Refuse => return vec![check],
            Err(check) => all.push(check),
            Result::Ok(text) => told.push(text),
        }
    }
    let more = told.len().saturating_sub(SHOWN);
    told.truncate(SHOWN);
    if more > 0 {
        told.push(format!("and {} more", count(more, "node")));
    }
    if !told.is_empty() {
        all.push(Check::new("node", Ok, told.join("; ")));
    }
    all
}

/// Bytes that the scheduler reserves.
fn reserved(given: Given) -> u64 {
    given.memory_request.or(given.memory_limit).map_or(0, |m| m.0)
}

/// A limit that is more than the whole node has.
fn too_large(seen: &Snapshot, one: &Wanted) -> Option<Check> {
    let node = one.pod.node.as_ref()?;
    let all = &seen.nodes.get(node)?.allocatable;
    let text = match (one.to.memory_limit.zip(all.memory), one.to.cpu_limit.zip(all.cpu)) {
        (Some((limit, all)), _) if limit > all => {
            format!("{node} offers its pods {all} of memory in all, {} is to get {limit}", one.pod.key.name)
        }
        (_, Some((limit, all))) if limit > all => {
            format!("{node} offers its pods {all} CPUs in all, {} is to get {limit}", one.pod.key.name)
        }
        _ => return None,
    };
    Some(Check::new("node", Refuse, text))
}

/// What a node has before and after, in words.
fn given(seen: &Snapshot, node: &NodeName, more: &More) -> Result<String, Check> {
    let room = node_room(seen, node);
    let pods = if more.pods == 1 { "its pod".to_owned() } else { format!("its {} pods", more.pods) };
    let refuse = |text: String| Err(Check::new("node", Refuse, text));
    if more.requests > 0 {
        match room.free_of_requests {
            Some(free) if more.requests > i128::from(free.0) => {
                let wanted = Memory(u64::try_from(more.requests).unwrap_or(u64::MAX));
                return refuse(format!(
                    "{node} has {free} free of memory requests, {pods} would request {wanted} more: its kubelet would \
                     put it off"
                ));
            }
            Some(_) => {}
            None => {
                let text = format!("what is requested on {node} is not known: its kubelet may put it off");
                return Err(Check::new("node", Warn, text));
            }
        }
    }
    let cpu = seen.nodes.get(node).and_then(|n| n.allocatable.cpu).zip(seen.load_of(node));
    if let Some((all, load)) = cpu.filter(|_| more.cpu > 0) {
        let free = all.saturating_sub(load.requests.0);
        if more.cpu > i128::from(free.0) {
            let wanted = Cpu(u64::try_from(more.cpu).unwrap_or(u64::MAX));
            return refuse(format!(
                "{node} has {free} CPUs free of requests, {pods} would request {wanted} more: its kubelet would put it off"
            ));
        }
    }
    let wanted = Memory(more.limits);
    let Some(unused) = room.free_of_use else {
        if more.limits > 0 {
            let text = format!(
                "how much memory {node} uses is not measured: whether it has {wanted} more is not known"
            );
            return Err(Check::new("node", Warn, text));
        }
        return Result::Ok(format!("{node}: {}", requests(&room, more)));
    };
    if wanted > unused {
        return refuse(format!(
            "{node} has {unused} of memory unused, {pods} may use {wanted} more: free memory there first, or move a pod \
             away"
        ));
    }
    let grows = match more.limits {
        0 => String::new(),
        _ => format!(", {wanted} more for {pods}"),
    };
    Result::Ok(format!("{node}: {}, {unused} unused{grows}", requests(&room, more)))
}

/// `1.9 of 3 Gi requested, before and after`.
fn requests(room: &crate::cluster::Room, more: &More) -> String {
    let (Some(now), Some(all)) = (room.requested, room.allocatable) else {
        return "requests not known".into();
    };
    let after = u64::try_from((i128::from(now.0) + more.requests).max(0)).unwrap_or(u64::MAX);
    match after == now.0 {
        true => format!("{now} of {all} requested before and after"),
        false => format!("{now} of {all} requested, {} afterwards", Memory(after)),
    }
}
