//! A name that nobody has, with the names that are nearest to it.

use crate::cluster::{NodeName, Snapshot, TenantName};

/// A name no tenant has, with those that are nearest: one sentence.
pub fn unknown(seen: &Snapshot, name: &str) -> String {
    let workloads = |source: &str| source == "deployments" || source == "statefulsets";
    let unread: Vec<_> = seen.unreadable().into_iter().filter(|(source, _)| workloads(source)).collect();
    if let [(_, why), ..] = unread.as_slice() {
        return format!("there is no tenant {name} among those that could be read: {why}");
    }
    nobody("tenant", name, seen.tenants.keys().map(TenantName::as_str))
}

/// A name no node has, with those that are nearest: one sentence.
pub fn unknown_node(seen: &Snapshot, name: &str) -> String {
    nobody("node", name, seen.nodes.items.keys().map(NodeName::as_str))
}

fn nobody<'a>(kind: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut all = 0;
    let near = known.inspect(|_| all += 1).map(|known| {
        let inside = !wanted.is_empty() && known.contains(wanted);
        (if inside { 1 } else { distance(wanted, known) }, known)
    });
    let mut near: Vec<_> =
        near.filter(|(distance, known)| *distance <= 1 + known.chars().count() / 3).collect();
    near.sort();
    let names: Vec<_> = near.iter().take(3).map(|(_, known)| *known).collect();
    match (names.as_slice(), all) {
        ([], 0) => format!("there is no {kind} {wanted}: no {kind} is seen"),
        ([], n) => format!("there is no {kind} {wanted} among {n}"),
        (names, _) => format!("there is no {kind} {wanted}; did you mean {}?", names.join(" or ")),
    }
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        assert_eq!(distance("acme", "acme"), 0);
        assert_eq!(distance("acne", "acme"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("globex", "glboex"), 2);
    }
}
