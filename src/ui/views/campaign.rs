//! One campaign: how far it is, what it is at, and the pods as they move, tenant by tenant.
//!
//! ```text
//!  ▸ rebalance the cluster  running
//!    campaign 4f2a of alice@bastion, for 3m
//!  ███████████▌·········  7 of 19 done   22s each, about 4m left
//!
//!  ▸ globex-5f6-x2k9p worker-4 → worker-3                      9s
//!    ✓ new pod on worker-3  ✓ ready  ▸ adopted  · old gone
//!
//!  ▸ Pods by node 19    Moves 20
//!                      NOW ────────────     AFTER ───────────
//!    TENANT            w1  w2  w3  w4       w1  w2  w3  w4
//!  ✓ initech            ·   ·   1   1        ·   ·   1+  1-
//! ```
//!
//! The same from every cockpit: it is read from the journals, and from the cluster itself.

mod draw;
mod ended;
mod steps;

use std::collections::BTreeMap;

use super::answers;
use crate::{
    cluster::{NodeName, Snapshot, TenantName},
    plan::{Intent, Move, rebalance::Aim},
    run::campaign::{Campaign, CampaignSeen, Event, ItemState, Wish},
    ui::{
        action::{Action, Asks},
        command::{self, Command},
        format, matrix,
        paint::Pen,
        stops::Stop,
        theme::Role,
        view::{Cx, Place, View},
    },
};

/// A part of what is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    /// Tenants by nodes.
    #[default]
    Pods,
    /// Every item in its order.
    Items,
}

/// One campaign.
pub struct CampaignView {
    id: String,
    section: Section,
    /// The row under the cursor; `None`: the one that is under way.
    at: Option<usize>,
    /// Tenants in the order of their first move, each with the places of its moves among the items.
    rows: Vec<(TenantName, Vec<usize>)>,
    /// The items that count, in order.
    items: Vec<usize>,
    /// The nodes that pods come from or go to.
    changed: Vec<NodeName>,
    /// What the rows were made of: so many items, and so many entries that changed them.
    made_of: (usize, usize),
}

impl CampaignView {
    /// The view of the campaign of that id.
    pub fn new(id: String) -> Self {
        let (rows, items, changed) = Default::default();
        Self { id, section: Section::default(), at: None, rows, items, changed, made_of: (0, 0) }
    }

    fn known<'a>(&self, cx: &Cx<'a>) -> Option<&'a CampaignSeen> {
        cx.campaigns.iter().find(|known| known.campaign.id == self.id)
    }

    fn len(&self) -> usize {
        match self.section {
            Section::Pods => self.rows.len(),
            Section::Items => self.items.len(),
        }
    }

    /// The row under the cursor: the one under way, until a key has moved it.
    fn row(&self, campaign: &Campaign) -> usize {
        let running = |i: &usize| matches!(campaign.states[*i], ItemState::Running(_));
        let waiting = |i: &usize| campaign.states[*i] == ItemState::Waiting;
        let first = |is: &dyn Fn(&usize) -> bool| match self.section {
            Section::Pods => self.rows.iter().position(|(_, moves)| moves.iter().any(is)),
            Section::Items => self.items.iter().position(is),
        };
        let present = first(&running).or_else(|| first(&waiting));
        let last = self.len().saturating_sub(1);
        self.at.or(present).unwrap_or(last).min(last)
    }

    /// The item under the cursor: of a tenant the one that is under way, else its next, else its last.
    fn item(&self, campaign: &Campaign) -> Option<usize> {
        let row = self.row(campaign);
        if self.section == Section::Items {
            return self.items.get(row).copied();
        }
        let (_, moves) = self.rows.get(row)?;
        let running = moves.iter().find(|i| matches!(campaign.states[**i], ItemState::Running(_)));
        let waiting = || moves.iter().find(|i| campaign.states[**i] == ItemState::Waiting);
        running.or_else(waiting).or(moves.last()).copied()
    }

    /// The run of the item under the cursor, where one was begun that is known here.
    fn begun(&self, campaign: &Campaign, cx: &Cx<'_>) -> Option<String> {
        let run = self.item(campaign).and_then(|item| Self::run_of(campaign, item));
        run.filter(|id| cx.runs.iter().any(|known| known.run.id == *id))
    }

    /// The run of an item.
    fn run_of(campaign: &Campaign, item: usize) -> Option<String> {
        match &campaign.states[item] {
            ItemState::Running(run) | ItemState::Done(run) | ItemState::Held(run, _) => Some(run.clone()),
            _ => campaign.entries.iter().rev().find_map(|e| match &e.event {
                Event::Began { item: at, run } if *at == item => Some(run.clone()),
                _ => None,
            }),
        }
    }
}

const NOT_BEGUN: &str = "no run was begun for it";

