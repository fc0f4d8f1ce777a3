//! Who runs a drill: lets the incident strike once the operator is at the screen, sees what is on it, and ends the cockpit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::{
    site::{Colleague, Site},
    table::Drill,
};
use crate::{
    app::{Msg, Onlooker},
    cluster::{Finding, Severity, Snapshot, Subject, TenantName, database, findings, refuses},
    demo::Cluster,
    history::{Happened, changes},
    run::{self, campaign},
    ui::plain,
};

/// How often the world is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// The last words stay on the screen so long.
const FAREWELL: Duration = Duration::from_secs(2);
/// So much of a finding is looked for on a screen: the rest may be cut there.
const SIGN: usize = 9;
/// What is solved stays so for this long before it counts.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

/// Rules by which the users of a tenant are turned away before they come to it.
const TURNED_AWAY: [&str; 3] = ["certificate", "host-not-served", "unreachable"];

/// A finding that was there before: its rule, its subject, its severity.
type Old = (&'static str, String, Severity);

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// Everything is as it should be.
    Solved,
    /// The operator left before.
    GivenUp,
    /// It took longer than there was time.
    TimeOver,
    /// The operator left before anything had happened.
    NotBegun,
}

/// A finding of the incident: the first that the cockpit could show.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sign {
    /// Whom it is about, and what.
    pub text: String,
    /// When it was in what the cockpit had read.
    pub known: Timestamp,
    /// When it was on a screen the operator looked at.
    pub seen: Option<Timestamp>,
    subject: String,
    words: String,
}

/// What was noted.
#[derive(Default)]
pub(super) struct Notes {
    /// When the operator was at the screen.
    pub at_screen: Option<Timestamp>,
    /// When the incident struck.
    pub struck: Option<Timestamp>,
    /// How everything was right before, and is now.
    pub before: Option<Arc<Snapshot>>,
    pub last: Option<Arc<Snapshot>>,
    pub happened: Vec<Happened>,
    /// Findings of the incident, in the order in which they were known.
    pub signs: Vec<Sign>,
    /// When the entries of journals were seen first, by run and number.
    pub entries: BTreeMap<String, Timestamp>,
    /// For how long the database refused everybody, in the world's time.
    pub refused: SignedDuration,
    /// When each stage was over.
    pub stages: Vec<Timestamp>,
    pub hints: usize,
    pub over: Option<(Outcome, Timestamp)>,
    /// For how long no user came through to a tenant whose pods may all have been ready, in the world's time.
    pub turned_away: BTreeMap<TenantName, SignedDuration>,
    /// What was wrong before, and how bad: it is no part of the incident while it is no worse.
    old: Vec<Old>,
    screen: String,
    copied: String,
    settled: Option<Timestamp>,
    /// What the present stage is about was to be seen not to be so: before, nothing of the incident has come through.
    armed: bool,
    greeted: bool,
}

/// Watches one drill.
pub(super) struct Watch {
    drill: &'static Drill,
    cluster: Cluster,
    colleague: Colleague,
    notes: Mutex<Notes>,
    tell: Mutex<Option<mpsc::Sender<Msg>>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("drill", &self.drill.name).finish_non_exhaustive()
    }
}

impl Onlooker for Watch {
    fn opened(&self, tell: mpsc::Sender<Msg>) {
        *self.tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
    }

    fn observed(&self, seen: &Arc<Snapshot>) {
        // The cockpit's clock goes as the wall's does between two looks at that of the API server; the world's is faster.
        let mut seen = Snapshot::clone(seen);
        seen.at = self.site().now();
        let seen = &Arc::new(seen);
        let mut notes = self.notes();
        if let Some(last) = notes.last.clone() {
            notes.happened.extend(changes(&last, seen));
            if !last.journals.items.ptr_eq(&seen.journals.items) {
                for known in run::runs(seen) {
                    for entry in 0..known.run.entries.len() {
                        notes.entries.entry(format!("{} {entry:06}", known.run.id)).or_insert(seen.at);
                    }
                }
            }
            if notes.struck.is_some() {
                notes.lose(&last, seen.at.duration_since(last.at));
            }
        }
        notes.last = Some(seen.clone());
        if notes.struck.is_none() {
            return;
        }
        for finding in self.of_incident(seen, &notes.old) {
            let subject = database::subject(seen, &finding.subject).into_owned();
            if notes.signs.iter().any(|sign| sign.subject == subject && sign.words == words(&finding)) {
                continue;
            }
            let (text, words) = (format!("{subject} {}", finding.text), words(&finding));
            notes.signs.push(Sign { text, known: seen.at, seen: None, subject, words });
        }
        self.look(&mut notes);
    }

