//! All that is known of the selected proxy or of one of its backends, as lines.

use super::{Line, ProxyRow, proxies, said, sheet::Sheet, words};
use crate::{
    cluster::{Database, Layers, Proxy, ProxyStatus, Subject},
    ui::{format, theme::Role, view::Cx},
};

/// A proxy or one of its backends, in full.
pub(super) fn lines(cx: &Cx<'_>, database: &Database, row: &ProxyRow, width: u16) -> Vec<Line> {
    let mut sheet = Sheet::new(width);
    let Some(proxy) = cx.seen.proxies.get(row.proxy()) else { return Vec::new() };
    if let ProxyRow::Backend(_, hostgroup, address) = row {
        backend(&mut sheet, cx, database, proxy, *hostgroup, address);
        sheet.gap();
    }
    sheet.lines.push(vec![said(format!("  {}", proxy.name), Role::Accent)]);
    // What drifts is told below by layer, and the sessions by backend.
    sheet.findings(cx, &Subject::Proxy(proxy.name.clone()), |finding| {
        !["proxy-drift", "sessions-pinned"].contains(&finding.rule)
    });
    let Some(status) = proxy.status.as_deref() else {
        sheet.fact("never seen", proxy.why().unwrap_or("not asked yet"), Role::Warn);
        return sheet.lines;
    };
    if proxy.now().is_none() {
        let since = cx.age_or_dash(proxy.silent_since);
        let why = proxy.why().unwrap_or_default();
        let text = format!("for {since}: {why}; below is what it said {} ago", cx.age(status.at));
        sheet.fact("silent", text, Role::Warn);
        sheet.old = Some(cx.age(status.at));
    }
    let group = match row {
        ProxyRow::Backend(_, hostgroup, _) => Some(*hostgroup),
        ProxyRow::Proxy(_) => None,
    };
    let (waiting, longest) = status.waiting;
    let wait = if waiting > 0 {
        format!(", {waiting} wait, the longest {} s", longest / 1000)
    } else {
        String::new()
    };
    sheet.fact(
        "clients",
        format!("{} of {}{wait}", words::known(status.clients), words::known(status.max_clients)),
        Role::Text,
    );
    pinned(&mut sheet, cx, database, proxy, status);
    drift(&mut sheet, cx, proxy, status);
    let h = &proxy.history;
    if h.len() > 1 {
        sheet.course(
            "queries/s",
            &h.iter().map(|s| (s.at, s.queries)).collect::<Vec<_>>(),
            None,
            words::rate,
        );
        let clients: Vec<_> = h.iter().map(|s| (s.at, s.clients.map(f64::from))).collect();
        sheet.course("clients", &clients, status.max_clients.map(f64::from), words::whole);
    }
    checks(&mut sheet, cx, database, proxy, status);
    digests(&mut sheet, cx, status, group);
    let up = status.uptime.map(|u| format::span(i64::try_from(u).unwrap_or(i64::MAX)));
    sheet.gap();
    let rights = match (status.admin, status.read_only) {
        (false, _) => "statistics rights only: no weights, no drift",
        (true, Some(true)) => "admin-read_only is on",
        _ => "admin rights",
    };
    sheet.fact("version", format!("{}, up {}, {rights}", status.version, words::known(up)), Role::Muted);
    sheet.lines
}

fn backend(
    sheet: &mut Sheet,
    cx: &Cx<'_>,
    database: &Database,
    proxy: &Proxy,
    hostgroup: u32,
    address: &str,
) {
    let listed = proxies::backends(cx, database, proxy);
    let found = listed.iter().find(|l| l.backend.hostgroup == hostgroup && &*l.backend.address == address);
    let Some(found) = found else { return };
    let b = found.backend;
    sheet.lines.push(vec![
        said(format!("  {}", found.label), Role::Accent),
        said(format!("  {}", words::status_word(b.status)), found.role),
        said(
            format!(
                " in hostgroup {hostgroup} ({})",
                if found.purpose.is_empty() { "no Galera hostgroup" } else { found.purpose }
            ),
            Role::Text,
        ),
        said(
            if found.meaning.is_empty() { String::new() } else { format!(": {}", found.meaning) },
            found.role,
        ),
    ]);
    sheet.fact("address", address.to_owned(), Role::Muted);
    sheet.fact(
        "connections",
        format!("{} used, {} free, at most {}", b.used, b.free, words::known(b.max_connections)),
        Role::Text,
    );
    sheet.fact(
        "queries",
        format!("{}/s, {} in all", words::rate(b.query_rate), words::grouped(b.queries)),
        Role::Text,
    );
    sheet.fact("errors", format!("{}/s, {} in all", words::rate(b.error_rate), b.errors), Role::Text);
    sheet.fact(
        "weight",
        format!("{}, ping {}", words::known(b.weight), words::micros(b.latency_us)),
        Role::Text,
    );
}

