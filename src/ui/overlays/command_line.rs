//! The command line: a name, what it takes, and what both could become.

use tui_input::Input;

use crate::{
    cluster::Database,
    ui::{
        action::Asks,
        command::{self, Command, Takes},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, VIEWS},
    },
};

/// Lines of offers at most.
const OFFERED: u16 = 8;

/// A line being typed.
#[derive(Default)]
pub struct CommandLine {
    /// What is typed.
    pub input: Input,
    /// What the word at the cursor could become: the text, and what it means.
    pub offers: Vec<(String, String)>,
    /// The orders of the rows of the place in front.
    pub orders: &'static [&'static str],
    /// The offer chosen with tab.
    pub chosen: Option<usize>,
    /// How far back in the history it is, counted from the newest, 1 the last line.
    back: usize,
    /// What was typed before a line of the history came in its place.
    typed: String,
}

/// The servers a command is likely to be about.
fn servers(cx: &Cx<'_>, command: Option<Command>) -> Vec<(String, String)> {
    let Some(database) = Database::of(cx.seen) else { return Vec::new() };
    let Ok(Asks::Server { offers, known }) = Asks::server(cx.seen, &database) else { return Vec::new() };
    match command {
        Some(Command::RemoveServer) => {
            known.iter().map(|at| (at.to_string(), "in every proxy".to_owned())).collect()
        }
        _ => offers.into_iter().map(|(at, why)| (at.to_string(), why)).collect(),
    }
}

fn contexts(cx: &Cx<'_>) -> Vec<(String, String)> {
    let word = |name: &str| if *name == *cx.seen.api.context { "this one" } else { "context" };
    cx.who.contexts.iter().map(|name| (name.clone(), word(name).to_owned())).collect()
}

fn namespaces(cx: &Cx<'_>) -> Vec<(String, String)> {
    let mut names: std::collections::BTreeSet<&str> = cx.seen.namespaces.items.keys().map(|n| &**n).collect();
    names.extend(cx.seen.pods.items.keys().map(|key| &*key.namespace));
    let all = ("all".to_owned(), "all namespaces".to_owned());
    let named = names.into_iter().map(|name| (name.to_owned(), "namespace".to_owned()));
    [all].into_iter().chain(named).collect()
}

/// Tenants, and all pods.
fn pods(cx: &Cx<'_>) -> Vec<(String, String)> {
    let ready = |t: &crate::cluster::Tenant| format!("{} of {} ready", t.ready(), t.desired());
    let tenants = cx.seen.tenants.values().map(|t| (t.name.to_string(), ready(t)));
    let pods = cx.seen.pods.values().map(|p| {
        (p.key.name.to_string(), format!("pod of {}, {}", p.key.namespace, cx.seen.state_of(p).word()))
    });
    tenants.chain(pods).collect()
}

/// The containers of a tenant or a pod.
fn containers(cx: &Cx<'_>, of: &str) -> Vec<(String, String)> {
    let tenant = cx.seen.tenants.get(&crate::cluster::TenantName::from(of));
    let pod =
        tenant.and_then(|t| t.pods.first()).or_else(|| cx.seen.pods.values().find(|p| *p.key.name == *of));
    let containers = pod.into_iter().flat_map(|pod| &pod.spec.containers);
    containers.map(|c| (c.name.to_string(), "container".to_owned())).collect()
}

