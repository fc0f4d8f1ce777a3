//! `wheelhouse man`: the man pages, made from the definitions of the commands and the topics of the help.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::{Cli, Failure, help, output};
use crate::cluster::words::count;

/// The arguments of `wheelhouse man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder they are written to: man1 and man7 are made in it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<(), Failure> {
    let pages = pages().map_err(Failure::failed)?;
    for (name, text) in &pages {
        let path = args.folder.join(name);
        let cannot = |e: std::io::Error| Failure::Failed(format!("cannot write {}: {e}", path.display()));
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(cannot)?;
        std::fs::write(&path, text).map_err(cannot)?;
    }
    output::print(&format!("{} in {}\n", count(pages.len(), "man page"), args.folder.display()))
}

/// Every page: where it goes (`man1/wheelhouse-scale.1`), and its text.
fn pages() -> std::io::Result<Vec<(String, String)>> {
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    of_commands(&command, "wheelhouse", &mut all)?;
    all.extend(help::TOPICS.iter().map(|topic| {
        let name = format!("wheelhouse-{}", topic.name);
        (format!("man7/{name}.7"), of_topic(&name, topic.about, &topic.markdown()))
    }));
    Ok(all)
}

fn of_commands(command: &clap::Command, name: &str, into: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let titled = command.clone().display_name(name.to_owned());
    let mut text = Vec::new();
    clap_mangen::Man::new(titled).render(&mut text)?;
    into.push((format!("man1/{name}.1"), String::from_utf8_lossy(&text).into_owned()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        of_commands(below, &format!("{name}-{}", below.get_name()), into)?;
    }
    Ok(())
}

/// A topic as a page of section 7.
fn of_topic(name: &str, about: &str, markdown: &str) -> String {
    let mut page = format!(
        ".TH {name} 7\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n",
        escaped(name),
        escaped(&about.replace('`', ""))
    );
    let mut verbatim = false;
    for line in markdown.lines() {
        match line {
            fence if fence.starts_with("```") => {
                verbatim = !verbatim;
                page += if verbatim { ".PP\n.nf\n.RS 4\n" } else { ".RE\n.fi\n" };
            }
            line if verbatim => page += &format!("{}\n", escaped(line)),
            line if line.starts_with("# ") || line.starts_with("|--") => {}
            line if line.starts_with("## ") => {
                page += &format!(".SH {}\n", escaped(&line[3..].to_uppercase()))
            }
            line if line.starts_with('|') => page += &row(line),
            "" => page += ".PP\n",
            line => page += &format!("{}\n", formatted(line)),
        }
    }
    page
}

/// A row of a table: its first cells, and the last one below them.
fn row(line: &str) -> String {
    let cells = help::cells(line);
    let Some((last, first)) = cells.split_last() else { return String::new() };
    if first.iter().all(String::is_empty) {
        return String::new();
    }
    format!(".TP\n{}\n{}\n", formatted(&first.join("  ")), formatted(last))
}

/// What stands in backticks is bold.
fn formatted(text: &str) -> String {
    let text = text.replace("**", "");
    let parts = text.split('`').enumerate();
    let line: String = parts
        .map(|(i, part)| if i % 2 == 1 { format!("\\fB{}\\fR", inner(part)) } else { inner(part) })
        .collect();
    guarded(line)
}

fn escaped(text: &str) -> String {
    guarded(inner(text))
}

fn inner(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// A line that begins like a request of roff is none.
fn guarded(line: String) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command_and_every_topic() {
        let all = pages().unwrap();
        let page = |name: &str| {
            let found = all.iter().find(|(known, _)| known == name);
            found
                .unwrap_or_else(|| panic!("{name}: {:?}", all.iter().map(|p| &p.0).collect::<Vec<_>>()))
                .1
                .clone()
        };
        assert!(page("man1/wheelhouse.1").contains("terminal cockpit"));
        assert!(page("man1/wheelhouse-scale.1").contains("replicas"));
        assert!(page("man1/wheelhouse-galera-take-out.1").contains("MEMBER"));
        for topic in help::TOPICS {
            let text = page(&format!("man7/wheelhouse-{}.7", topic.name));
            assert!(text.starts_with(&format!(".TH wheelhouse-{} 7\n", topic.name)), "{text}");
            assert!(!text.contains("```") && !text.contains("|--"), "{text}");
        }
        assert_eq!(formatted(".x `-y`"), "\\&.x \\fB\\-y\\fR");
    }
}
