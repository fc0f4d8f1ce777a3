//! A place that hosts are asked for at: whether it answers, and what is told of it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::stub;
use crate::{
    cluster::{
        Freshness, Trouble,
        platform::{
            Component, ComponentKind, EdgeFacts, Facts, FloatingFacts, IngressNodeFacts, Stub, edge::Round,
        },
    },
    wire::request,
};

/// The last looks by which it is told that some get no answer.
const LAST: usize = 10;
/// So many in a row without an answer, and it does not answer.
const IN_A_ROW: usize = 3;
/// A name is resolved again after this.
const NAMED_FOR: Duration = Duration::from_secs(60);

/// Where it is.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) at: (String, u16),
    /// Where its counters are: host, port, path.
    pub(super) stub: Option<(String, u16, String)>,
}

/// Why there was no answer.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    trouble: Trouble,
    why: String,
}

impl Silence {
    pub(super) fn refused() -> Self {
        Self { trouble: Trouble::Refused, why: "refuses connections: nothing listens there".into() }
    }

    pub(super) fn unreachable(why: &str) -> Self {
        Self { trouble: Trouble::Unreachable, why: format!("cannot be reached: {why}") }
    }

    pub(super) fn silent() -> Self {
        let why = "takes the connection and does not answer: its workers may hang".into();
        Self { trouble: Trouble::Silent, why }
    }
}

impl From<request::Fault> for Silence {
    fn from(fault: request::Fault) -> Self {
        match fault {
            request::Fault::Refused => Self::refused(),
            request::Fault::Unreachable(why) => Self::unreachable(&why),
            request::Fault::Silent => Self::silent(),
            request::Fault::NotHttp => {
                Self { trouble: Trouble::Other, why: "answers, and not in HTTP".into() }
            }
        }
    }
}

/// A place, and what is known of it.
pub(super) struct Watched {
    pub(super) target: Target,
    pub(super) component: Component,
    /// What it answers for a host that nobody has.
    pub(super) control: Option<request::Answer>,
    /// Requests of ours since its counters were read.
    pub(super) own: u64,
    /// Something is new of it.
    pub(super) changed: bool,
    address: Option<(Instant, SocketAddr)>,
    /// Of the last looks that got a connection, which got no answer.
    last: VecDeque<bool>,
    answered: Option<Timestamp>,
    stub: Option<Result<Stub, Arc<str>>>,
    counted: Option<(Instant, Stub)>,
    /// Connections of clients, when they were last counted.
    number: Option<f64>,
    told: Option<(Instant, bool)>,
    silence: Option<(Silence, Timestamp)>,
}

impl Watched {
    pub(super) fn new(component: Component, target: Target) -> Self {
        Self {
            target,
            component,
            control: None,
            own: 0,
            changed: false,
            address: None,
            last: VecDeque::new(),
            answered: None,
            stub: None,
            counted: None,
            number: None,
            told: None,
            silence: None,
        }
    }

    /// It has answered, and does so still.
    pub(super) fn is_up(&self) -> bool {
        self.answered.is_some() && !self.is_silent()
    }

    /// It was asked, and does not answer.
    pub(super) fn is_silent(&self) -> bool {
        self.silence.is_some()
    }

