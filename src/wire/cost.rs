//! What we cost the cluster: requests, open watches and bytes of the API server, queries of each endpoint of the database.
//!
//! Counted where the wire is touched, in a window of the last seconds; read by `live` and told on the help screen and by
//! `wheelhouse doctor`.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tokio::time::Instant;
use tower::Service;

/// Rates are over so many whole seconds.
const WINDOW: usize = 10;

/// How often something happens: all in all, and a second of late.
#[derive(Debug)]
struct Rate {
    begun: Instant,
    total: u64,
    /// The second that is counted in now, since `begun`.
    second: u64,
    counts: [u64; WINDOW + 1],
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self { begun: now, total: 0, second: 0, counts: [0; WINDOW + 1] }
    }

    fn advance(&mut self, now: Instant) {
        let second = now.duration_since(self.begun).as_secs();
        for passed in self.second + 1..=second.min(self.second + self.counts.len() as u64) {
            self.counts[passed as usize % (WINDOW + 1)] = 0;
        }
        self.second = second.max(self.second);
    }

    fn add(&mut self, n: u64, now: Instant) {
        self.advance(now);
        self.total += n;
        self.counts[self.second as usize % (WINDOW + 1)] += n;
    }

    /// Over the last whole seconds; before one has passed, none.
    fn per_second(&mut self, now: Instant) -> f64 {
        self.advance(now);
        let whole = (self.second as usize).min(WINDOW);
        if whole == 0 {
            return 0.0;
        }
        let current = self.counts[self.second as usize % (WINDOW + 1)];
        let window: u64 = self.counts.iter().sum::<u64>() - current;
        window as f64 / whole as f64
    }
}

/// How much of something there was, and is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    /// Since the program began.
    pub total: u64,
    /// A second, over the last ten.
    pub per_second: f64,
}

/// What the API server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApiCost {
    /// Watches that are open.
    pub watches: u64,
    /// Requests.
    pub requests: Amount,
    /// Bytes of answers as they came over the wire, without TLS and headers.
    pub bytes: Amount,
}

struct Counted {
    watches: u64,
    requests: Rate,
    bytes: Rate,
}

/// Counts what one cluster is asked.
#[derive(Clone)]
pub(super) struct Tally(Arc<Mutex<Counted>>);

impl Default for Tally {
    fn default() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Counted { watches: 0, requests: Rate::new(now), bytes: Rate::new(now) })))
    }
}

impl Tally {
    fn held(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted by now.
    pub(super) fn cost(&self) -> ApiCost {
        let now = Instant::now();
        let mut held = self.held();
        let amount = |rate: &mut Rate| Amount { total: rate.total, per_second: rate.per_second(now) };
        ApiCost {
            watches: held.watches,
            requests: amount(&mut held.requests),
            bytes: amount(&mut held.bytes),
        }
    }

    /// A service that counts what goes through it.
    pub(super) fn around<S>(&self, inner: S) -> Counting<S> {
        Counting { inner, tally: self.clone() }
    }
}

/// A watch counts as open as long as this lives.
struct Watch(Tally);

impl Watch {
    fn opened(tally: &Tally) -> Self {
        tally.held().watches += 1;
        Self(tally.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.held().watches -= 1;
    }
}

/// A service whose requests and answers are counted.
#[derive(Clone)]
pub(super) struct Counting<S> {
    inner: S,
    tally: Tally,
}

impl<S, B, A> Service<Request<B>> for Counting<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    A: BodyExt<Data = Bytes> + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, A::Error>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let tally = self.tally.clone();
        tally.held().requests.add(1, Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let watch = (is_watch && answer.status().is_success()).then(|| Watch::opened(&tally));
            let counted = |body: A| {
                body.map_frame(move |frame| {
                    // It is open as long as its body is read.
                    let _watch = &watch;
                    if let Some(data) = frame.data_ref() {
                        tally.held().bytes.add(data.len() as u64, Instant::now());
                    }
                    frame
                })
                .boxed_unsync()
            };
            Ok(answer.map(counted))
        })
    }
}

/// Queries of each endpoint of the database: by what people call it, such as `db1:3306` or `db/proxysql-0:6032`.
static QUERIES: LazyLock<Mutex<BTreeMap<String, Rate>>> = LazyLock::new(Mutex::default);

/// A statement is sent to an endpoint.
pub(super) fn asked(endpoint: &str) {
    let now = Instant::now();
    let mut all = QUERIES.lock().unwrap_or_else(PoisonError::into_inner);
    match all.get_mut(endpoint) {
        Some(rate) => rate.add(1, now),
        None => {
            let mut rate = Rate::new(now);
            rate.add(1, now);
            all.insert(endpoint.to_owned(), rate);
        }
    }
}

/// The queries of every endpoint of the database that this process has asked.
pub fn queries() -> Vec<(String, Amount)> {
    let now = Instant::now();
    let mut all = QUERIES.lock().unwrap_or_else(PoisonError::into_inner);
    let amount = |rate: &mut Rate| Amount { total: rate.total, per_second: rate.per_second(now) };
    all.iter_mut().map(|(endpoint, rate)| (endpoint.clone(), amount(rate))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::Full;
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_over_the_last_whole_seconds() {
        let mut rate = Rate::new(Instant::now());
        rate.add(100, Instant::now());
        assert_eq!(rate.per_second(Instant::now()), 0.0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rate.per_second(Instant::now()), 100.0);
        for _ in 0..4 {
            rate.add(10, Instant::now());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!((rate.per_second(Instant::now()), rate.total), (28.0, 140));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(rate.per_second(Instant::now()), 1.0);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((rate.per_second(Instant::now()), rate.total), (0.0, 140));
    }

    #[tokio::test]
    async fn requests_bytes_and_open_watches_are_counted() {
        let tally = Tally::default();
        let answer = service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"12345"))))
        });
        let ask = async |uri: &str| {
            let request = Request::get(uri).body(()).unwrap();
            tally.around(answer).oneshot(request).await.unwrap()
        };
        let read = ask("/api/v1/pods").await;
        assert_eq!(tally.cost().watches, 0);
        assert_eq!(read.into_body().collect().await.unwrap().to_bytes().len(), 5);
        let watch = ask("/api/v1/pods?watch=true&resourceVersion=3").await;
        assert_eq!((tally.cost().watches, tally.cost().requests.total, tally.cost().bytes.total), (1, 2, 5));
        drop(watch);
        assert_eq!(tally.cost().watches, 0);
    }
}
