//! `wheelhouse describe` and `wheelhouse events`, against an embedded cluster served by another process.

use serde_json::Value;

use crate::program::Demo;

fn world() -> Demo {
    Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario pressure")
}

#[test]
fn an_object_is_described_with_its_events() {
    let demo = world();
    let tenants = demo.json(0, &["tenants", "-o", "json"]);
    let name = tenants[0]["name"].as_str().expect("a name");
    let (out, _) = demo.run(0, &["describe", name]);
    for words in
        ["Deployment ", "asked for", "container php-fpm", "requests", "memory ", "events", "readiness"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let everything = demo.json(0, &["events", "-o", "json"]);
    let all = everything.as_array().expect("a list");
    let of_pod = all.iter().find(|event| event["kind"] == "Pod").expect("an event of a pod");
    let pod = of_pod["name"].as_str().expect("a name");
    let namespace = &of_pod["namespace"];
    let tenant = tenants.as_array().expect("a list").iter().find(|t| t["namespace"] == *namespace);
    let name = tenant.and_then(|t| t["name"].as_str()).expect("its tenant");
    let events = demo.json(0, &["events", name, "-o", "json"]);
    assert!(events.as_array().expect("a list").iter().all(|event| event["namespace"] == *namespace));
    let (out, _) = demo.run(0, &["events", &format!("pod/{pod}")]);
    assert!(out.contains(pod) && out.starts_with("AGE"), "{out}");
    let of_pod = demo.json(0, &["events", &format!("pod/{pod}"), "-o", "json"]);
    assert!(of_pod.as_array().expect("a list").iter().all(|event| event["name"] == pod), "{of_pod}");
    let warnings = demo.json(0, &["events", "--warnings", "-o", "json"]);
    let count = |list: &Value| list.as_array().expect("a list").len();
    assert!(count(&everything) > count(&events) && count(&warnings) < count(&everything));
    assert!(warnings.as_array().expect("a list").iter().all(|event| event["warning"] == true));

    let nodes = demo.json(0, &["nodes", "-o", "json"]);
    let node = nodes[0]["name"].as_str().expect("a name");
    demo.run(0, &["cordon", node, "--yes"]);
    let (out, _) = demo.run(0, &["describe", node]);
    assert!(out.contains(&format!("Node {node}")) && out.contains("it takes no new pods"), "{out}");
    assert!(
        out.contains("node.kubernetes.io/unschedulable:NoSchedule") && out.contains("Ready True"),
        "{out}"
    );
}

#[test]
fn yaml_is_what_the_api_server_has() {
    let demo = world();
    let tenants = demo.json(0, &["tenants", "-o", "json"]);
    let tenant = &tenants[0];
    let name = tenant["name"].as_str().expect("a name");
    let (out, _) = demo.run(0, &["describe", &format!("tenant/{name}"), "-o", "yaml"]);
    let read: Value = serde_saphyr::from_str(&out).unwrap_or_else(|e| panic!("{e}\n{out}"));
    assert_eq!(
        (&read["kind"], &read["metadata"]["name"]),
        (&tenant["workload"]["kind"], &tenant["workload"]["name"])
    );
    assert_eq!(read["spec"]["replicas"], tenant["desired"]);
    assert!(read["metadata"].get("managedFields").is_none());
}

#[test]
fn what_is_not_there_is_said() {
    let demo = world();
    for (code, arguments, words) in [
        (1, vec!["describe", "nobody-of-this-name"], "there is no tenant, node or pod nobody-of-this-name"),
        (1, vec!["describe", "node/worker-99"], "there is no node worker-99"),
        (1, vec!["events", "pod/x"], "there is no pod x"),
        (2, vec!["describe", "secret/x"], "is neither tenant/NAME, node/NAME nor pod/NAME"),
        (2, vec!["events", "--since", "yesterday"], "--since"),
    ] {
        let (out, err) = demo.run(code, &arguments);
        assert!(out.is_empty() && err.contains(words), "{arguments:?}: {out}\n{err}");
    }
}
