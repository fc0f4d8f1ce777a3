//! What a view is, and what it is given to read.
//!
//! A view holds its own cursor, order and filter, and the rows made from the last snapshot; `refresh` makes them again,
//! `on` folds a command, `render` draws and changes nothing.

use std::{borrow::Cow, cell::Cell, collections::BTreeMap, ops::Range, sync::Arc};

use jiff::Timestamp;

pub use super::place::{Place, VIEWS};
use super::{
    action::Action,
    command::Command,
    filter::{Fields, Filter, NO_FIELDS},
    format,
    log::{Log, LogsWanted},
    outlook::{Outlook, Question},
    paint::Pen,
    replay::Replay,
    stops::Stop,
    theme::{Role, Theme},
};
use crate::{
    cluster::{Described, Finding, Judged, KubeEvent, NodeName, ObjectKey, Snapshot, TenantName, Use},
    history::Happened,
    run::{Audit, RunSeen, campaign::CampaignSeen},
};

/// Who sits at this cockpit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// `alice@bastion`.
    pub operator: String,
    /// Nothing may be changed.
    pub read_only: bool,
    /// What this cluster is called, and how that is shown.
    pub label: Option<(String, Role)>,
    /// It may be changed until then, by the clock of this machine.
    pub unlocked: Option<Timestamp>,
    /// The contexts of the kubeconfig, those used last first.
    pub contexts: Vec<String>,
}

/// The events of a tenant, newest first, or why there are none.
pub type Events = Result<Vec<KubeEvent>, String>;

/// An object in words, or why it could not be read.
pub type Read = Result<Arc<Described>, String>;

/// A port-forward that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Which.
    pub id: u64,
    /// The pod.
    pub pod: Arc<str>,
    /// The port of the pod.
    pub port: u16,
    /// The port of 127.0.0.1.
    pub local: u16,
    /// Connections that are open.
    pub open: usize,
    /// Why the last one did not come through.
    pub trouble: Option<String>,
}

impl Forwarded {
    /// Where to connect.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.local)
    }
}

/// What is fetched for the tenant on the screen.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Whose events are followed, and those that came last.
    pub events: Option<(TenantName, Option<Events>)>,
    /// What is read of logs.
    pub log: Log,
    /// The object that is described, and what was read of it last.
    pub object: Option<(ObjectKey, Option<Read>)>,
    /// What the audit file of this machine says, once it has been read; or why it cannot be.
    pub audit: Option<Result<Audit, String>>,
}

/// What a view wants to be fetched while it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// The events of this tenant in this namespace.
    pub events: Option<(TenantName, Arc<str>)>,
    /// These logs.
    pub log: LogsWanted,
    /// This object whole.
    pub object: Option<ObjectKey>,
    /// This prediction.
    pub question: Option<Question>,
    /// The audit file of this machine.
    pub audit: bool,
}

/// What is read while drawing and deciding.
pub struct Cx<'a> {
    /// The cluster.
    pub seen: &'a Snapshot,
    /// The tenants by name, and how near each is to its limits.
    pub tenants: &'a [Arc<Judged>],
    /// What is wrong, worst first.
    pub findings: &'a [Finding],
    /// The runs: unfinished first, then newest first.
    pub runs: &'a [RunSeen],
    /// The campaigns: unfinished first, then newest first.
    pub campaigns: &'a [CampaignSeen],
    /// Journals that cannot be read, one sentence each.
    pub unreadable: &'a [String],
    /// What is fetched for the tenant on the screen.
    pub detail: &'a Detail,
    /// The port-forwards that are open.
    pub forwards: &'a [Forwarded],
    /// What happened, as far as it is known: in the order of time.
    pub history: &'a [Happened],
    /// Since when it is known what happened; `None`: the cluster has not been read yet.
    pub since: Option<Timestamp>,
    /// What the tenants used before this cockpit was opened, as it was kept.
    pub used: &'a BTreeMap<TenantName, Vec<Use>>,
    /// The recording that is looked at instead of a cluster.
    pub replay: Option<&'a Replay>,
    /// What is predicted; `None` until it has been worked out once.
    pub outlook: Option<&'a Outlook>,
    /// What the key to the next trouble led to last.
    pub stop: Option<&'a Stop>,
    /// Who sits here.
    pub who: &'a Who,
    /// The roles' styles.
    pub theme: &'a Theme,
    /// The time, by the API server's clock.
    pub now: Timestamp,
    /// Columns and lines of the view.
    pub size: (u16, u16),
    /// When something drawn will read otherwise by itself.
    pub wake: &'a Cell<Option<Timestamp>>,
}

