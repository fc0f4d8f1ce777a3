//! What can happen to the cockpit, and what it can ask for.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;

use crate::{
    cluster::{
        Described, Judgement, Key, KubeEvent, LogLine, LogRange, LogSource, ObjectKey, Ports, Severity,
        Snapshot, TenantName, Use,
    },
    history::Happened,
    plan::{Approved, Check, Intent, Plan, Rollback, rebalance::Targets},
    run::{
        Audit, JournalPlace, Rehearsal, Run,
        campaign::{self, Campaign, Refusals, Wish},
    },
    ui::{Forwarded, Outlook, Question, Seek, Terms, Wanted, overlays::SchemeFound},
};

/// Why a port-forward could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOpened {
    /// One sentence.
    pub why: String,
    /// A pair that was free when it was tried, where the port here was taken.
    pub free: Option<Ports>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key, a paste, another size.
    Input(crossterm::event::Event),
    /// The cluster was observed and judged.
    Observed(Judgement),
    /// Another moment of the recording, judged, and what is predicted of it: nothing yet where one moves on already.
    Sought(Judgement, Option<Box<Outlook>>),
    /// News of a run this session drives.
    Ran(Box<Run>),
    /// News of a campaign this session drives.
    Campaign(Box<Campaign>),
    /// The runs and the campaigns whose journals are kept on this machine.
    Local(Vec<Run>, Vec<Campaign>),
    /// What the tenants used before this cockpit was opened, as it was kept.
    Used(BTreeMap<TenantName, Vec<Use>>),
    /// A rehearsal has answered.
    Rehearsed(Rehearsal),
    /// What the rehearsal of many plans says, and what is left out.
    RehearsedAll(Rehearsal, Refusals),
    /// The events of a tenant, all of them, newest first; or why there are none.
    TenantEvents(TenantName, Result<Vec<KubeEvent>, String>),
    /// More lines of a log; or why no more come.
    Log(LogSource, LogRange, Result<Vec<LogLine>, String>),
    /// An object whole, or why it cannot be read.
    Object(ObjectKey, Result<Arc<Described>, String>),
    /// What was predicted.
    Foreseen(Box<Outlook>),
    /// What many pods would do for an aim.
    Scheme(Wanted, Terms, Box<SchemeFound>),
    /// The plan of what was asked for.
    Planned(Intent, Box<Plan>),
    /// Which nodes take a pod.
    Targets(Key, Result<Targets, Check>),
    /// What going back to the revision before comes to.
    Revisions(TenantName, Result<Box<Rollback>, String>),
    /// The shell that was asked for is there, or why it is not.
    ShellOpened(Result<(), String>),
    /// The other cluster can be gone to, and whether its credential plug-in must ask before that; or why not.
    Bound(Result<bool, String>),
    /// The port-forwards that are open, and what is said of the one that was asked for, if it was.
    Forwards(Vec<Forwarded>, Option<Result<String, NotOpened>>),
    /// The terminal is back from whoever had it; how that ended, in one sentence.
    Returned(Severity, String),
    /// Something to say, in one sentence.
    Notice(Severity, String),
    /// What happened, as far as it was not known before.
    Happened(Vec<Happened>),
    /// What was kept before this cockpit was opened begins then.
    KeptSince(Timestamp),
    /// What the audit file of this machine says, or why it cannot be read.
    Audit(Result<Audit, String>),
    /// What the cockpit costs the cluster, a line each.
    Cost(Vec<String>),
    /// The clock has moved past the moment [`App::alarm`](super::App::alarm) named.
    Tick,
    /// Leave at once: SIGTERM, SIGHUP.
    Leave,
    /// Stop until it is continued: SIGTSTP.
    Suspend,
    /// It goes on after it was stopped: SIGCONT.
    Continued,
}

/// Where else a cockpit can look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// At another context of the kubeconfig.
    Context(String),
    /// At this namespace alone, or at all.
    Namespace(Option<String>),
}

/// What is shown at one time: equal to itself only.
#[derive(Clone)]
pub struct OnScreen(pub Arc<Snapshot>);

impl PartialEq for OnScreen {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for OnScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} of {}", self.0.revision, self.0.at)
    }
}

