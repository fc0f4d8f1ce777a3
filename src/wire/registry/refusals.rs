//! Logins that were refused: accounts are locked by those who try, so each is shown once in a while by the whole program.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::login::Login;

/// A login that is refused is not shown again for so long.
const AFTER_REFUSAL: Duration = Duration::from_secs(3_600);

/// The address a login was shown to, what for (empty: for anything), and a hash of user and password.
type Refusal = (String, String, u64);

/// Those that were refused, and when.
static REFUSED: LazyLock<Mutex<HashMap<Refusal, Instant>>> = LazyLock::new(Mutex::default);
/// Its keys are drawn at random at each start.
static SALT: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn all() -> MutexGuard<'static, HashMap<Refusal, Instant>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a login from others, for as long as the program runs.
pub(super) fn hash(login: &Login) -> u64 {
    SALT.hash_one((&login.user, login.password.expose_secret()))
}

fn key(base: &str, scope: &str, login: &Login) -> Refusal {
    (base.to_owned(), scope.to_owned(), hash(login))
}

/// Whether it was refused there within the hour, for anything or for this scope. Another password is another login.
pub(super) fn is_refused(base: &str, scope: &str, login: &Login) -> bool {
    let all = all();
    let refused = |scope| all.get(&key(base, scope, login)).is_some_and(|t| t.elapsed() < AFTER_REFUSAL);
    refused("") || refused(scope)
}

/// It is refused there now: for this scope, or for anything where that is empty.
pub(super) fn refused(base: &str, scope: &str, login: &Login) {
    let mut all = all();
    all.retain(|_, since| since.elapsed() < AFTER_REFUSAL);
    all.insert(key(base, scope, login), Instant::now());
}
