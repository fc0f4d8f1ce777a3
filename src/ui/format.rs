//! Words and numbers as the screens show them: ages, shares, sizes, and text from outside made safe to draw.
//!
//! Called by every view. It knows no styles and draws nothing.

use std::borrow::Cow;

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::cluster::words::{age, count, natural, ordinal, short_run, span};
use crate::cluster::{Memory, words::disturbs};

/// An age as the screens show it, in whole units that grow: seconds, tens of seconds, minutes, hours, days. A slow line
/// need not carry what nobody reads.
pub fn ticking(now: Timestamp, since: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second());
    match seconds {
        10..100 => age(now, Timestamp::from_second(now.as_second() - seconds / 10 * 10).unwrap_or(since)),
        _ => age(now, since),
    }
}

/// When [`ticking`] will next read otherwise.
pub fn next_change(now: Timestamp, since: Timestamp) -> Timestamp {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    let unit = match seconds {
        ..10 => 1,
        10..100 => 10,
        100..6_000 => 60,
        6_000..172_800 => 3600,
        _ => 86_400,
    };
    let at = since.as_second().min(now.as_second()).saturating_add((seconds / unit + 1) * unit);
    Timestamp::from_second(at.max(now.as_second() + 1)).unwrap_or(now)
}

/// A moment in UTC, to the millisecond: `2026-11-21T09:00:00.000Z`.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A share in whole percent: `81%`. What is not nothing never reads as 0%.
pub fn percent(share: f64) -> String {
    let whole = if share > 0.0 { (share * 100.0).round().clamp(1.0, 999.0) } else { 0.0 };
    format!("{whole:.0}%")
}

/// Used of whole in the unit of the whole: `610 of 640 Mi`.
pub fn of(used: Memory, whole: Memory) -> String {
    let text = whole.to_string();
    let (number, unit) = text.split_once(' ').unwrap_or((&text, "B"));
    let scale = match unit {
        "Ki" => 1u64 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => 1,
    };
    let value = used.0 as f64 / scale as f64;
    let value =
        if value >= 9.95 || value == value.round() { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{value} of {number} {unit}")
}

/// One text for two that differ in their numbers only: `the longest 7-9 s`. Numbers of names and addresses are no
/// numbers: what differs in those is not alike.
pub fn alike(one: &str, other: &str) -> Option<String> {
    let (one_words, other_words) = (one.split(' '), other.split(' '));
    if one == other {
        return Some(one.to_owned());
    }
    if one_words.clone().count() != other_words.clone().count() {
        return None;
    }
    let ends = |word: &str| {
        let (low, high) = word.split_once('-').unwrap_or((word, word));
        Some((low.parse::<u64>().ok()?, high.parse::<u64>().ok()?))
    };
    let words = one_words.zip(other_words).map(|(a, b)| {
        if a == b {
            return Some(a.to_owned());
        }
        // `1 connection`, `2 connections`.
        if a.trim_end_matches('s') == b.trim_end_matches('s') {
            return Some(if a.len() > b.len() { a } else { b }.to_owned());
        }
        let tail = |word: &str| word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
        let end = tail(a);
        let (a, b) = (ends(a.strip_suffix(&*end)?)?, ends(b.strip_suffix(&*end)?)?);
        Some(format!("{}-{}{end}", a.0.min(b.0), a.1.max(b.1)))
    });
    Some(words.collect::<Option<Vec<_>>>()?.join(" "))
}

/// Columns a text takes on the screen.
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text cut to so many columns, the cut marked with `…`.
pub fn fit(text: &str, columns: u16) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut room = usize::from(columns).saturating_sub(1);
    let mut cut = String::new();
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.width().unwrap_or(0)) else { break };
        room = left;
        cut.push(c);
    }
    if columns > 0 {
        cut.push('…');
    }
    Cow::Owned(cut)
}

/// The text cut to so many columns in its middle, the cut marked with `…`.
pub fn middle(text: &str, columns: u16) -> Cow<'_, str> {
    let letters: Vec<char> = text.chars().collect();
    if width(text) <= columns || columns < 4 || letters.len() != usize::from(width(text)) {
        return fit(text, columns);
    }
    let tail = usize::from(columns / 2);
    let head = usize::from(columns) - 1 - tail;
    Cow::Owned(letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect())
}