impl Cx<'_> {
    /// An age, remembering when it will read otherwise.
    pub fn age(&self, since: Timestamp) -> String {
        self.wake_at(format::next_change(self.now, since));
        format::ticking(self.now, since)
    }

    /// How long a finding has been so: `5s`, `≥5s` where it was so when it was first looked at; empty: not known.
    pub fn age_of(&self, finding: &Finding) -> String {
        let seen = || finding.seen_since.map(|since| format!("≥{}", self.age(since)));
        finding.since.map(|since| self.age(since)).or_else(seen).unwrap_or_default()
    }

    /// An age where there may be none: `–`.
    pub fn age_or_dash(&self, since: Option<Timestamp>) -> String {
        since.map_or_else(|| "–".into(), |s| self.age(s))
    }

    /// A node's name in so many columns, cut where the names of the nodes are alike.
    pub fn node_name<'n>(&self, name: &'n NodeName, columns: u16) -> Cow<'n, str> {
        format::apart(name.as_str(), self.seen.nodes.items.keys().map(NodeName::as_str), columns)
    }

    /// A tenant's name in so many columns, cut where the names of the tenants are alike.
    pub fn tenant_name<'n>(&self, name: &'n TenantName, columns: u16) -> Cow<'n, str> {
        format::apart(name.as_str(), self.seen.tenants.keys().map(TenantName::as_str), columns)
    }

    /// How old a prediction is, once it no longer holds and that matters: one is made each second, so that a younger
    /// one is about to be followed by the next.
    pub fn outdated(&self) -> Option<String> {
        const SOON: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);
        let outlook = self.outlook.filter(|o| !o.holds(self.seen))?;
        let matters = outlook.seen.at.checked_add(SOON).ok()?;
        if self.now < matters {
            self.wake_at(matters);
            return None;
        }
        Some(self.age(outlook.seen.at))
    }

    /// Remembers that what is drawn changes at that moment.
    pub fn wake_at(&self, at: Timestamp) {
        self.wake.set(Some(self.wake.get().map_or(at, |w| w.min(at))));
    }
}

/// How the rows of a place are chosen and put into order.
pub struct Lens<'a> {
    /// Only what this lets through is shown. `None`: there is no filter here.
    pub filter: Option<&'a mut Filter>,
    /// What the filter can name.
    pub fields: &'static Fields,
    /// The orders the rows can have, by the names that `:sort` takes; the first is the usual one.
    pub orders: &'static [&'static str],
    /// Which of them they have. `None`: there is one order only.
    order: Option<&'a mut usize>,
}

impl Default for Lens<'_> {
    fn default() -> Self {
        Self { filter: None, fields: &NO_FIELDS, orders: &[], order: None }
    }
}

impl<'a> Lens<'a> {
    /// Of a list that is filtered, and has several orders.
    pub fn of(
        filter: &'a mut Filter,
        fields: &'static Fields,
        order: &'a mut usize,
        orders: &'static [&'static str],
    ) -> Self {
        Self { orders, order: (!orders.is_empty()).then_some(order), ..Self::filtered(filter, fields) }
    }

    /// Of a text that is filtered.
    pub fn filtered(filter: &'a mut Filter, fields: &'static Fields) -> Self {
        Self { filter: Some(filter), fields, ..Self::default() }
    }

    /// The same where there is no filter.
    #[must_use]
    pub fn unfiltered(self) -> Self {
        Self { filter: None, ..self }
    }

    /// Puts the rows into the order of that place among them, counted round.
    pub fn put(self, order: impl FnOnce(usize) -> usize) {
        if let Some(present) = self.order {
            *present = order(*present) % self.orders.len();
        }
    }

    /// Puts the rows into the usual order. Returns whether they had another.
    pub fn reset(self) -> bool {
        self.order.is_some_and(|order| std::mem::take(order) > 0)
    }
}

/// One place on the screen.
pub trait View: Send {
    /// Where it is.
    fn place(&self) -> Place;

    /// The snapshot, or the size, is another one: make the rows again.
    fn refresh(&mut self, cx: &Cx<'_>);

    /// Folds a command; may ask for something.
    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action>;

    /// Folds a command with what was typed after it.
    ///
    /// # Errors
    /// It takes nothing of the kind: one sentence.
    fn typed(&mut self, _command: Command, text: &str, _cx: &Cx<'_>) -> Result<Option<Action>, String> {
        Err(format!("`{text}` says nothing here"))
    }

    /// Draws it.
    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>);

    /// What the status line says at the right: how many of how many, in which order.
    fn status(&self, _cx: &Cx<'_>) -> String {
        String::new()
    }

    /// Why a command cannot do anything here and now; `None`: it can.
    fn refuses(&self, _command: Command, _cx: &Cx<'_>) -> Option<String> {
        None
    }

    /// What answers what is wrong with the selected one, in a word or two; `None`: nothing does, or nothing is wrong.
    fn answer(&self, _cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        None
    }

    /// Whether it answers anything for one of its rows.
    fn answers_any(&self, cx: &Cx<'_>) -> bool {
        self.answer(cx).is_some()
    }

    /// Whether the text has the whole screen: no header, no keys.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether a command has no meaning here any more, so that the key bar leaves it out: nobody pauses what is over.
    fn hides(&self, _command: Command, _cx: &Cx<'_>) -> bool {
        false
    }

    /// Whether a command that goes both ways takes back here what it does elsewhere, so that the key bar says that.
    fn turned(&self, _command: Command, _cx: &Cx<'_>) -> bool {
        false
    }

    /// Whom the commands are about, for the heading of the menu.
    fn subject(&self) -> Option<String> {
        None
    }

