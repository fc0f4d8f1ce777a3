//! The cockpit's state, and the loop that folds what happens into it and draws it.
//!
//! [`update()`] is pure: the time is an argument, and what has to be done outside comes back as [`Effect`]s. [`run()`] is
//! the only part that touches a terminal. Called by `cockpit`, which owns the connections and performs the effects.

mod answered;
mod approval;
mod campaigns;
mod execute;
mod foresee;
mod input;
mod known;
mod mouse;
mod msg;
mod onlooker;
mod past;
mod pump;
mod schemes;
mod trail;
mod trouble;
mod typed;
mod unlock;
mod update;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    cluster::{Finding, Judgement, Severity, Snapshot, TenantName, Use},
    history::Happened,
    plan::Migrations,
    run::{
        Decoded, Run, RunSeen, RunState,
        campaign::{self, Campaign, CampaignSeen},
    },
    ui::{
        self, Cx, Depth, Detail, Forwarded, Outlook, Overlay, Place, Replay, Role, Theme, View, Wants, Who,
        stops::Stop,
    },
};

pub use self::{
    msg::{Destination, Effect, Msg, NotOpened, OnScreen},
    onlooker::Onlooker,
    pump::{Painter, run},
    update::update,
};

/// How the cockpit is to look and whom it serves.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// `alice@bastion`.
    pub operator: String,
    /// Nothing may be changed.
    pub read_only: bool,
    /// It was said so for this session, so that it cannot be unlocked.
    pub fixed: bool,
    /// What this cluster is called, and how that is shown.
    pub label: Option<(String, Role)>,
    /// The contexts of the kubeconfig, those used last first.
    pub contexts: Vec<String>,
    /// Lines typed on the command line before, the oldest first.
    pub history: Vec<String>,
    /// The theme's name.
    pub theme: String,
    /// The theme that is configured, where another one has been chosen.
    pub configured: String,
    /// The user's own themes: name and file of each.
    pub themes: Vec<(String, String)>,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// The terminal shows ASCII only.
    pub ascii: bool,
    /// The mouse of the terminal is taken.
    pub mouse: bool,
    /// How databases are migrated where nothing else is said.
    pub migrations: Migrations,
    /// The recording that is looked at instead of a cluster.
    pub replay: Option<Replay>,
    /// The cluster ends with this program: it is the embedded one.
    pub passing: bool,
    /// Who is told what is seen, in a drill.
    pub onlooker: Option<Arc<dyn Onlooker>>,
}

/// All state.
pub struct App {
    setup: Setup,
    world: World,
    views: Views,
    trail: trail::Trail,
    overlay: Option<Overlay>,
    notice: Option<(Severity, String, Timestamp)>,
    foresight: foresee::Foresight,
    /// When many moves under review are worked out again.
    due_scheme: Option<Timestamp>,
    /// Runs this session drives or drove, as last reported.
    driven: BTreeMap<String, Run>,
    /// Campaigns this session drives or drove, as last reported.
    campaigns: BTreeMap<String, Campaign>,
    /// Runs whose journals are kept on this machine.
    local: Vec<Run>,
    /// Campaigns whose journals are.
    local_campaigns: Vec<Campaign>,
    /// The journals of the cluster, as they were read last.
    decoded: Decoded,
    decoded_campaigns: campaign::Decoded,
    /// Runs that are paused in order to be closed.
    aborting: BTreeSet<String>,
    /// A run was asked to start: the next new one is shown at once.
    starting: bool,
    /// What is fetched at present.
    wanted: Wants,
    /// Lines typed on the command line, the oldest first.
    history: Vec<String>,
    last_key: Option<Timestamp>,
    leaving: bool,
    /// It is left for another cluster.
    bound: bool,
    /// The terminal is in other hands: nothing is drawn.
    away: bool,
    /// When it came back, or the last key after that which was meant for whoever had it.
    returned: Option<Timestamp>,
    /// When state changes by itself though nothing happens.
    due: Cell<Option<Timestamp>>,
}

