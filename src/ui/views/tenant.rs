//! One tenant: its pods and containers, events, the rollout, and its runs, each a section reached with tab.

mod head;
mod reach;
mod sections;

use std::sync::Arc;

use ratatui::layout::Rect;

use reach::Drawn;

use super::{answers, counted, deeds, heading, marks::Marks, pods, runs};
use crate::{
    cluster::{Key, KubeEvent, ObjectKey, Outside, Pod, Subject, Tenant, TenantName},
    plan::{Intent, rebalance::Aim},
    ui::{
        action::{Action, Containers},
        command::Command,
        filter::{Filter, NO_FIELDS},
        paint::Pen,
        stops::Stop,
        theme::Role,
        view::{Cx, Lens, List, Place, View, Wants},
    },
};

/// The sections, in the order of tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Pods,
    Events,
    Rollout,
    Runs,
    Reach,
}

const SECTIONS: [(Section, &str); 5] = [
    (Section::Pods, "Pods"),
    (Section::Events, "Events"),
    (Section::Rollout, "Rollout"),
    (Section::Runs, "Runs"),
    (Section::Reach, "Reach"),
];

/// The orders of the pods; by age the newest come first.
const ORDERS: [&str; 5] = ["worst", "name", "node", "restarts", "age"];

/// One tenant.
pub struct TenantView {
    name: TenantName,
    section: Section,
    pods: List<Key>,
    marks: Marks<Key>,
    keys: Vec<Key>,
    runs: List<String>,
    ids: Vec<String>,
    /// Lines scrolled down from the start of the events, or of the ways from outside.
    down: usize,
    reach: Drawn,
    /// Of the pods and the events.
    filter: Filter,
    order: usize,
}

impl TenantView {
    /// The view of that tenant.
    pub fn new(name: TenantName) -> Self {
        Self {
            name,
            section: Section::Pods,
            pods: List::default(),
            marks: Marks::default(),
            keys: Vec::new(),
            runs: List::default(),
            ids: Vec::new(),
            down: 0,
            reach: Drawn::default(),
            filter: Filter::default(),
            order: 0,
        }
    }

    /// Whether a text is to be shown.
    fn shows(&self, text: &str) -> bool {
        self.filter.is_empty() || self.filter.keeps_text(text)
    }

    fn shows_event(&self, event: &KubeEvent) -> bool {
        self.shows(&format!("{} {} {}", event.reason, event.object.1.name, event.message))
    }

    /// The pod under the cursor among the pods.
    fn chosen(&mut self, cx: &Cx<'_>) -> Option<Key> {
        if self.section != Section::Pods || self.pod(cx).is_none() {
            return None;
        }
        self.pods.hold();
        self.pods.selected().cloned()
    }

