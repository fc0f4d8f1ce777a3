//! What lies over a view: the review of a plan, questions, the command line, help.
//!
//! Their state lives here and is folded by `app`; only one of them is open at a time.

pub mod asks;
pub mod command_line;
mod consent;
pub mod containers;
pub mod database;
pub mod help;
pub mod menu;
pub mod prompt;
pub mod review;
pub mod scheme;
pub mod targets;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::{Position, Rect};
use tui_input::Input;

pub use self::{
    command_line::CommandLine,
    containers::ContainerChoice,
    help::Help,
    menu::Menu,
    prompt::Prompt,
    review::{Rehearsing, Review, Typing},
    scheme::{Found as SchemeFound, SchemeReview},
    targets::Choice,
};
use super::{
    command::{self, Command},
    format,
    paint::{Pen, Piece, piece},
    theme::Role,
    view::Cx,
};
use crate::plan::Intent;

/// What lies over the view.
pub enum Overlay {
    /// A plan, before it is approved.
    Review(Box<Review>),
    /// A plan is being worked out.
    Planning(Box<Planning>),
    /// Many moves, before they are agreed to.
    Scheme(Box<SchemeReview>),
    /// Where a pod goes.
    Choice(Box<Choice>),
    /// Which container.
    Container(ContainerChoice),
    /// A shell or another cluster is on its way, in words.
    Opening(String),
    /// A line is asked for.
    Prompt(Prompt),
    /// A command is typed.
    Command(CommandLine),
    /// A filter is typed.
    Filter(Input),
    /// A filter is typed where nothing is filtered.
    Unheard(Input),
    /// What the keys do.
    Help(Help),
    /// What can be done with the row.
    Menu(Menu),
    /// A question that wants a yes.
    Ask(Ask),
}

/// A plan that is being worked out, and what its review will begin with.
pub struct Planning {
    /// What is wanted.
    pub intent: Intent,
    /// Why, where that was said already.
    pub reason: Input,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Planning {
    /// Most plans are there before anybody sees that they are waited for: from when on that is shown.
    pub fn appears(&self) -> Option<Timestamp> {
        self.since?.checked_add(SignedDuration::from_millis(150)).ok()
    }
}

/// A question that wants a yes. The default is No.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Leave the program?
    Leave {
        /// What of this session is under way, by its name: `run 9c1f`.
        run: Option<String>,
        /// The cluster ends with the program.
        passing: bool,
    },
    /// Lift read-only?
    Unlock {
        /// For so long, in seconds.
        seconds: i64,
        /// What that means, in words.
        text: String,
    },
    /// Finish an unfinished run?
    Resume {
        /// Its id.
        run: String,
        /// What it is, in words.
        text: String,
    },
    /// Go on with an unfinished campaign?
    GoOn {
        /// Its id.
        campaign: String,
        /// What it is, in words.
        text: String,
    },
    /// Take what a run waits for as succeeded?
    Succeeded {
        /// Its id.
        run: String,
        /// What it is, in words.
        text: String,
    },
    /// Abort a run that is under way?
    Abort {
        /// Its id.
        run: String,
        /// What that means, in words.
        text: String,
    },
    /// Close an unfinished run or campaign for good?
    GiveUp {
        /// Which of both.
        what: &'static str,
        /// Its id.
        run: String,
        /// What it is, in words.
        text: String,
        /// Why, in the operator's words.
        why: String,
    },
}

/// Draws it; returns where the cursor is.
pub fn render(overlay: &Overlay, pen: &mut Pen<'_>, cx: &Cx<'_>) -> Option<Position> {
    match overlay {
        Overlay::Review(review) => review.render(pen, cx),
        Overlay::Planning(_) => {
            opening(pen, "A plan", "working out what it would do …");
            None
        }
        Overlay::Scheme(review) => review.render(pen, cx),
        Overlay::Choice(choice) => {
            choice.render(pen, cx);
            None
        }
        Overlay::Container(choice) => {
            choice.render(pen, cx);
            None
        }
        Overlay::Opening(what) => {
            opening(pen, "One moment", what);
            None
        }
        Overlay::Prompt(prompt) => prompt.render(pen, cx),
        Overlay::Command(line) => {
            line.render(pen);
            None
        }
        Overlay::Filter(_) | Overlay::Unheard(_) => None,
        Overlay::Help(help) => help.render(pen),
        Overlay::Menu(menu) => {
            menu.render(pen);
            None
        }
        Overlay::Ask(ask) => {
            question(pen, ask);
            None
        }
    }
}

