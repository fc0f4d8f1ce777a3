//! What commands in containers say: a handful of programs that somebody who looks around would try.
//!
//! PURE: a function of the pod as it was when the command began.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::value::{list, name, text};

/// The inside of a container.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    host: String,
    address: String,
    container: String,
    image: String,
    variables: Vec<(String, String)>,
    now: Timestamp,
    /// Lines and columns of the terminal, where it has one.
    pub(crate) size: Option<(u16, u16)>,
    /// The exit code of the last command.
    last: i32,
}

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
    /// It goes on with what is typed.
    pub(crate) reads: Option<Reader>,
    /// The shell it ran in ends with it.
    pub(crate) ends: bool,
}

/// A program that reads what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A shell.
    Shell,
    /// `cat`.
    Cat,
}

impl Outcome {
    fn said(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }

    fn failed(code: i32, err: impl Into<String>) -> Self {
        Self { err: err.into(), code, ..Self::default() }
    }

    fn reads(reader: Reader) -> Self {
        Self { reads: Some(reader), ..Self::default() }
    }
}

/// Images that hold one program and nothing else.
const BARE: [&str; 5] = ["coredns", "distroless", "exporter", "metrics-server", "pause"];

impl Shell {
    /// The inside of the pod's container.
    pub(crate) fn of(pod: &Value, container: &str, now: Timestamp) -> Self {
        let spec = list(&pod["spec"]["containers"]).find(|spec| spec["name"] == container);
        let named = spec.into_iter().flat_map(|spec| list(&spec["env"]));
        let variables = named.map(|one| (text(&one["name"]).to_owned(), text(&one["value"]).to_owned()));
        let image = spec.map_or("", |spec| text(&spec["image"]));
        Self {
            host: name(pod).to_owned(),
            address: text(&pod["status"]["podIP"]).to_owned(),
            container: container.to_owned(),
            variables: variables.collect(),
            image: image.to_owned(),
            now,
            size: None,
            last: 0,
        }
    }

    fn is_bare(&self) -> bool {
        BARE.iter().any(|bare| self.image.contains(bare))
    }

    /// Whether a program is in the image.
    fn has(&self, program: &str) -> bool {
        const ALWAYS: [&str; 12] = [
            "cat", "date", "env", "false", "hostname", "id", "ls", "printenv", "sh", "stty", "true", "whoami",
        ];
        let name = program.rsplit('/').next().unwrap_or(program);
        let php = self.container.contains("php");
        match name {
            _ if self.is_bare() => false,
            // Small images have the small shell only.
            "bash" => !self.image.contains("alpine"),
            "php" => php,
            "nginx" => !php,
            _ => ALWAYS.contains(&name),
        }
    }

