//! The selected node below the table, on a screen that has the room: whom it carries, and whom its loss would hit.

use ratatui::layout::Rect;

use super::{
    super::{beside, node::carried, side},
    Nodes, foot,
};
use crate::ui::{paint::Pen, theme::Role, view::Cx};

/// Lines without which it is left out.
const LEAST: u16 = 12;

impl Nodes {
    /// Draws it below as many lines as there are nodes, shown or not: nothing moves while a filter is typed.
    pub(super) fn below(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let Some(node) = self.selection.list.selected() else { return };
        let top = u16::try_from(cx.seen.nodes.len()).unwrap_or(u16::MAX).saturating_add(3);
        let height = pen.height().saturating_sub(foot(cx.size)).saturating_sub(top);
        let area = Rect { y: pen.area.y.saturating_add(top), height, ..pen.area };
        let (list, Some(detail)) = beside(area, side(area.width)) else { return };
        if height < LEAST {
            return;
        }
        let mut of_list = pen.within(list);
        carried::headings(&mut of_list, 0);
        let all = carried::carried(cx, node);
        let room = usize::from(height - 1);
        // The last line says how many more there are.
        let shown = if all.len() > room { room - 1 } else { all.len() };
        for (of, y) in all[..shown].iter().zip(1..) {
            carried::line(&mut of_list, y, cx, node, of);
        }
        let rest = match all.len() - shown {
            0 if all.is_empty() => "no tenant has a pod here".to_owned(),
            0 => String::new(),
            more => format!("and {more} more"),
        };
        of_list.put(4, shown as u16 + 1, list.width, &rest, Role::Muted);
        carried::hit(&mut pen.within(detail), cx, node);
    }
}
