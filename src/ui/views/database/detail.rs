//! All that is known of the selected member, backend or proxy, as lines.

use super::{Line, ProxyRow, members, proxies, said, words};
use crate::{
    cluster::{
        Database, Layers, Member, Proxy, ProxyStatus, Reject, Severity, Status, Subject, database::Row,
    },
    ui::{chrome, format, theme::Role, view::Cx},
};

/// Lines under construction.
struct Sheet {
    lines: Vec<Line>,
    width: u16,
}

impl Sheet {
    fn new(width: u16) -> Self {
        Self { lines: Vec::new(), width }
    }

    fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    fn title(&mut self, text: &str) {
        self.gap();
        self.lines.push(vec![said(format!("  {text}"), Role::Title)]);
    }

    /// A fact: its name, its value.
    fn fact(&mut self, name: &str, value: impl Into<String>, role: Role) {
        self.lines.push(vec![said(format!("    {name:<13}"), Role::Muted), said(value, role)]);
    }

    /// A fact that may need several lines.
    fn long(&mut self, name: &str, value: &str, role: Role) {
        let lines = format::wrap(&format::plain(value), self.width.saturating_sub(18));
        for (i, line) in lines.into_iter().enumerate() {
            self.fact(if i == 0 { name } else { "" }, line, role);
        }
    }

    /// The course of a value over the last minutes.
    fn course(&mut self, name: &str, values: impl DoubleEndedIterator<Item = Option<f64>>, now: String) {
        let columns = self.width.saturating_sub(40).clamp(8, 60);
        let (bars, top) = words::spark(values, columns);
        if bars.trim().is_empty() {
            return;
        }
        self.lines.push(vec![
            said(format!("    {name:<13}"), Role::Muted),
            said(format!("{bars} "), Role::Text),
            said(format!(" {now}"), Role::Text),
            said(format!("  most {}", words::rate(Some(top))), Role::Faint),
        ]);
    }

    /// What is wrong with it.
    fn findings(&mut self, cx: &Cx<'_>, subject: &Subject) {
        for finding in cx.findings.iter().filter(|f| f.subject == *subject) {
            let since = finding.since.map(|s| format!("  {}", cx.age(s))).unwrap_or_default();
            let role = words::tone(finding.severity);
            let sign = chrome::mark(finding.severity);
            let lines = format::wrap(&format::plain(&finding.text), self.width.saturating_sub(10));
            for (i, line) in lines.into_iter().enumerate() {
                let head = if i == 0 { format!("  {sign} ") } else { "    ".into() };
                let age = if i == 0 { since.clone() } else { String::new() };
                self.lines.push(vec![said(head, role), said(line, Role::Text), said(age, Role::Muted)]);
            }
        }
    }
}

/// A member, in full.
pub(super) fn member(cx: &Cx<'_>, row: &Row, width: u16) -> Vec<Line> {
    let mut sheet = Sheet::new(width);
    let (sign, role) = words::state_sign(row);
    let (mark, part, part_role) = words::role_sign(row);
    sheet.lines.push(vec![
        said(format!("  {sign} "), role),
        said(row.label.to_string(), Role::Accent),
        said(format!("  {}", row.state.word()), role),
        said(format!("   {} ", mark.trim()).replace("    ", "   "), part_role),
        said(part, part_role),
        said(format!("   {}", row.name), Role::Muted),
    ]);
    sheet.findings(cx, &Subject::Member(row.name.clone()));
    let said = |f: &crate::cluster::Finding| {
        f.severity > Severity::Notice && f.subject == Subject::Member(row.name.clone())
    };
    if row.state.severity().is_some() && !cx.findings.iter().any(said) {
        sheet.long("", &row.state.meaning(), Role::Text);
    }
    let Some(status) = row.member.status.as_deref() else {
        let why = row.member.link.trouble().unwrap_or("not asked yet");
        sheet.long("never seen", why, Role::Warn);
        return sheet.lines;
    };
    if row.now().is_none() {
        let why = row.member.link.trouble().unwrap_or_default();
        sheet.long("silent", &format!("for {}: {why}", cx.age_or_dash(row.member.silent_since)), Role::Warn);
        sheet.fact("below", format!("as it was {} ago", cx.age(status.at)), Role::Warn);
    }
    replication(&mut sheet, cx, status);
    course(&mut sheet, &row.member);
    clients(&mut sheet, row, status);
    server(&mut sheet, cx, status);
    sheet.lines
}

