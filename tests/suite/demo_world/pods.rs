//! Pods: memory, crashes, logs, metrics.

use std::collections::BTreeSet;

use serde_json::Value;
use wheelhouse::demo::kind::Kind;
use wheelhouse::demo::{NoLog, Scenario};

use super::{EPOCH, build, is_ready, pods, reasons, seconds, text};

#[test]
fn who_is_over_the_memory_limit_is_killed_and_crashes_back_off() {
    let mut world = build(Scenario::Pressure);
    seconds(&mut world, 900);
    let killed = world
        .store
        .list(Kind::POD, None)
        .flat_map(|pod| pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default())
        .filter(|status| status["lastState"]["terminated"]["reason"] == "OOMKilled")
        .filter(|status| text(status, "/lastState/terminated/finishedAt") > EPOCH)
        .count();
    assert!(killed > 0, "some php-fpm met its limit");
    assert!(reasons(&world, "default").contains("OOMKilling"));
    let crashing: Vec<Value> = pods(&world, "umbrella").into_iter().filter(|pod| !is_ready(pod)).collect();
    assert!(!crashing.is_empty());
    let status = &crashing[0]["status"]["containerStatuses"][1];
    assert!(status["restartCount"].as_i64() > Some(3), "{status}");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 255);
    let waiting = text(status, "/state/waiting/reason");
    assert!(waiting == "CrashLoopBackOff" || status["state"]["running"].is_object(), "{status}");
    let name = text(&crashing[0], "/metadata/name");
    let last = world.log_lines("umbrella", name, "php-fpm", true).unwrap().pop().unwrap();
    assert!(last.text.contains("PHP Fatal error"), "{}", last.text);
}

#[test]
fn logs_only_ever_grow() {
    let mut world = build(Scenario::Calm);
    let pod = text(&pods(&world, "acme")[0], "/metadata/name").to_owned();
    for container in ["nginx", "php-fpm"] {
        let before = world.log_lines("acme", &pod, container, false).unwrap();
        assert!(before.len() > 100 && before.is_sorted_by_key(|line| line.at));
        assert!(before.iter().all(|line| line.at <= world.now()));
        let last = before.last().unwrap().clone();
        seconds(&mut world, 60);
        let after = world.log_lines("acme", &pod, container, false).unwrap();
        let new = after.iter().skip_while(|line| **line != last).count();
        assert!(new > 1, "{container} wrote something in a minute");
    }
    assert_eq!(world.log_lines("acme", "nobody", "nginx", false), Err(NoLog::Pod));
    assert_eq!(world.log_lines("acme", &pod, "redis", false), Err(NoLog::Container));
}

#[test]
fn metrics_breathe_within_their_bounds() {
    let mut world = build(Scenario::Calm);
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        for item in world.pod_metrics(Some("acme")) {
            assert_eq!(item["window"], "15s");
            let memory = text(&item, "/containers/1/usage/memory");
            let kib: i64 = memory.trim_end_matches("Ki").parse().unwrap();
            assert!((50 << 10..640 << 10).contains(&kib), "{memory}");
            seen.insert(memory.to_owned());
        }
        seconds(&mut world, 15);
    }
    assert!(seen.len() > 40, "it moves");
    assert_eq!(world.node_metrics().len(), 5);
}
