//! What several views say of a tenant and its pods.

use std::sync::Arc;

use super::{heading, run_sign};
use crate::{
    cluster::{
        Finding, Health, Memory, Pod, PodState, Sample, Severity, Subject, Tenant, TenantName, WorkloadKind,
        headroom, refuses,
    },
    run::Lent,
    ui::{
        chrome, format,
        paint::{Pen, piece, wide},
        theme::Role,
        view::Cx,
    },
};

/// The glyph and role of a pod's state.
pub fn sign(state: PodState) -> (&'static str, Role) {
    match state {
        PodState::Ready => ("✓", Role::Ok),
        PodState::Finished => ("·", Role::Muted),
        PodState::Terminating => ("-", Role::Muted),
        PodState::Starting => ("~", Role::Busy),
        PodState::Unknown => ("?", Role::Warn),
        PodState::Unschedulable => ("∅", Role::Danger),
        PodState::Failing => ("✖", Role::Danger),
    }
}

/// Why a pod is not as it should be, in its own words.
pub fn reason(pod: &Pod) -> Option<String> {
    if let Some(why) = &pod.unschedulable {
        return Some(why.to_string());
    }
    if let Some((container, reason)) = pod.waits_for() {
        return Some(format!("{}: {reason}", container.name));
    }
    let ended = pod.containers.iter().find_map(|c| Some((c, c.last_end.as_ref()?)))?;
    Some(format!("{}: last ended {} ({})", ended.0.name, ended.1.reason, ended.1.code))
}

/// Memory in use and the limit of a pod's tightest container.
pub fn memory(cx: &Cx<'_>, pod: &Pod) -> Option<(Memory, Memory)> {
    let usage = cx.seen.usage.get(&pod.key)?;
    pod.spec
        .containers
        .iter()
        .filter_map(|c| Some((usage.containers.get(&*c.name)?.1, c.resources.limits.memory?)))
        .max_by(|a, b| a.0.share_of(a.1).total_cmp(&b.0.share_of(b.1)))
}

/// The word for a pod's state: one whose containers all run is not starting any more.
pub fn word(cx: &Cx<'_>, pod: &Pod) -> &'static str {
    let runs = !pod.containers.is_empty() && pod.containers.iter().all(|c| c.running_since.is_some());
    match cx.seen.state_of(pod) {
        PodState::Starting if runs => "not ready",
        state => state.word(),
    }
}

/// What a list of pods has room for, the more important first: name, state, node, restarts and age, memory.
struct Columns {
    name: u16,
    state: Option<u16>,
    /// Where it begins, and where it ends.
    node: Option<(u16, u16)>,
    memory: bool,
    numbers: bool,
}

impl Columns {
    fn fit(width: u16) -> Self {
        let (numbers, memory) = (width >= 48, width >= 100);
        let right = width.saturating_sub(if memory {
            31
        } else if numbers {
            11
        } else {
            0
        });
        let name = (width / 3).clamp(8, 40);
        let at = name + 5;
        let has_state = right >= at + 10;
        let node = (right >= at + 14 + 5).then_some((at + 14, right));
        Self {
            name: if has_state { name } else { right.saturating_sub(4) },
            state: has_state.then_some(at),
            node,
            memory,
            numbers,
        }
    }
}

/// The headings of the pods below.
pub fn pods_heading(pen: &mut Pen<'_>, y: u16) {
    let c = Columns::fit(pen.width());
    heading(pen, 4, y, "POD");
    if let Some(x) = c.state {
        heading(pen, x, y, "STATE");
    }
    if let Some((x, _)) = c.node {
        heading(pen, x, y, "NODE");
    }
    let right = pen.width();
    if c.memory {
        pen.put_right(right.saturating_sub(12), y, 18, "MEMORY", Role::Title);
    }
    if c.numbers {
        pen.put_right(right.saturating_sub(6), y, 4, "RST", Role::Title);
        pen.put_right(right.saturating_sub(1), y, 4, "AGE", Role::Title);
    }
}

/// One pod on one line; `among` are the pods whose names it is to be told from.
pub fn pod_line(pen: &mut Pen<'_>, y: u16, cx: &Cx<'_>, pod: &Pod, among: &[Arc<Pod>]) {
    let state = cx.seen.state_of(pod);
    let (glyph, role) = sign(state);
    let c = Columns::fit(pen.width());
    let calm = state == PodState::Ready;
    pen.put(2, y, 1, glyph, role);
    pen.put(4, y, c.name, &name(pod, among, c.name), Role::Text);
    if let Some(x) = c.state {
        pen.put(x, y, 13, word(cx, pod), if calm { Role::Muted } else { role });
    }
    let right = pen.width();
    if let Some((x, end)) = c.node {
        let room = end.saturating_sub(x);
        let node = pod.node.as_ref().map_or("–".into(), |n| cx.node_name(n, room));
        pen.put(x, y, room, &node, Role::Text);
    }
    if c.memory {
        let (text, role) = match memory(cx, pod) {
            Some((used, limit)) if used.share_of(limit) > 0.9 => (format::of(used, limit), Role::Warn),
            Some((used, limit)) => (format::of(used, limit), Role::Muted),
            None => ("–".into(), Role::Faint),
        };
        pen.put_right(right.saturating_sub(12), y, 18, &text, role);
    }
    if c.numbers {
        let restarts = pod.restarts();
        let role = if restarts > 0 { Role::Text } else { Role::Faint };
        pen.put_right(right.saturating_sub(6), y, 4, &restarts.to_string(), role);
        pen.put_right(right.saturating_sub(1), y, 4, &cx.age(pod.created), Role::Muted);
    }
}

/// A pod's name in so many columns, cut where the names of the others are like it.
fn name<'p>(pod: &'p Pod, among: &[Arc<Pod>], columns: u16) -> std::borrow::Cow<'p, str> {
    format::apart(&pod.key.name, among.iter().map(|p| &*p.key.name), columns)
}

