//! A cockpit without a terminal: keys in, frames out. Its clock stands still but for the keys, a tenth of a second each.

use std::{cell::Cell, sync::Arc};

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use wheelhouse::{
    app::{App, Effect, Msg, OnScreen, Setup, update},
    cluster::{
        Cpu, Key, KubeEvent, LogLine, LogRange, LogSource, Memory, NodeUsage, Observation, Seen, Snapshot,
        sketch,
    },
    plan::{
        About, Check, Plan, Verdict,
        rebalance::{self, Aim, Policy},
        whatif::Forecast,
    },
    run::campaign::Refusals,
    run::{Entry, Event, Outcome, Rehearsal, Run},
    ui::{Depth, Draft, Outlook, Place, Role, Theme, Wanted},
};

/// A night with a little of everything.
pub const NIGHT: &str = "
node worker-1 memory=32Gi cpu=16 since=984h
node worker-2 memory=32Gi cpu=16 since=12m
node worker-3 memory=32Gi cpu=16 since=984h
node worker-4 memory=32Gi cpu=16 cordoned since=216h
node worker-5 memory=32Gi cpu=16 since=984h
tenant acme 3 on worker-1 worker-3 worker-5 used=310Mi
tenant globex 3 on worker-1 worker-3 worker-3 used=602Mi restarts=4 hpa=2-4
tenant hooli 3 on worker-1 worker-3 worker-5~ tag=2.4.2 used=244Mi rolling
tenant initech 2 on worker-1x worker-3x used=640Mi restarts=17 tag=2.4.2
tenant massive 4 on worker-1 worker-3 worker-4 worker-5 used=201Mi
tenant piedpiper 2 on worker-3 worker-3 used=180Mi
tenant soylent 2 on worker-1 worker-5 used=420Mi pdb=1
tenant stark 2 on worker-1 worker-5- worker-3 used=96Mi gitops=ArgoCD
tenant tyrell 1 on worker-5 used=222Mi
tenant umbrella 4 on worker-1 worker-3 worker-4 worker-5 used=166Mi
tenant vandelay 2 on worker-3 ? used=288Mi
tenant wayne 2 on worker-1 worker-5 used=350Mi statefulset
";

/// The moment of every test.
pub fn now() -> Timestamp {
    "2026-11-21T03:12:00Z".parse().expect("a time")
}

/// The snapshot of a sketch, as seen by a user of `prod-eu`, with measured nodes.
pub fn night(text: &str) -> Snapshot {
    let mut seen = sketch(text, now()).expect("a sketch");
    seen.api.context = "prod-eu".into();
    seen.api.server = "https://10.1.2.3:6443".into();
    seen.api.user = Some("oncall".into());
    seen.api.latency = Some(std::time::Duration::from_millis(12));
    let used = |i: u64| NodeUsage { at: now(), cpu: Cpu(700 + 310 * i), memory: Memory((3 + 2 * i) << 30) };
    let nodes: Vec<_> =
        seen.nodes.items.keys().cloned().enumerate().map(|(i, n)| (n, used(i as u64))).collect();
    seen.observe(Observation::NodeUsage(Seen::All(nodes, now())));
    seen
}

/// How every cockpit of this thread looks from now on: its theme, its colours, and whether it shows ASCII only.
#[derive(Clone, Copy)]
pub struct Look {
    pub theme: &'static str,
    pub depth: Depth,
    pub ascii: bool,
}

thread_local! {
    static LOOK: Cell<Option<Look>> = const { Cell::new(None) };
}

/// What `make` gives when all cockpits look so.
pub fn looking<T>(look: Look, make: impl FnOnce() -> T) -> T {
    LOOK.set(Some(look));
    let made = make();
    LOOK.set(None);
    made
}

/// A cockpit and its clock.
pub struct Cockpit {
    pub app: App,
    pub now: Timestamp,
    size: (u16, u16),
    theme: (String, Depth),
    plan: Option<Plan>,
    run: Option<Run>,
    seen: Arc<Snapshot>,
    forecast: Forecast,
    /// Predictions that were asked for.
    pub foreseen: usize,
    aim: Option<Aim>,
    rehearsal: Option<String>,
}