fn replication(sheet: &mut Sheet, cx: &Cx<'_>, s: &Status) {
    let t = &cx.seen.database.thresholds;
    sheet.title("REPLICATION");
    let (component, role) = words::component(s.component);
    let ready = if s.ready { "" } else { ", not ready" };
    sheet.fact(
        "component",
        format!(
            "{component}{ready}, {} of it, view {}, weight {} of {}",
            format::count(s.size as usize, "member"),
            words::known(s.conf_id),
            s.weight,
            words::known(s.cluster_weight)
        ),
        if s.ready { role } else { Role::Danger },
    );
    sheet.fact(
        "committed",
        format!("{}   {}/s", words::known(s.last_committed.map(words::grouped)), words::rate(s.commits)),
        Role::Text,
    );
    let behind = s.receive_queue >= t.queue;
    sheet.fact(
        "queue",
        format!("{} to apply, {} to send", s.receive_queue, s.send_queue),
        if behind { Role::Warn } else { Role::Text },
    );
    let paused = s.flow.share.is_some_and(|share| share >= t.flow_control);
    let who = match (s.flow.requested, s.flow.sent_rate) {
        (true, _) => ", asked for by this member".to_owned(),
        (false, Some(rate)) if rate > 0.0 => format!(", this member asks {}/s", words::rate(Some(rate))),
        _ => ", not asked for here".to_owned(),
    };
    let now = if s.flow.active { ", paused now" } else { "" };
    sheet.fact(
        "flow control",
        format!("{} of the time{who}{now}", words::share(s.flow.share)),
        if paused { Role::Warn } else { Role::Text },
    );
    sheet.fact(
        "conflicts",
        format!(
            "certification {}/s ({}), aborted {}/s ({})",
            words::rate(s.cert_failures.1),
            s.cert_failures.0,
            words::rate(s.bf_aborts.1),
            s.bf_aborts.0
        ),
        Role::Text,
    );
    let cache = match (s.gcache.window, s.gcache.transactions) {
        (Some(_), n) => format!(
            "{} at this write rate ({} transactions kept)",
            words::window(s.gcache.window),
            words::known(n.map(words::grouped))
        ),
        (None, Some(n)) => format!("{} transactions kept; nothing is written now", words::grouped(n)),
        (None, None) => "not known".into(),
    };
    sheet.fact("away ok", cache, Role::Text);
    let mut by_hand = Vec::new();
    if s.desync {
        by_hand.push("desynced (wsrep_desync=ON)".to_owned());
    }
    match s.reject {
        Reject::None => {}
        Reject::All => by_hand.push("rejects queries (wsrep_reject_queries=ALL)".into()),
        Reject::AllKill => by_hand.push("rejects and cuts off (wsrep_reject_queries=ALL_KILL)".into()),
    }
    if s.read_only {
        by_hand.push("read_only".into());
    }
    if !by_hand.is_empty() {
        sheet.fact("by hand", by_hand.join(", "), Role::Warn);
    }
    if let Some(threads) = &s.threads {
        if let Some(change) = &threads.schema_change {
            let done = change.progress.map(|p| format!(", {} done", format::percent(p))).unwrap_or_default();
            sheet.long(
                "schema change",
                &format!("for {}{done}: {}", format::span(change.seconds as i64), change.statement),
                Role::Warn,
            );
        }
        if threads.waiting_for_certification + threads.waiting_for_lock > 0 {
            sheet.fact(
                "waiting",
                format!(
                    "{} for certification, {} for a lock, the longest {}",
                    threads.waiting_for_certification,
                    threads.waiting_for_lock,
                    format::span(threads.longest_wait as i64)
                ),
                Role::Text,
            );
        }
        for holder in threads.holders.iter().take(3) {
            let sure = if threads.holders_certain { "" } else { " (likely)" };
            sheet.fact(
                "lock held by",
                format!(
                    "session {} of {}{sure}, {}",
                    holder.id,
                    holder.who,
                    format::span(holder.seconds as i64)
                ),
                Role::Warn,
            );
        }
    }
}

