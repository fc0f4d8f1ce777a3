//! How a campaign is drawn.

use ratatui::layout::Rect;

use super::{
    CampaignView, NOT_BEGUN, Section,
    ended::{began, ended, took},
};
use crate::{
    cluster::{Pod, Snapshot, TenantName},
    plan::{Change, Intent},
    run::{
        RunSeen,
        campaign::{self, Campaign, CampaignSeen, Doing, Drained, ItemState},
    },
    ui::{
        format,
        matrix::{self, Matrix, Pods},
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
        views::{beside, heading, journal, run_sign, side, steps, times},
    },
};

/// A row's sign: what is worst or latest among a tenant's moves.
fn sign(states: &[&ItemState], still: bool) -> (&'static str, Role) {
    let any = |is: fn(&ItemState) -> bool| states.iter().any(|state| is(state));
    if any(|s| matches!(s, ItemState::Running(_))) {
        if still { ("‖", Role::Warn) } else { ("▸", Role::Busy) }
    } else if any(|s| matches!(s, ItemState::Held(..))) {
        ("▲", Role::Warn)
    } else if any(|s| matches!(s, ItemState::Failed(_))) {
        ("✖", Role::Danger)
    } else if any(|s| *s == ItemState::Waiting) {
        ("·", Role::Muted)
    } else if any(|s| matches!(s, ItemState::Done(_))) {
        ("✓", Role::Ok)
    } else {
        ("–", Role::Muted)
    }
}

impl CampaignView {
    /// On a wide screen the item under the cursor and the journal, unless the nodes take all the columns. Returns the part
    /// that is left.
    pub(super) fn beside(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &CampaignSeen) -> Rect {
        let whole = pen.area;
        let (main, Some(area)) = beside(whole, side(whole.width)) else { return whole };
        let columns = |width: u16| Matrix::fit(width.saturating_sub(2), cx.seen, &self.changed).columns();
        if self.section == Section::Pods && columns(main.width) < columns(whole.width) {
            return whole;
        }
        let campaign = &known.campaign;
        let pen = &mut pen.within(area);
        let y = self.selected(pen, cx, campaign);
        let told = campaign.entries.iter().rev().map(|entry| {
            let (sign, text) = campaign::entry(campaign, &entry.event);
            journal::Line { at: entry.at, by: &entry.by, sign, text }
        });
        journal::draw(pen, y, &campaign.operator, told);
        main
    }

    /// The item under the cursor, with the steps of its run. Returns the line after the gap below it.
    fn selected(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, campaign: &Campaign) -> u16 {
        let Some(item) = self.item(campaign) else { return 0 };
        let room = pen.width().saturating_sub(4);
        let mut y = 0;
        for line in format::wrap(&format::plain(&campaign.words(item)), room) {
            y = {
                heading(pen, 3, y, &line);
                y + 1
            };
        }
        let id = Self::run_of(campaign, item);
        let known = id.as_ref().and_then(|id| cx.runs.iter().find(|known| known.run.id == *id));
        if let Some(known) = known {
            // The journal keeps half of the screen.
            return steps::draw_narrow(pen, cx, known, y, pen.height() / 2) + 1;
        }
        let why = id.map(|id| format!("run {} is not known here", format::short_run(&id)));
        pen.put(3, y, room, why.as_deref().unwrap_or(NOT_BEGUN), Role::Muted);
        y + 2
    }

