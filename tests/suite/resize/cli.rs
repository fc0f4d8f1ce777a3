//! `wheelhouse resize` and `wheelhouse sizing`, as a user or a script runs them.

use crate::program::Demo;

fn demo() -> Demo {
    Demo::cluster("--tenants 4 --nodes 4 --seed 7 --speed 60")
}

#[test]
fn a_resize_is_shown_then_done_then_undone() {
    let demo = demo();
    let tenant = demo.json(0, &["tenants", "-o", "json"])[0]["name"].as_str().expect("a name").to_owned();
    let shown = demo.json(0, &["resize", &tenant, "--memory", "768Mi", "--dry-run", "-o", "json"]);
    let resized = shown["tenants"][0]["resized"].as_array().expect("pods");
    assert!(!resized.is_empty());
    assert!(resized.iter().all(|one| one["to"]["memory_limit"] == 768u64 << 20), "{shown}");
    let refused = |c: &serde_json::Value| c["verdict"] == "refuse";
    assert!(!shown["rehearsal"].as_array().expect("checks").iter().any(refused), "{shown}");
    let done = demo.json(0, &["resize", &tenant, "--memory", "768Mi", "--yes", "-o", "json"]);
    assert_eq!(done["state"], "done", "{done}");
    let (_, again) = demo.run(1, &["resize", &tenant, "--memory", "768Mi", "--yes"]);
    assert!(again.contains("already: nothing to do"), "{again}");
    let id = done["id"].as_str().expect("an id").rsplit('-').next().expect("its end").to_owned();
    let back = demo.json(0, &["runs", "undo", &id, "--yes", "-o", "json"]);
    assert_eq!(back["state"], "done", "{back}");
}

#[test]
fn what_is_no_amount_or_no_wish_is_wrong_usage() {
    let demo = demo();
    for (arguments, why) in [
        (&["resize", "acme"][..], "--memory"),
        (&["resize", "acme", "--memory", "much"], "`much` is not an amount such as 768Mi"),
        (&["resize", "acme", "--memory", "-5Mi"], "`-5Mi` is not an amount such as 768Mi"),
        (&["resize", "acme", "--memory", "768"], "768 is 768 bytes: give the unit as well"),
        (&["resize", "acme", "--cpu", "fast"], "`fast` is not an amount such as 1500m or 2"),
        (&["sizing", "--from", "Cargo.toml"], "TENANT"),
        (&["sizing", "acme", "--status", "80/status"], "--for <SPAN>"),
        (&["sizing", "acme", "--for", "5s", "--status", "status"], "is no port and path of a pod"),
    ] {
        let (_, text) = demo.run(2, arguments);
        assert!(text.contains(why), "{arguments:?}: {text}");
    }
}

/// As with every command that reads a file: that it cannot be read is a failure, and no wrong usage.
#[test]
fn a_file_that_cannot_be_read_or_holds_neither_is_a_failure_in_one_sentence() {
    let home = crate::program::Home::new();
    let [binary, text, cut, damaged] =
        ["binary", "text", "cut.rec", "damaged.rec"].map(|name| home.path(name));
    let recording = std::fs::read("tests/recordings/format-3.rec").expect("a recording");
    std::fs::write(&binary, [0xff; 64]).expect("a file");
    std::fs::write(&text, "a,b\nc,d\n").expect("a file");
    std::fs::write(&cut, &recording[..40]).expect("a file");
    std::fs::write(&damaged, [&recording[..30], &[0xff; 8], &recording[38..]].concat()).expect("a file");
    let [binary, text, cut, damaged] =
        [&binary, &text, &cut, &damaged].map(|path| path.to_str().expect("text"));
    for (file, why) in [
        ("/nowhere", "/nowhere cannot be read: No such file or directory (os error 2)".to_owned()),
        (binary, format!("{binary} is neither a recording of wheelhouse nor measurements")),
        (text, format!("{text} holds no measurements: line 2: `c` is no time such as")),
        (cut, format!("the recording {cut} was cut off before its first moment")),
        (damaged, format!("the recording {damaged} is damaged before its first moment")),
    ] {
        let output = home.run(&["sizing", "acme", "--from", file]);
        let (_, said) = crate::program::text(&output);
        assert_eq!(output.status.code(), Some(1), "{file}: {said}");
        assert!(
            said.starts_with(&format!("wheelhouse: {why}")) && said.lines().count() == 1,
            "{file}: {said}"
        );
    }
}

#[test]
fn sizing_says_what_is_missing_and_what_measurements_show() {
    let demo = demo();
    let all = demo.json(0, &["sizing", "-o", "json"]);
    let first = &all[0];
    assert_eq!((&first["enough"], &first["limit"]), (&false.into(), &serde_json::Value::Null), "{first}");
    assert!(first["missing"].as_array().is_some_and(|m| !m.is_empty()), "{first}");
    let tenant = first["tenant"].as_str().expect("a name");
    let file = std::env::temp_dir().join(format!("sizing-{}.csv", std::process::id()));
    let lines: String = (0..200)
        .map(|i| format!("{},{}Mi,{}\n", 1_764_385_200 + 600 * i, 60 + 90 * (i % 6), i % 6))
        .collect();
    std::fs::write(&file, lines).expect("a file");
    let path = file.to_str().expect("a path");
    let one = demo.json(0, &["sizing", tenant, "--from", path, "-o", "json"]);
    assert_eq!((&one["enough"], &one["request"]["from"]), (&true.into(), &"measured".into()), "{one}");
    assert_eq!(one["peak"], 510u64 << 20);
    let (text, _) = demo.run(0, &["sizing", tenant, "--from", path]);
    assert!(text.contains("90 Mi a request, measured") && text.contains("limit for max_children"), "{text}");
    std::fs::remove_file(&file).expect("it is there");
}
