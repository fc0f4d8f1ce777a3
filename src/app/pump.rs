//! The loop: draw, wait for one message, take all that are ready, fold each, draw once.
//!
//! A key is drawn at once; observations at most ten times a second; nothing is sent to the terminal when the frame
//! would be the same.

use std::{io, time::Duration};

use jiff::Timestamp;
use ratatui::{
    backend::Backend,
    buffer::Buffer,
    layout::{Position, Rect},
};
use tokio::{sync::mpsc, time::Instant};

use super::{App, Effect, Msg, update};

/// Observations are drawn no more often than this.
const FRAME: Duration = Duration::from_millis(100);

/// Messages taken before one frame is drawn, however many there are.
const BATCH: usize = 4096;

/// Runs the cockpit until it is left, or the terminal or the inbox is gone. `now` is the clock; `perform` does what
/// comes back from [`update()`].
///
/// # Errors
/// The terminal cannot be written to.
pub async fn run<B>(
    mut app: App,
    backend: &mut B,
    mut inbox: mpsc::Receiver<Msg>,
    now: impl Fn() -> Timestamp,
    mut perform: impl FnMut(Effect, &mut B) -> io::Result<()>,
) -> io::Result<App>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut screen = Painter::default();
    // When the inbox was last found empty: what waits in it after a frame has come since then.
    let mut emptied = now();
    screen.paint(&app, backend, now())?;
    let mut last = Instant::now();
    // Something was folded that is not drawn yet.
    let mut pending = false;
    while !app.is_leaving() {
        let alarm = app.alarm().map(|at| {
            let wait = at.duration_since(now());
            Instant::now() + Duration::try_from(wait).unwrap_or_default().max(Duration::from_millis(10))
        });
        // In other hands it shows nothing of what changes.
        let due = match (app.is_away(), pending) {
            (true, _) => None,
            (false, true) => Some(last + FRAME),
            (false, false) => alarm,
        };
        // What came while the last frame was drawn is as old as that frame's beginning: drawing may take long on a
        // slow line, and keys that came together must not look as if a person had pressed them one by one.
        let (mut next, at) = match inbox.try_recv() {
            Ok(message) => (Some(message), emptied),
            Err(mpsc::error::TryRecvError::Disconnected) => break,
            Err(mpsc::error::TryRecvError::Empty) => {
                let message = tokio::select! {
                    biased;
                    message = inbox.recv() => Some(message),
                    () = sleep_until(due) => None,
                };
                match message {
                    Some(Some(message)) => (Some(message), now()),
                    Some(None) => break,
                    None => (Some(Msg::Tick), now()),
                }
            }
        };
        let mut urgent = false;
        let mut taken = 0;
        while let Some(message) = next {
            urgent |= !matches!(
                message,
                Msg::Observed(_) | Msg::Sought(..) | Msg::Foreseen(_) | Msg::Log(..) | Msg::TenantEvents(..)
            );
            if matches!(message, Msg::Input(crossterm::event::Event::Resize(..))) {
                screen.forget();
            }
            for effect in update(&mut app, message, at) {
                if matches!(effect, Effect::Redraw | Effect::Suspend | Effect::Retake | Effect::TakeBack) {
                    screen.forget();
                }
                perform(effect, backend)?;
            }
            taken += 1;
            next = if taken < BATCH { inbox.try_recv().ok() } else { None };
        }
        emptied = now();
        pending = true;
        if !app.is_away() && (urgent || last.elapsed() >= FRAME) {
            screen.paint(&app, backend, now())?;
            last = Instant::now();
            pending = false;
        }
    }
    Ok(app)
}

/// What is on a screen, line by line.
fn text(screen: &Buffer) -> String {
    let columns = usize::from(screen.area.width).max(1);
    let lines = screen.content.chunks(columns).map(|line| line.iter().map(|cell| cell.symbol()).collect());
    lines.collect::<Vec<String>>().join("\n")
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What the terminal shows, to send only what differs.
///
/// The library's own `Terminal` would do the same, but asks the terminal where its cursor is whenever it clears: a
/// question that not every terminal answers, and that waits for two seconds when it does not.
#[derive(Default)]
pub struct Painter {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    known: bool,
}

impl Painter {
    /// The terminal shows something else by now: send every cell.
    pub fn forget(&mut self) {
        self.known = false;
    }

    /// Sends what differs from the frame before.
    ///
    /// # Errors
    /// The terminal takes no more.
    pub fn paint<B>(&mut self, app: &App, backend: &mut B, now: Timestamp) -> io::Result<()>
    where
        B: Backend,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (width, height) = app.world.size;
        let area = Rect::new(0, 0, width, height);
        self.next.resize(area);
        self.next.reset();
        let cursor = app.draw(&mut self.next, now);
        if self.known && self.cursor == cursor && self.shown == self.next {
            return Ok(());
        }
        if let Some(onlooker) = &app.setup.onlooker {
            onlooker.drew(&text(&self.next), now);
        }
        if !self.known {
            backend.clear().map_err(io::Error::other)?;
            self.shown.resize(area);
            self.shown.reset();
        }
        backend.draw(self.shown.diff_iter(&self.next)).map_err(io::Error::other)?;
        match cursor {
            Some(at) => {
                backend.set_cursor_position(at).map_err(io::Error::other)?;
                backend.show_cursor().map_err(io::Error::other)?;
            }
            None => backend.hide_cursor().map_err(io::Error::other)?,
        }
        backend.flush().map_err(io::Error::other)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        self.cursor = cursor;
        self.known = true;
        Ok(())
    }
}