impl Cockpit {
    pub fn of(text: &str, size: (u16, u16)) -> Self {
        Self::with(text, size, |_| {})
    }

    pub fn with(text: &str, size: (u16, u16), change: impl FnOnce(&mut Setup)) -> Self {
        Self::seeing(night(text), size, change)
    }

    pub fn seeing(seen: Snapshot, size: (u16, u16), change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup { operator: "alice@bastion".into(), theme: "dark".into(), ..Setup::default() };
        if let Some(look) = LOOK.get() {
            setup.theme = look.theme.into();
            (setup.depth, setup.ascii) = (look.depth, look.ascii);
        }
        change(&mut setup);
        let theme = (setup.theme.clone(), setup.depth);
        let seen = Arc::new(seen);
        let app = App::new(setup, seen.clone(), size).expect("a theme");
        let forecast = Forecast::default();
        let mut cockpit = Self {
            app,
            now: now(),
            size,
            theme,
            plan: None,
            run: None,
            seen,
            forecast,
            foreseen: 0,
            aim: None,
            rehearsal: None,
        };
        cockpit.send(Msg::Tick);
        cockpit
    }

    /// Folds one message, and answers at once when a prediction is asked for.
    pub fn send(&mut self, msg: Msg) -> Vec<Effect> {
        if let Msg::Observed(judgement) = &msg {
            self.seen = judgement.seen.clone();
        }
        let mut effects = update(&mut self.app, msg, self.now);
        while let Some(at) = effects.iter().position(|e| matches!(e, Effect::Foresee(..))) {
            let Effect::Foresee(OnScreen(seen), question) = effects.remove(at) else {
                unreachable!("it was found there")
            };
            self.foreseen += 1;
            let outlook = Outlook::of(&mut self.forecast, seen, question);
            effects.extend(update(&mut self.app, Msg::Foreseen(Box::new(outlook)), self.now));
        }
        while let Some(at) = effects
            .iter()
            .position(|e| matches!(e, Effect::Scheme(..) | Effect::Plan(..) | Effect::Targets(..)))
        {
            let policy = Policy::default();
            let answer = match effects.remove(at) {
                Effect::Scheme(wanted, terms) => {
                    if let Wanted::Aim(aim) = &wanted {
                        self.aim = Some(aim.clone());
                    }
                    let found = Draft::of(&self.seen, &wanted, &terms, &policy);
                    Msg::Scheme(wanted, terms, Box::new(found))
                }
                Effect::Plan(intent, runs) => {
                    let plan = wheelhouse::run::instead::planned(&self.seen, &runs, &intent);
                    Msg::Planned(intent, Box::new(plan))
                }
                Effect::Targets(tenant, pod) => {
                    let found = rebalance::targets(&self.seen, &tenant, &pod, &policy);
                    Msg::Targets(pod, found)
                }
                _ => unreachable!("it was found there"),
            };
            effects.extend(update(&mut self.app, answer, self.now));
        }
        for effect in &effects {
            match effect {
                Effect::Rehearse(plan) => self.plan = Some(plan.clone()),
                Effect::RehearseAll(id, _) => self.rehearsal = Some(id.clone()),
                _ => {}
            }
        }
        self.buffer();
        effects
    }

    /// Presses keys, named as in the table of commands, a tenth of a second apart.
    pub fn keys(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.split_whitespace() {
            self.now += SignedDuration::from_millis(100);
            effects.extend(self.send(Msg::Input(Input::Key(key_of(key)))));
        }
        effects
    }

    /// Types a text.
    pub fn typed(&mut self, text: &str) {
        for c in text.chars() {
            let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            self.wait(100);
            self.send(Msg::Input(Input::Key(key)));
        }
    }

    /// Presses keys without any time between them, as a paste without brackets arrives.
    pub fn burst(&mut self, keys: &str) -> Vec<Effect> {
        self.now += SignedDuration::from_millis(500);
        keys.split_whitespace().flat_map(|key| self.send(Msg::Input(Input::Key(key_of(key))))).collect()
    }

