//! All that is known of the selected member, as lines.

use super::{Line, members, proxies, said, sheet::Sheet, words};
use crate::{
    cluster::{Database, Finding, Member, MemberSample, Reject, Severity, Status, Subject, database::Row},
    ui::{format, theme::Role, view::Cx},
};

/// What cannot be seen is told where the rest of the server is, not above what is critical.
const LAST: &str = "rights-missing";

/// A member. `alone`: its row is not on the screen. What `is_told` elsewhere on the screen is not told again.
pub(super) fn lines(
    cx: &Cx<'_>,
    database: &Database,
    row: &Row,
    width: u16,
    alone: bool,
    is_told: &dyn Fn(&Finding) -> bool,
) -> Vec<Line> {
    let mut sheet = Sheet::new(width);
    let (sign, role) = words::state_sign(database, row);
    let (mark, part, part_role) = words::role_sign(row, false);
    let mut heading = vec![said(format!("  {sign} "), role), said(row.label.to_string(), Role::Accent)];
    if alone {
        heading.extend([
            said(format!("  {}", row.state.word()), role),
            said(format!("   {} ", mark.trim()).replace("    ", "   "), part_role),
            said(part, part_role),
        ]);
    }
    heading.push(said(format!("   {}", row.name), Role::Muted));
    sheet.lines.push(heading);
    let subject = Subject::Member(row.name.clone());
    let told = |f: &&Finding| f.severity > Severity::Notice && f.subject == subject;
    let told: Vec<_> = cx.findings.iter().filter(told).collect();
    if database.severity(row).is_some() && told.is_empty() {
        sheet.fact("means", row.state.meaning(), Role::Text);
    }
    sheet.findings(cx, &subject, |finding| finding.rule != LAST && !is_told(finding));
    let why = row.member.why().unwrap_or("not asked yet");
    let known = told.iter().any(|f| f.text.contains(why));
    let Some(status) = row.member.status.as_deref() else {
        if !known {
            sheet.fact("never seen", why, Role::Warn);
        }
        return sheet.lines;
    };
    if row.now().is_none() {
        // The headings say how old all of it is.
        if !known {
            let since = cx.age_or_dash(row.member.silent_since);
            let text = format!("for {since}: {why}; below is what it said {} ago", cx.age(status.at));
            sheet.fact("silent", text, Role::Warn);
        }
        sheet.old = Some(cx.age(status.at));
    }
    replication(&mut sheet, cx, status);
    course(&mut sheet, &row.member, status);
    clients(&mut sheet, cx, database, row, status);
    server(&mut sheet, cx, &row.member, status);
    sheet.findings(cx, &subject, |finding| finding.rule == LAST && !is_told(finding));
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
            "{component}{ready}, size {}, view {}, weight {}{}",
            s.size,
            words::known(s.conf_id),
            s.weight,
            // Without a view there is no sum of weights.
            s.cluster_weight.filter(|all| *all > 0).map_or(String::new(), |all| format!(" of {all}"))
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
        (true, _) => ", asked for by this member ◀".to_owned(),
        (false, Some(rate)) if rate > 0.0 => format!(", this member asks {}/s ◀", words::rate(Some(rate))),
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
            "certification failures {}/s ({}), brute-force aborts {}/s ({})",
            words::rate(s.cert_failures.1),
            s.cert_failures.0,
            words::rate(s.bf_aborts.1),
            s.bf_aborts.0
        ),
        Role::Text,
    );
    let kept = words::known(s.gcache.transactions.map(words::grouped));
    let (cache, short) = match (s.gcache.window, s.gcache.transactions) {
        (Some(w), _) => (
            format!("{} before a full copy ({kept} transactions kept)", words::window(Some(w))),
            w < t.gcache_window,
        ),
        (None, Some(_)) if s.commits != Some(0.0) => {
            (format!("{kept} transactions before a full copy"), false)
        }
        (None, Some(_)) => (format!("{kept} transactions before a full copy; nothing is written now"), false),
        (None, None) => ("not known".into(), false),
    };
    sheet.fact("away ok", cache, if short { Role::Warn } else { Role::Text });
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
            sheet.fact(
                "schema change",
                format!("for {}{done}: {}", format::span(change.seconds as i64), change.statement),
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

fn course(sheet: &mut Sheet, member: &Member, s: &Status) {
    let h = &member.history;
    if h.len() < 2 {
        return;
    }
    let span = h.front().zip(h.back()).map_or(0, |(a, b)| b.at.duration_since(a.at).as_secs());
    sheet.title(&format!("LAST {}", format::span(span).to_uppercase()));
    let of =
        |pick: fn(&MemberSample) -> Option<f64>| -> Vec<_> { h.iter().map(|s| (s.at, pick(s))).collect() };
    sheet.course("queue", &of(|s| Some(s.queue as f64)), None, words::whole);
    // A full bar is a standstill: little flow control looks little.
    sheet.course("flow control", &of(|s| s.flow_control), Some(1.0), words::share);
    sheet.course("commits/s", &of(|s| s.commits), None, words::rate);
    let most = s.max_connections.map(f64::from);
    sheet.course("connections", &of(|s| s.connections.map(f64::from)), most, words::whole);
    sheet.course("bytes/s", &of(|s| s.bytes), None, words::rate);
}

fn clients(sheet: &mut Sheet, cx: &Cx<'_>, database: &Database, row: &Row, s: &Status) {
    let old = sheet.old.take();
    sheet.title("CLIENTS");
    let now = if old.is_some() { "was at " } else { "" };
    sheet.fact(
        "connections",
        format!("{now}{} of {}", words::known(s.connections), words::known(s.max_connections)),
        Role::Text,
    );
    if row.backends.is_empty() {
        sheet.fact("proxysql", "no proxy that answers has it", Role::Muted);
        sheet.old = old;
        return;
    }
    sheet.fact(
        "queries",
        format!("{}/s through the proxies", words::rate(members::query_rate(row))),
        Role::Text,
    );
    // Where there is no room for all the numbers there are the connections alone.
    let whole = sheet.width >= 73;
    let numbers = |used: &str, errors: &str, ping: &str| match whole {
        true => format!("{used:>9}{errors:>7}{ping:>8}"),
        false => format!("{used:>9}"),
    };
    // An address and its port, where there is room.
    let name = if sheet.width >= 76 { 16 } else { 13 };
    let head = format!("    {:<name$}{:>5} {:<8} {:<18}", "PROXY", "GROUP", "", "STATUS");
    let head = format!("{head}{}", numbers("USED/FREE", "ERRORS", "PING"));
    sheet.lines.push(vec![said(head, Role::Title)]);
    for proxy in cx.seen.proxies.values().filter(|p| p.now().is_some()) {
        let has = |l: &proxies::Listed<'_>| {
            row.backends.iter().any(|(p, b)| *p == proxy.name && b.address == l.backend.address)
        };
        for listed in proxies::backends(cx, database, proxy).into_iter().filter(has) {
            let b = listed.backend;
            let tone = match listed.role {
                Role::Faint | Role::Text => Role::Muted,
                other => other,
            };
            let used = format!("{}/{}", b.used, b.free);
            let numbers = numbers(&used, &b.errors.to_string(), &words::micros(b.latency_us));
            sheet.lines.push(vec![
                said(
                    format!(
                        "    {:<name$}{:>5} ",
                        words::short(proxy.name.as_str(), name as u16 - 1),
                        b.hostgroup
                    ),
                    Role::Muted,
                ),
                said(format!("{:<8} ", listed.purpose), Role::Muted),
                said(format!("{:<18}", listed.brief), tone),
                said(numbers, Role::Text),
            ]);
        }
    }
    sheet.old = old;
}

fn server(sheet: &mut Sheet, cx: &Cx<'_>, member: &Member, s: &Status) {
    sheet.title("SERVER");
    sheet.fact("version", format!("{}, provider {}", s.version, s.provider_version), Role::Text);
    // So from the first look on: it may be older.
    let seen = if member.first_read().is_none_or(|first| s.state_since <= first) { "seen " } else { "" };
    let up = s.uptime.map(|u| format::span(i64::try_from(u).unwrap_or(i64::MAX)));
    sheet.fact(
        "up",
        format!("{}, {}in this state for {}", words::known(up), seen, cx.age(s.state_since)),
        Role::Text,
    );
    let took = words::micros(u64::try_from(s.took.as_micros()).ok());
    sheet.fact("answered", format!("in {took}, {} ago", cx.age(s.at)), Role::Muted);
    sheet.fact("history", s.cluster_uuid.to_string(), Role::Muted);
    let options: Vec<_> = s.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
    if !options.is_empty() {
        sheet.fact("options", options.join("  "), Role::Muted);
    }
}
