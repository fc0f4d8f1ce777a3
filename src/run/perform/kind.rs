//! The writing side of each kind of change: its rights, its rehearsal, its writing, and what is looked at afterwards.
//!
//! Every `plan::Change` has one implementation of [`Act`] below, in a file of its own; [`act`] is the only place that
//! tells the kinds apart. Called by `drive` and `rehearse`. What it means and where it stands is `plan::change`'s.

use futures::{FutureExt, future::BoxFuture};

use serde_json::Value;

use super::{Failure, Involved, Right, Writer};
use crate::{cluster::Key, plan::Change, run::evidence::Mark};

mod adopt;
mod bounds;
mod cordon;
mod create_job;
mod create_pod;
mod delete_pod;
mod deletion_cost;
mod desync;
mod discard;
mod evict;
mod replicas;
mod resize;
mod restart_rollout;
mod save;
mod servers;
mod set_image;
mod set_template;
mod start_job;
mod stop_job;
mod template;
mod waits;

/// What a write is done with.
pub(in crate::run) struct Context<'a> {
    /// The run: what it creates carries its id.
    pub(in crate::run) run: &'a str,
    /// Whether the leases are good, asked right before each request that counts.
    pub(in crate::run) fence: &'a (dyn Fn() -> bool + Sync),
    /// The API server is only asked whether it would do it: nothing changes.
    pub(in crate::run) dry: bool,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::run) struct Performed {
    /// It was written just now; otherwise it stood already.
    pub(in crate::run) wrote: bool,
    /// What was found out, in words; where it stood already, those say so.
    pub(in crate::run) text: String,
    /// What it is about, by its own word: older observations are no evidence.
    pub(in crate::run) mark: Option<Mark>,
    /// Of one that takes an earlier step back: there is nothing to give back, because what was borrowed is the
    /// cluster's own by now.
    pub(in crate::run) kept: bool,
}

/// What is told of a write in a Kubernetes Event.
pub(in crate::run) struct Telling {
    /// About which object.
    pub(in crate::run) involved: Involved,
    /// `ScaledByWheelhouse` ...
    pub(in crate::run) reason: &'static str,
    /// What was done, after the operator's name: `scaled acme from 3 to 4`.
    pub(in crate::run) what: String,
}

/// The writing side of a kind of change. A wait has none of it.
pub(in crate::run) trait Act: Sync {
    /// The rights it needs, as RBAC spells them; the database asks for its own in the rehearsal.
    fn rights(&self) -> Vec<Right> {
        Vec::new()
    }

    /// What those rights allow, after "you may": `scale`.
    fn may(&self) -> &'static str {
        ""
    }

    /// Asks for everything without changing anything: a dry run, unless a kind has another way (an endpoint of the
    /// database says whether this login may) or nothing to ask before the run. A sentence that comes back is worth a
    /// warning.
    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        run: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        async move {
            let cx = Context { run, fence: &|| true, dry: true };
            self.perform(writer, &cx).await.map(|_| None)
        }
        .boxed()
    }

    /// Does it: only while the cluster is as it expects, and only if the fence holds. Doing it twice is doing it once.
    /// A kind that cannot be asked for without being done has a rehearsal of its own.
    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>>;

    /// Asks what it is about for its own word, before a run goes on that may have been cut off amid a write.
    /// `None`: what is watched tells.
    fn look<'a>(&'a self, _: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// What is told of it in a Kubernetes Event.
    fn tells(&self) -> Option<Telling> {
        None
    }
}

/// The writing side of a change: the only place that tells the kinds apart.
pub(in crate::run) fn act(change: &Change) -> &dyn Act {
    match change {
        Change::Replicas(kind) => kind,
        Change::Settle(kind) => kind,
        Change::Servers(kind) => kind,
        Change::Holds(kind) => kind,
        Change::Save(kind) => kind,
        Change::Desync(kind) => kind,
        Change::Desynced(kind) => kind,
        Change::Serves(kind) => kind,
        Change::Cordon(kind) => kind,
        Change::CreatePod(kind) => kind,
        Change::PodReady(kind) => kind,
        Change::DeletionCost(kind) => kind,
        Change::Adopt(kind) => kind,
        Change::Replaced(kind) => kind,
        Change::Discard(kind) => kind,
        Change::Evict(kind) => kind,
        Change::DeletePod(kind) => kind,
        Change::Gone(kind) => kind,
        Change::RestartRollout(kind) => kind,
        Change::RolledOut(kind) => kind,
        Change::Bounds(kind) => kind,
        Change::CreateJob(kind) => kind,
        Change::StartJob(kind) => kind,
        Change::JobEnded(kind) => kind,
        Change::StopJob(kind) => kind,
        Change::SetImage(kind) => kind,
        Change::SetTemplate(kind) => kind,
        Change::Resize(kind) => kind,
        Change::Resized(kind) => kind,
    }
}

/// What became of a change of a single object.
fn plainly((wrote, text, _): (bool, String, Option<Value>)) -> Performed {
    Performed { wrote, text, mark: None, kept: false }
}

/// Rights on pods where this one is.
fn pod_rights(pod: &Key, verbs: &[&'static str]) -> Vec<Right> {
    let namespace = pod.namespace.to_string();
    let right = |verb: &&'static str| Right {
        verb,
        group: "",
        resource: "pods".into(),
        namespace: namespace.clone(),
    };
    verbs.iter().map(right).collect()
}
