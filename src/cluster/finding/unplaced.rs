//! Why no node takes a pod: the scheduler's own sentence, in our words and with the arithmetic.

use super::super::{Memory, Node, Pod, Snapshot};

/// Names shown before the rest is counted.
const NAMED: usize = 4;

/// Why no node takes these pods of one tenant, by the first of them.
pub(super) fn why(s: &Snapshot, pods: &[&Pod]) -> String {
    let Some(pod) = pods.first() else { return String::new() };
    if !pod.spec.gates.is_empty() {
        let gates: Vec<_> = pod.spec.gates.iter().map(|g| &**g).collect();
        return format!("no scheduler looks at it before its gate {} is removed", gates.join(", "));
    }
    let message = pod.unschedulable.as_deref().unwrap_or("no node takes it");
    translated(s, pod, message).unwrap_or_else(|| plain(message).to_owned())
}

/// Without the tails about claims and preemption.
fn plain(message: &str) -> &str {
    let message = message.split(" no new claims").next().unwrap_or(message);
    message.split(" preemption:").next().unwrap_or(message).trim_end_matches(['.', ' '])
}

/// `0/5 nodes are available: 1 node(s) were unschedulable, 4 Insufficient memory.` as `memory short on w1, w2, w3 and w4
/// (48 Gi wanted, at most 26 Gi free); w5 cordoned`. `None`: it is another sentence.
fn translated(s: &Snapshot, pod: &Pod, message: &str) -> Option<String> {
    let (head, reasons) = plain(message).split_once(" nodes are available: ")?;
    head.starts_with("0/").then_some(())?;
    // Taints stand in braces, and hold commas.
    let mut told = Vec::new();
    for reason in parts(reasons) {
        let (number, text) = reason.split_once(' ')?;
        let number: usize = number.parse().ok()?;
        told.push(one(s, pod, number, text.trim()));
    }
    // Want of room first: it is what can be answered.
    told.sort_by_key(|text| !text.contains(" short on "));
    (!told.is_empty()).then(|| told.join("; "))
}

/// Cuts at the commas that no brace or bracket encloses.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut all) = (0usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    all.push(text[begin..].trim());
    all.retain(|part| !part.is_empty());
    all
}

fn one(s: &Snapshot, pod: &Pod, number: usize, text: &str) -> String {
    let on = |is: &dyn Fn(&Node) -> bool| nodes(s, number, is);
    if let Some(resource) = text.strip_prefix("Insufficient ") {
        let (cpu, memory) = pod.spec.requests();
        let load = |n: &Node| s.loads.get(&n.name).map(|l| l.requests).unwrap_or_default();
        let free_memory = |n: &Node| n.allocatable.memory.unwrap_or_default().saturating_sub(load(n).1);
        let free_cpu = |n: &Node| n.allocatable.cpu.unwrap_or_default().saturating_sub(load(n).0);
        let open = |n: &Node| n.is_schedulable();
        let most =
            |free: &dyn Fn(&Node) -> Memory| s.nodes.values().filter(|n| open(n)).map(|n| free(n)).max();
        return match resource {
            "memory" => {
                let on = on(&|n| open(n) && free_memory(n) < memory);
                // The scheduler's word may be older than what is free now.
                match most(&free_memory).filter(|free| *free < memory) {
                    Some(free) => format!("memory short on {on} ({memory} wanted, at most {free} free)"),
                    None => format!("memory short on {on} ({memory} wanted)"),
                }
            }
            "cpu" => {
                let on = on(&|n| open(n) && free_cpu(n) < cpu);
                let most = s.nodes.values().filter(|n| open(n)).map(|n| free_cpu(n)).max();
                match most.filter(|free| *free < cpu) {
                    Some(free) => format!("cpu short on {on} ({cpu} wanted, at most {free} free)"),
                    None => format!("cpu short on {on} ({cpu} wanted)"),
                }
            }
            other => format!("{other} short on {}", on(&|_| false)),
        };
    }
    let none = |n: &Node| !n.taints.is_empty();
    match text {
        "node(s) were unschedulable" => format!("{} cordoned", on(&|n| n.cordoned)),
        "Too many pods" => {
            format!("{} full of pods", on(&|n| s.loads.get(&n.name).is_some_and(|l| l.pods >= n.pods)))
        }
        "node(s) were not ready" => format!("{} not ready", on(&|n| !n.is_ready())),
        "node(s) didn't match Pod's node affinity/selector" => {
            format!("{} not matched by its node affinity", on(&|_| false))
        }
        "node(s) didn't match pod anti-affinity rules" => {
            format!("{} taken by pods it must stay away from", on(&|_| false))
        }
        "node(s) didn't satisfy existing pods anti-affinity rules" => {
            format!("pods on {} keep it away", on(&|_| false))
        }
        "node(s) didn't match pod affinity rules" => {
            format!("{} without the pods it must be near", on(&|_| false))
        }
        "node(s) didn't have free ports for the requested pod ports" => {
            format!("its host port is taken on {}", on(&|_| false))
        }
        _ if text.starts_with("node(s) didn't match pod topology spread constraints") => {
            format!("its spreading forbids one more on {}", on(&|_| false))
        }
        _ if text.starts_with("node(s) had untolerated taint") => {
            let key = text.split_once('{').and_then(|(_, rest)| rest.split([':', '}']).next());
            let down = |n: &Node| !n.is_ready();
            let gone = |key: &str| key.ends_with("/unreachable") || key.ends_with("/not-ready");
            match key.filter(|k| !k.is_empty()) {
                Some(key) if gone(key) => format!("{} not ready", on(&down)),
                Some(key) => format!("{} tainted {key}", on(&|n| n.taints.iter().any(|t| t.key == key))),
                None if s.nodes.values().filter(|n| down(n)).count() == number => {
                    format!("{} not ready", on(&down))
                }
                None => format!("{} tainted", on(&none)),
            }
        }
        other => format!("{}: {}", on(&|_| false), other.trim_start_matches("node(s) ")),
    }
}

/// The names of the nodes that are so, when there are as many as the scheduler counts; otherwise their number.
fn nodes(s: &Snapshot, number: usize, is: &dyn Fn(&Node) -> bool) -> String {
    let names: Vec<_> = s.nodes.values().filter(|n| is(n)).map(|n| n.name.as_str()).collect();
    match names.as_slice() {
        [one] if number == 1 => (*one).to_owned(),
        [first @ .., last] if names.len() == number && number <= NAMED => {
            format!("{} and {last}", first.join(", "))
        }
        all if all.len() == number && number > NAMED => {
            format!("{} and {} more", all[..NAMED].join(", "), number - NAMED)
        }
        _ if number == 1 => "1 node".to_owned(),
        _ => format!("{number} nodes"),
    }
}
