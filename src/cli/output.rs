//! Printing and telling. Nothing here panics: an output that is full, closed or not read any more ends no program in the
//! middle of what it does. Who prints learns of it, and ends with exit code 1.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use super::Failure;
use crate::{cockpit, ui};

/// Whether standard output was closed when the program began (`>&-`).
static CLOSED: AtomicBool = AtomicBool::new(false);

ctor::declarative::ctor! {
    /// Looks before `main`: by then the standard library has opened /dev/null in the place of what is closed.
    #[ctor(unsafe)]
    fn look() {
        let output = rustix::io::fcntl_getfd(rustix::stdio::stdout());
        CLOSED.store(output == Err(rustix::io::Errno::BADF), Ordering::Relaxed);
    }
}

/// Whether what is printed on standard output reaches anything.
pub(super) fn is_open() -> bool {
    !CLOSED.load(Ordering::Relaxed)
}

/// Columns of the terminal that is printed on; `None`: it does not tell them, or what is printed goes elsewhere.
pub(super) fn columns() -> Option<u16> {
    let of_terminal = std::io::stdout().is_terminal().then(crossterm::terminal::size).and_then(Result::ok);
    of_terminal.map(|(columns, _)| columns)
}

/// Prints text for people on standard output, in the letters that a terminal there shows.
///
/// # Errors
/// As [`print_as_it_is`].
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_as_it_is(&letters(text, std::io::stdout().is_terminal()))
}

/// The text, in ASCII for a terminal that shows nothing else.
fn letters(text: &str, on_terminal: bool) -> Cow<'_, str> {
    if on_terminal && cockpit::ascii() { ui::format::ascii(text) } else { text.into() }
}

/// Prints text for programs on standard output.
///
/// # Errors
/// It cannot be written: [`Failure::Unheard`] where nobody reads it any more (`| head`), otherwise with the reason.
pub(super) fn print_as_it_is(text: &str) -> Result<(), Failure> {
    if !is_open() {
        return Err(Failure::Failed("standard output is closed: there is nowhere to print".into()));
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Failure::Unheard,
        _ => Failure::Failed(format!("cannot print: {e}")),
    })
}

/// Tells a line on standard error.
///
/// # Errors
/// [`Failure::Unheard`]: it cannot be written, and there is no other place to say so.
pub(super) fn tell(text: impl Display) -> Result<(), Failure> {
    whisper(format_args!("{text}\n"))
}

/// The same without the end of the line.
///
/// # Errors
/// [`Failure::Unheard`]: it cannot be written.
pub(super) fn whisper(text: impl Display) -> Result<(), Failure> {
    let text = text.to_string();
    let text = letters(&text, std::io::stderr().is_terminal());
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).map_err(|_| Failure::Unheard)
}