/// All that views may read.
struct World {
    who: Who,
    theme: Theme,
    seen: Arc<Snapshot>,
    /// What was said of it ...
    judgement: Judgement,
    /// ... with what is predicted.
    findings: Arc<[Finding]>,
    runs: Vec<RunSeen>,
    campaigns: Vec<CampaignSeen>,
    unreadable: Vec<String>,
    detail: Detail,
    forwards: Vec<Forwarded>,
    outlook: Option<Outlook>,
    /// What happened, as far as it was seen, with what the journals tell, in the order of time.
    history: Vec<Happened>,
    /// Since when that is known.
    since: Option<Timestamp>,
    /// What the tenants used before this cockpit was opened.
    used: BTreeMap<TenantName, Vec<Use>>,
    replay: Option<Replay>,
    /// What the key to the next trouble led to last.
    stop: Option<Stop>,
    size: (u16, u16),
    /// The text in front has the whole screen.
    full: bool,
    wake: Cell<Option<Timestamp>>,
}

/// The places, and the way to the present one.
struct Views {
    roots: Vec<Box<dyn View>>,
    root: usize,
    stack: Vec<Box<dyn View>>,
}

impl Views {
    fn front(&self) -> &dyn View {
        self.stack.last().unwrap_or(&self.roots[self.root]).as_ref()
    }

    fn front_mut(&mut self) -> &mut dyn View {
        self.stack.last_mut().unwrap_or(&mut self.roots[self.root]).as_mut()
    }

    /// Goes to a place: a root leaves all others behind, anything else is put on top.
    fn go(&mut self, place: &Place) {
        match ui::view::VIEWS.iter().position(|(root, ..)| root == place) {
            Some(root) => {
                self.stack.clear();
                self.root = root;
            }
            None => match self.stack.iter().position(|view| view.place() == *place) {
                Some(at) => self.stack.truncate(at + 1),
                None => self.stack.push(place.view()),
            },
        }
    }
}

impl World {
    fn cx(&self, now: Timestamp) -> Cx<'_> {
        let (width, height) = self.size;
        let body = ui::Parts::of(Rect::new(0, 0, width, height), self.full).body;
        Cx {
            seen: &self.seen,
            tenants: &self.judgement.tenants,
            findings: &self.findings,
            runs: &self.runs,
            campaigns: &self.campaigns,
            unreadable: &self.unreadable,
            detail: &self.detail,
            forwards: &self.forwards,
            outlook: self.outlook.as_ref(),
            history: &self.history,
            since: self.since,
            used: &self.used,
            replay: self.replay.as_ref(),
            stop: self.stop.as_ref(),
            who: &self.who,
            theme: &self.theme,
            // The time of a recording is that of its moment.
            now: if self.replay.is_some() { self.seen.at } else { self.seen.dated(now) },
            size: (body.width, body.height),
            wake: &self.wake,
        }
    }
}

impl App {
    /// The cockpit before anything was seen, on a terminal of so many columns and lines. The error is one sentence
    /// about the theme.
    ///
    /// # Errors
    /// The theme is not known, or its file is not understood: one sentence.
    pub fn new(setup: Setup, seen: Arc<Snapshot>, size: (u16, u16)) -> Result<Self, String> {
        let name = if setup.theme.is_empty() { "dark" } else { &setup.theme };
        let theme = Theme::load(name, &setup.themes, setup.depth)?.ascii(setup.ascii);
        let who = Who {
            operator: setup.operator.clone(),
            read_only: setup.read_only,
            label: setup.label.clone(),
            unlocked: None,
            contexts: setup.contexts.clone(),
        };
        let nothing = Judgement::from(Arc::new(Snapshot::default()));
        let world = World {
            who,
            theme,
            seen: nothing.seen.clone(),
            judgement: nothing,
            findings: Arc::default(),
            runs: Vec::new(),
            campaigns: Vec::new(),
            unreadable: Vec::new(),
            detail: Detail::default(),
            forwards: Vec::new(),
            outlook: None,
            history: Vec::new(),
            since: None,
            used: BTreeMap::new(),
            replay: setup.replay.clone(),
            stop: None,
            size,
            full: false,
            wake: Cell::new(None),
        };
        let history = setup.history.clone();
        let roots = ui::view::VIEWS.iter().map(|(place, ..)| place.view()).collect();
        let mut app = Self {
            setup,
            world,
            views: Views { roots, root: 0, stack: Vec::new() },
            trail: trail::Trail::default(),
            overlay: None,
            notice: None,
            foresight: foresee::Foresight::default(),
            due_scheme: None,
            driven: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            local: Vec::new(),
            local_campaigns: Vec::new(),
            decoded: Decoded::default(),
            decoded_campaigns: campaign::Decoded::default(),
            aborting: BTreeSet::new(),
            starting: false,
            wanted: Wants::default(),
            history,
            last_key: None,
            leaving: false,
            bound: false,
            away: false,
            returned: None,
            due: Cell::new(None),
        };
        let at = seen.at;
        update::observed(&mut app, seen.into(), at);
        Ok(app)
    }

