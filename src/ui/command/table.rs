//! The rows of the table of commands.

use super::{Command, Entry, On, Sort, Takes};

const fn entry(
    command: Command,
    name: &'static str,
    keys: &'static [&'static str],
    doc: &'static str,
    on: &'static [On],
) -> Entry {
    Entry {
        command,
        name,
        aliases: &[],
        keys,
        doc,
        on,
        bar: None,
        back: None,
        acts: false,
        takes: Takes::Nothing,
        anywhere: false,
    }
}

impl Entry {
    const fn bar(mut self, rank: u8, word: &'static str) -> Self {
        self.bar = Some((rank, word));
        self
    }

    const fn back(mut self, word: &'static str) -> Self {
        self.back = Some(word);
        self
    }

    const fn acts(mut self) -> Self {
        self.acts = true;
        self
    }

    const fn anywhere(mut self) -> Self {
        self.anywhere = true;
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
}

const ANY: &[On] = &[On::Any];
const LISTS: &[On] = &[On::Any, On::Review];
const ROWS: &[On] = &[
    On::Tenants,
    On::Nodes,
    On::Node,
    On::Tenant,
    On::Runs,
    On::Campaign,
    On::Findings,
    On::Ranking,
    On::Database,
    On::Actions,
    On::Timeline,
    On::Compare,
    On::Platform,
];
const NAMED: &[On] = &[
    On::Tenants,
    On::Nodes,
    On::Node,
    On::Tenant,
    On::Runs,
    On::Run,
    On::Campaign,
    On::Findings,
    On::Ranking,
    On::WhatIf,
    On::Headroom,
    On::Database,
    On::Forwards,
    On::Actions,
    On::Timeline,
    On::Compare,
    On::Platform,
];
const SORTED: &[On] = &[
    On::Tenants,
    On::Tenant,
    On::Nodes,
    On::Node,
    On::Runs,
    On::Findings,
    On::Ranking,
    On::Database,
    On::Actions,
    On::Compare,
    On::Platform,
];
const SCALED: &[On] = &[On::Tenants, On::Tenant, On::Node, On::Headroom];
const LOST: &[On] = &[On::Nodes, On::Node, On::Ranking, On::Tenants, On::Database];
const DATABASE: &[On] = &[On::Database];
const RUNS: &[On] = &[On::Runs, On::Run, On::Campaign];
const UNDONE: &[On] = &[On::Tenants, On::Tenant, On::Nodes, On::Node, On::Runs, On::Run, On::Campaign];
const ANSWERED: &[On] = &[
    On::Tenants,
    On::Tenant,
    On::Nodes,
    On::Node,
    On::Runs,
    On::Run,
    On::Campaign,
    On::Findings,
    On::Ranking,
    On::Database,
    On::Platform,
];
/// Where `t` is free.
const SHOWN: &[On] = &[
    On::Tenants,
    On::Tenant,
    On::Nodes,
    On::Node,
    On::Runs,
    On::Run,
    On::Campaign,
    On::Findings,
    On::WhatIf,
    On::Ranking,
    On::Headroom,
    On::Recovery,
    On::Object,
    On::Forwards,
    On::Actions,
    On::Compare,
    On::Platform,
];
const OF_NODES: &[On] = &[On::Nodes, On::Node];

/// All commands.
pub const COMMANDS: &[Entry] = &[
    entry(Command::Scale, "scale", &["s"], "scale: asks for the number, then shows the plan", SCALED)
        .bar(10, "scale")
        .acts()
        .takes(Takes::TenantNumber),
    entry(Command::More, "more", &["+", "="], "propose one replica more", SCALED).bar(11, "one more").acts(),
    entry(Command::Less, "less", &["-"], "propose one replica less", SCALED).bar(12, "less").acts(),
    entry(
        Command::Migrate,
        "migrate",
        &["M"],
        "migrate the database of the tenant, or of all marked ones: asks for the image, then shows the plan",
        &[On::Tenants, On::Tenant],
    )
    .bar(36, "migrate")
    .acts()
    .takes(Takes::Tenant),
    entry(
        Command::Rebalance,
        "rebalance",
        &["b"],
        "rebalance the cluster, or what is marked: shows the pods before and after, no ready pod is lost",
        &[On::Tenants, On::Tenant, On::Nodes, On::Node, On::Findings, On::Campaign],
    )
    .bar(13, "rebalance")
    .acts()
    .anywhere(),
    entry(Command::Cordon, "cordon", &["C"], "cordon the node, or uncordon it", OF_NODES)
        .bar(8, "cordon")
        .back("uncordon")
        .acts()
        .takes(Takes::Node),
    entry(Command::Uncordon, "uncordon", &[], "let new pods come to the node again", OF_NODES)
        .acts()
        .takes(Takes::Node),
    entry(
        Command::Drain,
        "drain",
        &["D"],
        "drain the node: cordon it, and move all its pods away without losing a ready one",
        OF_NODES,
    )
    .bar(9, "drain")
    .acts()
    .takes(Takes::Node),
    entry(
        Command::Undrain,
        "undrain",
        &["U"],
        "uncordon the node, and move pods back onto it",
        &[On::Nodes, On::Node, On::Findings],
    )
    .bar(24, "undrain")
    .acts()
    .takes(Takes::Node),
    entry(
        Command::Restart,
        "restart",
        &["r"],
        "restart the tenant: its rollout replaces every pod",
        &[On::Tenants, On::Tenant, On::Node],
    )
    .bar(36, "restart")
    .acts()
    .takes(Takes::Tenant),
    entry(
        Command::Resize,
        "resize",
        &["V"],
        "resize the pods of the tenant in place: asks for the memory limit, then shows the plan",
        &[On::Tenants, On::Tenant, On::Headroom],
    )
    .bar(38, "resize")
    .acts()
    .takes(Takes::Tenant),
    entry(
        Command::Rollback,
        "rollback",
        &["Z"],
        "roll the tenant back to the revision before: shows how image, environment and resources differ",
        &[On::Tenant],
    )
    .bar(37, "rollback")
    .acts()
    .takes(Takes::Tenant),
    entry(
        Command::MovePod,
        "move-pod",
        &["v"],
        "move the selected pod to another node: lists the nodes, and why some do not take it",
        &[On::Tenant],
    )
    .bar(24, "move pod")
    .acts(),
    entry(
        Command::DeletePod,
        "delete-pod",
        &["x"],
        "delete the selected pod, or the one a finding says is left over",
        &[On::Tenant, On::Findings],
    )
    .bar(25, "delete pod")
    .acts(),
    entry(Command::Skip, "skip", &["s"], "skip this tenant: it stays as it is", &[On::Campaign])
        .bar(12, "skip")
        .acts(),
    entry(Command::Retry, "retry", &["R"], "try this one again: it failed, or was left out", &[On::Run, On::Campaign])
        .bar(15, "retry")
        .acts(),
    entry(
        Command::StopAfter,
        "stop",
        &["S"],
        "stop after what is under way: what is done stays, the rest is not begun",
        &[On::Campaign],
    )
    .bar(12, "stop")
    .acts(),
    entry(Command::Resume, "resume", &["r"], "finish an unfinished run", RUNS)
        .bar(10, "resume")
        .acts()
        .takes(Takes::Run),
    entry(Command::Pause, "pause", &["p"], "pause it after its present step; what it borrowed is given back, a move that is not through is made again", &[On::Run, On::Campaign])
        .bar(11, "pause")
        .acts(),
    entry(
        Command::Abort,
        "abort",
        &["X"],
        "abort the run that is under way: says what is given back, and what a job that runs would leave, then asks",
        &[On::Run],
    )
    .bar(12, "abort")
    .acts(),
    entry(
        Command::GiveUp,
        "give-up",
        &["x"],
        "close a run that is paused or interrupted: asks why, what it did stays",
        RUNS,
    )
    .bar(14, "give up")
    .acts()
    .takes(Takes::Run),
    entry(
        Command::Succeeded,
        "succeeded",
        &["Y"],
        "go on with a run whose migration has succeeded, where nothing that can be seen tells",
        &[On::Runs, On::Run],
    )
    .acts()
    .takes(Takes::Run),
    entry(Command::Undo, "undo", &["u"], "take back the last run of what is selected: shows the inverse plan", UNDONE)
        .bar(13, "undo")
        .acts()
        .takes(Takes::Run),
    entry(Command::Open, "open", &["enter"], "open what is selected", ROWS).bar(20, "open"),
    entry(
        Command::Yes,
        "yes",
        &["y"],
        "run the plan, once all its lines have been on the screen",
        &[On::Review],
    )
    .bar(1, "run")
    .acts(),
    entry(Command::Edit, "edit", &["e"], "change the number, or how many moves and how fast", &[On::Review])
        .bar(2, "edit"),
    entry(Command::Reason, "reason", &["r"], "say why it is done: kept in the journal", &[On::Review])
        .bar(3, "reason"),
    entry(
        Command::JournalHere,
        "journal-here",
        &["J"],
        "keep the journal on this machine only, when the cluster cannot: nobody else can finish the run",
        &[On::Review],
    ),
    entry(
        Command::Copy,
        "copy",
        &["c"],
        "copy the kubectl line, the statements, the sheet, the text",
        &[On::Review, On::Recovery, On::Object],
    )
    .bar(4, "copy"),
    entry(Command::CopyName, "copy-name", &["c"], "copy its name, or what is wrong and what to do", NAMED),
    entry(
        Command::CopyLine,
        "copy-line",
        &["C"],
        "copy the line: the match, or else the last one of a log and the first one of an object",
        &[On::Log, On::Object],
    ),
    entry(
        Command::ShowNode,
        "show-node",
        &["o"],
        "the node of the selected pod; of a tenant the one with most of its ready pods",
        &[On::Tenants, On::Tenant, On::Object],
    )
    .bar(40, "node"),
    entry(Command::Cause, "cause", &["o"], "to what the finding follows from", &[On::Findings])
        .bar(22, "cause"),
    entry(
        Command::Forward,
        "port-forward",
        &["F"],
        "a port of 127.0.0.1 leads to one of the pod, or of the tenant's first ready pod, until the cockpit is left",
        &[On::Tenants, On::Tenant, On::Node, On::Object],
    )
    .bar(41, "port-forward")
    .takes(Takes::Ports)
    .aliases(&["pf"]),
    entry(Command::Forwards, "forwards", &[], "the port-forwards that are open", ANY),
    entry(Command::CloseForward, "close", &["x"], "close the port-forward", &[On::Forwards]).bar(10, "close"),
    entry(Command::Earlier, "earlier", &["["], "to the place before, as in a browser", ANY),
    entry(Command::Later, "later", &["]"], "to the place after that", ANY),
    entry(
        Command::Next,
        "next-section",
        &["tab"],
        "the next section",
        &[On::Tenant, On::Database, On::Campaign, On::Timeline, On::Review],
    )
    .bar(21, "section"),
    entry(
        Command::Previous,
        "previous-section",
        &["shift-tab"],
        "the section before",
        &[On::Tenant, On::Database, On::Campaign, On::Timeline, On::Review],
    ),
    entry(
        Command::Logs,
        "logs",
        &["l"],
        "the log of all pods of the tenant, or of the selected pod",
        &[On::Tenants, On::Tenant, On::Node],
    )
    .bar(22, "log")
    .takes(Takes::Tenant)
    .aliases(&["log"]),
    entry(
        Command::Exec,
        "exec",
        &["E"],
        "a shell in a container of the tenant or of the selected pod: exit leads back, and so do Enter ~ .",
        &[On::Tenants, On::Tenant, On::Node, On::Object, On::Log],
    )
    .bar(39, "shell")
    .acts()
    .takes(Takes::Pod)
    .aliases(&["shell"]),
    entry(
        Command::Describe,
        "describe",
        &["d"],
        "describe the pod, the workload or the node: what it is made of, how it is, its events",
        &[On::Tenants, On::Tenant, On::Nodes, On::Node, On::Object],
    )
    .bar(37, "describe"),
    entry(
        Command::Yaml,
        "yaml",
        &["y"],
        "the pod, the workload or the node as YAML",
        &[On::Tenants, On::Tenant, On::Nodes, On::Node, On::Object],
    )
    .bar(38, "YAML"),
    entry(Command::Container, "container", &["c"], "the next container, then all of them", &[On::Log])
        .bar(22, "container"),
    entry(Command::NextPod, "next-pod", &["tab"], "the next pod alone, then all of them", &[On::Log])
        .bar(21, "pod"),
    entry(Command::PreviousPod, "previous-pod", &["shift-tab"], "the pod before alone", &[On::Log]),
    entry(Command::AllPods, "all-pods", &["A"], "all pods in one log, by time", &[On::Log]),
    entry(Command::Follow, "follow", &["F"], "follow the log, or hold it", &[On::Log]).bar(20, "follow"),
    entry(Command::Before, "previous", &["P"], "the log before the last restart", &[On::Log])
        .bar(25, "previous")
        .aliases(&["before"]),
    entry(
        Command::Since,
        "since",
        &["o"],
        "how far back: the last lines, 5 min, 30 min, 1 h, 1 day; by its name any span, such as :since 10m",
        &[On::Log, On::Timeline],
    )
    .bar(23, "since")
    .takes(Takes::Span),
    entry(
        Command::Around,
        "around",
        &["e"],
        "show every line with what the filter looks for marked, or those lines only",
        &[On::Log],
    )
    .bar(33, "around"),
    entry(Command::OlderMatch, "older-match", &["<"], "to the line before that matches", &[On::Log]),
    entry(Command::NewerMatch, "newer-match", &[">"], "to the next line that matches", &[On::Log]),
    entry(Command::Times, "times", &["t"], "times by the clock, with the date, or none", &[On::Log]),
    entry(Command::Wrap, "wrap", &["w"], "long lines go on below, or are cut", &[On::Log]).bar(34, "wrap"),
    entry(
        Command::FullScreen,
        "full-screen",
        &["f"],
        "the text takes the whole screen, or gives it back",
        &[On::Log, On::Object],
    )
    .bar(27, "full"),
    entry(
        Command::SaveLog,
        "save-log",
        &["S"],
        "save the lines that are shown in a file: the one typed, or a new one in the state folder",
        &[On::Log],
    )
    .bar(26, "save")
    .takes(Takes::File),
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
    entry(
        Command::Platform,
        "platform",
        &[],
        "the platform around: edges, ingress nodes and what else is configured",
        ANY,
    )
    .aliases(&["edges"]),
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
    entry(
        Command::Answer,
        "answer",
        &["a"],
        "answer what is wrong with the selected one; among the tenants the first finding, or the one n led to: opens the plan, the question, the log or the sheet that is the way out",
        ANSWERED,
    )
    .bar(14, "answer"),
    entry(
        Command::AnswerLine(0),
        "answer-line",
        &["F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9"],
        "answer another of the first lines: each has its own key",
        &[On::Tenants],
    ),
    entry(Command::Trouble, "trouble", &["n"], "to the next thing that is wrong", ANY)
        .bar(30, "next trouble"),
    entry(Command::Faults, "faults", &["!"], "only what is wrong", &[On::Tenants, On::Nodes, On::Database])
        .bar(31, "faults"),
    entry(
        Command::Filter,
        "filter",
        &["/"],
        "show only what matches every word: words and regular expressions, !not, \"two words\", column:value, column:>5, label=value",
        &[
            On::Tenants,
            On::Tenant,
            On::Nodes,
            On::Node,
            On::Runs,
            On::Actions,
            On::Timeline,
            On::Compare,
            On::Findings,
            On::Ranking,
            On::Platform,
            On::Database,
            On::Object,
            On::Log,
        ],
    )
    .bar(32, "filter")
    .takes(Takes::Text),
    entry(
        Command::Mark,
        "mark",
        &["space"],
        "mark the row: what follows is about all marked ones; of runs, findings, members and pods it is copying",
        &[
            On::Tenants,
            On::Tenant,
            On::Nodes,
            On::Node,
            On::Runs,
            On::Findings,
            On::Ranking,
            On::Database,
            On::Actions,
        ],
    )
    .bar(33, "mark"),
    entry(Command::Sort(Sort::Worst), "sort-worst", &[], "the worst first", &[On::Tenants]),
    entry(Command::Sort(Sort::Name), "sort-name", &["N"], "by name", &[On::Tenants]),
    entry(
        Command::Sort(Sort::Ready),
        "sort-ready",
        &["P"],
        "by the share of pods that are ready",
        &[On::Tenants],
    ),
    entry(Command::Sort(Sort::Replicas), "sort-pods", &["A"], "by replicas asked for", &[On::Tenants]),
    entry(Command::Sort(Sort::Left), "sort-left", &["L"], "by requests left", &[On::Tenants]),
    entry(Command::Sort(Sort::Memory), "sort-memory", &["B"], "by memory used of its limit", &[On::Tenants]),
    entry(Command::Sort(Sort::Restarts), "sort-restarts", &["T"], "by restarts", &[On::Tenants]),
    entry(Command::Sort(Sort::Image), "sort-image", &["I"], "by image", &[On::Tenants]),
    entry(Command::SortPrevious, "sort-previous", &["<"], "order the rows as before this order", SORTED),
    entry(Command::SortNext, "sort-next", &[">"], "order the rows otherwise: the next order", SORTED),
    entry(Command::SortBy, "sort", &[], "order the rows by what is named; tab completes it", ANY)
        .takes(Takes::Column),
    entry(Command::Menu, "menu", &["m"], "all that can be done with the row, and why not", ANY)
        .bar(34, "menu"),
    entry(Command::Tenants, "tenants", &["1"], "tenants and where their pods sit", ANY),
    entry(Command::Nodes, "nodes", &["2"], "nodes and what they carry", ANY)
        .takes(Takes::Node)
        .aliases(&["node", "no"]),
    entry(Command::Runs, "runs", &["3"], "what was done, by whom, and what is unfinished", ANY)
        .aliases(&["history"]),
    entry(
        Command::Timeline,
        "timeline",
        &["t"],
        "the timeline: what happened in the last hours to tenants, nodes and the database, and in runs",
        SHOWN,
    )
    .bar(38, "timeline")
    .anywhere(),
    entry(
        Command::Export,
        "export",
        &["x"],
        "save the report of the incident, in Markdown and as JSON: states, events, actions, before and after",
        &[On::Timeline],
    )
    .bar(10, "export"),
    entry(Command::MinuteBack, "minute-back", &["<"], "a minute back in the recording", &[On::Replay])
        .bar(5, "back"),
    entry(Command::MinuteOn, "minute-on", &[">"], "a minute on in the recording", &[On::Replay]).bar(6, "on"),
    entry(Command::MinutesBack, "minutes-back", &["{"], "ten minutes back in the recording", &[On::Replay]),
    entry(Command::MinutesOn, "minutes-on", &["}"], "ten minutes on in the recording", &[On::Replay]),
    entry(Command::MomentBefore, "moment-before", &[","], "to the recorded moment before", &[On::Replay]),
    entry(Command::MomentAfter, "moment-after", &["."], "to the next recorded moment", &[On::Replay]),
    entry(
        Command::At,
        "at",
        &["T"],
        "to a time of the recording: 03:12, 2026-11-29 03:12, -10m (UTC)",
        &[On::Replay],
    )
    .bar(7, "time")
    .takes(Takes::Time),
    entry(
        Command::Compare,
        "compare",
        &["="],
        "mark this moment; at another one, show what both differ in",
        &[On::Replay],
    )
    .bar(8, "compare"),
    entry(
        Command::Actions,
        "actions",
        &["@"],
        "the action log: every request that changed anything, by whom, why, its result and its kubectl or SQL line",
        ANY,
    ),
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
    entry(
        Command::Weight,
        "weight",
        &["e"],
        "another weight of the member in every proxy: the heaviest that can write is the writer",
        DATABASE,
    )
    .bar(13, "weight")
    .acts()
    .takes(Takes::MemberNumber),
    entry(
        Command::AddServer,
        "add-server",
        &["+"],
        "add a server to every proxy: asks for its address, offers those that Galera names",
        DATABASE,
    )
    .bar(24, "add")
    .acts()
    .takes(Takes::Server),
    entry(
        Command::RemoveServer,
        "remove-server",
        &["x"],
        "remove the server selected among the proxies' from every proxy, member or not",
        DATABASE,
    )
    .bar(25, "remove")
    .acts()
    .takes(Takes::Server),
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
        &[On::Database, On::Findings, On::Tenants],
    )
    .bar(2, "recovery")
    .anywhere(),
    entry(Command::Findings, "findings", &["5"], "everything that is wrong", ANY),
    entry(Command::Tenant, "tenant", &[], "open a tenant", ANY).takes(Takes::Tenant),
    entry(Command::CommandLine, "command", &[":"], "type a command", ANY).bar(40, "command"),
    entry(Command::Help, "help", &["?", "F1"], "what the keys do", ANY).bar(41, "help"),
    entry(Command::Up, "up", &["k", "up"], "one row up", LISTS),
    entry(Command::Down, "down", &["j", "down"], "one row down", LISTS),
    entry(Command::PageUp, "page-up", &["ctrl-u", "pageup", "ctrl-b"], "half a page up", LISTS),
    entry(Command::PageDown, "page-down", &["ctrl-d", "pagedown", "ctrl-f"], "half a page down", LISTS),
    entry(Command::Top, "top", &["g", "home"], "to the first row", LISTS),
    entry(Command::Bottom, "bottom", &["G", "end"], "to the last row", LISTS),
    entry(
        Command::Context,
        "context",
        &[],
        "another cluster: a context of the kubeconfig, those used last are offered first",
        ANY,
    )
    .takes(Takes::Context)
    .aliases(&["ctx"]),
    entry(Command::Namespace, "namespace", &[], "look at one namespace only, or at all", ANY)
        .takes(Takes::Namespace)
        .aliases(&["ns"]),
    entry(Command::Unlock, "unlock", &[], "lift read-only: for 15 min, or the span that is typed, up to 8 h", ANY)
        .takes(Takes::Span),
    entry(Command::Lock, "lock", &[], "be read-only from now on", ANY),
    entry(Command::Login, "login", &[], "let the credential plug-in ask on the terminal", ANY),
    entry(Command::Hint, "hint", &["H"], "in a drill: what to do next", ANY),
    entry(Command::Theme, "theme", &[], "another theme", ANY).takes(Takes::Theme),
    entry(Command::Redraw, "redraw", &["ctrl-l"], "draw the whole screen again", LISTS),
    entry(Command::Suspend, "suspend", &["ctrl-z"], "back to the shell until `fg`", LISTS),
    entry(Command::Escape, "escape", &["esc"], "leave: an overlay, a filter, marks, a screen", LISTS)
        .bar(90, "cancel"),
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
