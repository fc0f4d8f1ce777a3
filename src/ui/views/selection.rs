//! Nodes chosen from a list: the one under the cursor, or the marked ones.

use super::marks::Marks;
use crate::{
    cluster::NodeName,
    plan::whatif::Loss,
    ui::{
        action::Action,
        command::Command,
        paint::Pen,
        theme::Role,
        view::{List, Place},
    },
};

/// A cursor among nodes, and marks.
#[derive(Default)]
pub(super) struct Selection {
    pub list: List<NodeName>,
    pub marks: Marks<NodeName>,
}

impl Selection {
    /// The nodes a command is about: the marked ones, or the one under the cursor.
    pub fn targets(&self) -> Vec<NodeName> {
        self.marks.targets(&self.list)
    }

    /// What happens if they are lost.
    pub fn if_lost(&self) -> Option<Action> {
        let nodes = self.targets();
        (!nodes.is_empty()).then_some(Action::Go(Place::WhatIf(nodes, Loss::Crash)))
    }

    /// Marks the node under the cursor, or takes its mark off, and goes on to the next.
    pub fn mark(&mut self, len: usize, page: usize, key: impl Fn(usize) -> NodeName) {
        self.marks.toggle(&mut self.list, len, page, key);
    }

    /// The signs of a row: marked, under the cursor.
    pub fn signs(&self, pen: &mut Pen<'_>, y: u16, node: &NodeName) {
        self.marks.sign(pen, y, node);
        if self.list.selected() == Some(node) {
            pen.tint_line(y, Role::Selection);
            pen.put(0, y, 1, "›", Role::Key);
        }
    }

    /// How many are marked, for the status line.
    pub fn words(&self) -> Option<String> {
        self.marks.words()
    }

    pub fn refuses(&self, command: Command) -> Option<String> {
        let about = matches!(command, Command::Open | Command::WhatIf | Command::Mark);
        (about && self.list.selected().is_none()).then(|| "no node is selected".into())
    }

    /// The names of the nodes a command is about, one a line.
    pub fn names(&self) -> Option<String> {
        let names: Vec<_> = self.targets().iter().map(NodeName::to_string).collect();
        (!names.is_empty()).then(|| names.join("\n"))
    }

    pub fn subject(&self) -> Option<String> {
        self.marks.subject(&self.list, "node")
    }
}