/// A name cut to so many columns where it is like the `others`, so that what tells it from them stays: the end where
/// they differ early, else the middle, else both ends.
pub fn apart<'n, 'o>(name: &'n str, others: impl Iterator<Item = &'o str>, columns: u16) -> Cow<'n, str> {
    if width(name) <= columns || columns < 4 {
        return fit(name, columns);
    }
    let letters: Vec<char> = name.chars().collect();
    // The first letter in which it differs from the one that is like it for longest; many are compared.
    let like = |other: &str| name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let differs = others.filter(|other| *other != name).map(like).max().unwrap_or(0);
    let differs = name[..name.floor_char_boundary(differs)].chars().count();
    let room = usize::from(columns);
    if differs + 1 < room || letters.len() != usize::from(width(name)) {
        return fit(name, columns);
    }
    // The start of what it differs in: numbers and words are not torn.
    let word = |c: &char| c.is_alphanumeric();
    let start = differs
        - letters[..differs.min(letters.len())]
            .iter()
            .rev()
            .take_while(|c| word(c))
            .count()
            .min(room / 2 - 1);
    let tail = letters.len() - start;
    let text: String = if tail + 2 <= room {
        let tail = tail.max(room / 2);
        let head = room - 1 - tail;
        letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
    } else {
        let shown = &letters[start..(start + room - 2).min(letters.len())];
        ['…'].iter().chain(shown).chain(&['…']).collect()
    };
    Cow::Owned(text)
}

/// Values as a line of bars, the newest at the right, and their highest. `full`: what a full bar stands for, at least.
pub fn spark(values: &[Option<f64>], full: Option<f64>) -> (String, f64) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().flatten().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let top = most.max(full.unwrap_or(0.0));
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(_) if top <= 0.0 => BARS[0],
        // What is not nothing stands above what is.
        Some(v) if *v > 0.0 => BARS[((v / top) * 7.0).ceil().clamp(1.0, 7.0) as usize],
        Some(_) => BARS[0],
    };
    (values.iter().map(bar).collect(), most)
}

/// The text in lines of so many columns, broken at spaces where there are any.
pub fn wrap(text: &str, columns: u16) -> Vec<String> {
    wrap_in(text, |_| columns)
}

