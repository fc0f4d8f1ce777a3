//! Migrations by commands, as a user or a script runs them.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::program::{Demo, send};

fn demo() -> Demo {
    Demo::cluster("--tenants 4 --nodes 4 --seed 7 --scenario calm --speed 60")
}

fn tenant(demo: &Demo, name: &str) -> Value {
    let all = demo.json(0, &["tenants", "-o", "json"]);
    all.as_array().expect("a list").iter().find(|t| t["name"] == name).expect("the tenant").clone()
}

const CONSENT: [&str; 4] = ["--gitops-paused", "--yes", "--confirm", "acme"];

#[test]
fn a_migration_is_shown_done_and_told_with_the_log_of_its_job() {
    let demo = demo();
    let was = tenant(&demo, "acme");
    let plan =
        demo.json(0, &["migrate", "acme", "--image", "2.5.0", "--gitops-paused", "--dry-run", "-o", "json"]);
    assert_eq!(
        (&plan["intent"]["kind"], &plan["on_failure"]),
        (&"migrate".into(), &"restore".into()),
        "{plan}"
    );
    let kinds: Vec<_> = plan["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|s| s["change"]["kind"].as_str().expect("a kind"))
        .collect();
    let order = ["create-job", "start-job", "job-ended", "set-image", "rolled-out"];
    let at: Vec<_> = order.iter().map(|k| kinds.iter().position(|kind| kind == k).expect("a step")).collect();
    assert!(at.is_sorted(), "{kinds:?}");
    let (text, _) = demo.run(0, &["migrate", "acme", "--gitops-paused", "--dry-run"]);
    assert!(text.contains("only if it fails: delete job") && text.contains("doctrine:migrations"), "{text}");
    assert_eq!(tenant(&demo, "acme")["image"], was["image"], "a dry run changes nothing");

    let done = demo.json(0, &[&["migrate", "acme", "--image", "2.5.0", "-o", "json"][..], &CONSENT].concat());
    assert_eq!(done["state"], "done", "{done}");
    let now = tenant(&demo, "acme");
    assert_eq!((&now["image"], &now["desired"]), (&"2.5.0".into(), &was["desired"]), "{now}");
    let id = done["id"].as_str().expect("an id");
    let (story, _) = demo.run(0, &["runs", "show", id]);
    assert!(story.contains("log of its job:") && story.contains("Successfully migrated"), "{story}");

    let fails = ["migrate", "acme", "--command", "php bin/console doctrine:migrations:migrate exit 1"];
    let (_, said) = demo.run(1, &[&fails[..], &CONSENT].concat());
    assert!(said.contains("  | [error] Migration") && said.contains("failed with exit code 1"), "{said}");
    // What failed is planned again by its run.
    assert!(said.contains("runs retry "), "{said}");
    let runs = demo.json(0, &["runs", "-o", "json"]);
    let [failed, done] = [0, 1].map(|n| runs[n]["id"].as_str().expect("an id").to_owned());
    let (again, _) = demo.run(0, &["runs", "retry", &failed, "--dry-run"]);
    assert!(again.contains("acme migrated") || again.contains("exit 1"), "{again}");
    let (_, said) = demo.run(1, &["runs", "retry", &done, "--yes"]);
    assert!(said.contains("one that has failed is tried again"), "{said}");
    assert_eq!(tenant(&demo, "acme")["desired"], was["desired"]);
}

#[test]
fn what_is_held_is_said_by_check_and_closed_by_the_word_of_an_operator() {
    let demo = demo();
    let was = tenant(&demo, "acme");
    let fails = ["migrate", "acme", "--on-failure", "hold", "--command", "false"];
    let (_, said) = demo.run(1, &[&fails[..], &CONSENT].concat());
    assert!(said.contains("paused") && said.contains("--as succeeded"), "{said}");
    assert_eq!(tenant(&demo, "acme")["desired"], 1);
    let output = demo.home.run(&demo.on(&["check"]));
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() >= Some(1) && line.contains("migrate acme"), "{line}");
    let runs = demo.json(0, &["runs", "-o", "json"]);
    let id = runs[0]["id"].as_str().expect("an id").to_owned();
    assert!(runs[0]["harm"].is_array(), "{}", runs[0]["harm"]);
    // The list says at which step it stands, and why.
    let (list, _) = demo.run(0, &["runs"]);
    assert!(list.contains("at step ") && list.contains("exit code 1"), "{list}");
    let (_, said) = demo.run(1, &["runs", "resume", &id, "--yes"]);
    assert!(said.contains("exit code 1"), "{said}");
    let (out, said) = demo.run(1, &[&["migrate", "acme"][..], &CONSENT].concat());
    assert!(out.contains("finish it or give it up first"), "{out}{said}");
    demo.run(0, &["runs", "resume", &id, "--as", "failed", "--yes"]);
    let (list, _) = demo.run(0, &["runs"]);
    assert!(list.contains("failed") && list.contains("ended "), "{list}");
    assert_eq!(tenant(&demo, "acme")["desired"], was["desired"]);
}

