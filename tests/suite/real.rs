//! The acts and runs on the control plane that `WHEELHOUSE_KUBECONFIG` names, of whatever make: done, taken back, cut off
//! and resumed. Without it there is nothing to do here.
//!
//! Each test makes namespaces of its own, with pods that need 16 MiB and sleep, and removes them. A node is cordoned and
//! drained only where it carries no pods of others (but those of DaemonSets).

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::program::send;

mod ground;

use ground::Ground;

/// One test after another: they share the nodes.
static TURN: Mutex<()> = Mutex::new(());
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);
/// Nothing takes this long, even where images have to be pulled.
const PATIENCE: Duration = Duration::from_secs(300);

/// The ground of a test, once it is its turn; `None`: no control plane is named.
fn ground() -> Option<(Ground, MutexGuard<'static, ()>)> {
    let Ok(kubeconfig) = std::env::var("WHEELHOUSE_KUBECONFIG") else {
        eprintln!(
            "WHEELHOUSE_KUBECONFIG names no control plane: the acts are tried on the embedded one alone"
        );
        return None;
    };
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Some((Ground::new(&kubeconfig), turn))
}

/// Waits until this holds.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        sleep(LOOK);
    }
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}"))
}

/// Does it, and expects it to be done.
fn done(ground: &Ground, act: &[&str]) -> Value {
    let run = ground.json(0, &[act, &["--yes", "-o", "json"]].concat());
    assert_eq!(run["state"], "done", "{act:?}: {run}");
    run
}

/// Takes a run back.
fn undo(ground: &Ground, run: &Value) {
    done(ground, &["runs", "undo", word(run, "id")]);
}

/// Where the pods of a tenant are: node to pods.
fn placed(ground: &Ground, tenant: &str) -> BTreeMap<String, u64> {
    let placement = ground.tenant(tenant)["placement"].as_object().expect("a map").clone();
    placement.into_iter().map(|(node, pods)| (node, pods.as_u64().expect("a number"))).collect()
}

#[test]
fn a_tenant_is_scaled_restarted_and_released_and_each_is_taken_back() {
    let Some((ground, _turn)) = ground() else { return };
    let shop = ground.deployment("shop", 3, json!({}));
    let queue = ground.stateful_set("queue", 2);

    let plan = ground.json(0, &["scale", &shop, "5", "--dry-run", "-o", "json"]);
    assert_eq!(ground.object(&shop)["spec"]["replicas"], 3, "a dry run changes nothing");
    let run = done(&ground, &["scale", &shop, "5"]);
    let after = ground.tenant(&shop);
    assert_eq!((&after["desired"], &after["ready"]), (&5.into(), &5.into()), "{after}");
    assert_eq!(after["placement"], plan["predicted"], "the prediction came true");
    undo(&ground, &run);
    assert_eq!(ground.object(&shop)["spec"]["replicas"], 3);
    let run = done(&ground, &["scale", &queue, "3"]);
    undo(&ground, &run);
    assert_eq!(ground.tenant(&queue)["ready"], 2);

    let before = ground.pods(&shop);
    done(&ground, &["restart", &shop]);
    let after = ground.pods(&shop);
    assert!(after.len() == 3 && before.iter().all(|pod| !after.contains(pod)), "{before:?} {after:?}");
    let annotations = &ground.object(&shop)["spec"]["template"]["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{annotations}");

    let gone = after.first().expect("a pod").clone();
    done(&ground, &["delete-pod", &gone, "--confirm", &shop]);
    let now = ground.pods(&shop);
    assert!(now.len() == 3 && !now.contains(&gone), "{now:?}");

    let image = |tenant: &str| ground.tenant(tenant)["image"].clone();
    let was = image(&shop);
    let run = done(&ground, &["release", &shop, "--image", ground::OTHER_TAG]);
    assert_eq!(image(&shop), ground::OTHER_TAG);
    undo(&ground, &run);
    assert_eq!(image(&shop), was);
    let states = ground.states();
    assert!(states.iter().all(|s| ["done", "undone"].contains(&s.as_str())), "{states:?}");
}

#[test]
fn a_tenant_is_migrated_by_a_job_and_a_migration_that_fails_gives_the_replicas_back() {
    let Some((ground, _turn)) = ground() else { return };
    let shop = ground.deployment("shop", 3, json!({}));
    let migrate = |more: &[&str]| {
        let act = ["migrate", &shop, "--yes", "--confirm", &shop, "-o", "json"];
        ground.run(&[&act, more].concat())
    };
    let (code, run, said) = migrate(&["--command", "true"]);
    assert_eq!((code, &run["state"]), (0, &"done".into()), "{run} {said}");
    let after = ground.tenant(&shop);
    assert_eq!((&after["desired"], &after["ready"]), (&3.into(), &3.into()), "{after}");
    let jobs = ground.list(&format!("/apis/batch/v1/namespaces/{shop}/jobs"));
    let ended = |job: &Value| {
        let all = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
        all.iter().any(|c| c["type"] == "Complete" && c["status"] == "True")
    };
    assert!(jobs.len() == 1 && jobs.iter().all(ended), "{jobs:?}");

    let (code, run, said) = migrate(&["--command", "false"]);
    assert_eq!((code, &run["state"]), (1, &"failed".into()), "{run} {said}");
    assert!(word(&run, "last_word").contains("exit code 1"), "{run}");
    until("the replicas", || (ground.tenant(&shop)["ready"] == 3).then_some(()));
    assert_eq!(ground.object(&shop)["spec"]["replicas"], 3);
    assert!(ground.leases().is_empty(), "{:?}", ground.leases());
}

