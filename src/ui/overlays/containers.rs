//! Which container of which pod: those that run, the ready ones that serve requests first.

use std::sync::Arc;

use super::{keys, panel};
use crate::{
    cluster::{Key, NodeName, Pod, PodState, running},
    ui::{
        Command,
        action::Containers,
        format,
        paint::{Pen, piece},
        theme::Role,
        view::{Cx, List},
    },
};

/// The containers, and the cursor.
pub struct ContainerChoice {
    rows: Vec<Row>,
    list: List<usize>,
}

struct Row {
    pod: Key,
    container: Arc<str>,
    state: PodState,
    node: Option<NodeName>,
}

impl ContainerChoice {
    /// Those that are meant and run. The error says why there is none, in one sentence.
    ///
    /// # Errors
    /// There is no container to choose, and why: one sentence.
    pub fn of(cx: &Cx<'_>, meant: &Containers) -> Result<Self, String> {
        let pods: Vec<&Arc<Pod>> = match (&meant.tenant, &meant.pod) {
            (_, Some(key)) => cx.seen.pods.get(key).into_iter().collect(),
            (Some(name), None) => {
                let tenant = cx.seen.tenants.get(name).ok_or_else(|| format!("there is no tenant {name}"))?;
                tenant.pods.iter().collect()
            }
            (None, None) => return Err("no pod is selected".into()),
        };
        let there = |pod: &&Arc<Pod>| meant.node.is_none() || pod.node == meant.node;
        let meant_one = |name: &Arc<str>| meant.container.as_ref().is_none_or(|meant| meant == name);
        let found = running(cx.seen, pods.iter().copied().filter(there));
        let rows: Vec<_> = found
            .into_iter()
            .filter(|(_, status)| meant_one(&status.name))
            .map(|(pod, status)| Row {
                pod: pod.key.clone(),
                container: status.name.clone(),
                state: cx.seen.state_of(pod),
                node: pod.node.clone(),
            })
            .collect();
        if rows.is_empty() {
            let whose = match (&meant.pod, &meant.tenant) {
                (Some(pod), _) if pods.is_empty() => {
                    return Err(format!("there is no pod {} any more", pod.name));
                }
                (Some(pod), _) => pod.name.to_string(),
                (None, tenant) => tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            };
            let which = meant.container.as_ref().map_or(String::new(), |name| format!(" {name}"));
            return Err(format!("no container{which} of {whose} runs at present, as far as is known"));
        }
        let mut list = List::default();
        list.settle(rows.len(), 1, |i| i);
        Ok(Self { rows, list })
    }

    /// The only one there is.
    pub fn only(&self) -> Option<(Key, Arc<str>)> {
        if self.rows.len() == 1 { self.chosen() } else { None }
    }

    /// The one under the cursor.
    pub fn chosen(&self) -> Option<(Key, Arc<str>)> {
        self.rows.get(self.list.index()).map(|row| (row.pod.clone(), row.container.clone()))
    }

    /// Moves the cursor.
    pub fn go(&mut self, command: Command) {
        self.list.go(command, self.rows.len(), 10, |i| i);
    }

    /// Draws it.
    pub fn render(&self, pen: &mut Pen<'_>, cx: &Cx<'_>) {
        let lines = u16::try_from(self.rows.len()).unwrap_or(u16::MAX).saturating_add(5);
        let mut pen = panel(pen, 76, lines, &[piece("A shell in", Role::Accent)], &[]);
        let (width, height) = (pen.width(), pen.height());
        let containers =
            self.rows.iter().map(|row| format::width(&row.container)).max().unwrap_or(0).clamp(9, 20);
        let name = width.saturating_sub(containers + 30).max(8);
        let (of, state) = (2 + name + 1, 2 + name + containers + 3);
        pen.put(2, 0, name, "POD", Role::Title);
        pen.put(of, 0, containers, "CONTAINER", Role::Title);
        pen.put(state, 0, 12, "STATE", Role::Title);
        pen.put(state + 12, 0, width.saturating_sub(state + 12), "NODE", Role::Title);
        let page = usize::from(height.saturating_sub(3)).max(1);
        for (y, i) in (1..).zip(self.list.window(self.rows.len(), page)) {
            let row = &self.rows[i];
            let all = self.rows.iter().map(|row| &*row.pod.name);
            pen.put(2, y, name, &format::apart(&row.pod.name, all, name), Role::Text);
            pen.put(of, y, containers, &row.container, Role::Text);
            let tone = if row.state == PodState::Ready { Role::Ok } else { Role::Warn };
            pen.put(state, y, 11, row.state.word(), tone);
            let node = row.node.as_ref().map_or("".into(), |node| cx.node_name(node, 14));
            pen.put(state + 12, y, width.saturating_sub(state + 12), &node, Role::Muted);
            if self.list.index() == i {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
        pen.line(
            0,
            height.saturating_sub(1),
            width,
            &keys(&[("⏎", "open the shell", true), ("esc", "cancel", true)]),
        );
    }
}
