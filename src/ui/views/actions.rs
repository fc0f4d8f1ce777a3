//! The action log: every request that changed anything, the newest first.
//!
//! ```text
//!  TIME         OPERATOR  ABOUT      WHAT                        RESULT
//!  29 Nov 03:12 alice     acme       scale acme 2 → 3            ✓ done
//! ```

use super::{counted, heading, marks::Marks};
use crate::{
    run::{Acted, Came, actions},
    ui::{
        action::Action,
        command::Command,
        filter::{Fields, Filter, Of},
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Lens, List, Place, View, Wants},
    },
};

/// The orders of the actions.
const ORDERS: [&str; 5] = ["newest", "operator", "about", "result", "what"];

static FIELDS: Fields = Fields { columns: &["operator", "about", "result", "run", "reason"], labels: false };

/// Lines below the list: the selected action whole.
const FOOT: u16 = 7;
/// Fewer lines do not hold it.
const LEAST: u16 = 5;

/// The action log.
#[derive(Default)]
pub struct Actions {
    list: List<String>,
    marks: Marks<String>,
    filter: Filter,
    order: usize,
    shown: Vec<Acted>,
    all: usize,
}

fn column(acted: &Acted, of: Of<'_>) -> Option<String> {
    let Of::Column(name) = of else { return None };
    match name {
        "operator" => Some(acted.operator.clone()),
        "about" => Some(acted.about.clone()),
        "result" => Some(acted.result.word().to_owned()),
        "run" => acted.run.clone(),
        "reason" => acted.reason.clone(),
        _ => None,
    }
}

fn words(acted: &Acted) -> String {
    let Acted { operator, about, what, text, .. } = acted;
    let run = acted.run.as_deref().unwrap_or_default();
    let reason = acted.reason.as_deref().unwrap_or_default();
    format!("{operator} {about} {what} {} {text} {run} {reason}", acted.result.word())
}

/// The glyph and role of a result.
fn sign(result: Came) -> (&'static str, Role) {
    match result {
        Came::Done => ("✓", Role::Ok),
        Came::UnderWay => ("▸", Role::Busy),
        Came::Failed => ("✖", Role::Danger),
        Came::Unknown => ("?", Role::Warn),
    }
}

impl Actions {
    fn selected(&self) -> Option<&Acted> {
        let id = self.list.selected()?;
        self.shown.iter().find(|acted| acted.id == *id)
    }

    fn foot(height: u16) -> u16 {
        FOOT.min(height.saturating_sub(4))
    }

    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(1 + Self::foot(cx.size.1))).max(1)
    }
}

