//! Nobody reads what is printed, or it cannot be written: that ends nothing in the middle, and is no defect.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::{Demo, Home, text};

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").expect("a full device").into()
}

/// A pipe whose other end is closed.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// The same command, started by a shell with that redirection.
fn through(redirection: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"exec "$@" {redirection}"#), "sh"]);
    shell.arg(command.get_program()).args(command.get_args()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    shell
}

/// Runs it, and gives its exit code. A signal is none.
fn code(command: &mut Command) -> Option<i32> {
    command.status().expect("the binary starts").code()
}

#[test]
fn what_cannot_be_written_ends_quietly_with_code_1() {
    let home = Home::new();
    let nowhere = home.path("nowhere");
    let nowhere = nowhere.to_str().expect("a path");
    for (arguments, codes) in [
        // Standard output, standard error.
        (&["--help"][..], [1, 0]),
        (&["scale", "--help"], [1, 0]),
        (&["--version"], [1, 0]),
        (&["completions", "bash"], [1, 0]),
        (&["scale", "acme", "five"], [2, 2]),
        (&["--kubeconfig", nowhere, "status"], [1, 1]),
        (&["--kubeconfig", nowhere, "check"], [3, 3]),
    ] {
        for (lost, name) in [(full as fn() -> Stdio, "full"), (closed, "closed")] {
            let mut out = home.command(arguments);
            assert_eq!(
                code(out.stdout(lost()).stderr(Stdio::null())),
                Some(codes[0]),
                "{arguments:?} {name}"
            );
            let mut err = home.command(arguments);
            assert_eq!(
                code(err.stdout(Stdio::null()).stderr(lost())),
                Some(codes[1]),
                "{arguments:?} {name}"
            );
            let mut both = home.command(arguments);
            assert_eq!(code(both.stdout(lost()).stderr(lost())), Some(codes[0]), "{arguments:?} {name}");
        }
    }
    // A shell closes it for good: the program begins without.
    for (arguments, expected) in [
        (["--help"].as_slice(), 1),
        (&["--version"], 1),
        (&["completions", "bash"], 1),
        (&["help", "keys"], 1),
        (&["scale", "acme", "five"], 2),
        (&["--kubeconfig", nowhere, "check"], 3),
    ] {
        let output = through(">&-", &home.command(arguments)).output().expect("a shell");
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}");
        let said = text(&output).1;
        match expected {
            1 => assert_eq!(said, "wheelhouse: standard output is closed: there is nowhere to print\n"),
            2 => assert!(!said.is_empty() && !said.contains("closed"), "{arguments:?}: {said}"),
            _ => {}
        }
        // What is thrown away by choice is written, in whichever way it was opened.
        let thrown_away = code(&mut through("1<>/dev/null", &home.command(arguments)));
        assert_eq!(thrown_away, Some(if expected == 1 { 0 } else { expected }), "{arguments:?}");
    }
    let output = home.command(&["--help"]).stdout(closed()).output().expect("the binary starts");
    assert_eq!(text(&output).1, "", "who went away is told nothing");
    for arguments in [&["completions", "bash"][..], &["--help"], &["scale", "-h"], &["--version"], &["-V"]] {
        let output = home.command(arguments).stdout(full()).output().expect("the binary starts");
        assert_eq!(text(&output).1, "wheelhouse: cannot print: No space left on device (os error 28)\n");
    }
}

#[test]
fn what_a_command_in_a_container_says_is_not_thrown_away() {
    let demo = Demo::cluster("--tenants 2 --nodes 2 --seed 7 --scenario calm");
    let closed = "wheelhouse: what the command says cannot be written: standard output is closed\n";
    for (words, expected) in [(["hostname"].as_slice(), (Some(1), closed)), (&["true"], (Some(0), ""))] {
        let exec = demo.home.command(&demo.on(&[&["exec", "acme", "--"], words].concat()));
        let output = through(">&-", &exec).output().expect("a shell");
        assert_eq!((output.status.code(), &*text(&output).1), expected, "{words:?}");
    }
}

#[test]
fn a_run_nobody_listens_to_goes_on_to_its_end_and_gives_its_lease_back() {
    let demo = Demo::cluster("--tenants 4 --nodes 4 --seed 7 --scenario calm --speed 60");
    let mut told = Vec::new();
    // `2>/dev/full`, `2>&1 | head -1`, and standard error alone that is not read any more.
    for (change, lost) in [("+1", "full"), ("+1", "head"), ("-1", "closed")] {
        let mut command = demo.home.command(&demo.on(&["scale", "acme", change, "--yes"]));
        let mut child = match lost {
            "full" => command.stdout(Stdio::null()).stderr(full()),
            "closed" => command.stdout(Stdio::null()).stderr(closed()),
            _ => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                told.push(reader);
                command.stdout(Stdio::null()).stderr(writer)
            }
        }
        .spawn()
        .expect("the binary starts");
        // The writing end is ours as long as the command is.
        drop(command);
        if let Some(reader) = told.pop() {
            let mut line = String::new();
            BufReader::new(reader).read_line(&mut line).expect("a line");
            assert!(line.contains("began"), "{line}");
        }
        assert_eq!(child.wait().expect("it ends").code(), Some(1), "{lost}");
        let runs = demo.json(0, &["runs", "-o", "json"]);
        assert_eq!((&runs[0]["state"], &runs[0]["holder"]), (&"done".into(), &Value::Null), "{lost}: {runs}");
    }
    assert_eq!(demo.json(0, &["runs", "-o", "json"]).as_array().map(Vec::len), Some(3));
}
