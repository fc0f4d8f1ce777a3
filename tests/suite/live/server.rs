//! An API server that does as it is told: a tower service under the real client.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use wheelhouse::{
    cluster::Snapshot,
    live::{Scope, observe},
    wire::Wire,
};

use super::captures;

type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// What the server does with one request.
pub enum Act {
    /// Answers with a code and a text.
    Say(u16, String),
    /// Answers 200 and goes on as the other end of the channel wishes.
    Stream(mpsc::UnboundedReceiver<Result<String, io::Error>>),
    /// The same, this text first; a list is read from it as it comes.
    Rest(String, mpsc::UnboundedReceiver<Result<String, io::Error>>),
    /// The connection is refused.
    Refuse,
    /// Nothing comes, ever.
    Hang,
}

/// A stream to write, and the act that reads it.
pub fn stream() -> (mpsc::UnboundedSender<Result<String, io::Error>>, Act) {
    let (write, read) = mpsc::unbounded_channel();
    (write, Act::Stream(read))
}

/// A stream that says this and stays open for as long as the server lives.
pub fn saying(server: &Server, lines: &[String]) -> Act {
    let (write, act) = stream();
    write.send(Ok(lines.concat())).expect("the act is alive");
    server.0.lock().expect("no panic before").open.push(write);
    act
}

/// A refusal as the API server words it.
pub fn refusal(code: u16, reason: &str, message: &str) -> Act {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Act::Say(code, status.to_string())
}

/// The server. Collections nobody has scripted are empty and silent; metrics are not installed.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    scripts: BTreeMap<String, VecDeque<Act>>,
    requests: Vec<String>,
    open: Vec<mpsc::UnboundedSender<Result<String, io::Error>>>,
    down: bool,
    expired: bool,
    /// How many seconds its clock is ahead, where it tells the time.
    ahead: Option<i64>,
    /// The uid of kube-system and the version of the store.
    course: Option<(String, u64)>,
}

/// What is asked to find out whether the cluster is the one that was read.
const COURSE: &str = "/api/v1/namespaces?limit=1&";

impl State {
    fn course(&self) -> String {
        let (uid, version) = self.course.clone().unwrap_or(("a-cluster".into(), 100));
        serde_json::json!({
            "metadata": {"resourceVersion": version.to_string()},
            "items": [{"metadata": {"name": "kube-system", "uid": uid}}],
        })
        .to_string()
    }
}

impl Server {
    /// From now on the cluster is the one whose kube-system has this uid, and its store has this version.
    pub fn stands(&self, uid: &str, version: u64) {
        self.0.lock().expect("no panic before").course = Some((uid.to_owned(), version));
    }

    /// Its answers are dated by a clock that is so many seconds ahead.
    pub fn is_ahead(&self, seconds: i64) {
        self.0.lock().expect("no panic before").ahead = Some(seconds);
    }

    /// The next request for this path (without its query) is answered so.
    pub fn then(&self, path: &str, act: Act) {
        self.0.lock().expect("no panic before").scripts.entry(path.to_owned()).or_default().push_back(act);
    }

    /// Next time answers that path with a stream that says what is sent.
    pub fn streams(&self, path: &str) -> mpsc::UnboundedSender<Result<String, io::Error>> {
        let (write, act) = stream();
        self.then(path, act);
        write
    }

    /// Next time answers that path with a page of a list that comes as it is sent.
    pub fn pages(&self, path: &str) -> mpsc::UnboundedSender<Result<String, io::Error>> {
        let (write, read) = mpsc::unbounded_channel();
        self.then(path, Act::Rest(String::new(), read));
        write
    }

    /// Refuses every request from now on, or does so no more. Going down cuts what is open.
    pub fn down(&self, down: bool) {
        let mut state = self.0.lock().expect("no panic before");
        state.down = down;
        if down {
            state.open.clear();
        }
    }

    /// Answers every request with 401 from now on, or does so no more. What is open is cut.
    pub fn expired(&self, expired: bool) {
        let mut state = self.0.lock().expect("no panic before");
        state.expired = expired;
        state.open.clear();
    }

