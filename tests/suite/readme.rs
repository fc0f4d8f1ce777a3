//! What the README and the topics of the help tell to type is what the program takes, and what they show is there.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use wheelhouse::{cli::help::TOPICS, config::Config};

use crate::program::Demo;

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The README, and every topic of the help: what each is called, and its text.
pub fn texts() -> &'static [(String, String)] {
    static TEXTS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let readme = fs::read_to_string(path()).expect("a README");
        let topics = TOPICS.iter().map(|topic| (format!("help {}", topic.name), topic.markdown()));
        [("README".to_owned(), readme)].into_iter().chain(topics).collect()
    });
    &TEXTS
}

/// The blocks in this language of a text.
pub fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mark = format!("```{language}\n");
    text.split(&mark).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_readme_is_short_and_every_picture_it_shows_exists() {
    let readme = &texts()[0].1;
    assert!(
        readme.lines().count() <= 200,
        "{} lines: what is reference belongs to a topic",
        readme.lines().count()
    );
    let shown: Vec<_> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<_> = shown.iter().filter(|target| target.ends_with(".svg")).collect();
    assert!(pictures.len() > 4, "{shown:?}");
    for picture in pictures {
        assert!(path().with_file_name(picture).exists(), "{picture} is not there");
    }
    for (name, _) in &texts()[1..] {
        let topic = name.trim_start_matches("help ");
        assert!(readme.contains(&format!("`{topic}`")) || readme.contains(&format!(" {topic}`")), "{name}");
    }
}

#[test]
fn every_configuration_that_is_shown_is_understood() {
    let mut shown = 0;
    for (name, text) in texts() {
        for block in blocks(text, "toml") {
            Config::parse(block).unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
            shown += 1;
        }
    }
    assert!(shown >= 3, "{shown}");
}

/// What is told to be typed, in blocks and within sentences, without the comments.
fn told() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for (name, text) in texts() {
        let typed = blocks(text, "sh")
            .into_iter()
            .flat_map(str::lines)
            .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
        let outside: Vec<&str> = text.split("```").step_by(2).collect();
        let spans = outside.iter().flat_map(|part| part.split('`').skip(1).step_by(2));
        let spans = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
        let ours = typed.chain(spans).filter(|line| line.starts_with("wheelhouse "));
        let ours = ours.map(|line| line.split(['|', '>', '&']).next().unwrap_or_default().trim().to_owned());
        all.extend(ours.map(|line| (name.clone(), line)));
    }
    all
}

/// What stands for a name in a sentence, and a name to try it with.
const STANDS_FOR: [(&str, &str); 9] = [
    ("TENANT", "acme"),
    ("NODE", "worker-3"),
    ("ID", "9c1f"),
    ("TOPIC", "keys"),
    ("COMMAND", "scale"),
    ("ROLE...", "viewer"),
    ("DIR", "man"),
    ("N", "3"),
    ("TEXT", "why"),
];

const ACTS: [&str; 14] = [
    "scale",
    "rebalance",
    "move",
    "drain",
    "undrain",
    "cordon",
    "uncordon",
    "restart",
    "migrate",
    "release",
    "rollback",
    "delete-pod",
    "galera",
    "proxysql",
];

#[test]
fn every_command_that_is_told_is_understood() {
    let demo = Demo::database("--speed 0 --scenario node-recovered --seed 7");
    for file in ["grastate.dat", "error.log", "demo.kubeconfig"] {
        fs::write(demo.home.path(file), "").expect("a file");
    }
    let all = told();
    assert!(all.len() > 60, "{all:#?}");
    let mut wrong = Vec::new();
    for (name, line) in all {
        let typed = shlex::split(&line).unwrap_or_else(|| panic!("{name}: a shell does not take: {line}"));
        let words = typed.into_iter().skip(1).map(|word| {
            let stands = STANDS_FOR.iter().find(|(it, _)| *it == word);
            stands.map_or(word, |(_, name)| (*name).to_owned())
        });
        let mut words: Vec<String> = words.filter(|word| !["-f", "--yes"].contains(&word.as_str())).collect();
        let command = words.iter().find(|word| !word.starts_with('-')).cloned().unwrap_or_default();
        let given = |word: &str| words.iter().any(|w| w == word);
        let stays = ["demo", "drill", "port-forward", "record"].contains(&command.as_str()) || given("--for");
        if ACTS.contains(&command.as_str()) && !given("--dry-run") && !given("recovery") && !given("--list") {
            words.push("--dry-run".into());
        }
        if stays || command.is_empty() {
            words.push("--help".into());
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut ran = demo.home.command(&demo.on(&[&words[..], &["--timeout", "20s"]].concat()));
        let output = ran.current_dir(demo.home.path("")).output().expect("the binary starts");
        let err = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(2) || err.contains("panicked") {
            wrong.push(format!("{name}: {line}\n{words:?}\n{err}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
