//! Lines that have moved up or down together, as in a list that scrolls.

use ratatui::buffer::Buffer;

use super::{first_difference, line_of};

/// Lines that have moved together: those from `top` to before `end`, up by so many lines (down, below zero).
pub(super) struct Shift {
    pub top: u16,
    pub end: u16,
    pub by: i16,
}

/// The move that brings most lines where they are to be.
pub(super) fn shift(shown: &Buffer, next: &Buffer) -> Option<Shift> {
    /// Fewer lines than this are not worth it.
    const WORTH: usize = 3;
    let height = next.area.height;
    let same = |y: u16, from: u16| first_difference(line_of(shown, from), line_of(next, y)).is_none();
    let empty = |y: u16| line_of(next, y).iter().all(|cell| cell.symbol() == " ");
    let changed: Vec<u16> = (0..height).filter(|y| !same(*y, *y)).collect();
    let (first, last) = (*changed.first()?, *changed.last()?);
    let farthest = i16::try_from(height / 2).unwrap_or(i16::MAX);
    let mut best: Option<(usize, Shift)> = None;
    for by in (-farthest..=farthest).filter(|by| *by != 0) {
        let source =
            |y: u16| u16::try_from(i32::from(y) + i32::from(by)).ok().filter(|y| (first..=last).contains(y));
        let arrived = |y: &u16| source(*y).is_some_and(|from| same(*y, from));
        let moved: Vec<u16> = (first..=last).filter(arrived).collect();
        let worth = moved.iter().filter(|y| !empty(**y) && !same(**y, **y)).count();
        let (Some(low), Some(high)) = (moved.first(), moved.last()) else { continue };
        let sources = [i32::from(*low), i32::from(*high)].map(|y| (y + i32::from(by)) as u16);
        let (top, end) = (sources[0].min(*low), sources[1].max(*high) + 1);
        // What is right already and would be moved away has to be written again.
        let lost = (top..end).filter(|y| same(*y, *y) && !empty(*y) && !moved.contains(y)).count();
        let worth = worth.saturating_sub(lost);
        if worth >= WORTH && best.as_ref().is_none_or(|(most, _)| worth > *most) {
            best = Some((worth, Shift { top, end, by }));
        }
    }
    best.map(|(_, shift)| shift)
}
