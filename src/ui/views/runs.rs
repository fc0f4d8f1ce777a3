//! What was done, by whom and how it ended; unfinished first.

use jiff::Timestamp;

use super::{answers, campaign, counted, heading, marks::Marks, run_sign};
use crate::{
    cluster::Snapshot,
    run::{Offers, Run, RunSeen, RunState, Shown, campaign::CampaignSeen, summary},
    ui::{
        action::{Action, Asks},
        command::{self, Command},
        filter::{Fields, Filter, Of},
        format,
        paint::Pen,
        stops::{self, Stop},
        theme::Role,
        view::{Cx, Lens, List, Place, View},
    },
};

/// All runs, and the campaigns they belong to: a run of a campaign stands in that campaign, unless it waits for an
/// operator by itself.
#[derive(Default)]
pub struct Runs {
    list: List<String>,
    filter: Filter,
    order: usize,
    marks: Marks<String>,
    /// The ids of those shown.
    shown: Vec<String>,
}

/// The orders of the runs; what is unfinished comes first in the usual one.
const ORDERS: [&str; 5] = ["unfinished", "newest", "state", "who", "what"];

static FIELDS: Fields = Fields { columns: &["state", "run", "who"], labels: false };

/// One of the list.
enum Known<'a> {
    Run(&'a RunSeen),
    Campaign(&'a CampaignSeen),
}

impl<'a> Known<'a> {
    fn find(cx: &Cx<'a>, id: &str) -> Option<Self> {
        let campaign = cx.campaigns.iter().find(|known| known.campaign.id == *id).map(Self::Campaign);
        campaign.or_else(|| cx.runs.iter().find(|known| known.run.id == *id).map(Self::Run))
    }

    fn all(cx: &Cx<'a>) -> impl Iterator<Item = Self> {
        let told = |known: &&RunSeen| {
            let of = known.run.campaign.as_ref();
            let campaign = of.and_then(|of| cx.campaigns.iter().find(|c| c.campaign.id == *of));
            campaign.is_none_or(|campaign| known.wants_an_operator() && !campaign.wants_an_operator())
        };
        cx.campaigns.iter().map(Self::Campaign).chain(cx.runs.iter().filter(told).map(Self::Run))
    }

    fn id(&self) -> &'a str {
        match self {
            Self::Run(known) => &known.run.id,
            Self::Campaign(known) => &known.campaign.id,
        }
    }

    /// What a column says, for the filter.
    fn column(&self, of: Of<'_>) -> Option<String> {
        let Of::Column(name) = of else { return None };
        let (state, who) = match self {
            Self::Run(known) => (known.shown().to_string(), &known.run.operator),
            Self::Campaign(known) => (known.shown().to_string(), &known.campaign.operator),
        };
        match name {
            "state" => Some(state),
            "run" => Some(self.id().to_owned()),
            "who" => Some(who.to_string()),
            _ => None,
        }
    }

    /// What is or was to be done.
    fn what(&self) -> String {
        match self {
            Self::Run(known) => summary(&known.run),
            Self::Campaign(known) => known.campaign.goal.to_string(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Run(known) => known.run.state.is_over(),
            Self::Campaign(known) => known.campaign.state.is_over(),
        }
    }

    /// When it was over.
    fn ended(&self) -> Option<Timestamp> {
        let last = match self {
            Self::Run(known) => known.run.last_at(),
            Self::Campaign(known) => known.campaign.last_at(),
        };
        last.filter(|_| self.is_over())
    }

    fn words(&self) -> String {
        match self {
            Self::Run(k) => format!("{} {} {} {}", k.run.id, summary(&k.run), k.run.operator, k.run.state),
            Self::Campaign(k) => {
                let c = &k.campaign;
                format!("{} {} {} {} campaign", c.id, c.goal, c.operator, c.state.word())
            }
        }
    }

    fn outcome(&self, cx: &Cx<'_>) -> String {
        match self {
            Self::Run(known) => outcome(cx, known),
            Self::Campaign(known) => campaign::outcome(cx, known),
        }
    }
}

/// What the column OUTCOME says.
pub fn outcome(cx: &Cx<'_>, known: &RunSeen) -> String {
    let run = &known.run;
    let word = run.last_word().unwrap_or("");
    match (known.shown(), &known.holder) {
        (Shown::Interrupted | Shown::Paused(_), _) => {
            let why = match known.meanwhile(cx.seen) {
                Some(what) => format!(": {what}"),
                None if word.is_empty() || known.is_interrupted() => String::new(),
                None => format!(": {word}"),
            };
            let keys = offered(&known.offers(cx.seen));
            let keys = if keys.is_empty() { keys } else { format!(", {keys}") };
            format!("{}{keys}{why}", run.at_step())
        }
        (Shown::Unknown, _) => "whether anybody drives it is not known".into(),
        (Shown::Running | Shown::Planned, Some(h)) if !known.ours => {
            format!("{} drives it since {}", h.who, cx.age_or_dash(h.since))
        }
        // What was to be done stands beside it already.
        _ => word
            .strip_prefix(&*summary(run))
            .map_or(word, |rest| rest.trim_start_matches([':', ' ']))
            .to_owned(),
    }
}

/// The keys that would be accepted.
fn offered(offers: &Offers) -> String {
    let keys = [
        (&offers.resume, Command::Resume, "resume"),
        (&offers.undo, Command::Undo, "undo"),
        (&offers.give_up, Command::GiveUp, "give up"),
    ];
    let key = |command, word| format!("{} {word}", command::sign(command));
    let keys = keys.into_iter().filter(|(offer, ..)| offer.is_ok());
    keys.map(|(_, command, word)| key(command, word)).take(2).collect::<Vec<_>>().join(", ")
}

/// The names of the columns.
pub fn runs_heading(pen: &mut Pen<'_>, y: u16) {
    let c = columns(pen.width());
    heading(pen, 4, y, "STATE");
    heading(pen, c.run, y, "RUN");
    heading(pen, c.what, y, "WHAT");
    if let Some(x) = c.who {
        heading(pen, x, y, "WHO");
    }
    pen.put_right(c.age + 4, y, 4, "AGE", Role::Title);
    if let Some(x) = c.outcome {
        heading(pen, x, y, "OUTCOME");
    }
}

struct Columns {
    run: u16,
    what: u16,
    what_width: u16,
    who: Option<u16>,
    who_width: u16,
    age: u16,
    outcome: Option<u16>,
}

impl Columns {
    /// An operator, as far as there is room: the machine is told on the run's own page.
    fn operator<'a>(&self, operator: &'a str) -> &'a str {
        match operator.split_once('@') {
            Some((name, _)) if format::width(operator) > self.who_width => name,
            _ => operator,
        }
    }
}

