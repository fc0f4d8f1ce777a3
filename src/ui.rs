//! Drawing: one frame from what is known, and the words, keys and colours it is made of.
//!
//! ```text
//!  context  operator                                 mode   API     header, never moves
//!  health in numbers                                 places
//!
//!  the view: tenants, nodes, runs, findings, one of them
//!
//!  what was said last · typing                 how many, order     status
//!  keys                                                            key bar
//! ```
//!
//! Called by `app`, which owns all state. This room never acts, knows no clock and no terminal: it draws on a buffer.

pub mod action;
mod chrome;
pub mod command;
pub mod describe;
pub mod draft;
pub mod filter;
pub mod format;
pub mod log;
pub mod matrix;
mod open;
pub mod outlook;
pub mod overlays;
pub mod paint;
pub mod parts;
mod place;
pub mod replay;
pub mod stops;
mod terms;
pub mod theme;
pub mod view;
pub mod views;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

pub use self::{
    action::{Action, Asks, Containers},
    chrome::{link, mark},
    command::Command,
    draft::{Draft, ToTenants, Wanted},
    format::{age, alike, plain},
    outlook::{Outlook, Question},
    overlays::{Overlay, help::SIGNS},
    replay::{Replay, Seek},
    terms::{Term, Terms},
    theme::{Depth, Role, Theme, is_ascii_only},
    view::{Cx, Detail, Forwarded, Place, View, Wants, Who},
};
use crate::cluster::Severity;

/// All that is drawn beside the cluster itself.
pub struct Screen<'a> {
    /// The place in front.
    pub view: &'a dyn View,
    /// What lies over it.
    pub overlay: Option<&'a Overlay>,
    /// What was said last.
    pub notice: Option<(Severity, &'a str)>,
    /// The way to the place in front, from the root on.
    pub crumbs: &'a [String],
    /// What is typed in the status line, behind its prompt.
    pub typing: Option<(&'a str, &'a tui_input::Input)>,
}

/// Where the parts of a screen are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Identity and health.
    pub header: Rect,
    /// The view.
    pub body: Rect,
    /// What was said, typed, counted.
    pub status: Rect,
    /// The keys.
    pub keys: Rect,
}

impl Parts {
    /// The parts of a screen of that size: what does not fit is left out, the body last.
    /// `full`: all is the body's but the status line.
    pub fn of(area: Rect, full: bool) -> Self {
        let h = area.height;
        let header = match h {
            _ if full => 0,
            ..4 => u16::from(h > 1),
            4..12 => 1,
            _ => 2,
        };
        let gap = u16::from(h >= 18 && !full);
        let keys = u16::from(h >= 8 && !full);
        let status = u16::from(h >= 4);
        let line = |y: u16, height: u16| Rect { x: area.x, y: area.y + y, width: area.width, height };
        Self {
            header: line(0, header),
            body: line(header + gap, h - header - gap - keys - status),
            status: line(h - keys - status, status),
            keys: line(h - keys, keys),
        }
    }
}

/// Draws one frame. Returns where the cursor is, when something is being typed.
pub fn draw(buf: &mut Buffer, screen: &Screen<'_>, cx: &Cx<'_>) -> Option<Position> {
    let area = *buf.area();
    if area.is_empty() {
        return None;
    }
    let parts = Parts::of(area, screen.view.is_full());
    let mut pen = paint::Pen { buf, area, theme: cx.theme };
    pen.ground(Role::Text);
    chrome::header(&mut pen.within(parts.header), cx, screen.view);
    screen.view.render(&mut pen.within(parts.body), cx);
    // What is said and does not fit into one line takes of the view's last ones.
    let more = chrome::more_lines(screen, parts.status.width).min(parts.body.height);
    let status = Rect { y: parts.status.y - more, height: parts.status.height + more, ..parts.status };
    let cursor = chrome::status(&mut pen.within(status), cx, screen);
    chrome::keys(&mut pen.within(parts.keys), cx, screen.view, screen.overlay.is_some());
    match screen.overlay {
        Some(overlay) => overlays::render(overlay, &mut pen.within(area), cx).or(cursor),
        None => cursor,
    }
}