#[test]
fn a_pod_is_moved_and_the_tenants_are_spread_again() {
    let Some((ground, _turn)) = ground() else { return };
    if ground.nodes().len() < 3 {
        return eprintln!("the control plane has fewer than three nodes that take pods: nothing is moved");
    }
    let shop = ground.deployment("shop", 2, json!({}));
    let before = placed(&ground, &shop);
    let (from, to) = match before.keys().collect::<Vec<_>>()[..] {
        [one, other, ..] => (one.clone(), other.clone()),
        _ => panic!("both pods are on one node: {before:?}"),
    };
    let run = done(&ground, &["move", &shop, "--from", &from, "--to", &to]);
    assert_eq!(placed(&ground, &shop), BTreeMap::from([(to.clone(), 2)]));
    undo(&ground, &run);
    assert_eq!(placed(&ground, &shop), before);

    done(&ground, &["move", &shop, "--from", &from, "--to", &to]);
    let spread = ground.json(0, &["rebalance", "--tenant", &shop, "--only-spread", "--yes", "-o", "json"]);
    assert_eq!((&spread["stopped"], &spread["moved"]), (&Value::Null, &1.into()), "{spread}");
    let after = placed(&ground, &shop);
    assert!(after.values().all(|pods| *pods == 1) && after.len() == 2, "{after:?}");
    let owners = ground.owners(&shop);
    assert!(owners.iter().all(|owner| *owner == owners[0]), "the ReplicaSet has adopted it: {owners:?}");
}

#[test]
fn a_node_is_cordoned_and_drained_and_takes_pods_again() {
    let Some((ground, _turn)) = ground() else { return };
    let Some(node) = ground.nodes_of_nobody().into_iter().next().filter(|_| ground.nodes().len() > 2) else {
        return eprintln!("the control plane has no node without pods of others: none is drained");
    };
    let shop = ground.deployment("shop", 2, json!({}));
    if !placed(&ground, &shop).contains_key(&node) {
        let from = placed(&ground, &shop).into_keys().next().expect("a node");
        done(&ground, &["move", &shop, "--from", &from, "--to", &node]);
    }
    let ground = ground.uncordoning(&node);
    let schedulable = || ground.get(&format!("/api/v1/nodes/{node}"))["spec"]["unschedulable"] != true;
    let run = done(&ground, &["cordon", &node]);
    assert!(!schedulable());
    undo(&ground, &run);
    assert!(schedulable());
    done(&ground, &["cordon", &node]);
    done(&ground, &["uncordon", &node]);
    let drained = ground.json(0, &["drain", &node, "--yes", "-o", "json"]);
    assert_eq!(
        (&drained["stopped"], &drained["drained"]["empty"]),
        (&Value::Null, &true.into()),
        "{drained}"
    );
    assert!(!placed(&ground, &shop).contains_key(&node) && ground.tenant(&shop)["ready"] == 2);
    let filled = ground.json(0, &["undrain", &node, "--yes", "-o", "json"]);
    assert_eq!(filled["stopped"], Value::Null, "{filled}");
    assert!(schedulable());
    assert_eq!(ground.tenant(&shop)["ready"], 2);
}

#[test]
fn a_run_that_is_killed_is_found_and_resumed_and_then_taken_back() {
    let Some((ground, _turn)) = ground() else { return };
    // It takes its time to be ready.
    let shop = ground.deployment("shop", 2, json!({"minReadySeconds": 10}));
    let mut command = ground.command(&["scale", &shop, "4", "--yes"]);
    let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    until("the write", || (ground.object(&shop)["spec"]["replicas"] == 4).then_some(()));
    send(killed.id(), "KILL");
    killed.wait().expect("it ends");
    let runs = ground.json(0, &["runs", "-o", "json"]);
    let id = word(&runs[0], "id").to_owned();
    assert_eq!(runs[0]["state"], "running", "{runs}");
    until("the end of its lease", || {
        let runs = ground.json(0, &["runs", "-o", "json"]);
        (runs[0]["holder"]["alive"] != true).then_some(())
    });
    let run = until("its resumption", || {
        let (code, run, _) = ground.run(&["runs", "resume", &id, "--yes", "-o", "json"]);
        (code == 0).then_some(run)
    });
    assert_eq!((word(&run, "id"), &run["state"]), (&*id, &"done".into()), "{run}");
    assert_eq!(ground.tenant(&shop)["ready"], 4);
    undo(&ground, &run);
    assert_eq!(ground.object(&shop)["spec"]["replicas"], 2);
    assert!(ground.leases().is_empty(), "{:?}", ground.leases());
}
