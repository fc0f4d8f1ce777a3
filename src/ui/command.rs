//! The one table of commands: dispatch of keys, help, key bar, completion of the command line and the README's table
//! of keys are all derived from it. Nobody else matches a key, except where text is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::views::tenants::Sort;

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
    /// Save what the proxies run to their disks.
    Save,
    /// Open a tenant by name.
    Tenant,
    /// To the next thing that is wrong.
    Trouble,
    /// Change the number of replicas.
    Scale,
    /// Propose one replica more.
    More,
    /// Propose one replica less.
    Less,
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
    /// What happens if a node is lost.
    WhatIf,
    /// The nodes by the harm of their loss.
    Ranking,
    /// Crash or drain.
    Loss,
    /// The arithmetic of a tenant's headroom, and what fits.
    Headroom,
    /// Run the plan.
    Yes,
    /// Change the number.
    Edit,
    /// Keep the journal on this machine only.
    JournalHere,
    /// Copy the kubectl line.
    Copy,
    /// The command line.
    CommandLine,
    /// What the keys do.
    Help,
    /// Another theme.
    Theme,
    /// Draw everything anew.
    Redraw,
    /// Stop the process until `fg`.
    Suspend,
    /// Leave, asking only when a run of this session is under way.
    Interrupt,
}

/// Where a command applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// On every screen.
    Any,
    /// The tenants.
    Tenants,
    /// The nodes.
    Nodes,
    /// One node.
    Node,
    /// One tenant.
    Tenant,
    /// The runs.
    Runs,
    /// One run.
    Run,
    /// The findings.
    Findings,
    /// What happens if nodes are lost.
    WhatIf,
    /// The nodes by the harm of their loss.
    Ranking,
    /// The headroom of a tenant.
    Headroom,
    /// The database.
    Database,
    /// The recovery sheet.
    Recovery,
    /// The review of a plan.
    Review,
}

impl On {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Any => "Everywhere",
            Self::Tenants => "Tenants",
            Self::Nodes => "Nodes",
            Self::Node => "A node",
            Self::Tenant => "A tenant",
            Self::Runs => "Runs",
            Self::Run => "A run",
            Self::Findings => "Findings",
            Self::WhatIf => "What if",
            Self::Ranking => "Nodes by harm",
            Self::Headroom => "Headroom",
            Self::Database => "Database",
            Self::Recovery => "Recovery sheet",
            Self::Review => "Review of a plan",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
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
    /// It leads to a change of the cluster: not in read-only mode.
    pub acts: bool,
    /// What it takes on the command line.
    pub takes: Takes,
}

/// What a command takes on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A tenant.
    Tenant,
    /// A tenant and a number.
    TenantNumber,
    /// A node, or nothing.
    Node,
    /// A run.
    Run,
    /// A theme.
    Theme,
    /// A column.
    Column,
    /// Any text.
    Text,
}

impl Takes {
    /// As the help shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Tenant => "TENANT",
            Self::TenantNumber => "TENANT NUMBER",
            Self::Node => "[NODE]",
            Self::Run => "RUN",
            Self::Theme => "THEME",
            Self::Column => "COLUMN",
            Self::Text => "TEXT",
        }
    }
}

const fn entry(
    command: Command,
    name: &'static str,
    keys: &'static [&'static str],
    doc: &'static str,
    on: &'static [On],
) -> Entry {
    Entry { command, name, aliases: &[], keys, doc, on, bar: None, acts: false, takes: Takes::Nothing }
}

impl Entry {
    const fn bar(mut self, rank: u8, word: &'static str) -> Self {
        self.bar = Some((rank, word));
        self
    }

    const fn acts(mut self) -> Self {
        self.acts = true;
        self
    }

    const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Whether it applies there.
    pub fn applies(&self, on: On) -> bool {
        self.on.contains(&on) || (on != On::Review && self.on.contains(&On::Any))
    }
}

const ANY: &[On] = &[On::Any];
const LISTS: &[On] = &[On::Any, On::Review];
const ROWS: &[On] =
    &[On::Tenants, On::Nodes, On::Node, On::Tenant, On::Runs, On::Findings, On::Ranking, On::Database];
