//! Printing and telling. Nothing here panics: an output that is full, closed or not read any more ends no program in the
//! middle of what it does. Who prints learns of it, and ends with exit code 1.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

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

fn is_open() -> bool {
    !CLOSED.load(Ordering::Relaxed)
}

/// Columns of the terminal that is printed on; `None`: it does not tell them, or what is printed goes elsewhere.
pub(super) fn columns() -> Option<u16> {
    let of_terminal = io::stdout().is_terminal().then(crossterm::terminal::size).and_then(Result::ok);
    of_terminal.map(|(columns, _)| columns)
}

/// Prints text for people on standard output, in the letters that a terminal there shows.
///
/// # Errors
/// As [`print_as_it_is`].
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_as_it_is(&letters(text, io::stdout().is_terminal()))
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
    print_by(|| io::stdout().write_all(text.as_bytes()))
}

/// Has somebody else print on standard output.
///
/// # Errors
/// As [`print_as_it_is`].
pub(super) fn print_by(print: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
    if !is_open() {
        return Err(Failure::Failed("standard output is closed: there is nowhere to print".into()));
    }
    print().and_then(|()| io::stdout().flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Failure::Unheard,
        _ => Failure::Failed(format!("cannot print: {e}")),
    })
}

/// Standard output as it is, for what a command in a container says.
pub(super) fn bare() -> Box<dyn AsyncWrite + Unpin + Send> {
    if is_open() { Box::new(tokio::io::stdout()) } else { Box::new(Closed) }
}

/// Takes nothing, as what is closed does: what the standard library has opened in its place takes all.
struct Closed;

impl AsyncWrite for Closed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::other("standard output is closed")))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
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
    let text = letters(&text, io::stderr().is_terminal());
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).map_err(|_| Failure::Unheard)
}
