//! Everything that is wrong, the worst first.

use std::cmp::Reverse;

use ratatui::layout::Rect;

use super::{
    about, answers, beside, counted, finding_line, is_wide, marks::Marks, node::carried, nothing_wrong,
    nothing_yet, pods, side, with_remedy,
};
use crate::{
    cluster::{Answer, Finding, Subject, left_over},
    plan::{Intent, rebalance::Aim},
    ui::{
        action::Action,
        chrome,
        command::{self, Command},
        filter::{Fields, Filter, Of},
        format::{self, natural},
        paint::{Pen, Piece, piece},
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// Everything that is wrong.
#[derive(Default)]
pub struct Findings {
    list: List<(&'static str, Subject)>,
    filter: Filter,
    order: usize,
    marks: Marks<(&'static str, Subject)>,
    /// Places in the list of all findings.
    shown: Vec<(usize, (&'static str, Subject))>,
}

impl Findings {
    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(foot(cx.size) + 1)).max(1)
    }

    fn keeps(&self, cx: &Cx<'_>, finding: &Finding) -> bool {
        let Finding { subject, text, rule, severity, .. } = finding;
        let about = || format!("{} {}", subject.name(), super::database::label(cx, subject));
        self.filter.is_empty()
            || self.filter.keeps(&format!("{} {text} {rule}", about()), |of| match of {
                Of::Column("about") => Some(about()),
                Of::Column("rule") => Some((*rule).to_owned()),
                Of::Column("severity") => Some(severity.word().to_owned()),
                _ => None,
            })
    }

    /// The one under the cursor.
    fn finding<'a>(&self, cx: &Cx<'a>) -> Option<&'a Finding> {
        self.shown.get(self.list.index()).and_then(|(i, _)| cx.findings.get(*i))
    }
}

/// The orders of the findings; by age the newest come first.
const ORDERS: [&str; 4] = ["worst", "about", "age", "rule"];

static FIELDS: Fields = Fields { columns: &["about", "rule", "severity"], labels: false };

const FOLLOWS_FROM_NOTHING: &str = "it follows from nothing else that is known";

/// Lines for the whole of the selected one below the list, with the one above them.
fn foot((width, height): (u16, u16)) -> u16 {
    match height {
        _ if is_wide(width) => 0,
        ..8 => 0,
        _ => (height * 2 / 5).clamp(4, if height < 30 { 6 } else { 10 }),
    }
}

/// Lines below which the meaning of a rule is not told.
const LONG: u16 = 9;

/// The whole of the selected one, since its line may have been cut: what is wrong, what answers it, and what the rule
/// means. The last gives way first. Returns how many lines it took.
fn whole(pen: &mut Pen<'_>, finding: &Finding) -> u16 {
    let (x, width, room) = (4, pen.width().saturating_sub(5), pen.height());
    let wrapped = |text: &str, columns: u16| format::wrap(&format::plain(text), columns);
    let text = wrapped(&finding.text, width);
    let remedy = finding.remedy.as_deref().map(|remedy| wrapped(remedy, width.saturating_sub(2)));
    let rule = crate::cluster::RULES.iter().find(|r| r.name == finding.rule).map_or("", |r| r.doc);
    let severity = finding.severity.word();
    let mut lines: Vec<Vec<Piece<'_>>> = text.into_iter().map(|line| vec![piece(line, Role::Text)]).collect();
    for (i, line) in remedy.into_iter().flatten().enumerate() {
        let arrow = if i == 0 { "→ " } else { "  " };
        lines.push(vec![piece(arrow, Role::Key), piece(line, Role::Text)]);
    }
    // On a small screen the name of the rule stands for what it means: each step of the cursor sends it.
    let means = match room < LONG {
        true => vec![format!("{severity} · rule {}", finding.rule)],
        false => wrapped(&format!("{severity} · {rule}"), width),
    };
    for (i, line) in means.into_iter().enumerate() {
        let role = chrome::role(Some(finding.severity));
        lines.push(match line.strip_prefix(severity).filter(|_| i == 0) {
            Some(rest) => vec![piece(severity, role), piece(rest.to_owned(), Role::Muted)],
            None => vec![piece(line, Role::Muted)],
        });
    }
    for (y, line) in (0..room).zip(&lines) {
        pen.line(x, y, width, line);
    }
    lines.len() as u16
}

/// Beside the list: the selected one whole, and below it the tenant or the node it is about.
fn detail(pen: &mut Pen<'_>, cx: &Cx<'_>, finding: &Finding) {
    pen.put(4, 0, pen.width().saturating_sub(5), &about(cx, &finding.subject, pen.width()), Role::Accent);
    let area = pen.area;
    let below = |lines: u16| Rect {
        y: area.y.saturating_add(lines),
        height: area.height.saturating_sub(lines),
        ..area
    };
    let taken = whole(&mut pen.within(below(1)), finding) + 3;
    if taken + ABOUT > area.height {
        return;
    }
    let mut pen = pen.within(below(taken));
    match &finding.subject {
        Subject::Tenant(name) => {
            if let Some(tenant) = cx.seen.tenants.get(name) {
                pods::aside(&mut pen, cx, tenant);
            }
        }
        Subject::Node(name) => carried::hit(&mut pen, cx, name),
        _ => {}
    }
}

/// Lines for what a finding is about.
const ABOUT: u16 = 12;

impl View for Findings {
    fn place(&self) -> Place {
        Place::Findings
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.shown = cx
            .findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| self.keeps(cx, finding))
            .map(|(i, f)| (i, (f.rule, f.subject.clone())))
            .collect();
        // They come the worst first, causes above what follows from them.
        let of = |i: &usize| &cx.findings[*i];
        match ORDERS[self.order % ORDERS.len()] {
            "about" => {
                self.shown.sort_by(|(a, _), (b, _)| natural(of(a).subject.name(), of(b).subject.name()))
            }
            "age" => {
                let since = |i: &usize| of(i).since.or(of(i).seen_since);
                self.shown.sort_by_key(|(i, _)| (since(i).is_none(), Reverse(since(i))));
            }
            "rule" => self.shown.sort_by_key(|(i, _)| of(i).rule),
            _ => {}
        }
        let there = |key: &(&'static str, Subject)| {
            cx.findings.iter().any(|finding| finding.rule == key.0 && finding.subject == key.1)
        };
        self.marks.keep(there);
        let (shown, page) = (&self.shown, self.page(cx));
        self.list.settle(shown.len(), page, |i| shown[i].1.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (shown, page) = (&self.shown, self.page(cx));
        self.list.hold();
        if self.list.go(command, shown.len(), page, |i| shown[i].1.clone()) {
            return None;
        }
        match command {
            Command::Mark => {
                self.marks.toggle(&mut self.list, shown.len(), page, |i| shown[i].1.clone());
                None
            }
            Command::Open => answers::place(&self.list.selected()?.1),
            Command::Cause => {
                let Some(cause) = self.finding(cx)?.because.clone() else {
                    return Some(Action::Say(FOLLOWS_FROM_NOTHING.into()));
                };
                // Its own line where that is shown, else the thing itself.
                let shown = &self.shown;
                match shown.iter().position(|(_, (_, subject))| *subject == cause) {
                    Some(at) => {
                        self.list.put(at, shown.len(), page, |i| shown[i].1.clone());
                        None
                    }
                    None => answers::place(&cause),
                }
            }
            Command::Recovery => Some(Action::Go(Place::Recovery)),
            Command::Rebalance => {
                Some(Action::Aim(Aim::Rebalance { nodes: Vec::new(), tenants: Vec::new() }))
            }
            Command::Undrain | Command::DeletePod => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let finding = self.finding(cx)?;
                match (&finding.subject, command) {
                    (Subject::Node(node), Command::Undrain) => {
                        Some(Action::Aim(Aim::Undrain { node: node.clone() }))
                    }
                    (Subject::Tenant(tenant), _) => {
                        let pod = left_over(cx.seen, tenant)?.key.clone();
                        Some(Action::Plan(Intent::DeletePod { pod }))
                    }
                    _ => None,
                }
            }
            Command::Escape => {
                self.filter.clear();
                self.refresh(cx);
                None
            }
            _ => None,
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        if cx.findings.is_empty() && nothing_yet(pen, cx) {
            return;
        }
        if self.shown.is_empty() {
            match cx.findings.is_empty() {
                true => {
                    let area = pen.area;
                    let height = area.height.saturating_sub(1);
                    nothing_wrong(&mut pen.within(Rect { y: area.y + 1, height, ..area }), cx);
                }
                false => _ = pen.put(2, 1, pen.width(), "no finding matches the filter", Role::Muted),
            }
            return;
        }
        let screen = pen.area;
        let (list, aside) = beside(screen, side(screen.width));
        let selected = self.shown.get(self.list.index()).and_then(|(i, _)| cx.findings.get(*i));
        if let (Some(area), Some(finding)) = (aside, selected) {
            detail(&mut pen.within(area), cx, finding);
        }
        let foot = foot((screen.width, screen.height));
        if let (true, Some(finding)) = (foot > 1, selected) {
            let area = Rect { y: screen.bottom() - (foot - 1), height: foot - 1, ..screen };
            whole(&mut pen.within(area), finding);
        }
        let mut pen = pen.within(list);
        let width = pen.width();
        let name = if width < 100 { 16 } else { 26 };
        let page = self.page(cx);
        pen.put(4, 0, name, "ABOUT", Role::Title);
        pen.put(5 + name, 0, width, "WHAT IS WRONG", Role::Title);
        pen.put_right(width.saturating_sub(13), 0, 5, "FOR", Role::Title);
        for (line, i) in self.list.window(self.shown.len(), page).enumerate() {
            let Some(finding) = cx.findings.get(self.shown[i].0) else { continue };
            let y = line as u16 + 1;
            finding_line(&mut pen, y, width.saturating_sub(13), finding, cx, name);
            if let Some((word, _)) = answers::of_finding(cx, finding) {
                let here = self.list.index() == i;
                // It is about the selected one, as every key of a list is.
                let own = answers::own_key(cx, finding).unwrap_or(Command::Answer);
                let key = format!("{} ", command::sign(own));
                // Few tones in a row: each costs bytes on every step of the cursor.
                let key_tone = if here { Role::Key } else { Role::Muted };
                let label = [piece(key, key_tone), piece(word, Role::Muted)];
                pen.line_right(width.saturating_sub(1), y, 12, &label);
            }
            self.marks.sign(&mut pen, y, &self.shown[i].1);
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let counted =
            counted(self.shown.len(), cx.findings.len(), "finding", &self.filter, &ORDERS, self.order);
        self.marks.words().into_iter().chain([counted]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        if command == Command::Recovery {
            return answers::nothing_to_recover(cx);
        }
        let answer = self.finding(cx).and_then(|f| f.answer);
        if command == Command::Undrain && answer != Some(Answer::Undrain) {
            return Some("no finding about a drained node is selected".into());
        }
        if command == Command::DeletePod && answer != Some(Answer::DeletePod) {
            return Some("no finding about a pod that is left over is selected".into());
        }
        if command == Command::Cause && self.finding(cx).is_some_and(|finding| finding.because.is_none()) {
            return Some(FOLLOWS_FROM_NOTHING.into());
        }
        match (command, self.list.selected()) {
            (Command::Open | Command::Mark | Command::Cause, None) => Some("nothing is selected".into()),
            (Command::Open, Some((_, subject))) if answers::place(subject).is_none() => {
                Some(format!("{} has no screen: all that is known of it is told here", subject.name()))
            }
            _ => None,
        }
    }

    /// What no finding of the list is answered by has no place in the bar; where another row has it, it is dimmed.
    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        let any =
            |is: fn(&Finding) -> bool| self.shown.iter().any(|(i, _)| cx.findings.get(*i).is_some_and(is));
        !match command {
            Command::Recovery => answers::nothing_to_recover(cx).is_none(),
            Command::Undrain => any(|finding| finding.answer == Some(Answer::Undrain)),
            Command::DeletePod => any(|finding| finding.answer == Some(Answer::DeletePod)),
            Command::Cause => any(|finding| finding.because.is_some()),
            Command::Open => any(|finding| answers::place(&finding.subject).is_some()),
            Command::Mark => !self.shown.is_empty(),
            _ => true,
        }
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        answers::of_finding(cx, self.finding(cx)?)
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|(_, subject)| subject.name().to_owned())
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        let of = |(rule, subject): &(&'static str, Subject)| {
            cx.findings.iter().find(|finding| finding.rule == *rule && finding.subject == *subject)
        };
        let lines = self.marks.or_selected(&self.list).filter_map(of);
        let line = |finding: &Finding| {
            let line = format!("{}: {}", super::database::label(cx, &finding.subject), finding.text);
            with_remedy(line, finding.remedy.as_deref())
        };
        Some(lines.map(line).collect::<Vec<_>>().join("\n"))
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
