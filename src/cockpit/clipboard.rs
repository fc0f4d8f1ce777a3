//! Text on the operator's clipboard through the terminal (OSC 52), which works over SSH, tmux and screen.

use std::io::{self, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::sync::mpsc;

use super::screen;
use crate::{app::Msg, cluster::Severity, ui::plain};

/// A text larger than this does not go to the clipboard: terminals cut it off.
pub(super) const MOST: usize = 74_994;

/// What stands between the cockpit and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Multiplexer {
    None,
    Tmux,
    Screen,
}

impl Multiplexer {
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).is_some_and(|value| !value.is_empty());
        match () {
            () if set("TMUX") => Self::Tmux,
            () if set("STY") => Self::Screen,
            () => Self::None,
        }
    }
}

/// What puts text on the clipboard of a terminal. tmux takes it for itself where `set-clipboard` is on, and passes on what
/// is wrapped where `allow-passthrough` is: it gets both. screen passes on what is wrapped, in short pieces.
pub(super) fn sequence(text: &str, inside: Multiplexer) -> Vec<u8> {
    let plain = format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text));
    match inside {
        Multiplexer::None => plain.into_bytes(),
        Multiplexer::Tmux => {
            let wrapped = plain.replace('\x1b', "\x1b\x1b");
            format!("{plain}\x1bPtmux;{wrapped}\x1b\\").into_bytes()
        }
        Multiplexer::Screen => {
            // It takes 256 characters at once in its older versions.
            let pieces = plain.as_bytes().chunks(200);
            pieces.flat_map(|piece| [b"\x1bP", piece, b"\x1b\\"].concat()).collect()
        }
    }
}

/// Puts text on the operator's clipboard through the terminal, and says so.
///
/// # Errors
/// The terminal takes no more.
pub(super) fn copy(text: &str, backend: &mut screen::Backend, tell: &mpsc::Sender<Msg>) -> io::Result<()> {
    let notice = if text.len() > MOST {
        Msg::Notice(Severity::Warning, "too long for the terminal's clipboard".into())
    } else {
        let out = backend.out();
        let inside = Multiplexer::of(|name| std::env::var(name).ok());
        out.write_all(&sequence(text, inside))?;
        out.flush()?;
        Msg::Notice(Severity::Notice, format!("copied {}", shortly(text)))
    };
    // A full inbox loses a courtesy, nothing more.
    let _ = tell.try_send(notice);
    Ok(())
}

/// A text in a few words.
pub(super) fn shortly(text: &str) -> String {
    match (text.lines().count(), text.chars().count()) {
        (0 | 1, ..=60) => plain(text.trim()).into_owned(),
        (0 | 1, _) => format!("{}…", plain(&text.chars().take(59).collect::<String>())),
        (n, _) => crate::cluster::words::count(n, "line"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_reaches_the_terminal_through_tmux_and_screen() {
        let of = |text: &str, inside| String::from_utf8(sequence(text, inside)).unwrap();
        assert_eq!(of("acme-1", Multiplexer::None), "\x1b]52;c;YWNtZS0x\x07");
        assert_eq!(
            of("acme-1", Multiplexer::Tmux),
            "\x1b]52;c;YWNtZS0x\x07\x1bPtmux;\x1b\x1b]52;c;YWNtZS0x\x07\x1b\\"
        );
        let long = of(&"x".repeat(300), Multiplexer::Screen);
        let pieces: Vec<&str> = long.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert!(
            pieces.len() == 3 && pieces.iter().all(|piece| piece.starts_with("\x1bP") && piece.len() <= 202)
        );
        let joined: String = pieces.iter().map(|piece| &piece[2..]).collect();
        assert_eq!(joined, of(&"x".repeat(300), Multiplexer::None));
        let env =
            |set: &'static [&'static str]| Multiplexer::of(move |n| set.contains(&n).then(|| "1".to_owned()));
        assert_eq!(env(&["TMUX", "STY"]), Multiplexer::Tmux);
        assert_eq!((env(&["STY"]), env(&[])), (Multiplexer::Screen, Multiplexer::None));
        assert_eq!((shortly("acme-1\n"), shortly("a\nb")), ("acme-1".to_owned(), "2 lines".to_owned()));
    }
}
