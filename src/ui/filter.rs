//! What a list shows: the rows that every word of its filter matches.
//!
//! ```text
//!   acme worker-3        both are in the row; a word is a regular expression
//!   !ready               and this is not
//!   node:worker-3        the column says so; restarts:>5 compares numbers
//!   tier=gold            the label is that; tier!=gold it is not
//!   "two words"          one word with a blank in it, a regular expression too
//! ```
//!
//! Upper and lower case are told apart only where the word has an upper-case letter. A word that is no regular
//! expression is taken as it is typed, and [`Filter::words`] says so: what is half typed hides nothing by surprise.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// What the filter of a list can ask for beside words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The columns that can be named.
    pub columns: &'static [&'static str],
    /// Its rows have labels.
    pub labels: bool,
}

/// A list of which words alone can be asked.
pub static NO_FIELDS: Fields = Fields { columns: &[], labels: false };

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// The value of this column.
    Column(&'a str),
    /// The value of this label.
    Label(&'a str),
}

/// What is typed as the filter of a list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
    /// The first word that is no regular expression.
    literal: Option<String>,
    /// What stands before a colon and is no column, with those there are.
    unknown: Option<(String, &'static [&'static str])>,
}

#[derive(Clone, Debug)]
struct Term {
    not: bool,
    of: Subject,
    test: Test,
}

#[derive(Clone, Debug)]
enum Subject {
    Row,
    Column(&'static str),
    Label(String),
}

#[derive(Clone, Debug)]
enum Test {
    Matches(Regex),
    Is(String),
    Below(f64),
    Above(f64),
    Number(f64),
}

impl Filter {
    /// What is typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Everything is shown.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Shows everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes what is typed over a list with such fields.
    pub fn set(&mut self, text: &str, fields: &'static Fields) {
        text.clone_into(&mut self.text);
        self.literal = None;
        self.unknown = None;
        self.terms.clear();
        for word in words(text) {
            let (not, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word.strip_prefix('\\').filter(|w| w.starts_with('!')).unwrap_or(&word)),
            };
            if let Some(term) = self.term(not, word, fields) {
                self.terms.push(term);
            }
        }
    }

    /// `None`: there is nothing to ask yet.
    fn term(&mut self, not: bool, word: &str, fields: &'static Fields) -> Option<Term> {
        if let Some((name, value)) = word.split_once(':')
            && let Some(column) = column(name, fields.columns)
        {
            let test = (!value.is_empty()).then(|| self.of_column(value))?;
            return Some(Term { not, of: Subject::Column(column), test });
        }
        if let Some((name, value)) = word.split_once(':')
            && !fields.columns.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase())
            && name.len() > 1
            && !value.is_empty()
            && !value.starts_with([':', '/'])
        {
            self.unknown.get_or_insert_with(|| (name.to_owned(), fields.columns));
        }
        let label = |key: &str| {
            fields.labels
                && !key.is_empty()
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        };
        if let Some((key, value)) = word.split_once('=') {
            let (key, differs) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
            if label(key) {
                let (of, test) = (Subject::Label(key.to_owned()), Test::Is(value.to_owned()));
                return Some(Term { not: not != differs, of, test });
            }
        }
        (!word.is_empty()).then(|| Term { not, of: Subject::Row, test: Test::Matches(self.pattern(word)) })
    }

    fn of_column(&mut self, value: &str) -> Test {
        let number = |sign: char| value.strip_prefix(sign)?.parse().ok();
        match (number('<'), number('>'), number('=')) {
            (Some(n), ..) => Test::Below(n),
            (_, Some(n), _) => Test::Above(n),
            (.., Some(n)) => Test::Number(n),
            _ => Test::Matches(self.pattern(value)),
        }
    }

    fn pattern(&mut self, word: &str) -> Regex {
        pattern(word).unwrap_or_else(|_| {
            self.literal.get_or_insert_with(|| word.to_owned());
            pattern(&regex::escape(word)).expect("an escaped text is a regular expression")
        })
    }

    /// Whether a row is shown: by all that stands in it, and by what each of its columns and labels says.
    pub fn keeps(&self, row: &str, value: impl Fn(Of<'_>) -> Option<String>) -> bool {
        self.terms.iter().all(|term| {
            let holds = match &term.of {
                Subject::Row => term.test.holds(row),
                Subject::Column(name) => value(Of::Column(name)).is_some_and(|v| term.test.holds(&v)),
                Subject::Label(key) => value(Of::Label(key)).is_some_and(|v| term.test.holds(&v)),
            };
            holds != term.not
        })
    }

    /// The same for a row that is only a text.
    pub fn keeps_text(&self, text: &str) -> bool {
        self.keeps(text, |_| None)
    }

    /// Where a text has what is looked for, in order, none in another.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let looked_for = self.terms.iter().filter(|term| !term.not).filter_map(|term| match &term.test {
            Test::Matches(pattern) if matches!(term.of, Subject::Row) => Some(pattern),
            _ => None,
        });
        let mut all: Vec<_> =
            looked_for.flat_map(|p| p.find_iter(text).map(|m| m.range())).filter(|r| !r.is_empty()).collect();
        all.sort_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(all.len());
        for range in all {
            match apart.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }

    /// For the status line: `filter “acme”`. `None`: nothing is typed.
    pub fn words(&self) -> Option<String> {
        if self.text.trim().is_empty() {
            return None;
        }
        let literal = match &self.literal {
            Some(word) => format!(", “{word}” is taken as text"),
            None => String::new(),
        };
        Some(format!("filter “{}”{literal}", self.text))
    }

    /// What is asked of a column that is not there, in a sentence.
    pub fn mistake(&self) -> Option<String> {
        let (name, columns) = self.unknown.as_ref()?;
        Some(format!("{name} is no column: there are {}; the filter looks for it as text", columns.join(" ")))
    }
}