const SCALED: &[On] = &[On::Tenants, On::Tenant, On::Node, On::Headroom];
const LOST: &[On] = &[On::Nodes, On::Node, On::Ranking, On::Tenants, On::Database];
const DATABASE: &[On] = &[On::Database];
const RUNS: &[On] = &[On::Runs, On::Run];
const UNDONE: &[On] = &[On::Tenants, On::Tenant, On::Runs, On::Run];

/// All commands.
pub const COMMANDS: &[Entry] = &[
    entry(Command::Scale, "scale", &["s"], "scale: asks for the number, then shows the plan", SCALED)
        .bar(10, "scale")
        .acts()
        .takes(Takes::TenantNumber),
    entry(Command::More, "more", &["+", "="], "propose one replica more", SCALED).bar(11, "one more").acts(),
    entry(Command::Less, "less", &["-"], "propose one replica less", SCALED).bar(12, "less").acts(),
    entry(Command::Resume, "resume", &["r"], "finish an unfinished run", RUNS)
        .bar(10, "resume")
        .acts()
        .takes(Takes::Run),
    entry(Command::Pause, "pause", &["p"], "let the run stand after its present step", &[On::Run])
        .bar(11, "pause")
        .acts(),
    entry(Command::Undo, "undo", &["u"], "take the last run back: shows the inverse plan", UNDONE)
        .bar(13, "undo")
        .acts()
        .takes(Takes::Run),
    entry(Command::Open, "open", &["enter"], "open what is selected", ROWS).bar(20, "open"),
    entry(Command::Yes, "yes", &["y"], "run the plan, once it has been read", &[On::Review])
        .bar(1, "run")
        .acts(),
    entry(Command::Edit, "edit", &["e"], "change the number", &[On::Review]).bar(2, "edit"),
    entry(
        Command::JournalHere,
        "journal-here",
        &["J"],
        "keep the journal on this machine only, when the cluster cannot: nobody else can finish the run",
        &[On::Review],
    ),
    entry(Command::Copy, "copy", &["c"], "copy the kubectl line", &[On::Review]).bar(4, "copy kubectl"),
    entry(Command::Next, "next-section", &["tab"], "the next section", &[On::Tenant, On::Database])
        .bar(21, "section"),
    entry(
        Command::Previous,
        "previous-section",
        &["shift-tab"],
        "the section before",
        &[On::Tenant, On::Database],
    ),
    entry(Command::Container, "container", &["c"], "another container's log", &[On::Tenant])
        .bar(22, "container"),
    entry(Command::Follow, "follow", &["F"], "follow the log, or hold it", &[On::Tenant]),
    entry(Command::Before, "before", &["P"], "the log before the last restart", &[On::Tenant]),
    entry(
        Command::WhatIf,
        "what-if",
        &["w"],
        "what happens if the node, or the marked ones, is lost now",
        LOST,
    )
    .bar(23, "what-if")
    .takes(Takes::Node),
    entry(Command::Loss, "loss", &["d"], "another loss: crash or drain", &[On::WhatIf])
        .bar(10, "crash/drain"),
    entry(Command::Ranking, "ranking", &["W"], "the nodes by the harm of their loss", ANY),
    entry(
        Command::Headroom,
        "headroom",
        &["h"],
        "the arithmetic of a tenant's headroom, and how many more replicas fit where",
        &[On::Tenants, On::Tenant, On::Node],
    )
    .bar(35, "headroom")
    .takes(Takes::Tenant),
    entry(Command::Trouble, "trouble", &["n"], "to the next thing that is wrong", ANY)
        .bar(30, "next trouble"),
    entry(Command::Faults, "faults", &["!"], "only what is wrong", &[On::Tenants, On::Nodes, On::Database])
        .bar(31, "faults"),
    entry(
        Command::Filter,
        "filter",
        &["/"],
        "show only names, words or images that contain a text",
        &[On::Tenants, On::Nodes, On::Runs, On::Findings, On::Database],
    )
    .bar(32, "filter")
    .takes(Takes::Text),
    entry(
        Command::Mark,
        "mark",
        &["space"],
        "mark the row: the next command then is about all marked ones",
        &[On::Tenants, On::Nodes, On::Ranking],
    )
    .bar(33, "mark"),
    entry(Command::Sort(Sort::Worst), "sort-worst", &["S"], "the worst first", &[On::Tenants]),
    entry(Command::Sort(Sort::Name), "sort-name", &["N"], "by name", &[On::Tenants]),
    entry(
        Command::Sort(Sort::Ready),
        "sort-ready",
        &["R"],
        "by the share of pods that are ready",
        &[On::Tenants],
    ),
    entry(Command::Sort(Sort::Replicas), "sort-pods", &["D"], "by replicas asked for", &[On::Tenants]),
    entry(Command::Sort(Sort::Left), "sort-left", &["L"], "by requests left", &[On::Tenants]),
    entry(Command::Sort(Sort::Memory), "sort-memory", &["M"], "by memory used of its limit", &[On::Tenants]),
    entry(Command::Sort(Sort::Restarts), "sort-restarts", &["X"], "by restarts", &[On::Tenants]),
    entry(Command::Sort(Sort::Image), "sort-image", &["I"], "by image", &[On::Tenants]),
    entry(Command::SortPrevious, "sort-previous", &["<"], "order by the column before", &[On::Tenants]),
    entry(Command::SortNext, "sort-next", &[">"], "order by the next column", &[On::Tenants]),
    entry(Command::SortBy, "sort", &[], "order the tenants by a column", ANY).takes(Takes::Column),
    entry(Command::Menu, "menu", &["m"], "all that can be done with the row, and why not", ANY)
        .bar(34, "menu"),
    entry(Command::Tenants, "tenants", &["1"], "tenants and where their pods sit", ANY),
    entry(Command::Nodes, "nodes", &["2"], "nodes and what they carry", ANY)
        .takes(Takes::Node)
        .aliases(&["node"]),
    entry(Command::Runs, "runs", &["3"], "what was done, by whom, and what is unfinished", ANY)
        .aliases(&["history"]),
    entry(
        Command::Database,
        "database",
        &["4"],
        "the members of the database, and the proxies in front of them",
        ANY,
    )
    .aliases(&["db", "galera", "proxysql"]),
    entry(Command::TakeOut, "take-out", &["t"], "take the member out of every proxy", DATABASE)
        .bar(10, "take out")
        .acts(),
    entry(Command::BringBack, "bring-back", &["b"], "bring the member back into every proxy", DATABASE)
        .bar(11, "bring back")
        .acts(),
    entry(Command::MoveWriter, "move-writer", &["M"], "let every proxy write to the member", DATABASE)
        .bar(12, "writer")
        .acts(),
    entry(Command::Desync, "desync", &["D"], "take the member out of flow control", DATABASE).acts(),
    entry(Command::Resync, "resync", &["Y"], "bring the member back into flow control", DATABASE).acts(),
    entry(
        Command::Save,
        "save",
        &["S"],
        "save what the selected proxy runs to its disk; with a member selected, every proxy that differs",
        DATABASE,
    )
    .acts(),
    entry(
        Command::Recovery,
        "recovery",
        &["R"],
        "the recovery sheet, when no member has a quorum: it is shown, never run",
        &[On::Database, On::Findings],
    )
    .bar(35, "recovery"),
    entry(Command::Findings, "findings", &["f", "5"], "everything that is wrong", ANY),
    entry(Command::Tenant, "tenant", &[], "open a tenant", ANY).takes(Takes::Tenant),
    entry(Command::CommandLine, "command", &[":"], "type a command", ANY).bar(40, "command"),
    entry(Command::Help, "help", &["?", "F1"], "what the keys do", ANY).bar(41, "help"),
    entry(Command::Up, "up", &["k", "up"], "one row up", LISTS),
    entry(Command::Down, "down", &["j", "down"], "one row down", LISTS),
    entry(Command::PageUp, "page-up", &["ctrl-u", "pageup", "ctrl-b"], "half a page up", LISTS),
    entry(Command::PageDown, "page-down", &["ctrl-d", "pagedown", "ctrl-f"], "half a page down", LISTS),
    entry(Command::Top, "top", &["g", "home"], "to the first row", LISTS),
    entry(Command::Bottom, "bottom", &["G", "end"], "to the last row", LISTS),
    entry(Command::Theme, "theme", &[], "another theme", ANY).takes(Takes::Theme),
    entry(Command::Redraw, "redraw", &["ctrl-l"], "draw everything anew", LISTS),
    entry(Command::Suspend, "suspend", &["ctrl-z"], "back to the shell until `fg`", LISTS),
    entry(Command::Escape, "escape", &["esc"], "leave: an overlay, a filter, marks, a screen", LISTS)
        .bar(90, "leave it"),
    entry(Command::Back, "back", &["q"], "one step back; on the first screen, asks whether to quit", LISTS),
    entry(Command::Quit, "quit", &[], "leave the program", ANY).aliases(&["q", "exit"]),
    entry(
        Command::Interrupt,
        "interrupt",
        &["ctrl-c"],
        "leave the program; asks when a run is under way",
        LISTS,
    ),
];

