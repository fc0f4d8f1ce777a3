//! All that is known of the selected member, as lines.

use super::{Line, members, said, sheet::Sheet, words};
use crate::{
    cluster::{Member, Reject, Severity, Status, Subject, database::Row},
    ui::{format, theme::Role, view::Cx},
};

/// A member, in full.
pub(super) fn lines(cx: &Cx<'_>, row: &Row, width: u16) -> Vec<Line> {
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
