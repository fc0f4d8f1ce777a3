//! What a simulated server says to one statement, before it is put on the wire. Pure.

/// The type a column is sent with; the numbers are those of the MySQL protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `MYSQL_TYPE_LONGLONG`.
    Integer = 8,
    /// `MYSQL_TYPE_NEWDECIMAL`.
    Decimal = 246,
    /// `MYSQL_TYPE_VAR_STRING`.
    Text = 253,
}

/// A column of a result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name as the client reads it.
    pub name: String,
    /// The type as the client reads it.
    pub kind: Kind,
}

/// A result set in the text protocol: every value is text or NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows; each as long as `columns`.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// A table whose columns are all text.
    pub fn text(names: &[&str]) -> Table {
        let column = |name: &&str| Column { name: (*name).to_owned(), kind: Kind::Text };
        Table { columns: names.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row without NULL.
    pub fn push<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into_iter().map(Some).collect());
    }
}

/// What a server does when it has read one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A result set.
    Rows(Table),
    /// An OK packet.
    Ok {
        /// Affected rows.
        affected: u64,
        /// The human-readable text of the packet; ProxySQL puts errors here.
        info: String,
    },
    /// An ERR packet.
    Error {
        /// The server's error number.
        code: u16,
        /// The SQLSTATE, five characters.
        state: &'static str,
        /// The message.
        text: String,
    },
    /// Nothing, ever: the client waits until its own deadline.
    Silence,
    /// The connection closes without a word.
    Hangup,
}

impl Answer {
    /// An OK packet without text.
    pub fn ok(affected: u64) -> Answer {
        Answer::Ok { affected, info: String::new() }
    }

    /// An ERR packet.
    pub fn error(code: u16, state: &'static str, text: impl Into<String>) -> Answer {
        Answer::Error { code, state, text: text.into() }
    }
}

/// Whether `text` matches an SQL LIKE `pattern`: `%`, `_`, and a backslash before either; letters of either case.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    fn matches(p: &[char], t: &[char]) -> bool {
        match p {
            [] => t.is_empty(),
            ['%', rest @ ..] => (0..=t.len()).any(|skip| matches(rest, &t[skip..])),
            ['\\', c @ ('%' | '_'), rest @ ..] => t.first() == Some(c) && matches(rest, &t[1..]),
            ['_', rest @ ..] => !t.is_empty() && matches(rest, &t[1..]),
            [c, rest @ ..] => t.first() == Some(c) && matches(rest, &t[1..]),
        }
    }
    // A run of % is one %: it bounds the backtracking on hostile patterns.
    let mut pattern: Vec<char> = pattern.to_lowercase().chars().take(256).collect();
    pattern.dedup_by(|a, b| *a == '%' && *b == '%');
    if pattern.iter().filter(|c| **c == '%').count() > 8 {
        return false;
    }
    matches(&pattern, &text.to_lowercase().chars().collect::<Vec<_>>())
}

/// The first statement of a text and what follows it, cut at the first `;` outside quotes and comments.
pub(super) fn split_first(sql: &str) -> (&str, &str) {
    let bytes = sql.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'\'' | b'"' | b'`') => {
                i += 1;
                while i < bytes.len() && bytes[i] != quote {
                    i += 1;
                }
            }
            b'-' if bytes[i..].starts_with(b"-- ") => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            b'/' if bytes[i..].starts_with(b"/*") => {
                i = sql[i..].find("*/").map_or(bytes.len(), |end| i + end + 1);
            }
            b';' => return (&sql[..i], &sql[i + 1..]),
            _ => {}
        }
        i += 1;
    }
    (sql, "")
}

/// A statement without leading comments and surrounding blanks.
pub(super) fn bare(sql: &str) -> &str {
    let mut rest = sql.trim();
    loop {
        rest = if rest.starts_with("/*") {
            rest.find("*/").map_or("", |end| &rest[end + 2..]).trim_start()
        } else if rest.starts_with("-- ") || rest.starts_with('#') {
            rest.find('\n').map_or("", |end| &rest[end..]).trim_start()
        } else {
            return rest;
        };
    }
}

/// The words of a statement in upper case, for recognising commands; quoted text stays as it is.
pub(super) fn words(sql: &str) -> Vec<String> {
    sql.split_whitespace().map(str::to_ascii_uppercase).collect()
}

/// Removes one pair of quotes of any kind around a value.
pub(super) fn unquote(value: &str) -> &str {
    let value = value.trim();
    for quote in ['\'', '"', '`'] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

/// A number as C's `%g` writes it, which is how Galera prints its averages.
pub(super) fn general(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    let trim = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    if (-4..6).contains(&exponent) {
        return trim(format!("{value:.*}", (5 - exponent).max(0) as usize));
    }
    let mantissa = trim(format!("{:.5}", value / 10f64.powi(exponent)));
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_printed_as_the_provider_prints_them() {
        for text in ["0.00424544", "2949.21", "0.642955", "1.953e-06", "5.6845e-05", "97", "7211.34", "0.5"] {
            assert_eq!(general(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn like_knows_both_wildcards_and_their_escape() {
        assert!(like("wsrep_%", "wsrep_ready") && like("WSREP_REA_Y", "wsrep_ready"));
        assert!(!like("wsrep\\_%", "wsrepXready") && like("wsrep\\_%", "wsrep_ready"));
        assert!(!like("ready", "wsrep_ready"));
    }

    #[test]
    fn only_the_first_statement_is_cut_off() {
        assert_eq!(split_first("SELECT ';' -- ;\n; x; y"), ("SELECT ';' -- ;\n", " x; y"));
        assert_eq!(bare("/* c */ -- d\n SELECT 1"), "SELECT 1");
    }
}