    /// Lets time pass, as the loop does when the app has asked for it.
    pub fn wait(&mut self, millis: i64) -> Vec<Effect> {
        self.now += SignedDuration::from_millis(millis);
        self.send(Msg::Tick)
    }

    /// The plan under review, as the last effects asked to rehearse it.
    pub fn plan(&self) -> &Plan {
        self.plan.as_ref().expect("a plan was to be rehearsed")
    }

    /// A rehearsal in which all is well.
    pub fn rehearse(&mut self) -> Vec<Effect> {
        let check = |rule: &str, text: &str| Check::new(rule, Verdict::Ok, text);
        let checks = vec![check("access", "may scale deployments"), check("dry-run", "accepted")];
        let rehearsal = Rehearsal { plan: self.plan().id.clone(), checks, journal_missing: Vec::new() };
        self.send(Msg::Rehearsed(rehearsal))
    }

    /// What many pods were last asked to do.
    pub fn aim(&self) -> Option<Aim> {
        self.aim.clone()
    }

    /// A rehearsal of many moves in which all is well.
    pub fn rehearse_all(&mut self) -> Vec<Effect> {
        let checks = vec![Check::new("access", Verdict::Ok, "may create and patch pods")];
        self.rehearse_all_as(checks, Refusals::new())
    }

    /// A rehearsal of many moves that says this, and leaves out that.
    pub fn rehearse_all_as(&mut self, checks: Vec<Check>, left: Refusals) -> Vec<Effect> {
        let plan = self.rehearsal.clone().expect("a rehearsal was asked for");
        self.send(Msg::RehearsedAll(Rehearsal { plan, checks, journal_missing: Vec::new() }, left))
    }

    /// Reads the plan under review to its end.
    pub fn read(&mut self) {
        for _ in 0..9 {
            self.keys("ctrl-d");
        }
    }

    /// Says yes to the plan under review, and takes the part of the run that then begins.
    pub fn start(&mut self) {
        self.rehearse();
        self.read();
        self.keys("y");
        let effects = self.wait(200);
        let approved = effects.into_iter().find_map(|e| match e {
            Effect::Start(approved, _) => Some(approved),
            _ => None,
        });
        let mut run = Run::new("20261121-031201-9c1f", "alice@bastion", approved.expect("a start"));
        self.send(Msg::Ran(Box::new(run.clone())));
        run.apply(self.entry(Event::Taken)).expect("a legal order");
        self.ran(run);
    }

    fn entry(&self, event: Event) -> Entry {
        Entry { at: self.now, by: "alice@bastion".into(), token: 1, event }
    }

    fn ran(&mut self, run: Run) -> Vec<Effect> {
        self.run = Some(run.clone());
        self.send(Msg::Ran(Box::new(run)))
    }

    /// Something happens in the run.
    pub fn happen(&mut self, event: Event) -> Vec<Effect> {
        let mut run = self.run.clone().expect("a run");
        run.apply(self.entry(event)).expect("a legal order");
        self.ran(run)
    }

    /// The run as it stands.
    pub fn run(&self) -> &Run {
        self.run.as_ref().expect("a run")
    }

    /// So many steps are done, the next one is begun.
    pub fn progress(&mut self, done: usize) {
        let through = self.run().progress().0;
        for step in 0..=done {
            if step < self.run().steps.len() {
                if step >= through {
                    self.happen(Event::Started { step });
                }
                self.now += SignedDuration::from_millis(1_400);
            }
            if step < through {
                continue;
            }
            if step < done {
                self.happen(Event::Done { step, text: "written".into() });
            }
        }
    }

    /// All steps are done, the prediction is verified, and the run is over.
    pub fn finish(&mut self) {
        self.progress(self.run().steps.len());
        let tenant = self.run().plan().tenants[0].tenant.clone();
        self.happen(Event::Verified {
            about: About::Tenant(tenant),
            as_predicted: true,
            text: "5 ready where predicted".into(),
        });
        self.happen(Event::Finished { outcome: Outcome::Done, text: "all as planned".into() });
    }

    pub fn observe(&mut self, text: &str) -> Vec<Effect> {
        let mut seen = night(text);
        seen.revision += 1;
        self.send(Msg::Observed(Arc::new(seen).into()))
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.send(Msg::Input(Input::Resize(width, height)));
    }