/// What stands around the tenant: who else decides about its replicas.
pub fn surroundings(cx: &Cx<'_>, tenant: &Tenant) -> Vec<(&'static str, String)> {
    let w = &tenant.workload;
    let mut facts = Vec::new();
    let room = headroom(cx.seen, tenant);
    if let Some(more) = room.more {
        let bound: Vec<_> = room.binding.iter().map(|b| b.word()).collect();
        let bound =
            if bound.is_empty() { String::new() } else { format!(", bound by {}", bound.join(" and ")) };
        facts.push(("headroom", format!("{} left{bound}", format::count(more, "request"))));
    }
    facts.extend(memory_course(cx, tenant).map(|text| ("memory", text)));
    if let Some(a) = cx.seen.autoscaler_of(&w.key) {
        facts.push(("autoscaler", format!("keeps {} to {} replicas", a.min, a.max)));
    }
    for budget in cx.seen.budgets_of(w) {
        let text = match budget.allowed {
            0 => format!("blocks eviction: {}, 0 of {} may be evicted", budget.rule, budget.healthy),
            n => format!("{}, {n} of {} may be evicted", budget.rule, budget.healthy),
        };
        facts.push(("budget", text));
    }
    if let Some(g) = &w.gitops {
        let what = if g.replicas { "owns its replicas" } else { "owns its manifest" };
        facts.push(("gitops", format!("{g} {what}")));
    }
    if w.is_rolling() {
        facts
            .push(("rollout", format!("{} of {} pods on the new version", w.counts.updated, w.counts.total)));
    }
    if w.paused {
        facts.push(("rollout", "paused".into()));
    }
    facts
}

/// Writes a fact from column `x`, on two lines where it needs them. Returns how many it took.
pub fn fact(pen: &mut Pen<'_>, x: u16, y: u16, text: &str) -> u16 {
    let room = pen.width().saturating_sub(x + 1);
    if format::width(text) <= room {
        pen.put(x, y, room, text, Role::Text);
        return 1;
    }
    let lines = format::wrap(text, room);
    for (line, y) in lines.iter().take(2).zip(y..) {
        pen.put(x, y, room, line, Role::Text);
    }
    2
}

/// How the memory of a serving container went, a bar for each measurement, full at its limit; `None`: too little is known.
fn memory_course(cx: &Cx<'_>, tenant: &Tenant) -> Option<String> {
    const BARS: usize = 24;
    let serving = tenant.workload.template.serving(&cx.seen.tenancy.container)?;
    let limit = serving.resources.limits.memory?;
    let samples: Vec<_> = cx.seen.history.of(&tenant.name).filter(|sample| sample.containers > 0).collect();
    let shown = &samples[samples.len().saturating_sub(BARS)..];
    let (first, last) = (shown.first()?, shown.last().filter(|_| shown.len() > 3)?);
    let each = |sample: &Sample| Memory(sample.used.0 / u64::from(sample.containers));
    let values: Vec<_> = shown.iter().map(|sample| Some(each(sample).0 as f64)).collect();
    let (bars, _) = format::spark(&values, Some(limit.0 as f64));
    let span = format::span(last.at.duration_since(first.at).as_secs());
    Some(format!("{bars}  {} of {limit} in a pod, over {span}", each(last)))
}

fn is_of(subject: &Subject, tenant: &TenantName) -> bool {
    matches!(subject, Subject::Tenant(name) if name == tenant)
}

/// What is wrong with a tenant, the worst first.
pub fn findings_of<'a>(cx: &Cx<'a>, tenant: &TenantName) -> Vec<&'a Finding> {
    let mut all: Vec<_> = cx.findings.iter().filter(|f| is_of(&f.subject, tenant)).collect();
    all.sort_by_key(|f| std::cmp::Reverse(f.severity));
    all
}

