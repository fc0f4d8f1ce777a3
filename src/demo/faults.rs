//! Faults on demand: what a test makes go wrong between a client and the API.
//!
//! Set through `Cluster::faults`; asked by `http` for every request. Never set by the world itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::api::access::Denial;
use super::api::{AccessRule, Users};

/// Which requests a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    method: String,
    path: String,
}

impl On {
    /// Requests with this method and path. The method is an HTTP method, `WATCH`, `WRITE` (POST, PUT,
    /// PATCH, DELETE that are no reviews) or `*`; in the path `*` stands for any characters.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into() }
    }

    /// Every request.
    pub fn any() -> Self {
        Self::new("*", "*")
    }

    fn matches(&self, method: &str, path: &str, watching: bool) -> bool {
        let right = match self.method.as_str() {
            "*" => true,
            "WATCH" => watching,
            "WRITE" => {
                matches!(method, "POST" | "PUT" | "PATCH" | "DELETE") && !path.contains("/selfsubject")
            }
            wanted => wanted == method && !(watching && wanted == "GET"),
        };
        right && glob(&self.path, path)
    }
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the request is applied.
    Before,
    /// After it is applied, before the reply is sent.
    After,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is answered.
    Answer,
    /// It is answered with this status and `Retry-After`, and not applied.
    Status(u16, Option<u32>),
    /// It is applied unless `before`, and never answered.
    Hang { before: bool },
    /// It is applied unless `before`, and the connection is closed.
    Cut { before: bool },
}

#[derive(Clone, Debug)]
enum Effect {
    Delay(Duration),
    Outcome(Outcome),
}

#[derive(Clone, Debug)]
struct Fault {
    on: On,
    effect: Effect,
    /// Matching requests to let pass first.
    skip: usize,
    /// How many it still strikes; None for all.
    left: Option<usize>,
}

/// The faults that are set.
pub struct Faults {
    set: Mutex<Vec<Fault>>,
    malformed: Mutex<BTreeSet<(String, String)>>,
    silent: watch::Sender<bool>,
    hits: watch::Sender<usize>,
    users: Arc<Users>,
}

impl Faults {
    pub(crate) fn new(users: Arc<Users>) -> Self {
        Self {
            set: Mutex::default(),
            malformed: Mutex::default(),
            silent: watch::Sender::new(false),
            hits: watch::Sender::new(0),
            users,
        }
    }

    /// Takes a right away from a user, or from everybody: 403 as RBAC says it. `resource` is as in
    /// [`AccessRule`].
    pub fn deny(&self, user: Option<&str>, verb: &str, resource: &str) {
        let rule = AccessRule::new(&[verb], &[resource], None);
        self.users.deny(Denial { user: user.map(Into::into), rule });
    }

    /// Answers the next `times` matching requests with a status (429, 500, 503) and a `Retry-After` in
    /// seconds.
    pub fn status(&self, on: On, code: u16, retry_after: Option<u32>, times: usize) {
        self.add(on, Effect::Outcome(Outcome::Status(code, retry_after)), 0, Some(times));
    }

    /// Holds matching requests back for a while before they are applied.
    pub fn delay(&self, on: On, by: Duration) {
        self.add(on, Effect::Delay(by), 0, None);
    }

    /// Takes matching requests and never answers nor applies them.
    pub fn hang(&self, on: On) {
        self.add(on, Effect::Outcome(Outcome::Hang { before: true }), 0, None);
    }

    /// Applies matching requests and never answers them.
    pub fn hang_after(&self, on: On) {
        self.add(on, Effect::Outcome(Outcome::Hang { before: false }), 0, None);
    }

    /// Closes the connection of the `nth` (from 1) matching request.
    pub fn cut(&self, on: On, nth: usize, when: Cut) {
        let outcome = Outcome::Cut { before: when == Cut::Before };
        self.add(on, Effect::Outcome(outcome), nth.saturating_sub(1), Some(1));
    }

    /// Keeps all watches and followed logs silent, as over a half-open connection: no events, no
    /// bookmarks, no end.
    pub fn silence_watches(&self, yes: bool) {
        self.silent.send_replace(yes);
    }

    /// Serves an object with wrong types. `resource` is `pods`, `deployments.apps`.
    pub fn malform(&self, resource: &str, name: &str) {
        lock(&self.malformed).insert((resource.into(), name.into()));
    }

    /// How many requests were struck so far.
    pub fn hits(&self) -> usize {
        *self.hits.borrow()
    }

    /// Waits until `count` requests were struck.
    pub async fn struck(&self, count: usize) {
        let mut hits = self.hits.subscribe();
        // the sender lives in self: waiting cannot fail
        let _ = hits.wait_for(|n| *n >= count).await;
    }

    /// Takes all faults and denials back.
    pub fn clear(&self) {
        lock(&self.set).clear();
        lock(&self.malformed).clear();
        self.users.restore();
        self.silence_watches(false);
    }

    /// What is to happen to a request: how long to hold it back, and its outcome.
    pub(crate) fn meet(&self, method: &str, path: &str, watching: bool) -> (Duration, Outcome) {
        let (mut delay, mut outcome) = (Duration::ZERO, Outcome::Answer);
        let mut struck = 0;
        let mut set = lock(&self.set);
        for fault in set.iter_mut().filter(|f| f.on.matches(method, path, watching)) {
            if fault.left == Some(0)
                || matches!(fault.effect, Effect::Outcome(_)) && outcome != Outcome::Answer
            {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(left) = &mut fault.left {
                *left -= 1;
            }
            struck += 1;
            match fault.effect {
                Effect::Delay(by) => delay += by,
                Effect::Outcome(end) => outcome = end,
            }
        }
        set.retain(|f| f.left != Some(0));
        drop(set);
        if struck > 0 {
            self.hits.send_modify(|n| *n += struck);
        }
        (delay, outcome)
    }

    pub(crate) fn silence(&self) -> watch::Receiver<bool> {
        self.silent.subscribe()
    }

    pub(crate) fn malformed(&self) -> BTreeSet<(String, String)> {
        lock(&self.malformed).clone()
    }

    fn add(&self, on: On, effect: Effect, skip: usize, left: Option<usize>) {
        lock(&self.set).push(Fault { on, effect, skip, left });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `text` matches a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        assert!(glob("/apis/apps/*/scale", "/apis/apps/v1/namespaces/a/deployments/x/scale"));
        assert!(glob("*", "/api") && glob("*/pods*", "/api/v1/pods") && glob("/api", "/api"));
        assert!(!glob("/api", "/apis") && !glob("/a*b", "/ac") && !glob("/aa*aa", "/aaa"));
    }

    #[test]
    fn a_cut_strikes_the_nth_request_once() {
        let faults = Faults::new(Arc::default());
        faults.cut(On::new("WRITE", "*"), 2, Cut::After);
        let outcomes: Vec<Outcome> = (0..3).map(|_| faults.meet("PATCH", "/x", false).1).collect();
        assert_eq!(outcomes, [Outcome::Answer, Outcome::Cut { before: false }, Outcome::Answer]);
        assert_eq!(faults.hits(), 1);
        assert_eq!(faults.meet("GET", "/x", false).1, Outcome::Answer);
    }

    #[test]
    fn a_status_is_given_as_often_as_asked() {
        let faults = Faults::new(Arc::default());
        faults.status(On::any(), 429, Some(1), 2);
        let given = (0..3).filter(|_| faults.meet("GET", "/x", false).1 != Outcome::Answer).count();
        assert_eq!(given, 2);
    }
}
