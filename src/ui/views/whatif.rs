//! What happens if nodes are lost now: who is down, who loses half its headroom, which pods find no node and why,
//! and what a drain cannot evict.

use super::{not_known, scroll::Scroll};
use crate::{
    cluster::{NodeName, Severity},
    plan::whatif::{Loss, WhatIf},
    ui::{
        action::Action,
        chrome,
        command::Command,
        format,
        outlook::Question,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Place, View, Wants},
    },
};

/// What happens if nodes are lost.
pub struct WhatIfView {
    nodes: Vec<NodeName>,
    loss: Loss,
    scroll: Scroll,
}

/// Lines above what is told.
const TOP: u16 = 3;

impl WhatIfView {
    /// The view of the loss of these nodes.
    pub fn new(nodes: Vec<NodeName>, loss: Loss) -> Self {
        Self { nodes, loss, scroll: Scroll::default() }
    }

    fn question(&self) -> Question {
        Question::WhatIf(self.nodes.clone(), self.loss)
    }

    fn answer<'a>(&self, cx: &Cx<'a>) -> Option<&'a WhatIf> {
        let outlook = cx.outlook?;
        outlook.what_if.as_ref().filter(|_| outlook.question == Some(self.question()))
    }

    /// What is told, wrapped: the sign stands at the first line of each sentence.
    fn lines(&self, answer: &WhatIf, width: u16) -> Vec<(Option<Option<Severity>>, String)> {
        let mut lines = Vec::new();
        for told in answer.told() {
            let text = format::plain(&told.text).into_owned();
            for (i, line) in format::wrap(&text, width).into_iter().enumerate() {
                lines.push(((i == 0).then_some(told.severity), line));
            }
        }
        lines
    }

    fn most(&self, cx: &Cx<'_>) -> usize {
        let page = usize::from(cx.size.1.saturating_sub(TOP));
        let lines = self.answer(cx).map_or(0, |a| self.lines(a, room(cx.size.0)).len());
        lines.saturating_sub(page)
    }
}

fn room(width: u16) -> u16 {
    width.saturating_sub(6).max(1)
}

/// The counts in one line.
fn summary(w: &WhatIf) -> String {
    let mut words = vec![format!("{} down", format::count(w.down.len(), "tenant"))];
    words.push(format!("{} halved", w.halved.len()));
    words.push(format!("{} pending", format::count(w.pending.len(), "pod")));
    if w.loss == Loss::Crash {
        words.push(format!("{} stuck", w.stuck.len()));
        if !w.lone.is_empty() {
            words.push(format!("{} lost", w.lone.len()));
        }
    } else {
        words.push(format!("{} not evicted", w.blocked.len()));
    }
    words.join(" · ")
}

impl View for WhatIfView {
    fn place(&self) -> Place {
        Place::WhatIf(self.nodes.clone(), self.loss)
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.scroll.settle(self.most(cx));
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        if command == Command::Loss {
            self.loss = if self.loss == Loss::Crash { Loss::Drain } else { Loss::Crash };
            self.scroll = Scroll::default();
        }
        self.scroll.go(command, cx.size.1, self.most(cx));
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let other = if self.loss == Loss::Crash { "if drained" } else { "if it fails" };
        let start = pen.line_right(
            width.saturating_sub(1),
            0,
            14,
            &[piece("d ", Role::Key), piece(other, Role::Muted)],
        );
        if let Some(why) = cx.outlook.and_then(|o| o.unknown.as_ref()) {
            not_known(pen, 0, why);
            return;
        }
        let Some(answer) = self.answer(cx) else {
            let names: Vec<_> = self.nodes.iter().map(NodeName::as_str).collect();
            let text = format!("working out the loss of {} …", names.join(", "));
            pen.put(1, 0, start.saturating_sub(3), &text, Role::Busy);
            return;
        };
        let heading = answer.heading();
        let mut head = vec![piece(heading, Role::Accent)];
        if let Some(age) = cx.outdated() {
            head.push(piece(format!("   as of {age} ago"), Role::Warn));
        }
        pen.line(1, 0, start.saturating_sub(3), &head);
        let left = answer.pending.len() + answer.stuck.len() + answer.lone.len();
        let harm = !answer.down.is_empty() || left > 0;
        let tone = if harm { Role::Danger } else { Role::Muted };
        pen.put(3, 1, width.saturating_sub(4), &summary(answer), tone);
        let page = usize::from(pen.height().saturating_sub(TOP));
        let lines = self.lines(answer, room(width));
        for (i, (sign, text)) in lines.into_iter().skip(self.scroll.0).take(page).enumerate() {
            let y = TOP + i as u16;
            if let Some(severity) = sign {
                let glyph = chrome::glyph(severity);
                pen.put(
                    3,
                    y,
                    1,
                    glyph,
                    if severity.is_some() { chrome::role(severity) } else { Role::Faint },
                );
            }
            pen.put(5, y, width.saturating_sub(6), &text, Role::Text);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        self.scroll.below(self.most(cx))
    }

    fn subject(&self) -> Option<String> {
        Some(match self.nodes.as_slice() {
            [one] => one.to_string(),
            many => format::count(many.len(), "node"),
        })
    }

    fn wants(&self, _: &Cx<'_>) -> Wants {
        Wants { question: Some(self.question()), ..Wants::default() }
    }
}