/// The column of that name, or the only one that begins so.
fn column(name: &str, columns: &'static [&'static str]) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let begins = |known: &&&'static str| name.len() > 1 && known.starts_with(&name);
    let exact = columns.iter().find(|known| **known == name);
    let mut like = columns.iter().filter(begins);
    exact.or_else(|| like.next().filter(|_| like.next().is_none())).copied()
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        let number = || value.trim().parse::<f64>().ok();
        match self {
            Self::Matches(pattern) => pattern.is_match(value),
            Self::Is(text) => text == value,
            Self::Below(n) => number().is_some_and(|v| v < *n),
            Self::Above(n) => number().is_some_and(|v| v > *n),
            Self::Number(n) => number().is_some_and(|v| v == *n),
        }
    }
}

/// The regular expression that is typed: upper and lower case are alike unless it has an upper-case letter.
///
/// # Errors
/// It is none, or compiles to more than the library takes.
pub fn pattern(typed: &str) -> Result<Regex, regex::Error> {
    let insensitive = !typed.chars().any(char::is_uppercase);
    RegexBuilder::new(typed).case_insensitive(insensitive).build()
}

/// The words of a line: what stands between blanks, or between quotation marks.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIELDS: Fields = Fields { columns: &["node", "restarts"], labels: true };

    fn keeps(filter: &str) -> bool {
        let mut typed = Filter::default();
        typed.set(filter, &FIELDS);
        typed.keeps("Acme web-7d9 ready 10.0.0.5 php(", |of| match of {
            Of::Column("node") => Some("worker-3".into()),
            Of::Column("restarts") => Some("12".into()),
            Of::Label("tier") => Some("gold".into()),
            _ => None,
        })
    }

    #[test]
    fn every_word_has_to_match() {
        for yes in [
            "",
            "   ",
            "acme",
            "Acme",
            "acme ready",
            "web-[0-9]d",
            "!failing",
            "!",
            "\"acme web\"",
            "\"acme",
            "php(",
            "\\!x|acme",
            "node:worker-3",
            "NODE:worker",
            "nod:worker-3",
            "rest:>5",
            "node:",
            "node:worker-[34]$",
            "!node:worker-1",
            "restarts:>5",
            "restarts:=12",
            "restarts:<13 acme",
            "restarts:>x|12",
            "tier=gold",
            "tier!=silver",
            "other!=gold",
        ] {
            assert!(keeps(yes), "{yes}");
        }
        for no in [
            "ACME",
            "acme failing",
            "!acme",
            "\"web acme\"",
            "node:worker-1",
            "!node:worker-3",
            "restarts:>12",
            "node:>2",
            "tier=gol",
            "tier!=gold",
            "other=",
            "place:worker-3",
        ] {
            assert!(!keeps(no), "{no}");
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_said() {
        let mut filter = Filter::default();
        filter.set("error (", &NO_FIELDS);
        assert_eq!(filter.words().as_deref(), Some("filter “error (”, “(” is taken as text"));
        assert!(filter.keeps_text("error: f(x)"));
        filter.set("error", &NO_FIELDS);
        assert_eq!(filter.words().as_deref(), Some("filter “error”"));
        for (text, words) in [
            ("nide:worker", "filter “nide:worker”"),
            ("node:worker", "filter “node:worker”"),
            ("http://x std::io 10:30 Error:x e:", "filter “http://x std::io 10:30 Error:x e:”"),
        ] {
            filter.set(text, &FIELDS);
            assert_eq!(filter.words().as_deref(), Some(words));
            let mistake = "nide is no column: there are node restarts; the filter looks for it as text";
            assert_eq!(filter.mistake().as_deref(), text.starts_with("nide").then_some(mistake));
        }
        filter.clear();
        assert!(filter.is_empty() && filter.words().is_none());
    }

    #[test]
    fn what_is_looked_for_has_its_places() {
        let mut filter = Filter::default();
        filter.set("rro o. !x", &NO_FIELDS);
        assert_eq!(filter.places("error: on"), [1..5, 7..9]);
        filter.set("x*", &NO_FIELDS);
        assert!(filter.places("abc").is_empty());
    }
}