/// Why a campaign cannot be paused, gone on with, stopped ...
pub fn refuses(command: Command, known: Option<&CampaignSeen>, seen: &Snapshot) -> Option<String> {
    use Command::{GiveUp, Open, Pause, Resume, Retry, Skip, StopAfter, Undo};
    let Some(known) = known else {
        let about = matches!(command, Undo | Resume | Pause | GiveUp | Open | Skip | StopAfter | Retry);
        return about.then(|| "no campaign is selected".into());
    };
    match command {
        Pause => known.pause().err(),
        // Whoever drives it goes on, where a pause was asked for and has not come yet.
        Resume if asked_to_pause(known) => None,
        Resume | GiveUp => known.still().err(),
        StopAfter => known.stop().err(),
        Skip => known.skip().err(),
        Retry => known.retry().err(),
        Undo => known.undo(seen).err(),
        _ => None,
    }
}

fn asked_to_pause(known: &CampaignSeen) -> bool {
    known.campaign.unheard().iter().any(|asked| asked.wish == Wish::Pause)
}

/// What a command asks of a campaign, or why it cannot be.
pub fn ask(command: Command, known: Option<&CampaignSeen>, seen: &Snapshot) -> Option<Action> {
    if let Some(why) = refuses(command, known, seen) {
        return Some(Action::Say(why));
    }
    let known = known?;
    let id = known.campaign.id.clone();
    Some(match command {
        Command::Pause => Action::Wish(id, Wish::Pause),
        Command::Resume if asked_to_pause(known) => Action::Wish(id, Wish::GoOn),
        Command::Resume => Action::GoOn(id),
        // Nothing is under way that could be waited for: ending it is closing it.
        Command::GiveUp | Command::StopAfter if known.wants_an_operator() || command == Command::GiveUp => {
            Action::Ask(Asks::GiveUp { what: "campaign", run: id, text: give_up_question(&known.campaign) })
        }
        Command::StopAfter => Action::Wish(id, Wish::Stop),
        Command::Undo => Action::UndoCampaign(id),
        Command::Open => Action::Go(Place::Campaign(id)),
        _ => return None,
    })
}

/// What giving a campaign up means.
pub fn give_up_question(campaign: &Campaign) -> String {
    let counts = campaign.counts();
    let (done, all) = (counts.done, counts.all);
    let stays = match done {
        0 => format!("None of its {} is done", format::count(all, "item")),
        1 => format!("1 of {all} is done and stays so"),
        _ => format!("{done} of {all} are done and stay so"),
    };
    format!("{}. {stays}; {}. Nobody can go on with it afterwards.", campaign.goal, campaign.closing())
}

/// What the column OUTCOME of the list says.
pub fn outcome(cx: &Cx<'_>, known: &CampaignSeen) -> String {
    use crate::run::Shown;
    let campaign = &known.campaign;
    let word = campaign.last_word().unwrap_or_default();
    match (known.shown(), &known.holder) {
        (Shown::Interrupted | Shown::Paused(_), _) => {
            let offers = known.offers(cx.seen);
            let keys = [
                (&offers.resume, Command::Resume, "go on"),
                (&offers.undo, Command::Undo, "undo"),
                (&offers.give_up, Command::GiveUp, "give up"),
            ];
            let keys = keys.into_iter().filter(|(offer, ..)| offer.is_ok());
            let keys: Vec<_> =
                keys.map(|(_, key, word)| format!("{} {word}", command::sign(key))).take(2).collect();
            let why =
                if word.is_empty() || known.is_interrupted() { String::new() } else { format!(": {word}") };
            format!("{}, {}{why}", campaign.counts().words(), keys.join(", "))
        }
        (Shown::Unknown, _) => "whether anybody drives it is not known".into(),
        (Shown::Running | Shown::Planned, Some(holder)) if !known.ours => {
            format!("{}, {} drives it", campaign.counts().words(), holder.who)
        }
        (Shown::Running | Shown::Planned, _) => campaign.counts().words(),
        _ => {
            let rest = word.strip_prefix(&*campaign.goal);
            rest.map_or(word, |rest| rest.trim_start_matches([':', ' '])).to_owned()
        }
    }
}

