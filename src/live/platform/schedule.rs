//! Which look comes next: what was broken sooner again, what does not answer once in a while and not host after host, and
//! all of it within a budget. Knows no clock: time is milliseconds since the begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::platform::{Asked, ComponentKey, Spot};

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Job {
    /// What an ingress node answers for a host that nobody has.
    Control(ComponentKey),
    /// The counters of an edge.
    Stub(ComponentKey),
    /// Whether a place answers, where no host is known to ask it for.
    Alive(ComponentKey),
    /// A host.
    Look(Spot),
}

impl Job {
    /// The place that is asked. Counters are read elsewhere than hosts are asked for.
    pub(super) fn place(&self) -> Option<&ComponentKey> {
        match self {
            Self::Control(key) | Self::Alive(key) => Some(key),
            Self::Look(Spot { asked: Asked::At(key), .. }) => Some(key),
            Self::Stub(_) | Self::Look(_) => None,
        }
    }
}

/// Whom jobs take up: each has jobs of its own under way, so that one that is slow leaves room for the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// A place.
    Place(ComponentKey),
    /// The resolver.
    Names,
    /// Counters, and the application.
    Other,
}

impl Lane {
    fn of(job: &Job) -> Self {
        match job.place() {
            Some(key) => Self::Place(key.clone()),
            None if matches!(job, Job::Look(Spot { asked: Asked::Resolver, .. })) => Self::Names,
            None => Self::Other,
        }
    }

    /// Jobs under way at once.
    fn most(&self) -> usize {
        match self {
            Self::Place(_) => 4,
            Self::Names | Self::Other => 2,
        }
    }
}

/// The jobs of one lane, by when they are due.
#[derive(Debug, Default)]
struct Queue {
    due: BTreeSet<(u64, Job)>,
    under_way: usize,
    /// It does not answer: nothing is asked of it before then, and then one thing.
    closed_until: Option<u64>,
}

/// All jobs. One that is handed out comes back with [`Schedule::again`].
#[derive(Debug, Default)]
pub(super) struct Schedule {
    queues: BTreeMap<Lane, Queue>,
    /// When each is due; `None`: it is under way.
    known: HashMap<Job, Option<u64>>,
}

impl Schedule {
    /// A new job, due then. One that is known stays as it is.
    pub(super) fn add(&mut self, job: Job, due: u64) {
        if self.known.contains_key(&job) {
            return;
        }
        self.known.insert(job.clone(), Some(due));
        self.queues.entry(Lane::of(&job)).or_default().due.insert((due, job));
    }

    /// Forgets a job.
    pub(super) fn remove(&mut self, job: &Job) {
        if let Some(Some(due)) = self.known.remove(job)
            && let Some(queue) = self.queues.get_mut(&Lane::of(job))
        {
            queue.due.remove(&(due, job.clone()));
        }
    }

    /// The jobs that are known.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.known.keys()
    }

    /// The one that is due first of all places that are asked, and when; it may be due only later.
    fn first(&self) -> Option<(u64, &Job)> {
        let of = |queue: &'_ Queue| -> Option<u64> {
            let (due, _) = queue.due.first()?;
            Some((*due).max(queue.closed_until.unwrap_or(0)))
        };
        let free = self.queues.iter().filter(|(lane, queue)| queue.under_way < lane.most());
        let first = free.filter_map(|(_, queue)| Some((of(queue)?, queue)));
        let (due, queue) =
            first.min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.due.first().cmp(&y.due.first())))?;
        Some((due, &queue.due.first()?.1))
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.first().map(|(due, _)| due)
    }

    /// Hands out what is due now. While a place is closed one thing is asked of it, and nothing more until that has come
    /// back.
    pub(super) fn take(&mut self, now: u64) -> Option<Job> {
        let (_, job) = self.first().filter(|(due, _)| *due <= now)?;
        let job = job.clone();
        let queue = self.queues.get_mut(&Lane::of(&job))?;
        queue.due.pop_first();
        queue.under_way += 1;
        if queue.closed_until.is_some() {
            queue.closed_until = Some(u64::MAX);
        }
        self.known.insert(job.clone(), None);
        Some(job)
    }

    /// A job that was handed out is due again then; unless it was forgotten meanwhile.
    pub(super) fn again(&mut self, job: &Job, due: u64) {
        let queue = self.queues.entry(Lane::of(job)).or_default();
        queue.under_way = queue.under_way.saturating_sub(1);
        let Some(known) = self.known.get_mut(job) else { return };
        *known = Some(due);
        queue.due.insert((due, job.clone()));
    }

    /// A job that waits is due before all others; one under way is about to tell already.
    pub(super) fn hasten(&mut self, job: &Job) {
        if let Some(Some(due)) = self.known.get_mut(job)
            && let Some(queue) = self.queues.get_mut(&Lane::of(job))
        {
            queue.due.remove(&(*due, job.clone()));
            *due = 0;
            queue.due.insert((0, job.clone()));
        }
    }

    /// A place does not answer: one thing is asked of it then.
    pub(super) fn close(&mut self, place: &ComponentKey, until: u64) {
        self.queues.entry(Lane::Place(place.clone())).or_default().closed_until = Some(until);
    }

    /// A place answers.
    pub(super) fn open(&mut self, place: &ComponentKey) {
        if let Some(queue) = self.queues.get_mut(&Lane::Place(place.clone())) {
            queue.closed_until = None;
        }
    }
}

