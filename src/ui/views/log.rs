//! The log of a tenant: of all its pods merged by time, or of one.
//!
//! ```text
//!  php-fpm of all 3 pods of acme   last 200 lines of each
//!  09:14:02 x2x7k  GET /login 200                      the time, the pod, the text
//!  09:14:02 8kq4d  PHP Warning: …
//! ```

mod drawing;
mod looking;
mod reading;

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    cluster::{Key, TenantName},
    ui::{
        action::{Action, Containers},
        command::{self, Command},
        filter::{Fields, Filter},
        format,
        log::LogsWanted,
        paint::Pen,
        view::{Cx, Lens, Place, View, Wants},
    },
};

static FIELDS: Fields = Fields { columns: &["pod", "container"], labels: false };

/// Lines of each that are read when it is opened.
const TAIL: u32 = 200;

/// Containers that are read at once at most: each is a connection from the API server to a kubelet.
const MOST: usize = 40;

/// How far back it can be read by key, in seconds; `None`: the last lines.
const BACK: [Option<u32>; 5] = [None, Some(300), Some(1_800), Some(3_600), Some(86_400)];

/// Whose log of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Container {
    /// The one that serves requests, else the first.
    Serving,
    Named(Arc<str>),
    All,
}

/// What stands before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    None,
    Clock,
    Full,
}

/// Where a log is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// At the line of that number.
    Line(u64),
    /// At the last line that is not later: numbers begin again when another part is read.
    Time(Timestamp),
}

/// The log of a tenant.
pub struct LogView {
    tenant: TenantName,
    /// This one alone.
    pod: Option<Key>,
    container: Container,
    previous: bool,
    since: Option<u32>,
    filter: Filter,
    /// Lines that the filter does not let through are shown as well; those it does are marked.
    all_lines: bool,
    wrap: bool,
    times: Times,
    /// The last line on the screen; `None`: it is followed.
    held: Option<Held>,
    /// The line that was found last, by its number, and what was looked for then.
    found: Option<(u64, String)>,
    /// It has the whole screen.
    full: bool,
}

impl LogView {
    /// The log of all pods of the tenant, or of one of them.
    pub fn new(tenant: TenantName, pod: Option<Key>) -> Self {
        Self {
            tenant,
            pod,
            container: Container::Serving,
            previous: false,
            since: None,
            filter: Filter::default(),
            all_lines: false,
            wrap: true,
            times: Times::Clock,
            held: None,
            found: None,
            full: false,
        }
    }
}

impl View for LogView {
    fn place(&self) -> Place {
        Place::Log(self.tenant.clone(), self.pod.clone())
    }

