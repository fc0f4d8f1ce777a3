//! `wheelhouse logs`, against an embedded cluster served by another process.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use serde_json::Value;

use crate::program::{Demo, send};

/// The first tenant that has several pods.
fn tenant(demo: &Demo) -> (String, u64) {
    let all = demo.json(0, &["tenants", "-o", "json"]);
    let several = all.as_array().expect("a list").iter().find(|t| t["ready"].as_u64() > Some(1));
    let several = several.expect("a tenant with several pods");
    (several["name"].as_str().expect("a name").into(), several["ready"].as_u64().expect("a number"))
}

#[test]
fn the_log_of_a_tenant_is_that_of_all_its_pods_by_time() {
    let demo = Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm");
    let (name, pods) = tenant(&demo);
    let (out, _) = demo.run(0, &["logs", &name, "--tail", "20", "--all-containers", "-o", "json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let text = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    let of: BTreeSet<_> = lines.iter().map(|line| (text(line, "pod"), text(line, "container"))).collect();
    assert_eq!(of.len() as u64, pods * 2, "{of:?}");
    let at = |line: &Value| text(line, "at").parse::<jiff::Timestamp>().expect("a time");
    let times: Vec<_> = lines.iter().map(at).collect();
    assert!(times.is_sorted(), "{times:?}");

    // One pod, by the end of its name; its lines do not tell which it is.
    let pod = &of.first().expect("a pod").0;
    let end = pod.rsplit('-').next().expect("an end");
    let (out, _) = demo.run(0, &["logs", &name, end, "--tail", "3", "-c", "nginx", "--no-times"]);
    assert!(out.lines().count() == 3 && !out.contains(pod.as_str()), "{out}");
    // Words in and words out.
    let (out, _) =
        demo.run(0, &["logs", &name, "-c", "nginx", "--tail", "all", "--grep", "get /", "--not", " 200 "]);
    assert!(!out.is_empty() && out.lines().all(|l| l.contains("GET /") && !l.contains(" 200 ")), "{out}");
    let (out, _) = demo.run(0, &["logs", &name, "-c", "nginx", "--grep", "Get /"]);
    assert_eq!(out, "", "an upper-case letter tells the case");
    let all = demo.run(0, &["logs", &name, "-c", "nginx", "--tail", "all"]).0.lines().count();
    let late = demo.run(0, &["logs", &name, "-c", "nginx", "--since", "30s"]).0.lines().count();
    assert!(late < all, "{late} of {all}");
}

#[test]
fn what_has_no_log_says_so() {
    let demo = Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm");
    let (name, _) = tenant(&demo);
    for (code, arguments, words) in [
        (1, vec!["logs", "nobody-of-this-name"], "there is no tenant nobody-of-this-name"),
        (1, vec!["logs", &name, "xxxxx"], "has no pod xxxxx; it has "),
        (1, vec!["logs", &name, "-c", "sidecar"], "have no container sidecar; they have "),
        (1, vec!["logs", &name, "--previous"], "has not restarted: there is no log of an earlier run"),
        (2, vec!["logs", &name, "--grep", "a("], "it is no regular expression: unclosed group"),
        (2, vec!["logs", &name, "--tail", "many"], "it is neither a number of lines nor `all`"),
        (2, vec!["logs", &name, "--since", "yesterday"], "--since"),
        (2, vec!["logs", &name, "-f", "--previous"], "--previous"),
        (2, vec!["logs"], "TENANT"),
    ] {
        let (out, err) = demo.run(code, &arguments);
        assert!(out.is_empty() && err.contains(words), "{arguments:?}: {out}\n{err}");
    }
}

#[test]
fn pods_that_come_while_a_log_is_followed_are_followed_too() {
    let demo = Demo::cluster("--tenants 8 --nodes 4 --seed 7 --scenario calm --speed 60");
    let (name, pods) = tenant(&demo);
    let arguments = demo.on(&["logs", &name, "-f", "--tail", "1", "-c", "nginx", "-o", "json"]);
    let mut follow = demo.home.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let follow = follow.as_mut().expect("the binary starts");
    let mut lines = BufReader::new(follow.stdout.take().expect("its output is ours")).lines();
    let mut of = BTreeSet::new();
    let mut until = |pods: u64| {
        while (of.len() as u64) < pods {
            let line = lines.next().expect("it goes on").expect("a line");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            of.insert(line["pod"].as_str().expect("a pod").to_owned());
        }
    };
    until(pods);
    demo.run(0, &["scale", &name, "+1", "--yes"]);
    until(pods + 1);
    send(follow.id(), "TERM");
    // Whoever writes into a full pipe hears of nothing else.
    lines.for_each(drop);
    let status = follow.wait().expect("it ends");
    let mut err = String::new();
    follow.stderr.take().expect("ours").read_to_string(&mut err).expect("text");
    assert!(!err.contains("panicked") && status.code() != Some(2), "{status:?} {err}");
}
