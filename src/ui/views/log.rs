//! The log of a tenant: of all its pods merged by time, or of one.
//!
//! ```text
//!  php-fpm of all 3 pods of acme   last 200 lines of each
//!  09:14:02 x2x7k  GET /login 200                      the time, the pod, the text
//!  09:14:02 8kq4d  PHP Warning: …
//! ```

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cluster::{Key, LogRange, LogSource, Pod, PodState, TenantName},
    ui::{
        action::{Action, Containers},
        command::Command,
        filter::{Fields, Filter, Of},
        format,
        log::{Line, Log, LogsWanted},
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, Place, View, Wants},
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
    /// The number of the last line on the screen; `None`: it is followed.
    held: Option<u64>,
    /// The line that was looked for last.
    found: Option<u64>,
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
        }
    }

    /// The pods of the tenant that have a log, by name.
    fn all_pods<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Arc<Pod>> {
        let tenant = cx.seen.tenants.get(&self.tenant);
        let mut pods: Vec<_> = tenant.iter().flat_map(|tenant| &tenant.pods).collect();
        pods.retain(|pod| cx.seen.state_of(pod) != PodState::Finished || Some(&pod.key) == self.pod.as_ref());
        pods.sort_by(|a, b| format::natural(&a.key.name, &b.key.name));
        pods
    }

    /// Those whose log is shown.
    fn pods<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Arc<Pod>> {
        let mut pods = self.all_pods(cx);
        pods.retain(|pod| self.pod.as_ref().is_none_or(|only| pod.key == *only));
        pods
    }

    /// The names of the containers of these pods, each once, in the order of the pods.
    fn containers(pods: &[&Arc<Pod>]) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for container in pods.iter().flat_map(|pod| &pod.spec.containers) {
            if !names.contains(&container.name) {
                names.push(container.name.clone());
            }
        }
        names
    }

    /// The container that serves requests, where there is one of that name.
    fn serving(cx: &Cx<'_>, pods: &[&Arc<Pod>]) -> Option<Arc<str>> {
        let names = Self::containers(pods);
        let main = &cx.seen.tenancy.container;
        names.iter().find(|name| ***name == **main).or(names.first()).cloned()
    }

    fn sources(&self, cx: &Cx<'_>) -> Vec<LogSource> {
        let pods = self.pods(cx);
        let one = match &self.container {
            Container::Serving => Self::serving(cx, &pods),
            Container::Named(name) => Some(name.clone()),
            Container::All => None,
        };
        let mut sources = Vec::new();
        for pod in pods {
            for container in &pod.spec.containers {
                if one.as_ref().is_none_or(|one| *one == container.name) {
                    sources.push(LogSource { pod: pod.key.clone(), container: container.name.clone() });
                }
            }
        }
        sources
    }

    fn range(&self) -> LogRange {
        let tail = if self.since.is_some() { Log::KEPT as u32 } else { TAIL };
        LogRange { tail: Some(tail), since: self.since, previous: self.previous, follow: !self.previous }
    }

    /// The container whose log is shown was never started again: there is no log before that.
    fn never_restarted(&self, cx: &Cx<'_>) -> bool {
        let restarts = |source: &LogSource| {
            let pod = self.pods(cx).into_iter().find(|pod| pod.key == source.pod)?;
            Some(pod.containers.iter().find(|c| c.name == source.container)?.restarts)
        };
        let sources = self.sources(cx);
        !sources.is_empty() && sources.iter().all(|source| restarts(source) == Some(0))
    }

    fn keeps(&self, log: &Log, line: &Line) -> bool {
        let source = log.sources.get(line.of);
        self.filter.is_empty()
            || self.filter.keeps(&format::plain(&line.text), |of| match of {
                Of::Column("pod") => source.map(|source| source.pod.name.to_string()),
                Of::Column("container") => source.map(|source| source.container.to_string()),
                _ => None,
            })
    }

    fn shows(&self, log: &Log, line: &Line) -> bool {
        self.all_lines || self.keeps(log, line)
    }

    /// The places of the lines that are shown.
    fn shown(&self, log: &Log) -> Vec<usize> {
        (0..log.lines.len()).filter(|at| self.shows(log, &log.lines[*at])).collect()
    }

    /// How many of the lines have been read when the last one on the screen has; one that is no longer kept is the
    /// first.
    fn end(&self, log: &Log) -> usize {
        match self.held {
            None => log.lines.len(),
            Some(number) => log.lines.iter().position(|line| line.number == number).map_or(1, |at| at + 1),
        }
        .min(log.lines.len())
    }

    fn page(cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(1)).max(1)
    }

    fn scroll(&mut self, command: Command, cx: &Cx<'_>) {
        let log = &cx.detail.log;
        let shown = self.shown(log);
        let page = Self::page(cx);
        let Some(most) = shown.len().checked_sub(1) else { return };
        let end = self.end(log);
        let now = shown.partition_point(|at| *at < end).saturating_sub(1);
        let half = (page / 2).max(1);
        let least = (page - 1).min(most);
        let to = match command {
            Command::Up => now.saturating_sub(1),
            Command::Down => now + 1,
            Command::PageUp => now.saturating_sub(half),
            Command::PageDown => now + half,
            Command::Top => 0,
            Command::Bottom => {
                self.held = None;
                return;
            }
            _ => return,
        };
        self.held = Some(log.lines[shown[to.clamp(least, most)]].number);
    }

    /// To the next line with what is looked for, older or newer than the one before.
    fn look(&mut self, older: bool, cx: &Cx<'_>) -> Option<Action> {
        let log = &cx.detail.log;
        if self.filter.is_empty() {
            return Some(Action::Say("nothing is looked for: / takes what it is".into()));
        }
        let from = self.found.and_then(|n| log.lines.iter().position(|line| line.number == n));
        let matching = |at: &usize| self.keeps(log, &log.lines[*at]);
        let hit = match (from, older) {
            (None, true) => (0..self.end(log)).rev().find(matching),
            (Some(from), true) => (0..from).rev().find(matching),
            (None, false) => (self.end(log)..log.lines.len()).find(matching),
            (Some(from), false) => (from + 1..log.lines.len()).find(matching),
        };
        let Some(hit) = hit else {
            let way = if older { "older" } else { "newer" };
            return Some(Action::Say(format!("no {way} line of those that are kept matches")));
        };
        self.found = Some(log.lines[hit].number);
        // Some lines after it stay in sight.
        let shown = self.shown(log);
        let at = shown.partition_point(|at| *at < hit);
        let page = Self::page(cx);
        let last = (at + page / 3).max((page - 1).min(shown.len().saturating_sub(1)));
        self.held = shown.get(last.min(shown.len().saturating_sub(1))).map(|at| log.lines[*at].number);
        None
    }

    /// What tells the pods and containers of the log apart: the end of the pod's name, and the container where there
    /// are several.
    fn tags(&self, log: &Log) -> Vec<String> {
        let pods: Vec<&Key> = log.sources.iter().map(|source| &source.pod).collect();
        let several = pods.iter().any(|pod| *pod != pods[0]);
        let tail = |pod: &Key| pod.name.rsplit('-').next().unwrap_or(&pod.name).to_owned();
        let mut tails: BTreeMap<String, &Key> = BTreeMap::new();
        let told = pods.iter().all(|pod| *tails.entry(tail(pod)).or_insert(pod) == *pod);
        log.sources
            .iter()
            .map(|source| {
                let pod = if told { tail(&source.pod) } else { source.pod.name.to_string() };
                match (several, self.container == Container::All) {
                    (true, true) => format!("{pod}/{}", source.container),
                    (true, false) => pod,
                    (false, true) => source.container.to_string(),
                    (false, false) => String::new(),
                }
            })
            .collect()
    }

    fn range_words(&self) -> String {
        match (self.previous, self.since) {
            (true, _) => "before the last restart".into(),
            (_, None) => format!("last {TAIL} lines of each container"),
            (_, Some(seconds)) => format!("last {}", span(seconds)),
        }
    }

    fn head(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let pods = self.pods(cx);
        let sources = self.sources(cx);
        let container = match &self.container {
            Container::Serving => {
                Self::serving(cx, &pods).map_or("no container".into(), |name| name.to_string())
            }
            Container::Named(name) => name.to_string(),
            Container::All => "all containers".into(),
        };
        let of = match (&self.pod, pods.len()) {
            (Some(pod), 0) => format!(" of {}, which is gone", pod.name),
            (Some(pod), _) => format!(" of {}", pod.name),
            (None, 1) => format!(" of the only pod of {}", self.tenant),
            (None, n) => format!(" of all {} of {}", format::count(n, "pod"), self.tenant),
        };
        let most = if sources.len() > MOST {
            format!("   only the first {MOST} of {} containers are read", sources.len())
        } else {
            String::new()
        };
        let pieces = [
            piece(container, Role::Accent),
            piece(of, Role::Muted),
            piece(format!("   {}", self.range_words()), Role::Faint),
            piece(most, Role::Warn),
        ];
        pen.line(1, 0, pen.width().saturating_sub(2), &pieces);
    }

    /// Why no more lines come, one line for those that say the same.
    fn troubles(log: &Log) -> Vec<String> {
        let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (of, why) in &log.troubles {
            let name = log.sources.get(*of).map_or("", |source| &*source.pod.name);
            by_text.entry(why).or_default().push(name);
        }
        let told = |(why, names): (&str, Vec<&str>)| match (names.as_slice(), log.sources.len()) {
            (_, 1) => why.to_owned(),
            ([one], _) => format!("{one}: {why}"),
            ([one, rest @ ..], _) => format!("{one} and {} more: {why}", rest.len()),
            ([], _) => why.to_owned(),
        };
        by_text.into_iter().map(told).collect()
    }

    /// What is shown, as it is saved: the whole time, the pod and container, the text.
    fn text(&self, log: &Log) -> String {
        let mut text = String::new();
        for at in self.shown(log) {
            let line = &log.lines[at];
            let source = log.sources.get(line.of);
            let time = line.at.map_or("-".into(), format::time);
            let of = source.map_or(String::new(), |s| format!("{}/{}", s.pod.name, s.container));
            text += &format!("{time} {of} {}\n", format::plain(&line.text));
        }
        text
    }

    fn save(&self, file: Option<&str>, cx: &Cx<'_>) -> Action {
        let log = &cx.detail.log;
        let text = self.text(log);
        if text.is_empty() {
            return Action::Say("there is no line to save".into());
        }
        Action::SaveLog { file: file.map(str::to_owned), name: self.tenant.to_string(), text }
    }

    fn begin_again(&mut self) {
        self.held = None;
        self.found = None;
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
                    None => cx.detail.log.lines.back().map(|line| line.number),
                };
            }
            Command::Since => {
                let at = BACK.iter().position(|back| *back == self.since).unwrap_or(0);
                self.since = BACK[(at + 1) % BACK.len()];
                self.begin_again();
            }
            Command::Times => {
                self.times = match self.times {
                    Times::Clock => Times::Full,
                    Times::Full => Times::None,
                    Times::None => Times::Clock,
                };
            }
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
                self.since = Some(u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1));
                self.begin_again();
                Ok(None)
            }
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let log = &cx.detail.log;
        self.head(pen, cx);
        let width = pen.width();
        let troubles = Self::troubles(log);
        if log.lines.is_empty() {
            self.render_nothing(pen, cx, &troubles);
            return;
        }
        let told: Vec<String> = troubles
            .iter()
            .flat_map(|why| format::wrap(&format::plain(&format!("▲ {why}")), width.saturating_sub(2)))
            .take(usize::from(pen.height() / 3))
            .collect();
        let page = usize::from(pen.height().saturating_sub(1)).saturating_sub(told.len());
        let tags = self.tags(log);
        let tag_width = tags.iter().map(|tag| format::width(tag)).max().unwrap_or(0).min(width / 4);
        let time_width = match self.times {
            _ if width < 56 => 0,
            Times::None => 0,
            Times::Clock => 9,
            Times::Full => 25,
        };
        let tag_at = 1 + time_width;
        let text_at = tag_at + if tag_width > 0 { tag_width + 1 } else { 0 };
        let room = width.saturating_sub(text_at);
        // The last lines first, until the page is full.
        let mut rows: Vec<(&Line, bool, String)> = Vec::with_capacity(page);
        for line in log.lines.range(..self.end(log)).rev().filter(|line| self.shows(log, line)) {
            if rows.len() >= page {
                break;
            }
            let text = format::plain(&line.text);
            if self.wrap {
                let pieces = format::chop(&text, room);
                rows.extend(pieces.into_iter().enumerate().rev().map(|(i, text)| (line, i == 0, text)));
            } else {
                rows.push((line, true, text.into_owned()));
            }
        }
        rows.truncate(page);
        if rows.is_empty() {
            let text = format!("no line of {} matches", log.lines.len());
            pen.line(4, 2, width.saturating_sub(4), &[piece(text, Role::Muted)]);
        }
        let lines = rows.len();
        for (y, (line, first, text)) in (1u16..).zip(rows.into_iter().rev()) {
            if first {
                if let Some(at) = line.at.filter(|_| time_width > 0) {
                    let time = match self.times {
                        Times::Full => format::time(at),
                        _ => at.strftime("%H:%M:%S").to_string(),
                    };
                    pen.put(1, y, time_width - 1, &time, Role::Faint);
                }
                let tag = tags.get(line.of).map_or("", String::as_str);
                pen.put(tag_at, y, tag_width, tag, series(line.of));
            }
            self.draw_text(pen, text_at, y, room, &text);
            if self.found == Some(line.number) {
                pen.tint_line(y, Role::Selection);
            }
        }
        for (y, text) in (lines as u16 + 1..).zip(told) {
            pen.put(1, y, width.saturating_sub(1), &text, Role::Warn);
        }
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
        self.filter.words().into_iter().chain(around).chain([of]).collect::<Vec<_>>().join(" · ")
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        (command == Command::Before && !self.previous && self.never_restarted(cx))
            .then(|| "it has not restarted: there is no earlier log".to_owned())
    }

    fn subject(&self) -> Option<String> {
        Some(self.pod.as_ref().map_or_else(|| self.tenant.to_string(), |pod| pod.name.to_string()))
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        let log = &cx.detail.log;
        let found = self.found.and_then(|number| log.lines.iter().find(|line| line.number == number));
        let last = || log.lines.range(..self.end(log)).rev().find(|line| self.shows(log, line));
        found.or_else(last).map(|line| format::plain(&line.text).into_owned())
    }

    fn filter(&mut self) -> Option<&mut Filter> {
        self.found = None;
        Some(&mut self.filter)
    }

    fn fields(&self) -> &'static Fields {
        &FIELDS
    }

    fn wants(&self, cx: &Cx<'_>) -> Wants {
        let mut sources = self.sources(cx);
        sources.truncate(MOST);
        Wants { log: LogsWanted { sources, range: self.range() }, ..Wants::default() }
    }
}

