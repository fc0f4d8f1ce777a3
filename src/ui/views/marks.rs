//! Rows that are marked: what a command is about is all of them, or the one under the cursor.

use std::fmt;

use crate::ui::{format, paint::Pen, theme::Role, view::List};

/// The marked rows, by their keys, in the order they were marked.
pub(super) struct Marks<K>(Vec<K>);

impl<K> Default for Marks<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq + Clone> Marks<K> {
    /// Marks the row under the cursor, or takes its mark off, and goes on to the next.
    pub fn toggle(&mut self, list: &mut List<K>, len: usize, page: usize, key: impl Fn(usize) -> K) {
        let Some(row) = list.selected().cloned() else { return };
        match self.0.iter().position(|marked| *marked == row) {
            Some(at) => _ = self.0.remove(at),
            None => self.0.push(row),
        }
        list.put(list.index() + 1, len, page, key);
    }

    /// Takes off what is no row any more.
    pub fn keep(&mut self, is_there: impl Fn(&K) -> bool) {
        self.0.retain(is_there);
    }

    /// Takes all marks off. Returns whether there were any.
    pub fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    /// All of them, in the order of their keys.
    pub fn all(&self) -> Vec<K>
    where
        K: Ord,
    {
        let mut all = self.0.clone();
        all.sort();
        all
    }

    /// Whom a command is about, in the order of their keys.
    pub fn targets(&self, list: &List<K>) -> Vec<K>
    where
        K: Ord,
    {
        match self.0.is_empty() {
            true => list.selected().cloned().into_iter().collect(),
            false => self.all(),
        }
    }

    /// The same in words: a name, or how many of what.
    pub fn subject(&self, list: &List<K>, one: &str) -> Option<String>
    where
        K: fmt::Display,
    {
        match self.0.len() {
            0 => list.selected().map(ToString::to_string),
            n => Some(format::count(n, &format!("marked {one}"))),
        }
    }

    /// The marked ones, or else the one under the cursor.
    pub fn or_selected<'a>(&'a self, list: &'a List<K>) -> impl Iterator<Item = &'a K> {
        let selected = list.selected().filter(|_| self.0.is_empty());
        self.0.iter().chain(selected)
    }

    /// Why an act that is about one row cannot be: several are marked.
    pub fn several(&self, one: &str) -> Option<String> {
        (self.0.len() > 1).then(|| format!("{} are marked: one {one} after another", self.0.len()))
    }

    /// How many there are, for the status line.
    pub fn words(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{} marked", self.0.len()))
    }

    /// The sign of a marked row.
    pub fn sign(&self, pen: &mut Pen<'_>, y: u16, row: &K) {
        if self.0.contains(row) {
            pen.put(1, y, 1, "●", Role::Accent);
        }
    }
}