    /// What it is, who drives it, how far it is.
    pub(super) fn head(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &CampaignSeen) -> u16 {
        let width = pen.width();
        let campaign = &known.campaign;
        let shown = known.shown();
        let (glyph, role) = run_sign(&shown);
        let pieces = [
            piece(glyph, role),
            piece(" ", Role::Text),
            piece(campaign.goal.as_str(), Role::Accent),
            piece(format!("  {shown}"), role),
        ];
        pen.line(1, 0, width.saturating_sub(2), &pieces);
        let started = campaign.began();
        let mut facts = format!("campaign {} of {}", campaign.short(), campaign.operator);
        if let (Some(start), Some(last)) = (started, campaign.last_at()) {
            facts += &format!(", {}", times(cx, &shown, start, last));
        }
        if campaign.local {
            facts.push_str(", journal on this machine only");
        }
        if let Some(reason) = &campaign.reason {
            facts += &format!("   why: {reason}");
        }
        pen.put(3, 1, width.saturating_sub(4), &facts, Role::Muted);
        let counts = campaign.counts();
        let through = counts.done + counts.skipped + counts.failed * usize::from(counts.of_tenants);
        let bar = (width / 3).clamp(8, 60);
        pen.bar(3, 2, bar, through as f64 / counts.all.max(1) as f64, role);
        let each = campaign.each().map(|each| format!("{} each", format::span(each.as_secs().max(1))));
        let rate = campaign.an_hour().filter(|_| counts.of_tenants && !campaign.state.is_over());
        let each = each.into_iter().chain(rate.map(|n| format!("{n} an hour"))).collect::<Vec<_>>();
        let each = (!each.is_empty()).then(|| each.join(", "));
        // While it stands still, no time passes for what is left.
        let left = campaign.time_left().filter(|_| !known.wants_an_operator());
        let left = left.map(|left| format!("about {} left", format::span(left.as_secs().max(1))));
        let times: Vec<_> = each.into_iter().chain(left).collect();
        let pieces = [
            piece(
                if counts.of_tenants { format!("{} of {}", counts.done, counts.all) } else { counts.words() },
                Role::Text,
            ),
            piece(if times.is_empty() { "" } else { "   " }, Role::Text),
            piece(times.join(", "), Role::Muted),
        ];
        pen.line(bar + 5, 2, width.saturating_sub(bar + 6), &pieces);
        if !counts.of_tenants {
            return 3;
        }
        let mut line = Vec::new();
        for (n, word, role) in [
            (counts.waiting, "waiting", Role::Muted),
            (counts.running, "running", Role::Busy),
            (counts.done, "done", Role::Ok),
            (counts.unpredicted, "of them not as predicted", Role::Warn),
            (counts.failed, "failed", Role::Danger),
            (counts.held, "held", Role::Warn),
            (counts.skipped, "left out", Role::Muted),
        ] {
            if n == 0 && role == Role::Warn && word.starts_with("of them") {
                continue;
            }
            let role = if n == 0 { Role::Muted } else { role };
            line.push(piece(format!("{n} "), role));
            line.push(piece(format!("{word}   "), Role::Muted));
        }
        pen.line(3, 3, width.saturating_sub(4), &line);
        4
    }