fn columns(width: u16) -> Columns {
    let what_width = match width {
        ..60 => width.saturating_sub(26),
        60..100 => 24,
        100..150 => 34,
        _ => width / 3,
    };
    let what = 21;
    let mut x = what + what_width + 1;
    let who_width = match width {
        ..100 => 9,
        100..150 => 15,
        _ => 24,
    };
    let who = (width >= 60).then(|| {
        x += who_width + 1;
        x - who_width - 1
    });
    let age = x;
    x += 6;
    Columns { run: 16, what, what_width, who, who_width, age, outcome: (width > x + 8).then_some(x) }
}

/// What a line of the list tells of a run or a campaign.
struct Line<'a> {
    shown: Shown,
    short: &'a str,
    what: String,
    operator: &'a str,
    began: Option<Timestamp>,
    local: bool,
    outcome: String,
}

impl Line<'_> {
    fn draw(&self, pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>) {
        let c = columns(pen.width());
        let (glyph, role) = run_sign(&self.shown);
        pen.put(2, y, 1, glyph, role);
        pen.put(4, y, c.run.saturating_sub(5), self.shown.word(), role);
        pen.put(c.run, y, 4, self.short, Role::Muted);
        pen.put(c.what, y, c.what_width, &self.what, Role::Text);
        if let Some(x) = c.who {
            pen.put(x, y, c.who_width, c.operator(self.operator), Role::Muted);
        }
        pen.put_right(c.age + 4, y, 4, &cx.age_or_dash(self.began), Role::Muted);
        if let Some(x) = c.outcome {
            let place = if self.local { "on this machine only · " } else { "" };
            let role = if self.shown == Shown::Interrupted { Role::Danger } else { Role::Muted };
            pen.put(x, y, pen.width().saturating_sub(x), &format!("{place}{}", self.outcome), role);
        }
    }
}

/// One run on one line.
pub fn run_line(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, known: &RunSeen) {
    let run = &known.run;
    let line = Line {
        shown: known.shown(),
        short: run.short(),
        what: summary(run),
        operator: &run.operator,
        began: run.began(),
        local: run.local,
        outcome: outcome(cx, known),
    };
    line.draw(pen, y, cx);
}

/// One campaign on one line.
fn campaign_line(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, known: &CampaignSeen) {
    let campaign = &known.campaign;
    let line = Line {
        shown: known.shown(),
        short: campaign.short(),
        what: campaign.goal.clone(),
        operator: &campaign.operator,
        began: campaign.began(),
        local: campaign.local,
        outcome: campaign::outcome(cx, known),
    };
    line.draw(pen, y, cx);
}

