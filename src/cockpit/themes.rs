//! The theme chosen on the screen, kept for the next time. It stands for the configured one: who configures another
//! theme afterwards, or asks for one with a flag, sees that one.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::cluster::Severity;

/// Configured theme, chosen theme.
type Kept = BTreeMap<String, String>;

fn read(state_dir: &Path) -> Kept {
    let text = fs::read_to_string(state_dir.join("themes.toml")).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// The theme chosen last where this one is configured.
pub(super) fn kept(state_dir: &Path, configured: &str) -> Option<String> {
    read(state_dir).remove(configured)
}

/// Keeps a choice; to choose the configured one again takes it away.
///
/// # Errors
/// The file cannot be written.
fn keep(state_dir: &Path, configured: &str, chosen: &str) -> io::Result<()> {
    let mut kept = read(state_dir);
    match chosen == configured {
        true => kept.remove(configured),
        false => kept.insert(configured.to_owned(), chosen.to_owned()),
    };
    replace(&state_dir.join("themes.toml"), &toml::to_string(&kept).map_err(io::Error::other)?)
}

/// Keeps a choice; what is said of it: what has changed, and where that is kept.
pub(super) fn chosen(state_dir: &Path, configured: &str, chosen: &str) -> (Severity, String) {
    let file = state_dir.join("themes.toml");
    match keep(state_dir, configured, chosen) {
        Ok(()) if chosen == configured => {
            let file = file.display();
            (Severity::Notice, format!("theme {chosen}, the configured one: {file} keeps no other any more"))
        }
        Ok(()) => {
            let file = file.display();
            (
                Severity::Notice,
                format!("theme {chosen} instead of the configured {configured}, kept in {file}"),
            )
        }
        Err(why) => (
            Severity::Warning,
            format!("theme {chosen} until you leave: it cannot be kept in {}: {why}", file.display()),
        ),
    }
}

/// Writes a file of the state folder so that whoever reads it meanwhile, another cockpit or the next, finds it whole.
///
/// # Errors
/// It cannot be written.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_told_with_the_file_that_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("themes.toml").display().to_string();
        let told = |theme| chosen(folder.path(), "dark", theme);
        assert_eq!(
            told("ember"),
            (Severity::Notice, format!("theme ember instead of the configured dark, kept in {file}"))
        );
        let (severity, text) = told("dark");
        assert_eq!((severity, text.contains(&file)), (Severity::Notice, true), "{text}");
        let (severity, text) = chosen(&folder.path().join("themes.toml"), "dark", "light");
        assert_eq!(severity, Severity::Warning, "a file is no folder: {text}");
        assert!(text.contains("until you leave") && text.contains(&file), "{text}");
    }

    #[test]
    fn a_choice_is_kept_for_what_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(kept(&state, "dark"), None);
        keep(&state, "dark", "ember").unwrap();
        keep(&state, "light", "safe").unwrap();
        assert_eq!(kept(&state, "dark").as_deref(), Some("ember"));
        assert_eq!(kept(&state, "mono"), None, "another one is configured since");
        keep(&state, "dark", "dark").unwrap();
        assert_eq!((kept(&state, "dark"), kept(&state, "light").as_deref()), (None, Some("safe")));
        fs::write(state.join("themes.toml"), "not toml [").unwrap();
        assert_eq!(kept(&state, "light"), None);
    }
}