    /// What it is at, or why it stands still, or how it ended.
    pub(super) fn present(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &CampaignSeen, mut y: u16) -> u16 {
        let (width, top) = (pen.width(), y);
        let campaign = &known.campaign;
        let shown = known.shown();
        let (_, role) = run_sign(&shown);
        let room = width.saturating_sub(6);
        let mut say = |pen: &mut Pen<'_>, text: &str, role: Role, most: usize| {
            for line in format::wrap(&format::plain(text), room).iter().take(most) {
                y += 1;
                pen.put(3, y, room, line, role);
            }
        };
        let stands = known.wants_an_operator();
        if stands || campaign.state.is_over() {
            let word = campaign.last_word().filter(|_| !known.is_interrupted());
            // Who paused it stands in the first line.
            if campaign.paused_by().is_none() {
                say(pen, word.unwrap_or("its session ended in the middle"), role, 3);
            }
        }
        if stands && campaign.beyond().is_some() {
            say(pen, "r shows what is left on what is seen now, to agree to it", Role::Text, 1);
        }
        if campaign.state.is_over() {
            // What it ended with says it already, as long as it is so.
            let word = campaign.last_word().unwrap_or_default();
            for text in epilogue(cx, campaign).into_iter().filter(|text| !word.ends_with(text.as_str())) {
                say(pen, &text, Role::Text, 2);
            }
        } else if campaign.stopping {
            say(pen, "it stops once what is under way is through", Role::Warn, 1);
        }
        if let Some(asked) = campaign.unheard().last().filter(|_| !campaign.state.is_over()) {
            say(pen, &format!("{} asked it to {}", asked.by, asked.wish), Role::Warn, 1);
        }
        let still = stands || campaign.state.is_over();
        // What is waited for between the items stands with what is under way.
        if let Some(doing @ Doing::Waits(_)) = &campaign.doing {
            say(pen, &doing.to_string(), Role::Warn, 2);
        }
        let said = y > top;
        y += u16::from(y > 3);
        let running = campaign.states.iter().enumerate().filter_map(|(i, state)| match state {
            ItemState::Running(run) => Some((i, run)),
            _ => None,
        });
        // As many lines from one move to the next: nothing below them shifts.
        let most = if pen.height() < 24 { 1 } else { 3 };
        let reserved =
            if campaign.state.is_over() { 0 } else { most.min(campaign.pace.parallel.max(1) as usize) };
        let running: Vec<_> = running.take(most).collect();
        // Why it stands still is told where the moves under way were.
        let usual = if said && still { top + u16::from(top > 3) } else { y };
        let end = (usual + 2 * reserved as u16).max(y + 2 * running.len() as u16);
        if let (false, true, Some(Doing::At(doing))) = (still, running.is_empty(), &campaign.doing) {
            pen.put(3, y + 1, room, doing, Role::Muted);
        }
        for (item, id) in running {
            let run = cx.runs.iter().find(|known| known.run.id == *id);
            let interrupted = run.is_some_and(RunSeen::is_interrupted);
            let (glyph, role) = match (interrupted, still) {
                (true, _) => ("?", Role::Warn),
                (false, true) => ("‖", Role::Warn),
                (false, false) => ("▸", Role::Busy),
            };
            pen.put(1, y + 1, 1, glyph, role);
            pen.put(3, y + 1, width.saturating_sub(10), &campaign.words(item), Role::Text);
            let since = began(campaign, item).filter(|_| !still).map(|at| cx.age(at)).unwrap_or_default();
            pen.put_right(width.saturating_sub(1), y + 1, 6, &since, Role::Muted);
            match run {
                Some(known) => super::steps::line(pen, y + 2, &known.run),
                None => {
                    let doing = campaign.doing.as_ref().map(ToString::to_string);
                    let doing = doing.as_deref().unwrap_or("its run begins");
                    pen.put(3, y + 2, room, doing, Role::Muted);
                }
            }
            y += 2;
        }
        end + if end > 3 { 2 } else { 1 }
    }

    pub(super) fn sections(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, known: &CampaignSeen, y: u16) {
        let (width, campaign) = (pen.width(), &known.campaign);
        let still = known.wants_an_operator();
        if y + 1 >= pen.height() {
            return;
        }
        let mut x = 1;
        for (section, name, n) in [
            (Section::Pods, "Pods by node", self.rows.len()),
            (
                Section::Items,
                if campaign.is_of_tenants() { "Tenants" } else { "Steps" },
                campaign.counted().count(),
            ),
        ] {
            if section == Section::Pods && self.rows.is_empty() {
                continue;
            }
            let here = section == self.section;
            x = pen.put(x, y, 2, if here { "▸ " } else { "  " }, Role::Key);
            x = pen.put(x, y, width.saturating_sub(x), name, if here { Role::Accent } else { Role::Muted });
            x = pen.put(x + 1, y, width.saturating_sub(x + 1), &n.to_string(), Role::Muted) + 2;
        }
        let matrix = Matrix::fit(width.saturating_sub(2), cx.seen, &self.changed);
        let pods = self.section == Section::Pods;
        let top = y + 1 + if pods { matrix.heading_height() } else { 0 };
        if pods {
            let area = pen.area;
            let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
            matrix.heading(&mut pen.within(inner), y + 1, ["NOW", "AFTER"]);
        }
        let page = usize::from(pen.height().saturating_sub(top));
        let (row, all) = (self.row(campaign), self.len());
        // The row under way stands in the middle, so that what is through and what comes are both seen.
        let start = (row + 1).saturating_sub(page / 2 + 1).min(all.saturating_sub(page));
        for (line, i) in (start..all.min(start + page)).enumerate() {
            let y = top + line as u16;
            match self.section {
                Section::Pods => self.tenant(pen, cx, (campaign, still), &matrix, y, i),
                Section::Items => line_of(pen, cx, (campaign, still), y, i, self.items[i]),
            }
            if i == row && page > 0 {
                pen.tint_line(y, Role::Selection);
                pen.put(0, y, 1, "›", Role::Key);
            }
        }
    }

    /// A tenant: where its pods are at this moment, and where they will be.
    fn tenant(
        &self,
        pen: &mut Pen<'_>,
        cx: &Cx<'_>,
        (campaign, still): (&Campaign, bool),
        matrix: &Matrix,
        y: u16,
        row: usize,
    ) {
        let (name, items) = &self.rows[row];
        let states: Vec<_> = items.iter().map(|i| &campaign.states[*i]).collect();
        let (glyph, role) = sign(&states, still);
        let area = pen.area;
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let mut pen = pen.within(inner);
        pen.put(0, y, 1, glyph, role);
        let (before, after) = placements(cx.seen, campaign, name, items);
        let tenant = cx.seen.tenants.get(name);
        let mut cells = tenant.map(|tenant| cx.seen.cells(tenant)).unwrap_or_default();
        // The pod that is coming belongs to nobody until it is adopted: it is told where it comes up all the same.
        for pod in items.iter().filter_map(|i| coming(cx, &campaign.states[*i])) {
            if !tenant.is_some_and(|tenant| tenant.pods.iter().any(|own| own.uid == pod.uid)) {
                cells.entry(pod.node.clone()).or_default().add(cx.seen.state_of(pod));
            }
        }
        matrix.row(&mut pen, y, &cx.tenant_name(name, 24), (&before, &after), Some(&cells));
        let waits = states.iter().any(|s| matches!(s, ItemState::Waiting | ItemState::Running(_)));
        let told: Vec<_> = items.iter().filter_map(|i| ended(campaign, *i)).collect();
        let (gone, through): (Vec<_>, Vec<_>) = told.into_iter().partition(|end| !end.done);
        let end = gone.into_iter().next().or(through.into_iter().next_back().filter(|_| !waits));
        let (reason, brief) = match &campaign.items[items[0]] {
            Intent::Move { moved } => (moved.reason.to_string(), moved.reason.brief()),
            _ => Default::default(),
        };
        match end {
            Some(end) => matrix.why(&mut pen, y, &end.text, &end.brief),
            None => matrix.why(&mut pen, y, &reason, &brief),
        }
    }
}

