//! Which logs are read: of which pods and containers, how far back.

use std::sync::Arc;

use super::{Container, Held, LogView, TAIL};
use crate::{
    cluster::{LogRange, LogSource, Pod, PodState},
    ui::{format, log::Log, view::Cx},
};

impl LogView {
    /// The pods of the tenant that have a log, by name.
    pub(super) fn all_pods<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Arc<Pod>> {
        let tenant = cx.seen.tenants.get(&self.tenant);
        let mut pods: Vec<_> = tenant.iter().flat_map(|tenant| &tenant.pods).collect();
        pods.retain(|pod| cx.seen.state_of(pod) != PodState::Finished || Some(&pod.key) == self.pod.as_ref());
        pods.sort_by(|a, b| format::natural(&a.key.name, &b.key.name));
        pods
    }

    /// Those whose log is shown.
    pub(super) fn pods<'a>(&self, cx: &Cx<'a>) -> Vec<&'a Arc<Pod>> {
        let mut pods = self.all_pods(cx);
        pods.retain(|pod| self.pod.as_ref().is_none_or(|only| pod.key == *only));
        pods
    }

    /// The names of the containers of these pods, each once, in the order of the pods.
    pub(super) fn containers(pods: &[&Arc<Pod>]) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for container in pods.iter().flat_map(|pod| &pod.spec.containers) {
            if !names.contains(&container.name) {
                names.push(container.name.clone());
            }
        }
        names
    }

    /// The container that serves requests, where there is one of that name.
    pub(super) fn serving(cx: &Cx<'_>, pods: &[&Arc<Pod>]) -> Option<Arc<str>> {
        let names = Self::containers(pods);
        let main = &cx.seen.tenancy.container;
        names.iter().find(|name| ***name == **main).or(names.first()).cloned()
    }

    pub(super) fn sources(&self, cx: &Cx<'_>) -> Vec<LogSource> {
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

    pub(super) fn range(&self) -> LogRange {
        let tail = if self.since.is_some() { Log::KEPT as u32 } else { TAIL };
        LogRange { tail: Some(tail), since: self.since, previous: self.previous, follow: !self.previous }
    }

    /// The container whose log is shown was never started again: there is no log before that.
    pub(super) fn never_restarted(&self, cx: &Cx<'_>) -> bool {
        let restarts = |source: &LogSource| {
            let pod = self.pods(cx).into_iter().find(|pod| pod.key == source.pod)?;
            Some(pod.containers.iter().find(|c| c.name == source.container)?.restarts)
        };
        let sources = self.sources(cx);
        !sources.is_empty() && sources.iter().all(|source| restarts(source) == Some(0))
    }

    /// Reads another part, back to so many seconds ago. Where it is held it stays at the same line.
    pub(super) fn read_since(&mut self, seconds: Option<u32>, cx: &Cx<'_>) {
        let log = &cx.detail.log;
        let last = self.held.and_then(|_| log.lines.get(self.end(log).checked_sub(1)?));
        let held = last.and_then(|line| line.at).map(Held::Time);
        self.since = seconds;
        self.begin_again();
        self.held = held;
    }

    pub(super) fn begin_again(&mut self) {
        self.held = None;
        self.found = None;
    }
}
