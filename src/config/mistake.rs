//! A mistake in the configuration as one sentence: where it stands, and what may stand there instead.

use super::BadConfig;

/// The sentence for an error of the parser.
pub(super) fn sentence(text: &str, error: &toml::de::Error) -> BadConfig {
    let message = plainly(error.message().replace('\n', " "));
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let said = 1 + text[..start].matches('\n').count();
    let Some((key, known)) = unknown(&message) else {
        // A mistake within a section that is read as a whole is told at its head.
        let line = match text.lines().nth(said - 1).is_some_and(|line| line.trim_start().starts_with('[')) {
            true if message.contains("password") => find(text, "password", said).unwrap_or(said),
            _ => said,
        };
        return BadConfig(match error.span() {
            Some(_) => format!("line {line}: {message}"),
            None => message,
        });
    };
    let line = find(text, key, said).unwrap_or(said);
    let (what, has) = match section(text, line) {
        Head::Top => (format!("there is no key `{key}`"), "there are"),
        Head::Own => (format!("there is no section `{key}`"), "there are"),
        Head::Of(section) => (format!("[{section}] has no key `{key}`"), "it has"),
    };
    let known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
    let known = if known.is_empty() { String::new() } else { format!("; {has} {}", known.join(", ")) };
    BadConfig(format!("line {line}: {what}{known}"))
}

/// What stands where something else is meant, in words of the file rather than of the parser.
fn plainly(message: String) -> String {
    let told = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    let Some((got, wanted)) = told else { return message };
    let wanted = match wanted {
        "a sequence" => "a list such as [\"db1:3306\"]",
        "a string" => "text in quotes",
        "a boolean" => "true or false",
        "a map" => "a table such as { name = \"value\" }",
        "f64" => "a number",
        n if n.starts_with('u') || n.starts_with('i') => "a whole number",
        s if s.starts_with("struct ") => "a section with keys of its own",
        other => other,
    };
    let got = got.strip_prefix("string ").map_or(got.to_owned(), |text| format!("the text {text}"));
    format!("{got} is given, {wanted} is expected")
}

/// The sentence without the line, where the text was not written by a person.
pub(super) fn without_line(sentence: &str) -> &str {
    match sentence.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((line, rest)) if line.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => sentence,
    }
}

/// The key that is none, and the part of the message that lists those there are.
fn unknown(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("unknown field `")?.split_once('`')
}

/// The line, from that one on, where the key is given a value or opens a section; otherwise one that holds it.
fn find(text: &str, key: &str, from: usize) -> Option<usize> {
    let lines =
        || text.lines().enumerate().skip(from.saturating_sub(1)).map(|(i, line)| (i + 1, line.trim()));
    let opens = |line: &str| {
        let name = line.trim_start_matches(['[', '"', ' ']);
        name.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start_matches(['"', ' ']).starts_with(['=', ']', '.']))
    };
    let own = lines().find(|(_, line)| opens(line));
    own.or_else(|| lines().find(|(_, line)| line.contains(key))).map(|(line, _)| line)
}

enum Head<'a> {
    /// Before the first section.
    Top,
    /// The line opens a section itself.
    Own,
    /// Within that section.
    Of(&'a str),
}

fn section(text: &str, line: usize) -> Head<'_> {
    let head = |line: &'_ str| -> bool {
        line.trim_start().starts_with('[') && line.trim_end().ends_with(']') && !line.contains('=')
    };
    let mut above = text.lines().take(line).collect::<Vec<_>>();
    if above.last().is_some_and(|line| head(line)) {
        return Head::Own;
    }
    while let Some(line) = above.pop() {
        if head(line) {
            return Head::Of(line.trim().trim_matches(['[', ']', ' ']));
        }
    }
    Head::Top
}
