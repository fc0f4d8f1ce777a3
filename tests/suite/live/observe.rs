use std::{io, time::Duration};

use serde_json::{Value, json};
use wheelhouse::{
    cluster::{Freshness, Key, LogRange, LogSource, Reading, Snapshot},
    live::{Scope, read_log, tenant_events},
};

use super::{
    captures::{event, first, initial_end, reply},
    server::{Act, Server, refusal, saying, stream},
};

const PODS: &str = "/api/v1/pods";

fn pod(name: &str, version: u32) -> Value {
    let mut pod = first("list-pods-limit-1").clone();
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["resourceVersion"] = version.to_string().into();
    pod
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.pods.items.keys().map(|k| &*k.name).collect()
}

fn why(freshness: &Freshness) -> &str {
    freshness.trouble().unwrap_or("no trouble")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_list_becomes_a_snapshot_and_is_followed_from_its_version() {
    let server = Server::default();
    let pods = server.streams(PODS);
    let mut seen = server.observe(Scope::default());
    let start = seen.0.borrow().clone();
    assert_eq!(start.pods.freshness, Freshness::Connecting);
    assert_eq!((&*start.api.context, &*start.api.server), ("lab", "https://lab"));

    let initial = reply("watch-initial-events").as_array().expect("events");
    for line in initial {
        pods.send(Ok(format!("{line}\n"))).expect("it listens");
    }
    let first = seen.until("two pods", |s| s.pods.freshness.is_live()).await;
    assert_eq!(names(&first), ["acme-59fbdcbbcd-ck2qx", "acme-59fbdcbbcd-np9s6"]);

    // Half a line now, the rest later: only whole lines count.
    let line = event("ADDED", &pod("new", 4000));
    let (a, b) = line.split_at(100);
    pods.send(Ok(a.to_owned())).expect("it listens");
    assert_eq!(seen.after(seconds(1)).await.pods.len(), 2);
    pods.send(Ok(b.to_owned() + &event("DELETED", &initial[0]["object"]))).expect("it listens");
    let then = seen.until("a change", |s| s.pods.get(&Key::new("saas-capture", "new")).is_some()).await;
    assert_eq!(names(&then), ["acme-59fbdcbbcd-np9s6", "new"]);
    assert!(then.revision > first.revision);
    let asked = server.asked(PODS);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0], "limit=2500");
    assert!(asked[1].contains("watch=true") && !asked[1].contains("sendInitialEvents"), "{asked:?}");

    let api = seen.until("a user", |s| s.api.user.is_some()).await.api.clone();
    assert_eq!((api.user.as_deref(), api.version.as_deref()), (Some("lab-admin"), Some("v1.36.2")));
    assert_eq!(why(&then.usage.freshness), "metrics.k8s.io is not installed");
    assert_eq!(server.asked("/api/v1/namespaces/wheelhouse/configmaps").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_read_in_pages() {
    let server = Server::default();
    server.then(PODS, Act::Say(200, reply("list-pods-limit-1").to_string()));
    server.then(PODS, Act::Say(200, reply("list-pods-continue").to_string()));
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("both pages", |s| s.pods.freshness.is_live()).await;
    assert_eq!(snapshot.pods.len(), 2);
    seen.after(seconds(2)).await;
    let asked = server.asked(PODS);
    assert_eq!(asked[0], "limit=2500");
    assert!(asked[1].starts_with("limit=2500&continue=eyJ2Ij"), "{asked:?}");
    assert!(asked[2].contains("watch=true") && asked[2].ends_with("resourceVersion=3224"), "{asked:?}");
    assert_eq!(asked.len(), 3, "{asked:?}");
}

/// A page as it comes from a slow line: its objects one by one, its end when the other end is dropped.
fn slow_page(server: &Server, meta: Value) -> impl FnMut(&str) {
    let page = server.pages(PODS);
    page.send(Ok(format!("{{\"metadata\":{meta},\"items\":["))).expect("it listens");
    let mut first = true;
    move |object| {
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        let text = if object.is_empty() { "]}".to_owned() } else { format!("{comma}{object}") };
        page.send(Ok(text)).expect("it listens");
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_slow_line_the_next_page_is_asked_for_before_this_one_has_come_and_progress_is_told() {
    let server = Server::default();
    let mut page =
        slow_page(&server, json!({"resourceVersion": "10", "continue": "more", "remainingItemCount": 300}));
    let mut rest = slow_page(&server, json!({"resourceVersion": "10"}));
    let mut seen = server.observe(Scope::default());
    for i in 0..3 {
        page(&pod(&format!("p{i}"), 1).to_string());
        tokio::time::sleep(seconds(1)).await;
    }
    assert_eq!(server.asked(PODS), ["limit=2500", "limit=2500&continue=more"]);
    let snapshot = seen.after(seconds(1)).await;
    assert_eq!(snapshot.pods.reading, Some(Reading { objects: 3, of: Some(2_800) }));
    assert_eq!(snapshot.reading(), [("pods", Reading { objects: 3, of: Some(2_800) })]);
    assert_eq!(snapshot.pods.freshness, Freshness::Connecting);
    page("");
    rest(&pod("last", 1).to_string());
    rest("");
    let snapshot = seen.until("the pods", |s| s.pods.freshness.is_live()).await;
    assert_eq!((names(&snapshot), snapshot.pods.reading), (vec!["last", "p0", "p1", "p2"], None));
}

#[tokio::test(start_paused = true)]
async fn what_tenants_are_made_of_is_read_first_and_measurements_last() {
    let metrics = "/apis/metrics.k8s.io/v1beta1/pods";
    let server = Server::default();
    let mut page = slow_page(&server, json!({"resourceVersion": "10"}));
    let budgets = server.pages("/apis/policy/v1/poddisruptionbudgets");
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.after(seconds(5)).await;
    assert!(snapshot.deployments.freshness.is_live() && snapshot.leases.freshness.is_live());
    assert!(server.asked("/api/v1/services").is_empty(), "it would be in the way of the pods");
    assert!(server.asked(metrics).is_empty());
    page("");
    let snapshot = seen.after(seconds(1)).await;
    assert!(snapshot.is_ready() && snapshot.services.freshness.is_live());
    assert!(server.asked(metrics).is_empty(), "one list is still on its way");
    drop(budgets);
    seen.after(seconds(1)).await;
    assert_eq!(server.asked(metrics).len(), 1, "a list that fails is not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_is_not_taken_for_a_whole_one() {
    let server = Server::default();
    let page = server.pages(PODS);
    page.send(Ok(format!("{{\"metadata\":{{}},\"items\":[{}", pod("a", 1)))).expect("it listens");
    drop(page);
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("a trouble", |s| s.pods.freshness.trouble().is_some()).await;
    assert_eq!(why(&snapshot.pods.freshness), "the list of pods broke off on its way");
    assert!(snapshot.pods.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pages_that_expire_are_read_again_in_one() {
    let server = Server::default();
    server.then(PODS, Act::Say(200, reply("list-pods-limit-1").to_string()));
    server.then(PODS, refusal(410, "Expired", "The provided continue parameter is too old"));
    server.then(PODS, Act::Say(200, reply("list-pods").to_string()));
    let mut seen = server.observe(Scope::default());
    assert_eq!(seen.until("the pods", |s| s.pods.freshness.is_live()).await.pods.len(), 2);
    assert_eq!(server.asked(PODS)[2], "limit=0");
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_place_is_read_anew_and_the_screen_never_blanks() {
    let server = Server::default();
    let pods = server.streams(PODS);
    let listing = [event("ADDED", &pod("a", 1)), event("ADDED", &pod("b", 2)), initial_end("10")].concat();
    pods.send(Ok(listing)).expect("it listens");
    let mut seen = server.observe(Scope::default());
    seen.until("the pods", |s| s.pods.len() == 2).await;

    let again = server.streams(PODS);
    tokio::time::sleep(seconds(8)).await;
    pods.send(Ok(format!("{}\n", reply("watch-too-old")[0]))).expect("it listens");
    let during = seen.after(seconds(1)).await;
    assert_eq!(names(&during), ["a", "b"]);
    assert!(during.pods.freshness.is_live());
    assert_eq!(server.asked(PODS).len(), 3);
    again.send(Ok([event("ADDED", &pod("b", 20)), initial_end("21")].concat())).expect("it listens");
    let after = seen.until("the new list", |s| s.pods.len() == 1).await;
    assert_eq!(names(&after), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_forgotten_soon_after_its_list_was_read_is_read_again_at_once() {
    let server = Server::default();
    let pods = server.streams(PODS);
    pods.send(Ok([event("ADDED", &pod("a", 1)), initial_end("10")].concat())).expect("it listens");
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    let again = server.streams(PODS);
    tokio::time::sleep(seconds(3)).await;
    pods.send(Ok(format!("{}\n", reply("watch-too-old")[0]))).expect("it listens");
    let begun = tokio::time::Instant::now();
    again.send(Ok([event("ADDED", &pod("b", 20)), initial_end("21")].concat())).expect("it listens");
    seen.until("the new list", |s| names(s) == ["b"]).await;
    assert!(begun.elapsed() < seconds(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_followed_again_in_a_moment() {
    for outage in [1, 60, 250, 600] {
        let server = Server::default();
        server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("10")]));
        let mut seen = server.observe(Scope::default());
        // Measurements are not served.
        let live = |s: &Snapshot| s.troubles().len() == 2 && s.pods.len() == 1 && s.api.freshness.is_live();
        seen.until("the pod", live).await;
        seen.after(seconds(3)).await;
        server.down(true);
        tokio::time::sleep(Duration::from_millis(outage)).await;
        server.then(PODS, saying(&server, &[]));
        server.down(false);
        let begun = tokio::time::Instant::now();
        seen.after(Duration::from_millis(700)).await;
        seen.until("all back", live).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1_500), "{took:?} after {outage} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn one_missing_right_takes_nothing_else_down_and_is_named() {
    let budgets = "/apis/policy/v1/poddisruptionbudgets";
    let server = Server::default();
    let forbidden =
        || refusal(403, "Forbidden", "poddisruptionbudgets.policy is forbidden: User \"x\" cannot");
    server.then(budgets, forbidden());
    server.then("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", forbidden());
    server.then("/api/v1/nodes", forbidden());
    let mut seen = server.observe(Scope::default());
    let snapshot = seen
        .until("both sides", |s| s.budgets.freshness.trouble().is_some() && s.pods.freshness.is_live())
        .await;
    let expected = "needs list and watch on poddisruptionbudgets.policy at cluster scope";
    assert_eq!(snapshot.budgets.freshness, Freshness::Missing { why: expected.into() });
    let snapshot = seen.until("no nodes", |s| s.nodes.freshness.trouble().is_some()).await;
    assert_eq!(why(&snapshot.nodes.freshness), "needs list and watch on nodes at cluster scope");
    // Granted meanwhile: it is asked for again within half a minute.
    let snapshot = seen.after(seconds(31)).await;
    assert!(snapshot.budgets.freshness.is_live() && snapshot.nodes.freshness.is_live());
    assert_eq!(server.asked(budgets).len(), 3, "refused, read, followed");
}

#[tokio::test(start_paused = true)]
async fn where_one_namespace_can_be_read_the_way_to_it_is_said() {
    let server = Server::default();
    server.then(PODS, refusal(403, "Forbidden", "no"));
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("a hint", |s| s.pods.freshness.trouble().is_some()).await;
    let hint = "at cluster scope; namespace shop alone can be read: use --namespace shop";
    assert!(why(&snapshot.pods.freshness).ends_with(hint), "{}", why(&snapshot.pods.freshness));

    let server = Server::default();
    server.then("/api/v1/namespaces/acme/pods", refusal(403, "Forbidden", "no"));
    let mut seen = server.observe(Scope { namespace: Some("acme".into()), ..Scope::default() });
    let snapshot = seen.until("a trouble", |s| s.pods.freshness.trouble().is_some()).await;
    assert_eq!(why(&snapshot.pods.freshness), "needs list and watch on pods in namespace acme");
    assert!(server.asked(PODS).is_empty());
    assert!(server.asked("/api/v1/namespaces")[0].ends_with("&fieldSelector=metadata.name%3Dacme"));
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_said_and_a_busy_server_is_given_time() {
    let server = Server::default();
    server.then(PODS, refusal(401, "Unauthorized", "Unauthorized"));
    server.then("/api/v1/nodes", refusal(429, "TooManyRequests", "too many requests"));
    let mut seen = server.observe(Scope::default());
    let both = |s: &Snapshot| s.pods.freshness.trouble().is_some() && s.nodes.freshness.trouble().is_some();
    let snapshot = seen.until("both troubles", both).await;
    assert!(why(&snapshot.pods.freshness).contains("log in again"));
    assert!(why(&snapshot.nodes.freshness).contains("fewer requests"));
    let nodes_at_once = server.asked("/api/v1/nodes").len();
    assert_eq!(nodes_at_once, 1);
    let snapshot = seen.after(seconds(2)).await;
    assert!(snapshot.nodes.freshness.is_live(), "{}", why(&snapshot.nodes.freshness));
    assert!(seen.after(seconds(30)).await.pods.freshness.is_live());
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_is_taken_up_where_it_stood() {
    let server = Server::default();
    let pods = server.streams(PODS);
    pods.send(Ok([event("ADDED", &pod("a", 1)), initial_end("10")].concat())).expect("it listens");
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    tokio::time::sleep(seconds(3)).await;
    pods.send(Ok(event("MODIFIED", &pod("a", 12)))).expect("it listens");
    tokio::time::sleep(seconds(1)).await;
    let revisions = seen.after(seconds(1)).await.revision;

    let rest = server.streams(PODS);
    pods.send(Err(io::ErrorKind::ConnectionReset.into())).expect("it listens");
    let snapshot = seen.after(seconds(5)).await;
    assert!(snapshot.pods.freshness.is_live());
    assert_eq!(snapshot.revision, revisions, "nothing has changed");
    assert!(server.asked(PODS)[2].ends_with("resourceVersion=12"), "{:?}", server.asked(PODS));
    rest.send(Ok(event("DELETED", &pod("a", 13)))).expect("it listens");
    seen.until("no pod", |s| s.pods.is_empty()).await;

    // Where it cannot be taken up, what was seen stays and is old; then it is true again.
    server.then(PODS, Act::Refuse);
    server.then(PODS, Act::Refuse);
    tokio::time::sleep(seconds(3)).await;
    rest.send(Ok(event("ADDED", &pod("b", 14)))).expect("it listens");
    tokio::time::sleep(seconds(1)).await;
    drop(rest);
    let snapshot = seen.until("the loss", |s| !s.pods.freshness.is_live()).await;
    assert_eq!(why(&snapshot.pods.freshness), "the API server refuses connections");
    assert_eq!(names(&snapshot), ["b"]);
    let snapshot = seen.until("its return", |s| s.pods.freshness.is_live()).await;
    assert_eq!(names(&snapshot), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_replaced_within_a_minute() {
    let server = Server::default();
    let pods = server.streams(PODS);
    pods.send(Ok([event("ADDED", &pod("a", 1)), initial_end("10")].concat())).expect("it listens");
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    let other = server.streams(PODS);
    seen.after(seconds(65)).await;
    let asked = server.asked(PODS);
    assert!(asked.len() == 3 && asked[2].ends_with("resourceVersion=10"), "{asked:?}");
    other.send(Ok(event("DELETED", &pod("a", 11)))).expect("the new one is read");
    seen.until("no pod", |s| s.pods.is_empty()).await;
    assert!(pods.is_closed(), "the silent one is let go");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_every_watch_is_not_asked_in_a_tight_loop() {
    let server = Server::default();
    let first = server.streams(PODS);
    first.send(Ok(initial_end("10"))).expect("it listens");
    drop(first);
    for _ in 0..100 {
        server.then(PODS, stream().1);
    }
    let mut seen = server.observe(Scope::default());
    seen.after(seconds(20)).await;
    let asked = server.asked(PODS).len();
    assert!((10..25).contains(&asked), "{asked} requests in 20 s");
}

#[tokio::test(start_paused = true)]
async fn an_odd_object_costs_itself_and_nothing_else() {
    let server = Server::default();
    let mut odd = pod("odd", 2);
    odd["spec"]["containers"][0]["resources"]["requests"]["memory"] = "plenty".into();
    let pods = server.streams(PODS);
    let listing = [event("ADDED", &pod("a", 1)), event("ADDED", &odd), initial_end("10")].concat();
    pods.send(Ok(listing)).expect("it listens");
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("the pods", |s| s.pods.freshness.is_live()).await;
    assert_eq!(names(&snapshot), ["a"]);
    let said = snapshot.unreadable();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].1.starts_with("1 pod could not be read: saas-capture/odd: container nginx: memory:"),
        "{said:?}"
    );

    // What was known of an object stays when its news cannot be read, and its end is understood all the same.
    let mut worse = pod("a", 11);
    worse["status"] = json!(["no", "status"]);
    pods.send(Ok(event("MODIFIED", &worse) + "{\"type\":\"MODIFIED\",\"object\":{]}\n")).expect("it listens");
    let snapshot = seen.until("three odd ones", |s| s.pods.unreadable.len() == 3).await;
    assert_eq!(names(&snapshot), ["a"]);
    assert!(snapshot.unreadable()[0].1.starts_with("3 pods could not be read: "));
    pods.send(Ok(event("MODIFIED", &pod("a", 12)) + &event("DELETED", &odd))).expect("it listens");
    seen.until("one odd line", |s| s.pods.unreadable.len() == 1).await;
    assert_eq!(server.asked(PODS).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_odd_object_of_a_page_costs_itself_and_nothing_else() {
    let server = Server::default();
    let items = json!([pod("a", 1), null, 5, {"metadata": {"name": "b"}}, {"metadata": "none"}]);
    let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "10"}, "items": items});
    server.then(PODS, Act::Say(200, list.to_string()));
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("the pod", |s| s.pods.freshness.is_live()).await;
    assert_eq!(names(&snapshot), ["a"]);
    let said = snapshot.unreadable();
    assert!(said[0].1.contains("could not be read"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn when_the_server_is_gone_everything_is_old_and_comes_back() {
    let server = Server::default();
    server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("10")]));
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1 && s.nodes.freshness.is_live()).await;
    tokio::time::sleep(seconds(7)).await;
    server.down(true);
    let snapshot = seen
        .until("everything old", |s| {
            s.troubles().len() == s.sources().len() && s.api.freshness.trouble().is_some()
        })
        .await;
    assert_eq!(names(&snapshot), ["a"]);
    assert!(snapshot.pods.freshness.is_known());
    tokio::time::sleep(seconds(300)).await;
    let snapshot = seen.after(seconds(1)).await;
    assert_eq!(names(&snapshot), ["a"]);
    server.down(false);
    let back = |s: &Snapshot| s.troubles().len() == 2 && s.api.freshness.is_live();
    let snapshot = seen.until("everything but measurements", back).await;
    assert_eq!(names(&snapshot), ["a"]);
    // Nothing was listed again: the place of the watch is still known.
    let lists = server.asked(PODS).iter().filter(|q| !q.contains("resourceVersion=10")).count();
    assert_eq!(lists, 1);
}

/// The probe is the only one to notice: all connections pretend to stand.
#[tokio::test(start_paused = true)]
async fn what_is_lost_is_as_old_whatever_this_machine_s_clock_says() {
    for ahead in [30, -30, 0] {
        let server = Server::default();
        server.is_ahead(ahead);
        // Read before anything is known of the server's clock.
        server.then("/version", Act::Hang);
        let mut seen = server.observe(Scope::default());
        seen.until("pods", |s| s.pods.freshness.is_live()).await;
        let live = seen.until("the clocks are compared", |s| s.api.freshness.is_live()).await;
        assert!((live.api.skew_millis - ahead * 1_000).abs() < 2_000, "{ahead}: {}", live.api.skew_millis);
        server.down(true);
        let lost = seen.until("all is lost", |s| s.pods.freshness.trouble().is_some()).await;
        for (name, freshness) in lost.sources() {
            if let Freshness::Live { since } | Freshness::Stale { since, .. } = freshness {
                let age = lost.at.duration_since(*since).as_secs();
                assert!((0..=5).contains(&age), "{name} is {age} s old, {ahead} s ahead: {freshness:?}");
            }
        }
    }
}

/// In real time: ages are by the clock of the machine.
#[tokio::test]
async fn an_outage_is_as_old_as_the_last_answer_and_not_as_its_discovery() {
    let server = Server::default();
    let mut seen = server.observe(Scope::default());
    seen.until("the pods", |s| s.pods.freshness.is_live() && s.api.freshness.is_live()).await;
    for _ in 0..8 {
        server.then("/version", Act::Hang);
    }
    let lost = seen.until("all is lost", |s| s.pods.freshness.trouble().is_some()).await;
    for (name, freshness) in [("api", &lost.api.freshness), ("pods", &lost.pods.freshness)] {
        let Freshness::Stale { since, .. } = freshness else { panic!("{name}: {freshness:?}") };
        let age = lost.at.duration_since(*since).as_secs();
        assert!(
            (2..60).contains(&age),
            "{name} is {age} s old: the last answer came before the one that is missed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_pulse_makes_everything_old_though_no_connection_broke() {
    let server = Server::default();
    let mut seen = server.observe(Scope::default());
    seen.until("the pods", |s| s.pods.freshness.is_live() && s.leases.freshness.is_live()).await;
    server.then("/version", Act::Hang);
    server.then("/version", Act::Hang);
    let snapshot = seen.until("all old", |s| s.troubles().len() == s.sources().len()).await;
    assert_eq!(why(&snapshot.pods.freshness), "the API server does not answer in time");
    assert_eq!(why(&snapshot.api.freshness), "the API server does not answer in time");
    let before = server.asked(PODS).len();
    let begun = tokio::time::Instant::now();
    seen.until("all back", |s| s.troubles().len() == 2).await;
    assert_eq!(server.asked(PODS).len(), before + 1, "each watch is proven by a new connection");
    assert!(begun.elapsed() < seconds(20), "as soon as the pulse is back, not when the watches end");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_at_first_is_waited_for() {
    let server = Server::default();
    server.down(true);
    let mut seen = server.observe(Scope::default());
    let snapshot = seen.until("the loss", |s| s.api.freshness.trouble().is_some()).await;
    assert_eq!(
        snapshot.api.freshness,
        Freshness::Missing { why: "the API server refuses connections".into() }
    );
    tokio::time::sleep(seconds(3600)).await;
    server.down(false);
    let snapshot = seen.until("everything", |s| s.is_ready()).await;
    assert_eq!(snapshot.troubles().len(), 2, "{:?}", snapshot.troubles());
}

#[tokio::test(start_paused = true)]
async fn changes_are_published_at_once_and_then_together() {
    let server = Server::default();
    let pods = server.streams(PODS);
    pods.send(Ok(initial_end("10"))).expect("it listens");
    let mut seen = server.observe(Scope::default());
    let quiet = seen.after(seconds(4)).await.revision;
    // 200 events a second for two seconds.
    for i in 0..400 {
        pods.send(Ok(event("ADDED", &pod(&format!("p{i}"), 11 + i)))).expect("it listens");
        tokio::time::sleep(Duration::from_millis(5)).await;
        if i == 0 {
            assert_eq!(seen.0.borrow_and_update().revision, quiet + 1, "the first is published at once");
        }
    }
    let snapshot = seen.after(seconds(1)).await;
    assert_eq!(snapshot.pods.len(), 400);
    let published = snapshot.revision - quiet;
    assert!((18..=23).contains(&published), "{published} publications in two seconds");
    // Nothing happens: nothing is published.
    let still = seen.after(seconds(30)).await;
    assert_eq!(still.revision, snapshot.revision);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_namespace_come_newest_first_and_are_followed() {
    let server = Server::default();
    let of = |name: &str, minute: u32, version: u32| {
        let mut event = reply("create-event").clone();
        event["metadata"]["name"] = name.into();
        event["metadata"]["resourceVersion"] = version.to_string().into();
        event["lastTimestamp"] = format!("2026-01-01T00:{minute:02}:00Z").into();
        event
    };
    let path = "/api/v1/namespaces/saas-capture/events";
    let events = server.streams(path);
    let list = [event("ADDED", &of("a", 1, 1)), event("ADDED", &of("b", 3, 2)), initial_end("5")].concat();
    events.send(Ok(list)).expect("it listens");
    let mut told = tenant_events(&server.wire(), "saas-capture");
    let list = told.recv().await.expect("a list").expect("no error");
    let minutes: Vec<_> = list.iter().map(|e| e.at.to_string()).collect();
    assert_eq!(minutes, ["2026-01-01T00:03:00Z", "2026-01-01T00:01:00Z"]);
    assert_eq!(list[0].object, ("Deployment".into(), Key::new("saas-capture", "acme")));
    events.send(Ok(event("MODIFIED", &of("a", 9, 6)))).expect("it listens");
    let list = told.recv().await.expect("a list").expect("no error");
    assert_eq!((list.len(), list[0].at.to_string().as_str()), (2, "2026-01-01T00:09:00Z"));
    drop(told);
    tokio::time::sleep(seconds(1)).await;
    assert!(events.is_closed(), "nobody listens, nothing is followed");
}

#[tokio::test(start_paused = true)]
async fn a_log_is_taken_up_after_the_last_line_and_ends_with_its_pod() {
    let server = Server::default();
    let path = "/api/v1/namespaces/acme/pods/acme-1/log";
    let line = |second: u32, text: &str| format!("2026-11-21T08:41:{second:02}.5Z {text}\n");
    let log = server.streams(path);
    log.send(Ok([line(1, "one"), line(2, "two"), line(2, "two again")].concat())).expect("it listens");
    let source = LogSource { pod: Key::new("acme", "acme-1"), container: "php-fpm".into() };
    let range = LogRange { tail: Some(20), follow: true, ..LogRange::default() };
    let mut told = read_log(&server.wire(), &source, range);
    let texts = |batch: Option<Result<Vec<wheelhouse::cluster::LogLine>, String>>| -> Vec<String> {
        batch.expect("a batch").expect("no error").iter().map(|l| l.text.to_string()).collect()
    };
    assert_eq!(texts(told.recv().await), ["one", "two", "two again"]);
    // The connection breaks; the server tells the last second again.
    let rest = server.streams(path);
    log.send(Err(io::ErrorKind::ConnectionReset.into())).expect("it listens");
    rest.send(Ok([line(2, "two"), line(2, "two again"), line(3, "three")].concat())).expect("it listens");
    assert_eq!(told.recv().await, Some(Err("the connection to the API server broke".to_owned())));
    assert_eq!(texts(told.recv().await), ["three"]);
    let asked = server.asked(path);
    assert_eq!(asked[0], "container=php-fpm&timestamps=true&follow=true&tailLines=20");
    assert_eq!(asked[1], "container=php-fpm&timestamps=true&follow=true&sinceTime=2026-11-21T08%3A41%3A02Z");
    server.then(path, refusal(404, "NotFound", "pods \"acme-1\" not found"));
    drop(rest);
    let last = told.recv().await.expect("a word").expect_err("the end");
    assert!(last.contains("not found"), "{last}");
    assert_eq!(told.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_an_ended_run_has_an_end() {
    let server = Server::default();
    let path = "/api/v1/namespaces/acme/pods/acme-1/log";
    server.then(path, Act::Say(200, "2026-11-21T08:41:01Z bye".into()));
    let source = LogSource { pod: Key::new("acme", "acme-1"), container: "php-fpm".into() };
    let range = LogRange { tail: Some(5), previous: true, ..LogRange::default() };
    let mut told = read_log(&server.wire(), &source, range);
    assert_eq!(&*told.recv().await.expect("a batch").expect("no error")[0].text, "bye");
    assert_eq!(told.recv().await, None);
    assert_eq!(server.asked(path), ["container=php-fpm&timestamps=true&previous=true&tailLines=5"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_not_followed_has_an_end() {
    let server = Server::default();
    let path = "/api/v1/namespaces/acme/pods/acme-1/log";
    let source = LogSource { pod: Key::new("acme", "acme-1"), container: "php-fpm".into() };
    for (range, asked) in [
        (LogRange::default(), ""),
        (LogRange { since: Some(0), ..LogRange::default() }, "&sinceSeconds=1"),
        (LogRange { since: Some(60), tail: Some(3), ..LogRange::default() }, "&tailLines=3&sinceSeconds=60"),
    ] {
        server.then(path, Act::Say(200, "2026-11-21T08:41:01Z hello".into()));
        let mut told = read_log(&server.wire(), &source, range);
        assert_eq!(&*told.recv().await.expect("a batch").expect("no error")[0].text, "hello");
        assert_eq!(told.recv().await, None);
        let all = server.asked(path);
        assert_eq!(
            all.last().map(String::as_str),
            Some(&*format!("container=php-fpm&timestamps=true{asked}"))
        );
    }
    server.then(
        path,
        refusal(400, "BadRequest", "container \"php-fpm\" in pod \"acme-1\" is waiting to start: x"),
    );
    let mut told = read_log(&server.wire(), &source, LogRange::default());
    let why = told.recv().await.expect("a word").expect_err("no log");
    assert!(why.contains("has not started"), "{why}");
    assert_eq!(told.recv().await, None, "it is not asked for again");
}

#[tokio::test(start_paused = true)]
async fn another_cluster_at_the_same_address_is_read_from_its_beginning() {
    for (uid, version, why) in [
        ("another", 5_000, "another cluster answers at this address"),
        ("a-cluster", 90, "the cluster was restored to an earlier state"),
    ] {
        let server = Server::default();
        server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("100")]));
        let mut seen = server.observe(Scope::default());
        seen.until("the pod", |s| s.pods.len() == 1 && s.api.user.is_some()).await;
        assert_eq!(seen.after(seconds(60)).await.api.broken_course, None);

        // The watch that is taken up would be silent for good: the server only knows earlier versions.
        server.down(true);
        seen.until("the loss", |s| s.api.freshness.trouble().is_some()).await;
        server.stands(uid, version);
        server.then(PODS, saying(&server, &[event("ADDED", &pod("b", 2)), initial_end("20")]));
        server.down(false);
        let begun = tokio::time::Instant::now();
        let snapshot = seen.until("the new pod", |s| names(s) == ["b"]).await;
        assert!(begun.elapsed() < seconds(2), "{:?}", begun.elapsed());
        let (_, said) = snapshot.api.broken_course.clone().expect("it is said");
        assert!(said.starts_with(why), "{said}");
        let snapshot = seen.after(seconds(5)).await;
        assert!(snapshot.pods.freshness.is_live() && snapshot.deployments.freshness.is_live());
    }
}

/// A load balancer may lead to another cluster without any connection having broken for long.
#[tokio::test(start_paused = true)]
async fn another_cluster_is_noticed_while_all_connections_stand() {
    let server = Server::default();
    server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("100")]));
    let mut seen = server.observe(Scope::default());
    // Which cluster it is has been looked at once it is said that it answers.
    seen.until("the pod and the place", |s| s.pods.len() == 1 && s.api.freshness.is_live()).await;
    server.stands("another", 7);
    server.then(PODS, saying(&server, &[event("ADDED", &pod("b", 2)), initial_end("7")]));
    let snapshot = seen.after(seconds(45)).await;
    assert_eq!(names(&snapshot), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_forgotten_during_an_outage_is_read_again_at_once() {
    let server = Server::default();
    server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("10")]));
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    for outage in [30, 600] {
        server.down(true);
        seen.after(seconds(outage)).await;
        // Compacted meanwhile; then the store is not ready for a moment.
        server.then(PODS, refusal(410, "Expired", "too old resource version"));
        server.then(PODS, refusal(429, "TooManyRequests", "storage is (re)initializing"));
        server.then(PODS, saying(&server, &[event("ADDED", &pod("b", 2)), initial_end("5000")]));
        server.down(false);
        let begun = tokio::time::Instant::now();
        seen.until("the new pod", |s| names(s) == ["b"] && s.pods.freshness.is_live()).await;
        // The server asked for two seconds.
        assert!(begun.elapsed() < seconds(4), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_and_now_and_then_the_list_is_read_again() {
    let server = Server::default();
    server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("10")]));
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    let lists = || server.asked(PODS).iter().filter(|q| !q.contains("resourceVersion=")).count();
    seen.after(seconds(1800)).await;
    assert_eq!(lists(), 1);
    server.down(true);
    seen.after(seconds(20)).await;
    server.then(PODS, saying(&server, &[]));
    server.then(PODS, saying(&server, &[event("ADDED", &pod("b", 2)), initial_end("30")]));
    server.down(false);
    let snapshot = seen.after(seconds(5)).await;
    assert!(snapshot.pods.freshness.is_live());
    assert_eq!((names(&snapshot), lists()), (vec!["a"], 1), "taken up first");
    let snapshot = seen.after(seconds(60)).await;
    assert_eq!((names(&snapshot), lists()), (vec!["b"], 2), "an event was lost in the outage");
    seen.after(seconds(4600)).await;
    assert_eq!(lists(), 3);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_accepted_are_said_everywhere_and_asked_for_every_second() {
    let server = Server::default();
    server.then(PODS, saying(&server, &[event("ADDED", &pod("a", 1)), initial_end("10")]));
    let mut seen = server.observe(Scope::default());
    seen.until("the pod", |s| s.pods.len() == 1).await;
    server.expired(true);
    let all = |s: &Snapshot| s.troubles().len() == s.sources().len() && s.api.refuses_us;
    let snapshot = seen.until("all old", all).await;
    for (name, freshness) in snapshot.troubles() {
        assert!(
            why(freshness).starts_with("the API server does not accept our credentials"),
            "{name}: {freshness:?}"
        );
    }
    assert!(why(&snapshot.api.freshness).contains("log in again"));
    seen.after(seconds(600)).await;
    server.expired(false);
    let begun = tokio::time::Instant::now();
    let snapshot = seen.until("all back", |s| s.troubles().len() == 2 && s.api.freshness.is_live()).await;
    assert!(begun.elapsed() < seconds(2), "{:?}", begun.elapsed());
    assert!(!snapshot.api.refuses_us);
}

/// One lost API server is one cause, however each connection to it ended.
#[tokio::test(start_paused = true)]
async fn one_outage_has_one_reason_in_all_sources() {
    let server = Server::default();
    let pods = server.streams(PODS);
    pods.send(Ok(initial_end("10"))).expect("it listens");
    let mut seen = server.observe(Scope::default());
    seen.until("everything", |s| s.troubles().len() == 2 && s.leases.freshness.is_live()).await;
    seen.after(seconds(7)).await;
    server.then(PODS, refusal(500, "InternalError", "etcdserver: leader changed"));
    server.down(true);
    pods.send(Err(io::ErrorKind::ConnectionReset.into())).expect("it listens");
    let whole = |s: &Snapshot| s.troubles().len() == s.sources().len() && s.api.freshness.trouble().is_some();
    seen.until("all old", whole).await;
    let snapshot = seen.after(seconds(3)).await;
    let mut reasons: Vec<_> = snapshot.troubles().iter().map(|(_, f)| why(f).to_owned()).collect();
    reasons.dedup();
    assert_eq!(reasons, ["the API server refuses connections"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_server_does_not_have_holds_no_other_list_up() {
    let server = Server::default();
    for path in ["/api/v1/limitranges", "/api/v1/resourcequotas", "/api/v1/persistentvolumeclaims"] {
        for _ in 0..4 {
            server.then(path, Act::Say(404, "404 page not found".into()));
        }
    }
    let mut seen = server.observe(Scope::default());
    let start = tokio::time::Instant::now();
    let all =
        seen.until("measurements, or why there are none", |s| s.usage.freshness.trouble().is_some()).await;
    assert_eq!(why(&all.usage.freshness), "metrics.k8s.io is not installed");
    assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
    assert!(all.limit_ranges.freshness.is_live());
}

#[tokio::test(start_paused = true)]
async fn measurements_are_read_again_a_second_after_their_connection_was_cut() {
    const MEASURED: &str = "/apis/metrics.k8s.io/v1beta1/pods";
    let server = Server::default();
    let list = r#"{"metadata":{},"items":[]}"#;
    server.then(MEASURED, Act::Say(200, list.into()));
    server.then(MEASURED, Act::Refuse);
    for _ in 0..9 {
        server.then(MEASURED, Act::Say(200, list.into()));
    }
    let mut seen = server.observe(Scope::default());
    seen.until("measurements", |s| s.usage.freshness.is_live()).await;
    seen.until("they are cut", |s| s.usage.freshness.trouble().is_some()).await;
    let start = tokio::time::Instant::now();
    seen.until("measurements again", |s| s.usage.freshness.is_live()).await;
    assert!(start.elapsed() <= seconds(2), "{:?}", start.elapsed());
}
