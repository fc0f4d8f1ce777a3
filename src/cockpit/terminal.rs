//! Frames to a terminal in as few bytes as it takes: over SSH on a slow line every one of them is waited for.
//!
//! It keeps what the terminal shows, where its cursor is and how it writes. Of a frame it sends what shows otherwise: a
//! blank has no colour of letters, a change of style says only what changes, runs of one style are written together, and
//! the rest of a line is erased where that is shorter. The screen of the cockpit writes through it; tests and benchmarks
//! count what it writes.

mod ink;

use std::io::{self, Write};

use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::{Buffer, Cell},
    layout::{Position, Rect, Size},
};
use unicode_width::UnicodeWidthStr;

use ink::{Look, hop};

/// A frame longer than this is put between the marks of a synchronised update (DEC private mode 2026), which terminals
/// that do not know them ignore. A shorter one arrives in one piece.
const MARKED: usize = 1_000;

/// Cells that show already and lie between two runs are written again up to so many: moving the cursor takes as much.
const GAP: usize = 4;

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

    fn line(&mut self, y: u16) {
        let shown = line_of(&self.shown, y);
        let next = line_of(&self.next, y);
        let Some(first) = first_difference(shown, next) else { return };
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
            let mut sheet = Sheet { state: self.state, out: Vec::new(), lines };
            sheet.line(y, shown, next, erasure, sorted);
            sheet
        });
        if let Some(best) = written.min_by_key(|sheet| sheet.out.len()) {
            self.frame.extend(best.out);
            self.state = best.state;
        }
        let width = usize::from(self.next.area.width);
        let start = usize::from(y) * width;
        self.shown.content[start..start + width].clone_from_slice(&self.next.content[start..start + width]);
    }
}

/// Lines that have moved together: those from `top` to before `end`, up by so many lines (down, below zero).
struct Shift {
    top: u16,
    end: u16,
    by: i16,
}

/// The move that brings most lines where they are to be.
fn shift(shown: &Buffer, next: &Buffer) -> Option<Shift> {
    /// Fewer lines than this are not worth it.
    const WORTH: usize = 3;
    let height = next.area.height;
    let same = |y: u16, from: u16| first_difference(line_of(shown, from), line_of(next, y)).is_none();
    let empty = |y: u16| line_of(next, y).iter().all(|cell| cell.symbol() == " ");
    let changed: Vec<u16> = (0..height).filter(|y| !same(*y, *y)).collect();
    let (first, last) = (*changed.first()?, *changed.last()?);
    let farthest = i16::try_from(height / 2).unwrap_or(i16::MAX);
    let mut best: Option<(usize, Shift)> = None;
    for by in (-farthest..=farthest).filter(|by| *by != 0) {
        let source =
            |y: u16| u16::try_from(i32::from(y) + i32::from(by)).ok().filter(|y| (first..=last).contains(y));
        let arrived = |y: &u16| source(*y).is_some_and(|from| same(*y, from));
        let moved: Vec<u16> = (first..=last).filter(arrived).collect();
        let worth = moved.iter().filter(|y| !empty(**y) && !same(**y, **y)).count();
        let (Some(low), Some(high)) = (moved.first(), moved.last()) else { continue };
        let sources = [i32::from(*low), i32::from(*high)].map(|y| (y + i32::from(by)) as u16);
        let (top, end) = (sources[0].min(*low), sources[1].max(*high) + 1);
        // What is right already and would be moved away has to be written again.
        let lost = (top..end).filter(|y| same(*y, *y) && !empty(*y) && !moved.contains(y)).count();
        let worth = worth.saturating_sub(lost);
        if worth >= WORTH && best.as_ref().is_none_or(|(most, _)| worth > *most) {
            best = Some((worth, Shift { top, end, by }));
        }
    }
    best.map(|(_, shift)| shift)
}

/// One line being written in one of several ways.
struct Sheet {
    state: State,
    out: Vec<u8>,
    lines: u16,
}

/// Cells of one look.
struct Run {
    start: usize,
    end: usize,
    look: Look,
}

