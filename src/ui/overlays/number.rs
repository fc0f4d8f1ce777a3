//! How many replicas? A number, or one relative to now: `+1`.

use ratatui::layout::Position;
use tui_input::Input;

use super::{keys, panel};
use crate::{
    cluster::TenantName,
    plan::Target,
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// The question.
pub struct Number {
    /// Whom it is about, and how many each has now.
    pub tenants: Vec<(TenantName, u32)>,
    /// What is typed.
    pub input: Input,
    /// Nothing was typed yet: the first key replaces what stands there.
    pub fresh: bool,
    /// Why it was not taken.
    pub note: Option<String>,
}

impl Number {
    /// Asks, with the present number filled in where it is the same for all.
    pub fn new(tenants: Vec<(TenantName, u32)>) -> Self {
        let first = tenants.first().map(|(_, n)| *n);
        let same = tenants.iter().all(|(_, n)| Some(*n) == first);
        let text = first.filter(|_| same).map(|n| n.to_string()).unwrap_or_default();
        Self { tenants, input: Input::new(text), fresh: true, note: None }
    }

    /// What is asked for, of each tenant. The error is one sentence.
    pub fn targets(&self) -> Result<Vec<Target>, String> {
        parse(self.input.value(), &self.tenants)
    }

    /// Draws it; returns where the cursor is.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
        let names: Vec<_> = self.tenants.iter().map(|(n, _)| n.as_str()).collect();
        let title = match names.as_slice() {
            [one] => format!("Scale {one}"),
            all => format!("Scale {}: {}", format::count(all.len(), "tenant"), all.join(", ")),
        };
        let mut pen = panel(pen, 52, 8, &[piece(title, Role::Accent)], &[]);
        let width = pen.width();
        let x = pen.put(0, 1, width, "replicas  ", Role::Muted);
        let role = if self.fresh { Role::Selection } else { Role::Text };
        let shown = self.input.value();
        let end = pen.put(x, 1, width.saturating_sub(x), shown, Role::Text);
        if self.fresh && end > x {
            pen.tint(ratatui::layout::Rect { x, y: 1, width: end - x, height: 1 }, role);
        }
        let floor = cx.seen.tenancy.floor;
        let text = match (&self.note, self.targets()) {
            (Some(note), _) => piece(note.clone(), Role::Warn),
            (None, Ok(targets)) if !self.fresh => {
                let of = |t: &Target| {
                    let now = self.tenants.iter().find(|(n, _)| *n == t.tenant).map_or(0, |(_, n)| *n);
                    if self.tenants.len() == 1 {
                        format!("{now} → {}", t.to)
                    } else {
                        format!("{} {now} → {}", t.tenant, t.to)
                    }
                };
                piece(targets.iter().map(of).collect::<Vec<_>>().join(", "), Role::Text)
            }
            _ => match self.tenants.as_slice() {
                [(_, now)] => {
                    piece(format!("now {now}, floor {floor}; +1 and -1 count from now"), Role::Muted)
                }
                _ => piece(format!("floor {floor}; +1 and -1 count from each one's number now"), Role::Muted),
            },
        };
        pen.line(0, 3, width, &[text]);
        pen.line(
            0,
            pen.height().saturating_sub(1),
            width,
            &keys(&[("⏎", "show the plan", true), ("esc", "leave it", true)]),
        );
        let at = x + u16::try_from(self.input.visual_cursor()).unwrap_or(0);
        (pen.height() > 1)
            .then(|| Position::new(pen.area.x + at.min(width.saturating_sub(1)), pen.area.y + 1))
    }
}

/// Reads `5`, `+1` or `-1`.
pub fn parse(text: &str, tenants: &[(TenantName, u32)]) -> Result<Vec<Target>, String> {
    let text = text.trim();
    let relative = text.starts_with(['+', '-']);
    let number: i64 = text.parse().ok().filter(|n: &i64| n.abs() <= 1_000_000).ok_or_else(|| {
        format!("`{}` is not a number such as 5, +1 or -1", text.chars().take(20).collect::<String>())
    })?;
    let to = |now: u32| if relative { i64::from(now) + number } else { number };
    Ok(tenants.iter().map(|(tenant, now)| Target { tenant: tenant.clone(), to: to(*now) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_count_from_now() {
        let tenants = [("a".into(), 2), ("b".into(), 3)];
        let to = |text: &str| parse(text, &tenants).map(|t| t.iter().map(|t| t.to).collect::<Vec<_>>());
        assert_eq!(to("5"), Ok(vec![5, 5]));
        assert_eq!(to(" +1 "), Ok(vec![3, 4]));
        assert_eq!(to("-3"), Ok(vec![-1, 0]));
        for bad in ["", "x", "1.5", "99999999999999999999", "9000000"] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }
}
