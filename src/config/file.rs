//! The configuration file: where it is, and how a new one is written.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use super::{
    BadConfig, Config, folders,
    settings::{CONTEXTS_ABOUT, CONTEXTS_EXAMPLE, SECTIONS, Section, Setting},
};

/// Comments are wrapped at this column.
const WIDTH: usize = 100;

/// Where the user's own file is, whether there is one or not; `None`: no home folder is known.
pub fn usual_path() -> Option<PathBuf> {
    folders().map(|folders| etcetera::AppStrategy::config_dir(&folders).join("config.toml"))
}

/// The file that counts, and what it says: the named one, or the user's own; `None`: there is none.
///
/// # Errors
/// It cannot be read: one sentence.
pub fn read(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, BadConfig> {
    let path = named.map(Path::to_owned).or_else(|| usual_path().filter(|path| path.exists()));
    path.map(|path| text(&path).map(|text| (path, text))).transpose()
}

/// What the file says.
///
/// # Errors
/// It cannot be read: one sentence.
pub fn text(path: &Path) -> Result<String, BadConfig> {
    std::fs::read_to_string(path)
        .map_err(|e| BadConfig(format!("cannot read the configuration {}: {e}", path.display())))
}

/// A new configuration file: every setting with what it says and its default, commented out.
pub fn commented() -> String {
    let mut text = String::from(
        "# The configuration of wheelhouse. A line that begins with # and no blank is a setting with its default, or an\n\
         # example where there is none: remove the # and change it. `wheelhouse config check` reads this file.\n",
    );
    for section in SECTIONS {
        text.push('\n');
        comment(&mut text, section.about);
        if !section.name.is_empty() {
            let _ = writeln!(text, "[{}]", section.name);
        }
        for setting in section.settings {
            comment(&mut text, setting.about);
            let _ = writeln!(text, "#{} = {}", setting.name, written(section, setting));
        }
    }
    text.push('\n');
    comment(&mut text, CONTEXTS_ABOUT);
    for line in CONTEXTS_EXAMPLE.lines() {
        match line {
            "" => text.push('\n'),
            line => text.extend(["#", line, "\n"]),
        }
    }
    text
}

/// How a setting is written: its default, or its example where it has none.
pub fn written(section: &Section, setting: &Setting) -> String {
    if let Some(example) = setting.example {
        return example.to_owned();
    }
    let defaults = Config::default().to_table();
    let mut inside = section.name.split('.').filter(|name| !name.is_empty());
    let table = inside.try_fold(&defaults, |table, name| table.get(name)?.as_table());
    table.and_then(|table| table.get(setting.name)).map_or_else(String::new, ToString::to_string)
}

fn comment(text: &mut String, about: &str) {
    let mut line = String::new();
    for word in about.split_whitespace() {
        if line.len() + word.len() + 3 > WIDTH {
            let _ = writeln!(text, "#{line}");
            line.clear();
        }
        line.extend([" ", word]);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "#{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncommented(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(|l| line(l) + "\n").collect()
    }

    #[test]
    fn a_new_file_says_nothing_until_a_line_of_it_is_uncommented() {
        let text = commented();
        assert_eq!(Config::parse(&text), Ok(Config::default()), "{text}");
        let all = uncommented(&text);
        let config = Config::parse(&all).unwrap_or_else(|e| panic!("{e}\n{all}"));
        assert_eq!(config.contexts.len(), 1);
        assert!(text.lines().all(|line| line.len() <= 130), "{text}");
        // What has a default stands there with it.
        let examples = SECTIONS.iter().flat_map(|s| s.settings.iter().map(move |setting| (s, setting)));
        let defaults = examples.filter(|(_, setting)| setting.example.is_none());
        let only: String = defaults
            .map(|(section, setting)| {
                let head = if section.name.is_empty() { String::new() } else { format!("{}.", section.name) };
                format!("{head}{} = {}\n", setting.name, written(section, setting))
            })
            .collect();
        assert_eq!(Config::parse(&only), Ok(Config::default()), "{only}");
    }
}
