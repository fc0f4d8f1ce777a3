//! A pod that is no tenant's leaves a node that is drained: it is evicted, within its budgets, and its controller makes
//! another where the scheduler puts it.

use super::{EVICTED_WITHIN, GONE_WITHIN};
use crate::{
    cluster::{Lease, Pod, Snapshot},
    plan::{
        About, Change, Check, Evict, Gone, Guard, Intent, Means, Move, NodePart, Plan, Step, Verdict, check,
        eviction::blocked, whatif::proxies,
    },
};

/// The plan, on account of the node it is on.
pub(super) fn planned(seen: &Snapshot, intent: &Intent, moved: &Move, mut checks: Vec<Check>) -> Plan {
    let refuse = |rule: &str, text: String| Check::new(rule, Verdict::Refuse, text);
    let (name, from) = (&moved.pod, &moved.from);
    let pod = seen.pods.get(name).filter(|pod| pod.uid == moved.uid);
    let node = seen.nodes.get(from);
    let (Some(pod), Some(node)) = (pod, node) else {
        let text = match node {
            None => check::unknown_node(seen, from.as_str()),
            Some(_) => format!("there is no pod {name} of that uid any more"),
        };
        checks.push(refuse(if node.is_none() { "node" } else { "pod" }, text));
        return Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    };
    let mut own = Vec::new();
    if pod.node.as_ref() != Some(from) {
        let at = pod.node.as_ref().map_or("no node".to_owned(), ToString::to_string);
        own.push(refuse("pod", format!("{name} is on {at}, not on {from}")));
    }
    if pod.deleting.is_some() {
        own.push(refuse("pod", format!("{name} is being deleted")));
    }
    if moved.means != Means::Eviction {
        own.push(refuse("means", format!("{name} is no tenant's: it can only be evicted")));
    }
    own.push(match (&pod.owner, &moved.to) {
        (None, _) => {
            Check::new("bare", Verdict::Warn, format!("{name} has no controller: nothing makes it again"))
        }
        (Some(owner), Some(to)) => {
            let text = format!("its {} {} makes another, on {to} as predicted", owner.kind, owner.name);
            Check::new("fits", Verdict::Ok, text)
        }
        (Some(owner), None) => {
            let text = format!(
                "no node takes what its {} {} makes in its place: it stays Pending",
                owner.kind, owner.name
            );
            Check::new("fits", Verdict::Warn, text)
        }
    });
    if let Some(why) = blocked(seen, pod) {
        own.push(Check::new("budget", Verdict::Warn, format!("{why}: it is waited for")));
    }
    own.extend(last_proxy(seen, pod));
    own.extend(check::lease_named(seen, &Lease::name_of_node(from)));
    let about = About::Node(from.clone());
    let (at, uid) = (pod.key.clone(), pod.uid.clone());
    let evict = Change::Evict(Evict { pod: at.clone(), uid: uid.clone() });
    let mut steps = vec![
        Step { guards: vec![Guard::DatabaseCalm], ..Step::new(about.clone(), evict, EVICTED_WITHIN) },
        Step::new(about, Change::Gone(Gone { pod: at, uid }), GONE_WITHIN),
    ];
    if own.iter().any(|c| c.verdict == Verdict::Refuse) {
        steps.clear();
    }
    let part = NodePart {
        node: from.clone(),
        uid: node.uid.clone(),
        from: node.cordoned,
        to: node.cordoned,
        checks: own,
        kubectl: String::new(),
        undo: "nothing: its controller has made another".into(),
        what: Some(format!("{name} evicted from {from}")),
    };
    Plan::assemble(seen, intent.clone(), vec![], vec![part], None, steps, checks)
}

/// The only proxy that answers is not evicted while another is expected to.
fn last_proxy(seen: &Snapshot, pod: &Pod) -> Option<Check> {
    let all: Vec<_> = proxies(seen).collect();
    let mine = all.iter().any(|(key, answers)| key.as_ref() == Some(&pod.key) && *answers);
    let others = all.iter().filter(|(key, _)| key.as_ref() != Some(&pod.key));
    let answering = others.clone().filter(|(_, answers)| *answers).count();
    if !mine || answering > 0 {
        return None;
    }
    let name = &pod.key.name;
    Some(match others.count() {
        0 => Check::new(
            "proxy",
            Verdict::Warn,
            format!("{name} is the only proxy: no client is served until it is up again"),
        ),
        n => {
            let text = format!(
                "{name} is the only one of {} proxies that answers: no client would be served",
                n + 1
            );
            Check::new("ready", Verdict::Refuse, text)
        }
    })
}
