//! What was typed, where it is no usage: which command was meant, and what is said.

use clap::CommandFactory;

use super::Cli;

/// The words of a wrong usage, without flags that nobody typed: one that the environment gives is not part of the usage.
pub(super) fn told(text: &str, given: &[String]) -> String {
    let command = Cli::command();
    let typed = |name: &str| given.iter().any(|word| word.split('=').next() == Some(&format!("--{name}")));
    let silent = command.get_arguments().filter(|arg| arg.get_env().is_some());
    let silent = silent.filter_map(|arg| Some((arg, arg.get_long()?))).filter(|(_, name)| !typed(name));
    let flags: Vec<_> = silent
        .map(|(arg, name)| {
            let value = arg.get_value_names().and_then(|names| names.first());
            let value = value.filter(|_| arg.get_action().takes_values());
            format!(" --{name}{}", value.map_or(String::new(), |value| format!(" <{value}>")))
        })
        .collect();
    let mut told = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if line.starts_with("Usage: ") {
            flags.iter().for_each(|flag| line = line.replace(flag.as_str(), ""));
        }
        told += &(line + "\n");
    }
    told
}

/// The command among the arguments: the first word that is neither a flag nor the value of one.
pub(super) fn command_of(given: &[String]) -> Option<&str> {
    let root = Cli::command();
    let takes_a_value = |flag: &str| {
        root.get_arguments().filter(|arg| arg.get_action().takes_values()).any(|arg| {
            let long = arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long));
            let short = arg.get_short().map(|short| format!("-{short}"));
            long || short.is_some_and(|short| short == flag)
        })
    };
    let mut words = given.iter().skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            None => return Some(word.as_str()),
            Some(_) if takes_a_value(word) => {
                words.next();
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_gives_is_no_part_of_the_usage() {
        let wrong = "error: no\n\nUsage: wheelhouse scale --config <FILE> --read-only <TENANT> <REPLICAS>\n";
        let given = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let said = told(wrong, &given(&["wheelhouse", "scale"]));
        assert!(said.contains("Usage: wheelhouse scale <TENANT> <REPLICAS>\n"), "{said}");
        let said = told(wrong, &given(&["wheelhouse", "--config=x", "scale"]));
        assert!(said.contains("Usage: wheelhouse scale --config <FILE> <TENANT>"), "{said}");
    }

    #[test]
    fn the_command_is_the_first_word_that_is_no_flag_and_no_value() {
        let of = |line: &str| {
            let given: Vec<_> = line.split(' ').map(str::to_owned).collect();
            command_of(&given).map(str::to_owned)
        };
        for (line, command) in [
            ("wheelhouse check --nosuch", Some("check")),
            ("wheelhouse --context check status", Some("status")),
            ("wheelhouse -n check --kubeconfig=x check", Some("check")),
            ("wheelhouse --read-only check x", Some("check")),
            ("wheelhouse config check x", Some("config")),
            ("wheelhouse scale check +x", Some("scale")),
            ("wheelhouse --nosuch", None),
        ] {
            assert_eq!(of(line).as_deref(), command, "{line}");
        }
    }
}
