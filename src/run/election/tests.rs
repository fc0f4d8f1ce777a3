//! Who holds the Lease and what it writes, against an API server of one Lease and one ConfigMap that can be made to fail,
//! with the time standing still.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{advance, sleep, timeout},
};

use super::*;

const LEASE: &str = "leases";
const FILE: &str = "configmaps";

/// What the API server holds, by the kind, and what it was asked.
#[derive(Default)]
struct Store {
    objects: BTreeMap<&'static str, Value>,
    version: u64,
    /// Writes, in their order, and what was answered.
    writes: Vec<(&'static str, u16)>,
    /// So many of the next writes of a kind are answered like this; 0: never.
    faults: BTreeMap<&'static str, (usize, u16)>,
    /// Each answer takes so many seconds.
    slow: u64,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Store>>);

impl Server {
    fn with<T>(&self, of: impl FnOnce(&mut Store) -> T) -> T {
        of(&mut self.0.lock().expect("nothing panics"))
    }

    fn fails(&self, kind: &'static str, times: usize, code: u16) {
        self.with(|store| store.faults.insert(kind, (times, code)));
    }

    fn writes(&self) -> Vec<(&'static str, u16)> {
        self.with(|store| std::mem::take(&mut store.writes))
    }

    fn holder(&self) -> Value {
        self.with(|store| {
            store.objects.get(LEASE).map_or(Value::Null, |l| l["spec"]["holderIdentity"].clone())
        })
    }

    /// Somebody else writes.
    fn put(&self, kind: &'static str, object: Value) {
        self.with(|store| store.keep(kind, object));
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a body");
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let (code, said) = server.with(|store| store.answer(&head.method, head.uri.path(), body));
                sleep(Duration::from_secs(server.with(|store| store.slow))).await;
                if code == 0 {
                    std::future::pending::<()>().await;
                }
                let reply = Response::builder().status(code).body(Body::from(said.to_string().into_bytes()));
                Ok::<_, Infallible>(reply.expect("a reply"))
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }
}

impl Store {
    fn keep(&mut self, kind: &'static str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(kind, object.clone());
        object
    }

    fn answer(&mut self, method: &Method, path: &str, body: Value) -> (u16, Value) {
        if path.ends_with("selfsubjectaccessreviews") {
            return (201, json!({"spec": {}, "status": {"allowed": true}}));
        }
        let Some(kind) = [LEASE, FILE].into_iter().find(|kind| path.contains(kind)) else {
            return (200, json!({}));
        };
        let found = self.objects.get(kind).cloned();
        if method == Method::GET {
            return found.map_or((404, json!({})), |found| (200, found));
        }
        if let Some((times, code)) = self.faults.get_mut(kind).filter(|(times, _)| *times > 0) {
            *times -= 1;
            let code = *code;
            self.writes.push((kind, code));
            return (code, json!({}));
        }
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let overtaken = found.as_ref().map_or(Value::Null, version) != version(&body);
        let code = if overtaken { 409 } else { 200 };
        self.writes.push((kind, code));
        if overtaken { (409, json!({})) } else { (code, self.keep(kind, body)) }
    }
}

struct Alice {
    server: Server,
    duty: watch::Receiver<Duty>,
    tell: watch::Sender<Telling>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

fn candidate(server: &Server) -> Candidate {
    let who = Who { operator: "alice".into(), user: None, session: "1".into() };
    let wire = Wire::over(server.client(), "test", "https://test");
    let name = "platform-1".into();
    Candidate { wire, who, namespace: "wheelhouse".into(), name, seconds: 30, never: None }
}

impl Alice {
    fn stands(server: &Server) -> Self {
        let (duty, heard) = watch::channel(Duty::Undecided);
        let (tell, told) = watch::channel(Telling::Nothing);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(candidate(server).stand(duty, told, stopped));
        Self { server: server.clone(), duty: heard, tell, stop: Some(stop), task }
    }

