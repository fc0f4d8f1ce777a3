//! One line, written in one of several ways: with or without erasing its rest, from the left or look after look.

use ratatui::buffer::Cell;
use unicode_width::UnicodeWidthStr;

use super::{
    State, differs, first_difference,
    ink::{Look, hop},
};

/// Cells that show already and lie between two runs are written again up to so many: moving the cursor takes as much.
const GAP: usize = 4;

/// One line being written in one of several ways.
pub(super) struct Sheet {
    pub state: State,
    pub out: Vec<u8>,
    pub lines: u16,
}

/// Cells of one look.
struct Run {
    start: usize,
    end: usize,
    look: Look,
}

impl Sheet {
    pub fn line(
        &mut self,
        y: u16,
        shown: &[Cell],
        next: &[Cell],
        erasure: Option<(usize, Look)>,
        sorted: bool,
    ) {
        let erased = erasure.map_or(usize::MAX, |(from, _)| from);
        if let Some((from, look)) = erasure {
            self.go(from, y);
            self.turn(look);
            self.out.extend(b"\x1b[K");
        }
        let blank = erasure.map(|(_, look)| look);
        let wide = wide_from(shown, next);
        let needs = |x: usize| {
            let look = Look::of(&next[x]);
            match blank {
                Some(blank) if x >= erased => look != blank,
                _ => x >= wide || differs(&shown[x], &next[x]),
            }
        };
        let mut runs = runs(next, needs);
        while !runs.is_empty() {
            let cheapest = |run: &Run| self.cost(run.look);
            let i = if sorted {
                (0..runs.len()).min_by_key(|i| cheapest(&runs[*i])).expect("there are some")
            } else {
                0
            };
            let run = runs.remove(i);
            self.go(run.start, y);
            self.turn(run.look);
            self.write(y, &run, next);
        }
    }

    fn cost(&self, look: Look) -> usize {
        self.state.look.map_or(99, |now| look.turn(now).0.len())
    }

    fn go(&mut self, x: usize, y: u16) {
        let to = (u16::try_from(x).unwrap_or(u16::MAX), y);
        self.out.extend(hop(self.state.at, to, self.lines).into_bytes());
        self.state.at = Some(to);
    }

    fn turn(&mut self, look: Look) {
        let before = self.state.look.unwrap_or_else(|| {
            self.out.extend(b"\x1b[m");
            Look::PLAIN
        });
        let (sequence, after) = look.turn(before);
        self.out.extend(sequence.into_bytes());
        self.state.look = Some(after);
    }

    fn write(&mut self, y: u16, run: &Run, next: &[Cell]) {
        let mut x = run.start;
        let mut sure = true;
        while x < run.end {
            if !sure {
                self.state.at = None;
                self.go(x, y);
            }
            let symbol = next[x].symbol();
            self.out.extend(symbol.as_bytes());
            let columns = symbol.width().max(1);
            // Terminals differ in how wide they take what is not one letter of one column.
            sure = columns == 1 && symbol.chars().count() == 1;
            x += columns;
        }
        let end = u16::try_from(x).unwrap_or(u16::MAX);
        // After the last column terminals differ in where the cursor is.
        self.state.at = (sure && x < next.len()).then_some((end, y));
    }
}

/// From where on a line with letters of several columns is written again whole: half of one cannot be.
fn wide_from(shown: &[Cell], next: &[Cell]) -> usize {
    let wide = |cell: &Cell| cell.symbol().width() != 1;
    if !shown.iter().chain(next).any(wide) {
        return usize::MAX;
    }
    let Some(first) = first_difference(shown, next) else { return usize::MAX };
    let covered = |x: usize| [shown, next].iter().any(|line| line[x].symbol().width() > 1);
    (0..first).find(|x| covered(*x)).unwrap_or(first)
}

/// What has to be written, in runs of one look.
fn runs(next: &[Cell], needs: impl Fn(usize) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while x < next.len() {
        let columns = next[x].symbol().width().max(1);
        if needs(x) {
            let look = Look::of(&next[x]);
            let joined = runs.last().filter(|run| x - run.end <= GAP).and_then(|run| {
                let between = next[run.end..x].iter().try_fold(run.look, |all, cell| {
                    (cell.symbol().width() == 1).then(|| all.join(Look::of(cell))).flatten()
                });
                between.and_then(|all| all.join(look))
            });
            match (joined, runs.last_mut()) {
                (Some(look), Some(run)) => {
                    run.look = look;
                    run.end = x + columns;
                }
                _ => runs.push(Run { start: x, end: x + columns, look }),
            }
        }
        x += columns;
    }
    runs
}
