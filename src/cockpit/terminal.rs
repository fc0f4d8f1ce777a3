//! Frames to a terminal in as few bytes as it takes: over SSH on a slow line every one of them is waited for.
//!
//! It keeps what the terminal shows, where its cursor is and how it writes. Of a frame it sends what shows otherwise: a
//! blank has no colour of letters, a change of style says only what changes, runs of one style are written together, and
//! the rest of a line is erased where that is shorter. The screen of the cockpit writes through it; tests and benchmarks
//! count what it writes.

mod ink;
mod sheet;
mod shift;

use std::io::{self, Write};

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::{Buffer, Cell},
    layout::{Position, Rect, Size},
};
use unicode_width::UnicodeWidthStr;

use ink::{Look, hop};
use sheet::Sheet;
use shift::{Shift, shift};

/// A frame longer than this is put between the marks of a synchronised update (DEC private mode 2026), which terminals
/// that do not know them ignore. A shorter one arrives in one piece.
const MARKED: usize = 1_000;

/// So many lines are written in other orders as well: a step of the cursor changes fewer.
const FEW: usize = 12;

/// A terminal, and what it shows.
pub struct Terminal<W: Write> {
    out: W,
    /// A size that is not the terminal's own: in tests.
    size: Option<Size>,
    /// Erasing paints with the ground that is set.
    erases: bool,
    shown: Buffer,
    next: Buffer,
    state: State,
    /// `None`: not known.
    visible: Option<bool>,
    frame: Vec<u8>,
}

/// How the terminal writes, and where. `None`: not known.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    look: Option<Look>,
    at: Option<(u16, u16)>,
}

impl<W: Write> Terminal<W> {
    /// The terminal of this process, by what it calls itself.
    pub fn new(out: W, erases: bool) -> Self {
        let buffer = Buffer::empty(Rect::ZERO);
        Self {
            out,
            size: None,
            erases,
            shown: buffer.clone(),
            next: buffer,
            state: State::default(),
            visible: None,
            frame: Vec::new(),
        }
    }

    /// A terminal of that size that is none.
    pub fn sized(out: W, columns: u16, lines: u16) -> Self {
        Self { size: Some(Size::new(columns, lines)), ..Self::new(out, true) }
    }

    /// What it writes to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// What the terminal shows, as far as it has been written.
    pub fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// Where lines have moved up or down together, lets the terminal move them (DECSTBM with IL or DL of the VT102).
    fn scroll(&mut self) {
        let Some(Shift { top, end, by }) = shift(&self.shown, &self.next) else { return };
        let (n, letter) = (by.unsigned_abs(), if by > 0 { 'M' } else { 'L' });
        let n = if n == 1 { String::new() } else { n.to_string() };
        let start = top + 1;
        self.frame.extend(format!("\x1b[{start};{end}r\x1b[{start}H\x1b[{n}{letter}\x1b[r").into_bytes());
        self.state.at = None;
        let before = self.shown.clone();
        // Terminals differ in the ground of a line that comes in: it is written whole.
        let unknown = Cell::new("\u{2400}");
        for y in top..end {
            let from =
                u16::try_from(i32::from(y) + i32::from(by)).ok().filter(|from| (top..end).contains(from));
            for x in 0..self.shown.area.width {
                self.shown[(x, y)] = from.map_or_else(|| unknown.clone(), |from| before[(x, from)].clone());
            }
        }
    }

    /// Writes the lines that show otherwise, in the order that takes fewer bytes: from above, or those of one ground after
    /// another.
    fn lines(&mut self) {
        let changed: Vec<u16> = (0..self.next.area.height)
            .filter(|y| first_difference(line_of(&self.shown, *y), line_of(&self.next, *y)).is_some())
            .collect();
        let mut orders = vec![changed.clone()];
        if changed.len() <= FEW {
            orders.push(self.by_ground(&changed));
        }
        let written = orders.iter().map(|order| {
            order.iter().fold((Vec::new(), self.state), |(mut out, state), y| {
                let sheet = self.line(*y, state);
                out.extend(sheet.out);
                (out, sheet.state)
            })
        });
        if let Some((out, state)) = written.min_by_key(|(out, _)| out.len()) {
            self.frame.extend(out);
            self.state = state;
        }
        let width = usize::from(self.next.area.width);
        for y in changed {
            let start = usize::from(y) * width;
            self.shown.content[start..start + width]
                .clone_from_slice(&self.next.content[start..start + width]);
        }
    }

    /// These lines, those first that have the ground which is set.
    fn by_ground(&self, changed: &[u16]) -> Vec<u16> {
        let ground = |y: u16| commonest_ground(line_of(&self.next, y));
        let mut grounds: Vec<_> = self.state.look.map(|look| look.bg).into_iter().collect();
        for y in changed {
            if !grounds.contains(&ground(*y)) {
                grounds.push(ground(*y));
            }
        }
        let mut lines = changed.to_vec();
        lines.sort_by_key(|y| grounds.iter().position(|known| *known == ground(*y)));
        lines
    }

