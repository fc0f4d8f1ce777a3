//! What several proxies say alike, told once.

/// Proxies that send everybody to the same servers, told once.
pub fn together(lines: &[String]) -> Vec<String> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for line in lines {
        let (name, rows) = line.split_once("  ").unwrap_or((line, ""));
        match groups.iter_mut().find(|(_, same)| *same == rows) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], rows)),
        }
    }
    let told = |(names, rows): (Vec<&str>, &str)| {
        let all = names.join(", ");
        match names.len() {
            _ if rows.is_empty() => all,
            n if n > 1 && all.len() > 24 => format!("{n} proxies  {rows}"),
            _ => format!("{all}  {rows}"),
        }
    };
    groups.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn proxies_of_one_mind_are_told_once() {
        let told = |lines: &[&str]| together(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&["p1  db1 writer", "p2  db1 writer"]), ["p1, p2  db1 writer"]);
        assert_eq!(told(&["p1  db1 writer", "p2  db2 writer"]), ["p1  db1 writer", "p2  db2 writer"]);
        let long = ["10.0.0.11:6032  db1 writer", "10.0.0.12:6032  db1 writer"];
        assert_eq!(told(&long), ["2 proxies  db1 writer"]);
    }
}
