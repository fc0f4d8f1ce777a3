//! What people press and type who come from k9s, where it means nothing here: what to do instead, in words.

/// Keys that are free where they are pressed.
const KEYS: &[(&str, &str)] = &[
    ("0", "all namespaces: :namespace all"),
    ("D", "nodes are drained on their own screen: 2, then D"),
    ("S", "tenants stand worst first; > and < order them otherwise, esc brings that back"),
    ("X", "a run is aborted on its own screen: 3, then enter"),
    ("e", "nothing is edited by hand here: what can be done is in the menu, m"),
    ("p", "the log before the last restart: l, then P"),
    ("z", "the rollout of a tenant is in its section Rollout: tab"),
    ("f", "a log or a description takes the whole screen by f; what is wrong is listed by 5"),
    ("ctrl-a", "all commands: ? or :"),
    ("ctrl-e", "the header stays: it says which cluster this is"),
    ("ctrl-g", "the way that led here stands below, at the left"),
    ("ctrl-k", "a pod is deleted by x among the pods of its tenant, and asks"),
    ("ctrl-r", "everything is live: there is nothing to refresh"),
    ("ctrl-s", "a log is saved by S; lists are printed by `wheelhouse tenants` and `wheelhouse nodes`"),
    ("ctrl-w", "columns come with the width of the terminal"),
    ("ctrl-x", "nothing is done by this key"),
];

/// Names of its command line.
const NAMES: &[(&[&str], &str)] = &[
    (&["po", "pod", "pods"], ":tenant NAME lists its pods, ⏎ on a row does; o leads to their node"),
    (
        &["dp", "deploy", "deployment", "deployments", "sts", "statefulset", "statefulsets", "rs"],
        "workloads are the tenants: :tenants",
    ),
    (&["ev", "event", "events"], "tab among the pods of a tenant; d shows those of an object"),
    (&["pulses", "pulse", "popeye", "xray"], ":findings lists what is wrong; w what depends on a node"),
    (
        &["svc", "ing", "cm", "sec", "secret", "secrets", "pvc", "pv", "crd", "job", "jobs", "hpa", "pdb"],
        "not listed here: kubectl has them; d describes a workload",
    ),
    (
        &["screendump", "sd", "dir", "aliases", "alias", "plugins", "helm", "rb", "crb"],
        "there is none of this here",
    ),
];

/// What to do instead of a key.
pub fn of_key(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, words)| *words)
}

/// What to do instead of a command.
pub fn of_name(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| known.contains(&name)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::command::{by_name, key_sign};

    #[test]
    fn what_is_a_command_here_is_no_habit_of_elsewhere() {
        for name in NAMES.iter().flat_map(|(names, _)| *names) {
            assert!(by_name(name).is_none(), "{name}");
        }
        assert!(KEYS.iter().all(|(key, words)| !key_sign(key).is_empty() && !words.is_empty()));
    }
}