/// The first lines about a tenant: state, workload, replicas.
pub fn head(pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Tenant) -> u16 {
    let width = pen.width();
    let worst = cx.findings.iter().filter(|f| is_of(&f.subject, &tenant.name)).map(|f| f.severity).max();
    let refused = refuses(cx.seen, cx.findings);
    let health = Health::of(cx.seen, tenant, worst, refused);
    let worst = health.severity(worst, refused);
    let calm = worst.filter(|s| *s > Severity::Notice);
    let x = pen.line(
        0,
        0,
        width,
        &[
            piece(" ", Role::Text),
            piece(chrome::glyph(calm), chrome::role(calm)),
            piece(" ", Role::Text),
            piece(tenant.name.as_str(), Role::Accent),
            piece(format!("  {health}"), chrome::role(calm)),
        ],
    );
    let w = &tenant.workload;
    let kind = match w.key.kind {
        WorkloadKind::Deployment => "deploy",
        WorkloadKind::StatefulSet => "sts",
    };
    let what = format!("{kind}/{} in {}", w.key.key.name, w.key.key.namespace);
    pen.put_right(width.saturating_sub(1), 0, width.saturating_sub(x + 3), &what, Role::Muted);
    let nodes = tenant.placement().len();
    let tag = w.image_tag(&cx.seen.tenancy.container);
    let ready = tenant.ready();
    let wanted = Lent::of(cx.runs).wanted(tenant);
    let short = ready < wanted;
    let mut facts = vec![
        piece(format!("{ready} of {wanted} ready"), if short { Role::Warn } else { Role::Text }),
        piece(format!("  on {}", format::count(nodes, "node")), Role::Muted),
        piece(format!("   {tag}"), Role::Text),
        piece(format!("   {}", format::count(tenant.restarts() as usize, "restart")), Role::Muted),
        piece(format!("   created {} ago", cx.age(w.created)), Role::Muted),
    ];
    let room = width.saturating_sub(4);
    // What has no room is left out rather than cut.
    while facts.len() > 2 && wide(&facts) > room {
        facts.pop();
    }
    pen.line(3, 1, room, &facts);
    2
}

/// The selected tenant beside the table.
pub fn aside(pen: &mut Pen<'_>, cx: &Cx<'_>, tenant: &Arc<Tenant>) {
    let width = pen.width();
    let mut y = head(pen, cx, tenant) + 1;
    let mut any = false;
    for finding in findings_of(cx, &tenant.name).into_iter().take(5) {
        let severity = Some(finding.severity);
        pen.put(1, y, 1, chrome::glyph(severity), chrome::role(severity));
        let age = finding.since.map(|s| cx.age(s)).unwrap_or_default();
        pen.put_right(width - 1, y, 5, &age, Role::Muted);
        for line in format::wrap(&format::plain(&finding.text), width.saturating_sub(11)).iter().take(3) {
            pen.put(3, y, width.saturating_sub(9), line, Role::Text);
            y += 1;
        }
        any = true;
    }
    y += u16::from(any);
    heading(pen, 1, y, "POD");
    let name = width.saturating_sub(36).clamp(10, 34);
    heading(pen, name + 4, y, "STATE");
    heading(pen, name + 16, y, "NODE");
    pen.put_right(width - 1, y, 4, "AGE", Role::Title);
    y += 1;
    let budget = usize::from(pen.height().saturating_sub(y + 9)).max(3);
    for pod in tenant.pods.iter().take(budget) {
        let state = cx.seen.state_of(pod);
        let (glyph, role) = sign(state);
        pen.put(1, y, 1, glyph, role);
        pen.put(3, y, name, &self::name(pod, &tenant.pods, name), Role::Text);
        let calm = state == PodState::Ready;
        pen.put(name + 4, y, 11, word(cx, pod), if calm { Role::Muted } else { role });
        let room = width.saturating_sub(name + 22);
        let node = pod.node.as_ref().map_or("–".into(), |n| cx.node_name(n, room));
        pen.put(name + 16, y, room, &node, Role::Text);
        pen.put_right(width - 1, y, 4, &cx.age(pod.created), Role::Muted);
        y += 1;
    }
    if tenant.pods.len() > budget {
        pen.put(3, y, width, &format!("and {} more", tenant.pods.len() - budget), Role::Muted);
        y += 1;
    }
    y += 1;
    for (name, text) in surroundings(cx, tenant) {
        pen.put(1, y, 11, name, Role::Muted);
        y += fact(pen, 13, y, &text);
    }
    let runs: Vec<_> =
        cx.runs.iter().filter(|k| k.run.tenants().any(|t| *t == tenant.name)).take(3).collect();
    if !runs.is_empty() {
        y += 1;
        heading(pen, 1, y, "RUNS");
        y += 1;
        for known in runs {
            let (glyph, role) = run_sign(&known.shown());
            pen.put(1, y, 1, glyph, role);
            let text = crate::run::summary(&known.run);
            pen.put(3, y, width.saturating_sub(9), &text, Role::Text);
            pen.put_right(width - 1, y, 5, &cx.age_or_dash(known.run.last_at()), Role::Muted);
            y += 1;
        }
    }
}