/// Why a run cannot be taken back, resumed, paused or given up.
pub fn refuses(command: Command, known: Option<&RunSeen>, seen: &Snapshot) -> Option<String> {
    let Some(known) = known else {
        use Command::{Abort, GiveUp, Open, Pause, Resume, Succeeded, Undo};
        return matches!(command, Undo | Resume | Pause | Abort | GiveUp | Succeeded | Open)
            .then(|| "no run is selected".into());
    };
    let (run, name) = (&known.run, known.run.short());
    match command {
        Command::Undo => known.undo(seen).err(),
        Command::Resume => known.resume(seen).err(),
        Command::GiveUp => known.give_up(seen).err(),
        Command::Succeeded => known.succeeded(seen).err(),
        // The same is planned again, on what is seen now.
        Command::Retry if run.state == RunState::Failed => None,
        Command::Retry => {
            Some(format!("run {name} {}: one that has failed is tried again", known.shown().phrase()))
        }
        Command::Pause | Command::Abort if run.state.is_over() => {
            Some(format!("run {name} {}", known.shown().phrase()))
        }
        // What stands is closed by the other key: no slip of one finger ends a run in another way.
        Command::Abort if known.give_up(seen).is_ok() => Some(format!(
            "run {name} {}: {} closes it and gives back what it took",
            known.shown().phrase(),
            command::sign(Command::GiveUp)
        )),
        Command::Pause | Command::Abort if !known.ours => Some(format!("run {name} is not driven from here")),
        Command::Pause if run.state == RunState::Paused => Some(format!("run {name} is paused already")),
        _ => None,
    }
}

/// What a command asks of a run, or why it cannot be.
pub fn ask(command: Command, known: Option<&RunSeen>, seen: &Snapshot) -> Option<Action> {
    if let Some(why) = refuses(command, known, seen) {
        return Some(Action::Say(why));
    }
    let id = known?.run.id.clone();
    match command {
        Command::Undo => Some(Action::Undo(id)),
        Command::Retry => Some(Action::Plan(known?.run.plan().intent.clone())),
        Command::Resume => Some(Action::Resume(id)),
        Command::Succeeded => Some(Action::Succeeded(id)),
        Command::Abort => Some(Action::Abort(id)),
        Command::Pause => Some(Action::Pause(id)),
        Command::GiveUp => {
            Some(Action::Ask(Asks::GiveUp { what: "run", run: id, text: give_up_question(&known?.run) }))
        }
        Command::Open => Some(Action::Go(Place::Run(id))),
        _ => None,
    }
}

/// What giving a run up means, in two sentences.
pub fn give_up_question(run: &Run) -> String {
    let (done, all) = run.progress();
    let back = crate::run::left_by_giving_up(run);
    if let Some(back) = back {
        return format!("{}. {back}. Nobody can resume it afterwards.", summary(run));
    }
    let stays = match (run.made().is_empty(), done) {
        (true, _) => "It has changed nothing.".to_owned(),
        (false, n) => format!("{n} of {all} steps are done and stay done; u can still take them back."),
    };
    format!("{}. {stays} Nobody can resume it afterwards.", summary(run))
}

impl Runs {
    fn selected<'a>(&self, cx: &Cx<'a>) -> Option<Known<'a>> {
        Known::find(cx, self.list.selected()?)
    }

    /// Why a command cannot do anything to the selected one.
    fn why_not(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        match self.selected(cx) {
            Some(Known::Campaign(known)) => campaign::refuses(command, Some(known), cx.seen),
            Some(Known::Run(known)) => refuses(command, Some(known), cx.seen),
            None => refuses(command, None, cx.seen),
        }
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(4 + u16::try_from(cx.unreadable.len().min(3)).unwrap_or(0)))
    }
}

