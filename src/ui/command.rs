//! The one table of commands: dispatch of keys, help, key bar, completion of the command line and the README's table
//! of keys are all derived from it. Nobody else matches a key, except where text is being typed.

pub mod habits;
mod keys;
mod on;
mod sort;
mod spelling;
mod table;
mod takes;

use std::borrow::Cow;

pub use self::{
    keys::{BadKey, bind, install, table},
    on::On,
    sort::Sort,
    spelling::{key_name, key_sign},
    table::COMMANDS,
    takes::Takes,
};

/// What a key or a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Half a page up.
    PageUp,
    /// Half a page down.
    PageDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// Open what is selected.
    Open,
    /// One step back; at the root, ask whether to quit.
    Back,
    /// Leave one step, never the program.
    Escape,
    /// Leave the program.
    Quit,
    /// The tenants.
    Tenants,
    /// The nodes.
    Nodes,
    /// The runs.
    Runs,
    /// The findings.
    Findings,
    /// The database.
    Database,
    /// The recovery sheet of the database.
    Recovery,
    /// Take the member out of every proxy.
    TakeOut,
    /// Bring the member back into every proxy.
    BringBack,
    /// Let every proxy write to the member.
    MoveWriter,
    /// Take the member out of flow control.
    Desync,
    /// Bring the member back into flow control.
    Resync,
    /// Change the weight of the member in every proxy.
    Weight,
    /// Add a server to every proxy.
    AddServer,
    /// Remove the server from every proxy.
    RemoveServer,
    /// Save what the proxies run to their disks.
    Save,
    /// Open a tenant by name.
    Tenant,
    /// To the next thing that is wrong.
    Trouble,
    /// What answers the finding.
    Answer,
    /// What answers another of the first lines: the place of its key among those of the command.
    AnswerLine(u8),
    /// The text takes the whole screen.
    FullScreen,
    /// Change the number of replicas.
    Scale,
    /// Propose one replica more.
    More,
    /// Propose one replica less.
    Less,
    /// Migrate the tenant's database.
    Migrate,
    /// Take the last run back.
    Undo,
    /// All that can be done here, and why not.
    Menu,
    /// Mark or unmark the row.
    Mark,
    /// Type a filter.
    Filter,
    /// Only what is wrong.
    Faults,
    /// Order by the next column.
    SortNext,
    /// Order by the column before.
    SortPrevious,
    /// Order by this column.
    Sort(Sort),
    /// Order by the column named.
    SortBy,
    /// The next section.
    Next,
    /// The section before.
    Previous,
    /// The object under the cursor in words, with its events.
    Describe,
    /// The object under the cursor as YAML.
    Yaml,
    /// A shell in a container.
    Exec,
    /// The log of the tenant or the pod.
    Logs,
    /// All pods in one log, or one of them.
    AllPods,
    /// The log of the next pod.
    NextPod,
    /// The log of the pod before.
    PreviousPod,
    /// How far back the log is read.
    Since,
    /// How the times of the log are shown.
    Times,
    /// Long lines go on below, or are cut.
    Wrap,
    /// The lines around those that match as well.
    Around,
    /// To the line before that matches.
    OlderMatch,
    /// To the next line that matches.
    NewerMatch,
    /// Save the lines of the log in a file.
    SaveLog,
    /// Another container's log.
    Container,
    /// Follow the log, or hold it.
    Follow,
    /// The log of the container before its last restart.
    Before,
    /// Finish an unfinished run.
    Resume,
    /// Let a run stand after its present step.
    Pause,
    /// Close an unfinished run for good.
    GiveUp,
    /// Take what a run waits for as succeeded.
    Succeeded,
    /// Move pods so that tenants are spread and nodes even.
    Rebalance,
    /// Keep new pods off the node, or let them come again.
    Cordon,
    /// Let new pods come to the node again.
    Uncordon,
    /// Empty the node.
    Drain,
    /// Uncordon the node and move pods back onto it.
    Undrain,
    /// Replace every pod of the tenant.
    Restart,
    /// Give the pods of the tenant other limits while they run.
    Resize,
    /// Move the pod to another node.
    MovePod,
    /// Delete the pod.
    DeletePod,
    /// Skip the present item of a campaign.
    Skip,
    /// Try the present item of a campaign again.
    Retry,
    /// Abort a run that is under way: what it borrowed is given back.
    Abort,
    /// Give the tenant the template it had before.
    Rollback,
    /// Stop a campaign after its present items.
    StopAfter,
    /// What happens if a node is lost.
    WhatIf,
    /// The nodes by the harm of their loss.
    Ranking,
    /// The platform around.
    Platform,
    /// Crash or drain.
    Loss,
    /// The arithmetic of a tenant's headroom, and what fits.
    Headroom,
    /// Run the plan.
    Yes,
    /// Change the number.
    Edit,
    /// Say why it is done.
    Reason,
    /// Keep the journal on this machine only.
    JournalHere,
    /// Copy what is shown for use elsewhere: the kubectl line, the statements, the recovery sheet.
    Copy,
    /// Copy the name of what is selected.
    CopyName,
    /// Copy the line that is looked at.
    CopyLine,
    /// To the place before.
    Earlier,
    /// To the place after that.
    Later,
    /// To the node of the pod.
    ShowNode,
    /// To what the finding follows from.
    Cause,
    /// A port of this machine leads to one of a pod.
    Forward,
    /// The port-forwards that are open.
    Forwards,
    /// The action log.
    Actions,
    /// What happened in the last hours.
    Timeline,
    /// Save the report of an incident.
    Export,
    /// To the moment before, of a recording.
    MomentBefore,
    /// To the next moment of a recording.
    MomentAfter,
    /// A minute back in a recording.
    MinuteBack,
    /// A minute on.
    MinuteOn,
    /// Ten minutes back in a recording.
    MinutesBack,
    /// Ten minutes on.
    MinutesOn,
    /// To a moment of a recording that is typed.
    At,
    /// Mark a moment of a recording, or compare it with the marked one.
    Compare,
    /// Close a port-forward.
    CloseForward,
    /// The command line.
    CommandLine,
    /// What the keys do.
    Help,
    /// Another context of the kubeconfig.
    Context,
    /// Another namespace, or all.
    Namespace,
    /// Lift read-only for a while.
    Unlock,
    /// Be read-only again.
    Lock,
    /// Let the credential plug-in ask on the terminal.
    Login,
    /// Another theme.
    Theme,
    /// A hint, in a drill.
    Hint,
    /// Draw everything again.
    Redraw,
    /// Stop the process until `fg`.
    Suspend,
    /// Leave, asking only when a run of this session is under way.
    Interrupt,
}

