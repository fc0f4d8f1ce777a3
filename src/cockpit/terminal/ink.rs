//! How a cell looks, and the shortest sequences that turn one look into another and move the cursor. Pure.

use std::fmt::Write as _;

use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};

/// Modifiers that show on a blank.
const ON_BLANKS: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// Modifiers with the codes that set them and take them away (ECMA-48, 8.3.117).
const CODES: [(Modifier, u8, u8); 8] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// How letters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// `None`: a blank, on which neither the colour of letters nor most modifiers show.
    pub fg: Option<Color>,
    pub bg: Color,
    pub modifier: Modifier,
}

impl Look {
    /// What the terminal writes with after a reset.
    pub const PLAIN: Self = Self { fg: Some(Color::Reset), bg: Color::Reset, modifier: Modifier::empty() };

    pub fn of(cell: &Cell) -> Self {
        if cell.symbol() == " " && !cell.modifier.intersects(ON_BLANKS) {
            Self::blank(cell.bg)
        } else {
            Self { fg: Some(cell.fg), bg: cell.bg, modifier: cell.modifier }
        }
    }

    pub fn blank(bg: Color) -> Self {
        Self { fg: None, bg, modifier: Modifier::empty() }
    }

    /// One look for both, when what is to look like either may look like it.
    pub fn join(self, other: Self) -> Option<Self> {
        match (self.fg, other.fg) {
            _ if self == other => Some(self),
            (None, Some(_)) if self.bg == other.bg && !other.modifier.intersects(ON_BLANKS) => Some(other),
            (Some(_), None) if self.bg == other.bg && !self.modifier.intersects(ON_BLANKS) => Some(self),
            _ => None,
        }
    }

    /// The look a terminal has afterwards that is to write this after `before`: what does not show stays as it was.
    fn after(self, before: Self) -> Self {
        match self.fg {
            Some(_) => self,
            None => Self { bg: self.bg, modifier: before.modifier.difference(ON_BLANKS), ..before },
        }
    }

    /// The sequence that makes the terminal write like this after `before`, and how it writes then.
    pub fn turn(self, before: Self) -> (String, Self) {
        let to = self.after(before);
        if to == before {
            return (String::new(), to);
        }
        let stepwise = codes(before, to);
        let mut afresh = codes(Self::PLAIN, to);
        afresh.insert_str(0, if afresh.is_empty() { "" } else { "0;" });
        let codes = if afresh.len() < stepwise.len() { afresh } else { stepwise };
        (format!("\x1b[{codes}m"), to)
    }
}

fn codes(before: Look, to: Look) -> String {
    let mut out = String::new();
    let mut add = |code: &str| {
        if !out.is_empty() {
            out.push(';');
        }
        out.push_str(code);
    };
    let gone = before.modifier.difference(to.modifier);
    let mut stands = before.modifier;
    let mut said = 0;
    for (modifier, _, off) in CODES {
        if gone.contains(modifier) && said != off {
            said = off;
            add(&off.to_string());
        }
        if gone.intersects(Modifier::BOLD.union(Modifier::DIM)) {
            // One code takes both away.
            stands.remove(Modifier::BOLD.union(Modifier::DIM));
        }
        stands.remove(gone);
    }
    for (modifier, on, _) in CODES {
        if to.modifier.contains(modifier) && !stands.contains(modifier) {
            add(&on.to_string());
        }
    }
    if let Some(fg) = to.fg.filter(|fg| before.fg != Some(*fg)) {
        add(&colour(fg, 30));
    }
    if to.bg != before.bg {
        add(&colour(to.bg, 40));
    }
    out
}

/// The code of a colour; `base` is 30 for letters and 40 for the ground.
fn colour(colour: Color, base: u8) -> String {
    let named = |i: u8| (base + i).to_string();
    let bright = |i: u8| (base + 60 + i).to_string();
    match colour {
        Color::Reset => named(9),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(i) => format!("{};5;{i}", base + 8),
        Color::Rgb(r, g, b) => match palette([r, g, b]) {
            Some(i) => format!("{};5;{i}", base + 8),
            None => format!("{};2;{r};{g};{b}", base + 8),
        },
    }
}