/// The command a key stands for there.
pub fn by_key(key: &str, on: On) -> Option<&'static Entry> {
    let hit = |e: &&Entry| e.keys.contains(&key);
    COMMANDS
        .iter()
        .filter(hit)
        .find(|e| e.on.contains(&on))
        .or_else(|| COMMANDS.iter().filter(hit).find(|e| e.applies(on)))
}

/// The row of a command.
pub fn of(command: Command) -> &'static Entry {
    COMMANDS.iter().find(|e| e.command == command).expect("every command has its row, by the test below")
}

/// The command of that name or alias.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|e| e.name == name || e.aliases.contains(&name))
}

/// What the key bar shows there, in order.
pub fn bar(on: On) -> Vec<&'static Entry> {
    let mut shown: Vec<_> = COMMANDS
        .iter()
        .filter(|e| e.bar.is_some() && e.applies(on))
        .filter(|e| on == On::Review || e.command != Command::Escape)
        .collect();
    shown.sort_by_key(|e| e.bar.map(|(rank, _)| rank));
    shown
}

/// A key as the table spells it: `s`, `S`, `ctrl-l`, `enter`, `shift-tab`, `F1`.
pub fn key_name(key: &KeyEvent) -> String {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let base = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) if ctrl => c.to_ascii_lowercase().to_string(),
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::SHIFT) => c.to_uppercase().to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => "shift-tab".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        KeyCode::F(n) => format!("F{n}"),
        _ => String::new(),
    };
    match (ctrl, alt) {
        (_, true) => format!("alt-{base}"),
        (true, false) => format!("ctrl-{base}"),
        (false, false) => base,
    }
}

