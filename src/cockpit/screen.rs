//! Taking the terminal, and giving it back whatever happens.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    ops::{Deref, DerefMut},
    panic,
    sync::Once,
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute, style, terminal,
};
use ratatui::backend::CrosstermBackend;

/// The backend of the cockpit's terminal.
pub(super) type Backend = CrosstermBackend<Whole<BufWriter<Stdout>>>;

/// The terminal while it is ours. Dropping it gives it back.
pub(super) struct Screen(Backend);

/// Takes the terminal.
pub(super) fn take() -> Result<Screen, String> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("the cockpit needs a terminal; `wheelhouse status` and the other commands do not".into());
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(give_back_on_panic);
    // The theme decides about colours, and about NO_COLOR; the library's own way resets bold and reverse as well.
    style::force_color_output(true);
    let enter = || {
        enter()?;
        Ok(CrosstermBackend::new(Whole::new(BufWriter::with_capacity(1 << 16, io::stdout()))))
    };
    enter().map(Screen).map_err(|e: io::Error| {
        leave();
        format!("the terminal cannot be used: {e}")
    })
}

/// Makes the terminal ours, at the start and after a suspension.
pub(super) fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), terminal::EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back, as far as it still answers.
pub(super) fn leave() {
    let _ = execute!(io::stdout(), DisableBracketedPaste, terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}

/// A panic anywhere in the program ends it: with the terminal given back, the report on it, and exit code 1.
fn give_back_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Held to the end: a frame that another thread draws meanwhile would take the terminal again.
        let _nobody_draws = io::stdout().lock();
        leave();
        report(info);
        std::process::exit(1);
    }));
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

impl Deref for Screen {
    type Target = Backend;
    fn deref(&self) -> &Backend {
        &self.0
    }
}

impl DerefMut for Screen {
    fn deref_mut(&mut self) -> &mut Backend {
        &mut self.0
    }
}

/// A writer that shows each frame whole: what is written between two flushes stands between the marks of a synchronised
/// update (DEC private mode 2026), which terminals that do not know them ignore.
pub(super) struct Whole<W: Write> {
    inner: W,
    open: bool,
}

impl<W: Write> Whole<W> {
    fn new(inner: W) -> Self {
        Self { inner, open: false }
    }
}

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.open && !bytes.is_empty() {
            self.inner.write_all(b"\x1b[?2026h")?;
            self.open = true;
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.open) {
            self.inner.write_all(b"\x1b[?2026l")?;
        }
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flushed_together_is_shown_together() {
        let mut out = Whole::new(Vec::new());
        out.flush().expect("memory takes all");
        out.write_all(b"a").expect("memory takes all");
        out.write_all(b"b").expect("memory takes all");
        out.flush().expect("memory takes all");
        assert_eq!(out.inner, b"\x1b[?2026hab\x1b[?2026l");
    }
}
