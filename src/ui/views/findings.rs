//! Everything that is wrong, the worst first.

use super::{finding_line, nothing_yet};
use crate::{
    cluster::{Answer, Severity, Subject},
    ui::{
        action::Action,
        chrome,
        command::Command,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List, Place, View},
    },
};

/// Everything that is wrong.
#[derive(Default)]
pub struct Findings {
    list: List<(&'static str, Subject)>,
    filter: String,
    /// Places in the list of all findings.
    shown: Vec<(usize, (&'static str, Subject))>,
}

impl Findings {
    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(5)).max(1)
    }
}

impl View for Findings {
    fn place(&self) -> Place {
        Place::Findings
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let text = self.filter.to_lowercase();
        self.shown = cx
            .findings
            .iter()
            .enumerate()
            .filter(|(_, f)| {
                text.is_empty()
                    || format!(
                        "{} {} {} {}",
                        f.subject.name(),
                        super::database::label(cx, &f.subject),
                        f.text,
                        f.rule
                    )
                    .to_lowercase()
                    .contains(&text)
            })
            .map(|(i, f)| (i, (f.rule, f.subject.clone())))
            .collect();
        let (shown, page) = (&self.shown, self.page(cx));
        self.list.settle(shown.len(), page, |i| shown[i].1.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (shown, page) = (&self.shown, self.page(cx));
        if self.list.go(command, shown.len(), page, |i| shown[i].1.clone()) {
            return None;
        }
        match command {
            Command::Open => match &self.list.selected()?.1 {
                Subject::Tenant(name) => Some(Action::Go(Place::Tenant(name.clone()))),
                Subject::Node(name) => Some(Action::Go(Place::Node(name.clone()))),
                Subject::Member(name) => Some(Action::Go(Place::Member(name.clone()))),
                Subject::Proxy(name) => Some(Action::Go(Place::Proxy(name.clone()))),
                Subject::Source(name) if name == "galera" || name == "proxysql" => {
                    Some(Action::Go(Place::Database))
                }
                Subject::Source(name) => {
                    Some(Action::Say(format!("{name}: what depends on it may be old or missing")))
                }
            },
            Command::Recovery => Some(Action::Go(Place::Recovery)),
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
            let (sign, text) = if cx.findings.is_empty() {
                ("✓ ", "nothing is wrong")
            } else {
                ("", "no finding matches the filter")
            };
            pen.line(2, 1, pen.width(), &[piece(sign, Role::Ok), piece(text, Role::Muted)]);
            return;
        }
        let width = pen.width();
        let name = if width < 100 { 16 } else { 26 };
        let foot = 4;
        let page = usize::from(pen.height().saturating_sub(foot + 1)).max(1);
        pen.put(4, 0, name, "ABOUT", Role::Title);
        pen.put(5 + name, 0, width, "WHAT IS WRONG", Role::Title);
        pen.put_right(width.saturating_sub(13), 0, 5, "FOR", Role::Title);
        for (line, i) in self.list.window(self.shown.len(), page).enumerate() {
            let Some(finding) = cx.findings.get(self.shown[i].0) else { continue };
            let y = line as u16 + 1;
            finding_line(pen, y, width.saturating_sub(13), finding, cx, name);
            let word = match finding.answer {
                Some(Answer::Scale) => "scale it",
                Some(Answer::Open) => "look at it",
                Some(Answer::Node) => "see node",
                Some(Answer::Database) => "database",
                Some(Answer::Recovery) => "R recovery",
                Some(act) => super::database::act_word(act),
                None => "",
            };
            pen.put_right(width.saturating_sub(1), y, 11, word, Role::Faint);
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        // The whole of the selected one: the line above may have been cut.
        if let Some(finding) = self.shown.get(self.list.index()).and_then(|(i, _)| cx.findings.get(*i))
            && pen.height() > foot + 2
        {
            let y = pen.height() - foot + 1;
            let doc = crate::cluster::RULES.iter().find(|r| r.name == finding.rule).map_or("", |r| r.doc);
            let severity = match finding.severity {
                Severity::Critical => "hurts users now",
                Severity::Warning => "hurts with the next failure",
                Severity::Notice => "worth knowing",
            };
            let role = chrome::role(Some(finding.severity));
            pen.put(4, y, width.saturating_sub(5), &finding.text, Role::Text);
            pen.line(
                4,
                y + 1,
                width.saturating_sub(5),
                &[piece(severity, role), piece(format!("   {doc}"), Role::Muted)],
            );
            if let Some(remedy) = &finding.remedy {
                let remedy = [piece("→ ", Role::Key), piece(&**remedy, Role::Text)];
                pen.line(4, y + 2, width.saturating_sub(5), &remedy);
            }
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let all = cx.findings.len();
        if self.filter.is_empty() {
            format::count(all, "finding")
        } else {
            format!("{} of {all} · like “{}”", self.shown.len(), self.filter)
        }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let lost = || cx.findings.iter().any(|f| f.answer == Some(Answer::Recovery));
        if command == Command::Recovery && !lost() {
            return Some(
                "the database has its quorum, or none is configured: nothing is to be recovered".into(),
            );
        }
        (command == Command::Open && self.list.selected().is_none()).then(|| "nothing is selected".into())
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|(_, subject)| subject.name().to_owned())
    }

    fn filter(&mut self) -> Option<&mut String> {
        Some(&mut self.filter)
    }
}