impl View for Actions {
    fn place(&self) -> Place {
        Place::Actions
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let audit = cx.detail.audit.as_ref().and_then(|audit| audit.as_ref().ok());
        let lines = audit.map_or(&[][..], |audit| &audit.lines);
        let mut all = actions(cx.runs, cx.campaigns, lines, cx.seen);
        self.all = all.len();
        all.retain(|acted| {
            self.filter.is_empty() || self.filter.keeps(&words(acted), |of| column(acted, of))
        });
        match ORDERS[self.order % ORDERS.len()] {
            "operator" => all.sort_by(|a, b| a.operator.cmp(&b.operator)),
            "about" => all.sort_by(|a, b| a.about.cmp(&b.about)),
            "result" => all.sort_by_key(|acted| acted.result),
            "what" => all.sort_by(|a, b| a.what.cmp(&b.what)),
            _ => {}
        }
        self.shown = all;
        let known = &self.shown;
        self.marks.keep(|id| known.iter().any(|acted| acted.id == *id));
        let shown = &self.shown;
        self.list.settle(shown.len(), Self::page(cx), |i| shown[i].id.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let shown = &self.shown;
        if self.list.go(command, shown.len(), Self::page(cx), |i| shown[i].id.clone()) {
            return None;
        }
        if command == Command::Mark {
            self.marks.toggle(&mut self.list, shown.len(), Self::page(cx), |i| shown[i].id.clone());
            return None;
        }
        if command == Command::Open {
            let acted = self.selected()?;
            return Some(match &acted.run {
                Some(run) if cx.runs.iter().any(|known| known.run.id == *run) => {
                    Action::Go(Place::Run(run.clone()))
                }
                Some(run) => Action::Say(format!(
                    "the journal of run {} is gone: the audit file of this machine is all that tells of it",
                    format::short_run(run)
                )),
                None => Action::Say("this was no run".into()),
            });
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let narrow = width < 100;
        // Time, operator, about, what, result: where each begins.
        let operator = 17;
        let about = operator + if narrow { 9 } else { 18 };
        let what = about + if narrow { 12 } else { 20 };
        let result = width.saturating_sub(12).max(what);
        heading(pen, 4, 0, "TIME");
        heading(pen, operator, 0, "OPERATOR");
        heading(pen, about, 0, "ABOUT");
        heading(pen, what, 0, "WHAT");
        heading(pen, result, 0, "RESULT");
        for (y, i) in (1..).zip(self.list.window(self.shown.len(), Self::page(cx))) {
            let acted = &self.shown[i];
            let (glyph, role) = sign(acted.result);
            pen.put(2, y, 1, glyph, role);
            pen.put(4, y, 12, &acted.time.strftime("%d %b %H:%M").to_string(), Role::Muted);
            let who = match acted.operator.split_once('@') {
                Some((name, _)) if narrow => name,
                _ => &acted.operator,
            };
            pen.put(operator, y, about - operator - 1, who, Role::Muted);
            pen.put(about, y, what - about - 1, &acted.about, Role::Text);
            pen.put(what, y, result.saturating_sub(what + 1), &acted.what, Role::Text);
            pen.put(result, y, width.saturating_sub(result), acted.result.word(), role);
            if self.list.selected() == Some(&acted.id) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
            self.marks.sign(pen, y, &acted.id);
        }
        if self.shown.is_empty() {
            let text = match cx.seen.journals.freshness.trouble() {
                _ if !self.filter.is_empty() => "no action matches the filter  esc shows all".to_owned(),
                Some(why) => format!("the journals cannot be read: {why}"),
                None => "nothing was changed from a wheelhouse yet".to_owned(),
            };
            pen.put(4, 2, width.saturating_sub(5), &text, Role::Muted);
        }
        self.tell(pen, cx);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let audit = match &cx.detail.audit {
            Some(Err(why)) => Some(why.clone()),
            Some(Ok(audit)) if audit.unread > 0 => {
                Some(format!("{} of the audit file cannot be read", format::count(audit.unread, "line")))
            }
            Some(Ok(audit)) if audit.cut => Some("older lines of the audit file are not read".into()),
            _ => None,
        };
        let counted = counted(self.shown.len(), self.all, "action", &self.filter, &ORDERS, self.order);
        self.marks.words().into_iter().chain(audit).chain([counted]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, _cx: &Cx<'_>) -> Option<String> {
        match command {
            Command::Open | Command::CopyName if self.selected().is_none() => {
                Some("no action is selected".into())
            }
            Command::Open if self.selected().is_some_and(|acted| acted.run.is_none()) => {
                Some("this was no run".into())
            }
            Command::CopyName if self.copied(_cx).is_none() => {
                Some("no line of kubectl or SQL does the same".into())
            }
            _ => None,
        }
    }

    fn wants(&self, _: &Cx<'_>) -> Wants {
        Wants { audit: true, ..Wants::default() }
    }

    fn subject(&self) -> Option<String> {
        self.selected().map(|acted| acted.what.clone())
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        let of = |id: &String| self.shown.iter().find(|acted| acted.id == *id);
        let acted = self.marks.or_selected(&self.list).filter_map(of);
        let lines: Vec<_> = acted.flat_map(Acted::lines).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }
}

impl Actions {
    /// The selected action whole, below the list: what was cut there, why it was done, and its line.
    fn tell(&self, pen: &mut Pen<'_>, _cx: &Cx<'_>) {
        let foot = Self::foot(pen.height());
        let Some(acted) = self.selected().filter(|_| foot >= LEAST) else { return };
        let (top, room) = (pen.height() - foot + 1, pen.width().saturating_sub(5));
        let run = acted.run.as_deref().map(|run| format!("run {}, ", format::short_run(run)));
        let by = acted.user.as_deref().map_or(String::new(), |user| format!(" as {user}"));
        let head = format!(
            "{}  {}{}{by}: {}",
            format::time(acted.time),
            run.unwrap_or_default(),
            acted.operator,
            acted.what
        );
        let came = match acted.text.as_str() {
            "" => acted.result.word().to_owned(),
            text => format!("{}: {text}", acted.result.word()),
        };
        let lines = acted.lines();
        let more = if lines.len() > 1 { format!("   and {} more", lines.len() - 1) } else { String::new() };
        let line =
            lines.first().map_or_else(|| "no line of kubectl does the same".into(), |l| format!("{l}{more}"));
        let reason = acted.reason.as_deref().unwrap_or("no reason was given");
        // Two lines each at most, so that the line to copy is always there.
        let told = [
            ("", head, Role::Text),
            ("result  ", came, sign(acted.result).1),
            ("reason  ", reason.into(), Role::Text),
            ("line    ", line, Role::Accent),
        ];
        let mut y = top;
        for (i, (title, text, role)) in told.iter().enumerate() {
            let columns = room.saturating_sub(format::width(title));
            let wrapped = format::wrap(&format::plain(text), columns);
            let left = pen.height().saturating_sub(y) as usize;
            let most = left.saturating_sub(told.len() - 1 - i).min(2);
            for (j, line) in wrapped.iter().take(most).enumerate() {
                let last = j + 1 == most && wrapped.len() > most;
                let line = if last { wrapped[j..].join(" ") } else { line.clone() };
                let title = if j == 0 { (*title).to_owned() } else { " ".repeat(title.len()) };
                pen.line(4, y, room, &[piece(title, Role::Muted), piece(line, *role)]);
                y += 1;
            }
        }
    }
}