    /// One line, in the way that takes the fewest bytes.
    fn line(&self, y: u16, state: State) -> Sheet {
        let shown = line_of(&self.shown, y);
        let next = line_of(&self.next, y);
        let first = first_difference(shown, next).unwrap_or(0);
        let mut erasures = vec![None];
        if self.erases {
            let last = next.last().map(Look::of).filter(|look| look.fg.is_none());
            if let Some(rest) = last {
                let tail = next.iter().rev().take_while(|cell| Look::of(cell) == rest).count();
                erasures.push(Some((next.len() - tail, rest)));
            }
            erasures.push(Some((first, Look::blank(commonest_ground(&next[first..])))));
        }
        let ways = erasures.into_iter().flat_map(|erasure| [(erasure, false), (erasure, true)]);
        let lines = self.next.area.height;
        let written = ways.map(|(erasure, sorted)| {
            let mut sheet = Sheet { state, out: Vec::new(), lines };
            sheet.line(y, shown, next, erasure, sorted);
            sheet
        });
        written.min_by_key(|sheet| sheet.out.len()).expect("there is always a way without erasing")
    }
}

fn line_of(buf: &Buffer, y: u16) -> &[Cell] {
    let width = usize::from(buf.area.width);
    let start = usize::from(y) * width;
    &buf.content[start..start + width]
}

fn differs(shown: &Cell, next: &Cell) -> bool {
    shown.symbol() != next.symbol() || Look::of(shown) != Look::of(next)
}

fn first_difference(shown: &[Cell], next: &[Cell]) -> Option<usize> {
    (0..next.len()).find(|x| differs(&shown[*x], &next[*x]))
}

fn commonest_ground(cells: &[Cell]) -> ratatui::style::Color {
    let of = |at: &Cell| cells.iter().filter(|cell| cell.bg == at.bg).count();
    let (start, end) = (&cells[0], &cells[cells.len() - 1]);
    if of(start) > of(end) { start.bg } else { end.bg }
}

impl<W: Write> Backend for Terminal<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let area = self.next.area;
        let mut touched = vec![false; usize::from(area.height)];
        for (x, y, cell) in content {
            // What does not fit is cut: the terminal has become smaller, and says so in a moment.
            if x >= area.width || y >= area.height {
                continue;
            }
            touched[usize::from(y)] = true;
            self.next[(x, y)] = cell.clone();
            let columns = u16::try_from(cell.symbol().width()).unwrap_or(1);
            for covered in x + 1..(x + columns.max(1)).min(area.width) {
                let mut blank = Cell::EMPTY;
                blank.bg = cell.bg;
                self.next[(covered, y)] = blank;
            }
        }
        if touched.iter().filter(|touched| **touched).count() > 2 {
            self.scroll();
        }
        self.lines();
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.visible != Some(false) {
            self.frame.extend(b"\x1b[?25l");
            self.visible = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.visible != Some(true) {
            self.frame.extend(b"\x1b[?25h");
            self.visible = Some(true);
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Err(io::Error::other("the terminal is never asked: one that does not answer would be waited for"))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.frame.extend(hop(self.state.at, (x, y), self.next.area.height).into_bytes());
        self.state.at = Some((x, y));
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        let size = self.size()?;
        let area = Rect::new(0, 0, size.width, size.height);
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.frame.extend(b"\x1b[m\x1b[2J");
        self.state = State { look: Some(Look::PLAIN), at: None };
        self.visible = None;
        Ok(())
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        match clear_type {
            ClearType::All => self.clear(),
            _ => Err(io::Error::other("only the whole screen is cleared")),
        }
    }

    fn size(&self) -> io::Result<Size> {
        let (columns, lines) = match self.size {
            Some(size) => return Ok(size),
            None => crossterm::terminal::size()?,
        };
        Ok(Size::new(columns, lines))
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.frame);
        if frame.len() > MARKED {
            self.out.write_all(b"\x1b[?2026h")?;
            self.out.write_all(&frame)?;
            self.out.write_all(b"\x1b[?2026l")?;
        } else {
            self.out.write_all(&frame)?;
        }
        self.out.flush()
    }
}