fn pinned(sheet: &mut Sheet, cx: &Cx<'_>, database: &Database, proxy: &Proxy, status: &ProxyStatus) {
    let groups = proxies::hostgroups(cx, status);
    let online = status.online_writers(groups);
    let mut busy = Vec::new();
    for p in status.pinned.iter().filter(|p| p.sessions > 0) {
        let label = words::backend_label(database, proxy.name.as_str(), &p.address);
        if groups.iter().any(|g| g.writer == p.hostgroup) && !online.contains(&p.address) {
            let sessions = format::count(p.sessions as usize, "session");
            let text = format!("{sessions} on {label} in hostgroup {}, no longer the writer", p.hostgroup);
            sheet.fact("▲ pinned", text, Role::Warn);
        } else {
            busy.push((p.hostgroup, label, p.sessions));
        }
    }
    busy.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| format::natural(&a.1, &b.1)));
    let busy: Vec<_> = busy.iter().map(|(group, label, n)| format!("{n} on {label} in {group}")).collect();
    if !busy.is_empty() {
        sheet.fact("sessions", busy.join(", "), Role::Muted);
    }
}

/// What differs between the layers of this proxy, and from the other proxies.
fn drift(sheet: &mut Sheet, cx: &Cx<'_>, proxy: &Proxy, status: &ProxyStatus) {
    match &status.drift {
        None => sheet.fact("layers", "not known: admin rights are needed", Role::Muted),
        Some(all) if all.is_empty() => sheet.fact("layers", "memory = runtime = disk", Role::Muted),
        Some(all) => {
            for d in all {
                let layers = match d.layers {
                    Layers::MemoryRuntime => "memory ≠ runtime, edited, not loaded",
                    Layers::RuntimeDisk => "runtime ≠ disk, not saved, gone after a restart",
                };
                let what: Vec<_> = d.what.iter().map(|w| &**w).collect();
                sheet.fact("▲ drift", format!("{}: {layers}: {}", d.table, what.join(", ")), Role::Warn);
            }
        }
    }
    for other in cx.seen.proxies.values().filter(|p| p.name != proxy.name) {
        let Some(theirs) = other.now() else { continue };
        let differ = status.differs(theirs);
        if !differ.is_empty() {
            sheet.fact("▲ differs", format!("from {}: {}", other.name, differ.join(", ")), Role::Warn);
        }
    }
}

fn checks(sheet: &mut Sheet, cx: &Cx<'_>, database: &Database, proxy: &Proxy, status: &ProxyStatus) {
    if status.checks.is_empty() {
        return;
    }
    let every = status.check_every.map(|e| format!(", every {} s", e.as_secs_f64())).unwrap_or_default();
    sheet.title(&format!("MONITOR  last check {} ago{every}", cx.age(status.checked_since)));
    let label = |address| words::backend_label(database, proxy.name.as_str(), address);
    let mut checks: Vec<_> = status.checks.iter().map(|check| (label(&check.address), check)).collect();
    checks.sort_by(|a, b| format::natural(&a.0, &b.0));
    let longest = checks.iter().map(|(label, _)| format::width(label)).max().unwrap_or(0);
    let columns = (longest + 1).clamp(13, if sheet.width < 100 { 17 } else { 24 });
    for (label, check) in checks {
        let (text, role) = match (&check.error, check.primary) {
            (Some(error), _) => (format!("▲ {error}"), Role::Warn),
            (None, Some(true)) => {
                let state = words::known(check.local_state);
                (format!("primary, state {state}, queue {}", words::known(check.queue)), Role::Muted)
            }
            (None, _) => ("▲ not in a primary component".into(), Role::Warn),
        };
        sheet.named(&label, columns, &text, role);
    }
}

fn digests(sheet: &mut Sheet, cx: &Cx<'_>, status: &ProxyStatus, only: Option<u32>) {
    let groups = proxies::hostgroups(cx, status);
    let mut digests: Vec<_> =
        status.digests.iter().filter(|d| only.is_none_or(|g| g == d.hostgroup)).collect();
    if digests.is_empty() {
        return;
    }
    digests.sort_by_key(|d| (d.hostgroup, std::cmp::Reverse(d.total_us)));
    sheet.title("DEAREST STATEMENTS    runs     mean  in all");
    let mut group = None;
    let mut listed = 0;
    for d in digests {
        if group != Some(d.hostgroup) {
            group = Some(d.hostgroup);
            listed = 0;
            let purpose = proxies::purpose(groups, d.hostgroup);
            sheet.lines.push(vec![said(format!("    hostgroup {} {purpose}", d.hostgroup), Role::Muted)]);
        }
        listed += 1;
        if listed > 5 {
            continue;
        }
        let mean = d.total_us / d.count.max(1);
        let numbers = format!(
            "{:>28} {:>8} {:>7}  ",
            words::grouped(d.count),
            words::micros(Some(mean)),
            words::micros(Some(d.total_us))
        );
        let room = sheet.width.saturating_sub(format::width(&numbers) + 2);
        sheet.lines.push(vec![
            said(numbers, Role::Text),
            said(format::fit(&format::plain(&d.text), room).into_owned(), Role::Muted),
        ]);
    }
}
