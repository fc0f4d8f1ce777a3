//! The terminal in the hands of a command in a container, and taken back from it however it ended.
//!
//! Called by `effects` once the screen has been left, and by `wheelhouse exec`. What is typed goes to the command as it
//! is, but for `Escapes`.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::OwnedFd,
    thread::JoinHandle,
};

use crossterm::terminal;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::{
    io::AsyncWrite,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::wire::exec::{Exec, Input};

/// How a command left the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// It has ended with this exit code.
    Ended(i32),
    /// The operator left it by the escape.
    Escaped,
    /// The connection is lost, or it could not be started: one sentence.
    Failed(String),
}

/// The exit code of a process that was killed (128 and the signal's number, 9).
const KILLED: i32 = 137;

/// What ends whatever a command may have made of the terminal: colours, a screen of its own, the mouse, keys in other
/// modes, a hidden cursor. The cursor stays where it is: to give the margins back would send it to the first line.
const AS_IT_WAS: &[u8] =
    b"\x1b[0m\x1b[?47l\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\
    \x1b[?2004l\x1b[4l\x1b[?7h\x1b7\x1b[r\x1b8\x1b[0m\x1b[?25h";

/// Gives the terminal to a command until that ends. Dropping this gives the terminal back as well.
pub async fn interactive(exec: Exec) -> Left {
    let raw = match Raw::take() {
        Ok(raw) => raw,
        Err(why) => return Left::Failed(format!("the terminal cannot be used: {why}")),
    };
    let (typing, typed) = mpsc::channel(16);
    let (escape, mut escaped) = mpsc::channel(1);
    let keyboard = Keyboard::read(typing, Some(escape));
    let (sizing, sizes) = mpsc::channel(4);
    let watching = tokio::spawn(tell_sizes(sizing));
    let left = match keyboard {
        Err(why) => Left::Failed(format!("what is typed cannot be read: {why}")),
        Ok(_reading) => tokio::select! {
            ended = exec.run(Input { typed, sizes }, tokio::io::stdout(), tokio::io::stderr()) => {
                ended.map_or_else(Left::Failed, Left::Ended)
            }
            Some(()) = escaped.recv() => Left::Escaped,
        },
    };
    watching.abort();
    drop(raw);
    // A command that ends by itself has ended its line; what is cut off has not.
    if !matches!(left, Left::Ended(_)) {
        let _ = io::stdout().lock().write_all(b"\r\n");
    }
    left
}

/// What there is to say of an exit code beside itself: a process that is killed from outside cannot say it.
pub fn killed(code: i32) -> Option<&'static str> {
    (code == KILLED).then_some("it was killed: by somebody, for want of memory, or with its container or pod")
}

/// Runs a command that has no terminal: what is piped in goes there, if anything is to, and what it says to `out`.
pub async fn piped(exec: Exec, stdin: bool, out: impl AsyncWrite + Unpin) -> Left {
    let (typing, typed) = mpsc::channel(16);
    // Nobody changes a size that there is none of.
    let (_, sizes) = mpsc::channel(1);
    let reading = if stdin { Keyboard::read(typing, None).map(Some) } else { Ok(None) };
    match reading {
        Err(why) => Left::Failed(format!("the input cannot be read: {why}")),
        Ok(_reading) => exec
            .run(Input { typed, sizes }, out, tokio::io::stderr())
            .await
            .map_or_else(Left::Failed, Left::Ended),
    }
}

/// Every size the terminal has, the present one first.
async fn tell_sizes(sizes: mpsc::Sender<(u16, u16)>) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    loop {
        if let Ok(size) = terminal::size()
            && sizes.send(size).await.is_err()
        {
            return;
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}

/// The terminal passes every key on as it is, until this is dropped.
struct Raw;

impl Raw {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if io::stdout().is_terminal() {
            let mut out = io::stdout().lock();
            let _ = out.write_all(AS_IT_WAS).and_then(|()| out.flush());
        }
        let _ = terminal::disable_raw_mode();
    }
}