/// Whether a terminal that calls itself so erases with the ground that is set (the capability `bce` of terminfo). GNU
/// screen does not, and calls itself `screen`; so does tmux in old configurations, which does, and sets `TMUX`.
pub(super) fn erases_with_ground(term: Option<&str>, in_tmux: bool) -> bool {
    let term = term.unwrap_or("");
    let known = ["xterm", "tmux", "linux", "alacritty", "kitty", "foot", "rxvt", "konsole", "vte", "gnome"];
    let newer = ["st-", "iterm", "wezterm", "ghostty", "contour"];
    (term.starts_with("screen") && in_tmux)
        || known.iter().chain(&newer).any(|name| term == *name || term.starts_with(name))
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Modifier, Style};

    use super::*;

    /// What a terminal of `columns` shows that was sent these frames, as the terminal emulator of the tests reads it.
    fn sent(frames: &[Buffer], erases: bool) -> (String, Vec<String>) {
        let area = frames[0].area;
        let mut terminal = Terminal { erases, ..Terminal::sized(Vec::new(), area.width, area.height) };
        terminal.clear().expect("memory takes all");
        let mut before = Buffer::empty(area);
        for frame in frames {
            terminal.draw(before.diff_iter(frame)).expect("memory takes all");
            terminal.flush().expect("memory takes all");
            before = frame.clone();
        }
        let size = |n: u16| std::num::NonZero::new(n).expect("a size");
        let mut parser = vt100::Parser::new(size(area.height), size(area.width), 0);
        parser.process(terminal.out());
        let looks = (0..area.height).map(|y| {
            let cell = |x| {
                let cell = parser.screen().cell(y, x).expect("a cell of the screen");
                let blank = cell.contents().trim().is_empty() && !cell.inverse() && !cell.underline();
                let fg = if blank { vt100::Color::Default } else { cell.fgcolor() };
                let bold = cell.bold() && !blank;
                format!(
                    "{}{fg:?}{:?}{bold}{}{}",
                    cell.contents().trim(),
                    cell.bgcolor(),
                    cell.inverse(),
                    cell.underline()
                )
            };
            (0..area.width).map(cell).collect::<String>()
        });
        let text = parser.screen().contents();
        (
            text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned(),
            looks.collect(),
        )
    }

    fn drawn(lines: &[(&str, Style)]) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 24, 4));
        buf.set_style(buf.area, Style::new().fg(Color::Rgb(200, 201, 202)).bg(Color::Rgb(10, 11, 12)));
        for (y, (text, style)) in lines.iter().enumerate() {
            let y = y as u16;
            let mut x = 0;
            for (i, part) in text.split('|').enumerate() {
                let style = if i % 2 == 0 { *style } else { Style::new().fg(Color::Red) };
                (x, _) = buf.set_stringn(x, y, part, 24 - usize::from(x), style);
            }
        }
        buf
    }

    #[test]
    fn however_it_is_sent_the_same_is_shown() {
        let lit = Style::new().bg(Color::Rgb(40, 50, 60));
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let line = Style::new().add_modifier(Modifier::UNDERLINED);
        let frames = [
            drawn(&[("one |two| three", bold), ("four   |5|  six", lit), ("日本|語| x", bold)]),
            drawn(&[("one |two| four", bold), ("four", lit), ("日本|ab|x 日", line)]),
            drawn(&[
                ("", lit),
                ("                       x", lit),
                ("x日本|ab|", bold),
                ("|last line is full here..", bold),
            ]),
            drawn(&[("one", line), ("  |y|            z", bold), ("plain", Style::new()), ("", bold)]),
        ];
        let lines = |from: usize, lit: usize| {
            let text: Vec<String> = (from..from + 4).map(|n| format!("line |{n}| of many")).collect();
            let style = |i| if i == lit { Style::new().bg(Color::Rgb(40, 50, 60)) } else { Style::new() };
            drawn(&[(&text[0], style(0)), (&text[1], style(1)), (&text[2], style(2)), (&text[3], style(3))])
        };
        let frames: Vec<Buffer> = frames
            .into_iter()
            .chain(
                [(0, 9), (1, 9), (3, 2), (2, 3), (9, 0), (8, 9), (7, 1)].map(|(from, lit)| lines(from, lit)),
            )
            .collect();
        for until in 1..=frames.len() {
            let whole = sent(&frames[until - 1..until], false);
            for erases in [true, false] {
                assert_eq!(sent(&frames[..until], erases), whole, "{until} {erases}");
            }
        }
    }

    #[test]
    fn a_frame_that_shows_the_same_sends_nothing() {
        let one = drawn(&[("one", Style::new())]);
        let mut other = one.clone();
        other[(10, 1)].fg = Color::Blue;
        let mut terminal = Terminal::sized(Vec::new(), 24, 4);
        terminal.clear().expect("memory takes all");
        terminal.draw(Buffer::empty(one.area).diff_iter(&one)).expect("memory takes all");
        terminal.hide_cursor().expect("memory takes all");
        terminal.flush().expect("memory takes all");
        terminal.out().clear();
        terminal.draw(one.diff_iter(&other)).expect("memory takes all");
        terminal.hide_cursor().expect("memory takes all");
        terminal.flush().expect("memory takes all");
        assert_eq!(terminal.out(), b"");
    }

    #[test]
    fn a_long_frame_is_shown_whole() {
        let long = Buffer::filled(Rect::new(0, 0, 200, 10), Cell::new("x"));
        let mut terminal = Terminal::sized(Vec::new(), 200, 10);
        terminal.clear().expect("memory takes all");
        terminal.draw(Buffer::empty(long.area).diff_iter(&long)).expect("memory takes all");
        terminal.flush().expect("memory takes all");
        assert!(terminal.out().starts_with(b"\x1b[?2026h") && terminal.out().ends_with(b"\x1b[?2026l"));
    }
}
