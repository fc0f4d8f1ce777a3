//! The mistakes in a configuration, each as one sentence: where it stands, what is wrong, what may stand there instead.
//!
//! Every setting is read by itself, so that one mistake hides no other, and each is told with its own line.

use std::{collections::BTreeMap, fmt, ops::Range};

use serde::{Deserialize, Serialize};
use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue, ValueDeserializer},
};

use super::{
    Config,
    sense::senseless,
    settings::{self, AtPath, BEFORE_THE_CONTEXT, CONTEXTS},
};
use crate::cluster::{did_you_mean, near};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// All mistakes of a file, in the order of its lines; and the file as it is, if there is none.
pub(super) fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    let (table, wrong) = DeTable::parse_recoverable(text);
    if !wrong.is_empty() {
        let lines = wrong.iter().map(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            (line, plainly(&error.message().replace('\n', " ")))
        });
        // What follows from the first mistake of a line is none of its own.
        let lines: BTreeMap<_, _> = lines.rev().collect();
        return Err(lines.into_iter().map(|(line, message)| Mistake { line, message }).collect());
    }
    let mut reader = Reader { text, mistakes: Vec::new() };
    reader.section(table.get_ref(), &[], None);
    if reader.mistakes.is_empty() {
        match toml::from_str::<Config>(text) {
            Ok(config) => match contradictions(&config, table.get_ref(), text) {
                found if found.is_empty() => return Ok(config),
                found => reader.mistakes = found,
            },
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                reader.mistakes.push(Mistake { line, message: plainly(&error.message().replace('\n', " ")) });
            }
        }
    }
    reader.mistakes.sort_by_key(|mistake| mistake.line);
    Err(reader.mistakes)
}

/// The mistakes of settings that stand for themselves, as on the command line.
pub(super) fn alone(text: &str) -> Result<(), Vec<Mistake>> {
    let (table, wrong) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, mistakes: Vec::new() };
    reader.mistakes.extend(wrong.iter().map(|e| Mistake { line: 1, message: plainly(e.message()) }));
    reader.section(table.get_ref(), &[], None);
    if reader.mistakes.is_empty() { Ok(()) } else { Err(reader.mistakes) }
}

/// What settings say against each other, in the file itself and with each of its contexts.
fn contradictions(config: &Config, table: &DeTable<'_>, text: &str) -> Vec<Mistake> {
    let of_file = senseless(config);
    let mistake = |(path, message): &(String, String)| {
        let path: Vec<_> = path.split('.').collect();
        Mistake { line: find(table, &path, text), message: message.clone() }
    };
    let mut found: Vec<_> = of_file.iter().map(mistake).collect();
    for name in config.contexts.keys() {
        let merged = match config.in_context(name) {
            Ok(merged) => merged,
            Err(why) => {
                let line = find(table, &[CONTEXTS, name], text);
                found.push(Mistake { line, message: format!("in [contexts.{name}]: {why}") });
                continue;
            }
        };
        for (path, why) in senseless(&merged).into_iter().filter(|bad| !of_file.contains(bad)) {
            let path: Vec<_> = [CONTEXTS, name].into_iter().chain(path.split('.')).collect();
            let message = format!("in [contexts.{name}]: {why}");
            found.push(Mistake { line: find(table, &path, text), message });
        }
    }
    found
}

struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: usize, message: String) {
        self.mistakes.push(Mistake { line: line_of(self.text, at), message });
    }

    /// Reads a section: of the file, or of a context.
    fn section(&mut self, table: &DeTable<'_>, path: &[&str], context: Option<&str>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path: Vec<&str> = path.iter().copied().chain([name]).collect();
            match settings::at(&path) {
                _ if path == [CONTEXTS] && context.is_none() => self.contexts(value),
                _ if context.is_some() && path.len() == 1 && BEFORE_THE_CONTEXT.contains(&name) => {
                    let of = head(context, &[]);
                    self.wrong(
                        key.span().start,
                        format!("[{of}] cannot hold `{name}`: it stands before the first section, since it chooses the context"),
                    );
                }
                Some(AtPath::Section) => match value.get_ref().as_table() {
                    Some(inner) => self.section(inner, &path, context),
                    None => {
                        let message = format!(
                            "{name} is a section with keys of its own: write [{}]",
                            head(context, &path)
                        );
                        self.wrong(key.span().start, message);
                    }
                },
                Some(AtPath::Setting(_)) => self.setting(key.span().start, value, &path),
                None => {
                    let message = unknown(name, value.get_ref().is_table(), &path, context);
                    self.wrong(key.span().start, message);
                }
            }
        }
    }

    fn contexts(&mut self, contexts: &Spanned<DeValue<'_>>) {
        let Some(table) = contexts.get_ref().as_table() else {
            let message = "contexts is a section with a section for each context: write [contexts.\"NAME\"]";
            return self.wrong(contexts.span().start, message.into());
        };
        for (name, section) in table {
            match section.get_ref().as_table() {
                Some(inner) => self.section(inner, &[], Some(name.get_ref())),
                None => self.wrong(
                    name.span().start,
                    format!(
                        "the context {0} is a section with keys of its own: write [contexts.\"{0}\"]",
                        name.get_ref()
                    ),
                ),
            }
        }
    }

    /// Reads one setting by itself.
    fn setting(&mut self, at: usize, value: &Spanned<DeValue<'_>>, path: &[&str]) {
        let Err(error) = by_itself(path, value.clone()) else { return };
        // What is read whole does not say which part of it is meant.
        let is_vague = error.span().is_none_or(|span| span.start <= value.span().start);
        let part = parts(value).into_iter().filter(|_| is_vague).find_map(|part| by_itself(path, part).err());
        let at = part.as_ref().unwrap_or(&error).span().map_or(at, |span| span.start);
        let message = error.message().replace('\n', " ");
        let name = path[path.len() - 1];
        match message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
            Some((key, known)) => {
                let section = match value.get_ref() {
                    DeValue::Array(_) => format!("[[{}]]", path.join(".")),
                    _ => format!("[{}]", path[..path.len() - 1].join(".")),
                };
                self.wrong(at, meant(&format!("{section} has no key `{key}`"), key, &quoted(known)));
            }
            None => self.wrong(at, format!("{name}: {}", plainly(&message))),
        }
    }
}

/// Reads the setting of this path by itself.
fn by_itself(path: &[&str], value: Spanned<DeValue<'_>>) -> Result<Config, toml::de::Error> {
    let all = path.iter().rev().fold(value, |value, name| {
        let span = value.span();
        let key = Spanned::new(span.clone(), DeString::from(*name));
        Spanned::new(span, DeValue::Table(DeTable::from_iter([(key, value)])))
    });
    Config::deserialize(ValueDeserializer::from(all))
}

/// The entries of a list or of a table, each as if there was no other.
fn parts<'a>(value: &Spanned<DeValue<'a>>) -> Vec<Spanned<DeValue<'a>>> {
    match value.get_ref() {
        DeValue::Array(all) => {
            let one = |part: &Spanned<DeValue<'a>>| {
                let mut list = DeArray::new();
                list.push(part.clone());
                Spanned::new(part.span(), DeValue::Array(list))
            };
            all.iter().map(one).collect()
        }
        DeValue::Table(all) => {
            let one = |(key, part): (&Spanned<DeString<'a>>, &Spanned<DeValue<'a>>)| {
                let table = DeTable::from_iter([(key.clone(), part.clone())]);
                Spanned::new(key.span(), DeValue::Table(table))
            };
            all.iter().map(one).collect()
        }
        _ => Vec::new(),
    }
}

/// The line of a setting in a file, from 1; 1 where it does not stand there.
pub fn line(text: &str, path: &[&str]) -> usize {
    find(DeTable::parse_recoverable(text).0.get_ref(), path, text)
}

