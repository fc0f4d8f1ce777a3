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
    variables: Vec<(String, String)>,
    now: Timestamp,
}

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Outcome {
    fn said(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }

    fn failed(code: i32, err: impl Into<String>) -> Self {
        Self { err: err.into(), code, ..Self::default() }
    }
}

impl Shell {
    /// The inside of the pod's container.
    pub(crate) fn of(pod: &Value, container: &str, now: Timestamp) -> Self {
        let spec = list(&pod["spec"]["containers"]).find(|spec| spec["name"] == container);
        let named = spec.into_iter().flat_map(|spec| list(&spec["env"]));
        let variables = named.map(|one| (text(&one["name"]).to_owned(), text(&one["value"]).to_owned()));
        Self {
            host: name(pod).to_owned(),
            address: text(&pod["status"]["podIP"]).to_owned(),
            container: container.to_owned(),
            variables: variables.collect(),
            now,
        }
    }

    /// Whether the command is a shell that reads its input.
    pub(crate) fn reads(command: &[String]) -> bool {
        matches!(command, [shell] if is_shell(shell))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &[String]) -> Outcome {
        match command {
            [shell, flag, script, ..] if is_shell(shell) && flag.ends_with('c') => self.script(script),
            [shell] if is_shell(shell) => Outcome::default(),
            _ => self.program(&command.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }

    /// Runs commands one after the other; `&&` stops at the first that fails.
    pub(crate) fn script(&self, script: &str) -> Outcome {
        let mut all = Outcome::default();
        for line in script.split([';', '\n']) {
            for command in line.split("&&") {
                let words: Vec<&str> =
                    command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
                let (Some(first), one) = (words.first(), self.program(&words)) else { continue };
                let unknown = one.code == 127 && one.out.is_empty();
                all.out += &one.out;
                all.err += &if unknown { format!("sh: 1: {first}: not found\n") } else { one.err };
                all.code = one.code;
                if *first == "exit" {
                    return all;
                }
                if all.code != 0 {
                    break;
                }
            }
        }
        all
    }

    fn program(&self, words: &[&str]) -> Outcome {
        let php = self.container.contains("php");
        match words {
            [] | ["true" | ":" | "exit"] => Outcome::default(),
            ["false"] => Outcome::failed(1, ""),
            ["exit", code] => Outcome::failed(code.parse().unwrap_or(2), ""),
            ["echo", rest @ ..] => Outcome::said(format!("{}\n", rest.join(" "))),
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
            [unknown, ..] => Outcome::failed(
                127,
                format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{unknown}\": \
                     executable file not found in $PATH: unknown\n"
                ),
            ),
        }
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shell() -> Shell {
        let pod = json!({"metadata": {"name": "acme-1"}, "status": {"podIP": "10.42.0.7"}, "spec": {"containers": [
            {"name": "php-fpm", "env": [{"name": "APP_ENV", "value": "prod"}]}]}});
        Shell::of(&pod, "php-fpm", Timestamp::UNIX_EPOCH)
    }

    fn run(words: &[&str]) -> Outcome {
        shell().run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn commands_say_what_they_would() {
        assert_eq!(run(&["hostname"]), Outcome::said("acme-1\n"));
        assert!(run(&["env"]).out.ends_with("APP_ENV=prod\n"));
        assert_eq!(run(&["nothing"]).code, 127);
        assert_eq!(run(&["cat", "/none"]), Outcome::failed(1, "cat: /none: No such file or directory\n"));
    }

    #[test]
    fn a_script_runs_until_something_fails() {
        let all = run(&["sh", "-c", "echo one; false && echo two; echo three"]);
        assert_eq!((all.out.as_str(), all.code), ("one\nthree\n", 0));
        let all = run(&["/bin/bash", "-lc", "whoami && exit 3; echo never"]);
        assert_eq!((all.out.as_str(), all.code), ("root\n", 3));
        assert_eq!(run(&["sh", "-c", "nothing"]).err, "sh: 1: nothing: not found\n");
        assert!(Shell::reads(&["/bin/sh".into()]) && !Shell::reads(&["sh".into(), "-c".into()]));
    }
}
