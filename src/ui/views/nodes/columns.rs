//! Which columns a width has room for, and what a row shows in them.

use super::{NARROW, Shares, State, node_sign, stacked, state_of};
use crate::{
    cluster::{Cpu, Memory, Node, NodeState, node_room},
    ui::{chrome, format, paint::Pen, theme::Role, view::Cx},
};

/// Where the columns begin. `None`: no room.
pub struct Columns {
    name: u16,
    since: Option<u16>,
    pods: u16,
    /// If it dies.
    /// With its columns.
    dies: Option<(u16, u16)>,
    tenants: Option<u16>,
    bar: Option<(u16, u16)>,
    /// "used / requested / limit of whole", memory.
    memory: Option<u16>,
    /// Free of requests, of limits, of use.
    free: Option<u16>,
    /// Limits of allocatable.
    over: Option<u16>,
    /// What is left to the evictions.
    eviction: Option<u16>,
    cpu: Option<u16>,
    conditions: Option<u16>,
}

impl Columns {
    /// What fits, the more important first.
    pub fn fit(width: u16) -> Self {
        let name = if width < 40 {
            10
        } else if width < 100 {
            15
        } else {
            20
        };
        let mut x = 5 + name + 11;
        let mut take = |columns: u16, from: u16| {
            (width >= from && x + columns <= width).then(|| {
                let at = x;
                x += columns;
                at
            })
        };
        let since = take(6, 100);
        // Always there, cut off by the edge if need be.
        let pods = take(0, 0).unwrap_or(5 + name + 11);
        take(9, 0);
        let dies_width = if width < 180 { 12 } else { 20 };
        let dies = take(dies_width + 2, 60).map(|x| (x + 2, dies_width));
        let tenants = take(9, 100);
        let bar_width = if width < 150 { 18 } else { 22 };
        let bar = take(bar_width + 2, NARROW).map(|x| (x + 1, bar_width));
        let memory = take(23, 76);
        let free = take(23, 140);
        let over = take(8, 140);
        let eviction = take(9, 140);
        let cpu = take(23, 180);
        let conditions = take(20, 150);
        Self { name, since, pods, dies, tenants, bar, memory, free, over, eviction, cpu, conditions }
    }

    /// The names of the columns.
    pub fn heading(&self, pen: &mut Pen<'_>) {
        pen.put(4, 0, self.name, "NODE", Role::Title);
        pen.put(5 + self.name, 0, 10, "STATE", Role::Title);
        let mut ends = |at: Option<u16>, width: u16, text: &str| {
            if let Some(x) = at {
                pen.put_right(x + width - 1, 0, width, text, Role::Title);
            }
        };
        ends(self.since, 6, "SINCE");
        ends(Some(self.pods), 9, "PODS");
        ends(self.tenants, 9, "TENANTS");
        ends(self.memory, 19, "MEM USED/REQ/LIM");
        ends(self.memory, 23, "Gi");
        ends(self.free, 23, "FREE OF REQ/LIM/USE Gi");
        ends(self.over, 8, "LIMITS");
        ends(self.eviction, 9, "EVICT IN");
        ends(self.cpu, 19, "CPU USED/REQ/LIM");
        ends(self.cpu, 23, "OF");
        if let Some((x, width)) = self.dies {
            pen.put(x, 0, width, "IF IT FAILS", Role::Title);
        }
        if let Some((x, _)) = self.bar {
            pen.put(x, 0, 20, "MEMORY", Role::Title);
        }
        if let Some(x) = self.conditions {
            pen.put(x + 2, 0, 30, "CONDITIONS", Role::Title);
        }
    }

