//! `wheelhouse config`: a new file, the mistakes in one, and what is in force and where it comes from.

use std::{fs, process::Output};

use wheelhouse::{
    config::{Config, commented},
    demo::Options,
};

use crate::{
    program::Home,
    world::{begin, standing},
};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A home with this configuration, and a kubeconfig with two contexts.
fn home(configuration: &str) -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path("config/wheelhouse")).expect("a folder");
    fs::write(home.path("config/wheelhouse/config.toml"), configuration).expect("a file");
    let context = |name: &str| format!("- {{name: {name}, context: {{cluster: c, user: u}}}}\n");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\ncontexts:\n{}{}\
         clusters:\n- {{name: c, cluster: {{server: \"http://127.0.0.1:1\"}}}}\nusers:\n- {{name: u, user: {{}}}}\n",
        context("prod"),
        context("staging")
    );
    fs::create_dir_all(home.path(".kube")).expect("a folder");
    fs::write(home.path(".kube/config"), kubeconfig).expect("a file");
    home
}

#[test]
fn a_new_file_is_written_once_and_never_over_another() {
    let home = Home::new();
    let path = home.path("config/wheelhouse/config.toml");
    let written = home.run(&["config", "init"]);
    assert!(
        written.status.success() && said(&written).contains(&path.display().to_string()),
        "{}",
        said(&written)
    );
    assert_eq!(fs::read_to_string(&path).expect("a file"), commented());
    fs::write(&path, "theme = \"light\"\n").expect("a file");
    let again = home.run(&["config", "init"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("is there already and stays as it is"), "{}", said(&again));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "theme = \"light\"\n");
    let printed = home.run(&["config", "init", "--stdout"]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), commented());
    let named = home.path("elsewhere/other.toml");
    let written = home.run(&["config", "init", "--config", &named.display().to_string()]);
    assert!(written.status.success(), "{}", said(&written));
    assert_eq!(Config::load(Some(&named)), Ok(Config::default()));
}

#[test]
fn every_mistake_is_named_and_ends_with_1() {
    let checked = Home::new().run(&["config", "check"]);
    assert!(
        checked.status.success() && said(&checked).contains("the defaults are in force"),
        "{}",
        said(&checked)
    );
    let checked = home("theme = \"light\"\n").run(&["config", "check"]);
    assert!(
        checked.status.success() && said(&checked).ends_with("config.toml: no mistakes\n"),
        "{}",
        said(&checked)
    );

    let home =
        home("theem = \"dark\"\n[tenants]\nlable = \"x\"\n[contexts.prod.refresh]\nprobe = \"soon\"\n");
    let checked = home.run(&["config", "check"]);
    let told = said(&checked);
    assert_eq!(checked.status.code(), Some(1), "{told}");
    for words in [
        "config.toml: line 1: there is no key `theem`; did you mean `theme`?\n",
        "config.toml: line 3: [tenants] has no key `lable`; did you mean `label`?\n",
        "config.toml: line 5: probe: `soon` is not a time span such as 15s",
        "\n3 mistakes\n",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let json = home.run(&["config", "check", "-o", "json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(
        (json["mistakes"][1]["line"].as_u64(), json["mistakes"].as_array().map(Vec::len)),
        (Some(3), Some(3))
    );
    // Every other command names the first, says that there are more, and ends as wrong usage does.
    let other = home.run(&["tenants"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        said(&other).contains("line 1: ") && said(&other).contains("2 more mistakes"),
        "{}",
        said(&other)
    );
    // A theme that is none is a mistake of the file too, in a context as well.
    let home = self::home("theme = \"dark\"\n[contexts.prod]\ntheme = \"drak\"\n");
    let checked = home.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(said(&checked).contains("line 3: ") && said(&checked).contains("drak"), "{}", said(&checked));
    let missing = home.run(&["config", "check", "--config", "/nonexistent/x.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        said(&missing).contains("cannot read the configuration /nonexistent/x.toml"),
        "{}",
        said(&missing)
    );
    // That it cannot be read is no wrong usage, whichever file it is.
    let home = self::home("");
    fs::write(home.path("config/wheelhouse/config.toml"), [0xff; 8]).expect("a file");
    for arguments in
        [&["tenants"][..], &["tenants", "--config", "/"], &["tenants", "--config", "/nonexistent/x.toml"]]
    {
        let unread = home.run(arguments);
        assert_eq!(unread.status.code(), Some(1), "{arguments:?}: {}", said(&unread));
        let begins = "wheelhouse: cannot read the configuration ";
        assert!(said(&unread).starts_with(begins), "{arguments:?}: {}", said(&unread));
    }
}

#[test]
fn settings_of_the_command_line_and_of_the_environment_are_checked_as_well() {
    let home = home("[galera.thresholds]\nflow-control = 0.1\n");
    let check = |arguments: &[&str], variable: &str| {
        let mut command = home.command(&[&["config", "check"], arguments].concat());
        let output = command.env("WHEELHOUSE_SET", variable).output().expect("the binary starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = check(&["--set", "journal.lease=20s"], "");
    assert!(code == Some(0) && told.ends_with("config.toml: no mistakes\n"), "{told}");
    let (code, told) =
        check(&["--set", "galera.thresholds.quue=5", "--set", "theme", "--set", "ascii=1"], "");
    assert_eq!(
        (code, &*told),
        (
            Some(1),
            "--set: the setting galera.thresholds.quue: [galera.thresholds] has no key `quue`; did you mean `queue`?\n\
             --set: a setting is written SECTION.KEY=VALUE\n\
             --set: the setting ascii: ascii: 1 is given, true or false is expected\n3 mistakes\n"
        )
    );
    // What each says is good, and both together are not; and what only the screen knows.
    for (variable, words) in [
        ("galera.thresholds.flow-control-critical=0.08", "flow-control"),
        ("theme=drak", "drak"),
        ("keys.sclae=K", "sclae"),
    ] {
        let (code, told) = check(&[], variable);
        let first = told.lines().next().unwrap_or_default();
        assert!(first.starts_with("WHEELHOUSE_SET: ") && first.contains(words), "{told}");
        assert!(code == Some(1) && told.ends_with("\n1 mistake\n"), "{told}");
    }
    let (code, told) = check(&["-o", "json"], "theme=drak");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(code, Some(1));
    let wrong = &told["mistakes"][0];
    assert_eq!(
        (&wrong["from"], wrong["line"].is_null()),
        (&"environment, WHEELHOUSE_SET".into(), true),
        "{told}"
    );
    // Where there is no file too.
    let nothing = Home::new();
    let checked = nothing.run(&["config", "check", "--set", "theme=drak"]);
    assert!(checked.status.code() == Some(1) && said(&checked).starts_with("--set: "), "{}", said(&checked));
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from() {
    let home = home(
        "theme = \"light\"\n[contexts.prod]\nlabel = \"PRODUCTION\"\nread-only = true\n[contexts.staging.galera]\nmembers = [\"s1\"]\n",
    );
    let shown = |arguments: &[&str], variables: &[(&str, &str)]| -> serde_json::Value {
        let all = [&["config", "show", "-o", "json"], arguments].concat();
        let output = home.command(&all).envs(variables.iter().copied()).output().expect("the binary starts");
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let of = |shown: &serde_json::Value, setting: &str| -> (String, String) {
        let all = shown["settings"].as_array().expect("a list");
        let it = all.iter().find(|it| it["setting"] == setting);
        it.map(|it| (it["value"].to_string(), it["from"].as_str().expect("text").to_owned()))
            .unwrap_or_default()
    };
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let now = shown(&[], &[]);
    assert_eq!(now["context"], "prod");
    assert_eq!(of(&now, "read-only"), pair("true", "file, [contexts.\"prod\"]"));
    assert_eq!(of(&now, "theme"), pair("\"light\"", "file"));
    assert_eq!(of(&now, "refresh.database"), pair("\"1s\"", "default"));
    assert_eq!(of(&now, "operator"), pair("", ""));
    let now = shown(
        &["--context", "staging", "--set", "galera.thresholds.queue=7", "--galera-user", "x"],
        &[("WHEELHOUSE_THEME", "dark")],
    );
    assert_eq!(now["context"], "staging");
    assert_eq!(of(&now, "context"), pair("\"staging\"", "flag, --context"));
    assert_eq!(of(&now, "read-only"), pair("false", "default"));
    assert_eq!(of(&now, "theme"), pair("\"dark\"", "environment, WHEELHOUSE_THEME"));
    assert_eq!(of(&now, "galera.members"), pair("[\"s1:3306\"]", "file, [contexts.\"staging\"]"));
    assert_eq!(of(&now, "galera.thresholds.queue"), pair("7", "flag, --set"));
    assert_eq!(of(&now, "galera.user"), pair("\"x\"", "flag, --galera-user"));
    let now = shown(&[], &[("WHEELHOUSE_CONTEXT", "staging"), ("WHEELHOUSE_SET", "journal.lease=20s")]);
    assert_eq!(of(&now, "context"), pair("\"staging\"", "environment, WHEELHOUSE_CONTEXT"));
    assert_eq!(of(&now, "journal.lease"), pair("\"20s\"", "environment, WHEELHOUSE_SET"));
    let table = said(&home.run(&["config", "show"]));
    assert!(table.contains("context: prod\n") && table.contains("label "), "{table}");
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("read-only") && line.ends_with("file, [contexts.\"prod\"]")),
        "{table}"
    );
}

#[test]
fn a_word_that_happens_to_be_check_makes_no_plug_in_of_a_command() {
    let home = Home::new();
    for arguments in
        [&["config", "check", "x.toml"][..], &["scale", "check", "+x"], &["logs", "check", "--nosuch"]]
    {
        let wrong = home.run(arguments);
        assert_eq!(wrong.status.code(), Some(2), "{arguments:?}: {}", said(&wrong));
        assert!(wrong.stdout.is_empty(), "{arguments:?}: {}", said(&wrong));
    }
    let wrong = home.run(&["check", "--nosuch"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", said(&wrong));
    assert!(said(&wrong).starts_with("WHEELHOUSE UNKNOWN - "), "{}", said(&wrong));
    let twice = home.run(&["check", "--galera-members", "127.0.0.1:4,localhost:4", "--galera-user", "x"]);
    assert_eq!(twice.status.code(), Some(3), "{}", said(&twice));
    assert!(said(&twice).contains("are the same server"), "{}", said(&twice));
}

#[test]
fn the_keys_that_are_told_are_those_of_the_configuration() {
    let told = said(&home("[keys]\nscale = \"K\"\n").run(&["help", "keys"]));
    let of =
        |told: &str| told.lines().find(|line| line.contains(":scale TENANT")).unwrap_or_default().to_owned();
    assert!(of(&told).starts_with("`K`"), "{}", of(&told));
    let told = said(&Home::new().run(&["help", "keys"]));
    assert!(of(&told).starts_with("`s`"), "{}", of(&told));
}

#[test]
fn a_context_nobody_knows_is_said_by_who_connects() {
    let home = home("[contexts.prod]\nread-only = true\n[contexts.staging]\nnamespace = \"acme\"\n");
    let unknown = home.run(&["tenants", "--context", "nope"]);
    assert!(said(&unknown).contains("has no context `nope`"), "{}", said(&unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_is_read_only_writes_nothing_and_another_does() {
    let cluster = begin(Options { speed: 60.0, ..standing(4) }).await;
    let kubeconfig = cluster.kubeconfig();
    let scale = async |context: &str| {
        let home = home(&format!("[contexts.{context}]\nread-only = true\n"));
        fs::write(home.path(".kube/config"), &kubeconfig).expect("a file");
        let scaled = move || home.run(&["scale", "acme", "5", "--yes"]);
        tokio::task::spawn_blocking(scaled).await.expect("it ends")
    };
    let refused = scale("demo").await;
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("read-only"), "{}", said(&refused));
    let done = scale("other").await;
    assert!(done.status.success(), "{}", said(&done));
}

#[test]
fn the_variable_of_kubectl_wins_over_the_file_and_the_flag_over_both() {
    let home = home("kubeconfig = \"~/.kube/config\"\n");
    let other = home.path("other");
    let text = fs::read_to_string(home.path(".kube/config")).expect("a file");
    fs::write(&other, text.replace("current-context: prod", "current-context: staging")).expect("a file");
    let shown = |variable: Option<&str>, arguments: &[&str]| {
        let mut command = home.command(&[&["config", "show"], arguments].concat());
        if let Some(value) = variable {
            command.env("KUBECONFIG", value);
        }
        said(&command.output().expect("the binary starts"))
    };
    assert!(shown(None, &[]).contains("context: prod"));
    let by_variable = shown(Some(&other.display().to_string()), &[]);
    assert!(by_variable.contains("context: staging"), "{by_variable}");
    assert!(by_variable.contains("environment, KUBECONFIG"), "{by_variable}");
    let file = home.path(".kube/config").display().to_string();
    let by_flag = shown(Some(&other.display().to_string()), &["--kubeconfig", &file]);
    assert!(by_flag.contains("context: prod") && by_flag.contains("flag, --kubeconfig"), "{by_flag}");
    // A list, as kubectl takes it.
    let list = format!("/nowhere:{}", other.display());
    assert!(shown(Some(&list), &[]).contains("context: staging"));
    let mut command = home.command(&["status"]);
    let output = command.env("KUBECONFIG", "/nowhere").output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no file of KUBECONFIG (/nowhere) exists"), "{}", said(&output));
}

#[test]
fn without_a_kubeconfig_no_context_is_shown() {
    let home = Home::new();
    let shown = said(&home.run(&["config", "show"]));
    assert!(shown.contains("context: not known") && !shown.contains("in-cluster"), "{shown}");
}
