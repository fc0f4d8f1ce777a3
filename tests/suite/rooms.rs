//! The architecture as a test: which room may import which, and what pure code must never name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// Room, what it may import, and why.
const ROOMS: &[(&str, &[&str], &str)] = &[
    ("cluster", &[], "the cluster is a value: it knows nobody"),
    ("plan", &["cluster"], "planning is a function of what is seen"),
    ("wire", &[], "connections have no meaning of their own"),
    ("run", &["cluster", "plan", "wire"], "a run carries out a plan; it knows no screen and no source"),
    ("history", &["cluster", "plan", "run"], "what happened is a function of what was seen and written down"),
    (
        "record",
        &["cluster", "history"],
        "a recording is a file of snapshots: it knows nobody who makes or shows it",
    ),
    ("live", &["cluster", "wire"], "sources know neither plans nor screens"),
    ("ui", &["cluster", "history", "plan", "run"], "views ask, they never act: no wire, no sources"),
    ("app", &["cluster", "history", "plan", "run", "ui"], "update is pure: effects are performed elsewhere"),
    ("config", &["cluster", "plan"], "the configuration is a value"),
    (
        "cockpit",
        &["app", "cluster", "config", "history", "live", "plan", "record", "run", "ui", "wire"],
        "it connects the rooms",
    ),
    (
        "cli",
        &[
            "app", "cluster", "cockpit", "config", "demo", "history", "live", "plan", "record", "run", "ui",
            "wire",
        ],
        "it connects the rooms",
    ),
];

