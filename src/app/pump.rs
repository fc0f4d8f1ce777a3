//! The loop: draw, wait for one message, take all that are ready, fold each, draw once.
//!
//! A key is drawn at once; observations at most ten times a second; nothing is sent to the terminal when the frame
//! would be the same.

use std::{io, time::Duration};

use jiff::Timestamp;
use ratatui::{
    Terminal,
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
/// comes back from [`update`].
pub async fn run<B>(
    mut app: App,
    terminal: &mut Terminal<B>,
    mut inbox: mpsc::Receiver<Msg>,
    now: impl Fn() -> Timestamp,
    mut perform: impl FnMut(Effect, &mut Terminal<B>) -> io::Result<()>,
) -> io::Result<App>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut screen = Painter::default();
    // When the inbox was last found empty: what waits in it after a frame has come since then.
    let mut emptied = now();
    screen.paint(&app, terminal, now())?;
    let mut last = Instant::now();
    // Something was folded that is not drawn yet.
    let mut pending = false;
    while !app.is_leaving() {
        let alarm = app.alarm().map(|at| {
            let wait = at.duration_since(now());
            Instant::now() + Duration::try_from(wait).unwrap_or_default().max(Duration::from_millis(10))
        });
        let due = if pending { Some(last + FRAME) } else { alarm };
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
            urgent |= !matches!(message, Msg::Observed(_) | Msg::Log(..) | Msg::TenantEvents(..));
            if matches!(message, Msg::Input(crossterm::event::Event::Resize(..))) {
                screen.forget();
            }
            for effect in update(&mut app, message, at) {
                if matches!(effect, Effect::Redraw | Effect::Suspend) {
                    screen.forget();
                }
                perform(effect, terminal)?;
            }
            taken += 1;
            next = if taken < BATCH { inbox.try_recv().ok() } else { None };
        }
        emptied = now();
        pending = true;
        if urgent || last.elapsed() >= FRAME {
            screen.paint(&app, terminal, now())?;
            last = Instant::now();
            pending = false;
        }
    }
    Ok(app)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What was drawn last, to send only what differs.
#[derive(Default)]
struct Painter {
    last: Option<(Buffer, Option<Position>)>,
    next: Buffer,
}

impl Painter {
    /// The terminal shows something else by now: send every cell.
    fn forget(&mut self) {
        self.last = None;
    }

    fn paint<B>(&mut self, app: &App, terminal: &mut Terminal<B>, now: Timestamp) -> io::Result<()>
    where
        B: Backend,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if self.last.is_none() {
            // Not `clear`: that asks the terminal where its cursor is, and waits for an answer that may never come.
            let size = terminal.size().map_err(io::Error::other)?;
            terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(io::Error::other)?;
        }
        let (width, height) = app.world.size;
        self.next.resize(Rect::new(0, 0, width, height));
        self.next.reset();
        let cursor = app.draw(&mut self.next, now);
        if self.last.as_ref().is_some_and(|(buffer, at)| *buffer == self.next && *at == cursor) {
            return Ok(());
        }
        terminal
            .draw(|frame| {
                let area = frame.area().intersection(*self.next.area());
                let target = frame.buffer_mut();
                for y in area.top()..area.bottom() {
                    for x in area.left()..area.right() {
                        target[(x, y)] = self.next[(x, y)].clone();
                    }
                }
                if let Some(at) = cursor {
                    frame.set_cursor_position(at);
                }
            })
            .map_err(io::Error::other)?;
        self.last = Some((self.next.clone(), cursor));
        Ok(())
    }
}