/// A thread that reads the standard input. It has stopped reading when this has been dropped: no key is lost to it.
struct Keyboard {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    fn read(typed: mpsc::Sender<Vec<u8>>, escape: Option<mpsc::Sender<()>>) -> io::Result<Self> {
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let thread = std::thread::Builder::new().name("keyboard".into()).spawn(move || {
            let stdin = io::stdin();
            let mut escapes = Escapes::default();
            let mut buffer = vec![0; 4096];
            loop {
                let mut both = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&stopped, PollFlags::IN)];
                if let Err(why) = poll(&mut both, None)
                    && why != rustix::io::Errno::INTR
                {
                    return;
                }
                if !both[1].revents().is_empty() {
                    return;
                }
                if both[0].revents().is_empty() {
                    continue;
                }
                // Not through the buffer of the standard library: what it holds back nobody would be told of.
                let Ok(length @ 1..) = rustix::io::read(&stdin, &mut buffer) else { return };
                let mut bytes = buffer[..length].to_vec();
                if let Some(escape) = &escape
                    && escapes.cut(&mut bytes)
                {
                    let _ = escape.try_send(());
                    return;
                }
                if !bytes.is_empty() && typed.blocking_send(bytes).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It waits for nothing else: what it hands on has nobody to take it by now.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The way out of a command that answers no more, as in ssh: Enter, `~`, `.`.
#[derive(Default)]
struct Escapes {
    at: EscapeState,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum EscapeState {
    /// At the beginning of a line.
    #[default]
    Begun,
    /// After `~` there.
    Tilde,
    Within,
}

impl Escapes {
    /// Takes what was typed in; a `~` at the beginning of a line is held back until it is clear what it is. Whether the
    /// operator wants out.
    fn cut(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut kept = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes.drain(..) {
            match (self.at, byte) {
                (EscapeState::Tilde, b'.') => return true,
                (EscapeState::Begun, b'~') => {
                    self.at = EscapeState::Tilde;
                    continue;
                }
                // Twice is once, as in ssh.
                (EscapeState::Tilde, b'~') => {}
                (EscapeState::Tilde, _) => kept.push(b'~'),
                _ => {}
            }
            self.at = if matches!(byte, b'\r' | b'\n') { EscapeState::Begun } else { EscapeState::Within };
            kept.push(byte);
        }
        *bytes = kept;
        false
    }
}

/// Throws away what was typed and not read: it was meant for a command that is gone.
pub(super) fn forget_typed() {
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    while crossterm::event::poll(std::time::Duration::ZERO).unwrap_or(false) {
        if crossterm::event::read().is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_made_of_the_terminal_is_undone_and_the_cursor_stays() {
        let mut parser = vt100::Parser::default();
        parser.process(b"one\r\ntwo\r\n\x1b[31m\x1b[?1h\x1b[?2004h\x1b[?1002h\x1b[?25l\x1b[2;5rthree");
        let before = parser.screen().cursor_position();
        parser.process(b"\x1b[4;1H");
        parser.process(AS_IT_WAS);
        let screen = parser.screen();
        assert_eq!(screen.cursor_position(), (3, 0), "and not at the top, as after {before:?}");
        assert!(!screen.hide_cursor() && !screen.application_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(screen.fgcolor(), vt100::Color::Default);
    }

    #[test]
    fn a_tilde_and_a_dot_at_the_beginning_of_a_line_lead_out() {
        let typed = |pieces: &[&str]| {
            let mut escapes = Escapes::default();
            let mut sent = String::new();
            for piece in pieces {
                let mut bytes = piece.as_bytes().to_vec();
                if escapes.cut(&mut bytes) {
                    return Err(sent);
                }
                sent += &String::from_utf8_lossy(&bytes);
            }
            Ok(sent)
        };
        assert_eq!(typed(&["~."]), Err(String::new()));
        assert_eq!(typed(&["ls\r", "~", "."]), Err("ls\r".into()));
        assert_eq!(typed(&["ls ~.", "\r"]), Ok("ls ~.\r".into()));
        assert_eq!(typed(&["~/bin\r"]), Ok("~/bin\r".into()));
        assert_eq!(typed(&["~~.\r"]), Ok("~.\r".into()));
        assert_eq!(typed(&["a\n~", "b"]), Ok("a\n~b".into()));
    }
}
