//! One node: its conditions, what it gives and what is taken of it, and the tenants on it.

use super::{heading, node_sign, nodes};
use crate::{
    cluster::{Cell, Effect, Key, NodeName, ObjectKey, Severity, TenantName, node_room},
    plan::{Intent, whatif::Loss},
    ui::{
        action::{Action, Containers},
        chrome,
        command::Command,
        format,
        paint::{Pen, piece},
        parts,
        theme::Role,
        view::{Cx, List, Place, View},
    },
};

/// One node.
pub struct NodeView {
    name: NodeName,
    list: List<TenantName>,
    rows: Vec<(TenantName, Cell, u32, u32)>,
}

impl NodeView {
    /// The view of that node.
    pub fn new(name: NodeName) -> Self {
        Self { name, list: List::default(), rows: Vec::new() }
    }

    /// The pod of a tenant here, the worst one.
    fn pod_of(&self, tenant: &TenantName, cx: &Cx<'_>) -> Option<Key> {
        let tenant = cx.seen.tenants.get(tenant)?;
        let here = tenant.pods.iter().filter(|pod| pod.node.as_ref() == Some(&self.name));
        here.max_by_key(|pod| cx.seen.state_of(pod)).map(|pod| pod.key.clone())
    }

    fn page(&self, cx: &Cx<'_>) -> usize {
        usize::from(cx.size.1.saturating_sub(TOP + 1))
    }
}

/// Commands about the node, not about a tenant on it.
fn of_it(command: Command) -> bool {
    use Command::{Cordon, Drain, Rebalance, Uncordon, Undrain};
    matches!(command, Cordon | Drain | Rebalance | Uncordon | Undrain)
}

/// Lines above the tenants.
const TOP: u16 = 10;

impl View for NodeView {
    fn place(&self) -> Place {
        Place::Node(self.name.clone())
    }

    fn refresh(&mut self, cx: &Cx<'_>) {
        self.rows.clear();
        for tenant in cx.seen.tenants.values() {
            let mut cell = Cell::default();
            tenant
                .pods
                .iter()
                .filter(|p| p.node.as_ref() == Some(&self.name))
                .for_each(|p| cell.add(cx.seen.state_of(p)));
            if cell != Cell::default() {
                self.rows.push((tenant.name.clone(), cell, tenant.ready(), tenant.desired()));
            }
        }
        self.rows.sort_by_key(|(_, cell, ..)| {
            std::cmp::Reverse((cell.failing, cell.unknown, cell.starting, cell.active()))
        });
        let (rows, page) = (&self.rows, self.page(cx));
        self.list.settle(rows.len(), page, |i| rows[i].0.clone());
    }

    fn on(&mut self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let (rows, page) = (&self.rows, self.page(cx));
        if self.list.go(command, rows.len(), page, |i| rows[i].0.clone()) {
            return None;
        }
        if command == Command::WhatIf {
            return Some(Action::Go(Place::WhatIf(vec![self.name.clone()], Loss::Crash)));
        }
        if matches!(command, Command::Describe | Command::Yaml) {
            return Some(super::object::open(command, ObjectKey::Node(self.name.clone())));
        }
        if of_it(command) {
            return match nodes::refused(command, Some(&self.name), cx) {
                Some(why) => Some(Action::Say(why)),
                None => nodes::of_node(command, self.name.clone(), cx),
            };
        }
        self.list.hold();
        let name = self.list.selected().cloned()?;
        match command {
            Command::Logs => Some(Action::Go(Place::Log(name, None))),
            Command::Exec => {
                let node = Some(self.name.clone());
                Some(Action::Shell(Containers { tenant: Some(name), node, ..Containers::default() }))
            }
            Command::Headroom => Some(Action::Go(Place::Headroom(name))),
            Command::Forward => {
                let node = Some(self.name.clone());
                Some(Action::AskForward(Containers { tenant: Some(name), node, ..Containers::default() }))
            }
            Command::Open => Some(match self.pod_of(&name, cx) {
                Some(pod) => Action::GoTo(Place::Tenant(name.clone()), Place::Log(name, Some(pod))),
                None => Action::Go(Place::Tenant(name)),
            }),
            Command::Scale => Some(Action::AskReplicas(vec![name])),
            Command::Restart => Some(Action::Plan(Intent::Restart { tenant: name })),
            Command::More => Some(Action::Propose(vec![name], 1)),
            Command::Less => Some(Action::Propose(vec![name], -1)),
            _ => None,
        }
    }

    fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let width = pen.width();
        let Some(node) = cx.seen.nodes.get(&self.name) else {
            let text = match cx.seen.nodes.freshness.trouble() {
                Some(why) if cx.seen.nodes.is_empty() => format!("nodes cannot be read: {why}"),
                _ => format!("there is no node {} any more", self.name),
            };
            pen.put(1, 1, width, &text, Role::Warn);
            return;
        };
        let (glyph, role) = node_sign(node.state());
        pen.line(
            1,
            0,
            width.saturating_sub(2),
            &[
                piece(glyph, role),
                piece(" ", Role::Text),
                piece(node.name.as_str(), Role::Accent),
                piece(format!("  {}", node.state()), role),
                piece(format!(" for {}", cx.age_or_dash(node.ready_since())), Role::Muted),
                piece(format!("   kubelet {}", node.kubelet), Role::Muted),
                piece(format!("   created {} ago", cx.age(node.created)), Role::Muted),
            ],
        );
        let mut words: Vec<String> = node
            .conditions
            .iter()
            .filter(|c| &*c.kind != "Ready" && c.status != Some(false))
            .map(|c| format!("{}: {}", c.kind, c.reason))
            .collect();
        if let Some(c) = node.ready_condition().filter(|c| c.status != Some(true)) {
            words.push(format!("Ready: {}", c.reason));
        }
        words.extend(node.taints.iter().map(|t| {
            let effect = match t.effect {
                Effect::NoSchedule => "NoSchedule",
                Effect::PreferNoSchedule => "PreferNoSchedule",
                Effect::NoExecute => "NoExecute",
            };
            format!("taint {}:{effect}", t.key)
        }));
        let (text, tone) = if words.is_empty() {
            ("no pressure, no taints".into(), Role::Muted)
        } else {
            (words.join(" · "), Role::Warn)
        };
        pen.put(3, 1, width.saturating_sub(4), &text, tone);
        let s = nodes::Shares::of(cx.seen, node);
        let (memory, cpu) = (s.memory_shares(), s.cpu_shares());
        let memory_words = s.words(|l| l.requests.1.to_string(), |l| (l.limits.1.0, l.limits.1.to_string()));
        let cpu_words = s.words(|l| l.requests.0.to_string(), |l| (l.limits.0.0, l.limits.0.to_string()));
        let bar = if width < 100 { (width / 6).max(6) } else { (width / 4).min(40) };
        let mut amounts = |y: u16,
                           name: &str,
                           used: Option<(f64, String)>,
                           req: (f64, String),
                           lim: (f64, String),
                           whole: String| {
            pen.put(3, y, 7, name, Role::Muted);
            nodes::stacked(pen, 11, y, bar, used.as_ref().map(|u| u.0), req.0, lim.0);
            pen.line(
                12 + bar,
                y,
                width.saturating_sub(13 + bar),
                &[
                    piece(used.map_or_else(|| "use –".into(), |u| format!("used {}", u.1)), Role::Text),
                    piece(format!(" · requested {} · limits {}", req.1, lim.1), Role::Muted),
                    piece(format!("  of {whole}"), Role::Text),
                ],
            );
        };
        amounts(
            3,
            "memory",
            s.used.map(|(_, m)| (m.share_of(s.memory), m.to_string())),
            (memory.0, memory_words[0].clone()),
            (memory.1, memory_words[1].clone()),
            s.memory.to_string(),
        );
        amounts(
            4,
            "cpu",
            s.used.map(|(c, _)| (c.share_of(s.cpu), c.to_string())),
            (cpu.0, cpu_words[0].clone()),
            (cpu.1, cpu_words[1].clone()),
            format!("{} cores", s.cpu),
        );
        nodes::free(pen, 5, 2, "", &node_room(cx.seen, &self.name));
        pen.put(3, 5, 7, "memory", Role::Muted);
        let pods = s.load.as_ref().map_or("?".into(), |load| load.pods.to_string());
        pen.put(3, 7, width, &format!("pods    {pods} of {}", node.pods), Role::Muted);
        if let Some(harm) = cx.outlook.and_then(|o| o.harm(&self.name)) {
            let role = match harm.severity() {
                Some(Severity::Notice) | None => Role::Text,
                some => chrome::role(some),
            };
            let counts = format!(
                "{} down · {} halved · {} pending",
                format::count(harm.down.len(), "tenant"),
                harm.halved.len(),
                format::count(harm.pending, "pod")
            );
            let pieces = [
                piece("if it fails  ", Role::Muted),
                piece(counts, role),
                piece("   w ", Role::Key),
                piece("who and why", Role::Muted),
            ];
            pen.line(3, 8, width.saturating_sub(4), &pieces);
        } else if let Some(why) = cx.outlook.and_then(|o| o.unknown.as_ref()) {
            pen.put(3, 8, width.saturating_sub(4), &format!("if it dies  not known: {why}"), Role::Muted);
        }
        heading(pen, 4, TOP, "TENANT");
        pen.put_right(31, TOP, 8, "HERE", Role::Title);
        pen.put_right(40, TOP, 8, "READY", Role::Title);
        let body = usize::from(pen.height().saturating_sub(TOP + 1));
        for (line, i) in self.list.window(self.rows.len(), body).enumerate() {
            let y = TOP + 1 + line as u16;
            let (name, cell, ready, desired) = &self.rows[i];
            pen.put(4, y, 20, &cx.tenant_name(name, 20), Role::Text);
            parts::cell::draw(pen, 32, y, *cell);
            let tone = if ready < desired { Role::Warn } else { Role::Muted };
            pen.put_right(40, y, 8, &format!("{ready}/{desired}"), tone);
            if self.list.selected() == Some(name) {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        if self.rows.is_empty() {
            pen.put(4, TOP + 1, width, "no tenant has a pod here", Role::Muted);
        }
    }

    fn status(&self, _cx: &Cx<'_>) -> String {
        format!("{} here", format::count(self.rows.len(), "tenant"))
    }

    fn refuses(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        if command == Command::WhatIf {
            let there = cx.seen.nodes.get(&self.name).is_some();
            return (!there).then(|| format!("there is no node {} any more", self.name));
        }
        if of_it(command) {
            return nodes::refused(command, Some(&self.name), cx);
        }
        use Command::{Exec, Forward, Headroom, Less, More, Open, Restart, Scale};
        let of_tenant = matches!(command, Exec | Forward | Headroom | Less | More | Open | Restart | Scale);
        (of_tenant && self.list.selected().is_none()).then(|| "no tenant is selected".into())
    }

    fn select(&mut self, what: &Place, cx: &Cx<'_>) {
        let Place::Tenant(name) = what else { return };
        let (rows, page) = (&self.rows, self.page(cx));
        if let Some(at) = rows.iter().position(|(tenant, ..)| tenant == name) {
            self.list.put(at, rows.len(), page, |i| rows[i].0.clone());
        }
    }

    fn subject(&self) -> Option<String> {
        self.list.selected().map(TenantName::to_string)
    }
}
