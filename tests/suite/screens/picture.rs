//! Frames as SVG pictures, drawn from the cells themselves, so that the README cannot show what the program does not.

use std::{fmt::Write as _, fs, path::Path};

use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
    style::Modifier,
};
use wheelhouse::ui::{Role, theme};

use super::cockpit::{Cockpit, NIGHT};

/// A cell in user units: DejaVu Sans Mono at 16 has these proportions, so that lines of boxes meet.
const WIDTH: f64 = 9.632;
const HEIGHT: f64 = 19.0;
const FONT: f64 = 16.0;
const MARGIN: f64 = 10.0;

/// The pictures: name, size, theme, and how the frame comes about.
type Picture = (&'static str, (u16, u16), &'static str, fn(&mut Cockpit));

const PICTURES: [Picture; 12] = [
    ("tenants-dark", (80, 24), "dark", |_| {}),
    ("tenants-light", (80, 24), "light", |_| {}),
    ("tenants-wide-dark", (200, 50), "dark", |_| {}),
    ("tenants-wide-light", (200, 50), "light", |c| drop(c.keys("j j j j j"))),
    ("nodes-dark", (120, 30), "dark", |c| drop(c.keys("2"))),
    ("headroom-dark", (100, 28), "dark", |c| drop(c.keys("/ g l o b enter h"))),
    ("what-if-dark", (100, 28), "dark", |c| drop(c.keys("W enter"))),
    ("ranking-dark", (100, 28), "dark", |c| drop(c.keys("W"))),
    ("tenant-dark", (100, 28), "dark", |c| {
        c.keys("enter tab");
        c.events();
    }),
    ("review-dark", (80, 24), "dark", |c| {
        c.keys("/ g l o b enter +");
        c.rehearse();
    }),
    ("review-wide-light", (120, 35), "light", |c| {
        c.keys("/ g l o b enter s 5 enter");
        c.rehearse();
    }),
    ("run-dark", (100, 28), "dark", |c| {
        c.keys("/ a c m e enter esc s 5 enter");
        c.start();
        c.progress(1);
    }),
];

pub fn check_all() {
    use super::{campaigns, database, moves};
    let mut c = Cockpit::of(moves::BACK, (80, 24));
    c.keys("b");
    c.rehearse_all();
    check("rebalance-review-dark", &c);
    check("campaign-dark", &campaigns::half_way((80, 24)).c);
    check("campaign-done-dark", &campaigns::through((80, 24)).c);
    check("campaign-wide-dark", &campaigns::half_way((160, 40)).c);
    check_film("rebalance", &campaigns::film());
    for (name, seen, size, keys) in [
        ("database-wide-dark", database::degraded(), (200, 50), ""),
        ("database-dark", database::healthy(), (80, 24), ""),
        ("database-no-quorum-dark", database::no_quorum(), (80, 24), ""),
        ("recovery-dark", database::no_quorum(), (80, 24), "R ctrl-d ctrl-d"),
        ("database-drift-dark", database::drift(), (100, 28), "tab"),
    ] {
        let mut c = Cockpit::seeing(seen, size, |_| {});
        c.keys(&format!("4 {keys}"));
        check(name, &c);
    }
    for (name, size, keys) in [("platform-dark", (120, 32), "p l a t f o r m"), ("reach-dark", (100, 30), "")]
    {
        let mut c = Cockpit::seeing(super::platform::around(), size, |_| {});
        match keys {
            "" => {
                c.keys("/ g l o b enter enter");
                while !c.text().contains("DNS") {
                    c.keys("tab");
                }
            }
            keys => drop(c.keys(&format!(": {keys} enter j j"))),
        }
        check(name, &c);
    }
    for (name, size, theme, make) in PICTURES {
        let mut c = Cockpit::with(NIGHT, size, |setup| setup.theme = theme.into());
        make(&mut c);
        check(name, &c);
    }
}

/// Compares the frame with the committed picture, or writes it.
pub fn check(name: &str, cockpit: &Cockpit) {
    let (ink, ground) = colours(cockpit);
    compare(name, &draw(&cockpit.buffer(), ink, ground));
}

/// Frames, each with the seconds it is shown, and the theme they are of.
pub struct Film {
    pub frames: Vec<(Buffer, f64)>,
    pub colours: ([u8; 3], [u8; 3]),
}