impl LogView {
    fn render_nothing(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, troubles: &[String]) {
        let width = pen.width().saturating_sub(5);
        let mut y = 2;
        for why in troubles {
            let other = if self.previous { "; P shows the present log" } else { "" };
            for line in format::wrap(&format::plain(&format!("{why}{other}")), width) {
                pen.put(4, y, width, &line, Role::Warn);
                y += 1;
            }
        }
        if !troubles.is_empty() {
            return;
        }
        let text = if !cx.seen.is_ready() {
            format!("{}: the cluster has not been read yet", self.tenant)
        } else if !cx.seen.tenants.contains_key(&self.tenant) {
            format!("there is no tenant {}", self.tenant)
        } else if cx.detail.log.wanted.sources.is_empty() {
            "no pod has a log".into()
        } else if cx.detail.log.begun {
            "the log is empty".into()
        } else {
            "asking for the log …".into()
        };
        pen.put(4, y, width, &text, Role::Muted);
    }

    /// The text of a line, with what is looked for marked.
    fn draw_text(&self, pen: &mut Pen<'_>, x: u16, y: u16, room: u16, text: &str) {
        let role = tone(text);
        let mut pieces = Vec::new();
        let mut at = 0;
        for place in self.filter.places(text) {
            pieces.push(piece(&text[at..place.start], role));
            pieces.push(piece(&text[place.clone()], Role::Changed));
            at = place.end;
        }
        pieces.push(piece(&text[at..], role));
        pen.line(x, y, room, &pieces);
    }
}

/// `5 min`, `1 h`.
fn span(seconds: u32) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds.into())).to_string()
}

/// The colour of a pod among others.
fn series(of: usize) -> Role {
    [Role::Series1, Role::Series2, Role::Series3, Role::Series4][of % 4]
}

/// How loud a line of a log is, by its words.
fn tone(text: &str) -> Role {
    let lower = text.to_ascii_lowercase();
    if ["error", "fatal", "panic", "critical"].iter().any(|word| lower.contains(word)) {
        Role::Danger
    } else if lower.contains("warn") {
        Role::Warn
    } else {
        Role::Text
    }
}
