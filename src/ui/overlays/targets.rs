//! Which node a pod goes to: all of them, those that do not take it with the reason.

use super::{keys, panel};
use crate::{
    cluster::{Key, TenantName},
    plan::{Check, rebalance::Targets},
    ui::{
        Command, format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List},
    },
};

/// Lines that tell the reason of the node under the cursor in full, with the one above them.
const FOOT: u16 = 3;

/// A pod that is to be moved, and the nodes.
pub struct Choice {
    /// Whose pod.
    pub tenant: TenantName,
    /// Which.
    pub pod: Key,
    /// What was found; `None`: it is being worked out.
    pub found: Option<Result<Targets, Check>>,
    list: List<usize>,
}

impl Choice {
    /// Nothing is known yet.
    pub fn new(tenant: TenantName, pod: Key) -> Self {
        Self { tenant, pod, found: None, list: List::default() }
    }

    /// Takes in what was worked out.
    pub fn came(&mut self, found: Result<Targets, Check>) {
        let len = found.as_ref().map_or(0, |targets| targets.nodes.len());
        self.found = Some(found);
        self.list.settle(len, 1, |i| i);
    }

    /// Moves the cursor.
    pub fn go(&mut self, command: Command) {
        let len = self.targets().map_or(0, |targets| targets.nodes.len());
        self.list.go(command, len, 10, |i| i);
    }

    fn targets(&self) -> Option<&Targets> {
        self.found.as_ref()?.as_ref().ok()
    }

    /// The move to the node under the cursor. The error says why it cannot be; `None`: there is none.
    pub fn chosen(&self) -> Option<Result<crate::plan::Intent, String>> {
        let targets = self.targets()?;
        let target = targets.nodes.get(self.list.index())?;
        Some(match &target.why_not {
            None => Ok(targets.to(target)),
            Some(why) => Err(format!("{} does not take it: {why}", target.node)),
        })
    }

    /// Draws it.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let lines = self.targets().map_or(4, |targets| targets.nodes.len() as u16 + 2 + FOOT);
        let title = format!("Move {} to", self.pod.name);
        let mut pen = panel(pen, 76, lines.saturating_add(4), &[piece(title, Role::Accent)], &[]);
        let (width, height) = (pen.width(), pen.height());
        let bottom = height.saturating_sub(1);
        match &self.found {
            None => {
                pen.put(0, 1, width, "asking every node whether it takes it …", Role::Busy);
            }
            Some(Err(check)) => {
                for (y, line) in (1..).zip(format::wrap(&format::plain(&check.text), width.saturating_sub(2)))
                {
                    pen.put(0, y, 2, if y == 1 { "✖" } else { "" }, Role::Danger);
                    pen.put(2, y, width, &line, Role::Text);
                }
            }
            Some(Ok(targets)) => self.nodes(&mut pen, cx, targets),
        }
        let can = self.chosen().is_some_and(|chosen| chosen.is_ok());
        pen.line(0, bottom, width, &keys(&[("⏎", "show the plan", can), ("esc", "cancel", true)]));
    }

    fn nodes(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, targets: &Targets) {
        let (width, height) = (pen.width(), pen.height());
        let name = (width / 4).clamp(8, 24);
        // Where each column ends.
        let (pods, free) = (2 + name + 7, 2 + name + 17);
        pen.put(2, 0, name, "NODE", Role::Title);
        pen.put_right(pods, 0, 6, "PODS", Role::Title);
        pen.put_right(free, 0, 9, "FREE", Role::Title);
        let x = free + 2;
        let room = width.saturating_sub(x);
        pen.put(x, 0, room, "WHY NOT", Role::Title);
        let foot = if height > 8 { FOOT } else { 0 };
        let page = usize::from(height.saturating_sub(2 + foot)).max(1);
        for (y, i) in (1..).zip(self.list.window(targets.nodes.len(), page)) {
            let target = &targets.nodes[i];
            let role = if target.why_not.is_some() { Role::Muted } else { Role::Text };
            pen.put(2, y, name, &cx.node_name(&target.node, name), role);
            let here = if target.pods == 0 { "·".to_owned() } else { target.pods.to_string() };
            pen.put_right(pods, y, 5, &here, role);
            pen.put_right(free, y, 9, &target.free.to_string(), role);
            match &target.why_not {
                None => pen.line(x, y, room, &[piece("✓ ", Role::Ok), piece("takes it", Role::Text)]),
                Some(why) => pen.put(x, y, room, why, Role::Warn),
            };
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        let target = targets.nodes.get(self.list.index());
        if let Some(why) = target.and_then(|t| t.why_not.as_ref()).filter(|_| foot > 0) {
            let lines = format::wrap(&format::plain(why), width.saturating_sub(2));
            for (y, line) in (height - foot..).zip(lines.iter().take(2)) {
                pen.put(2, y, width, line, Role::Warn);
            }
        }
    }
}
