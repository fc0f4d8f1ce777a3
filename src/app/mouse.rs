//! The mouse, where it is taken: it selects, opens, scrolls and sorts by what is on the screen, and can do nothing that
//! keys cannot.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{App, Effect, execute};
use crate::ui::{self, Command};

/// Rows that one turn of the wheel scrolls.
const WHEEL: usize = 3;

/// Folds what the mouse did.
pub(super) fn happened(app: &mut App, event: MouseEvent, now: Timestamp, effects: &mut Vec<Effect>) {
    // What lies over a screen is answered by keys: a click there could confirm what nobody has read.
    if app.overlay.is_some() {
        return;
    }
    let mut repeat = |app: &mut App, command, times| {
        for _ in 0..times {
            execute::command(app, command, now, effects);
        }
    };
    match event.kind {
        MouseEventKind::ScrollUp => repeat(app, Command::Up, WHEEL),
        MouseEventKind::ScrollDown => repeat(app, Command::Down, WHEEL),
        MouseEventKind::Down(MouseButton::Left) => {
            let (width, height) = app.world.size;
            let area = Rect::new(0, 0, width, height);
            let mut buf = Buffer::empty(area);
            app.draw(&mut buf, now);
            let body = ui::Parts::of(area, app.views.front().is_full()).body;
            if !body.contains((event.column, event.row).into()) {
                return;
            }
            match cursor(&buf, body) {
                Some(at) if at == event.row => repeat(app, Command::Open, 1),
                Some(at) if has_row(&buf, event.row) && at < event.row => {
                    repeat(app, Command::Down, usize::from(event.row - at));
                }
                Some(at) if has_row(&buf, event.row) => repeat(app, Command::Up, usize::from(at - event.row)),
                _ => sort(app, &buf, (event.column, event.row), now),
            }
        }
        _ => {}
    }
}

/// The line of the row under the cursor.
fn cursor(buf: &Buffer, body: Rect) -> Option<u16> {
    (body.top()..body.bottom()).find(|y| matches!(buf[(body.x, *y)].symbol(), "›" | ">"))
}

/// Whether a row of a list is there: it begins where rows do. Headings are in capitals.
fn has_row(buf: &Buffer, y: u16) -> bool {
    let text: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect();
    let name: String = text.chars().skip(4).take_while(|c| !c.is_whitespace()).collect();
    text.starts_with("  ") && name.chars().any(|c| c.is_lowercase() || c.is_ascii_digit())
}

/// Orders the rows by the column whose heading was clicked.
fn sort(app: &mut App, buf: &Buffer, (x, y): (u16, u16), now: Timestamp) {
    let text: Vec<char> =
        (0..buf.area.width).map(|x| buf[(x, y)].symbol().chars().next().unwrap_or(' ')).collect();
    let at = usize::from(x);
    if text.get(at).is_none_or(|c| c.is_whitespace()) {
        return;
    }
    let start = text[..at].iter().rposition(|c| c.is_whitespace()).map_or(0, |i| i + 1);
    let word: String = text[start..].iter().take_while(|c| c.is_uppercase()).collect();
    let orders = app.views.front_mut().lens().orders;
    if let Some(order) = meant(&word, orders) {
        // A heading that names no order of the place does nothing.
        let _ = execute::sort(app, order, now);
    }
}

/// The order that a heading stands for.
fn meant<'o>(heading: &str, orders: &[&'o str]) -> Option<&'o str> {
    let has = |order: &str| orders.iter().find(|known| **known == order).copied();
    match heading {
        "" => None,
        "TENANT" | "NODE" | "POD" | "MEMBER" => has("name"),
        "STATE" => has("state").or_else(|| has("worst")),
        "MEM" | "MEMORY" => has("memory"),
        "RST" => has("restarts"),
        "REQ" | "LEFT" => has("left"),
        "PODS" => has("pods").or_else(|| has("replicas")),
        "FOR" | "SINCE" | "AGE" => has("age").or_else(|| has("newest")),
        "CONN" => has("connections"),
        other => has(&other.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_heading_names_an_order_where_there_is_one() {
        let tenants = ["worst", "name", "ready", "memory", "restarts"];
        for (heading, order) in [
            ("TENANT", Some("name")),
            ("STATE", Some("worst")),
            ("READY", Some("ready")),
            ("MEM", Some("memory")),
            ("RST", Some("restarts")),
            ("IMAGE", None),
            ("", None),
        ] {
            assert_eq!(meant(heading, &tenants), order, "{heading}");
        }
    }
}
