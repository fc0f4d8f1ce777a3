//! The option files of the MySQL clients (`~/.my.cnf`), read as `mysql` and `mariadb` read them (`mysys/my_default.c`):
//! their groups, `!include` and `!includedir`, quotes, escapes, comments, options without a value, and names in which `-`
//! and `_` are the same. The last one wins. Bytes that are no UTF-8 may stand anywhere but in a value that is used.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::BadConfig;

/// Files within files: deeper ones are not read.
const DEEPEST: usize = 10;
/// What `mysql` and `mariadb` read.
const GROUPS: &[&[u8]] = &[b"client", b"client-server", b"client-mariadb", b"mariadb-client", b"mysql"];

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
///
/// # Errors
/// The file cannot be read, or is none: one sentence with the line, and never a value.
pub fn read(path: &Path) -> Result<Client, BadConfig> {
    let mut client = Client::default();
    let bytes = fs::read(path)
        .map_err(|e| BadConfig(format!("cannot read the option file {}: {e}", path.display())))?;
    if is_everybodys(path) {
        return Err(BadConfig(format!(
            "everybody may write to the option file {}: the MySQL clients ignore such a file, and so it is here; chmod o-w it",
            path.display()
        )));
    }
    read_into(path, &bytes, &mut client, 0)?;
    Ok(client)
}

fn is_everybodys(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o002 != 0)
}

fn read_into(path: &Path, bytes: &[u8], client: &mut Client, depth: usize) -> Result<(), BadConfig> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut group: Option<bool> = None;
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let bad = |what: &str| BadConfig(format!("{} line {}: {what}", path.display(), number + 1));
        let line = line.trim_ascii();
        match line.first() {
            None | Some(b'#' | b';') => {}
            // Deeper is a circle: what is beyond is not read, as with the clients.
            Some(b'!') if depth >= DEEPEST => {}
            Some(b'!') => include(line[1..].trim_ascii(), client, depth, &bad)?,
            Some(b'[') => {
                let end = line.iter().position(|b| *b == b']');
                let end = end.ok_or_else(|| bad("a group begins with [ and does not end with ]"))?;
                group = Some(GROUPS.contains(&line[1..end].trim_ascii_end()));
            }
            Some(_) => match group {
                None => return Err(bad("an option stands before the first group, such as [client]")),
                Some(true) => option(line, client, &bad)?,
                Some(false) => {}
            },
        }
    }
    Ok(())
}

fn include(
    directive: &[u8],
    client: &mut Client,
    depth: usize,
    bad: &impl Fn(&str) -> BadConfig,
) -> Result<(), BadConfig> {
    // Like the clients, from the working directory where it is no absolute path.
    let path = |rest: &[u8]| PathBuf::from(String::from_utf8_lossy(rest.trim_ascii()).into_owned());
    let after = |word: &[u8]| {
        directive.strip_prefix(word).filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
    };
    let mut files = Vec::new();
    if let Some(folder) = after(b"includedir") {
        let folder = path(folder);
        let entries = fs::read_dir(&folder)
            .map_err(|e| bad(&format!("cannot read the folder {}: {e}", folder.display())))?;
        files.extend(entries.filter_map(|e| Some(e.ok()?.path())));
        files.retain(|file| file.extension().is_some_and(|e| e == "cnf"));
        files.sort();
    } else if let Some(file) = after(b"include") {
        files.push(path(file));
    }
    for file in files.iter().filter(|file| !is_everybodys(file)) {
        // A file that is not there is no mistake to the clients.
        if let Ok(bytes) = fs::read(file) {
            read_into(file, &bytes, client, depth + 1)?;
        }
    }
    Ok(())
}

fn option(line: &[u8], client: &mut Client, bad: &impl Fn(&str) -> BadConfig) -> Result<(), BadConfig> {
    let line = without_comment(line);
    let Some(at) = line.iter().position(|b| *b == b'=') else { return Ok(()) };
    let name: Vec<u8> = line[..at].trim_ascii().iter().map(|b| if *b == b'_' { b'-' } else { *b }).collect();
    let name = name.strip_prefix(b"loose-").unwrap_or(&name);
    let value = || {
        let text = String::from_utf8(value(&line[at + 1..]));
        text.map_err(|_| bad(&format!("the value of {} is not UTF-8", String::from_utf8_lossy(name))))
    };
    match name {
        b"user" => client.user = Some(value()?),
        b"password" => client.password = Some(value()?.into()),
        b"ssl-ca" => client.ssl_ca = Some(value()?.into()),
        _ => {}
    }
    Ok(())
}