    fn drew(&self, screen: &str, _: Timestamp) {
        let mut notes = self.notes();
        screen.clone_into(&mut notes.screen);
        if notes.at_screen.is_none()
            && notes.last.as_ref().is_some_and(|seen| {
                seen.is_ready() && seen.tenants.keys().any(|name| screen.contains(name.as_str()))
            })
        {
            notes.at_screen = Some(self.site().now());
        }
        self.look(&mut notes);
    }

    fn asked(&self) {
        let mut notes = self.notes();
        let stage = notes.stages.len();
        let hint = match (notes.struck, self.drill.stages.get(stage)) {
            (None, _) => "nothing has happened yet: look around, and wait",
            (Some(_), Some(stage)) => stage.hint,
            (Some(_), None) => "it is done: wait until the run is over",
        };
        if notes.struck.is_some() {
            notes.hints += 1;
        }
        drop(notes);
        self.say(Severity::Warning, hint);
    }

    fn copied(&self, text: &str) {
        text.clone_into(&mut self.notes().copied);
    }
}

impl Notes {
    /// Takes in what users lost in this time.
    fn lose(&mut self, seen: &Snapshot, time: SignedDuration) {
        let found = findings(seen);
        if refuses(seen, &found) {
            self.refused += time;
        }
        let away = |f: &&Finding| f.severity == Severity::Critical && TURNED_AWAY.contains(&f.rule);
        let tenants = found.iter().filter(away).filter_map(|finding| match &finding.subject {
            Subject::Tenant(name) => Some(name.clone()),
            _ => None,
        });
        for tenant in tenants.collect::<BTreeSet<_>>() {
            *self.turned_away.entry(tenant).or_default() += time;
        }
    }
}

fn words(finding: &Finding) -> String {
    finding.text.chars().take(SIGN).collect()
}

impl Watch {
    pub(super) fn new(drill: &'static Drill, cluster: Cluster, colleague: Colleague) -> Self {
        Self { drill, cluster, colleague, notes: Mutex::default(), tell: Mutex::default() }
    }

