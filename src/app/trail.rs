//! The places one has been at, to go back and forth between them as in a browser. Pure.

use super::Views;
use crate::ui::{Place, view::VIEWS};

/// So many places are remembered.
const REMEMBERED: usize = 50;

/// Where one has been: the root and what lay on it, each time one of both has changed.
#[derive(Default)]
pub(super) struct Trail {
    paths: Vec<(usize, Vec<Place>)>,
    at: usize,
}

impl Trail {
    /// Remembers where one is now. What lay before one is forgotten when one turns off.
    pub(super) fn note(&mut self, views: &Views) {
        let path = views.path();
        if self.paths.get(self.at) == Some(&path) {
            return;
        }
        self.paths.truncate(self.at + 1);
        self.paths.push(path);
        if self.paths.len() > REMEMBERED {
            self.paths.remove(0);
        }
        self.at = self.paths.len() - 1;
    }

    /// Goes to the place before, or to the next one. Whether there is one.
    pub(super) fn go(&mut self, views: &mut Views, back: bool) -> bool {
        let to = if back { self.at.checked_sub(1) } else { Some(self.at + 1) };
        let Some((to, (root, places))) = to.and_then(|to| Some((to, self.paths.get(to)?))) else {
            return false;
        };
        self.at = to;
        if views.root != *root {
            views.stack.clear();
        }
        views.root = *root;
        let same = views.stack.iter().zip(places).take_while(|(view, place)| view.place() == **place).count();
        views.stack.truncate(same);
        views.stack.extend(places[same..].iter().map(Place::view));
        true
    }
}

impl Views {
    fn path(&self) -> (usize, Vec<Place>) {
        (self.root, self.stack.iter().map(|view| view.place()).collect())
    }

    /// The way to the present place in words, from the root on.
    pub(super) fn crumbs(&self) -> Vec<String> {
        let root = VIEWS.get(self.root).map_or("", |(_, _, name)| name);
        let below = self.stack.iter().map(|view| view.place().crumb());
        [root.to_owned()].into_iter().chain(below).collect()
    }
}