/// The line up to a `#` that does not stand in quotes.
fn without_comment(line: &[u8]) -> &[u8] {
    let (mut quote, mut escaped) = (None, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'\'' | b'"' if !escaped => match quote {
                None => quote = Some(*byte),
                Some(open) if open == *byte => quote = None,
                Some(_) => {}
            },
            b'#' if quote.is_none() => return &line[..at],
            _ => {}
        }
        escaped = quote.is_some() && *byte == b'\\' && !escaped;
    }
    line
}

/// The value without blanks around it, without the quotes around it where they are the same at both ends, and with its
/// escapes read.
fn value(text: &[u8]) -> Vec<u8> {
    let mut text = text.trim_ascii();
    if let [first @ (b'"' | b'\''), inner @ .., last] = text
        && first == last
    {
        text = inner;
    }
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => value.push(b'\n'),
            Some(b't') => value.push(b'\t'),
            Some(b'r') => value.push(b'\r'),
            Some(b'b') => value.push(8),
            Some(b's') => value.push(b' '),
            Some(c @ (b'\\' | b'"' | b'\'')) => value.push(c),
            Some(c) => value.extend([b'\\', c]),
            None => value.push(b'\\'),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn option_files_are_read_as_the_clients_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("more")).unwrap();
        let main = "# mine\n[mysqld]\nuser=mysql\n[client]\nuser = ann # comment\nskip-ssl\npassword=\"a#b\\\"c\"\n\
                    !include {0}/other.cnf\n!include {0}/nowhere.cnf\n!includedir {0}/more\n";
        let main = main.replace("{0}", &folder.path().display().to_string());
        fs::write(at("main.cnf"), main).unwrap();
        fs::write(at("other.cnf"), "[client]\nssl_ca = '/etc/ca file.pem'\n").unwrap();
        fs::write(at("more/a.cnf"), "[client-mariadb]\nuser=bob\n").unwrap();
        fs::write(at("more/z.txt"), "[client]\nuser=not\n").unwrap();
        let client = read(&at("main.cnf")).unwrap();
        assert_eq!(client.user.as_deref(), Some("bob"));
        assert_eq!(client.password.as_ref().unwrap().expose_secret(), "a#b\"c");
        assert_eq!(client.ssl_ca.as_deref(), Some(Path::new("/etc/ca file.pem")));
        assert!(!format!("{client:?}").contains("a#b"));
        let circle = format!("[client]\nuser=round\n!include {}\n", at("circle.cnf").display());
        fs::write(at("circle.cnf"), circle).unwrap();
        assert_eq!(read(&at("circle.cnf")).unwrap().user.as_deref(), Some("round"));
        assert!(read(&at("nope.cnf")).unwrap_err().to_string().contains("nope.cnf"));
        fs::set_permissions(at("main.cnf"), PermissionsExt::from_mode(0o666)).unwrap();
        assert!(read(&at("main.cnf")).unwrap_err().to_string().contains("chmod o-w"));
    }

    fn password(line: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.cnf");
        let text = [&b"# caf\xe9, Latin-1\n[client]\nuser=q1\n"[..], line, b"\n"].concat();
        fs::write(&path, text).unwrap();
        let client = read(&path).map_err(|e| e.to_string())?;
        Ok(client.password.map(|p| p.expose_secret().to_owned()).unwrap_or_default())
    }

    /// What `mariadb --print-defaults` makes of each, measured with 10.11.
    #[test]
    fn a_value_is_what_the_clients_make_of_it() {
        for (line, wanted) in [
            (&br#"password="pass"word""#[..], r#"pass"word"#),
            (br#"password='pass'word'"#, "pass'word"),
            (br#"password="pass'"#, r#""pass'"#),
            (br#"password=pass"word"#, r#"pass"word"#),
            (br#"password=pa#ss"#, "pa"),
            (br#"password="pa#ss" # not"#, "pa#ss"),
            (br#"password = 'a\sb\tc\\d\qe' "#, "a b\tc\\d\\qe"),
            (br#"password="a\"b#c""#, "a\"b#c"),
            (br#"loose_password=x=y"#, "x=y"),
            (br#"password="""#, ""),
            (br#"password=""#, "\""),
            (br#"password"#, ""),
            (b"password=  blanks within  \r", "blanks within"),
            ("password=gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ] {
            assert_eq!(password(line).as_deref(), Ok(wanted), "{}", String::from_utf8_lossy(line));
        }
        let wrong = password(b"password=gr\xfcn-secret").unwrap_err();
        assert!(
            wrong.contains("line 4") && wrong.contains("not UTF-8") && !wrong.contains("secret"),
            "{wrong}"
        );
        assert!(password(b"[mysqld\npassword=x").unwrap_err().contains("line 4"));
        assert_eq!(password(b"[mysql]\npassword=x").as_deref(), Ok("x"));
        assert_eq!(password(b"[mysqldump]\npassword=x").as_deref(), Ok(""));
    }
}