/// The colours of letters and ground.
pub fn colours(cockpit: &Cockpit) -> ([u8; 3], [u8; 3]) {
    let ground = cockpit.role(Role::Text);
    let colour = |c: Option<ratatui::style::Color>, or: [u8; 3]| c.and_then(theme::rgb).unwrap_or(or);
    (colour(ground.fg, [220; 3]), colour(ground.bg, [0; 3]))
}

/// The same of a film: one picture that moves by itself wherever pictures are shown. A line that changes lies over the one
/// before it for as long as it is so; by default, where nothing moves, the last frame is seen.
pub fn check_film(name: &str, film: &Film) {
    let (ink, ground) = film.colours;
    let area = *film.frames[0].0.area();
    let whole: f64 = film.frames.iter().map(|(_, seconds)| seconds).sum();
    // Each line of the screen: what it shows from which frame on.
    let mut shown: Vec<Vec<(usize, String)>> = vec![Vec::new(); usize::from(area.height)];
    let mut before: Option<&Buffer> = None;
    for (i, (buf, _)) in film.frames.iter().enumerate() {
        for (y, text) in lines(buf, before, ink, ground) {
            shown[usize::from(y)].push((i, text));
        }
        before = Some(buf);
    }
    let at = |frame: usize| -> f64 {
        let passed: f64 = film.frames[..frame].iter().map(|(_, seconds)| seconds).sum();
        100.0 * passed / whole
    };
    let (mut style, mut inside) = (String::new(), String::new());
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for line in &shown {
        for (k, (from, text)) in line.iter().enumerate() {
            let until = line.get(k + 1).map_or(film.frames.len(), |(next, _)| *next);
            if text.is_empty() {
                continue;
            }
            if (*from, until) == (0, film.frames.len()) {
                inside.push_str(text);
                continue;
            }
            let span = spans.iter().position(|span| *span == (*from, until)).unwrap_or_else(|| {
                spans.push((*from, until));
                spans.len() - 1
            });
            let _ = writeln!(inside, "<g class=\"f s{span}\">{text}</g>");
        }
    }
    let _ = write!(
        style,
        ".f{{animation-duration:{whole:.1}s;animation-timing-function:step-end;animation-iteration-count:infinite}}"
    );
    for (i, (from, until)) in spans.iter().enumerate() {
        let last = *until == film.frames.len();
        let rest = if last { "visible" } else { "hidden" };
        let _ = write!(style, ".s{i}{{visibility:{rest};animation-name:k{i}}}");
        let mut keys = String::new();
        if *from > 0 {
            keys.push_str("0%{visibility:hidden}");
        }
        let _ = write!(keys, "{:.3}%{{visibility:visible}}", at(*from));
        if !last {
            let _ = write!(keys, "{:.3}%{{visibility:hidden}}", at(*until));
        }
        let _ = write!(style, "@keyframes k{i}{{{keys}}}");
    }
    compare(name, &document(area, ground, &style, &inside));
}

/// Compares a picture with the committed one, or writes it.
fn compare(name: &str, svg: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots").join(format!("{name}.svg"));
    if std::env::var_os("WHEELHOUSE_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(&path, svg).expect("the picture can be written");
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == svg, "screenshots/{name}.svg is not what is drawn: WHEELHOUSE_BLESS=1 writes it again");
}

/// A frame as SVG. Runs of one style are one text of a set length, so that columns stand in line in any font; blocks
/// and shades are drawn as shapes, because fonts leave gaps between them.
fn draw(buf: &Buffer, ink: [u8; 3], ground: [u8; 3]) -> String {
    let all: String = lines(buf, None, ink, ground).into_iter().map(|(_, line)| line).collect();
    document(*buf.area(), ground, "", &all)
}

/// A picture of that size around what is drawn.
fn document(area: Rect, ground: [u8; 3], style: &str, inside: &str) -> String {
    let (w, h) =
        (f64::from(area.width) * WIDTH + 2.0 * MARGIN, f64::from(area.height) * HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.1} {h:.1}\" width=\"{w:.0}\" height=\"{h:.0}\">\n\
         <style>text{{font-family:'DejaVu Sans Mono','Menlo','Consolas','Liberation Mono',monospace;font-size:{FONT}px;white-space:pre}}{style}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        hex(ground)
    );
    svg.push_str(inside);
    svg.push_str("</svg>\n");
    svg
}

fn hex(c: [u8; 3]) -> String {
    format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2])
}