impl View for CampaignView {
    fn place(&self) -> Place {
        Place::Campaign(self.id.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        let Some(known) = self.known(cx) else { return };
        let campaign = &known.campaign;
        let changing = |e: &Event| matches!(e, Event::Revised { .. } | Event::Retargeted { .. });
        let changes = campaign.entries.iter().filter(|e| changing(&e.event)).count();
        if self.made_of == (campaign.items.len(), changes) {
            return;
        }
        self.made_of = (campaign.items.len(), changes);
        self.items = campaign.counted().collect();
        self.rows.clear();
        let mut places: BTreeMap<&TenantName, usize> = BTreeMap::new();
        for (i, moved) in moves(campaign) {
            let Some(tenant) = &moved.tenant else { continue };
            let place = *places.entry(tenant).or_insert_with(|| {
                self.rows.push((tenant.clone(), Vec::new()));
                self.rows.len() - 1
            });
            self.rows[place].1.push(i);
        }
        self.changed = matrix::changed(moves(campaign).map(|(_, moved)| moved));
        if self.rows.is_empty() {
            self.section = Section::Items;
        }
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let known = self.known(cx)?;
        let campaign = &known.campaign;
        let last = self.len().saturating_sub(1);
        let half = usize::from(cx.size.1 / 4).max(1);
        let row = self.row(campaign);
        match command {
            Command::Up => self.at = Some(row.saturating_sub(1)),
            Command::Down => self.at = Some((row + 1).min(last)),
            Command::PageUp => self.at = Some(row.saturating_sub(half)),
            Command::PageDown => self.at = Some((row + half).min(last)),
            Command::Top => self.at = Some(0),
            Command::Bottom => self.at = Some(last),
            Command::Next | Command::Previous if !self.rows.is_empty() => {
                self.section = if self.section == Section::Pods { Section::Items } else { Section::Pods };
                self.at = None;
            }
            Command::Open => {
                return Some(match self.begun(campaign, cx) {
                    Some(id) => Action::Go(Place::Run(id)),
                    None => Action::Say(NOT_BEGUN.into()),
                });
            }
            Command::Skip => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let item = self.item(campaign)?;
                let wish = match &campaign.items[item] {
                    Intent::Move { moved } => match &moved.tenant {
                        Some(tenant) => Wish::SkipTenant { tenant: tenant.clone() },
                        None => Wish::Skip { item },
                    },
                    _ => Wish::Skip { item },
                };
                return Some(Action::Wish(self.id.clone(), wish));
            }
            Command::Retry => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                return Some(Action::Wish(self.id.clone(), Wish::Retry { item: self.item(campaign)? }));
            }
            Command::Rebalance => {
                return Some(Action::Aim(Aim::Rebalance { nodes: Vec::new(), tenants: Vec::new() }));
            }
            _ => return ask(command, Some(known), cx.seen),
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(known) = self.known(cx) else {
            pen.put(1, 1, width, &format!("campaign {} is not known here", self.id), Role::Warn);
            return;
        };
        let main = self.beside(pen, cx, known);
        let pen = &mut pen.within(main);
        let y = self.head(pen, cx, known);
        let y = self.present(pen, cx, known, y);
        self.sections(pen, cx, known, y);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let Some(known) = self.known(cx) else { return String::new() };
        let driven = match &known.holder {
            _ if known.campaign.state.is_over() => String::new(),
            _ if known.ours => "esc leaves it running".into(),
            Some(holder) if holder.alive => format!("{} drives it", holder.who),
            _ => String::new(),
        };
        let all = self.len();
        let at = format!("{} of {all}", (self.row(&known.campaign) + 1).min(all));
        [driven, at].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        let known = self.known(cx);
        let why = refuses(command, known, cx.seen);
        let campaign = &known?.campaign;
        match (command, self.item(campaign)) {
            (Command::Rebalance, _) if !campaign.rebalances() => {
                Some("this is no rebalancing; one is opened from the tenants or the nodes".into())
            }
            (Command::Rebalance, _) if !campaign.state.is_over() => {
                Some(format!("campaign {} is not over", campaign.short()))
            }
            (Command::Open, _) if why.is_none() => {
                self.begun(campaign, cx).is_none().then(|| NOT_BEGUN.to_owned())
            }
            (Command::Skip, _) if why.is_some() => why,
            (Command::Skip, Some(item)) => match &campaign.states[item] {
                ItemState::Waiting | ItemState::Held(..) => None,
                ItemState::Running(id) => {
                    let run = cx.runs.iter().find(|known| known.run.id == *id);
                    run.and_then(|known| known.run.beyond_skipping()).map(str::to_owned)
                }
                _ => Some("that is through already".into()),
            },
            (Command::Retry, _) if why.is_some() => why,
            (Command::Retry, Some(item)) => match &campaign.states[item] {
                ItemState::Failed(_) | ItemState::Skipped(_) => None,
                ItemState::Held(run, _) => {
                    Some(format!("run {} holds it: ⏎ opens it", format::short_run(run)))
                }
                _ => Some("that has neither failed nor been left out".into()),
            },
            _ => why,
        }
    }

    fn hides(&self, command: Command, cx: &Cx<'_>) -> bool {
        let known = self.known(cx);
        // A schema change under way is not skipped, whatever else may be.
        let under_way = || {
            let item = self.item(&known?.campaign)?;
            matches!(known?.campaign.states[item], ItemState::Running(_)).then_some(())
        };
        let beyond =
            || command == Command::Skip && under_way().is_some() && self.refuses(command, cx).is_some();
        (command.is_of_runs() && (refuses(command, known, cx.seen).is_some() || beyond()))
            || (command == Command::Rebalance && self.refuses(command, cx).is_some())
    }

    fn copied(&self, _cx: &Cx<'_>) -> Option<String> {
        Some(self.id.clone())
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        answers::of_all(cx, &self.place(), [Stop::Campaign(self.id.clone())])
    }

    fn subject(&self) -> Option<String> {
        Some(format!("campaign {}", format::short_run(&self.id)))
    }
}

/// The moves of a campaign that count, with their places among the items.
fn moves(campaign: &Campaign) -> impl Iterator<Item = (usize, &Move)> {
    campaign.counted().filter_map(|i| match &campaign.items[i] {
        Intent::Move { moved } => Some((i, moved)),
        _ => None,
    })
}
