//! Taking the terminal, and giving it back whatever happens.

use std::{
    io::{self, IsTerminal, Stdout},
    ops::{Deref, DerefMut},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute, style, terminal,
};

use super::terminal::{Terminal, erases_with_ground};
use crate::wire::caught::is_caught;

/// The backend of the cockpit's terminal.
pub(super) type Backend = Terminal<Stdout>;

/// The terminal while it is ours. Dropping it gives it back.
pub(super) struct Screen(Backend);

/// The mouse is taken with the terminal.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Takes the terminal, with its mouse or without.
pub(super) fn take(mouse: bool) -> Result<Screen, String> {
    MOUSE.store(mouse, Ordering::Relaxed);
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("the cockpit needs a terminal; `wheelhouse status` and the other commands do not".into());
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(give_back_on_panic);
    // The theme decides about colours, and about NO_COLOR; the library's own way resets bold and reverse as well.
    style::force_color_output(true);
    let enter = || {
        enter()?;
        let var = |name: &str| std::env::var(name).ok();
        let erases = erases_with_ground(var("TERM").as_deref(), var("TMUX").is_some());
        Ok(Terminal::new(io::stdout(), erases))
    };
    enter().map(Screen).map_err(|e: io::Error| {
        leave();
        format!("the terminal cannot be used: {e}")
    })
}

/// Makes the terminal ours, at the start and after a suspension.
pub(super) fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), terminal::EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    if MOUSE.load(Ordering::Relaxed) {
        execute!(io::stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Takes the terminal again where a shell has changed it meanwhile, without our having given it back.
pub(super) fn retake() -> io::Result<()> {
    terminal::disable_raw_mode()?;
    enter()
}

/// Gives the terminal back, as far as it still answers.
pub(super) fn leave() {
    if MOUSE.load(Ordering::Relaxed) {
        let _ = execute!(io::stdout(), DisableMouseCapture);
    }
    let _ = execute!(io::stdout(), DisableBracketedPaste, terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}

/// A panic anywhere in the program ends it, unless it is caught: with the terminal given back, the report on it, and exit
/// code 1.
fn give_back_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_caught() {
            return;
        }
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