    async fn is(&mut self, what: &str, holds: impl FnMut(&Duty) -> bool) -> Duty {
        let waited = timeout(Duration::from_secs(300), self.duty.wait_for(holds)).await;
        waited.unwrap_or_else(|_| panic!("waited for {what}")).expect("it stands").clone()
    }

    async fn elected() -> Self {
        let mut alice = Self::stands(&Server::default());
        alice.is("that it is elected", |duty| *duty == Duty::Look).await;
        alice
    }

    fn tells(&self, what: &str) {
        self.tell.send_replace(Telling::Sight(what.as_bytes().into()));
    }

    /// What stands in the ConfigMap, after so many seconds.
    async fn told(&self, seconds: u64) -> Option<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        sleep(Duration::from_secs(seconds)).await;
        let text = self
            .server
            .with(|store| Some(store.objects.get(FILE)?["binaryData"]["seen"].as_str()?.to_owned()));
        text.map(|text| String::from_utf8(STANDARD.decode(text).expect("base64")).expect("a text"))
    }

    async fn stops(mut self) {
        let _ = self.stop.take().expect("it runs").send(());
        timeout(Duration::from_secs(2), self.task).await.expect("it ends").expect("it does not panic");
    }
}

fn lease(who: &str) -> Value {
    json!({"metadata": {"name": "platform-1"}, "spec": {"holderIdentity": who, "leaseDurationSeconds": 30}})
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_written_again_and_what_hangs_is_not_in_the_way_of_renewing() {
    let alice = Alice::elected().await;
    alice.server.fails(FILE, 1, 500);
    alice.tells("one");
    assert_eq!(alice.told(1).await, None);
    assert_eq!(alice.told(3).await.as_deref(), Some("one"), "it is written again without being told again");
    alice.server.writes();
    alice.server.fails(FILE, 1, 0);
    alice.tells("two");
    sleep(Duration::from_secs(9)).await;
    assert!(alice.server.writes().contains(&(LEASE, 200)), "it is renewed while a write hangs");
    assert_eq!(alice.told(10).await.as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn where_it_is_not_known_what_stands_there_the_lease_is_renewed_before_it_is_replaced() {
    let alice = Alice::elected().await;
    alice.tells("one");
    assert_eq!(alice.told(1).await.as_deref(), Some("one"));
    // Somebody has written there meanwhile.
    alice.server.put(FILE, json!({"metadata": {"name": "platform-1"}}));
    alice.server.writes();
    alice.tells("two");
    assert_eq!(alice.told(5).await.as_deref(), Some("two"));
    assert_eq!(alice.server.writes(), [(FILE, 409), (LEASE, 200), (FILE, 200)]);
    // And has the Lease as well: nothing is written any more.
    alice.server.put(LEASE, lease("bob 2"));
    alice.server.put(FILE, json!({"metadata": {"name": "platform-1"}}));
    alice.server.writes();
    alice.tells("three");
    assert_eq!(alice.told(8).await, None);
    assert_eq!(alice.server.writes(), [(FILE, 409), (LEASE, 409)]);
    assert_eq!(*alice.duty.borrow(), Duty::Read("bob".into()));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_has_lost_the_lease_until_it_was_read_again() {
    let server = Server::default();
    let mut office = candidate(&server).office().await.expect("it may");
    assert_eq!(office.round().await, Ok(Duty::Look));
    assert!(office.is_good());
    office.sleeps(Duration::from_secs(3_600));
    assert!(!office.is_good(), "nothing is written by it");
    server.put(LEASE, lease("bob 2"));
    server.writes();
    assert_eq!(office.round().await, Ok(Duty::Read("bob".into())));
    assert_eq!(server.writes(), [], "it was read first");
}

#[tokio::test(start_paused = true)]
async fn a_stop_frees_the_lease_whatever_is_under_way() {
    for hangs in [None, Some(LEASE), Some(FILE)] {
        let alice = Alice::elected().await;
        assert_eq!(alice.server.holder(), "alice 1");
        if let Some(kind) = hangs {
            alice.server.fails(kind, 1, 0);
            alice.tells("one");
            sleep(Duration::from_secs(11)).await;
        }
        let server = alice.server.clone();
        alice.stops().await;
        assert_eq!(server.holder(), Value::Null, "{hangs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_sees_less_than_others_gives_the_lease_back_and_stands_again_once_it_sees_all() {
    let mut alice = Alice::elected().await;
    alice.tells("one");
    assert_eq!(alice.told(1).await.as_deref(), Some("one"));
    alice.server.writes();
    let (why, last) = ("redis-1 lets it not in".into(), b"no more"[..].into());
    alice.tell.send_replace(Telling::Unfit { why, last });
    let duty = alice.is("that it is barred", |duty| *duty != Duty::Look).await;
    assert_eq!(duty, Duty::Barred("redis-1 lets it not in".into()));
    assert_eq!(alice.server.holder(), Value::Null);
    assert_eq!(alice.server.writes(), [(FILE, 200), (LEASE, 200)], "what it told is replaced first");
    assert_eq!(alice.told(0).await.as_deref(), Some("no more"));
    sleep(Duration::from_secs(600)).await;
    assert_eq!(alice.server.writes(), [], "it does not stand");
    alice.tell.send_replace(Telling::Nothing);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*alice.duty.borrow(), Duty::Look, "at once");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_bars_it_for_a_while_and_where_nobody_looks_any_more_it_is_given_back() {
    let mut alice = Alice::elected().await;
    alice.server.fails(FILE, 1, 422);
    alice.tells("one");
    let duty = alice.is("that it is barred", |duty| matches!(duty, Duty::Barred(_))).await;
    assert!(matches!(&duty, Duty::Barred(why) if why.starts_with("what is seen cannot be told")), "{duty:?}");
    assert_eq!(alice.server.holder(), Value::Null);
    sleep(Duration::from_secs(50)).await;
    assert_eq!(alice.server.holder(), Value::Null);
    alice.is("that it stands again", |duty| *duty == Duty::Look).await;
    let Alice { server, tell, .. } = alice;
    drop(tell);
    advance(Duration::from_secs(1)).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.holder(), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_tried_ever_more_seldom_and_after_45_s_another_may_try() {
    let mut alice = Alice::elected().await;
    alice.server.fails(FILE, 1_000, 500);
    alice.tells("one");
    let files = |server: &Server| server.writes().iter().filter(|(kind, _)| *kind == FILE).count();
    sleep(Duration::from_secs(44)).await;
    assert_eq!(*alice.duty.borrow(), Duty::Look);
    assert_eq!(files(&alice.server), 5, "at once, and after 2, 4, 8 and 16 s");
    sleep(Duration::from_secs(2)).await;
    let duty = alice.duty.borrow().clone();
    assert!(matches!(&duty, Duty::Barred(why) if why.starts_with("what is seen cannot be told")), "{duty:?}");
    assert_eq!(alice.server.holder(), Value::Null);
    // It tries again later; what is stored in time counts.
    alice.is("that it stands again", |duty| *duty == Duty::Look).await;
    alice.server.fails(FILE, 3, 500);
    alice.tells("two");
    assert_eq!(alice.told(20).await.as_deref(), Some("two"));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(*alice.duty.borrow(), Duty::Look);
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_answered_too_slowly_are_asked_for_again() {
    let server = Server::default();
    server.with(|store| store.slow = 9);
    let mut alice = Alice::stands(&server);
    sleep(Duration::from_secs(41)).await;
    server.with(|store| store.slow = 0);
    sleep(Duration::from_secs(7)).await;
    assert_eq!(*alice.duty.borrow(), Duty::Undecided, "the first round has ended after 40 s");
    alice.is("that it is elected", |duty| *duty == Duty::Look).await;
}