    /// The requests for a path so far: their queries.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let state = self.0.lock().expect("no panic before");
        let queries = state.requests.iter().filter_map(|r| {
            let (asked, query) = r.split_once('?').unwrap_or((r, ""));
            (asked == path).then(|| query.to_owned())
        });
        queries.collect()
    }

    pub fn wire(&self) -> Wire {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.answer(request).await }
        });
        Wire::over(Client::new(service, "shop"), "lab", "https://lab")
    }

    pub fn observe(&self, scope: Scope) -> Watched {
        let (snapshots, _) = observe(self.wire(), scope);
        Watched(snapshots)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Reply, io::Error> {
        let uri = request.uri().to_string();
        let path = request.uri().path().to_owned();
        let act = {
            let mut state = self.0.lock().expect("no panic before");
            let of_course = uri.starts_with(COURSE);
            if !of_course {
                state.requests.push(uri.clone());
            }
            if state.down {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if state.expired {
                Some(refusal(401, "Unauthorized", "Unauthorized"))
            } else if of_course {
                Some(Act::Say(200, state.course()))
            } else {
                state.scripts.get_mut(&path).and_then(VecDeque::pop_front)
            }
        };
        let act = match act.unwrap_or_else(|| self.usual(&path, &uri)) {
            Act::Stream(read) if uri.contains("limit=") => self.listed(&path, read).await?,
            act => act,
        };
        let body = match act {
            Act::Say(code, text) => {
                let full = Full::new(Bytes::from(text)).map_err(|e| match e {}).boxed_unsync();
                let mut reply = Response::builder().status(code).header("retry-after", "2");
                if let Some(ahead) = self.0.lock().expect("no panic before").ahead {
                    let there = Timestamp::now() + SignedDuration::from_secs(ahead);
                    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there);
                    reply = reply.header("date", date.expect("a date"));
                }
                return Ok(reply.body(full).expect("a response"));
            }
            Act::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
            Act::Hang => return std::future::pending().await,
            Act::Stream(read) => return Ok(Response::new(Self::going_on(None, read))),
            Act::Rest(text, read) => Self::going_on(Some(text), read),
        };
        Ok(Response::new(body))
    }

    fn going_on(
        first: Option<String>,
        read: mpsc::UnboundedReceiver<Result<String, io::Error>>,
    ) -> UnsyncBoxBody<Bytes, io::Error> {
        let frames = futures::stream::unfold((first, read), |(mut first, mut read)| async {
            let next = match first.take() {
                Some(text) => Ok(text),
                None => read.recv().await?,
            };
            Some((next.map(|text| Frame::data(Bytes::from(text))), (first, read)))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// A scripted stream is told as a list up to the bookmark that ends it; the rest is what the next watch says.
    async fn listed(
        &self,
        path: &str,
        mut read: mpsc::UnboundedReceiver<Result<String, io::Error>>,
    ) -> Result<Act, io::Error> {
        let (mut text, mut items) = (String::new(), Vec::new());
        loop {
            while let Some((line, rest)) = text.split_once('\n') {
                let event: Value = serde_json::from_str(line).expect("an event");
                text = rest.to_owned();
                if event["type"] == "BOOKMARK" {
                    let version = event["object"]["metadata"]["resourceVersion"].clone();
                    let act = if text.is_empty() { Act::Stream(read) } else { Act::Rest(text, read) };
                    let mut state = self.0.lock().expect("no panic before");
                    state.scripts.entry(path.to_owned()).or_default().push_front(act);
                    let list = json!({"metadata": {"resourceVersion": version}, "items": items});
                    return Ok(Act::Say(200, list.to_string()));
                }
                items.push(event["object"].clone());
            }
            match read.recv().await {
                Some(more) => text += &more?,
                None => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
    }

    fn usual(&self, path: &str, uri: &str) -> Act {
        if path == "/version" {
            Act::Say(200, captures::reply("version").to_string())
        } else if path.ends_with("/selfsubjectreviews") {
            Act::Say(201, captures::reply("who-am-i").to_string())
        } else if path.starts_with("/apis/metrics.k8s.io") {
            Act::Say(404, "404 page not found".into())
        } else if uri.contains("watch=true") {
            saying(self, &[])
        } else {
            Act::Say(200, r#"{"metadata":{"resourceVersion":"100"},"items":[]}"#.into())
        }
    }
}

/// What an observer sees.
pub struct Watched(pub watch::Receiver<Arc<Snapshot>>);

impl Watched {
    /// The first snapshot for which this holds. Fails after two minutes.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let found = self.0.wait_for(|s| holds(s));
        let found = tokio::time::timeout(Duration::from_secs(120), found).await;
        match found.map(|snapshot| snapshot.expect("the observer lives").clone()) {
            Ok(snapshot) => snapshot,
            Err(_) => panic!("never seen: {what}; troubles: {:?}", self.0.borrow().troubles()),
        }
    }

    /// What is seen after everything has come to rest for a while.
    pub async fn after(&mut self, time: Duration) -> Arc<Snapshot> {
        tokio::time::sleep(time).await;
        self.0.borrow_and_update().clone()
    }
}