impl Command {
    /// It does something to a run or campaign, as far as that one lets it.
    pub fn is_of_runs(self) -> bool {
        matches!(
            self,
            Self::GiveUp
                | Self::Undo
                | Self::Abort
                | Self::Pause
                | Self::Resume
                | Self::Skip
                | Self::Retry
                | Self::StopAfter
        )
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it does.
    pub command: Command,
    /// Its name on the command line.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Its keys, as [`key_name`] spells them.
    pub keys: &'static [&'static str],
    /// One line of help.
    pub doc: &'static str,
    /// Where it applies.
    pub on: &'static [On],
    /// The word in the key bar, and its rank there: the lowest come first. `None`: not in the bar.
    pub bar: Option<(u8, &'static str)>,
    /// The word there where it takes back what it does elsewhere.
    pub back: Option<&'static str>,
    /// It leads to a change of the cluster: not in read-only mode.
    pub acts: bool,
    /// What it takes on the command line.
    pub takes: Takes,
    /// By its name it applies on every screen, wherever its key does.
    pub anywhere: bool,
}

impl Entry {
    /// Whether it applies there.
    pub fn applies(&self, on: On) -> bool {
        self.on.contains(&on) || (on != On::Review && self.on.contains(&On::Any))
    }
}

/// The command a key stands for there.
pub fn by_key(key: &str, on: On) -> Option<&'static Entry> {
    let hit = |e: &&Entry| e.keys.contains(&key);
    table()
        .iter()
        .filter(hit)
        .find(|e| e.on.contains(&on))
        .or_else(|| table().iter().filter(hit).find(|e| e.applies(on)))
}

/// The row of a command.
pub fn of(command: Command) -> &'static Entry {
    table().iter().find(|e| e.command == command).expect("every command has its row, by the test below")
}

/// The key of a command as the screens show it; a command without one is typed: `:undo`.
pub fn sign(command: Command) -> Cow<'static, str> {
    let entry = of(command);
    entry.keys.first().map_or_else(|| format!(":{}", entry.name).into(), |key| key_sign(key).into())
}