/// What the cockpit asks for. `cockpit` performs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Rehearse this plan; answer with [`Msg::Rehearsed`].
    Rehearse(Plan),
    /// Run this; report with [`Msg::Ran`].
    Start(Approved, JournalPlace),
    /// Finish this run; report with [`Msg::Ran`].
    Resume(Box<Run>),
    /// Go on with this run, what it waits for taken as succeeded; report with [`Msg::Ran`].
    Succeed(Box<Run>),
    /// Close this run for good, for this reason; report with [`Msg::Ran`].
    GiveUp(Box<Run>, String),
    /// Let the run of this id stand after its present step.
    PauseRun(String),
    /// Follow the events of this tenant, in this namespace.
    WatchTenant(TenantName, Arc<str>),
    /// Follow no tenant's events any more.
    StopWatching,
    /// Read this part of this log; answer with [`Msg::Log`].
    ReadLog(LogSource, LogRange),
    /// Read this log no longer.
    StopLog(LogSource),
    /// Read this object again and again; answer with [`Msg::Object`].
    WatchObject(ObjectKey),
    /// Read no object any more.
    StopObject,
    /// Keep the theme that was chosen for the next time this one is configured.
    KeepTheme {
        /// The configured one.
        configured: String,
        /// The one chosen instead.
        chosen: String,
    },
    /// Go to another moment of the recording; answer with [`Msg::Sought`], and this with what is predicted there.
    Seek(Seek, Option<Question>),
    /// Save the report of what lies between these moments, and say where.
    Export(Timestamp, Timestamp),
    /// Read the audit file of this machine; answer with [`Msg::Audit`].
    ReadAudit,
    /// Save the lines of a log in this file, or in one of that name and the time among the logs in the state folder.
    SaveLog {
        /// The file that was named.
        file: Option<String>,
        /// Whose log it is.
        name: String,
        /// The lines.
        text: String,
    },
    /// Work out what is predicted of what is shown, and the answer to this; answer with [`Msg::Foreseen`].
    Foresee(OnScreen, Option<Question>),
    /// Work out what many pods would do for this, on what was seen last; answer with [`Msg::Scheme`].
    Scheme(Wanted, Terms),
    /// Plan this on what was seen last; answer with [`Msg::Planned`]. Undoing one of these runs may be better than what is
    /// asked for.
    Plan(Intent, Vec<Run>),
    /// Work out which nodes take this pod of a tenant; answer with [`Msg::Targets`].
    Targets(TenantName, Key),
    /// Read the revisions of this tenant; answer with [`Msg::Revisions`].
    Revisions(TenantName),
    /// Rehearse these plans together; answer with [`Msg::RehearsedAll`] of this id.
    RehearseAll(String, Vec<Plan>),
    /// Begin a campaign; report with [`Msg::Campaign`].
    Campaign(Box<campaign::Approved>, JournalPlace),
    /// Go on with a campaign, with what was agreed to in place of what it has not begun; report with
    /// [`Msg::Campaign`].
    GoOn(Box<Campaign>, Option<Box<campaign::Approved>>),
    /// Close a campaign for good, for this reason; report with [`Msg::Campaign`].
    GiveUpCampaign(Box<Campaign>, String),
    /// Ask this of a campaign, whoever drives it.
    Wish(Box<Campaign>, Wish),
    /// Open a shell in this container of this pod; answer with [`Msg::ShellOpened`].
    OpenShell(Key, Arc<str>),
    /// Close it before it was given the terminal.
    DropShell,
    /// Give the terminal to the shell; tell its end with [`Msg::Returned`].
    HandOver,
    /// Open a port-forward to this pod; answer with [`Msg::Forwards`].
    Forward(Key, Ports),
    /// Close this one; answer with [`Msg::Forwards`].
    CloseForward(u64),
    /// Take the terminal again.
    TakeBack,
    /// Get ready to go to another cluster or namespace; answer with [`Msg::Bound`].
    Bind(Destination),
    /// Give the terminal to the credential plug-in of the other cluster; answer with [`Msg::Returned`] and, where that
    /// went well, [`Msg::Bound`].
    LoginThere,
    /// Go nowhere after all.
    Unbind,
    /// Give the terminal to the credential plug-in; tell its end with [`Msg::Returned`].
    Login,
    /// Write to the cluster for so many seconds from now on, though it is read-only otherwise; with 0 no longer.
    Unlock(i64),
    /// Tell what the cockpit costs the cluster; answer with [`Msg::Cost`].
    Cost,
    /// Put this text on the terminal's clipboard.
    Copy(String),
    /// Ask the drill for a hint; it answers with [`Msg::Notice`].
    Hint,
    /// Give the terminal back and stop the process, until it is continued.
    Suspend,
    /// The process goes on after it was stopped from outside: make the terminal ours, as it was.
    Retake,
    /// Send every cell again.
    Redraw,
}