/// Where a tenant's pods were before its moves, and where they will be after those that are not through.
fn placements(seen: &Snapshot, campaign: &Campaign, tenant: &TenantName, items: &[usize]) -> (Pods, Pods) {
    let Some(tenant) = seen.tenants.get(tenant) else { return Default::default() };
    let now = tenant.placement();
    let (mut before, mut after) = (now.clone(), now);
    for i in items {
        let Intent::Move { moved } = &campaign.items[*i] else { continue };
        let here = || tenant.active().any(|pod| pod.uid == moved.uid);
        match &campaign.states[*i] {
            ItemState::Done(_) => matrix::back(&mut before, moved),
            // The other pod has taken its place, and the run has not said so yet.
            ItemState::Running(_) if !here() => matrix::back(&mut before, moved),
            ItemState::Waiting | ItemState::Running(_) => matrix::go(&mut after, moved),
            ItemState::Skipped(_) | ItemState::Failed(_) | ItemState::Held(..) | ItemState::Replaced => {}
        }
    }
    (before, after)
}

/// The pod that was made for a move which is under way, where it is there.
fn coming<'a>(cx: &Cx<'a>, state: &ItemState) -> Option<&'a Pod> {
    let ItemState::Running(id) = state else { return None };
    let run = &cx.runs.iter().find(|known| known.run.id == *id)?.run;
    let made = run.plan().steps.iter().find_map(|step| match &step.change {
        Change::CreatePod(made) => Some(&made.pod),
        _ => None,
    })?;
    cx.seen.pods.get(made).map(|pod| &**pod).filter(|pod| pod.is_active())
}