impl View for Runs {
    fn place(&self) -> Place {
        Place::Runs
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let mut all: Vec<_> = Known::all(cx)
            .filter(|known| {
                self.filter.is_empty() || self.filter.keeps(&known.words(), |of| known.column(of))
            })
            .collect();
        all.sort_by(|one, other| other.id().cmp(one.id()));
        let column = |known: &Known<'_>, name| known.column(Of::Column(name)).unwrap_or_default();
        match ORDERS[self.order % ORDERS.len()] {
            "newest" => {}
            "state" => all.sort_by_cached_key(|known| column(known, "state")),
            "who" => all.sort_by_cached_key(|known| column(known, "who")),
            "what" => all.sort_by_cached_key(Known::what),
            _ => all.sort_by_key(Known::is_over),
        }
        self.shown = all.into_iter().map(|known| known.id().to_owned()).collect();
        self.marks.keep(|id| Known::find(cx, id).is_some());
        let (shown, page) = (&self.shown, self.page(cx));
        self.list.settle(shown.len(), page, |i| shown[i].clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (shown, page) = (&self.shown, self.page(cx));
        if self.list.go(command, shown.len(), page, |i| shown[i].clone()) {
            return None;
        }
        if command == Command::Mark {
            self.marks.toggle(&mut self.list, shown.len(), page, |i| shown[i].clone());
            return None;
        }
        if command == Command::Escape {
            self.filter.clear();
            self.refresh(cx);
            return None;
        }
        match self.selected(cx) {
            Some(Known::Campaign(known)) => campaign::ask(command, Some(known), cx.seen),
            Some(Known::Run(known)) => ask(command, Some(known), cx.seen),
            None => ask(command, None, cx.seen),
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        runs_heading(pen, 0);
        let mut y = 1;
        for text in cx.unreadable.iter().take(3) {
            pen.put(2, y, 1, "▲", Role::Warn);
            pen.put(4, y, pen.width().saturating_sub(5), text, Role::Warn);
            y += 1;
        }
        let foot = 3.min(pen.height().saturating_sub(y + 3));
        let page = usize::from(pen.height().saturating_sub(y + foot));
        for i in self.list.window(self.shown.len(), page) {
            let Some(known) = Known::find(cx, &self.shown[i]) else { continue };
            match &known {
                Known::Run(known) => run_line(pen, y, cx, known),
                Known::Campaign(known) => campaign_line(pen, y, cx, known),
            }
            self.marks.sign(pen, y, &self.shown[i]);
            if self.list.selected() == Some(&self.shown[i]) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
            y += 1;
        }
        // The whole outcome of the selected one: above it may have been cut.
        if let Some(known) = self.selected(cx).filter(|_| foot == 3) {
            let room = pen.width().saturating_sub(5);
            let ended = known.ended().map(|at| format!("ended {} ago", cx.age(at)));
            let outcome = Some(known.outcome(cx)).filter(|text| !text.is_empty());
            let text = ended.into_iter().chain(outcome).collect::<Vec<_>>().join(": ");
            let lines = format::wrap(&format::plain(&text), room);
            for (i, line) in lines.iter().take(2).enumerate() {
                pen.put(4, pen.height() - 2 + i as u16, room, line, Role::Text);
            }
        }
        if self.shown.is_empty() {
            let text = match cx.seen.journals.freshness.trouble() {
                Some(why) => format!("the journals cannot be read: {why}"),
                None if !self.filter.is_empty() => "no run matches the filter  esc shows all".into(),
                None => "no runs: nothing was changed from a wheelhouse yet".into(),
            };
            pen.put(4, y + 1, pen.width().saturating_sub(5), &text, Role::Muted);
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let left = stops::waiting(cx.campaigns, cx.runs, cx.seen).len();
        let left = (left > 0).then(|| format!("{left} unfinished"));
        let all = Known::all(cx).count();
        let counted = counted(self.shown.len(), all, "run", &self.filter, &ORDERS, self.order);
        self.marks.words().into_iter().chain(left).chain([counted]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let several = || self.marks.several("run").filter(|_| command.is_of_runs());
        let none = command == Command::Mark && self.list.selected().is_none();
        several().or_else(|| none.then(|| "no run is selected".into())).or_else(|| self.why_not(command, cx))
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        (command.is_of_runs() && self.why_not(command, cx).is_some())
            || (command == Command::Open && self.selected(cx).is_none())
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        let id = self.list.selected()?.clone();
        answers::of_all(cx, &Place::Runs, [Stop::Campaign(id.clone()), Stop::Run(id)])
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(|id| format!("run {}", format::short_run(id)))
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        Some(self.marks.or_selected(&self.list).cloned().collect::<Vec<_>>().join(" "))
    }

    fn let_go(&mut self) {
        self.list.release();
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let (Place::Run(id) | Place::Campaign(id)) = what else { return };
        if !self.shown.contains(id) {
            self.filter.clear();
            self.refresh(cx);
        }
        let (shown, page) = (&self.shown, self.page(cx));
        if let Some(at) = shown.iter().position(|other| other == id) {
            self.list.put(at, shown.len(), page, |i| shown[i].clone());
        }
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::of(&mut self.filter, &FIELDS, &mut self.order, &ORDERS)
    }
}
