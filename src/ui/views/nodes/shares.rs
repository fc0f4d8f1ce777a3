//! What is used, requested and limited of what nodes give: three different things, as bars and in words.

use crate::{
    cluster::{Cpu, Load, Memory, Node, Room, Snapshot},
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
    },
};

/// What is used, requested and limited of what a node offers.
pub struct Shares {
    /// What its pods add up to; `None`: not all of them are seen.
    pub load: Option<Load>,
    pub cpu: Cpu,
    pub memory: Memory,
    /// Measured use, when there is any.
    pub used: Option<(Cpu, Memory)>,
}

impl Shares {
    pub fn of(seen: &Snapshot, node: &Node) -> Self {
        Self {
            load: seen.load_of(&node.name),
            cpu: node.allocatable.cpu.unwrap_or_default(),
            memory: node.allocatable.memory.unwrap_or_default(),
            used: seen.node_usage.get(&node.name).map(|u| (u.cpu, u.memory)),
        }
    }
}

impl Shares {
    /// Requests and limits of memory as shares of the whole; nothing where they are not known.
    pub fn memory_shares(&self) -> (f64, f64) {
        let share = |amount: fn(&Load) -> Memory| {
            self.load.as_ref().map_or(0.0, |load| amount(load).share_of(self.memory))
        };
        (share(|l| l.requests.1), share(|l| l.limits.1))
    }

    /// The same of the processor.
    pub fn cpu_shares(&self) -> (f64, f64) {
        let share =
            |amount: fn(&Load) -> Cpu| self.load.as_ref().map_or(0.0, |load| amount(load).share_of(self.cpu));
        (share(|l| l.requests.0), share(|l| l.limits.0))
    }

    /// Requests and limits in words, `?` where they are not known.
    pub fn words(
        &self,
        requests: impl Fn(&Load) -> String,
        limits: impl Fn(&Load) -> (u64, String),
    ) -> [String; 2] {
        let Some(load) = &self.load else { return ["?".into(), "?".into()] };
        let (sum, text) = limits(load);
        [requests(load), given(sum, text)]
    }

    /// How many pods are there of how many, and whether that is nearly all.
    pub fn pods(&self, node: &Node) -> (String, bool) {
        match &self.load {
            None => (format!("?/{}", node.pods), false),
            Some(load) => {
                (format!("{}/{}", load.pods, node.pods), node.pods > 0 && load.pods * 10 >= node.pods * 9)
            }
        }
    }
}

/// Below so many columns what is free takes two lines, and there are no bars.
pub const NARROW: u16 = 110;

/// Columns for the name before what is free.
pub const NAME: u16 = 15;

/// Memory that is free, in each of the three meanings, and how near the limits and the evictions are.
/// On one line or two.
pub fn free(pen: &mut Pen<'_>, y: u16, lines: u16, name: &str, room: &Room) {
    // On a small screen each in its columns: a step to another node sends the digits that differ, and no word.
    let (wide, percent) = if lines > 1 { (6, 4) } else { (0, 0) };
    let known = |m: Option<Memory>| format!("{:>wide$}", m.map_or("?".to_owned(), |m| m.to_string()));
    let over = room.overcommit.unwrap_or(0.0) > 1.0;
    let limits = format!("{:>percent$}", room.overcommit.map_or("?".into(), format::percent));
    let x = pen.put(4, y, NAME, name, Role::Text).max(4 + NAME) + 1;
    let scarce = |m: Option<Memory>| if m == Some(Memory::ZERO) { Role::Warn } else { Role::Text };
    let pieces = [
        piece("free of requests ", Role::Muted),
        piece(known(room.free_of_requests), scarce(room.free_of_requests)),
        piece(" · of limits ", Role::Muted),
        piece(known(room.free_of_limits), if over { Role::Muted } else { scarce(room.free_of_limits) }),
        piece(" · unused ", Role::Muted),
        piece(known(room.free_of_use), scarce(room.free_of_use)),
    ];
    let end = pen.line(x, y, pen.width().saturating_sub(x + 1), &pieces);
    let rest = [
        piece(if lines > 1 { "limits " } else { " · limits " }, Role::Muted),
        piece(limits, if over { Role::Warn } else { Role::Text }),
        piece(" of memory · eviction after ", Role::Muted),
        piece(known(room.to_eviction), scarce(room.to_eviction)),
        piece(" more", Role::Muted),
    ];
    let (x, y) = if lines > 1 { (x, y + 1) } else { (end, y) };
    pen.line(x, y, pen.width().saturating_sub(x + 1), &rest);
}

/// What the glyphs of the bars stand for.
pub fn legend(pen: &mut Pen<'_>, y: u16) {
    let text = "of what a node can give";
    let signs = "█ used   ▓ used beyond requests   ▒ requested   ░ limit   ";
    let pieces = [piece(signs, Role::Muted), piece(text, Role::Faint)];
    pen.line(4, y, pen.width().saturating_sub(5), &pieces);
}

/// A bar that tells use, requests and limits apart by glyph: `█` used, `▓` used beyond the requests, `▒` requested and
/// not used, `░` up to the limits, of the whole.
pub fn stacked(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, used: Option<f64>, requested: f64, limit: f64) {
    let columns = |share: f64| {
        let n = (share.clamp(0.0, 1.0) * f64::from(width)).round() as u16;
        if share > 0.0 { n.max(1) } else { 0 }
    };
    let (used, requested, limit) = (used.map_or(0, columns), columns(requested), columns(limit));
    for i in 0..width {
        let (glyph, role) = if i < used.min(requested) {
            ("█", Role::Text)
        } else if i < used {
            ("▓", Role::Text)
        } else if i < requested {
            ("▒", Role::Muted)
        } else if i < limit {
            ("░", Role::Faint)
        } else {
            ("·", Role::Faint)
        };
        pen.put(x + i, y, 1, glyph, role);
    }
}

/// A sum of limits; none at all is not a limit of zero.
fn given(sum: u64, text: String) -> String {
    if sum == 0 { "–".into() } else { text }
}