    /// Runs a command to where it ends or reads. The error: the runtime finds no such program.
    pub(crate) fn start(&mut self, command: &[String]) -> Result<Outcome, String> {
        let program = command.first().map_or("", String::as_str);
        let builtin = ["echo", "pwd"].contains(&program) && !self.is_bare();
        if !builtin && !self.has(program) {
            return Err(format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{program}\": executable \
                 file not found in $PATH: unknown"
            ));
        }
        Ok(match command {
            [shell, flag, script, ..] if is_shell(shell) && flag.ends_with('c') => self.script(script),
            [shell, ..] if is_shell(shell) => Outcome::reads(Reader::Shell),
            _ => self.program(&command.iter().map(String::as_str).collect::<Vec<_>>()),
        })
    }

    /// Runs commands one after the other; `&&` goes on when one succeeds, `||` when it fails.
    pub(crate) fn script(&mut self, script: &str) -> Outcome {
        let mut all = Outcome::default();
        for line in script.split([';', '\n']) {
            for (joint, command) in joined(line) {
                let skipped = match joint {
                    Joint::First => false,
                    Joint::And => all.code != 0,
                    Joint::Or => all.code == 0,
                };
                if skipped {
                    continue;
                }
                let silent = command.contains(">/dev/null") || command.contains("> /dev/null");
                let words: Vec<&str> = command
                    .split_whitespace()
                    .filter(|word| !word.contains('>') && *word != "/dev/null")
                    .map(|word| word.trim_matches(['"', '\'']))
                    .collect();
                if words.is_empty() {
                    continue;
                }
                let one = self.program(&words);
                self.last = one.code;
                if !silent {
                    all.out += &one.out;
                    all.err += &one.err;
                }
                (all.code, all.reads, all.ends) = (one.code, one.reads, one.ends);
                if all.ends || all.reads.is_some() {
                    return all;
                }
            }
        }
        all
    }

    fn program(&mut self, words: &[&str]) -> Outcome {
        let php = self.container.contains("php");
        match words {
            [] | ["true" | ":"] => Outcome::default(),
            ["false"] => Outcome::failed(1, ""),
            ["exit"] => Outcome { code: self.last, ends: true, ..Outcome::default() },
            ["exit", code] => Outcome { code: code.parse().unwrap_or(2), ends: true, ..Outcome::default() },
            ["exec", shell] if is_shell(shell) && self.has(shell) => {
                Outcome { ends: true, ..Outcome::reads(Reader::Shell) }
            }
            ["exec", rest @ ..] if !rest.is_empty() => Outcome { ends: true, ..self.program(rest) },
            [shell] if is_shell(shell) && self.has(shell) => Outcome::reads(Reader::Shell),
            ["command", "-v", program] if self.has(program) => Outcome::said(format!("/bin/{program}\n")),
            ["command", "-v", _] => Outcome::failed(127, ""),
            ["echo", rest @ ..] => {
                let last = self.last.to_string();
                let words: Vec<&str> =
                    rest.iter().map(|word| if *word == "$?" { &*last } else { *word }).collect();
                Outcome::said(format!("{}\n", words.join(" ")))
            }
            ["stty", "size"] => match self.size {
                Some((rows, columns)) => Outcome::said(format!("{rows} {columns}\n")),
                None => Outcome::failed(1, "stty: 'standard input': Inappropriate ioctl for device\n"),
            },
            ["tty"] => match self.size {
                Some(_) => Outcome::said("/dev/pts/0\n"),
                None => Outcome { code: 1, ..Outcome::said("not a tty\n") },
            },
            ["cat"] => Outcome::reads(Reader::Cat),
            ["date"] => Outcome::said(
                self.now.to_zoned(TimeZone::UTC).strftime("%a %b %e %H:%M:%S UTC %Y\n").to_string(),
            ),
            ["hostname"] | ["cat", "/etc/hostname"] => Outcome::said(format!("{}\n", self.host)),
            ["hostname", "-i"] => Outcome::said(format!("{}\n", self.address)),
            ["whoami"] => Outcome::said("root\n"),
            ["id"] => Outcome::said("uid=0(root) gid=0(root) groups=0(root)\n"),
            ["pwd"] => Outcome::said(if php { "/var/www/html\n" } else { "/\n" }),
            ["env" | "printenv"] => {
                let fixed = [
                    ("HOSTNAME", self.host.as_str()),
                    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ];
                let fixed = fixed.into_iter().map(|(name, value)| format!("{name}={value}\n"));
                let own = self.variables.iter().map(|(name, value)| format!("{name}={value}\n"));
                Outcome::said(fixed.chain(own).collect::<String>())
            }
            ["printenv", wanted] => match self.variables.iter().find(|(name, _)| name == wanted) {
                Some((_, value)) => Outcome::said(format!("{value}\n")),
                None => Outcome::failed(1, ""),
            },
            ["php", "-v"] if php => Outcome::said("PHP 8.3.12 (cli) (built: Sep 26 2025 10:14:55) (NTS)\n"),
            ["nginx", "-v"] if !php => {
                Outcome { err: "nginx version: nginx/1.27.0\n".into(), ..Outcome::default() }
            }
            ["nginx", "-t"] if !php => Outcome {
                err: "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n\
                      nginx: configuration file /etc/nginx/nginx.conf test is successful\n"
                    .into(),
                ..Outcome::default()
            },
            ["ls"] if php => Outcome::said("bin\ncomposer.json\nconfig\npublic\nsrc\nvar\nvendor\n"),
            ["ls"] | ["ls", "/"] => {
                Outcome::said("bin\ndev\netc\nhome\nlib\nproc\nroot\nsys\ntmp\nusr\nvar\n")
            }
            ["ls" | "cat", path] => {
                let program = words[0];
                let code = if program == "ls" { 2 } else { 1 };
                let said =
                    if program == "ls" { format!("cannot access '{path}'") } else { (*path).to_owned() };
                Outcome::failed(code, format!("{program}: {said}: No such file or directory\n"))
            }
            [unknown, ..] => Outcome::failed(127, format!("sh: 1: {unknown}: not found\n")),
        }
    }
}

