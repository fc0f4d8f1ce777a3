//! What the README says of keys, configuration and pictures is what the program has. `WHEELHOUSE_BLESS=1` writes the
//! generated parts again.

use std::{fs, path::Path};

use wheelhouse::{config::Config, ui::command};

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The text between two marks has to be this.
fn part(name: &str, made: &str) {
    let readme = fs::read_to_string(path()).expect("a README");
    let (open, close) = (format!("<!-- {name}:"), format!("<!-- /{name} -->"));
    let start =
        readme.find(&open).and_then(|at| Some(at + readme[at..].find("-->\n")? + 4)).expect("a start mark");
    let end = readme.find(&close).expect("an end mark");
    if std::env::var_os("WHEELHOUSE_BLESS").is_some() {
        fs::write(path(), format!("{}{made}{}", &readme[..start], &readme[end..]))
            .expect("the README is writable");
    } else {
        assert!(
            readme[start..end] == *made,
            "{name}: WHEELHOUSE_BLESS=1 ./tests/run readme writes it again; now:\n{made}"
        );
    }
}

#[test]
fn the_generated_parts_are_what_the_program_has() {
    // One test, since both write the same file.
    part("keys", &format!("\n{}\n", command::markdown()));
    part("configuration", &format!("\n```toml\n{}```\n\n", Config::default().to_toml()));
}

#[test]
fn every_picture_it_shows_exists() {
    let readme = fs::read_to_string(path()).expect("a README");
    let shown: Vec<_> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<_> = shown.iter().filter(|target| target.ends_with(".svg")).collect();
    assert!(pictures.len() > 4, "{shown:?}");
    for picture in pictures {
        assert!(path().with_file_name(picture).exists(), "{picture} is not there");
    }
}
