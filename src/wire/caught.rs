//! Libraries that panic on what they are told: the panic becomes an error, and nobody else hears of it.
//!
//! A hook for panics is called before anything is caught: it asks here whether somebody will.

use std::{any::Any, cell::Cell, future::Future, panic::AssertUnwindSafe, pin::pin};

use futures::FutureExt;

thread_local! {
    static CATCHES: Cell<bool> = const { Cell::new(false) };
}

/// A panic of this thread is caught, and told as an error by who catches it.
pub fn is_caught() -> bool {
    // A thread that ends has no mark any more.
    CATCHES.try_with(Cell::get).unwrap_or(false)
}

/// Marks the thread as long as it lives; what was marked before stays so.
struct Mark(bool);

impl Mark {
    fn new() -> Self {
        Self(CATCHES.replace(true))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        CATCHES.set(self.0);
    }
}

/// Waits for a future of a library.
///
/// # Errors
/// What the library says when it panics. It is not asked again.
pub(super) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(AssertUnwindSafe(future).catch_unwind());
    // A task may be polled by another thread each time, and one thread polls many.
    let polled = std::future::poll_fn(|cx| {
        let _mark = Mark::new();
        future.as_mut().poll(cx)
    });
    polled.await.map_err(|panic| words(&*panic).to_owned())
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason is given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_thread_is_marked_only_while_the_future_is_polled() {
        let marked = caught(async {
            let before = is_caught();
            tokio::task::yield_now().await;
            (before, is_caught())
        });
        let beside = async { is_caught() };
        assert_eq!(tokio::join!(marked, beside), (Ok((true, true)), false));
        let within = caught(async { (caught(async {}).await, is_caught()) }).await;
        assert_eq!(within, Ok((Ok(()), true)), "one within another does not take the mark of it");
    }

    #[tokio::test]
    async fn what_panics_is_an_error_and_leaves_no_mark() {
        let fails = |at: &'static str| async move {
            if !at.is_empty() {
                std::panic::panic_any(at)
            }
        };
        assert_eq!(caught(fails("no such key")).await, Err("no such key".to_owned()));
        assert_eq!(caught(fails("")).await, Ok(()));
        assert!(!is_caught());
    }
}
