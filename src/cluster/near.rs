//! The names nearest to one that nobody has: what was probably meant.

/// The names that are near the wanted one, the nearest first, three at most.
pub fn near<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let near = known.into_iter().map(|known| {
        let inside = !wanted.is_empty() && known.contains(wanted);
        (if inside { 1 } else { distance(wanted, known) }, known)
    });
    // Of a short word little can be misspelt.
    let most = |known: &str| 1 + known.chars().count().min(wanted.chars().count()) / 3;
    let mut near: Vec<_> = near.filter(|(distance, known)| *distance <= most(known)).collect();
    near.sort();
    near.into_iter().take(3).map(|(_, known)| known).collect()
}

/// What follows a sentence about a name that nobody has: `; did you mean acme or ace?`, or nothing where none is near.
pub fn did_you_mean<T: AsRef<str>>(near: &[T]) -> String {
    match near {
        [] => String::new(),
        names => {
            let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
            format!("; did you mean {}?", names.join(" or "))
        }
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
        assert_eq!(near("theem", ["theme", "tenants", "context"]), ["theme"]);
        assert_eq!(near("xyz", ["theme", "tenants"]), Vec::<&str>::new());
        assert_eq!(near("foo", ["follow", "forwards"]), Vec::<&str>::new());
    }
}
