//! `wheelhouse help`: the reference at hand, wrapped to the terminal. The man pages of section 7 are made of the same.
//!
//! A topic is a text in Markdown; what a table in the code knows (keys, findings, settings, rights, signs) is not written
//! in it but put in where it says `{{name}}`.

mod answers;
mod page;
mod tables;

use clap::{Args, CommandFactory};

use super::{Cli, Common, Failure, output, session};
use crate::{
    cluster::{did_you_mean, near, words::count},
    ui::command,
};

pub(super) use page::cells;
pub use page::wrapped;

/// A topic of the help.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in one line.
    pub about: &'static str,
    text: &'static str,
}

macro_rules! topics {
    ($($name:literal: $about:literal;)*) => {
        /// All topics, in the order in which they are listed.
        pub const TOPICS: &[Topic] =
            &[$(Topic { name: $name, about: $about, text: include_str!(concat!("help/", $name, ".md")) }),*];
    };
}

topics! {
    "keys": "what every key does, on every screen, and what the signs mean";
    "commands": "the command line, with examples; exit codes";
    "incidents": "what to do when a node comes back, the quorum is lost, a migration was interrupted";
    "cluster": "your own cluster: kubeconfig, logins, proxies, which workloads are tenants";
    "configuration": "every setting, its default, and where it comes from";
    "database": "Galera and ProxySQL: naming them, the grants they need, acting on them";
    "findings": "everything that can be wrong, and what answers it";
    "reach": "from the host name to the pods: which link is broken, and until when certificates are valid";
    "platform": "edges, ingress nodes and what else stands around the cluster: naming them, what is looked at";
    "headroom": "how many more requests a tenant can take, and how that is counted";
    "moves": "rebalance, move, drain: how pods are moved without losing a ready one";
    "migrations": "migrating tenants, releases, rollbacks; when an outcome is unknown";
    "recordings": "what is kept and recorded; timeline, incident report, replay";
    "logs": "reading logs, in the cockpit and on the command line";
    "rights": "the rights each role needs, and how they are granted";
    "json": "what `-o json` prints";
    "traces": "what is left behind: in the cluster, and on your machine";
    "demo": "the embedded cluster";
}

/// Columns of a page at most: longer lines are hard to read.
const WIDEST: u16 = 100;

/// The arguments of `wheelhouse help`.
#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// A topic, or a command
    #[arg(value_name = "TOPIC")]
    about: Vec<String>,
}

impl Topic {
    /// The whole text, in Markdown.
    pub fn markdown(&self) -> String {
        tables::filled(self.text)
    }
}

/// The topic of that name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

pub(super) fn run(common: &Common, args: &HelpArgs) -> Result<(), Failure> {
    if args.about.iter().any(|word| word == "keys") {
        // The keys are those of the configuration; one that cannot be read changes none.
        let bound = session::configure(common).ok().and_then(|config| command::bind(config.keys.iter()).ok());
        bound.into_iter().for_each(command::install);
    }
    let width = width();
    let words: Vec<_> = args.about.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => output::print(&wrapped(&overview(), width)),
        [name] if topic(name).is_some() => {
            let mut text = topic(name).map(Topic::markdown).unwrap_or_default();
            if help_of(&[name]).is_some() {
                text +=
                    &format!("\nThe flags of the command are told by `{} {name} --help`.\n", super::name());
            }
            output::print(&wrapped(&text, width))
        }
        words => match help_of(words) {
            Some(help) => output::print(&help),
            None => Err(unknown(words)),
        },
    }
}

/// A text in Markdown as it is printed: a page of the terminal's width, elsewhere as it is.
#[cfg(feature = "demo")]
pub(super) fn paged(markdown: &str) -> String {
    use std::io::IsTerminal;
    if std::io::stdout().is_terminal() { wrapped(markdown, width()) } else { markdown.to_owned() }
}

/// The width of the terminal; where there is none, that of a common one.
fn width() -> u16 {
    output::columns().unwrap_or(80).clamp(20, WIDEST)
}

fn overview() -> String {
    let rows: String =
        TOPICS.iter().map(|topic| format!("| `{}` | {} |\n", topic.name, topic.about)).collect();
    let me = super::name();
    format!(
        "`{me} help TOPIC` tells of one of these:\n\n| | |\n|---|---|\n{rows}\n`{me} help COMMAND` and `{me} COMMAND --help` tell the flags of a \
         command, `{me} --help` lists the commands. `?` shows the keys in the cockpit.\n"
    )
}

/// The help of a command, by its path.
fn help_of(words: &[&str]) -> Option<String> {
    let mut root = Cli::command();
    root.build();
    let mut command = &mut root;
    for word in words {
        command = command.find_subcommand_mut(word).filter(|c| !c.is_hide_set())?;
    }
    Some(command.render_long_help().to_string())
}

fn unknown(words: &[&str]) -> Failure {
    let wanted = words.join(" ");
    let root = Cli::command();
    let commands: Vec<_> =
        root.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name()).collect();
    let known = TOPICS.iter().map(|topic| topic.name).chain(commands.iter().copied());
    let mut near = near(&wanted, known);
    near.dedup();
    let what = match near.as_slice() {
        [] => format!("; `{} help` lists the {}", super::name(), count(TOPICS.len(), "topic")),
        near => did_you_mean(near),
    };
    Failure::Usage(format!("there is no topic and no command `{wanted}`{what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_whole_and_fits_every_width() {
        for topic in TOPICS {
            let text = topic.markdown();
            assert!(!text.contains("{{"), "{}: {text}", topic.name);
            assert!(text.starts_with("# "), "{}", topic.name);
            for width in [20, 40, 80, 100] {
                let page = wrapped(&text, width);
                assert!(!page.contains("|--") && !page.contains("```") && !page.contains("**"), "{page}");
                // Commands and files are never wrapped: they are copied from here.
                let long = page.lines().filter(|line| !line.starts_with("    "));
                let long = long.filter(|line| crate::ui::format::width(line) > width);
                assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new(), "{} at {width}", topic.name);
            }
        }
    }

    #[test]
    fn what_tables_know_is_in_the_topics() {
        let text = |name: &str| topic(name).map(Topic::markdown).unwrap_or_default();
        for entry in command::COMMANDS {
            assert!(text("keys").contains(&format!("`:{}", entry.name)), "{}", entry.name);
            assert!(text("keys").contains(entry.doc), "{}", entry.doc);
        }
        for rule in crate::cluster::RULES.iter() {
            assert!(text("findings").contains(&format!("`{}`", rule.name)), "{}", rule.name);
            assert!(text("findings").contains(rule.doc), "{}", rule.name);
        }
        for section in crate::config::settings::SECTIONS {
            for setting in section.settings {
                assert!(text("configuration").contains(&format!("`{}`", setting.name)), "{}", setting.name);
            }
        }
        for role in crate::run::rights::RbacRole::ALL {
            assert!(text("rights").contains(role.name()), "{}", role.name());
        }
    }

    #[test]
    fn a_command_is_told_where_no_topic_has_its_name() {
        assert!(help_of(&["scale"]).is_some_and(|help| help.contains("wheelhouse scale")));
        assert!(help_of(&["galera", "take-out"]).is_some());
        assert_eq!(help_of(&["nope"]), None);
        let Failure::Usage(text) = unknown(&["migratoins"]) else { panic!("it is wrong usage") };
        assert_eq!(text, "there is no topic and no command `migratoins`; did you mean migrations?");
        let Failure::Usage(text) = unknown(&["xyzzy"]) else { panic!("it is wrong usage") };
        assert!(text.contains("`wheelhouse help` lists the "), "{text}");
    }
}