    fn refresh(&mut self, _cx: &Cx<'_>) {}

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        match command {
            Command::Container => {
                let pods = self.pods(cx);
                let names = Self::containers(&pods);
                let now = match &self.container {
                    Container::Serving => Self::serving(cx, &pods),
                    Container::Named(name) => Some(name.clone()),
                    Container::All => None,
                };
                let at = now.and_then(|now| names.iter().position(|name| *name == now));
                // After the last one all of them, then the first again.
                let next = at.map_or(0, |at| at + 1);
                self.container = match names.get(next) {
                    Some(name) => Container::Named(name.clone()),
                    None if names.len() > 1 => Container::All,
                    None => return Some(Action::Say("its pods have one container".into())),
                };
                self.begin_again();
            }
            Command::AllPods | Command::NextPod | Command::PreviousPod => {
                let pods = self.all_pods(cx);
                let at = self.pod.as_ref().and_then(|pod| pods.iter().position(|p| p.key == *pod));
                let next = match (command, at) {
                    (Command::AllPods, None) if self.pod.is_none() => Some(0),
                    (Command::AllPods, _) => None,
                    (Command::NextPod, None) => Some(0),
                    (Command::NextPod, Some(at)) => Some(at + 1),
                    (_, None) => pods.len().checked_sub(1),
                    (_, Some(at)) => at.checked_sub(1),
                };
                self.pod = next.and_then(|at| pods.get(at)).map(|pod| pod.key.clone());
                self.begin_again();
            }
            Command::Before => {
                self.previous = !self.previous;
                self.begin_again();
            }
            Command::Exec => {
                let container = match &self.container {
                    Container::Named(name) => Some(name.clone()),
                    Container::Serving | Container::All => None,
                };
                let (tenant, pod) = (Some(self.tenant.clone()), self.pod.clone());
                return Some(Action::Shell(Containers { tenant, pod, container, ..Containers::default() }));
            }
            Command::Follow => {
                self.held = match self.held {
                    Some(_) => None,
                    None => cx.detail.log.lines.back().map(|line| Held::Line(line.number)),
                };
            }
            Command::Since => {
                let at = BACK.iter().position(|back| *back == self.since).unwrap_or(0);
                self.read_since(BACK[(at + 1) % BACK.len()], cx);
            }
            Command::Times => {
                self.times = match self.times {
                    Times::Clock => Times::Full,
                    Times::Full => Times::None,
                    Times::None => Times::Clock,
                };
            }
            Command::FullScreen => self.full = !self.full,
            Command::Wrap => self.wrap = !self.wrap,
            Command::Around => self.all_lines = !self.all_lines,
            Command::OlderMatch => return self.look(true, cx),
            Command::NewerMatch => return self.look(false, cx),
            Command::SaveLog => return Some(self.save(None, cx)),
            _ => self.scroll(command, cx),
        }
        None
    }

    fn typed(&mut self, command: Command, text: &str, cx: &Cx<'_>) -> Result<Option<Action>, String> {
        match command {
            Command::SaveLog => Ok(Some(self.save(Some(text), cx))),
            _ => {
                let span = humantime::parse_duration(text)
                    .map_err(|why| format!("`{text}` is no span such as 10m or 1h30m: {why}"))?;
                self.read_since(Some(u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1)), cx);
                Ok(None)
            }
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        self.draw(pen, cx);
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let log = &cx.detail.log;
        let below = || log.lines.range(self.end(log)..).filter(|line| self.shows(log, line)).count();
        let of = match self.held {
            _ if self.previous => "ended".to_owned(),
            None => "following".to_owned(),
            Some(_) => match below() {
                0 => "held".to_owned(),
                n => format!("held, {} below", format::count(n, "line")),
            },
        };
        let around = (self.all_lines && !self.filter.is_empty()).then(|| "all lines".to_owned());
        let cut = (!self.wrap).then(|| "long lines cut".to_owned());
        self.filter.words().into_iter().chain(around).chain(cut).chain([of]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        match command {
            Command::Before if !self.previous && self.never_restarted(cx) => {
                Some("it has not restarted: there is no earlier log".into())
            }
            Command::Around if self.filter.is_empty() => {
                let (filter, around) = (command::sign(Command::Filter), command::sign(Command::Around));
                Some(format!("nothing is looked for: {filter} does, then {around} shows the lines around it"))
            }
            _ => None,
        }
    }

    fn is_full(&self) -> bool {
        self.full
    }

    fn subject(&self) -> Option<String> {
        Some(self.pod.as_ref().map_or_else(|| self.tenant.to_string(), |pod| pod.name.to_string()))
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        let log = &cx.detail.log;
        let found = self.found().and_then(|number| log.lines.iter().find(|line| line.number == number));
        let last = || log.lines.range(..self.end(log)).rev().find(|line| self.shows(log, line));
        found.or_else(last).map(|line| format::plain(&line.text).into_owned())
    }

    fn lens(&mut self) -> Lens<'_> {
        Lens::filtered(&mut self.filter, &FIELDS)
    }

    fn wants(&self, cx: &Cx<'_>) -> Wants {
        let mut sources = self.sources(cx);
        sources.truncate(MOST);
        Wants { log: LogsWanted { sources, range: self.range() }, ..Wants::default() }
    }
}
