//! What the terminal can show, by what it says of itself.

use std::io::IsTerminal;

use super::{Found, Rating};
use crate::{cockpit, ui::Depth};

/// The size the screens are made for.
const ROOM: (u16, u16) = (80, 24);

/// Everything that is known of it.
pub(super) fn checks() -> Vec<Found> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let on_terminal = std::io::stdout().is_terminal();
    let size = on_terminal.then(crossterm::terminal::size).and_then(Result::ok);
    judged(&variable, size, cockpit::ascii())
}

fn judged(variable: &dyn Fn(&str) -> Option<String>, size: Option<(u16, u16)>, ascii: bool) -> Vec<Found> {
    let term = variable("TERM");
    let depth =
        Depth::detect(variable("NO_COLOR").as_deref(), variable("COLORTERM").as_deref(), term.as_deref());
    let mut found = vec![match term.as_deref() {
        None => Found::new("terminal", Rating::Warning, "TERM is not set: no colours are shown")
            .mend("export TERM=xterm-256color"),
        Some("dumb") => {
            Found::new("terminal", Rating::Warning, "TERM=dumb: the status is told in lines, without screens")
                .mend("export TERM=xterm-256color")
        }
        Some(term) => Found::ok("terminal", format!("TERM={term}: {}", colours(depth))),
    }];
    found.push(match ascii {
        false => Found::ok("terminal", "the locale is UTF-8"),
        true => Found::new("terminal", Rating::Notice, "the locale is not UTF-8: all signs are ASCII")
            .mend("export LC_ALL=C.UTF-8"),
    });
    match size {
        None => {
            found.push(Found::new("terminal", Rating::Notice, "there is none here: its size is not known"))
        }
        Some((columns, rows)) if columns < ROOM.0 || rows < ROOM.1 => {
            let text = format!("{columns}x{rows}: less is shown than at {}x{}", ROOM.0, ROOM.1);
            found.push(Found::new("terminal", Rating::Notice, text));
        }
        Some((columns, rows)) => found.push(Found::ok("terminal", format!("{columns}x{rows}"))),
    }
    found.push(clipboard(variable));
    found
}

fn colours(depth: Depth) -> &'static str {
    match depth {
        Depth::Mono => "no colours",
        Depth::Sixteen => "16 colours",
        Depth::Palette => "256 colours",
        Depth::True => "true colour",
    }
}

/// Whether what is copied (OSC 52) reaches the clipboard: no terminal tells it, those between say what they need.
fn clipboard(variable: &dyn Fn(&str) -> Option<String>) -> Found {
    let text = |of: &str| format!("copying (OSC 52) passes {of}, where that lets it through");
    if variable("TMUX").is_some() {
        return Found::new("terminal", Rating::Notice, text("tmux")).mend("tmux set -g set-clipboard on");
    }
    if variable("STY").is_some() {
        let text =
            "copying (OSC 52) does not reach the clipboard through screen: use tmux, or mark with the mouse";
        return Found::new("terminal", Rating::Notice, text);
    }
    if variable("VTE_VERSION").and_then(|v| v.parse::<u32>().ok()).is_some_and(|version| version < 7_600) {
        let text = "copying (OSC 52) does not reach the clipboard: this version of VTE (GNOME Terminal) does not know it";
        return Found::new("terminal", Rating::Notice, text);
    }
    Found::new(
        "terminal",
        Rating::Notice,
        "copying (OSC 52) reaches the clipboard where the terminal allows it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)], size: Option<(u16, u16)>, ascii: bool) -> String {
        let of =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let found = judged(&of, size, ascii);
        found.iter().map(|it| format!("{:?} {} {:?}\n", it.verdict, it.text, it.mend)).collect()
    }

    #[test]
    fn a_terminal_is_judged_by_what_it_says_of_itself() {
        let good = said(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Some((120, 40)), false);
        assert!(good.contains("Ok TERM=xterm-256color: true colour"), "{good}");
        assert!(good.contains("Ok the locale is UTF-8") && good.contains("Ok 120x40"), "{good}");
        let poor = said(&[("TERM", "dumb"), ("STY", "x")], Some((60, 20)), true);
        assert!(poor.contains("Warning TERM=dumb") && poor.contains("export TERM=xterm-256color"), "{poor}");
        assert!(poor.contains("Notice 60x20: less is shown than at 80x24"), "{poor}");
        assert!(poor.contains("LC_ALL=C.UTF-8") && poor.contains("through screen"), "{poor}");
        let none = said(&[("NO_COLOR", "1"), ("TERM", "xterm"), ("TMUX", "x")], None, false);
        assert!(none.contains("TERM=xterm: no colours") && none.contains("set-clipboard on"), "{none}");
        assert!(said(&[], None, false).contains("TERM is not set"));
    }
}
