//! The table: one row a tenant.

use super::{
    Tenants,
    columns::{self, Cells, Columns},
    rows::Row,
};
use crate::{
    cluster::{Chain, NodeName, Outside, Severity},
    ui::{
        chrome, format,
        paint::{Pen, piece},
        parts::cell,
        theme::Role,
        view::Cx,
    },
};

impl Tenants {
    pub(super) fn table(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let names: Vec<&str> = self.rows.nodes.iter().map(NodeName::as_str).collect();
        let columns = Columns::fit(pen.width(), &names, &self.rows.short, cx.seen.around.looks());
        columns.heading(pen, (&names, &self.rows.short), &self.rows.states, self.sort());
        let body = usize::from(pen.height().saturating_sub(1));
        for (line, i) in self.list.window(self.shown.len(), body).enumerate() {
            let y = line as u16 + 1;
            let row = &self.rows.all[self.shown[i]];
            let selected = self.list.selected() == Some(row.name());
            self.row(pen, y, cx, row, &columns);
            self.marks.sign(pen, y, row.name());
            if selected {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.shown.is_empty() {
            let absent = cx
                .seen
                .absent_namespace()
                .map(|namespace| format!("there is no namespace {namespace}: nothing is seen"));
            let (what, hint) = match (self.rows.all.is_empty(), self.faults) {
                _ if absent.is_some() => (absent.as_deref().unwrap_or_default(), ""),
                (true, _) => ("no tenants here: no workload matches the rule that finds them", ""),
                (_, true) => ("no tenant has a fault", "  ! shows all"),
                _ => ("no tenant matches the filter", "  esc shows all"),
            };
            let width = pen.width().saturating_sub(4);
            pen.line(4, 2, width, &[piece(what, Role::Muted), piece(hint, Role::Faint)]);
        }
    }

    fn row(&self, pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, row: &Row, c: &Columns) {
        let facts = &row.facts;
        let tone = chrome::role(row.worst);
        let calm = row.worst.is_none_or(|s| s == Severity::Notice);
        pen.put(
            2,
            y,
            1,
            if row.worst.is_some() { chrome::glyph(row.worst) } else { "✓" },
            if calm { Role::Faint } else { tone },
        );
        pen.put(4, y, c.name, &cx.tenant_name(row.name(), c.name), Role::Text);
        if let Some(x) = c.state {
            pen.put(x, y, 8, &row.word(cx), if calm { Role::Muted } else { tone });
        }
        let short = facts.ready < facts.wanted;
        pen.put_right(
            c.ready + 5,
            y,
            6,
            &facts.ready_of,
            if short { tone_of(row.worst) } else { Role::Text },
        );
        match &c.cells {
            Cells::None => {}
            Cells::Nodes { x, widths } => {
                let mut at = *x;
                let mut cells = facts.cells.iter().peekable();
                for (i, width) in widths.iter().enumerate() {
                    let cell = cells.next_if(|(node, _)| usize::from(*node) == i).map(|(_, cell)| *cell);
                    cell::draw(pen, at + width, y, cell.unwrap_or_default());
                    at += width + 1;
                }
            }
            Cells::Counts { x } => {
                let placed = facts.cells.iter().filter(|(node, cell)| *node != u16::MAX && cell.active() > 0);
                let pods: u32 = facts.cells.iter().map(|(_, cell)| cell.active()).sum();
                pen.put_right(x + 5, y, 5, &placed.count().to_string(), Role::Text);
                pen.put_right(x + 10, y, 4, &pods.to_string(), Role::Text);
                if let Some((node, cell)) = cell::worst(&facts.cells) {
                    let end = x + 13;
                    cell::draw(pen, end, y, cell);
                    let at = self.rows.short.get(usize::from(node)).map_or("?", String::as_str);
                    pen.put(end + 1, y, 4, at, Role::Muted);
                }
            }
        }
        if let Some((x, meter)) = c.left {
            let left = self.rows.left(row);
            let tone = match left {
                Some(0) => Role::Danger,
                Some(n) if n < facts.ready.max(1) => Role::Warn,
                Some(_) => Role::Text,
                None => Role::Faint,
            };
            if let Some(left) = left {
                let share = f64::from(left) / f64::from(self.rows.most_left.max(1));
                pen.bar(x + 1, y, meter, share, if tone == Role::Text { Role::Muted } else { tone });
            }
            let text = left.map_or_else(|| "–".to_owned(), |left| left.to_string());
            pen.put_right(x + columns::LEFT - 1, y, columns::LEFT - meter - 2, &text, tone);
        }
        if let Some(x) = c.percent {
            let share = row.memory().map(|(used, limit)| used.share_of(limit));
            let tone = match share {
                Some(s) if s > 0.9 => Role::Warn,
                Some(_) => Role::Text,
                None => Role::Faint,
            };
            let text = share.map_or_else(|| "–".to_owned(), format::percent);
            pen.put_right(x + 4, y, 4, &text, tone);
            if let (Some((x, width)), Some(share)) = (c.bar, share) {
                pen.bar(x, y, width, share, if share > 0.9 { Role::Warn } else { Role::Muted });
            }
            if let (Some(x), Some((used, limit))) = (c.amount, row.memory()) {
                pen.put_right(x + 14, y, 14, &format::of(used, limit), Role::Muted);
            }
        }
        if let Some(x) = c.restarts {
            let role = if facts.restarts > 0 { Role::Text } else { Role::Faint };
            pen.put_right(x + 3, y, 4, &facts.restarts.to_string(), role);
        }
        if let Some(x) = c.reach {
            // Worked out for the rows on the screen only.
            let worst = Chain::worst(cx.seen, &row.judged.tenant);
            let parked = row.judged.tenant.desired() == 0;
            let (sign, word, role) = match worst {
                _ if parked => ("–", "", Role::Faint),
                None if Outside::of(cx.seen).hosts_of(&row.judged.tenant.name).is_empty() => {
                    ("–", "", Role::Faint)
                }
                None => ("✓", "ok", Role::Faint),
                Some((state, part)) => {
                    let (sign, _, role) = chrome::link(state);
                    (sign, part.word(), role)
                }
            };
            pen.put(x, y, 1, sign, role);
            pen.put(x + 2, y, 8, word, role);
        }
        if let Some((x, width)) = c.image {
            pen.put(x, y, width, &facts.tag, Role::Muted);
        }
    }
}

fn tone_of(worst: Option<Severity>) -> Role {
    if worst == Some(Severity::Critical) { Role::Danger } else { Role::Warn }
}
