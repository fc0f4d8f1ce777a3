//! The port-forwards that are open: from which port here to which port of which pod, and whether that works.

use crate::ui::{
    action::Action,
    command::Command,
    format,
    paint::{Pen, piece},
    theme::Role,
    view::{Cx, Forwarded, List, Place, View},
};

/// The port-forwards that are open.
#[derive(Default)]
pub struct Forwards {
    list: List<u64>,
}

impl Forwards {
    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(3)).max(1)
    }

    fn chosen<'a>(&self, cx: &Cx<'a>) -> Option<&'a Forwarded> {
        let id = self.list.selected()?;
        cx.forwards.iter().find(|one| one.id == *id)
    }
}

impl View for Forwards {
    fn place(&self) -> Place {
        Place::Forwards
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.list.settle(cx.forwards.len(), Self::page(cx), |i| cx.forwards[i].id);
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        self.list.hold();
        if self.list.go(command, cx.forwards.len(), Self::page(cx), |i| cx.forwards[i].id) {
            return None;
        }
        match command {
            Command::CloseForward => Some(match self.chosen(cx) {
                Some(one) => Action::CloseForward(one.id),
                None => Action::Say("no port-forward is open".into()),
            }),
            _ => None,
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        if cx.forwards.is_empty() {
            let pieces = [
                piece("no port-forward is open: ", Role::Muted),
                piece("F", Role::Key),
                piece(" on a tenant or a pod opens one", Role::Muted),
            ];
            pen.line(2, 1, width.saturating_sub(3), &pieces);
            return;
        }
        let name = (width / 3).clamp(12, 44);
        let (pod, port) = (25, 25 + name + 1);
        let state = port + 8;
        pen.put(2, 0, 22, "HERE", Role::Title);
        pen.put(pod, 0, name, "POD", Role::Title);
        pen.put_right(port + 5, 0, 5, "PORT", Role::Title);
        pen.put(state, 0, width.saturating_sub(state), "CONNECTIONS", Role::Title);
        for (y, i) in (1..).zip(self.list.window(cx.forwards.len(), Self::page(cx))) {
            let one = &cx.forwards[i];
            pen.put(2, y, 22, &one.address(), Role::Text);
            let all = cx.forwards.iter().map(|one| &*one.pod);
            pen.put(pod, y, name, &format::apart(&one.pod, all, name), Role::Text);
            pen.put_right(port + 5, y, 5, &one.port.to_string(), Role::Text);
            let (text, role) = match &one.trouble {
                Some(why) => (format!("▲ {why}"), Role::Warn),
                None => (one.open.to_string(), Role::Muted),
            };
            pen.put(state, y, width.saturating_sub(state + 1), &text, role);
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        // What was cut above is told whole.
        let trouble = self.chosen(cx).and_then(|one| one.trouble.as_deref());
        let bottom = pen.height().saturating_sub(2);
        for (y, line) in
            (bottom..).zip(format::wrap(trouble.unwrap_or_default(), width.saturating_sub(5)).iter().take(2))
        {
            pen.put(4, y, width.saturating_sub(5), line, Role::Warn);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        format::count(cx.forwards.len(), "port-forward")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let none = matches!(command, Command::CloseForward | Command::CopyName) && self.chosen(cx).is_none();
        none.then(|| "no port-forward is open".into())
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|_| "the port-forward".to_owned())
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        self.chosen(cx).map(Forwarded::address)
    }
}