fn course(sheet: &mut Sheet, member: &Member) {
    if member.history.len() < 2 {
        return;
    }
    let span = member.history.front().zip(member.history.back());
    let span = span.map_or(0, |(a, b)| b.at.duration_since(a.at).as_secs());
    sheet.title(&format!("LAST {}", format::span(span).to_uppercase()));
    let last = member.history.back();
    let h = &member.history;
    sheet.course("queue", h.iter().map(|s| Some(s.queue as f64)), last.map_or(0, |s| s.queue).to_string());
    sheet.course(
        "flow control",
        h.iter().map(|s| s.flow_control.map(|f| f * 100.0)),
        words::share(last.and_then(|s| s.flow_control)),
    );
    sheet.course("commits/s", h.iter().map(|s| s.commits), words::rate(last.and_then(|s| s.commits)));
    sheet.course(
        "connections",
        h.iter().map(|s| s.connections.map(f64::from)),
        words::known(last.and_then(|s| s.connections)),
    );
    sheet.course("bytes/s", h.iter().map(|s| s.bytes), words::rate(last.and_then(|s| s.bytes)));
}

fn clients(sheet: &mut Sheet, row: &Row, s: &Status) {
    sheet.title("CLIENTS");
    sheet.fact(
        "connections",
        format!("{} of {}", words::known(s.connections), words::known(s.max_connections)),
        Role::Text,
    );
    sheet.fact(
        "queries",
        format!("{}/s through the proxies", words::rate(members::query_rate(row))),
        Role::Text,
    );
    for (proxy, b) in &row.backends {
        sheet.fact(
            "",
            format!(
                "{proxy} hostgroup {} {}: {} used, {} free, {} errors, {}",
                b.hostgroup,
                words::status_word(b.status),
                b.used,
                b.free,
                b.errors,
                words::micros(b.latency_us)
            ),
            Role::Muted,
        );
    }
}

fn server(sheet: &mut Sheet, cx: &Cx<'_>, s: &Status) {
    sheet.title("SERVER");
    sheet.fact("version", format!("{}, provider {}", s.version, s.provider_version), Role::Text);
    let up = s.uptime.map(|u| format::span(i64::try_from(u).unwrap_or(i64::MAX)));
    sheet.fact(
        "up",
        format!("{}, in this state for {}", words::known(up), cx.age(s.state_since)),
        Role::Text,
    );
    sheet.fact(
        "answered",
        format!("in {}, {} ago", words::micros(u64::try_from(s.took.as_micros()).ok()), cx.age(s.at)),
        Role::Muted,
    );
    sheet.fact("history", s.cluster_uuid.to_string(), Role::Muted);
    let options: Vec<_> = s.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
    if !options.is_empty() {
        sheet.long("options", &options.join("  "), Role::Muted);
    }
}

