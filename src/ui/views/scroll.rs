//! How far down a text is scrolled.

use crate::ui::{command::Command, format};

/// Lines scrolled down, at most as many as leave the last page full.
#[derive(Default)]
pub(super) struct Scroll(pub usize);

impl Scroll {
    /// Moves as the command says, on a screen so high.
    pub fn go(&mut self, command: Command, height: u16, most: usize) {
        let half = usize::from(height / 2).max(1);
        self.0 = match command {
            Command::Up => self.0.saturating_sub(1),
            Command::Down => self.0 + 1,
            Command::PageUp => self.0.saturating_sub(half),
            Command::PageDown => self.0 + half,
            Command::Top => 0,
            Command::Bottom => usize::MAX,
            _ => self.0,
        };
        self.settle(most);
    }

    /// Comes back from beyond the end.
    pub fn settle(&mut self, most: usize) {
        self.0 = self.0.min(most);
    }

    /// What is below, for the status line.
    pub fn below(&self, most: usize) -> String {
        match most.saturating_sub(self.0) {
            0 => String::new(),
            below => format!("{} below", format::count(below, "line")),
        }
    }
}