/// A key as the screens show it.
pub fn key_sign(key: &str) -> &str {
    match key {
        "enter" => "⏎",
        "up" => "↑",
        "down" => "↓",
        "shift-tab" => "⇧tab",
        other => other,
    }
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
            e.on.iter().map(|on| on.title().to_lowercase()).collect::<Vec<_>>().join(", ")
        };
        out.push_str(&format!("| {} | `:{name}` | {} | {places} |\n", keys.join(" "), e.doc));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [On; 13] = [
        On::Tenants,
        On::Nodes,
        On::Node,
        On::Tenant,
        On::Runs,
        On::Run,
        On::Findings,
        On::WhatIf,
        On::Ranking,
        On::Headroom,
        On::Database,
        On::Recovery,
        On::Review,
    ];

    #[test]
    fn a_key_means_one_thing_in_one_place() {
        for place in PLACES {
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
        for opener in [Command::Scale, Command::More, Command::Less, Command::Undo, Command::Open] {
            assert!(of(opener).keys.iter().all(|key| !yes.keys.contains(key)));
        }
        assert!(!yes.keys.contains(&"enter"));
    }

    #[test]
    fn keys_have_one_spelling() {
        let key = |code, modifiers| key_name(&KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('S'), KeyModifiers::SHIFT), "S");
        assert_eq!(key(KeyCode::Char('s'), KeyModifiers::SHIFT), "S");
        assert_eq!(key(KeyCode::Char('L'), KeyModifiers::CONTROL), "ctrl-l");
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), "shift-tab");
        assert_eq!(key(KeyCode::Char('y'), KeyModifiers::ALT), "alt-y");
    }

    #[test]
    fn the_readme_table_has_every_command() {
        let table = markdown();
        for e in COMMANDS {
            assert!(table.contains(&format!("`:{}", e.name)), "{}", e.name);
        }
    }
}