/// A panel: empties it, draws its edge and title, and returns what is inside. It never covers the line of identity, and
/// what it leaves of the view steps back. On a screen too small for an edge the panel is the whole screen.
pub fn panel<'p>(
    pen: &'p mut Pen<'_>,
    width: u16,
    height: u16,
    title: &[Piece<'_>],
    aside: &[Piece<'_>],
) -> Pen<'p> {
    let screen = pen.area;
    if screen.width < 40 || screen.height < 12 {
        let mut pen = pen.within(screen);
        pen.ground(Role::Panel);
        pen.line(1, 0, screen.width.saturating_sub(2), title);
        let top = 1.min(screen.height);
        let inner = Rect { y: screen.y + top, height: screen.height - top, ..screen };
        return Pen { area: inner, buf: pen.buf, theme: pen.theme };
    }
    // Where there is room, the health and the status stay in sight as well.
    let (top, bottom) = if screen.height >= 30 { (2, 2) } else { (1, 1) };
    let room = Rect { y: screen.y + top, height: screen.height - top - bottom, ..screen };
    pen.within(room).fade();
    let w = panel_width(&pen.within(room), width);
    let h = height.min(room.height);
    let area = Rect {
        x: room.x + (room.width - w) / 2,
        // A little above the middle: where the eye rests.
        y: room.y + (room.height - h) * 2 / 5,
        width: w,
        height: h,
    };
    let mut pen = pen.within(area);
    pen.ground(Role::Panel);
    let across = "─".repeat(usize::from(w - 2));
    pen.put(0, 0, w, &format!("╭{across}╮"), Role::Border);
    pen.put(0, h - 1, w, &format!("╰{across}╯"), Role::Border);
    for y in 1..h - 1 {
        pen.put(0, y, 1, "│", Role::Border);
        pen.put(w - 1, y, 1, "│", Role::Border);
    }
    let aside_width: u16 = aside.iter().map(|(t, _)| format::width(t)).sum();
    let mut head = vec![piece(" ", Role::Panel)];
    head.extend(title.iter().cloned());
    head.push(piece(" ", Role::Panel));
    pen.line(2, 0, w.saturating_sub(aside_width + 8), &head);
    if aside_width > 0 {
        let mut pieces = vec![piece(" ", Role::Panel)];
        pieces.extend(aside.iter().cloned());
        pieces.push(piece(" ", Role::Panel));
        pen.line_right(w - 2, 0, w - 4, &pieces);
    }
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: w - 4, height: h - 2 };
    Pen { area: inner, buf: pen.buf, theme: pen.theme }
}

/// Lines inside the highest panel on a screen of that size.
fn panel_room(width: u16, height: u16) -> u16 {
    match height {
        height if width < 40 || height < 12 => height.saturating_sub(1),
        30.. => height - 6,
        _ => height - 4,
    }
}

/// How wide a panel becomes that is to be so wide: narrow rims at its sides would only show scraps.
fn panel_width(pen: &Pen<'_>, width: u16) -> u16 {
    if width + 12 > pen.width() { pen.width() } else { width }
}

/// Keys with what they do, in one line.
pub fn keys<'a>(pairs: &[(&'a str, &'a str, bool)]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for (key, word, on) in pairs {
        let (k, w) = if *on { (Role::Key, Role::Text) } else { (Role::Faint, Role::Faint) };
        pieces.push(piece(*key, k));
        pieces.push(piece(" ", Role::Panel));
        pieces.push(piece(*word, w));
        pieces.push(piece("    ", Role::Panel));
    }
    pieces.pop();
    pieces
}

fn opening(pen: &mut Pen<'_>, title: &str, what: &str) {
    let width = 62.min(pen.width().saturating_sub(2)).max(1);
    let lines = format::wrap(&format::plain(what), width.saturating_sub(4));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(5);
    let mut pen = panel(pen, width, height, &[piece(title, Role::Accent)], &[]);
    for (y, line) in (1..).zip(&lines) {
        pen.put(0, y, pen.width(), line, Role::Busy);
    }
    let y = pen.height().saturating_sub(1);
    pen.line(0, y, pen.width(), &keys(&[("esc", "cancel", true)]));
}