    fn tenant<'a>(&self, cx: &Cx<'a>) -> Option<&'a Arc<Tenant>> {
        cx.seen.tenants.get(&self.name)
    }

    /// Line of the names of the sections: below the head and as many findings as there is always room for.
    fn top(height: u16) -> u16 {
        match height {
            ..8 => 2,
            8..16 => 4,
            16..30 => 6,
            _ => 8,
        }
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(Self::top(cx.size.1) + 2)).max(1)
    }

    fn pod<'a>(&self, cx: &Cx<'a>) -> Option<&'a Arc<Pod>> {
        let key = self.pods.selected()?;
        self.tenant(cx)?.pods.iter().find(|p| p.key == *key)
    }

    /// The sections there are: that of the ways from outside where anything leads into the cluster.
    fn sections(cx: &Cx<'_>) -> &'static [(Section, &'static str)] {
        let all = SECTIONS.len();
        if cx.seen.leads_outside() { &SECTIONS } else { &SECTIONS[..all - 1] }
    }

    fn step(&mut self, by: isize, cx: &Cx<'_>) {
        let sections = Self::sections(cx);
        let at = sections.iter().position(|(s, _)| *s == self.section).unwrap_or(0);
        self.section = sections[at.wrapping_add_signed(by + sections.len() as isize) % sections.len()].0;
        self.filter.clear();
        self.down = 0;
    }

    fn scroll(&mut self, command: Command, cx: &Cx<'_>) {
        let half = self.page(cx) / 2;
        let all = match &cx.detail.events {
            _ if self.section == Section::Reach => match self.tenant(cx) {
                Some(tenant) => {
                    self.reach.follow(cx, tenant);
                    self.reach.len()
                }
                None => 0,
            },
            Some((_, Some(Ok(events)))) => events.iter().filter(|event| self.shows_event(event)).count(),
            _ => 0,
        };
        let most = all.saturating_sub(self.page(cx));
        let down = match command {
            Command::Up => self.down.saturating_sub(1),
            Command::Down => self.down + 1,
            Command::PageUp => self.down.saturating_sub(half),
            Command::PageDown => self.down + half,
            Command::Bottom => most,
            Command::Top => 0,
            _ => self.down,
        };
        self.down = down.min(most);
    }
}

impl View for TenantView {
    fn place(&self) -> Place {
        Place::Tenant(self.name.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        if !Self::sections(cx).iter().any(|(section, _)| *section == self.section) {
            self.section = Section::Pods;
        }
        if self.section == Section::Reach
            && let Some(tenant) = self.tenant(cx)
        {
            self.reach.follow(cx, tenant);
        }
        let page = self.page(cx);
        let mut pods: Vec<_> = self.tenant(cx).map(|t| t.pods.clone()).unwrap_or_default();
        pods.sort_by(|a, b| a.key.cmp(&b.key));
        match ORDERS[self.order % ORDERS.len()] {
            "name" => {}
            "node" => pods.sort_by(|a, b| a.node.cmp(&b.node)),
            "restarts" => pods.sort_by_key(|p| std::cmp::Reverse(p.restarts())),
            "age" => pods.sort_by_key(|p| std::cmp::Reverse(p.created)),
            _ => pods.sort_by_key(|p| std::cmp::Reverse(cx.seen.state_of(p))),
        }
        let of_pods = self.section == Section::Pods;
        let shown = |p: &&Arc<Pod>| {
            let node = p.node.as_ref().map_or("", |n| n.as_str());
            !of_pods || self.shows(&format!("{} {} {node}", p.key.name, pods::word(cx, p)))
        };
        self.keys = pods.iter().filter(shown).map(|p| p.key.clone()).collect();
        self.marks.keep(|key| pods.iter().any(|pod| pod.key == *key));
        let keys = &self.keys;
        self.pods.settle(keys.len(), page, |i| keys[i].clone());
        let mine = cx.runs.iter().filter(|k| k.run.tenants().any(|t| *t == self.name));
        self.ids = mine.map(|k| k.run.id.clone()).collect();
        let ids = &self.ids;
        self.runs.settle(ids.len(), page, |i| ids[i].clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let page = self.page(cx);
        match command {
            Command::Mark => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let keys = &self.keys;
                self.marks.toggle(&mut self.pods, keys.len(), page, |i| keys[i].clone());
            }
            Command::Next => self.step(1, cx),
            Command::Previous => self.step(-1, cx),
            Command::Rebalance => {
                let tenants = vec![self.name.clone()];
                return Some(Action::Aim(Aim::Rebalance { nodes: Vec::new(), tenants }));
            }
            Command::MovePod | Command::DeletePod => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                self.pods.hold();
                let pod = self.pods.selected().cloned()?;
                return Some(match command {
                    Command::MovePod => Action::Targets(self.name.clone(), pod),
                    _ => Action::Plan(Intent::DeletePod { pod }),
                });
            }
            Command::Undo => {
                let id = super::tenants::undoable(cx, &self.name);
                return Some(match id {
                    Some(id) => Action::Undo(id),
                    None => Action::Say(self.refuses(command, cx).unwrap_or_default()),
                });
            }
            Command::Describe | Command::Yaml => {
                let workload = || Some(ObjectKey::Workload(self.tenant(cx)?.workload.key.clone()));
                let key = match self.section {
                    Section::Pods => self.chosen(cx).map(ObjectKey::Pod),
                    _ => workload(),
                };
                return Some(super::object::open(command, key?));
            }
            Command::Exec | Command::Forward => {
                let (tenant, pod) = (Some(self.name.clone()), self.chosen(cx));
                let meant = Containers { tenant, pod, ..Containers::default() };
                return Some(match command {
                    Command::Exec => Action::Shell(meant),
                    _ => Action::AskForward(meant),
                });
            }
            Command::ShowNode => {
                if let Some(why) = self.refuses(command, cx) {
                    return Some(Action::Say(why));
                }
                let node = self.pod(cx)?.node.clone()?;
                return Some(Action::GoTo(Place::Node(node), Place::Tenant(self.name.clone())));
            }
            Command::Logs => return Some(Action::Go(Place::Log(self.name.clone(), self.chosen(cx)))),
            command if deeds::is_of_tenants(command) => {
                return deeds::of_tenants(command, vec![self.name.clone()]);
            }
            Command::Open => match self.section {
                Section::Pods => {
                    let pod = self.chosen(cx)?;
                    return Some(Action::Go(Place::Log(self.name.clone(), Some(pod))));
                }
                Section::Runs => return self.runs.selected().cloned().map(|id| Action::Go(Place::Run(id))),
                _ => {}
            },
            _ => match self.section {
                Section::Pods => {
                    let keys = &self.keys;
                    self.pods.go(command, keys.len(), page, |i| keys[i].clone());
                }
                Section::Runs => {
                    let ids = &self.ids;
                    self.runs.go(command, ids.len(), page, |i| ids[i].clone());
                }
                Section::Events | Section::Reach => self.scroll(command, cx),
                Section::Rollout => {}
            },
        }
        None
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(tenant) = self.tenant(cx) else {
            let text = if cx.seen.is_ready() {
                format!("there is no tenant {}", self.name)
            } else {
                format!("{}: the cluster has not been read yet", self.name)
            };
            pen.put(1, 1, width, &text, Role::Warn);
            return;
        };
        pods::head(pen, cx, tenant);
        let top = Self::top(pen.height());
        self.wrong(pen, cx, top.saturating_sub(4));
        self.names(pen, cx, top);
        let area = pen.area;
        let body = Rect { y: area.y + top + 1, height: area.height.saturating_sub(top + 1), ..area };
        let mut pen = pen.within(body);
        match self.section {
            Section::Pods => self.render_pods(&mut pen, cx, tenant),
            Section::Events => self.render_events(&mut pen, cx),
            Section::Rollout => sections::render_rollout(&mut pen, cx, tenant),
            Section::Runs => self.render_runs(&mut pen, cx),
            Section::Reach => self.render_reach(&mut pen, cx, tenant),
        }
    }

    fn status(&self, cx: &Cx<'_>) -> String {
        let pods = self.tenant(cx).map_or(0, |t| t.pods.len());
        match self.section {
            Section::Pods => {
                let counted = counted(self.keys.len(), pods, "pod", &self.filter, &ORDERS, self.order);
                self.marks.words().into_iter().chain([counted]).collect::<Vec<_>>().join(" · ")
            }
            _ => self.filter.words().unwrap_or_default(),
        }
    }

    fn let_go(&mut self) {
        self.pods.release();
    }

    fn unmark(&mut self) -> bool {
        self.marks.clear()
    }

    fn lens(&mut self) -> Lens<'_> {
        let orders: &[_] = if self.section == Section::Pods { &ORDERS } else { &[] };
        let lens = Lens::of(&mut self.filter, &NO_FIELDS, &mut self.order, orders);
        match self.section {
            Section::Pods | Section::Events => lens,
            Section::Rollout | Section::Runs | Section::Reach => lens.unfiltered(),
        }
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        match command {
            Command::Rebalance if self.tenant(cx).is_none() => {
                Some(format!("there is no tenant {}", self.name))
            }
            Command::Open => match self.section {
                Section::Pods => self.pod(cx).is_none().then(|| "no pod is selected".into()),
                Section::Runs => self.runs.selected().is_none().then(|| "no run is selected".into()),
                Section::Events | Section::Rollout | Section::Reach => {
                    Some("nothing is opened here: tab leads to the pods and the runs".into())
                }
            },
            Command::Undo if super::tenants::undoable(cx, &self.name).is_none() => {
                Some(format!("no run of {} can be taken back", self.name))
            }
            Command::MovePod | Command::DeletePod if self.marks.several("pod").is_some() => {
                self.marks.several("pod")
            }
            Command::Mark | Command::MovePod | Command::DeletePod | Command::ShowNode
                if self.pod(cx).is_none() =>
            {
                Some("no pod is selected".into())
            }
            Command::Mark | Command::MovePod | Command::DeletePod | Command::ShowNode
                if self.section != Section::Pods =>
            {
                Some("choose the pod among the pods: tab leads there".into())
            }
            Command::ShowNode if self.pod(cx).is_some_and(|pod| pod.node.is_none()) => {
                Some("no node has taken that pod yet".into())
            }
            other => deeds::refused(other, Some(&self.name), cx),
        }
    }

    fn hides(&self, command: Command, _: &Cx<'_>) -> bool {
        command == Command::Filter && !matches!(self.section, Section::Pods | Section::Events)
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        answers::of_all(cx, &self.place(), [Stop::About(Subject::Tenant(self.name.clone()))])
    }

    fn subject(&self) -> Option<String> {
        Some(self.name.to_string())
    }

    fn copied(&self, cx: &Cx<'_>) -> Option<String> {
        match self.section {
            Section::Pods => {
                let names = self.marks.or_selected(&self.pods).map(|pod| pod.name.to_string());
                Some(names.collect::<Vec<_>>().join(" "))
            }
            Section::Runs => self.runs.selected().cloned(),
            Section::Events | Section::Rollout => Some(self.name.to_string()),
            Section::Reach => {
                let hosts = Outside::of(cx.seen).hosts_of(&self.name);
                Some(hosts.iter().map(|host| &**host).collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Log(_, Some(pod)) = what else { return };
        self.section = Section::Pods;
        self.filter.clear();
        self.refresh(cx);
        let (keys, page) = (&self.keys, self.page(cx));
        if let Some(at) = keys.iter().position(|key| key == pod) {
            self.pods.put(at, keys.len(), page, |i| keys[i].clone());
        }
    }

    fn wants(&self, cx: &Cx<'_>) -> Wants {
        let tenant = self.tenant(cx);
        let namespace = tenant.map(|t| t.workload.key.key.namespace.clone());
        Wants { events: namespace.map(|n| (self.name.clone(), n)), ..Wants::default() }
    }
}