/// The first key of a command as the screens show it; of one without a key its name.
pub fn first_key(command: Command) -> &'static str {
    let entry = of(command);
    entry.keys.first().map_or(entry.name, |key| key_sign(key))
}

/// The command of that name or alias.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    table().iter().find(|e| e.name == name || e.aliases.contains(&name))
}

/// What the key bar shows there, in order.
pub fn bar(on: On) -> Vec<&'static Entry> {
    let mut shown: Vec<_> = table()
        .iter()
        .filter(|e| e.bar.is_some() && e.applies(on))
        .filter(|e| on == On::Review || e.command != Command::Escape)
        .collect();
    shown.sort_by_key(|e| e.bar.map(|(rank, _)| rank));
    shown
}

/// The table of keys for the README, in Markdown.
pub fn markdown() -> String {
    let mut out = String::from("| Key | Command | What it does | Where |\n|---|---|---|---|\n");
    for e in COMMANDS {
        let keys: Vec<_> = e.keys.iter().map(|k| format!("`{}`", key_sign(k).replace('|', "\\|"))).collect();
        let takes = e.takes.word();
        let name = if takes.is_empty() { e.name.to_owned() } else { format!("{} {takes}", e.name) };
        let places = if e.on.contains(&On::Any) {
            "everywhere".to_owned()
        } else {
            let mut places: Vec<_> = e.on.iter().map(|on| on.title().to_lowercase()).collect();
            if e.anywhere {
                places.push("by its name everywhere".into());
            }
            places.join(", ")
        };
        out.push_str(&format!("| {} | `:{name}` | {} | {places} |\n", keys.join(" "), e.doc));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_means_one_thing_in_one_place() {
        for place in On::ALL {
            let mut seen = std::collections::BTreeMap::new();
            for e in COMMANDS.iter().filter(|e| e.applies(place)) {
                for key in e.keys {
                    let before = seen.insert(*key, e.name);
                    assert_eq!(before, None, "{key} on {place:?}: {} too", e.name);
                }
            }
        }
    }

    #[test]
    fn no_key_that_orders_rows_acts_elsewhere() {
        for sort in COMMANDS.iter().filter(|e| matches!(e.command, Command::Sort(_))) {
            for key in sort.keys {
                let acts = COMMANDS.iter().find(|e| e.acts && e.keys.contains(key));
                assert!(
                    acts.is_none(),
                    "{key} of {} is the key of {} too",
                    sort.name,
                    acts.map_or("", |e| e.name)
                );
            }
        }
    }

    #[test]
    fn the_bar_names_a_command_as_the_help_does() {
        // These say what happens, in a place where the name says less.
        let own = [Command::Yes, Command::Loss, Command::At, Command::Escape];
        for e in COMMANDS.iter().filter(|e| !own.contains(&e.command)) {
            let Some((_, word)) = e.bar else { continue };
            let word = word.to_lowercase().replace(' ', "-");
            let names = || e.aliases.iter().chain([&e.name]);
            let same = names().any(|name| name.contains(&*word) || word.contains(name));
            assert!(same, "{word} is {}", e.name);
        }
    }

    #[test]
    fn names_are_unique_and_hazardous_keys_stay_free() {
        let mut names: Vec<_> = COMMANDS.iter().flat_map(|e| e.aliases.iter().chain([&e.name])).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for e in COMMANDS {
            for key in ["ctrl-k", "ctrl-x", "ctrl-s", "ctrl-q", "ctrl-a"] {
                assert!(!e.keys.contains(&key), "{} takes {key}", e.name);
            }
            assert!(!e.doc.is_empty() && !e.name.is_empty());
            assert_eq!(of(e.command).name, e.name);
        }
    }

    #[test]
    fn nothing_is_confirmed_by_the_key_that_asks() {
        let yes = of(Command::Yes);
        for opener in [
            Command::Scale,
            Command::More,
            Command::Less,
            Command::Undo,
            Command::Open,
            Command::Rebalance,
            Command::Drain,
            Command::Undrain,
            Command::Cordon,
            Command::Restart,
            Command::Resize,
            Command::MovePod,
            Command::DeletePod,
        ] {
            assert!(of(opener).keys.iter().all(|key| !yes.keys.contains(key)));
        }
        assert!(!yes.keys.contains(&"enter"));
    }

    #[test]
    fn the_readme_table_has_every_command() {
        let table = markdown();
        for e in COMMANDS {
            assert!(table.contains(&format!("`:{}", e.name)), "{}", e.name);
        }
    }
}
