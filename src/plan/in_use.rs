//! What a container uses, against a limit it is to have.

use crate::cluster::{Memory, Pod, Snapshot, words::age};

/// That a container uses more than a limit leaves it, with the age of the measurement; `None`: it uses less, or is not
/// measured.
pub(super) fn above(seen: &Snapshot, pod: &Pod, container: &str, limit: Memory) -> Option<String> {
    let usage = seen.usage.get(&pod.key)?;
    let (_, used) = usage.containers.get(container)?;
    (*used > limit).then(|| {
        let ago = age(seen.at, usage.at);
        let (name, over) = (&pod.key.name, used.saturating_sub(limit));
        format!("{container} of {name} uses {used} (measured {ago} ago), {over} more than {limit}")
    })
}

/// What a container uses now; `None`: it is not measured.
pub(super) fn now(seen: &Snapshot, pod: &Pod, container: &str) -> Option<Memory> {
    let usage = seen.usage.get(&pod.key)?;
    usage.containers.get(container).map(|(_, used)| *used)
}