/// A proxy or one of its backends, in full.
pub(super) fn proxy(cx: &Cx<'_>, database: &Database, row: &ProxyRow, width: u16) -> Vec<Line> {
    let mut sheet = Sheet::new(width);
    let Some(proxy) = cx.seen.proxies.get(row.proxy()) else { return Vec::new() };
    if let ProxyRow::Backend(_, hostgroup, address) = row {
        backend(&mut sheet, cx, database, proxy, *hostgroup, address);
        sheet.gap();
    }
    sheet.lines.push(vec![said(format!("  {}", proxy.name), Role::Accent)]);
    sheet.findings(cx, &Subject::Proxy(proxy.name.clone()));
    let Some(status) = proxy.status.as_deref() else {
        sheet.long("never seen", proxy.link.trouble().unwrap_or("not asked yet"), Role::Warn);
        return sheet.lines;
    };
    if proxy.now().is_none() {
        let since = cx.age_or_dash(proxy.silent_since);
        sheet.long(
            "silent",
            &format!("for {since}: {}", proxy.link.trouble().unwrap_or_default()),
            Role::Warn,
        );
        sheet.fact("below", format!("as it was {} ago", cx.age(status.at)), Role::Warn);
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
    if proxy.history.len() > 1 {
        let h = &proxy.history;
        sheet.course("queries/s", h.iter().map(|s| s.queries), words::rate(h.back().and_then(|s| s.queries)));
        sheet.course("clients", h.iter().map(|s| s.clients.map(f64::from)), words::known(status.clients));
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
    for p in status.pinned.iter().filter(|p| p.sessions > 0) {
        let writes = groups.iter().any(|g| g.writer == p.hostgroup);
        let old = writes && !online.contains(&p.address);
        let label = words::backend_label(database, proxy.name.as_str(), &p.address);
        let word = if old { ", no longer the writer" } else { "" };
        let text = format!(
            "{} on {label} in hostgroup {}{word}",
            format::count(p.sessions as usize, "session"),
            p.hostgroup
        );
        sheet.fact(if old { "▲ pinned" } else { "busy" }, text, if old { Role::Warn } else { Role::Muted });
    }
}

fn drift(sheet: &mut Sheet, cx: &Cx<'_>, proxy: &Proxy, status: &ProxyStatus) {
    match &status.drift {
        None => sheet.fact("layers", "not known: admin rights are needed", Role::Muted),
        Some(all) if all.is_empty() => sheet.fact("layers", "memory = runtime = disk", Role::Muted),
        Some(all) => {
            for d in all {
                let layers = match d.layers {
                    Layers::MemoryRuntime => "edited, not loaded",
                    Layers::RuntimeDisk => "runs, not saved: gone after a restart",
                };
                let what: Vec<_> = d.what.iter().map(|w| &**w).collect();
                sheet.long("▲ drift", &format!("{} {layers}: {}", d.table, what.join(", ")), Role::Warn);
            }
        }
    }
    for other in cx.seen.proxies.values().filter(|p| p.name != proxy.name) {
        let Some(theirs) = other.now() else { continue };
        let differ: Vec<_> = status
            .checksums
            .iter()
            .filter(|(name, _)| !["admin_variables", "proxysql_servers"].contains(&&***name))
            .filter(|(name, sum)| theirs.checksums.get(*name).is_some_and(|other| other != *sum))
            .map(|(name, _)| &**name)
            .collect();
        if !differ.is_empty() {
            sheet.long("▲ differs", &format!("from {}: {}", other.name, differ.join(", ")), Role::Warn);
        }
    }
}

fn checks(sheet: &mut Sheet, cx: &Cx<'_>, database: &Database, proxy: &Proxy, status: &ProxyStatus) {
    if status.checks.is_empty() {
        return;
    }
    let every = status.check_every.map(|e| format!(", every {} s", e.as_secs_f64())).unwrap_or_default();
    sheet.title(&format!("MONITOR  last check {} ago{every}", cx.age(status.checked_since)));
    for check in &status.checks {
        let label = words::backend_label(database, proxy.name.as_str(), &check.address);
        let (text, role) = match (&check.error, check.primary) {
            (Some(error), _) => (format!("▲ {error}"), Role::Warn),
            (None, Some(true)) => {
                let state = check.local_state.map_or_else(|| "–".into(), |s| s.to_string());
                (format!("primary, state {state}, queue {}", words::known(check.queue)), Role::Muted)
            }
            (None, _) => ("▲ not in a primary component".into(), Role::Warn),
        };
        sheet.fact(&label, text, role);
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