/// The lines of a frame that `before` does not have, each as its shapes and texts.
fn lines(buf: &Buffer, before: Option<&Buffer>, ink: [u8; 3], ground: [u8; 3]) -> Vec<(u16, String)> {
    let area = buf.area();
    let same = |y: u16| before.is_some_and(|b| (0..area.width).all(|x| b[(x, y)] == buf[(x, y)]));
    (0..area.height).filter(|y| !same(*y)).map(|y| (y, line(buf, y, ink, ground))).collect()
}

/// One line of a frame as shapes and texts.
fn line(buf: &Buffer, y: u16, ink: [u8; 3], ground: [u8; 3]) -> String {
    let area = buf.area();
    let mut svg = String::new();
    let look = |cell: &Cell| {
        let mut fg = theme::rgb(cell.fg).unwrap_or(ink);
        let mut bg = theme::rgb(cell.bg).unwrap_or(ground);
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut fg, &mut bg);
        }
        if cell.modifier.contains(Modifier::DIM) {
            let mix = |i: usize| ((u16::from(fg[i]) + u16::from(bg[i])) / 2) as u8;
            fg = [mix(0), mix(1), mix(2)];
        }
        (fg, bg, cell.modifier)
    };
    let top = MARGIN + f64::from(y) * HEIGHT;
    let left = |x: u16| MARGIN + f64::from(x) * WIDTH;
    let runs = |same: &dyn Fn(&Cell, &Cell) -> bool| {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for x in 0..area.width {
            match runs.last_mut() {
                Some((start, end)) if same(&buf[(*start, y)], &buf[(x, y)]) => *end = x + 1,
                _ => runs.push((x, x + 1)),
            }
        }
        runs
    };
    for (start, end) in runs(&|a, b| look(a).1 == look(b).1) {
        let bg = look(&buf[(start, y)]).1;
        if bg != ground {
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{HEIGHT:.1}\" fill=\"{}\"/>",
                left(start),
                f64::from(end - start) * WIDTH,
                hex(bg)
            );
        }
    }
    for (start, end) in runs(&|a, b| look(a) == look(b)) {
        let (fg, _, modifier) = look(&buf[(start, y)]);
        let mut x = start;
        while x < end {
            let symbol = buf[(x, y)].symbol();
            if let Some((dx, part, high, opacity)) = block(symbol) {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\" fill=\"{}\" fill-opacity=\"{opacity}\"/>",
                    left(x) + dx,
                    top + 3.0 + (HEIGHT - 6.0) * (1.0 - high),
                    part * WIDTH + 0.05,
                    (HEIGHT - 6.0) * high,
                    hex(fg)
                );
                x += 1;
                continue;
            }
            let from = x;
            let blank = |x: u16| buf[(x, y)].symbol() == " ";
            // Two blanks end a text: pictures are shown by programs that fold them into one.
            while x < end
                && block(buf[(x, y)].symbol()).is_none()
                && !(blank(x) && (x + 1 == end || blank(x + 1)))
            {
                x += 1;
            }
            if x == from {
                x += 1;
                continue;
            }
            let text: String = (from..x).map(|x| buf[(x, y)].symbol()).collect();
            let from = from + u16::from(text.starts_with(' '));
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let length = f64::from(wheelhouse::ui::format::width(text)) * WIDTH;
            let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let under =
                if modifier.contains(Modifier::UNDERLINED) { " text-decoration=\"underline\"" } else { "" };
            let slant = if modifier.contains(Modifier::ITALIC) { " font-style=\"italic\"" } else { "" };
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{weight}{under}{slant}>{text}</text>",
                left(from),
                top + 14.5,
                hex(fg)
            );
        }
    }
    svg
}

/// The shape of a block: its offset, its shares of a cell's width and height, and how dense it is.
fn block(symbol: &str) -> Option<(f64, f64, f64, f64)> {
    let c = symbol.chars().next()?;
    match c {
        '█' => Some((0.0, 1.0, 1.0, 1.0)),
        '▉'..='▏' => Some((0.0, f64::from(8 - (c as u32 - '█' as u32)) / 8.0, 1.0, 1.0)),
        '▁'..='▇' => Some((0.0, 1.0, f64::from(c as u32 - '▁' as u32 + 1) / 8.0, 1.0)),
        '▓' => Some((0.0, 1.0, 1.0, 0.75)),
        '▒' => Some((0.0, 1.0, 1.0, 0.5)),
        '░' => Some((0.0, 1.0, 1.0, 0.25)),
        _ => None,
    }
}
