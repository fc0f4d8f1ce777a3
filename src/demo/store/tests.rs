//! The store by itself.

use super::*;

fn store() -> Store {
    Store::new("2026-01-01T00:00:00Z".parse().unwrap(), 7)
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 5}})
}

#[test]
fn an_inserted_object_is_completed() {
    let mut s = store();
    let o = s.insert(Kind::POD, json!({"metadata": {"generateName": "acme-", "namespace": "a"}}));
    assert_eq!(o["apiVersion"], "v1");
    assert_eq!(o["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(o["metadata"]["generation"], 1);
    assert_eq!(o["metadata"]["resourceVersion"], "1001");
    assert_eq!(text(&o, "/metadata/name").len(), "acme-".len() + 5);
    let uid = text(&o, "/metadata/uid");
    assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
}

#[test]
fn the_same_seed_gives_the_same_names_and_uids() {
    let one = store().insert(Kind::POD, json!({"metadata": {"generateName": "x-", "namespace": "a"}}));
    let two = store().insert(Kind::POD, json!({"metadata": {"generateName": "x-", "namespace": "a"}}));
    assert_eq!(one, two);
}

#[test]
fn a_write_of_nothing_keeps_the_revision_and_a_spec_change_counts_a_generation() {
    let mut s = store();
    s.insert(Kind::DEPLOYMENT, json!({"metadata": {"name": "d", "namespace": "a"}, "spec": {"replicas": 1}}));
    let revision = s.revision();
    s.update(Kind::DEPLOYMENT, "a", "d", "me", |_| ()).unwrap();
    assert_eq!(s.revision(), revision);
    let o = s.update(Kind::DEPLOYMENT, "a", "d", "me", |o| o["spec"]["replicas"] = 2.into()).unwrap();
    assert_eq!((s.revision(), &o["metadata"]["generation"]), (revision + 1, &json!(2)));
    let o =
        s.update_status(Kind::DEPLOYMENT, "a", "d", "me", |o| o["status"] = json!({"replicas": 2})).unwrap();
    assert_eq!(o["metadata"]["generation"], 2);
    assert_eq!(o["metadata"]["resourceVersion"], s.revision().to_string());
}

#[test]
fn a_pod_on_a_node_stays_while_it_terminates() {
    let mut s = store();
    s.insert(Kind::POD, pod("p"));
    let o = s.delete(Kind::POD, "a", "p", &DeleteOptions::default()).unwrap();
    assert_eq!(o["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z");
    assert_eq!(o["metadata"]["generation"], 2);
    assert!(s.get(Kind::POD, "a", "p").is_some());
    s.delete(Kind::POD, "a", "p", &DeleteOptions { grace_seconds: Some(0), ..Default::default() });
    assert!(s.get(Kind::POD, "a", "p").is_none());
}

#[test]
fn foreground_deletion_waits_for_its_finalizer() {
    let mut s = store();
    s.insert(Kind::DEPLOYMENT, json!({"metadata": {"name": "d", "namespace": "a"}}));
    s.delete(Kind::DEPLOYMENT, "a", "d", &DeleteOptions { foreground: true, ..Default::default() });
    assert!(s.get(Kind::DEPLOYMENT, "a", "d").is_some());
    s.update(Kind::DEPLOYMENT, "a", "d", "gc", |o| {
        o["metadata"].as_object_mut().unwrap().remove("finalizers");
    });
    assert!(s.get(Kind::DEPLOYMENT, "a", "d").is_none());
}

#[test]
fn changes_replay_from_a_revision_and_the_past_can_be_listed_until_it_is_forgotten() {
    let mut s = store();
    s.insert(Kind::POD, pod("p"));
    let then = s.revision();
    s.insert(Kind::POD, pod("q"));
    s.remove(Kind::POD, "a", "p");
    let seen: Vec<_> = s.changes_since(then).unwrap().map(|c| c.change).collect();
    assert_eq!(seen, [ChangeType::Added, ChangeType::Deleted]);
    let names: Vec<_> = s.list_at(Kind::POD, None, then).unwrap();
    assert_eq!(names.iter().map(|o| text(o, "/metadata/name")).collect::<Vec<_>>(), ["p"]);
    s.forget_before(s.revision());
    assert_eq!(s.changes_since(then).err(), Some(TooOld { oldest: s.revision() }));
    assert_eq!(s.changes_since(s.revision()).unwrap().count(), 0);
}
