//! The option files of the MySQL clients (`~/.my.cnf`): the groups `[client]` and `[client-mariadb]`, `!include` and
//! `!includedir`, quotes, options without a value, and names in which `-` and `_` are the same. The last one wins.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::BadConfig;

/// Files within files: deeper is a circle.
const DEEPEST: usize = 10;
const GROUPS: &[&str] = &["client", "client-server", "client-mariadb", "mariadb-client"];

/// What the client groups say.
#[derive(Debug, Default)]
pub struct Client {
    /// `user`.
    pub user: Option<String>,
    /// `password`.
    pub password: Option<SecretString>,
    /// `ssl-ca`.
    pub ssl_ca: Option<PathBuf>,
}

/// Reads an option file and those it includes.
pub fn read(path: &Path) -> Result<Client, BadConfig> {
    let mut client = Client::default();
    read_into(path, &mut client, 0)?;
    Ok(client)
}

fn read_into(path: &Path, client: &mut Client, depth: usize) -> Result<(), BadConfig> {
    if depth > DEEPEST {
        return Err(BadConfig(format!("{}: files include each other in a circle", path.display())));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| BadConfig(format!("cannot read the option file {}: {e}", path.display())))?;
    let mut ours = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let beside = |name: &str| path.parent().unwrap_or(Path::new(".")).join(name.trim());
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(folder) = line.strip_prefix("!includedir") {
            let folder = beside(folder);
            let entries = std::fs::read_dir(&folder).map_err(|e| {
                BadConfig(format!(
                    "{} line {}: cannot read {}: {e}",
                    path.display(),
                    number + 1,
                    folder.display()
                ))
            })?;
            let mut files: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
            files.retain(|f| f.extension().is_some_and(|e| e == "cnf" || e == "ini"));
            files.sort();
            for file in files {
                read_into(&file, client, depth + 1)?;
            }
        } else if let Some(file) = line.strip_prefix("!include") {
            read_into(&beside(file), client, depth + 1)?;
        } else if let Some(group) = line.strip_prefix('[') {
            let group = group.split(']').next().unwrap_or_default().trim();
            ours = GROUPS.contains(&group);
        } else if ours {
            let (name, value) = match line.split_once('=') {
                Some((name, value)) => (name.trim(), Some(unquote(value.trim()))),
                None => (line, None),
            };
            match (name.replace('_', "-").as_str(), value) {
                ("user", Some(user)) => client.user = Some(user),
                ("password", Some(password)) => client.password = Some(password.into()),
                ("ssl-ca", Some(file)) => client.ssl_ca = Some(file.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The value without its quotes, escapes and trailing comment, as the clients read it.
fn unquote(value: &str) -> String {
    let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'');
    let mut text = String::new();
    let mut chars = value.chars().skip(usize::from(quote.is_some())).peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('s') => text.push(' '),
                Some('r') => text.push('\r'),
                Some('b') => text.push('\u{8}'),
                Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                Some(c) => {
                    text.push('\\');
                    text.push(c);
                }
                None => text.push('\\'),
            },
            c if Some(c) == quote => return text,
            // A comment begins at a # only where nothing is quoted.
            '#' if quote.is_none() => break,
            c => text.push(c),
        }
    }
    if quote.is_none() { text.trim_end().to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn option_files_are_read_as_the_clients_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("more")).unwrap();
        let main = "# mine\n[mysqld]\nuser=mysql\n[client]\nuser = ann # comment\nskip-ssl\npassword=\"a#b\\\"c\"\n\
                    !include other.cnf\n!includedir more\n";
        std::fs::write(at("main.cnf"), main).unwrap();
        std::fs::write(at("other.cnf"), "[client]\nssl_ca = '/etc/ca file.pem'\n").unwrap();
        std::fs::write(at("more/a.cnf"), "[client-mariadb]\nuser=bob\n").unwrap();
        std::fs::write(at("more/z.txt"), "[client]\nuser=not\n").unwrap();
        let client = read(&at("main.cnf")).unwrap();
        assert_eq!(client.user.as_deref(), Some("bob"));
        assert_eq!(client.password.as_ref().unwrap().expose_secret(), "a#b\"c");
        assert_eq!(client.ssl_ca.as_deref(), Some(Path::new("/etc/ca file.pem")));
        assert!(!format!("{client:?}").contains("a#b"));
        std::fs::write(at("circle.cnf"), "!include circle.cnf\n").unwrap();
        assert!(read(&at("circle.cnf")).unwrap_err().to_string().contains("circle"));
        assert!(read(&at("nope.cnf")).unwrap_err().to_string().contains("nope.cnf"));
    }
}