impl CommandLine {
    /// A line that begins with that text, where the rows are in one of these orders.
    pub fn new(text: &str, orders: &'static [&'static str]) -> Self {
        Self { input: Input::new(text.to_owned()), orders, ..Self::default() }
    }

    /// Puts the line before or after it in the history in its place; after the newest comes what was typed. Returns whether
    /// there is one.
    pub fn recall(&mut self, history: &[String], earlier: bool) -> bool {
        let back = match earlier {
            true => (self.back + 1).min(history.len()),
            false => self.back.saturating_sub(1),
        };
        if back == self.back {
            return false;
        }
        if self.back == 0 {
            self.typed = self.input.value().to_owned();
        }
        self.back = back;
        let text = if back == 0 { &self.typed } else { &history[history.len() - back] };
        self.input = Input::new(text.clone());
        true
    }

    /// Finds out again what the last word could become.
    pub fn offer(&mut self, cx: &Cx<'_>, themes: &[String]) {
        self.chosen = None;
        let line = self.input.value();
        let words: Vec<&str> = line.split_whitespace().collect();
        let begun = line.is_empty() || line.ends_with(' ');
        let (done, last) = match (words.as_slice(), begun) {
            (all, true) => (all, ""),
            ([done @ .., last], false) => (done, *last),
            ([], false) => (&[] as &[&str], ""),
        };
        let all: Vec<(String, String)> = match done {
            [] => command::table()
                .iter()
                .filter(|e| {
                    !matches!(e.command, Command::Up | Command::Down | Command::CommandLine | Command::Escape)
                })
                .map(|e| (e.name.to_owned(), e.doc.to_owned()))
                .collect(),
            [name, rest @ ..] => match (command::by_name(name).map(|e| e.takes), rest) {
                (Some(Takes::Tenant | Takes::TenantNumber), []) => cx
                    .seen
                    .tenants
                    .values()
                    .map(|t| (t.name.to_string(), format!("{} of {} ready", t.ready(), t.desired())))
                    .collect(),
                (Some(Takes::Context), []) => contexts(cx),
                (Some(Takes::Namespace), []) => namespaces(cx),
                (Some(Takes::Pod | Takes::Ports), []) => pods(cx),
                (Some(Takes::Pod), [of]) => containers(cx, of),
                (Some(Takes::Node), []) => {
                    cx.seen.nodes.values().map(|n| (n.name.to_string(), n.state().to_string())).collect()
                }
                (Some(Takes::Run), []) => {
                    cx.runs.iter().map(|k| (k.run.short().to_owned(), crate::run::summary(&k.run))).collect()
                }
                (Some(Takes::MemberNumber), []) => {
                    let database = Database::of(cx.seen);
                    let members = database.iter().flat_map(|d| &d.members);
                    members.map(|row| (row.label.to_string(), row.role_words())).collect()
                }
                (Some(Takes::Server), []) => servers(cx, command::by_name(name).map(|e| e.command)),
                (Some(Takes::Theme), []) => themes.iter().map(|t| (t.clone(), "theme".to_owned())).collect(),
                (Some(Takes::Column), []) => self
                    .orders
                    .iter()
                    .map(|order| ((*order).to_owned(), "order of the rows".to_owned()))
                    .collect(),
                _ => Vec::new(),
            },
        };
        let lower = last.to_lowercase();
        let rank = |text: &str| {
            let text = text.to_lowercase();
            if text.starts_with(&lower) { Some(0) } else { text.contains(&lower).then_some(1) }
        };
        let mut ranked: Vec<_> = all.into_iter().filter_map(|o| Some((rank(&o.0)?, o))).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        // With nothing typed the places are what is wanted most.
        if done.is_empty() && last.is_empty() {
            let place = |name: &str| VIEWS.iter().any(|(_, c, _)| command::of(*c).name == name);
            ranked.sort_by_key(|(_, (name, _))| !place(name));
        }
        self.offers = ranked.into_iter().map(|(_, offer)| offer).take(100).collect();
    }

    /// What the command takes that is typed, where nothing is offered.
    fn takes(&self) -> String {
        let Some(name) = self.input.value().split_whitespace().next() else { return String::new() };
        match command::by_name(name) {
            Some(entry) => format!("{} {}  {}", entry.name, entry.takes.word(), entry.doc),
            None => format!("there is no command `{name}`"),
        }
    }

    /// Puts the next offer (or the one before) in the place of the last word.
    pub fn complete(&mut self, forward: bool) {
        let n = self.offers.len();
        if n == 0 {
            return;
        }
        let next = match (self.chosen, forward) {
            (None, true) => 0,
            (None, false) => n - 1,
            (Some(i), true) => (i + 1) % n,
            (Some(i), false) => (i + n - 1) % n,
        };
        let line = self.input.value();
        let start = line.rfind(' ').map_or(0, |i| i + 1);
        let text = format!("{}{}", &line[..start], self.offers[next].0);
        self.input = Input::new(text);
        self.chosen = Some(next);
    }

    /// Draws the offers above the status line, in as many lines however many there are: nothing jumps while one types.
    pub fn render(&self, pen: &mut Pen<'_>) {
        let screen = pen.area;
        let bottom = crate::ui::Parts::of(screen, false).status.y;
        let rows = (screen.height / 5 + 1).min(OFFERED).min(bottom.saturating_sub(screen.y));
        if rows == 0 {
            return;
        }
        let area = ratatui::layout::Rect { y: bottom - rows, height: rows, ..screen };
        let mut pen = pen.within(area);
        pen.ground(Role::Panel);
        if self.offers.is_empty() {
            pen.line(2, 0, pen.width().saturating_sub(3), &[piece(self.takes(), Role::Muted)]);
        }
        let first = self.chosen.unwrap_or(0).saturating_sub(usize::from(rows) - 1);
        let name = self.offers.iter().map(|(n, _)| format::width(n)).max().unwrap_or(0).clamp(8, 30);
        for (line, (i, (text, doc))) in
            self.offers.iter().enumerate().skip(first).take(rows.into()).enumerate()
        {
            let y = line as u16;
            pen.put(2, y, name, text, Role::Text);
            pen.line(name + 4, y, pen.width().saturating_sub(name + 5), &[piece(doc.as_str(), Role::Muted)]);
            if self.chosen == Some(i) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_after_the_newest_line_of_the_history() {
        let history = ["nodes".to_owned(), "scale acme 5".to_owned()];
        let mut line = CommandLine::new("ten", &[]);
        assert!(!line.recall(&[], true) && !line.recall(&history, false));
        let mut at = |earlier| (line.recall(&history, earlier), line.input.value().to_owned());
        assert_eq!(at(true), (true, "scale acme 5".into()));
        assert_eq!(at(true), (true, "nodes".into()));
        assert_eq!(at(true), (false, "nodes".into()), "there is no earlier one");
        assert_eq!(at(false), (true, "scale acme 5".into()));
        assert_eq!(at(false), (true, "ten".into()));
        assert_eq!(at(false), (false, "ten".into()));
    }
}