/// The same where the lines have so many columns each, by their place.
pub fn wrap_in(text: &str, columns: impl Fn(usize) -> u16) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let columns = columns(lines.len() - 1).max(1);
            let line = lines.last_mut().expect("there is always a line");
            let gap = u16::from(!line.is_empty());
            if width(line).saturating_add(gap).saturating_add(width(&word)) <= columns {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if line.is_empty() {
                let mut room = usize::from(columns);
                let mut head = String::new();
                for c in word.chars() {
                    match room.checked_sub(c.width().unwrap_or(0)) {
                        Some(left) => room = left,
                        None if head.is_empty() => {}
                        None => break,
                    }
                    head.push(c);
                }
                word = word.chars().skip(head.chars().count()).collect();
                line.push_str(&head);
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

/// The text in pieces of so many columns, blanks kept and broken after one where there is any: for logs.
pub fn chop(text: &str, columns: u16) -> Vec<String> {
    let columns = usize::from(columns.max(1));
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let mut wide = 0;
        let over = rest.char_indices().find(|(_, c)| {
            wide += c.width().unwrap_or(0);
            wide > columns
        });
        let Some((over, _)) = over else {
            if !rest.is_empty() || pieces.is_empty() {
                pieces.push(rest.to_owned());
            }
            return pieces;
        };
        let first = rest.chars().next().map_or(1, char::len_utf8);
        // Not after the blanks a piece begins with: they alone would be no piece.
        let text = rest.len() - rest.trim_start_matches(' ').len();
        let blank = rest[..over].rfind(' ').filter(|blank| *blank >= text);
        let at = blank.map_or(over, |blank| blank + 1).max(first);
        pieces.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
}

/// Text from outside, safe to draw: without terminal sequences, control characters, and the marks that turn the
/// direction of writing; a tab becomes a space.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(disturbs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.peek() {
                Some('[') => {
                    chars.next();
                    while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c) && !c.is_control()).is_some() {
                    }
                    chars.next_if(|c| !c.is_control());
                }
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    // A string sequence ends with BEL or ST; one that never ends hides only this line.
                    while let Some(c) = chars.next() {
                        if c == '\u{7}'
                            || c == '\u{9c}'
                            || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some())
                        {
                            break;
                        }
                    }
                }
                Some(_) => {
                    chars.next_if(|c| !c.is_control());
                }
                None => {}
            },
            '\u{9b}' => {
                while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c) && !c.is_control()).is_some() {}
                chars.next_if(|c| !c.is_control());
            }
            '\t' | '\n' => out.push(' '),
            c if disturbs(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The text in ASCII, for terminals that show nothing else.
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let sign = |c: char| match c {
        '✖' | '×' => "x",
        '▲' => "!",
        '✓' => "v",
        '•' | '●' | '▾' => "*",
        '·' => ".",
        '▸' | '›' => ">",
        '◀' => "<",
        '○' | '◌' => "o",
        '‖' => "=",
        '↶' => "u",
        '→' => "->",
        '←' => "<-",
        '↑' => "^",
        '↓' => "v",
        '⇧' => "shift-",
        '⏎' => "enter",
        '…' => "~",
        '–' | '—' | '─' | '▁' | '▂' | '░' => "-",
        '│' => "|",
        '╭' | '╮' | '╰' | '╯' => "+",
        '≥' => ">=",
        '≤' => "<=",
        '“' | '”' => "\"",
        '’' => "'",
        '±' => "~",
        '□' => "o",
        '■' => "#",
        '≠' => "!=",
        '∅' => "0",
        '²' => "2",
        '└' => "`",
        '┌' | '┐' | '┘' => "+",
        '█' | '▉' | '▊' | '▋' | '▌' | '▆' | '▇' => "#",
        '▏' | '▎' | '▍' | '▃' | '▄' | '▅' | '▒' => "=",
        '▓' => "%",
        _ => "?",
    };
    let mut plain = String::with_capacity(text.len());
    let mut letter = [0; 4];
    for c in text.chars() {
        plain.push_str(if c.is_ascii() { c.encode_utf8(&mut letter) } else { sign(c) });
    }
    Cow::Owned(plain)
}

