//! Why a pod is not ready, where its conditions and messages say more than the reasons of its containers.

use crate::live::slim;

/// Longer texts are cut: they are told in one line.
const LONGEST: usize = 160;

/// Why a pod is not ready, in its own words; `None`: its containers' reasons say it.
pub(super) fn held_up(gates: &[slim::ReadinessGate], status: &slim::PodStatus) -> Option<String> {
    let condition = |kind: &str| status.conditions.iter().find(|c| c.r#type == kind);
    if !status.reason.is_empty() {
        return Some(with(&status.reason, &status.message));
    }
    let waits = status.init_container_statuses.iter().chain(&status.container_statuses);
    let mut waits = waits.filter(|c| !c.ready).filter_map(|c| c.state.waiting.as_ref());
    // The message of a container that crashes only counts the seconds to the next attempt.
    let told = waits.find(|w| !w.message.is_empty() && w.reason != "CrashLoopBackOff");
    if let Some(waiting) = told {
        return Some(line(&waiting.message));
    }
    let open =
        |gate: &&slim::ReadinessGate| condition(&gate.condition_type).is_none_or(|c| c.status != "True");
    let containers = condition("ContainersReady").is_some_and(|c| c.status == "True");
    if let Some(gate) = gates.iter().find(open).filter(|_| containers) {
        let why = condition(&gate.condition_type).map(|c| with(&c.reason, &c.message)).unwrap_or_default();
        let why = if why.is_empty() { "nobody has set it".to_owned() } else { why };
        return Some(format!("readiness gate {} is not true: {why}", gate.condition_type));
    }
    if condition("PodReadyToStartContainers").is_some_and(|c| c.status == "False") {
        return Some("its volumes or its network are not ready".into());
    }
    let ready = condition("Ready").filter(|c| c.status != "True" && !c.reason.is_empty())?;
    let plain = ["ContainersNotReady", "ReadinessGatesNotReady"].contains(&ready.reason.as_str());
    (!plain).then(|| with(&ready.reason, &ready.message))
}

fn with(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", text) | (text, "") => line(text),
        (reason, message) => line(&format!("{reason}: {message}")),
    }
}

/// The first line, cut where it is too long.
fn line(text: &str) -> String {
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default().trim();
    match first.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}