#[test]
fn wrong_usage_and_what_cannot_be_migrated_are_one_sentence() {
    let demo = demo();
    for (code, arguments, word) in [
        (2, &["migrate"][..], "TENANT"),
        (2, &["migrate", "acme", "--all"], "--all"),
        (2, &["migrate", "--selector", "a=b=c"], "no selector of labels"),
        (2, &["migrate", "--all", "--parallel", "0"], "0"),
        (2, &["migrate", "--all", "--max-failures", "none"], "none"),
        (1, &["migrate", "--selector", "tier=gold", "--yes"], "has the labels of --selector"),
        (1, &["migrate", "acme", "acne", "--yes"], "did you mean acme"),
        (1, &["migrate", "acme", "globex", "--container", "fpm", "--yes"], "has no container fpm"),
        (1, &["migrate", "--all", "--image", "2 5", "--yes"], "no tag of an image"),
        (2, &["migrate", "acme", "--keep", "0"], "0"),
        (2, &["migrate", "acme", "--deadline", "soon"], "soon"),
        (1, &["migrate", "acne", "--yes"], "did you mean acme"),
        (1, &["migrate", "acme", "--container", "fpm", "--yes"], "it has nginx, php-fpm"),
        (1, &["migrate", "acme", "--command", "", "--yes"], "names no command"),
        (1, &["migrate", "acme", "--image", "2 5", "--yes"], "no tag of an image"),
    ] {
        let (out, err) = demo.run(code, arguments);
        assert!(format!("{out}{err}").contains(word), "{arguments:?}: {out}{err}");
    }
    assert_eq!(demo.json(0, &["runs", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn an_image_is_rolled_out_counted_and_taken_back_and_a_broken_one_is_set_back() {
    let demo = demo();
    let consent = ["--gitops-paused", "--yes", "-o", "json"];
    let release = |code: i32, image: &str| {
        demo.json(code, &[&["release", "acme", "--image", image][..], &consent].concat())
    };
    let was = tenant(&demo, "acme")["image"].clone();
    let count = |tag: &str| {
        let images = demo.json(0, &["images", "-o", "json"]);
        let all = images.as_array().expect("a list").clone();
        all.iter().find(|i| i["tag"] == tag).map_or(0, |i| i["tenants"].as_array().expect("tenants").len())
    };
    let before = count(was.as_str().expect("a tag"));
    let done = release(0, "2.5.0");
    assert_eq!(
        (&done["state"], &tenant(&demo, "acme")["image"]),
        (&"done".into(), &"2.5.0".into()),
        "{done}"
    );
    assert_eq!((count("2.5.0"), count(was.as_str().expect("a tag"))), (1, before - 1));
    let (text, _) = demo.run(0, &["images"]);
    assert!(text.contains("2.5.0") && text.contains("acme"), "{text}");

    let broken = release(1, "2.5.1-broken");
    assert_eq!(broken["state"], "failed", "{broken}");
    assert!(broken["last_word"].as_str().is_some_and(|why| why.contains("ImagePull")), "{broken}");
    assert_eq!(tenant(&demo, "acme")["image"], "2.5.0");
    let again =
        demo.json(0, &["release", "acme", "--image", "2.5.0", "--gitops-paused", "--yes", "-o", "json"]);
    assert_eq!(again["steps"], serde_json::json!([]), "{again}");

    demo.run(0, &["runs", "undo", done["id"].as_str().expect("an id"), "--yes"]);
    assert_eq!(tenant(&demo, "acme")["image"], was);
    for (code, arguments, word) in [
        (2, &["release", "acme"][..], "--image"),
        (2, &["release", "--image", "1"], "TENANT"),
        (1, &["release", "--all", "--image", "2 5", "--yes"], "no tag of an image"),
        (1, &["release", "acne", "--image", "1", "--yes"], "did you mean acme"),
        (1, &["release", "acme", "--image", "2 5", "--yes"], "no tag of an image"),
    ] {
        let (out, err) = demo.run(code, arguments);
        assert!(format!("{out}{err}").contains(word), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn a_migration_with_an_image_that_cannot_be_pulled_changes_nothing() {
    let demo = demo();
    let was = tenant(&demo, "acme");
    let migrate = ["migrate", "acme", "--image", "2.5.0-broken", "-o", "json"];
    let run = demo.json(1, &[&migrate[..], &CONSENT].concat());
    assert_eq!(run["state"], "failed", "{run}");
    assert!(run["last_word"].as_str().is_some_and(|why| why.contains("ImagePull")), "{run}");
    let now = tenant(&demo, "acme");
    assert_eq!((&now["image"], &now["desired"]), (&was["image"], &was["desired"]));
}

#[test]
fn many_tenants_are_shown_counted_and_migrated_as_a_campaign() {
    let demo = demo();
    let all = ["migrate", "--all", "--image", "2.5.0", "--gitops-paused"];
    let shown = demo.json(0, &[&all[..], &["--parallel", "3", "--dry-run", "-o", "json"]].concat());
    assert_eq!(shown["counts"], serde_json::json!({ "all": 4, "tenants": 4, "left_out": 0 }), "{shown}");
    assert_eq!(
        (&shown["parallel"], &shown["canary"], &shown["max_failures"]),
        (&3.into(), &1.into(), &1.into())
    );
    assert_eq!(shown["goal"], "migrate 4 tenants with 2.5.0");
    assert!(shown.get("campaign").is_none(), "{shown}");
    let (text, _) = demo.run(0, &[&all[..], &["--dry-run"]].concat());
    assert!(text.contains("1 goes first; then one after another; the first failure stops it"), "{text}");
    assert_eq!(demo.json(0, &["campaigns", "-o", "json"]), serde_json::json!([]), "a dry run writes nothing");

    let confirm = shown["confirm"].as_str().unwrap_or("none").to_owned();
    let two = ["migrate", "acme", "globex", "--image", "2.5.0", "--gitops-paused", "--parallel", "2"];
    let confirmed = |wanted: &str| ["--yes".to_owned(), "--confirm".to_owned(), wanted.to_owned()];
    let both = demo.json(0, &[&two[..], &["--dry-run", "-o", "json"]].concat());
    let wanted = confirmed(both["confirm"].as_str().unwrap_or(&confirm));
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    let done = demo.json(0, &[&two[..], &wanted, &["-o", "json"]].concat());
    let campaign = &done["campaign"];
    assert_eq!((&campaign["state"], &campaign["counts"]["done"]), (&"done".into(), &2.into()), "{done}");
    assert_eq!(done["stopped"], Value::Null, "{done}");
    for name in ["acme", "globex"] {
        assert_eq!(tenant(&demo, name)["image"], "2.5.0");
    }
    let id = campaign["id"].as_str().expect("an id");
    let (story, _) = demo.run(0, &["campaigns", id]);
    assert!(story.contains("migrate acme") && story.contains("2 of 2 done"), "{story}");
    // What a migration did to a schema is not taken back by a campaign.
    let (_, said) = demo.run(1, &["campaigns", "undo", id, "--yes"]);
    assert!(said.contains("cannot be taken back by a campaign"), "{said}");
}

#[test]
fn an_image_is_released_to_many_those_that_have_it_are_left_out_and_the_campaign_is_taken_back() {
    let demo = demo();
    let names: Vec<String> = demo
        .json(0, &["tenants", "-o", "json"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| t["name"].as_str().expect("a name").to_owned())
        .collect();
    let was: Vec<Value> = names.iter().map(|name| tenant(&demo, name)["image"].clone()).collect();
    let steady = ["--steady", "5s", "--gitops-paused", "--yes"];
    demo.run(0, &[&["release", &names[0], "--image", "2.5.0"][..], &steady].concat());
    let all = ["release", "--all", "--image", "2.5.0", "--parallel", "2", "-o", "json"];
    let done = demo.json(0, &[&all[..], &steady].concat());
    assert_eq!(done["left_out"][0]["tenant"], names[0].as_str(), "{done}");
    assert_eq!(done["left_out"][0]["rule"], "nothing", "{done}");
    assert_eq!(
        (&done["campaign"]["state"], &done["campaign"]["counts"]["done"]),
        (&"done".into(), &3.into()),
        "{done}"
    );
    let images = demo.json(0, &["images", "-o", "json"]);
    assert_eq!(images[0]["tenants"].as_array().map(Vec::len), Some(4), "{images}");
    // All have it: nothing is to be done, which is no failure.
    let again = demo.json(0, &[&all[..], &steady].concat());
    assert_eq!(
        (&again["counts"]["tenants"], &again["counts"]["left_out"]),
        (&0.into(), &4.into()),
        "{again}"
    );
    let id = done["campaign"]["id"].as_str().expect("an id");
    demo.run(0, &["campaigns", "undo", id, "--yes"]);
    for (name, was) in names.iter().zip(&was).skip(1) {
        assert_eq!(tenant(&demo, name)["image"], *was, "{name}");
    }
    let broken = ["release", "--all", "--image", "2.5.1-broken", "-o", "json"];
    let (out, _) = demo.run(1, &[&broken[..], &steady].concat());
    let broken: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(broken["campaign"]["counts"]["failed"], 1, "the first failure stops it: {broken}");
    assert!(broken["stopped"].as_str().is_some_and(|why| why.contains("failed")), "{broken}");
    assert_eq!(tenant(&demo, &names[0])["image"], "2.5.0", "it has its image again");
}

#[test]
fn a_tenant_is_rolled_back_to_the_revision_before_with_the_difference_shown() {
    let demo = demo();
    let was = tenant(&demo, "acme")["image"].clone();
    demo.run(0, &["release", "acme", "--image", "2.5.0", "--gitops-paused", "--steady", "0s", "--yes"]);
    let list = demo.json(0, &["rollback", "acme", "--list", "-o", "json"]);
    let first = list[0]["revision"].as_u64().expect("a number");
    assert_eq!((&list[0]["present"], &list[1]["present"]), (&true.into(), &false.into()), "{list}");
    let back = ["rollback", "acme", "--gitops-paused"];
    let plan = demo.json(0, &[&back[..], &["--dry-run", "-o", "json"]].concat());
    let differs = &plan["intent"]["rollback"]["differs"];
    assert_eq!(differs[0]["what"], "image of php-fpm", "{differs}");
    let kinds: Vec<_> =
        plan["steps"].as_array().expect("steps").iter().map(|s| s["change"]["kind"].clone()).collect();
    assert_eq!(kinds, ["set-template", "rolled-out"]);
    let (text, _) = demo.run(0, &[&back[..], &["--dry-run"]].concat());
    assert!(text.contains("image of php-fpm: ") && text.contains("rollout undo"), "{text}");
    let done = demo.json(0, &[&back[..], &["--yes", "-o", "json"]].concat());
    assert_eq!((&done["state"], &tenant(&demo, "acme")["image"]), (&"done".into(), &was), "{done}");
    // The revision that was gone back to is the newest now, and undo goes forth again.
    let list = demo.json(0, &["rollback", "acme", "--list", "-o", "json"]);
    assert_eq!((&list[0]["revision"], &list[1]["revision"]), (&(first + 1).into(), &first.into()), "{list}");
    demo.run(0, &["runs", "undo", done["id"].as_str().expect("an id"), "--yes"]);
    assert_eq!(tenant(&demo, "acme")["image"], "2.5.0");
    for (code, arguments, word) in [
        (2, &["rollback"][..], "TENANT"),
        (2, &["rollback", "acme", "--to", "first"], "first"),
        (1, &["rollback", "acne", "--yes"], "did you mean acme"),
        (1, &["rollback", "acme", "--to", "99", "--yes"], "has no revision 99; it has "),
        (1, &["rollback", "acme", "--to", &(first + 2).to_string(), "--yes"], "already"),
    ] {
        let (out, err) = demo.run(code, arguments);
        assert!(format!("{out}{err}").contains(word), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn an_api_server_that_is_away_is_told_of_while_a_run_or_a_campaign_is_followed() {
    let demo = demo();
    for tenants in [&["acme"][..], &["globex", "initech"]] {
        let typed = if tenants.len() == 1 { tenants[0] } else { "2 tenants" };
        // Longer than an API server that stands still for a while makes the world jump.
        let long = ["--command", "sleep 80000", "--deadline", "24h"];
        let slow = [&long[..], &["--gitops-paused", "--yes", "--confirm", typed]].concat();
        let arguments = [&["migrate"], tenants, &slow[..]].concat();
        let mut command = demo.home.command(&demo.on(&arguments));
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its words are ours")).lines();
        let mut until = |word: &str| {
            let mut told = Vec::new();
            loop {
                let line = lines.next().expect(word).expect("text");
                told.push(line.clone());
                if line.contains(word) {
                    return (line, told);
                }
            }
        };
        until("it is started");
        send(demo.served.id(), "STOP");
        let (line, _) = until("the API server does not answer");
        send(demo.served.id(), "CONT");
        let what = if tenants.len() == 1 { "runs resume" } else { "campaigns resume" };
        let words = ["migrate", "Nothing is lost", "Its Job runs on by itself", what];
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
        let (_, between) = until("the API server answers again, after");
        assert!(!between.iter().any(|line| line.contains("does not answer since")), "{between:?}");
        // An interrupt says how it goes on.
        send(child.id(), "INT");
        let (line, _) = until("pausing: ");
        assert!(line.contains(what), "{line}");
        assert!(!child.wait().expect("it ends").success());
    }
}