/// Short names that tell these apart: `worker-1 worker-2` become `w1 w2`; names with nothing short in them are
/// numbered `n1 n2`.
pub fn short_names(names: &[&str]) -> Vec<String> {
    let hosts: Vec<&str> = names.iter().map(|n| n.split('.').next().unwrap_or(n)).collect();
    let tails: Vec<&str> =
        hosts.iter().map(|n| n.trim_start_matches(|c: char| !c.is_ascii_digit())).collect();
    let digits = |t: &str| !t.is_empty() && t.len() <= 3 && t.chars().all(|c| c.is_ascii_digit());
    let mut short: Vec<String> = hosts
        .iter()
        .zip(&tails)
        .map(|(host, tail)| match host.chars().next() {
            Some(first) if digits(tail) => format!("{first}{}", tail.trim_start_matches('0')),
            _ => (*host).to_owned(),
        })
        .collect();
    let mut sorted: Vec<_> = short.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != short.len() || short.iter().any(|s| width(s) > 4) {
        short = (1..=names.len()).map(|i| format!("n{i}")).collect();
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_wrapped_in_the_columns_it_has() {
        let lines = wrap_in("one two three four five", |line| if line == 0 { 7 } else { 15 });
        assert_eq!(lines, ["one two", "three four five"]);
    }

    #[test]
    fn texts_that_differ_in_their_numbers_are_alike() {
        let like = |one, other| alike(one, other);
        let both = like("24 clients wait, the longest 8 s", "24 clients wait, the longest 11 s");
        assert_eq!(both.as_deref(), Some("24 clients wait, the longest 8-11 s"));
        assert_eq!(like("the longest 8-11 s", "the longest 3 s").as_deref(), Some("the longest 3-11 s"));
        assert_eq!(like("room for 8, then", "room for 12, then").as_deref(), Some("room for 8-12, then"));
        assert_eq!(like("1 row of it", "2 rows of it").as_deref(), Some("1-2 rows of it"));
        assert_eq!(like("same", "same").as_deref(), Some("same"));
        for (one, other) in [("at 10.0.0.1:6032", "at 10.0.0.2:6032"), ("on db1", "on db2"), ("a b", "a b c")]
        {
            assert_eq!(like(one, other), None);
        }
    }

    #[test]
    fn the_next_change_of_an_age_is_when_it_reads_otherwise() {
        let since: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
        for seconds in [0, 5, 9, 10, 19, 55, 98, 99, 100, 119, 120, 5_999, 6_000, 172_799, 172_800, 900_000] {
            let now = Timestamp::from_second(since.as_second() + seconds).expect("a time");
            let next = next_change(now, since);
            assert!(next > now);
            assert_ne!(ticking(next, since), ticking(now, since), "{seconds}");
            let just_before = Timestamp::from_second(next.as_second() - 1).expect("a time");
            assert_eq!(ticking(just_before, since), ticking(now, since), "{seconds}");
        }
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        for (text, shown) in [
            ("plain ✓ 日本", "plain ✓ 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("a\u{202e}b\u{2066}c\u{200f}d", "abcd"),
            ("a\tb\r\nc\u{0}\u{7f}\u{9b}31mz", "a b cz"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}]never ends", ""),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(fit("worker", 6), "worker");
        assert_eq!(fit("worker", 4), "wor…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x", 0), "");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(chop("ab  cd日", 3), ["ab ", " cd", "日"]);
        assert_eq!(chop("GET /health 200", 9), ["GET ", "/health ", "200"]);
        assert_eq!(chop("GET /health 200", 12), ["GET /health ", "200"]);
        assert_eq!(chop("abcdefgh ij", 3), ["abc", "def", "gh ", "ij"]);
        assert_eq!(chop("日本", 1), ["日", "本"]);
        assert_eq!(chop("", 3), [""]);
    }

    #[test]
    fn names_are_cut_where_they_are_alike() {
        let cut = |names: &[&str], columns| -> Vec<String> {
            names.iter().map(|n| apart(n, names.iter().copied(), columns).into_owned()).collect()
        };
        assert_eq!(cut(&["worker-1", "worker-2"], 8), ["worker-1", "worker-2"]);
        let pool = ["gke-prod-default-pool-1a2b3c4d-x7k2", "gke-prod-default-pool-1a2b3c4d-q9z1"];
        assert_eq!(cut(&pool, 15), ["gke-pro…4d-x7k2", "gke-pro…4d-q9z1"]);
        let ends = ["acme-production-web", "globex-production-web", "initech-production-web"];
        assert_eq!(cut(&ends, 10), ["acme-prod…", "globex-pr…", "initech-p…"]);
        let middle = ["customer-prod-acme-web-application", "customer-prod-globex-web-application"];
        assert_eq!(cut(&middle, 12), ["…acme-web-a…", "…globex-web…"]);
        let numbers = ["tenant-of-a-long-name-001", "tenant-of-a-long-name-002", "tenant-of-a-long-name-010"];
        for names in [&pool[..], &ends, &middle, &numbers] {
            for columns in 6..40 {
                let mut all = cut(names, columns);
                assert!(all.iter().all(|n| width(n) <= columns), "{columns}: {all:?}");
                all.sort();
                all.dedup();
                assert_eq!(all.len(), names.len(), "{columns}: {all:?}");
            }
        }
        assert_eq!(
            cut(&["日本日本日本", "日本日本日x"], 6),
            ["日本…", "日本…"],
            "wide letters are cut at the end"
        );
    }

    #[test]
    fn nodes_have_short_names() {
        assert_eq!(short_names(&["worker-1", "worker-2", "master-1"]), ["w1", "w2", "m1"]);
        assert_eq!(short_names(&["k8s-prod-a.example.com", "k8s-prod-b.example.com"]), ["n1", "n2"]);
        assert_eq!(short_names(&["w1", "w2"]), ["w1", "w2"]);
        assert_eq!(short_names(&["a-1", "ab-1"]), ["n1", "n2"]);
    }

    #[test]
    fn amounts_share_the_unit_of_the_whole() {
        assert_eq!(of(Memory(610 << 20), Memory(640 << 20)), "610 of 640 Mi");
        assert_eq!(of(Memory(6 << 30), Memory(32 << 30)), "6 of 32 Gi");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(0.001), "1%");
        assert_eq!(percent(0.814), "81%");
    }
}
