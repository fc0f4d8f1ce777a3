//! Tells the program which commit it is built from, for `--version`: read from the files of git, so that git itself need
//! not be there. `WHEELHOUSE_COMMIT` wins; outside a repository there is none.

use std::{env, fs, path::Path};

include!("build/commit.rs");

fn main() {
    println!("cargo::rerun-if-env-changed=WHEELHOUSE_COMMIT");
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-changed=src/build/commit.rs");
    let given = env::var("WHEELHOUSE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let root = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let found = commit(Path::new(&root));
    // What is built to work on it is not built again for every commit.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for file in found.iter().flat_map(|(_, files)| files) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    if let Some(commit) = given.or(found.map(|(commit, _)| commit)) {
        println!("cargo::rustc-env=WHEELHOUSE_COMMIT={}", commit.chars().take(12).collect::<String>());
    }
}