fn question(pen: &mut Pen<'_>, ask: &Ask) {
    let (title, text, yes, role) = match ask {
        Ask::Leave { run: Some(name), passing } => (
            "Leave wheelhouse?".to_owned(),
            match passing {
                true => format!(
                    "The {name} is under way from here. The embedded cluster ends with this program, and the {name} with it."
                ),
                false => format!(
                    "The {name} is under way from here. It is paused where it is; any wheelhouse can then resume it or take it back."
                ),
            },
            "leave",
            Role::Warn,
        ),
        Ask::Leave { run: None, .. } => (
            "Leave wheelhouse?".to_owned(),
            "Nothing is under way from here.".to_owned(),
            "leave",
            Role::Muted,
        ),
        Ask::Unlock { text, .. } => ("Unlock this cluster?".to_owned(), text.clone(), "unlock", Role::Warn),
        Ask::Resume { run, text } => {
            (format!("Resume run {}?", format::short_run(run)), text.clone(), "resume", Role::Text)
        }
        Ask::GoOn { campaign, text } => (
            format!("Go on with campaign {}?", format::short_run(campaign)),
            text.clone(),
            "go on",
            Role::Text,
        ),
        Ask::Succeeded { run, text } => {
            (format!("Has run {} succeeded?", format::short_run(run)), text.clone(), "it has", Role::Warn)
        }
        Ask::Abort { run, text } => {
            (format!("Abort run {}?", format::short_run(run)), text.clone(), "abort it", Role::Warn)
        }
        Ask::GiveUp { what, run, text, why } => (
            format!("Give up {what} {}?", format::short_run(run)),
            format!("{text} Because: {why}"),
            "give it up",
            Role::Warn,
        ),
    };
    let width = 62.min(pen.width().saturating_sub(2)).max(1);
    let lines = format::wrap(&format::plain(&text), width.saturating_sub(4));
    let height = lines.len() as u16 + 5;
    let mut pen = panel(pen, width, height, &[piece(title, Role::Accent)], &[]);
    for (i, line) in lines.iter().enumerate() {
        pen.put(0, i as u16 + 1, pen.width(), line, role);
    }
    let y = pen.height().saturating_sub(1);
    pen.line(0, y, pen.width(), &keys(&[(&command::sign(Command::Yes), yes, true), ("esc", "cancel", true)]));
}

/// A line of kubectl with the path of its kubeconfig cut to the name of the file: copied it is whole.
fn short_path(line: &str) -> String {
    const FLAG: &str = "--kubeconfig ";
    let Some((before, rest)) = line.split_once(FLAG) else { return line.to_owned() };
    let (path, after) = rest.split_once(' ').unwrap_or((rest, ""));
    match path.rsplit_once('/') {
        Some((folder, name)) if format::width(folder) > 4 => format!("{before}{FLAG}…/{name} {after}"),
        _ => line.to_owned(),
    }
}

/// A line of the review with its label before it, in as many lines as it needs. Returns the next free line.
fn labelled(pen: &mut Pen<'_>, y: u16, label: &str, text: &str, role: Role) -> u16 {
    pen.put(0, y, 8, label, Role::Muted);
    wrapped(pen, 8, y, text, role)
}

fn wrapped(pen: &mut Pen<'_>, x: u16, mut y: u16, text: &str, role: Role) -> u16 {
    let room = pen.width().saturating_sub(x).max(1);
    for line in format::wrap(&format::plain(text), room) {
        pen.put(x, y, room, &line, role);
        y += 1;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::short_path;

    #[test]
    fn the_path_of_a_kubeconfig_takes_no_line_of_its_own() {
        let line =
            "kubectl --kubeconfig /home/alice/.local/state/demo-7.kubeconfig --context demo -n a get pods";
        assert_eq!(short_path(line), "kubectl --kubeconfig …/demo-7.kubeconfig --context demo -n a get pods");
        for line in [
            "kubectl -n a get pods",
            "kubectl --kubeconfig k.yaml -n a get pods",
            "kubectl --kubeconfig /t/k",
        ] {
            assert_eq!(short_path(line), line);
        }
    }
}
