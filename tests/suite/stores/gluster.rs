//! The script of the storage nodes, run as sshd runs it, and the way to it through a program that stands in for ssh.
//!
//! A real GlusterFS is not here: it wants file systems of its own and root. What it writes is recorded.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use wheelhouse::cluster::platform::volume::{HealCount, HealSummary, StorageFacts};

use crate::program::{Demo, text};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn program(folder: &Path, name: &str, lines: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{lines}")).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it may be run");
}

/// A folder with a `gluster` that writes what was recorded and notes what it was asked.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let captures = here("tests/captures/platform/gluster");
    let lines = format!(
        "printf '%s\\n' \"$*\" >>'{0}/asked'\n\
         case \" $* \" in\n\
         *' get-state '*) while [ $# -gt 0 ]; do case $1 in odir) to=$2 ;; file) file=$2 ;; esac; shift; done\n\
         sed 's|LAB/gl|{0}|' '{1}/healthy.get-state.ini' >\"$to/$file\" ;;\n\
         *' statistics heal-count '*) cat '{1}/brick_down.heal-count.xml' ;;\n\
         *' info summary '*) cat '{1}/brick_down.heal-summary.xml' ;;\n\
         *) exit 1 ;;\n\
         esac\n",
        folder.path().display(),
        captures.display()
    );
    program(folder.path(), "gluster", &lines);
    // Not root's: the lock of the script is then under HOME.
    program(folder.path(), "id", "echo 1000\n");
    // The bricks of the first node, so that their space can be told.
    for volume in ["arb", "mirror", "uploads"] {
        fs::create_dir_all(folder.path().join("b1").join(volume)).expect("a folder");
    }
    folder
}

fn path(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

fn asked(folder: &Path) -> String {
    fs::read_to_string(folder.join("asked")).unwrap_or_default()
}

#[test]
fn whatever_gluster_wrote_is_read_or_told_in_a_line_without_control_characters() {
    let mut read = 0;
    for file in fs::read_dir(here("tests/captures/platform/gluster")).expect("the recorded replies") {
        let bytes = fs::read(file.expect("a file").path()).expect("a file");
        let recorded = String::from_utf8_lossy(&bytes);
        // Cut off at any place, and with a colour in it as a file name once carried.
        let cut: String = recorded.chars().take(recorded.chars().count() / 2).collect();
        let coloured = recorded.replace("uploads", "up\u{1b}[31mloads");
        for text in [&*recorded, &cut, &coloured] {
            let count = HealCount::read(text)
                .map(|count| count.bricks.iter().map(|(name, _)| name.to_string()).collect());
            let summary =
                HealSummary::read(text).map(|s| s.bricks.iter().map(|b| b.name.to_string()).collect());
            let names = |s: StorageFacts| s.volumes.iter().map(|volume| volume.name.to_string()).collect();
            let state = StorageFacts::read(text).map(names);
            for said in [count, summary, state] {
                let lines: Vec<String> = said.unwrap_or_else(|why| vec![why]);
                assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
            }
        }
        read += 1;
    }
    assert!(read > 50, "{read}");
}

#[test]
fn the_script_of_the_storage_nodes_knows_three_words_and_evaluates_nothing() {
    let machine = machine();
    let look = |words: &str| -> Output {
        let mut command = Command::new(here("src/package/wheelhouse-look"));
        command.env("SSH_ORIGINAL_COMMAND", words).env("PATH", path(machine.path()));
        command.env("HOME", machine.path()).env_remove("XDG_RUNTIME_DIR");
        command.output().expect("a shell")
    };
    for words in [
        "",
        "reboot",
        "rm -rf /",
        "gluster-state;reboot",
        "gluster-state x",
        "gluster-heal-count",
        "gluster-heal-count up;reboot",
        "gluster-heal-count $(reboot)",
        "gluster-heal-count `reboot`",
        "gluster-heal-count -x",
        "gluster-heal-count *",
        "gluster-heal-count a b",
        "gluster-heal-summary ../x",
        "gluster-state\nreboot",
        "volume heal uploads full",
    ] {
        let output = look(words);
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(126), ""), "{words}: {err}");
        assert!(err.contains("not allowed"), "{words}: {err}");
    }
    assert_eq!(asked(machine.path()), "", "nothing was asked of gluster");
    let (out, err) = text(&look("gluster-state"));
    assert!(out.starts_with("[Global]") && out.contains("\n[wheelhouse space]\n"), "{out}{err}");
    let space = out.split("[wheelhouse space]\n").nth(1).expect("space");
    assert_eq!(space.lines().count(), 3, "its own three bricks: {space}");
    assert!(look("gluster-heal-count uploads").status.success());
    assert!(look("gluster-heal-summary uploads").status.success());
    let asked = asked(machine.path());
    for line in asked.lines() {
        let fits = [
            "get-state glusterd odir ",
            "volume heal uploads statistics heal-count",
            "--xml volume heal uploads info summary",
        ];
        assert!(fits.iter().any(|part| line.contains(part)), "{line}");
    }
    // A node without gluster, and one whose glusterd is down.
    program(
        machine.path(),
        "gluster",
        "echo 'Connection failed. Please check if gluster daemon is operational.'; exit 1\n",
    );
    let output = look("gluster-state");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).1.contains("Connection failed"));
}