/// One item on one line.
fn line_of(
    pen: &mut Pen<'_>,
    cx: &Cx<'_>,
    (campaign, still): (&Campaign, bool),
    y: u16,
    row: usize,
    item: usize,
) {
    let width = pen.width();
    let state = &campaign.states[item];
    let (glyph, role) = sign(&[state], still);
    pen.put_right(6, y, 5, &(row + 1).to_string(), Role::Muted);
    pen.put(7, y, 1, glyph, role);
    let tone = if *state == ItemState::Waiting { Role::Muted } else { Role::Text };
    let end = pen.put(9, y, width.saturating_sub(16), &campaign.words(item), tone);
    let reason = || match &campaign.items[item] {
        Intent::Move { moved } if *state == ItemState::Waiting => moved.reason.to_string(),
        _ => String::new(),
    };
    let room = width.saturating_sub(end + 10);
    let end_of_it = ended(campaign, item);
    let at = end_of_it.as_ref().and_then(|end| end.at).map(|at| at.strftime("%H:%M").to_string());
    let text = match end_of_it {
        // How long it took has a column of its own.
        Some(end) if end.done => end.brief,
        // So has when it ended.
        Some(end) => end.why.unwrap_or(end.text),
        None => reason(),
    };
    pen.put(end + 3, y, room, &text, if role == Role::Danger { role } else { Role::Muted });
    let time = match state {
        ItemState::Done(_) => took(campaign, item).map(format::span),
        ItemState::Running(_) if !still => began(campaign, item).map(|at| cx.age(at)),
        _ => at,
    };
    pen.put_right(width.saturating_sub(1), y, 6, &time.unwrap_or_default(), Role::Muted);
}

/// What is to be said of a campaign that is over: of a drained node, and of tenants that are still crowded.
fn epilogue(cx: &Cx<'_>, campaign: &Campaign) -> Vec<String> {
    use crate::plan::rebalance::Goal;
    let mut all = Vec::new();
    let goal = campaign.aim.as_ref().map(|aim| &aim.goal);
    match goal {
        Some(Goal::Drain { node }) => all.push(Drained::of(cx.seen, node).text),
        Some(Goal::Rebalance { .. }) => {
            let crowded = cx.findings.iter().filter(|f| ["one-node", "doubled"].contains(&f.rule));
            let names: Vec<_> = crowded.map(|f| f.subject.name()).collect();
            let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            match names.len() {
                0 => all.push("no tenant is doubled up any more".into()),
                n if n > 3 => {
                    all.push(format!("{n} tenants stay doubled up: {shown} and {} more; b says why", n - 3))
                }
                1 => all.push(format!("{shown} stays doubled up; b says why")),
                n => all.push(format!("{n} tenants stay doubled up: {shown}; b says why")),
            }
        }
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_what_matters_most_of_its_moves() {
        let (done, failed) = (ItemState::Done("r".into()), ItemState::Failed("no".into()));
        let skipped = ItemState::Skipped("not needed".into());
        assert_eq!(sign(&[&done, &ItemState::Waiting], false).0, "·");
        let running = ItemState::Running("r".into());
        assert_eq!((sign(&[&done, &running], false).0, sign(&[&done, &running], true).0), ("▸", "‖"));
        assert_eq!(sign(&[&done, &failed], true).0, "✖");
        assert_eq!((sign(&[&done, &skipped], true).0, sign(&[&skipped], true).0), ("✓", "–"));
    }
}