    /// One node.
    pub fn row(&self, pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, node: &Node, short: &str, tenants: usize) {
        let State { sign, role, word } = state_of(cx, node);
        let calm = role == Role::Ok;
        let shares = Shares::of(cx.seen, node);
        // Few tones in a row: each costs bytes on every step of the cursor.
        pen.put(2, y, 1, sign, if calm { Role::Muted } else { role });
        // What is quiet in a calm row is not in another.
        let quiet = if calm { Role::Muted } else { Role::Text };
        let x = pen.put(4, y, self.name, &cx.node_name(&node.name, self.name), Role::Text);
        if short != node.name.as_str() && x + 5 < 4 + self.name {
            pen.put(x + 1, y, 5, short, quiet);
        }
        let x = pen.put(5 + self.name, y, 10, word, if calm { Role::Muted } else { role });
        if node.cordoned && node.state() != NodeState::Cordoned {
            let (sign, role) = node_sign(NodeState::Cordoned);
            pen.put(x + 1, y, 1, sign, role);
        }
        if let Some(x) = self.since {
            // Since when it is cordoned is not known.
            let since = node.ready_since().filter(|_| node.state() != NodeState::Cordoned);
            pen.put_right(x + 5, y, 5, &cx.age_or_dash(since), Role::Muted);
        }
        let (pods, full) = shares.pods(node);
        pen.put_right(self.pods + 8, y, 8, &pods, if full { Role::Warn } else { Role::Text });
        if let Some(x) = self.tenants {
            let role = if tenants == 0 { Role::Warn } else { Role::Text };
            pen.put_right(x + 8, y, 7, &tenants.to_string(), role);
        }
        if let Some((x, width)) = self.dies {
            dies(pen, x, y, width, cx, node);
        }
        self.memory(pen, y, &shares);
        self.room(pen, y, cx, node);
        if let Some(x) = self.cpu {
            let cores = |c: Cpu| format!("{:.1}", c.0 as f64 / 1000.0);
            let used = shares.used.map_or_else(|| "–".into(), |(c, _)| cores(c));
            let [requests, limits] =
                shares.words(|l| cores(l.requests.0), |l| (l.limits.0.0, cores(l.limits.0)));
            let text = format!("{used} / {requests} / {limits}");
            let over = shares.used.is_some_and(|(c, _)| c.share_of(shares.cpu) > 0.9);
            pen.put_right(x + 18, y, 18, &text, if over { Role::Warn } else { Role::Text });
            pen.put_right(x + 22, y, 4, &format!("{:.0}", shares.cpu.0 as f64 / 1000.0), Role::Muted);
        }
        if let Some(x) = self.conditions {
            let bad: Vec<_> = node.pressures().map(|c| &*c.kind).collect();
            let text = if !node.is_ready() {
                node.ready_condition().map_or("never reported", |c| &*c.reason).to_owned()
            } else {
                bad.join(" ")
            };
            pen.put(x + 2, y, pen.width().saturating_sub(x + 2), &text, role);
        }
    }

    fn memory(&self, pen: &mut Pen<'_>, y: u16, shares: &Shares) {
        if let Some((x, width)) = self.bar {
            let used = shares.used.map(|(_, m)| m.share_of(shares.memory));
            let (req, lim) = shares.memory_shares();
            stacked(pen, x, y, width, used, req, lim);
        }
        if let Some(x) = self.memory {
            let used = shares.used.map_or_else(|| "–".into(), |(_, m)| gi(m));
            let [requests, limits] = shares.words(|l| gi(l.requests.1), |l| (l.limits.1.0, gi(l.limits.1)));
            let text = format!("{used} / {requests} / {limits}");
            let over = shares.used.is_some_and(|(_, m)| m.share_of(shares.memory) > 0.9);
            pen.put_right(x + 18, y, 18, &text, if over { Role::Warn } else { Role::Text });
            let whole = format!("{:.0}", shares.memory.0 as f64 / f64::from(1u32 << 30));
            pen.put_right(x + 22, y, 4, &whole, Role::Muted);
        }
    }

    /// The three meanings of free, the overcommitment, the distance to the evictions.
    fn room(&self, pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, node: &Node) {
        if self.free.is_none() && self.over.is_none() {
            return;
        }
        let room = node_room(cx.seen, &node.name);
        let known = |m: Option<Memory>| m.map_or("?".to_owned(), gi);
        if let Some(x) = self.free {
            let all = [room.free_of_requests, room.free_of_limits, room.free_of_use].map(known);
            pen.put_right(x + 22, y, 22, &all.join(" / "), Role::Text);
        }
        if let Some(x) = self.over {
            let over = room.overcommit.is_some_and(|x| x > 1.0);
            let text = room.overcommit.map_or("?".into(), format::percent);
            pen.put_right(x + 7, y, 7, &text, if over { Role::Warn } else { Role::Text });
        }
        if let Some(x) = self.eviction {
            let near = room.to_eviction.is_some_and(|m| m.0 < 1 << 30);
            let text = known(room.to_eviction);
            pen.put_right(x + 8, y, 8, &text, if near { Role::Warn } else { Role::Text });
        }
    }
}

fn gi(m: Memory) -> String {
    format!("{:.1}", m.0 as f64 / f64::from(1u32 << 30))
}

/// What the loss of a node would do, in three words.
fn dies(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, cx: &Cx<'_>, node: &Node) {
    let Some(harm) = cx.outlook.and_then(|o| o.harm(&node.name)) else {
        let text = match cx.outlook {
            None => "…",
            Some(o) if o.unknown.is_some() => "?",
            Some(_) => "–",
        };
        pen.put(x, y, width, text, Role::Faint);
        return;
    };
    let role = match harm.severity() {
        Some(crate::cluster::Severity::Notice) => Role::Text,
        None => Role::Muted,
        some => chrome::role(some),
    };
    pen.put(x, y, width, &harm.short(), role);
}
