//! What the holder of the Lease tells, and when: at once what is news, seldom what is not, and nothing by halves.

use std::{sync::Arc, time::Duration};

use imbl::OrdMap;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    super::pack::{AT_MOST, packed},
    Sharing,
};
use crate::cluster::{
    Freshness, LinkState, Snapshot,
    platform::{Component, ComponentKey, Facts, Looked, Platform, Sight, Spot},
};

/// What is seen is told at least this often, also where nothing but its age has changed.
const TOLD_EVERY: Duration = Duration::from_secs(15);
/// Whoever begins to look has asked everything after this: what did not answer before, may by then.
pub(super) const ASKED_WITHIN: Duration = Duration::from_secs(20);
/// News is told at most this often ...
const NEWS_EVERY: Duration = Duration::from_secs(2);
/// ... and in not more than so many bytes a second.
const BYTES_A_SECOND: usize = 32 * 1024;

/// What was told, as far as the next depends on it.
#[derive(Default)]
pub(super) struct Teller {
    last: Option<LastTold>,
    /// So many bytes were too many to be told.
    too_large: Option<usize>,
}

/// What was told last.
struct LastTold {
    at: Instant,
    bytes: usize,
    of: Gist,
}

/// What is news: how each component is, and what was found of each host.
#[derive(PartialEq)]
struct Gist {
    components: Vec<(ComponentKey, LinkState, Vec<Option<&'static str>>)>,
    looks: OrdMap<Spot, Arc<Looked>>,
}

impl Gist {
    fn of(seen: &Snapshot) -> Self {
        let platform = Platform::of(seen);
        let rows = platform.components.iter();
        let rows =
            rows.map(|row| (row.key.clone(), row.state, row.said.iter().map(|said| said.rule).collect()));
        Self { components: rows.collect(), looks: seen.looks.items.clone() }
    }

    fn is_still(&self, now: &Self) -> bool {
        self.looks.ptr_eq(&now.looks) && self.components == now.components
    }
}

/// Everything that is configured has been looked at since this moment, and every host at each place that answers: who reads
/// it puts it in the place of what it saw itself.
fn is_whole(seen: &Snapshot, (begun, began): (Timestamp, Instant)) -> bool {
    let whole = |component: &Component| match (&component.link, component.status.as_deref()) {
        (Freshness::Connecting, _) => false,
        (Freshness::Live { since }, status) => {
            *since >= begun && status.and_then(Facts::round).is_none_or(|round| round.looked >= round.hosts)
        }
        (Freshness::Stale { .. } | Freshness::Missing { .. }, _) => began.elapsed() >= ASKED_WITHIN,
    };
    seen.api.freshness.is_live()
        && seen.is_ready()
        && seen.knows_whom_to_ask()
        && !seen.platform.is_empty()
        && seen.platform.values().all(|one| whole(one))
}

impl Teller {
    /// Why nothing of it can be told, in a sentence.
    pub(super) fn too_large(&self) -> Option<String> {
        self.too_large.map(too_much)
    }

    /// What is to be told now to the others, where it is time, of what was looked at since that moment of both clocks.
    pub(super) fn tells(
        &mut self,
        by: &Sharing,
        seen: &Snapshot,
        begun: (Timestamp, Instant),
        now: Timestamp,
    ) -> Option<Arc<[u8]>> {
        if !is_whole(seen, begun) {
            return None;
        }
        let since = |last: &LastTold| {
            let pause = Duration::from_secs_f64(last.bytes as f64 / BYTES_A_SECOND as f64).max(NEWS_EVERY);
            (last.at.elapsed(), pause)
        };
        // Whether there is news is a judgement of all of it: it is asked for only once news might be told.
        let since = self.last.as_ref().map(since);
        if since.is_some_and(|(passed, pause)| passed < pause) {
            return None;
        }
        let of = Gist::of(seen);
        let is_news = self.last.as_ref().is_none_or(|last| !last.of.is_still(&of));
        if !is_news && since.is_some_and(|(passed, _)| passed < TOLD_EVERY) {
            return None;
        }
        let mut bytes = packed(&Sight::text(&seen.to_tell(), &by.who, &by.session, now));
        self.too_large = Some(bytes.len()).filter(|length| *length > AT_MOST);
        if let Some(length) = self.too_large {
            bytes = packed(&Sight::too_large(length as u64, &by.who, &by.session, now));
        }
        self.last = Some(LastTold { at: Instant::now(), bytes: bytes.len(), of });
        Some(bytes.into())
    }
}

fn too_much(bytes: usize) -> String {
    format!(
        "what is seen takes {} KiB, and cockpits tell each other {} KiB at most",
        bytes / 1024,
        AT_MOST / 1024
    )
}
