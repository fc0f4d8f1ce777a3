//! The world's course: everything that moves it while time passes.
//!
//! PURE, as the world is. Writes (by the API or by the world's own controllers) are noticed by [`World::react`], which
//! queues work for the controllers concerned; what happens later by itself stands on the agenda. The same options, steps
//! and writes give the same objects.

mod notice;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::admission;
use super::controllers;
use super::kind::KINDS;
use super::kubelet;
use super::scenario;
use super::world::{Wake, Work, World};

/// How much work one reaction may do before it leaves the rest to the next: a bound on two controllers that fight.
const REACTION: usize = 400_000;

impl World {
    /// Lets `by` pass in world time: what stands on the agenda happens at its moment, in order.
    pub fn step(&mut self, by: Duration) {
        self.react();
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        let until = self.now().checked_add(by).unwrap_or(Timestamp::MAX);
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), wake) = entry.remove_entry();
            if at > self.now() {
                self.store.set_now(at);
            }
            self.happen(wake);
            self.react();
        }
        self.store.set_now(until);
    }

    /// Lets the controllers react to writes at the present moment.
    pub fn react(&mut self) {
        for _ in 0..REACTION {
            self.notice();
            let Some(work) = self.queue.pop_first() else { return };
            self.work(&work);
        }
        tracing::warn!(
            left = self.queue.len(),
            "the controllers of the embedded cluster did not come to rest"
        );
    }

    fn work(&mut self, work: &Work) {
        match work {
            Work::Node(name) => controllers::node(self, name),
            Work::Namespace(name) => controllers::namespace(self, name),
            Work::Owner(kind, namespace, name) => controllers::owner(self, &KINDS[*kind], namespace, name),
            Work::Deployment(namespace, name) => controllers::deployment(self, namespace, name),
            Work::ReplicaSet(namespace, name) => controllers::replica_set(self, namespace, name),
            Work::StatefulSet(namespace, name) => controllers::stateful_set(self, namespace, name),
            Work::DaemonSet(namespace, name) => controllers::daemon_set(self, namespace, name),
            Work::Job(namespace, name) => controllers::job(self, namespace, name),
            Work::Schedule(namespace, name) => self.schedule(namespace, name),
            Work::Kubelet(namespace, name) => kubelet::sync(self, namespace, name),
            Work::Budget(namespace, name) => controllers::budget(self, namespace, name),
            Work::Endpoints(namespace, name) => controllers::endpoints(self, namespace, name),
            Work::Quota(namespace, name) => admission::quota(self, namespace, name),
        }
    }

    fn happen(&mut self, wake: Wake) {
        match wake {
            Wake::Work(work) => {
                self.queue.insert(work);
            }
            Wake::Pod { namespace, name, uid, step } => kubelet::happen(self, &namespace, &name, &uid, step),
            Wake::NodeLost(name) => controllers::node_lost(self, &name),
            Wake::NodeBack(name) => kubelet::node_back(self, &name),
            Wake::Heartbeat(name) => kubelet::heartbeat(self, &name),
            Wake::Evict { namespace, name, uid, node } => {
                controllers::evict(self, &namespace, &name, &uid, &node)
            }
            Wake::Autoscale => controllers::autoscale(self),
            Wake::Housekeeping => kubelet::housekeeping(self),
            Wake::ForgetEvents => self.forget_events(),
            Wake::Act(number) => scenario::act::act(self, number),
        }
    }
}