/// The same colour among xterm's 256, which takes fewer bytes to say. The first six of the cube are left out: some
/// colour schemes of terminals put others there.
fn palette([r, g, b]: [u8; 3]) -> Option<u8> {
    let step = |v: u8| match v {
        0 => Some(0),
        95.. if (v - 55).is_multiple_of(40) => Some((v - 55) / 40),
        _ => None,
    };
    if r == g && g == b && r >= 8 && (r - 8) % 10 == 0 && r < 248 {
        return Some(232 + (r - 8) / 10);
    }
    let cube = 16 + step(r)? * 36 + step(g)? * 6 + step(b)?;
    (cube >= 22).then_some(cube)
}

/// The shortest way of the cursor to a cell of a screen of so many lines. `None`: nobody knows where it is.
pub(super) fn hop(from: Option<(u16, u16)>, (x, y): (u16, u16), lines: u16) -> String {
    let mut ways = vec![match (x, y) {
        (0, 0) => "\x1b[H".to_owned(),
        (0, y) => format!("\x1b[{}H", y + 1),
        (x, y) => format!("\x1b[{};{}H", y + 1, x + 1),
    }];
    if let Some((at, line)) = from.filter(|(_, line)| *line <= y && y < lines) {
        // A line feed on a line above the last goes down and scrolls nothing.
        let down = "\n".repeat(usize::from(y - line).min(9));
        let sideways = |at: u16| {
            let mut ways = Vec::new();
            match x {
                _ if x == at => ways.push(String::new()),
                _ if x == at + 1 => ways.push("\x1b[C".to_owned()),
                _ if x > at => ways.push(format!("\x1b[{}C", x - at)),
                _ => {
                    ways.push("\x08".repeat(usize::from(at - x).min(9)));
                    ways.push(format!("\x1b[{}D", at - x));
                }
            }
            ways
        };
        if y - line < 9 {
            let mut near = sideways(at);
            near.retain(|way| !way.starts_with('\x08') || way.len() < 9);
            let mut home = String::from("\r");
            if x > 0 {
                let _ = write!(home, "\x1b[{x}C");
            }
            if x == 1 {
                home = "\r\x1b[C".into();
            }
            near.push(home);
            ways.extend(near.into_iter().map(|way| format!("{down}{way}")));
            ways.push(format!("{down}\x1b[{}G", x + 1));
        }
    }
    ways.into_iter().min_by_key(String::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_said() {
        let blue = Look { fg: Some(Color::Rgb(1, 2, 3)), bg: Color::Reset, modifier: Modifier::BOLD };
        let red = Look { fg: Some(Color::Red), ..blue };
        let lit = Look { bg: Color::Indexed(7), modifier: Modifier::empty(), ..red };
        let dim = Look { modifier: Modifier::DIM, ..red };
        for (before, to, said) in [
            (Look::PLAIN, blue, "\x1b[1;38;2;1;2;3m"),
            (blue, blue, ""),
            (blue, red, "\x1b[31m"),
            (red, lit, "\x1b[22;48;5;7m"),
            (red, dim, "\x1b[22;2m"),
            (lit, Look::PLAIN, "\x1b[m"),
            (red, Look { fg: Some(Color::Rgb(135, 175, 255)), ..red }, "\x1b[38;5;111m"),
            (red, Look { fg: Some(Color::Rgb(238, 238, 238)), ..red }, "\x1b[38;5;255m"),
            (red, Look { fg: Some(Color::Rgb(0, 0, 95)), ..red }, "\x1b[38;2;0;0;95m"),
            (red, Look::blank(Color::Reset), ""),
            (red, Look::blank(Color::Blue), "\x1b[44m"),
            (Look { modifier: Modifier::REVERSED, ..red }, Look::blank(Color::Reset), "\x1b[27m"),
        ] {
            assert_eq!(to.turn(before).0, said, "{before:?} {to:?}");
        }
    }

    #[test]
    fn the_cursor_takes_the_shortest_way() {
        for (from, to, way) in [
            (None, (0, 0), "\x1b[H"),
            (None, (4, 2), "\x1b[3;5H"),
            (Some((4, 2)), (4, 2), ""),
            (Some((4, 2)), (5, 2), "\x1b[C"),
            (Some((4, 2)), (2, 2), "\x08\x08"),
            (Some((4, 2)), (0, 3), "\n\r"),
            (Some((4, 2)), (34, 3), "\n\x1b[30C"),
            (Some((17, 2)), (1, 2), "\r\x1b[C"),
            (Some((70, 2)), (8, 2), "\x1b[9G"),
            (Some((4, 2)), (0, 1), "\x1b[2H"),
            (Some((4, 2)), (4, 30), "\x1b[31;5H"),
        ] {
            assert_eq!(hop(from, to, 24), way, "{from:?} {to:?}");
        }
    }
}
