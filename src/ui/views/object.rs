//! One object whole: in words with its events, or as YAML.

use std::cell::Cell;

use super::scroll::Scroll;
use crate::{
    cluster::{Described, ObjectKey},
    ui::{
        action::{Action, Containers},
        command::Command,
        describe::{self, Line, Tone},
        filter::{Filter, NO_FIELDS},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Lens, Place, View, Wants},
    },
};

/// Columns for the name of a fact.
const NAME: u16 = 16;

/// Opens the object in words or as YAML.
pub(super) fn open(command: Command, key: ObjectKey) -> Action {
    Action::Go(Place::Object(key, command == Command::Yaml))
}

/// One object.
pub struct ObjectView {
    key: ObjectKey,
    yaml: bool,
    scroll: Scroll,
    filter: Filter,
    /// Lines of the text as it was drawn last.
    lines: Cell<usize>,
    /// It has the whole screen.
    full: bool,
}

/// A line as it is drawn: what stands before it, and it.
type Row = (String, String, Role);

impl ObjectView {
    /// The view of that object, in words or as YAML.
    pub fn new(key: ObjectKey, yaml: bool) -> Self {
        Self {
            key,
            yaml,
            scroll: Scroll::default(),
            filter: Filter::default(),
            lines: Cell::new(0),
            full: false,
        }
    }

    fn described<'a>(&self, cx: &'a Cx<'_>) -> Option<&'a Result<std::sync::Arc<Described>, String>> {
        let (key, found) = cx.detail.object.as_ref()?;
        found.as_ref().filter(|_| *key == self.key)
    }

    fn rows(&self, described: &Described, cx: &Cx<'_>, width: u16) -> Vec<Row> {
        if self.yaml {
            let text = describe::yaml(described);
            let lines = text.lines().filter(|line| self.filter.is_empty() || self.filter.keeps_text(line));
            return lines.map(|line| (String::new(), line.to_owned(), Role::Text)).collect();
        }
        let mut rows = Vec::new();
        for Line { tone, name, text } in describe::describe(&self.key, described, cx.seen, cx.now) {
            if !self.filter.is_empty() && !self.filter.keeps_text(&format!("{name} {text}")) {
                continue;
            }
            let text = format::plain(&text).into_owned();
            match tone {
                Tone::Title => {
                    if !rows.is_empty() {
                        rows.push((String::new(), String::new(), Role::Text));
                    }
                    rows.push((text, String::new(), Role::Accent));
                }
                Tone::Fact | Tone::Wrong => {
                    let role = if tone == Tone::Wrong { Role::Warn } else { Role::Text };
                    let lines = format::wrap(&text, width.saturating_sub(NAME + 5));
                    rows.extend(lines.into_iter().enumerate().map(|(i, line)| {
                        (if i == 0 { format!("  {name}") } else { String::new() }, line, role)
                    }));
                }
            }
        }
        rows
    }

    fn most(&self, cx: &Cx<'_>) -> usize {
        self.lines.get().saturating_sub(usize::from(cx.size.1))
    }

    fn show(&mut self, yaml: bool) {
        if self.yaml != yaml {
            self.yaml = yaml;
            self.scroll = Scroll::default();
        }
    }
}