#[test]
fn a_disk_that_hangs_holds_back_no_state_and_is_asked_once() {
    let machine = machine();
    let folder = machine.path().display();
    // A process that waits for a disk ends for nobody.
    program(
        machine.path(),
        "timeout",
        "while [ \"$1\" != gluster ] && [ \"$1\" != df ]; do shift; done; \"$@\"\n",
    );
    let waits = format!(
        "echo df >>'{folder}/disks'; n=0\n\
         while [ ! -e '{folder}/release' ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done\n"
    );
    program(machine.path(), "df", &waits);
    for _ in 0..2 {
        let mut command = Command::new(here("src/package/wheelhouse-look"));
        command.env("SSH_ORIGINAL_COMMAND", "gluster-state").env("PATH", path(machine.path()));
        command.env("HOME", machine.path()).env_remove("XDG_RUNTIME_DIR");
        let output = command.output().expect("a shell");
        let (out, err) = text(&output);
        assert!(output.status.success() && out.starts_with("[Global]"), "{out}{err}");
        assert!(out.ends_with("\n[wheelhouse space]\n"), "{out}{err}");
    }
    let disks = fs::read_to_string(machine.path().join("disks")).expect("it was asked");
    fs::write(machine.path().join("release"), "").expect("a file");
    assert_eq!(disks.lines().count(), 1, "{disks}");
}

#[test]
fn storage_nodes_are_asked_over_the_users_own_ssh_and_nothing_else_is_sent() {
    let machine = machine();
    let folder = machine.path();
    // A master connection, questions through it, and a host that is not known.
    let ssh = format!(
        "printf '%s\\n' \"$*\" >>'{0}/ssh.log'\n\
         case \" $* \" in\n\
         *' -M '*) case $* in *gluster-3) while [ $# -gt 0 ]; do [ \"$1\" = -E ] && log=$2; shift; done\n\
         echo 'Host key verification failed.' >\"$log\"; exit 255 ;; esac; exit 0 ;;\n\
         *' -O '*) exit 0 ;;\n\
         esac\n\
         for words; do :; done\n\
         SSH_ORIGINAL_COMMAND=$words exec '{1}'\n",
        folder.display(),
        here("src/package/wheelhouse-look").display()
    );
    program(folder, "ssh", &ssh);
    let demo = Demo::cluster("--tenants 3 --nodes 3 --seed 7 --scenario calm --speed 1");
    let config = demo.home.path("around.toml");
    let nodes = ["gluster-1", "gluster-3"];
    let nodes =
        nodes.map(|n| format!("[[platform.gluster.nodes]]\nname = \"{n}\"\nssh = \"root@{n}\"\n")).concat();
    fs::write(&config, nodes).expect("a file");
    let config = config.display().to_string();
    let arguments = demo.on(&["--config", &config, "platform", "-o", "json"]);
    let mut command = demo.home.command(&arguments);
    let output = command.env("PATH", path(folder)).output().expect("it runs");
    let (out, err) = text(&output);
    assert!(output.status.success(), "{out}{err}");
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let of = |name: &str| {
        let all = json["components"].as_array().expect("a list");
        all.iter().find(|row| row["key"]["name"] == name).unwrap_or_else(|| panic!("{name}: {out}")).clone()
    };
    assert_eq!(of("gluster-1")["state"], "ok", "{out}");
    let unknown = of("gluster-3")["said"][0]["text"].as_str().expect("a sentence").to_owned();
    assert!(unknown.contains("its host key is not known here or has changed"), "{unknown}");
    let uploads = of("uploads");
    assert_eq!(uploads["numbers"]["bricks"], "1 of 3", "{uploads}");
    assert_eq!(uploads["numbers"]["to heal"], "41+", "{uploads}");
    assert_eq!(uploads["numbers"]["split-brain"], "?", "{uploads}");
    // Neither questions nor unknown hosts, and no word but those of the script.
    let log = fs::read_to_string(folder.join("ssh.log")).expect("ssh was run");
    let (masters, rest): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.contains(" -M "));
    for line in &masters {
        for part in ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=3"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    for line in rest.iter().filter(|line| !line.contains(" -O ")) {
        let words = line.split(" -- ").nth(1).unwrap_or_default();
        let (word, _) = words.split_once(' ').unwrap_or((words, ""));
        assert!(["gluster-state", "gluster-heal-count", "gluster-heal-summary"].contains(&word), "{line}");
    }
    assert!(!asked(folder).contains("volume status"), "{}", asked(folder));
}