/// Looks that may be made at once, and then so many a second.
#[derive(Debug)]
pub(super) struct Budget {
    left: f64,
    at: u64,
    per_second: f64,
    most: f64,
}

/// Seconds of the budget that may be spent at once.
const AHEAD: f64 = 5.0;

impl Budget {
    pub(super) fn new(per_second: u32, now: u64) -> Self {
        let per_second = f64::from(per_second);
        let most = per_second * AHEAD;
        Self { left: most, at: now, per_second, most }
    }

    /// Takes one look off.
    ///
    /// # Errors
    /// There is none: how many milliseconds until there is.
    pub(super) fn take(&mut self, now: u64) -> Result<(), u64> {
        let passed = now.saturating_sub(self.at) as f64 / 1e3;
        self.left = passed.mul_add(self.per_second, self.left).min(self.most);
        self.at = now;
        if self.left < 1.0 {
            return Err(((1.0 - self.left) / self.per_second * 1e3).ceil() as u64);
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::platform::ComponentKind;

    fn edge(name: &str) -> ComponentKey {
        ComponentKey::new(ComponentKind::Edge, name)
    }

    fn look(host: &str, at: &str) -> Job {
        Job::Look(Spot { host: host.into(), asked: Asked::At(edge(at)) })
    }

    #[test]
    fn of_a_place_that_does_not_answer_one_host_is_asked_and_the_others_go_on() {
        let mut schedule = Schedule::default();
        for i in 0..1_000 {
            for at in ["a", "b"] {
                schedule.add(look(&format!("h{i:04}"), at), i);
            }
        }
        // Host after host, at both places.
        let first: Vec<_> = (0..4).filter_map(|_| schedule.take(2_000)).collect();
        assert_eq!(first, [look("h0000", "a"), look("h0000", "b"), look("h0001", "a"), look("h0001", "b")]);
        first.iter().for_each(|job| schedule.again(job, 90_000));
        schedule.close(&edge("a"), 7_000);
        let next = |schedule: &mut Schedule| {
            let job = schedule.take(6_999)?;
            schedule.again(&job, 90_000);
            Some(job)
        };
        let rest: Vec<_> = std::iter::from_fn(|| next(&mut schedule)).collect();
        assert_eq!(rest.len(), 998);
        assert!(rest.iter().all(|job| job.place() == Some(&edge("b"))));
        assert_eq!(schedule.next_due(), Some(7_000));
        assert_eq!(schedule.take(7_000), Some(look("h0002", "a")), "one of them");
        assert_eq!(schedule.take(80_000), None, "and no other until it has come back");
        schedule.open(&edge("a"));
        schedule.again(&look("h0002", "a"), 90_000);
        assert_eq!(schedule.take(8_000), Some(look("h0003", "a")));
    }

    #[test]
    fn what_is_forgotten_under_way_does_not_come_back_and_what_is_broken_comes_first() {
        let mut schedule = Schedule::default();
        schedule.add(look("a", "x"), 0);
        schedule.add(look("b", "x"), 1);
        let one = schedule.take(5).expect("it is due");
        schedule.remove(&one);
        schedule.again(&one, 6);
        assert_eq!(schedule.take(5), Some(look("b", "x")));
        assert_eq!((schedule.take(99), schedule.next_due()), (None, None));
        // The backlog of a minute: what was broken is due again before it.
        for i in 0..50 {
            schedule.add(look(&format!("good{i}"), "x"), 60_000 + i);
        }
        schedule.again(&look("b", "x"), 10_000);
        assert_eq!(schedule.take(61_000), Some(look("b", "x")));
    }

    #[test]
    fn a_resolver_that_hangs_leaves_room_for_the_edges() {
        let name = |i: usize| Job::Look(Spot { host: format!("h{i}").into(), asked: Asked::Resolver });
        let mut schedule = Schedule::default();
        for i in 0..50 {
            schedule.add(name(i), 0);
            schedule.add(look(&format!("h{i}"), "x"), 1);
        }
        let taken: Vec<_> = std::iter::from_fn(|| schedule.take(10)).collect();
        let of_edge = taken.iter().filter(|job| job.place().is_some()).count();
        assert_eq!((taken.len() - of_edge, of_edge), (2, 4));
        schedule.again(&taken[0], 99);
        assert!(schedule.take(10).is_some() && schedule.take(10).is_none(), "one for one");
    }

    #[test]
    fn the_budget_holds_over_any_time() {
        let mut budget = Budget::new(10, 0);
        let mut made = 0;
        let (mut now, end) = (0, 60_000);
        while now < end {
            match budget.take(now) {
                Ok(()) => made += 1,
                Err(wait) => now += wait,
            }
        }
        assert!((640..=651).contains(&made), "50 at once, then 10 a second: {made}");
    }
}