impl Sheet {
    fn line(&mut self, y: u16, shown: &[Cell], next: &[Cell], erasure: Option<(usize, Look)>, sorted: bool) {
        let erased = erasure.map_or(usize::MAX, |(from, _)| from);
        if let Some((from, look)) = erasure {
            self.go(from, y);
            self.turn(look);
            self.out.extend(b"\x1b[K");
        }
        let blank = erasure.map(|(_, look)| look);
        let wide = wide_from(shown, next);
        let needs = |x: usize| {
            let look = Look::of(&next[x]);
            match blank {
                Some(blank) if x >= erased => look != blank,
                _ => x >= wide || differs(&shown[x], &next[x]),
            }
        };
        let mut runs = runs(next, needs);
        while !runs.is_empty() {
            let cheapest = |run: &Run| self.cost(run.look);
            let i = if sorted {
                (0..runs.len()).min_by_key(|i| cheapest(&runs[*i])).expect("there are some")
            } else {
                0
            };
            let run = runs.remove(i);
            self.go(run.start, y);
            self.turn(run.look);
            self.write(y, &run, next);
        }
    }

    fn cost(&self, look: Look) -> usize {
        self.state.look.map_or(99, |now| look.turn(now).0.len())
    }

    fn go(&mut self, x: usize, y: u16) {
        let to = (u16::try_from(x).unwrap_or(u16::MAX), y);
        self.out.extend(hop(self.state.at, to, self.lines).into_bytes());
        self.state.at = Some(to);
    }

    fn turn(&mut self, look: Look) {
        let before = self.state.look.unwrap_or_else(|| {
            self.out.extend(b"\x1b[m");
            Look::PLAIN
        });
        let (sequence, after) = look.turn(before);
        self.out.extend(sequence.into_bytes());
        self.state.look = Some(after);
    }

    fn write(&mut self, y: u16, run: &Run, next: &[Cell]) {
        let mut x = run.start;
        let mut sure = true;
        while x < run.end {
            if !sure {
                self.state.at = None;
                self.go(x, y);
            }
            let symbol = next[x].symbol();
            self.out.extend(symbol.as_bytes());
            let columns = symbol.width().max(1);
            // Terminals differ in how wide they take what is not one letter of one column.
            sure = columns == 1 && symbol.chars().count() == 1;
            x += columns;
        }
        let end = u16::try_from(x).unwrap_or(u16::MAX);
        // After the last column terminals differ in where the cursor is.
        self.state.at = (sure && x < next.len()).then_some((end, y));
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

/// From where on a line with letters of several columns is written again whole: half of one cannot be.
fn wide_from(shown: &[Cell], next: &[Cell]) -> usize {
    let wide = |cell: &Cell| cell.symbol().width() != 1;
    if !shown.iter().chain(next).any(wide) {
        return usize::MAX;
    }
    let Some(first) = first_difference(shown, next) else { return usize::MAX };
    let covered = |x: usize| [shown, next].iter().any(|line| line[x].symbol().width() > 1);
    (0..first).find(|x| covered(*x)).unwrap_or(first)
}

fn commonest_ground(cells: &[Cell]) -> ratatui::style::Color {
    let of = |at: &Cell| cells.iter().filter(|cell| cell.bg == at.bg).count();
    let (start, end) = (&cells[0], &cells[cells.len() - 1]);
    if of(start) > of(end) { start.bg } else { end.bg }
}

/// What has to be written, in runs of one look.
fn runs(next: &[Cell], needs: impl Fn(usize) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while x < next.len() {
        let columns = next[x].symbol().width().max(1);
        if needs(x) {
            let look = Look::of(&next[x]);
            let joined = runs.last().filter(|run| x - run.end <= GAP).and_then(|run| {
                let between = next[run.end..x].iter().try_fold(run.look, |all, cell| {
                    (cell.symbol().width() == 1).then(|| all.join(Look::of(cell))).flatten()
                });
                between.and_then(|all| all.join(look))
            });
            match (joined, runs.last_mut()) {
                (Some(look), Some(run)) => {
                    run.look = look;
                    run.end = x + columns;
                }
                _ => runs.push(Run { start: x, end: x + columns, look }),
            }
        }
        x += columns;
    }
    runs
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
        for y in 0..area.height {
            self.line(y);
        }
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