/// How a command hangs on the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    First,
    And,
    Or,
}

fn joined(line: &str) -> Vec<(Joint, &str)> {
    let mut parts = Vec::new();
    let (mut joint, mut rest) = (Joint::First, line);
    loop {
        let next = [("&&", Joint::And), ("||", Joint::Or)];
        let next = next.into_iter().filter_map(|(sign, joint)| Some((rest.find(sign)?, joint)));
        let Some((at, following)) = next.min_by_key(|(at, _)| *at) else {
            parts.push((joint, rest));
            return parts;
        };
        parts.push((joint, &rest[..at]));
        (joint, rest) = (following, &rest[at + 2..]);
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shell(image: &str) -> Shell {
        let pod = json!({"metadata": {"name": "acme-1"}, "status": {"podIP": "10.42.0.7"}, "spec": {"containers": [
            {"name": "php-fpm", "image": image, "env": [{"name": "APP_ENV", "value": "prod"}]}]}});
        Shell::of(&pod, "php-fpm", Timestamp::UNIX_EPOCH)
    }

    fn start(image: &str, words: &[&str]) -> Result<Outcome, String> {
        shell(image).start(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    fn run(words: &[&str]) -> Outcome {
        start("app:1", words).expect("it is there")
    }

    #[test]
    fn commands_say_what_they_would() {
        assert_eq!(run(&["hostname"]), Outcome::said("acme-1\n"));
        assert!(run(&["env"]).out.ends_with("APP_ENV=prod\n"));
        assert!(
            start("app:1", &["nothing"])
                .unwrap_err()
                .contains("exec: \"nothing\": executable file not found")
        );
        assert_eq!(run(&["cat", "/none"]), Outcome::failed(1, "cat: /none: No such file or directory\n"));
        assert_eq!(run(&["stty", "size"]).code, 1, "there is no terminal");
    }

    #[test]
    fn a_script_runs_until_something_fails() {
        let all = run(&["sh", "-c", "echo one; false && echo two; echo three"]);
        assert_eq!((all.out.as_str(), all.code), ("one\nthree\n", 0));
        let all = run(&["/bin/bash", "-lc", "whoami && exit 3; echo never"]);
        assert_eq!((all.out.as_str(), all.code), ("root\n", 3));
        assert_eq!(run(&["sh", "-c", "nothing"]).err, "sh: 1: nothing: not found\n");
        let all = run(&["sh", "-c", "false || echo two && echo three"]);
        assert_eq!(all.out, "two\nthree\n");
        assert_eq!(run(&["sh", "-c", "false; exit"]).code, 1);
    }

    #[test]
    fn an_image_has_the_shells_that_are_in_it() {
        let best = ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh"];
        for image in ["app:1", "app:1-alpine"] {
            assert_eq!(start(image, &best).expect("a shell").reads, Some(Reader::Shell), "{image}");
        }
        assert!(start("app:1-alpine", &["bash"]).is_err());
        assert!(start("registry.example/exporter:1", &["sh"]).is_err());
    }
}