    pub fn buffer(&self) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.app.draw(&mut buf, self.now);
        buf
    }

    /// The frame as text, without the blanks at the ends of lines.
    pub fn text(&self) -> String {
        let buf = self.buffer();
        let width = usize::from(self.size.0).max(1);
        let lines = buf.content().chunks(width).map(|line| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in line {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
                text.push_str(cell.symbol());
            }
            text.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The frame without header, status and keys.
    pub fn body(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        lines[2..lines.len() - 2].join("\n")
    }

    /// The names in the table of the tenants, from above.
    pub fn rows(&self) -> Vec<String> {
        let text = self.text();
        let table =
            text.lines().skip_while(|l| !l.contains("TENANT")).skip(1).take_while(|l| !l.trim().is_empty());
        table
            .filter_map(|l| {
                l.chars().skip(4).collect::<String>().split_whitespace().next().map(str::to_owned)
            })
            .collect()
    }

    /// The name in the selected row.
    pub fn selected(&self) -> Option<String> {
        let text = self.text();
        let line = text.lines().find(|l| l.starts_with('›'))?;
        line.chars().skip(4).collect::<String>().split_whitespace().next().map(str::to_owned)
    }

    pub fn theme(&self) -> String {
        let light = Theme::load("light", &[], Depth::True).expect("a theme").style(Role::Text).bg;
        let shown = self.buffer()[(0, self.size.1 / 2)].bg;
        if Some(shown) == light { "light".into() } else { self.theme.0.clone() }
    }

    pub fn role(&self, role: Role) -> Style {
        Theme::load(&self.theme.0, &[], self.theme.1).expect("a theme").style(role)
    }

    /// Some events of the tenant in front.
    pub fn events(&mut self) {
        let Place::Tenant(name) = self.app.place() else { panic!("no tenant in front") };
        let event = |minutes: i64, warning: bool, reason: &str, message: &str, count: u32| KubeEvent {
            at: now() - SignedDuration::from_mins(minutes),
            warning,
            reason: reason.into(),
            object: ("Pod".into(), Key::new(name.as_str(), format!("{name}-5f6d8c9b7-00000"))),
            message: message.into(),
            count,
        };
        let events = vec![
            event(1, true, "BackOff", "Back-off restarting failed container php-fpm in pod", 41),
            event(4, true, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 502", 12),
            event(
                9,
                false,
                "Pulled",
                "Container image \"registry.example/app:2.4.2\" already present on machine",
                1,
            ),
            event(9, false, "Scheduled", "Successfully assigned to worker-1", 1),
        ];
        self.send(Msg::TenantEvents(name, Ok(events)));
    }

    /// So many lines of a log.
    pub fn log(&mut self, source: &LogSource, lines: usize) {
        let line = |i: usize| LogLine {
            at: Some(now() - SignedDuration::from_secs((lines - i) as i64)),
            text: match i % 8 {
                3 => format!("[error] line {i} upstream timed out").into(),
                5 => format!("\u{1b}[33mwarning\u{1b}[0m line {i} slow request 4.1 s").into(),
                _ => format!("line {i} GET /api/orders 200 81 ms").into(),
            },
        };
        let lines = (0..lines).map(line).collect();
        let range = LogRange { tail: Some(200), follow: true, ..LogRange::default() };
        self.send(Msg::Log(source.clone(), range, Ok(lines)));
    }
}

fn key_of(name: &str) -> KeyEvent {
    let (name, modifiers) = match name.split_once('-') {
        Some(("ctrl", rest)) => (rest, KeyModifiers::CONTROL),
        Some(("alt", rest)) => (rest, KeyModifiers::ALT),
        _ => (name, KeyModifiers::NONE),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        function if function.len() > 1 && function.starts_with('F') => {
            KeyCode::F(function[1..].parse().expect("a function key"))
        }
        one if one.chars().count() == 1 => KeyCode::Char(one.chars().next().expect("a character")),
        other => panic!("no key is called `{other}`"),
    };
    KeyEvent::new(code, modifiers)
}
