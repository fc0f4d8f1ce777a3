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

/// Those that were refused, by the address they were shown to and a hash of user and password; and when.
static REFUSED: LazyLock<Mutex<HashMap<(String, u64), Instant>>> = LazyLock::new(Mutex::default);
/// Its keys are drawn at random at each start.
static SALT: LazyLock<RandomState> = LazyLock::new(RandomState::new);

fn all() -> MutexGuard<'static, HashMap<(String, u64), Instant>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a login from others, for as long as the program runs.
pub(super) fn hash(login: &Login) -> u64 {
    SALT.hash_one((&login.user, login.password.expose_secret()))
}

fn key(base: &str, login: &Login) -> (String, u64) {
    (base.to_owned(), hash(login))
}

/// Whether it was refused there within the hour. Another password is another login.
pub(super) fn is_refused(base: &str, login: &Login) -> bool {
    all().get(&key(base, login)).is_some_and(|since| since.elapsed() < AFTER_REFUSAL)
}

/// It is refused there now.
pub(super) fn refused(base: &str, login: &Login) {
    let mut all = all();
    all.retain(|_, since| since.elapsed() < AFTER_REFUSAL);
    all.insert(key(base, login), Instant::now());
}
