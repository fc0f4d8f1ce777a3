//! The pen that draws text, lines and bars. It clips to its area and takes text from outside, cleaned, so that a screen of
//! any size and a name of any kind can be drawn.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    format,
    theme::{Role, Theme},
};

/// A buffer, the part of it that may be drawn on, and the theme.
pub struct Pen<'a> {
    /// Where it is drawn.
    pub buf: &'a mut Buffer,
    /// What may be drawn on.
    pub area: Rect,
    /// What the roles look like.
    pub theme: &'a Theme,
}

/// A piece of a line.
pub type Piece<'a> = (Cow<'a, str>, Role);

/// A piece of a line.
pub fn piece<'a>(text: impl Into<Cow<'a, str>>, role: Role) -> Piece<'a> {
    (text.into(), role)
}

/// The columns that pieces take, one after another.
pub fn wide(pieces: &[Piece<'_>]) -> u16 {
    pieces.iter().map(|(text, _)| format::width(text)).sum()
}

impl<'a> Pen<'a> {
    /// The same buffer, another part of it.
    pub fn within(&mut self, area: Rect) -> Pen<'_> {
        Pen { area: area.intersection(*self.buf.area()), buf: self.buf, theme: self.theme }
    }

    /// Columns.
    pub fn width(&self) -> u16 {
        self.area.width
    }

    /// Lines.
    pub fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes text from column `x` of line `y`, at most `room` columns; what is too long ends in `…`. Returns the
    /// column after it.
    pub fn put(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role) -> u16 {
        let style = self.ink(role);
        self.put_styled(x, y, room, text, style)
    }

    /// The same, ending at column `right`.
    pub fn put_right(&mut self, right: u16, y: u16, room: u16, text: &str, role: Role) {
        let text = self.letters(text);
        let text = format::fit(&text, room.min(right));
        let x = right.saturating_sub(format::width(&text));
        self.put(x, y, right - x, &text, role);
    }

    /// Writes pieces one after another. Returns the column after them.
    pub fn line(&mut self, x: u16, y: u16, room: u16, pieces: &[Piece<'_>]) -> u16 {
        let end = x.saturating_add(room);
        let mut at = x;
        for (text, role) in pieces {
            at = self.put(at, y, end.saturating_sub(at), text, *role);
        }
        at
    }

    /// Writes pieces so that they end at column `right`, cutting at the left when they do not fit. Returns the column
    /// they begin at.
    pub fn line_right(&mut self, right: u16, y: u16, room: u16, pieces: &[Piece<'_>]) -> u16 {
        let width = wide(pieces).min(room).min(right);
        self.line(right - width, y, width, pieces);
        right - width
    }

    /// Gives a part of the area a role's style, keeping the text.
    pub fn tint(&mut self, area: Rect, role: Role) {
        let area = Rect { x: self.area.x + area.x, y: self.area.y + area.y, ..area }.intersection(self.area);
        self.buf.set_style(area, self.theme.style(role));
        if role == Role::Selection {
            self.lift(area);
        }
    }

    /// What is quiet elsewhere is read where the cursor is.
    fn lift(&mut self, area: Rect) {
        let of = |role: Role| self.theme.style(role).fg;
        let Some(ink) = of(Role::Text) else { return };
        let quiet = [Role::Muted, Role::Faint, Role::Title].map(of);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buf[(x, y)];
                if quiet.contains(&Some(cell.fg)) {
                    cell.fg = ink;
                }
            }
        }
    }

    /// Gives line `y` a role's style, keeping the text.
    pub fn tint_line(&mut self, y: u16, role: Role) {
        self.tint(Rect { x: 0, y, width: self.area.width, height: 1 }, role);
    }

    /// Lets the whole area step back behind what is drawn over it.
    pub fn fade(&mut self) {
        let faint = self.theme.style(Role::Faint);
        let ground = self.theme.style(Role::Text);
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                let cell = &mut self.buf[(x, y)];
                cell.set_style(Style::reset().patch(ground).patch(faint));
            }
        }
    }

    /// Empties the whole area and gives it a ground.
    pub fn ground(&mut self, role: Role) {
        let style = self.theme.style(role);
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                let cell = &mut self.buf[(x, y)];
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// A bar of eighths, `share` of `room` columns full. Returns the column after it.
    pub fn bar(&mut self, x: u16, y: u16, room: u16, share: f64, role: Role) -> u16 {
        const EIGHTHS: [&str; 9] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
        let eighths = (share.clamp(0.0, 1.0) * f64::from(room) * 8.0).round() as usize;
        let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
        for i in 0..usize::from(room) {
            let part = eighths.saturating_sub(i * 8).min(8);
            let (text, role) = if part == 0 { ("·", Role::Faint) } else { (EIGHTHS[part], role) };
            self.put(x + i as u16, y, 1, text, role);
        }
        x + room
    }

    fn put_styled(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let room = room.min(self.area.width.saturating_sub(x));
        if y >= self.area.height || room == 0 || text.is_empty() {
            return x;
        }
        let text = self.letters(text);
        let text = format::fit(&text, room);
        let text = if self.theme.is_ascii() { format::ascii(&text) } else { text };
        let (at, _) = self.buf.set_stringn(self.area.x + x, self.area.y + y, &text, usize::from(room), style);
        at - self.area.x
    }

    /// Text from outside, safe to draw, in the letters that the terminal shows.
    fn letters<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match format::plain(text) {
            plain if self.theme.is_ascii() => Cow::Owned(format::ascii(&plain).into_owned()),
            plain => plain,
        }
    }

    /// The style of a role without its ground, so that text takes the ground it is written on.
    fn ink(&self, role: Role) -> Style {
        let style = self.theme.style(role);
        match role {
            Role::Text | Role::Bar | Role::Panel => Style { bg: None, ..style },
            _ => style,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::theme::Depth, *};

    #[test]
    fn nothing_is_drawn_outside_the_area() {
        let theme = Theme::load("dark", &[], Depth::Mono).expect("a theme");
        let mut buf = Buffer::filled(Rect::new(0, 0, 6, 3), ratatui::buffer::Cell::new("#"));
        let mut pen = Pen { area: Rect::new(1, 1, 4, 1), buf: &mut buf, theme: &theme };
        pen.put(2, 0, 99, "日本", Role::Text);
        pen.put(9, 0, 9, "x", Role::Text);
        pen.put(0, 5, 9, "x", Role::Text);
        pen.put_right(4, 0, 99, "long text", Role::Text);
        pen.bar(3, 0, 9, 1.0, Role::Ok);
        let text: Vec<String> =
            buf.content().chunks(6).map(|line| line.iter().map(|c| c.symbol()).collect()).collect();
        assert_eq!(text, ["######", "#lon█#", "######"]);
    }
}