/// Files that must stay pure, and words that would make them impure.
const PURE: &[&str] = &[
    "cluster",
    "history",
    "plan",
    "run/actions.rs",
    "run/event.rs",
    "run/decide.rs",
    "live/convert.rs",
    "app/input.rs",
    "app/update.rs",
];
const IMPURE: &[&str] = &[
    "tokio::",
    "kube::",
    "k8s_openapi::",
    "mysql_async::",
    "ratatui::",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "Timestamp::now",
    "SystemTime::now",
    "Instant::now",
    "rand::",
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("src is readable").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Each source file: its path below src, its room, and its text without comments and test modules.
fn files() -> Vec<(String, String, String)> {
    let mut paths = Vec::new();
    sources(&src(), &mut paths);
    let of = |path: PathBuf| {
        let name = path.strip_prefix(src()).expect("below src").to_string_lossy().into_owned();
        let room = name.split('/').next().expect("a first part").trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("a source file is text");
        let code: Vec<_> = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .expect("the part before the tests")
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        (name, room, code.join("\n"))
    };
    paths.into_iter().map(of).collect()
}

/// The rooms a text names as `crate::ROOM`, in paths or in `use crate::{ROOM, ...}`.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if c.is_alphabetic() && start => {
                    rooms.insert(word(&group[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (file, room, code) in files() {
        // What builds the program is no part of it. The embedded cluster is a crate of its own: the compiler holds that it knows nothing of ours.
        if ["lib", "main", "demo", "build"].contains(&room.as_str()) {
            continue;
        }
        let Some((_, allowed, why)) = ROOMS.iter().find(|(name, ..)| *name == room) else {
            wrong.push(format!("src/{file}: the room `{room}` is not in the table of rooms"));
            continue;
        };
        for import in imports(&code) {
            let is_room = ROOMS.iter().any(|(name, ..)| *name == import);
            if is_room && import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("src/{file}: `{room}` must not import `{import}`: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_code_names_no_io_no_clock_and_no_terminal() {
    let mut wrong = Vec::new();
    for (file, _, code) in files() {
        if PURE.iter().any(|pure| {
            file == *pure || file == format!("{pure}.rs") || file.starts_with(&format!("{pure}/"))
        }) {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("src/{file} is pure and must not name `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Circles of files that are left, with all that is below them, and why.
const CIRCLES: &[(&[&str], &str)] = &[(
    &["cluster/database", "cluster/finding", "cluster/headroom"],
    "the rules speak the language of findings, and the judge beside it asks them all",
)];

/// The names in a tree of imports, each with its whole path.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let start: Vec<String> =
        tree[..open].split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut from, mut all) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = &inner[from..at];
                from = at + 1;
                if !part.trim().is_empty() {
                    all.extend(expanded(part).into_iter().map(|path| [start.clone(), path].concat()));
                }
            }
            _ => {}
        }
    }
    all
}

/// The chains of names in code, such as `super::words::label`.
fn chains(code: &str) -> Vec<Vec<String>> {
    let part_of_a_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !part_of_a_path(c)).filter(|word| word.contains("::"));
    words.map(|word| word.split("::").map(str::to_owned).collect()).collect()
}

/// Where the crate of a module begins: the embedded cluster is one of its own, below `demo`.
fn crate_of(module: &[String]) -> Vec<String> {
    module.iter().take(1).filter(|room| *room == "demo").cloned().collect()
}

/// The modules that a module takes something from, by their paths; those it is a part of are left out.
fn below(module: &[String], code: &str, modules: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    let whole = |path: &[String]| -> Option<Vec<String>> {
        let rest = |n: usize| path[n..].iter().cloned();
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(crate_of(module).into_iter().chain(rest(1)).collect()),
            "self" => Some(module.iter().cloned().chain(rest(1)).collect()),
            "super" => {
                Some(module[..module.len().checked_sub(ups)?].iter().cloned().chain(rest(ups)).collect())
            }
            first => {
                let child: Vec<String> = module.iter().cloned().chain([first.to_owned()]).collect();
                modules.contains(&child).then(|| module.iter().cloned().chain(rest(0)).collect())
            }
        }
    };
    let (mut imported, mut others) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let import = statement.lines().position(|line| {
            let line =
                line.strip_prefix("pub").map_or(line, |l| l.trim_start_matches(|c| c != ' ').trim_start());
            line.starts_with("use ")
        });
        let Some(at) = import else {
            others.push_str(statement);
            continue;
        };
        let text: Vec<_> = statement.lines().skip(at).collect();
        let text = text.join(" ");
        let tree = text.split_once("use ").map_or("", |(_, tree)| tree).trim_end_matches(';');
        imported.extend(expanded(tree).iter().filter_map(|path| whole(path)));
    }
    let mut taken = imported.clone();
    for chain in chains(&others) {
        let alias = imported.iter().find(|path| path.last() == chain.first());
        taken.extend(match alias {
            Some(path) => Some([path.clone(), chain[1..].to_vec()].concat()),
            None => whole(&chain),
        });
    }
    let file =
        |path: &Vec<String>| (1..=path.len()).rev().map(|n| path[..n].to_vec()).find(|p| modules.contains(p));
    taken.iter().filter_map(file).filter(|found| !module.starts_with(found)).collect()
}

#[test]
fn lower_files_know_nothing_of_the_higher() {
    let named = |file: &str| {
        file.trim_end_matches(".rs")
            .trim_end_matches("/lib")
            .split('/')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let all: Vec<(Vec<String>, String)> = files()
        .into_iter()
        .filter(|(_, room, _)| !["lib", "main"].contains(&room.as_str()))
        .map(|(file, _, code)| (named(&file), code))
        .collect();
    let modules: BTreeSet<_> = all.iter().map(|(module, _)| module.clone()).collect();
    let names: Vec<&Vec<String>> = modules.iter().collect();
    let number = |module: &Vec<String>| names.binary_search(&module).expect("a module");
    let mut next = vec![Vec::new(); names.len()];
    for (module, code) in &all {
        next[number(module)] = below(module, code, &modules).iter().map(number).collect();
    }
    let (database, way) = (named("live/database.rs"), named("live/database/way.rs"));
    assert!(next[number(&database)].contains(&number(&way)), "imports are seen");
    let reach: Vec<BTreeSet<usize>> = (0..names.len())
        .map(|from| {
            let (mut found, mut open) = (BTreeSet::new(), next[from].clone());
            while let Some(module) = open.pop() {
                if found.insert(module) {
                    open.extend(&next[module]);
                }
            }
            found
        })
        .collect();
    let circle = |from: usize| -> Vec<String> {
        let back = reach[from].iter().filter(|other| reach[**other].contains(&from));
        back.map(|other| names[*other].join("/")).collect()
    };
    let found: BTreeSet<Vec<String>> = (0..names.len()).map(circle).filter(|c| c.len() > 1).collect();
    let known = |circle: &[String], left: &[&str]| {
        circle.iter().all(|file| left.iter().any(|path| Path::new(file).starts_with(path)))
    };
    let new: Vec<_> = found
        .iter()
        .filter(|c| !CIRCLES.iter().any(|(left, _)| known(c, left)))
        .map(|c| c.join(", "))
        .collect();
    assert!(new.is_empty(), "these files know each other in a circle: {}", new.join("; and "));
    for (left, _) in CIRCLES {
        assert!(
            found.iter().any(|c| known(c, left)),
            "no circle is left in {left:?}: strike it from the list"
        );
    }
}

/// Within the room of screens: who must not name whom, with the reason.
const SCREENS: &[(&str, &[&str], &str)] = &[
    ("ui/overlays", &["ui/views"], "what both draw belongs in ui/parts"),
    ("ui/views", &["ui/overlays"], "what both draw belongs in ui/parts"),
    ("ui/parts", &["ui/views", "ui/overlays"], "a part does not know what is made of it"),
];

#[test]
fn views_and_overlays_know_nothing_of_each_other() {
    let module = |file: &str| file.trim_end_matches(".rs").split('/').map(str::to_owned).collect::<Vec<_>>();
    let all = files();
    let modules: BTreeSet<_> = all.iter().map(|(file, ..)| module(file)).collect();
    let below: Vec<_> =
        all.iter().map(|(file, _, code)| (file, below(&module(file), code, &modules))).collect();
    let mut wrong = Vec::new();
    for (who, others, why) in SCREENS {
        let mine = below.iter().filter(|(file, _)| Path::new(file.trim_end_matches(".rs")).starts_with(who));
        for (file, taken) in mine {
            for found in taken.iter().map(|m| m.join("/")) {
                if others.iter().any(|other| Path::new(&found).starts_with(other)) {
                    wrong.push(format!("src/{file} must not import {found}: {why}"));
                }
            }
        }
    }
    let (_, taken) = below.iter().find(|(file, _)| *file == "ui/views/run.rs").expect("a view");
    assert!(taken.contains(&module("ui/parts/placement.rs")), "imports are seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_plan_is_made_where_messages_are_folded() {
    let planning = [
        "plan(&",
        "plan(seen",
        "plan::plan",
        "instead::planned",
        "instead(",
        "Board::new",
        "what_if(",
        "Draft::of",
    ];
    let mut wrong = Vec::new();
    for (file, _, code) in files().into_iter().filter(|(file, room, _)| {
        // What a view draws and what a run offers is asked for with every key and every line.
        let drawn = file.starts_with("ui/views") || file.starts_with("ui/parts") || file == "run/seen.rs";
        room == "app" && file != "app/tests.rs" || drawn
    }) {
        // A selection asks for a what-if by that name.
        let named = |word: &&&str| code.contains(**word) && (**word != "what_if(" || file.starts_with("app"));
        for word in planning.iter().filter(named) {
            wrong.push(format!("src/{file}: `{word}`: planning takes time, ask for it with an effect"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where writes belong.
fn writing(file: &str) -> bool {
    file == "run/perform.rs" || file.starts_with("run/perform/")
}

#[test]
fn only_one_place_writes_to_the_cluster_and_its_database() {
    // What the client library wants for every write, and the methods of raw requests.
    let writes = [
        "PostParams",
        "PatchParams",
        "DeleteParams",
        "EvictParams",
        "Method::POST",
        "Method::PUT",
        "Method::PATCH",
        "Method::DELETE",
        // And the statements that change a proxy or a member.
        "SAVE MYSQL",
        "LOAD MYSQL",
        "SET GLOBAL",
        "INSERT INTO",
        "DELETE FROM",
        "UPDATE mysql_",
    ];
    let mut wrong = Vec::new();
    for (file, room, code) in files() {
        if !["run", "live", "wire", "app", "ui", "cockpit", "cli"].contains(&room.as_str()) || writing(&file)
        {
            continue;
        }
        for word in writes.iter().filter(|word| code.contains(**word)) {
            wrong.push(format!(
                "src/{file}: `{word}`: writes belong in src/run/perform.rs and its modules, where read-only mode is enforced"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn colours_are_named_in_the_theme_only() {
    let wrong: Vec<_> = files()
        .into_iter()
        .filter(|(file, room, code)| {
            ["ui", "app"].contains(&room.as_str())
                && !file.starts_with("ui/theme")
                && code.contains("Color::")
        })
        .map(|(file, ..)| format!("src/{file} names a colour: ask the theme for a role"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words that lie nearest each stand for one type.
#[test]
fn the_commonest_words_are_names_of_one_type_each() {
    for name in ["Place", "Told", "Step", "Verdict", "Standing", "Endpoint"] {
        let declared = Regex::new(&format!(r"\b(struct|enum|type) {name}\b")).expect("an expression");
        let of_it: Vec<_> = files()
            .into_iter()
            .filter(|(_, room, code)| room != "demo" && declared.is_match(code))
            .map(|(file, ..)| file)
            .collect();
        assert!(of_it.len() <= 1, "{name} stands for several types: {of_it:?}");
    }
}

/// One thing has one name: what was said once and is said otherwise now does not come back.
#[test]
fn sentences_are_written_in_the_words_that_were_agreed() {
    const OTHERWISE: [&str; 8] = [
        "may not be read",
        "let nobody look",
        " anew",
        "all well",
        "to eviction",
        "unrequested",
        "left unfinished",
        "may go now",
    ];
    let wrong: Vec<_> = files()
        .into_iter()
        .flat_map(|(file, _, code)| {
            let said = OTHERWISE.into_iter().filter(move |words| code.contains(words));
            said.map(move |words| format!("src/{file} says `{}`", words.trim()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_can_see() {
    let code = "use crate::cluster::Pod;\nuse crate::{plan::{Plan, Step}, run};\nlet x = crate::wire::Wire;";
    assert_eq!(imports(code), ["cluster", "plan", "run", "wire"].map(String::from).into());
}