    fn site(&self) -> Site<'_> {
        Site { cluster: &self.cluster, colleague: &self.colleague }
    }

    /// Nobody is left in it.
    pub(super) fn close(&self) {
        self.colleague.leave();
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, severity: Severity, text: &str) {
        self.send(Msg::Notice(severity, text.to_owned()));
    }

    fn send(&self, message: Msg) {
        let tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tell) = &*tell {
            // A full inbox loses a courtesy; whoever waits for the end asks again.
            let _ = tell.try_send(message);
        }
    }

    /// What is wrong of what the drill is about.
    fn of_incident(&self, seen: &Snapshot, old: &[Old]) -> Vec<Finding> {
        let mut found = findings(seen);
        found.retain(|finding| {
            let known = |(rule, name, severity): &Old| {
                *rule == finding.rule && name == finding.subject.name() && finding.severity <= *severity
            };
            self.drill.rules.contains(&finding.rule) && !old.iter().any(known)
        });
        found
    }

    /// Notes what of the incident is on the screen.
    fn look(&self, notes: &mut Notes) {
        if notes.signs.iter().all(|sign| sign.seen.is_some()) {
            return;
        }
        let now = self.site().now();
        let Notes { signs, screen, .. } = notes;
        for sign in signs.iter_mut().filter(|sign| sign.seen.is_none()) {
            let shown = |line: &str| line.contains(&sign.subject) && line.contains(&*plain(&sign.words));
            if screen.lines().any(shown) {
                sign.seen = Some(now.max(sign.known));
            }
        }
    }

    /// Runs the drill until it is over, or the cockpit is left.
    pub(super) async fn run(&self) {
        let mut interval = tokio::time::interval(EVERY);
        loop {
            interval.tick().await;
            let now = self.site().now();
            match self.pace(now) {
                None => {}
                Some(Outcome::Solved) => {
                    self.say(Severity::Notice, "solved: the cockpit closes, and the end report follows");
                    break;
                }
                Some(_) => {
                    self.say(
                        Severity::Warning,
                        "time is over: the cockpit closes, and the end report follows",
                    );
                    break;
                }
            }
        }
        tokio::time::sleep(FAREWELL).await;
        loop {
            self.send(Msg::Leave);
            interval.tick().await;
        }
    }

    /// Goes on by what time it is; how it ended, once it has.
    fn pace(&self, now: Timestamp) -> Option<Outcome> {
        let mut notes = self.notes();
        if notes.at_screen.is_some() && !std::mem::replace(&mut notes.greeted, true) {
            let text = format!(
                "drill {}: something is about to go wrong; H gives a hint, q gives up",
                self.drill.name
            );
            self.say(Severity::Warning, &text);
        }
        let Some(struck) = notes.struck else {
            let since = notes.at_screen.map(|at| now.duration_since(at).as_secs());
            if since.is_some_and(|since| since >= self.drill.strikes_after) {
                notes.before = notes.last.clone();
                if let Some(before) = notes.before.clone() {
                    notes.old = self
                        .of_incident(&before, &[])
                        .iter()
                        .map(|f| (f.rule, f.subject.name().to_owned(), f.severity))
                        .collect();
                }
                notes.happened.clear();
                notes.copied.clear();
                notes.struck = Some(now);
                drop(notes);
                if let Err(why) = (self.drill.strike)(&self.site()) {
                    self.say(Severity::Critical, &why);
                }
            }
            return None;
        };
        let copied = std::mem::take(&mut notes.copied);
        let stages = notes.stages.len();
        let last = notes.last.clone();
        drop(notes);
        let seconds = now.duration_since(struck).as_secs();
        if let Some(said) = (self.drill.meanwhile)(&self.site(), seconds, &copied) {
            self.say(Severity::Notice, &said);
        }
        let done = match self.drill.stages.get(stages) {
            Some(stage) => (stage.done)(&self.site()),
            None => true,
        };
        let mut notes = self.notes();
        if stages < self.drill.stages.len() {
            notes.armed |= !done || stages > 0;
            if done && notes.armed {
                notes.stages.push(now);
            }
        } else {
            // It stays so, and the cockpit has seen it.
            if !self.is_solved(last.as_deref()) {
                notes.settled = None;
            } else {
                let since = *notes.settled.get_or_insert(now);
                let observed = last.as_ref().is_some_and(|seen| seen.at > since);
                if now.duration_since(since) >= SETTLED && observed {
                    // It was over when its last stage was.
                    notes.over = Some((Outcome::Solved, now));
                    return Some(Outcome::Solved);
                }
            }
        }
        if seconds > i64::from(self.drill.minutes) * 60 {
            notes.over = Some((Outcome::TimeOver, now));
            return Some(Outcome::TimeOver);
        }
        None
    }

    /// What its last stage asks for is so, and nothing is under way any more.
    fn is_solved(&self, last: Option<&Snapshot>) -> bool {
        last.is_some_and(is_quiet) && self.drill.stages.last().is_none_or(|stage| (stage.done)(&self.site()))
    }

    /// The cockpit has been left.
    pub(super) fn left(&self) {
        let now = self.site().now();
        let mut notes = self.notes();
        let solved = notes.struck.is_some()
            && notes.stages.len() == self.drill.stages.len()
            && self.is_solved(notes.last.as_deref());
        let how = match notes.struck {
            Some(_) if solved => Outcome::Solved,
            Some(_) => Outcome::GivenUp,
            None => Outcome::NotBegun,
        };
        notes.over.get_or_insert((how, now));
    }
}

/// No run and no campaign waits for anybody.
fn is_quiet(seen: &Snapshot) -> bool {
    run::runs(seen).iter().all(|known| known.run.state.is_over())
        && campaign::campaigns(seen).iter().all(|known| known.campaign.state.is_over())
}
