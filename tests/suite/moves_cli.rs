//! Moving pods by commands: rebalance, move, drain, cordon, restart and delete-pod, as a user or a script runs them.

use serde_json::Value;

use crate::program::Demo;

/// A node came back empty, and its tenants are doubled up elsewhere; pods are ready in a moment.
fn recovered() -> Demo {
    Demo::cluster("--tenants 4 --nodes 4 --seed 7 --scenario node-recovered --speed 60")
}

fn tenants(demo: &Demo) -> Vec<Value> {
    demo.json(0, &["tenants", "-o", "json"]).as_array().expect("a list").clone()
}

fn node(demo: &Demo, name: &str) -> Value {
    let all = demo.json(0, &["nodes", "-o", "json"]);
    all.as_array().expect("a list").iter().find(|n| n["name"] == name).expect("the node").clone()
}

fn placements(demo: &Demo) -> Vec<Value> {
    tenants(demo).iter().map(|t| t["placement"].clone()).collect()
}

/// Every tenant has the pods it asks for, all of them ready.
fn all_ready(demo: &Demo) {
    for tenant in tenants(demo) {
        assert_eq!(tenant["desired"], tenant["ready"], "{tenant}");
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is no list in {value}"))
}

/// A tenant with a pod, and the node of its first one.
fn placed(demo: &Demo) -> (String, String) {
    let all = tenants(demo);
    let tenant = all.iter().find(|t| t["ready"].as_u64() > Some(1)).expect("a tenant of two pods");
    let node = tenant["placement"].as_object().expect("a map").keys().next().expect("a node");
    (tenant["name"].as_str().expect("a name").to_owned(), node.clone())
}

#[test]
fn a_rebalancing_is_shown_then_done_and_leaves_nothing_to_be_done() {
    let demo = recovered();
    let before = placements(&demo);
    let shown = demo.json(0, &["rebalance", "--only-spread", "--dry-run", "-o", "json"]);
    let moves = list(&shown, "moves");
    assert!(!moves.is_empty(), "{shown}");
    for moved in moves {
        for key in ["tenant", "pod", "from", "to", "means", "reason"] {
            assert!(moved[key].is_string(), "{key}: {moved}");
        }
    }
    for stay in list(&shown, "stays") {
        assert!(stay["pod"].is_string() && stay["why"].is_string(), "{stay}");
    }
    let doubled = |balance: &str| shown[balance]["doubled"].as_u64().expect("a number");
    assert!(doubled("after") < doubled("before"), "{shown}");
    assert!(shown.get("runs").is_none(), "{shown}");
    let (text, _) = demo.run(0, &["rebalance", "--only-spread", "--dry-run"]);
    assert!(text.contains("ON ONE NODE") && text.contains("MOVE") && text.contains("now"), "{text}");
    assert_eq!(placements(&demo), before, "a dry run changes nothing");

    let (_, said) = demo.run(1, &["rebalance", "--only-spread"]);
    assert!(said.contains("--yes"), "{said}");
    let one = demo.json(0, &["rebalance", "--only-spread", "--max-moves", "1", "--yes", "-o", "json"]);
    assert_eq!((&one["moved"], list(&one, "runs").len()), (&1.into(), 1), "{one}");

    let done =
        demo.json(0, &["rebalance", "--only-spread", "--yes", "--reason", "worker-3 is back", "-o", "json"]);
    assert_eq!(done["stopped"], Value::Null, "{done}");
    assert_eq!(done["moved"].as_u64(), Some(list(&done, "moves").len() as u64), "{done}");
    assert_eq!(list(&done, "runs").len(), list(&done, "moves").len());
    assert!(list(&done, "runs").iter().all(|run| run["state"] == "done" && run["id"].is_string()), "{done}");
    assert!(list(&done, "left").is_empty(), "{done}");
    let runs = demo.json(0, &["runs", "-o", "json"]);
    assert_eq!(runs[0]["reason"], "worker-3 is back", "{runs}");
    all_ready(&demo);

    let again = demo.json(0, &["rebalance", "--only-spread", "--yes", "-o", "json"]);
    assert_eq!(list(&again, "moves").len(), 0, "{again}");
    let (text, _) = demo.run(0, &["rebalance", "--only-spread", "--yes"]);
    assert!(text.starts_with("nothing is to be moved"), "{text}");
}

#[test]
fn a_move_is_made_by_its_names_and_refused_in_a_sentence() {
    let demo = recovered();
    let (tenant, from) = placed(&demo);
    let free = tenants(&demo)
        .iter()
        .find(|t| t["name"] == tenant.as_str())
        .and_then(|t| {
            ["worker-1", "worker-2", "worker-3", "worker-4"]
                .into_iter()
                .find(|n| t["placement"].get(n).is_none())
        })
        .expect("a node without one of its pods");
    for (arguments, word) in [
        (["move", &tenant, "--from", &from, "--to", &from], "name another as target"),
        (["move", &tenant, "--from", free, "--to", &from], "has no pod on"),
        (["move", "nobody", "--from", &from, "--to", free], "nobody"),
        (["move", &tenant, "--from", &from, "--to", "worker-99"], "there is no node worker-99"),
    ] {
        let (out, err) = demo.run(1, &[&arguments[..], &["--yes"]].concat());
        assert!(
            err.contains("refused: ") && err.contains(word) && out.is_empty(),
            "{arguments:?}: {out}{err}"
        );
        let json = demo.json(1, &[&arguments[..], &["-o", "json"]].concat());
        assert!(json["refusals"][0].as_str().is_some_and(|why| why.contains(word)), "{json}");
    }
    let move_it = ["move", &tenant, "--from", &from, "--to", free];
    let plan = demo.json(0, &[&move_it[..], &["--dry-run", "-o", "json"]].concat());
    assert_eq!(plan["intent"]["kind"], "move", "{plan}");
    let run = demo.json(0, &[&move_it[..], &["--yes", "-o", "json"]].concat());
    assert_eq!(run["state"], "done", "{run}");
    let all = tenants(&demo);
    let moved = all.iter().find(|t| t["name"] == tenant.as_str()).expect("the tenant");
    assert_eq!(moved["placement"][free], 1, "{moved}");
    all_ready(&demo);
}

#[test]
fn a_node_is_cordoned_and_uncordoned() {
    let demo = recovered();
    let run = demo.json(0, &["cordon", "worker-2", "--yes", "-o", "json"]);
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(node(&demo, "worker-2")["schedulable"], false);
    let (text, _) = demo.run(0, &["cordon", "worker-2", "--yes"]);
    assert!(text.contains("nothing to do"), "{text}");
    demo.run(0, &["uncordon", "worker-2", "--yes"]);
    assert_eq!(node(&demo, "worker-2")["schedulable"], true);
    let (out, err) = demo.run(1, &["cordon", "worker-22", "--yes"]);
    assert!(format!("{out}{err}").contains("there is no node worker-22"), "{out}{err}");
}

#[test]
fn a_tenant_is_restarted_and_a_pod_deleted() {
    let demo = recovered();
    let (tenant, _) = placed(&demo);
    let run = demo.json(0, &["restart", &tenant, "--yes", "-o", "json"]);
    assert_eq!(run["state"], "done", "{run}");
    let (_, err) = demo.run(2, &["delete-pod", &tenant, "--yes"]);
    assert!(err.contains("NAMESPACE/POD"), "{err}");
    let (_, err) = demo.run(1, &["delete-pod", &tenant, "nothing", "--yes"]);
    let pod =
        err.rsplit_once("its pods: ").expect("its pods").1.split([',', '\n']).next().expect("one").to_owned();
    let confirm = ["--yes", "--confirm", &tenant, "-o", "json"];
    let run = demo.json(0, &[&["delete-pod", &tenant, &pod][..], &confirm].concat());
    assert_eq!(run["state"], "done", "{run}");
    let (out, err) = demo.run(1, &["delete-pod", &format!("{tenant}/{pod}"), "--yes"]);
    assert!(format!("{out}{err}").contains("there is no pod"), "{out}{err}");
}

#[test]
fn several_tenants_are_restarted_as_a_campaign_with_its_brakes() {
    let demo = recovered();
    let names: Vec<_> =
        tenants(&demo).iter().map(|t| t["name"].as_str().expect("a name").to_owned()).collect();
    let (one, two) = (names[0].as_str(), names[1].as_str());
    let shown = demo.json(0, &["restart", one, two, "--parallel", "2", "--dry-run", "-o", "json"]);
    assert_eq!((&shown["goal"], &shown["parallel"]), (&"restart 2 tenants".into(), &2.into()), "{shown}");
    let (_, err) = demo.run(1, &["restart", one, "nobody", "--yes"]);
    assert!(err.contains("there is no tenant nobody"), "{err}");
    let done = demo.json(0, &["restart", one, two, "--yes", "-o", "json"]);
    assert_eq!(done["stopped"], Value::Null, "{done}");
    assert_eq!(done["campaign"]["state"], "done", "{done}");
    assert_eq!(done["campaign"]["counts"]["done"], 2, "{done}");
    all_ready(&demo);
    let campaigns = demo.json(0, &["campaigns", "-o", "json"]);
    assert_eq!(campaigns[0]["goal"], "restart 2 tenants", "{campaigns}");
}

#[test]
fn undrain_of_a_node_that_takes_pods_says_so() {
    let demo = recovered();
    let shown = demo.json(0, &["undrain", "worker-3", "--dry-run", "-o", "json"]);
    let notes: Vec<_> = list(&shown, "notes").iter().filter_map(Value::as_str).collect();
    assert_eq!(notes, ["worker-3 is not cordoned: pods are moved to it only"]);
    assert!(list(&shown, "moves").iter().all(|moved| moved["to"] == "worker-3"), "{shown}");
}

#[test]
fn a_drained_node_keeps_what_no_run_can_move_and_is_filled_again() {
    let demo = recovered();
    let (_, node_name) = placed(&demo);
    let shown = demo.json(0, &["drain", &node_name, "--dry-run", "-o", "json"]);
    assert!(!list(&shown, "moves").is_empty(), "{shown}");
    let notes: Vec<_> = list(&shown, "notes").iter().filter_map(Value::as_str).collect();
    let lost = "it starts empty on the other node";
    assert!(notes.iter().any(|n| n.contains("emptyDir of") && n.contains(lost)), "{notes:?}");
    assert_eq!(node(&demo, &node_name)["schedulable"], true, "a dry run changes nothing");
    let output = demo.home.run(&demo.on(&["drain", &node_name, "--yes", "-o", "json"]));
    let done: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(done["stopped"], Value::Null, "{done}");
    assert_eq!(done["moved"].as_u64(), Some(list(&shown, "moves").len() as u64), "{done}");
    assert_eq!(node(&demo, &node_name)["schedulable"], false);
    assert_eq!(list(&node(&demo, &node_name), "tenants").len(), 0, "{done}");
    let empty = done["drained"]["empty"] == true;
    assert_eq!(output.status.code(), Some(i32::from(!empty)), "{done}");
    let text = done["drained"]["text"].as_str().expect("a sentence");
    assert!(text.contains(if empty { "safe to power off" } else { "kubectl" }), "{text}");
    // By hand only that pod goes: a drain of the whole node would not ask what this one has asked.
    assert!(empty || text.contains(" delete pod -n ") && !text.contains("kubectl drain"), "{text}");
    all_ready(&demo);

    let shown = demo.json(0, &["undrain", &node_name, "--dry-run", "-o", "json"]);
    assert_eq!(node(&demo, &node_name)["schedulable"], false, "a dry run changes nothing");
    let done = demo.json(0, &["undrain", &node_name, "--yes", "-o", "json"]);
    assert_eq!(
        (&done["stopped"], node(&demo, &node_name)["schedulable"].clone()),
        (&Value::Null, true.into())
    );
    assert!(!list(&done, "moves").is_empty() || list(&shown, "moves").is_empty(), "{done}");
    all_ready(&demo);
}