impl View for ObjectView {
    fn place(&self) -> Place {
        Place::Object(self.key.clone(), self.yaml)
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let lines = match self.described(cx) {
            Some(Ok(described)) => self.rows(described, cx, cx.size.0).len(),
            _ => 0,
        };
        self.lines.set(lines);
        self.scroll.settle(self.most(cx));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        match command {
            Command::Describe => self.show(false),
            Command::Yaml => self.show(true),
            Command::FullScreen => self.full = !self.full,
            Command::Exec | Command::Forward | Command::ShowNode => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let ObjectKey::Pod(pod) = &self.key else { return None };
                let meant = Containers { pod: Some(pod.clone()), ..Containers::default() };
                return Some(match command {
                    Command::Exec => Action::Shell(meant),
                    Command::Forward => Action::AskForward(meant),
                    _ => {
                        let node = cx.seen.pods.get(pod).and_then(|pod| pod.node.clone());
                        node.map_or(Action::Say("its node is not known".into()), |node| {
                            Action::Go(Place::Node(node))
                        })
                    }
                });
            }
            Command::Copy => {
                let Some(Ok(described)) = self.described(cx) else {
                    return Some(Action::Say("nothing has been read yet".into()));
                };
                return Some(Action::Copy(if self.yaml {
                    describe::yaml(described)
                } else {
                    text(&describe::describe(&self.key, described, cx.seen, cx.now))
                }));
            }
            _ => self.scroll.go(command, cx.size.1, self.most(cx)),
        }
        self.refresh(cx);
        None
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        // What it is already, and what is for pods alone.
        let shown = if self.yaml { Command::Yaml } else { Command::Describe };
        command == shown || self.refuses(command, cx).is_some()
    }

    fn refuses(&self, command: Command, _cx: &Cx<'_>) -> Option<String> {
        let no_pod = !matches!(self.key, ObjectKey::Pod(_));
        let of_pod = matches!(command, Command::Exec | Command::Forward | Command::ShowNode);
        (of_pod && no_pod).then(|| "that is for a pod: this is none".into())
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let described = match self.described(cx) {
            Some(Ok(described)) => described,
            Some(Err(why)) => {
                let lines =
                    format::wrap(&format::plain(&format!("{}: {why}", self.key)), width.saturating_sub(5));
                for (y, line) in (1..pen.height()).zip(lines) {
                    pen.put(4, y, width.saturating_sub(5), &line, Role::Warn);
                }
                return;
            }
            None => {
                pen.put(4, 1, width.saturating_sub(5), &format!("asking for {} …", self.key), Role::Busy);
                return;
            }
        };
        let rows = self.rows(described, cx, width);
        for (y, (name, text, role)) in (0..pen.height()).zip(rows.iter().skip(self.scroll.0)) {
            if self.yaml {
                yaml_line(pen, y, text);
            } else if *role == Role::Accent {
                pen.put(1, y, width.saturating_sub(2), name, Role::Accent);
            } else {
                pen.put(1, y, NAME + 1, name, Role::Muted);
                pen.put(NAME + 3, y, width.saturating_sub(NAME + 4), text, *role);
            }
        }
        if rows.is_empty() {
            pen.put(4, 1, width.saturating_sub(5), "no line matches the filter", Role::Muted);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let below = Some(self.scroll.below(self.most(cx))).filter(|below| !below.is_empty());
        let what = if self.yaml { "YAML" } else { "described" };
        self.filter.words().into_iter().chain(below).chain([what.to_owned()]).collect::<Vec<_>>().join(" · ")
    }

    fn is_full(&self) -> bool {
        self.full
    }

    fn subject(&self) -> Option<String> {
        Some(self.key.to_string())
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::filtered(&mut self.filter, &NO_FIELDS)
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        let Some(Ok(described)) = self.described(cx) else { return None };
        let rows = self.rows(described, cx, cx.size.0);
        let (name, text, _) = rows.get(self.scroll.0)?;
        Some(format!("{name} {text}").trim().to_owned())
    }

    fn wants(&self, _cx: &Cx<'_>) -> Wants {
        Wants { object: Some(self.key.clone()), ..Wants::default() }
    }
}

/// The lines as one text.
pub fn text(lines: &[Line]) -> String {
    let mut all = String::new();
    for Line { tone, name, text } in lines {
        let text = format::plain(text);
        all += &match tone {
            Tone::Title if all.is_empty() => format!("{text}\n"),
            Tone::Title => format!("\n{text}\n"),
            Tone::Fact | Tone::Wrong => format!("  {name:<14} {text}\n"),
        };
    }
    all
}

/// A line of YAML, its key apart from its value.
fn yaml_line(pen: &mut Pen<'_>, y: u16, line: &str) {
    let room = pen.width().saturating_sub(2);
    match line.split_once(':') {
        Some((key, value)) if !key.contains('"') && (value.is_empty() || value.starts_with(' ')) => {
            pen.line(
                1,
                y,
                room,
                &[piece(key, Role::Busy), piece(":", Role::Muted), piece(value, Role::Text)],
            );
        }
        _ => {
            pen.put(1, y, room, line, Role::Text);
        }
    }
}
