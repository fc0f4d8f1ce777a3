//! What was answered while something is rehearsed that brings one image to many tenants: nothing is asked twice, and a
//! registry that is silent is waited for once.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::{Answer, Lacking, login::Login, refusals, way::Stop};

/// Who asks: another login may be told something else.
type By = Result<Vec<u64>, Lacking>;

/// The image, what it is held against, and who asks.
type Question = (String, Option<String>, By);

#[derive(Default)]
pub(super) struct Memory {
    pub(super) asked: Answers<Result<Answer, Stop>>,
    pub(super) moved: Answers<Result<Option<String>, Stop>>,
    silent: Mutex<HashSet<String>>,
}

/// Answers to questions; who asks what is being asked waits for that.
pub(super) struct Answers<A>(Mutex<HashMap<Question, Arc<OnceCell<A>>>>);

impl<A> Default for Answers<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Clone> Answers<A> {
    /// The answer that is known, or that is got now.
    pub(super) async fn or(
        &self,
        image: &str,
        against: Option<&str>,
        by: &Result<Vec<Login>, Lacking>,
        ask: impl Future<Output = A>,
    ) -> A {
        let by = by.as_ref().map(|all| all.iter().map(refusals::hash).collect()).map_err(Clone::clone);
        let question = (image.to_owned(), against.map(str::to_owned), by);
        let cell = entry(&self.0, question);
        cell.get_or_init(|| ask).await.clone()
    }
}

fn entry<Q: Hash + Eq, A>(all: &Mutex<HashMap<Q, Arc<OnceCell<A>>>>, question: Q) -> Arc<OnceCell<A>> {
    all.lock().unwrap_or_else(PoisonError::into_inner).entry(question).or_default().clone()
}

impl Memory {
    /// Whether a registry did not answer in time.
    pub(super) fn is_silent(&self, host: &str) -> bool {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    /// It did not.
    pub(super) fn silent(&self, host: &str) {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    }
}