    /// Its address, as it was last resolved.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address.filter(|(at, _)| at.elapsed() < NAMED_FOR).map(|(_, address)| address)
    }

    /// Takes in that it answered, or why it did not. Returns whether it counts as one that answers: where only some
    /// connections get no answer, it does.
    pub(super) fn heard(
        &mut self,
        address: Option<SocketAddr>,
        silence: Option<&Silence>,
        at: Timestamp,
    ) -> bool {
        if let Some(address) = address
            && self.address().is_none()
        {
            self.address = Some((Instant::now(), address));
        }
        self.changed = true;
        let Some(silence) = silence else {
            // It was down as a whole: what got no answer then says nothing of its workers now.
            if self.silence.take().is_some() {
                self.last.clear();
            }
            self.last.push_back(false);
            self.answered = Some(at);
            self.forget();
            return true;
        };
        // A name that is resolved again may lead elsewhere.
        self.address = None;
        let hangs = silence.trouble == Trouble::Silent;
        if hangs {
            self.last.push_back(true);
            self.forget();
        }
        let some =
            hangs && self.silence.is_none() && self.last.iter().rev().take(IN_A_ROW).any(|silent| !silent);
        if !some {
            let since = self.silence.take().map_or(at, |(_, since)| since);
            self.silence = Some((silence.clone(), since));
        }
        some
    }

    fn forget(&mut self) {
        while self.last.len() > LAST {
            self.last.pop_front();
        }
    }

    /// Takes in its counters.
    pub(super) fn counted(&mut self, found: Result<Option<request::Answer>, Silence>, at: Timestamp) {
        let read = match found {
            Ok(Some(request::Answer { status: 200, body })) => stub::read(&body),
            Ok(Some(request::Answer { status, .. })) => Err(format!("it answers {status}")),
            Ok(None) => return,
            Err(silence) => Err(format!("it {}", silence.why)),
        };
        let read = read.map(|now| {
            let (seconds, before) = match &self.counted {
                Some((at, before)) => (at.elapsed().as_secs_f64(), Some(before)),
                None => (0.0, None),
            };
            let now = stub::after(before, now, seconds, self.own, at);
            self.own = 0;
            self.counted = Some((Instant::now(), now.clone()));
            self.number = Some(f64::from(now.active));
            now
        });
        self.stub = Some(read.map_err(Into::into));
        self.changed = true;
    }

    /// Whether there is something to tell: that it answers or does not at once, all else once in a while.
    pub(super) fn is_news(&self, every: Duration) -> bool {
        let known = self.answered.is_some() || self.silence.is_some();
        let turned = self.told.is_none_or(|(_, up)| up != self.silence.is_none());
        let due = self.told.is_none_or(|(at, _)| at.elapsed() >= every);
        known && self.changed && (turned || due)
    }

    /// The component, to be told.
    pub(super) fn told(&mut self, round: Round) -> Component {
        let up = self.silence.is_none();
        self.changed = false;
        self.told = Some((Instant::now(), up));
        self.component = match (&self.silence, self.answered) {
            (Some((Silence { trouble, why }, since)), _) => self.component.failed(*trouble, why, *since),
            (None, Some(at)) => {
                let facts = self.facts(round);
                self.component.read(facts, self.number.take(), at)
            }
            (None, None) => self.component.clone(),
        };
        debug_assert!(self.component.link != Freshness::Connecting);
        self.component.clone()
    }

    fn facts(&self, round: Round) -> Facts {
        let silent = self.last.iter().filter(|silent| **silent).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let round = Round { silent: count(silent), of: count(self.last.len()), ..round };
        let (host, port) = &self.target.at;
        let at: Arc<str> =
            self.address.map_or_else(|| format!("{host}:{port}"), |(_, at)| at.to_string()).into();
        match self.component.name.kind {
            ComponentKind::Floating => Facts::Floating(FloatingFacts { at, round }),
            ComponentKind::IngressNode => Facts::IngressNode(IngressNodeFacts { at, round }),
            _ => Facts::Edge(EdgeFacts { at, round, stub: self.stub.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge() -> Watched {
        let target = Target { at: ("192.0.2.11".into(), 443), stub: None };
        let key = crate::cluster::platform::ComponentKey::new(ComponentKind::Edge, "edge-1");
        Watched::new(Component::new(key), target)
    }

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn one_look_tells_that_nothing_listens_and_a_worker_that_hangs_is_not_the_edge() {
        let mut place = edge();
        assert!(!place.is_news(Duration::ZERO));
        assert!(place.heard(None, None, AT));
        assert!(!place.heard(None, Some(&Silence::refused()), AT), "it is told after one look");
        assert!(place.told(Round::default()).link.trouble().is_some_and(|why| why.starts_with("refuses")));
        assert!(place.heard(None, None, AT) && place.is_up());
        // One of two workers hangs: every other connection gets no answer.
        for _ in 0..4 {
            assert!(place.heard(None, Some(&Silence::silent()), AT));
            assert!(place.heard(None, None, AT));
        }
        let component = place.told(Round::default());
        let Some(Facts::Edge(facts)) = component.status.as_deref() else { panic!("an edge") };
        assert_eq!((facts.round.silent, facts.round.of), (4, 9));
        for (i, up) in [true, true, false, false].into_iter().enumerate() {
            assert_eq!(place.heard(None, Some(&Silence::silent()), AT), up, "silence {i}");
        }
        // One that never answered is down at once.
        assert!(!edge().heard(None, Some(&Silence::silent()), AT));
    }

    #[test]
    fn a_machine_that_was_down_has_no_worker_that_hangs_when_it_is_back() {
        let mut place = edge();
        place.heard(None, None, AT);
        for silence in [Silence::refused(), Silence::unreachable("no route to host"), Silence::silent()] {
            for _ in 0..3 {
                assert!(!place.heard(None, Some(&silence), AT), "{silence:?}");
            }
        }
        assert!(place.heard(None, None, AT) && place.is_up());
        let component = place.told(Round::default());
        let Some(Facts::Edge(facts)) = component.status.as_deref() else { panic!("an edge") };
        assert_eq!((facts.round.silent, facts.round.of), (0, 1));
    }

    #[test]
    fn what_was_known_stays_while_it_does_not_answer() {
        let mut place = edge();
        place.heard(None, None, AT);
        let round = Round { hosts: 3, looked: 3, ..Round::default() };
        place.told(round);
        let later = AT.saturating_add(jiff::SignedDuration::from_secs(60)).expect("a time");
        place.heard(None, Some(&Silence::unreachable("no route to host")), later);
        let told = place.told(Round::default());
        assert!(matches!(&told.link, Freshness::Stale { since, .. } if *since == AT), "{:?}", told.link);
        assert_eq!(told.silent_since, Some(later));
        let Some(Facts::Edge(facts)) = told.status.as_deref() else { panic!("an edge") };
        assert_eq!(facts.round.looked, 3);
    }
}