/// The line of a setting, or of the nearest of what holds it. A number in the path is a place in a list, from 0.
fn find(table: &DeTable<'_>, path: &[&str], text: &str) -> usize {
    let mut at = 0;
    let mut inner: Option<&DeValue<'_>> = None;
    for name in path {
        let next = match inner {
            Some(DeValue::Array(all)) => {
                let one = name.parse().ok().and_then(|place: usize| all.get(place));
                one.map(|value| (value.span(), value))
            }
            Some(DeValue::Table(table)) => of_name(table, name),
            None => of_name(table, name),
            Some(_) => None,
        };
        let Some((span, value)) = next else { break };
        at = span.start;
        inner = Some(value.get_ref());
    }
    line_of(text, at)
}

/// Where a key of a table stands, and its value.
fn of_name<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(Range<usize>, &'t Spanned<DeValue<'a>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value))
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// The head of a section.
fn head(context: Option<&str>, path: &[&str]) -> String {
    let context = context.map(|name| format!("contexts.{name}"));
    context.into_iter().chain(path.iter().map(|name| (*name).to_owned())).collect::<Vec<_>>().join(".")
}

/// A name that means nothing.
fn unknown(name: &str, is_section: bool, path: &[&str], context: Option<&str>) -> String {
    let above = &path[..path.len() - 1];
    let section = above.join(".");
    let known: Vec<_> = settings::names(&section)
        .chain((section.is_empty() && context.is_none()).then_some(CONTEXTS))
        .filter(|known| context.is_none() || !section.is_empty() || !BEFORE_THE_CONTEXT.contains(known))
        .collect();
    let kind = if is_section { "section" } else { "key" };
    let it = match head(context, above) {
        head if head.is_empty() => format!("there is no {kind} `{name}`"),
        head => format!("[{head}] has no {kind} `{name}`"),
    };
    let elsewhere = || {
        let same = settings::SECTIONS.iter().filter(|s| s.name != section);
        same.filter(|s| s.settings.iter().any(|setting| setting.name == name)).map(|s| s.name).next()
    };
    match elsewhere() {
        Some("") if near(name, known.iter().copied()).is_empty() => {
            format!("{it}; `{name}` stands before the first section")
        }
        Some(other) if near(name, known.iter().copied()).is_empty() => {
            format!("{it}; `{name}` stands in [{}]", head(context, &[other]))
        }
        _ => meant(&it, name, &known),
    }
}

/// The sentence with what was probably meant, or with all that there is.
fn meant(it: &str, name: &str, known: &[&str]) -> String {
    match near(name, known.iter().copied()).as_slice() {
        [] if known.is_empty() => it.to_owned(),
        [] => format!("{it}; there are {}", known.join(", ")),
        near => {
            let near: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
            format!("{it}{}", did_you_mean(&near))
        }
    }
}

/// The names in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What is wrong in words of the file rather than of the parser.
pub(super) fn plainly(message: &str) -> String {
    if let Some((name, known)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`'))
    {
        return meant(&format!("there is no `{name}`"), name, &quoted(known));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    let told = ["invalid type: ", "invalid value: "].iter().find_map(|kind| message.strip_prefix(kind));
    let Some((got, wanted)) = told.and_then(|rest| rest.split_once(", expected ")) else {
        return message.to_owned();
    };
    let wanted = match wanted {
        "a sequence" => "a list such as [\"db1:3306\"]",
        "a string" | "path string" => "text in quotes",
        "a boolean" => "true or false",
        "a map" => "a table such as { name = \"value\" }",
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero u64" | "a nonzero usize" => "a whole number from 1 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        one if one.starts_with("struct ") => "a section with keys of its own",
        other => other,
    };
    let got = match got.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "boolean", value)) => value.replace('`', ""),
        Some(("floating", rest)) => rest.trim_start_matches("point ").replace('`', ""),
        None if got == "sequence" => "a list".to_owned(),
        None if got == "map" => "a table".to_owned(),
        _ => got.to_owned(),
    };
    format!("{got} is given, {wanted} is expected")
}