    /// It is over.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// It is over here because another cluster or namespace is to be looked at; the lines typed so far.
    pub fn bound(&self) -> Option<&[String]> {
        self.bound.then_some(&self.history)
    }

    /// The terminal is in other hands: nothing may be drawn.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// When something on the screen changes though nothing happens: [`Msg::Tick`] is due then.
    pub fn alarm(&self) -> Option<Timestamp> {
        let wake = self.world.wake.get().filter(|_| self.world.replay.is_none());
        let wake = wake.and_then(|at| at.checked_sub(self.world.seen.api.skew()).ok());
        [wake, self.due.get(), self.foresight.due, self.due_scheme, self.world.who.unlocked]
            .into_iter()
            .flatten()
            .min()
    }

    /// Where the cockpit is.
    pub fn place(&self) -> Place {
        self.views.front().place()
    }

    /// A run or a campaign of this session that is not over, by its name.
    pub fn under_way(&self) -> Option<String> {
        use campaign::CampaignState::{Planned, Running};
        let campaign = self.campaigns.values().find(|c| matches!(c.state, Planned | Running));
        let run =
            || self.driven.values().find(|run| matches!(run.state, RunState::Planned | RunState::Running));
        campaign
            .map(|campaign| format!("campaign {}", campaign.short()))
            .or_else(|| run().map(|run| format!("run {}", run.short())))
    }

    /// Draws the screen at `now` on a buffer. Returns where the cursor is, when something is being typed.
    pub fn draw(&self, buf: &mut Buffer, now: Timestamp) -> Option<Position> {
        self.world.wake.set(None);
        let crumbs = self.views.crumbs();
        let appears = match &self.overlay {
            Some(Overlay::Planning(planning)) => planning.appears(),
            _ => None,
        };
        let screen = ui::Screen {
            crumbs: &crumbs,
            view: self.views.front(),
            overlay: self.overlay.as_ref().filter(|_| appears.is_none_or(|at| at <= now)),
            notice: self.notice.as_ref().map(|(severity, text, _)| (*severity, text.as_str())),
            typing: match &self.overlay {
                Some(Overlay::Command(line)) => Some((":", &line.input)),
                Some(Overlay::Filter(input)) => Some(("/", input)),
                Some(Overlay::Unheard(input)) => Some(("this screen has no filter, esc: /", input)),
                _ => None,
            },
        };
        let cursor = ui::draw(buf, &screen, &self.world.cx(now));
        let notice = self.notice.as_ref().and_then(|(severity, _, at)| at.checked_add(stays(*severity)).ok());
        let yes = match &self.overlay {
            Some(Overlay::Review(r)) => r.yes.and_then(|at| at.checked_add(approval::SETTLED).ok()),
            Some(Overlay::Scheme(r)) => r.yes.and_then(|at| at.checked_add(approval::SETTLED).ok()),
            _ => None,
        };
        // What is past due waits for something else to happen, such as the rehearsal.
        self.due.set([notice, yes, appears].into_iter().flatten().filter(|at| *at > now).min());
        cursor
    }

    /// Says why something that was asked for is not done; what is not there may only not have been read yet.
    fn decline(&mut self, why: &str, now: Timestamp) {
        let yet = if self.world.seen.is_ready() { "" } else { "; the cluster is still being read" };
        self.say(Severity::Warning, format!("{why}{yet}"), now);
    }

    fn say(&mut self, severity: Severity, text: impl Into<String>, now: Timestamp) {
        let text = text.into();
        if !text.is_empty() {
            self.notice = Some((severity, text, now));
        }
    }

    /// Makes the rows of the place in front again.
    fn refresh(&mut self, now: Timestamp) {
        self.world.full = self.views.front().is_full();
        let cx = self.world.cx(now);
        self.views.front_mut().refresh(&cx);
    }

    /// Shows only what contains the text.
    fn filter(&mut self, text: &str, now: Timestamp) {
        let lens = self.views.front_mut().lens();
        if let Some(filter) = lens.filter {
            filter.set(text, lens.fields);
        }
        self.refresh(now);
    }

    fn replicas(&self, name: &TenantName) -> Option<u32> {
        self.world.seen.tenants.get(name).map(|t| t.desired())
    }
}

/// How long a notice stays.
fn stays(severity: Severity) -> SignedDuration {
    SignedDuration::from_secs(if severity == Severity::Notice { 6 } else { 20 })
}
