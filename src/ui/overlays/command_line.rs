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
    pub back: usize,
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

    /// Draws the offers above the status line.
    pub fn render(&self, pen: &mut Pen<'_>) {
        let screen = pen.area;
        let bottom = crate::ui::Parts::of(screen, false).status.y;
        let rows = u16::try_from(self.offers.len().min(8)).unwrap_or(8).min(bottom.saturating_sub(screen.y));
        if rows == 0 {
            return;
        }
        let area = ratatui::layout::Rect { y: bottom - rows, height: rows, ..screen };
        let mut pen = pen.within(area);
        pen.ground(Role::Panel);
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
