//! How counts, ages and names are written and put in order: once, for every room that tells something.

use std::{cmp::Ordering, fmt::Display};

use jiff::Timestamp;

/// A count with its noun: `1 pod`, `3 pods`.
pub fn count<N: Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    if n == N::from(1) { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A few of the names, and how many more there are.
pub fn few(names: &[&str]) -> String {
    const NAMED: usize = 3;
    let more = names.len().saturating_sub(NAMED);
    let named = names.iter().take(NAMED).copied();
    let more = (more > 0).then(|| format!("{more} more"));
    let mut all: Vec<String> = named.map(str::to_owned).chain(more).collect();
    match all.pop() {
        Some(last) if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

/// `both pods`, `all 3 pods`: of two or more.
pub fn all_pods(pods: u32) -> String {
    if pods == 2 { "both pods".into() } else { format!("all {pods} pods") }
}

/// A place in an order: `1st`, `2nd`, `3rd`, `11th`, `332nd`.
pub fn ordinal(n: u64) -> String {
    let end = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

/// How long ago `since` was: `4s`, `14m`, `20h`, `41d`; a moment to come counts as now.
pub fn age(now: Timestamp, since: Timestamp) -> String {
    span(now.as_second().saturating_sub(since.as_second()))
}

/// A length of time in seconds, at most four characters up to 27 years.
pub fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ ..100 => format!("{s}s"),
        s @ ..6_000 => format!("{}m", s / 60),
        s @ ..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The short name of a run: what follows the last `-` of its id.
pub fn short_run(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}

/// Names in the order in which people count: `w2` before `w10`. Names that differ only in leading zeros are told apart
/// by their bytes, so that it is an order of the texts themselves.
pub fn natural(one: &str, other: &str) -> Ordering {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let at = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    // The numbers in which they differ begin before that place.
    let begin = at - a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let end = |text: &[u8]| begin + text[begin..].iter().take_while(|c| c.is_ascii_digit()).count();
    let (end_a, end_b) = (end(a), end(b));
    if end_a == begin || end_b == begin {
        return a[at..].cmp(&b[at..]);
    }
    let value_a = number(&a[begin..end_a]);
    let value_b = number(&b[begin..end_b]);
    let by_value = value_a.len().cmp(&value_b.len()).then_with(|| value_a.cmp(value_b));
    by_value.then_with(|| natural(&one[end_a..], &other[end_b..])).then_with(|| one.cmp(other))
}

/// Digits without the zeros before them.
fn number(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|c| **c == b'0').count();
    &digits[zeros..]
}

/// A character that disturbs a terminal or a reader: control characters, and the marks that turn the direction of writing or
/// are not seen.
pub fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text of another program or server as one line: no control characters, no novel.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ");
    line.chars().take(300).collect::<String>().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_in_the_order_in_which_people_count() {
        let mut names =
            ["w10", "w2", "w", "w1", "w11", "w1x", "w01", "a", "10.0.0.10:1", "10.0.0.9:1", "w2-b", "w2-a"];
        names.sort_by(|a, b| natural(a, b));
        let order =
            ["10.0.0.9:1", "10.0.0.10:1", "a", "w", "w01", "w1", "w1x", "w2", "w2-a", "w2-b", "w10", "w11"];
        assert_eq!(names, order);
    }

    proptest! {
        #[test]
        fn it_is_an_order_of_the_texts(a in "[a01é2-]{0,6}", b in "[a01é2-]{0,6}", c in "[a01é2-]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }
    }

    #[test]
    fn places_and_counts_are_english() {
        let all = [1, 2, 3, 4, 10, 11, 12, 13, 21, 22, 63, 101, 111, 112, 332].map(ordinal);
        let right = [
            "1st", "2nd", "3rd", "4th", "10th", "11th", "12th", "13th", "21st", "22nd", "63rd", "101st",
            "111th", "112th", "332nd",
        ];
        assert_eq!(all, right);
        assert_eq!(
            (count(0u8, "pod"), count(1usize, "pod"), count(2u32, "pod")),
            ("0 pods".into(), "1 pod".into(), "2 pods".into())
        );
    }

    #[test]
    fn ages_are_short() {
        for (seconds, text) in
            [(0, "0s"), (-5, "0s"), (99, "99s"), (100, "1m"), (840, "14m"), (7200, "2h"), (864_000, "10d")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn what_others_say_is_one_line_without_control_characters() {
        assert_eq!(one_line("a\u{1b}[31m b\r\n c."), "a [31m b c");
    }
}