    /// What is copied here: the name of what is selected, or the line.
    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        self.subject()
    }

    /// How its rows are chosen and put into order, to change it.
    fn lens(&mut self) -> Lens<'_> {
        Lens::default()
    }

    /// Takes all marks off. Returns whether there were any.
    fn unmark(&mut self) -> bool {
        false
    }

    /// The row that was acted on is held no longer: the first one is in front again.
    fn let_go(&mut self) {}

    /// Moves the cursor to it, if it is here.
    fn select(&mut self, _what: &Place, _cx: &Cx<'_>) {}

    /// What it wants to be fetched.
    fn wants(&self, _cx: &Cx<'_>) -> Wants {
        Wants::default()
    }
}

/// Why a command cannot do anything in this place, here and now; `None`: it can.
pub fn why_not(view: &dyn View, command: Command, cx: &Cx<'_>) -> Option<String> {
    match command {
        Command::Answer if view.answer(cx).is_none() => Some(format!(
            "nothing here that is wrong is answered by a key; {} leads to the next trouble",
            super::command::sign(Command::Trouble)
        )),
        _ => view.refuses(command, cx),
    }
}

/// A cursor in a list, held by key: rows may come, go and change their order under it. Until a key has moved it or has
/// acted on its row it stays on the first row, whichever that is.
#[derive(Clone, Debug)]
pub struct List<K> {
    selected: Option<K>,
    index: usize,
    offset: usize,
    held: bool,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self { selected: None, index: 0, offset: 0, held: false }
    }
}

impl<K: PartialEq + Clone> List<K> {
    /// The key under the cursor.
    pub fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    /// The row under the cursor.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether a key has moved the cursor or acted on its row.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Holds the row under the cursor from now on.
    pub fn hold(&mut self) {
        self.held = self.selected.is_some();
    }

    /// Holds no row any more.
    pub fn release(&mut self) {
        self.held = false;
    }

    /// Finds the cursor's row again after the rows have changed; when it is gone, the row that took its place.
    pub fn settle(&mut self, len: usize, page: usize, key: impl Fn(usize) -> K) {
        let found = match &self.selected {
            _ if !self.held => Some(0),
            Some(k) if self.index < len && key(self.index) == *k => Some(self.index),
            Some(k) => (0..len).find(|i| key(*i) == *k),
            None => None,
        };
        self.place(found.unwrap_or(self.index), len, page, key);
    }

    /// Moves the cursor to a row, and holds it there.
    pub fn put(&mut self, index: usize, len: usize, page: usize, key: impl Fn(usize) -> K) {
        self.place(index, len, page, key);
        self.hold();
    }

    fn place(&mut self, index: usize, len: usize, page: usize, key: impl Fn(usize) -> K) {
        self.index = index.min(len.saturating_sub(1));
        self.selected = (len > 0).then(|| key(self.index));
        self.offset = self.window(len, page).start;
    }

    /// Moves the cursor as the command says. Returns whether it was one that moves.
    pub fn go(&mut self, command: Command, len: usize, page: usize, key: impl Fn(usize) -> K) -> bool {
        let half = (page / 2).max(1);
        let index = match command {
            Command::Up => self.index.saturating_sub(1),
            Command::Down => self.index + 1,
            Command::PageUp => self.index.saturating_sub(half),
            Command::PageDown => self.index + half,
            Command::Top => 0,
            Command::Bottom => usize::MAX,
            _ => return false,
        };
        self.put(index, len, page, key);
        true
    }

    /// The rows to draw: the cursor is always among them.
    pub fn window(&self, len: usize, page: usize) -> Range<usize> {
        let page = page.max(1);
        let low = (self.index + 1).saturating_sub(page);
        let start = self.offset.clamp(low.min(self.index), self.index).min(len.saturating_sub(page));
        start..len.min(start + page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_on_its_key() {
        let mut list = List::default();
        let rows = ["a", "b", "c", "d"];
        list.settle(4, 2, |i| rows[i]);
        assert_eq!(list.selected(), Some(&"a"));
        let late = ["c", "a"];
        list.settle(2, 2, |i| late[i]);
        assert_eq!((list.selected(), list.window(2, 2)), (Some(&"c"), 0..2), "no key yet: the first row");
        list.settle(4, 2, |i| rows[i]);
        assert!(list.go(Command::Down, 4, 2, |i| rows[i]));
        let turned = ["d", "c", "b", "a"];
        list.settle(4, 2, |i| turned[i]);
        assert_eq!((list.selected(), list.index()), (Some(&"b"), 2));
        let without = ["d", "c", "a"];
        list.settle(3, 2, |i| without[i]);
        assert_eq!(list.selected(), Some(&"a"));
        list.settle(0, 2, |_| unreachable!("there are no rows"));
        assert_eq!(list.selected(), None);
        list.go(Command::Bottom, 4, 2, |i| rows[i]);
        assert_eq!((list.selected(), list.window(4, 2)), (Some(&"d"), 2..4));
        assert_eq!(list.window(4, 10), 0..4);
        assert_eq!(list.window(4, 0), 3..4);
    }
}
