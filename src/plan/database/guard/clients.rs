//! Who notices: clients that are cut, and for how long.

use super::super::{
    Cut,
    routing::{Backend, BackendRole, Edit, Proxied, Routing},
    standing,
};
use crate::{
    cluster::{Holder, MemberName},
    plan::{
        Check,
        Verdict::{Ok, Warn},
    },
};

/// Of those that hold connections, so many are named.
const NAMED: usize = 3;

/// The sessions on a backend of one proxy.
struct Held {
    clients: u32,
    who: Vec<Holder>,
}

impl Held {
    /// As the list of sessions has them, or as the pool counts connections in use, whichever is more; in these
    /// hostgroups, or in all.
    fn of(proxied: &Proxied<'_>, address: &str, groups: &[u32]) -> Self {
        let counts = |hostgroup: u32| groups.is_empty() || groups.contains(&hostgroup);
        let pinned = proxied.status.pinned.iter().filter(|p| &*p.address == address && counts(p.hostgroup));
        let mut who: Vec<Holder> = Vec::new();
        for holder in pinned.flat_map(|p| &p.holders) {
            match who.iter_mut().find(|w| (&w.user, &w.schema) == (&holder.user, &holder.schema)) {
                Some(known) => known.sessions = known.sessions.saturating_add(holder.sessions),
                None => who.push(holder.clone()),
            }
        }
        who.sort_by(|a, b| {
            b.sessions.cmp(&a.sessions).then_with(|| (&a.schema, &a.user).cmp(&(&b.schema, &b.user)))
        });
        Self { clients: proxied.sessions(address, groups), who }
    }

    /// `3 sessions hold a connection on db1 in proxy1 (app in tenant_acme 2, app in tenant_globex 1)`.
    fn words(&self, label: &str, proxied: &Proxied<'_>) -> String {
        let one = |h: &Holder| format!("{} in {} {}", h.user, h.schema, h.sessions);
        let mut named: Vec<_> = self.who.iter().take(NAMED).map(one).collect();
        if self.who.len() > NAMED {
            named.push(format!("{} more", self.who.len() - NAMED));
        }
        let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
        let (sessions, hold) = if self.clients == 1 { ("session", "holds") } else { ("sessions", "hold") };
        format!("{} {sessions} {hold} a connection on {label} in {}{named}", self.clients, proxied.name)
    }

    /// They are not cut: they stay where they are.
    fn stay(self, proxied: &Proxied<'_>, label: &str, what: &str, seconds: u32) -> Cut {
        let text = match self.clients {
            0 => format!("{}: no session holds a connection on {label} now; {what}", proxied.name),
            _ => format!("{}: {what}", self.words(label, proxied)),
        };
        Cut {
            proxy: Some(proxied.name.clone()),
            clients: Some(0),
            who: self.who,
            seconds: Some(seconds),
            text,
        }
    }

    fn cut(self, proxied: &Proxied<'_>, label: &str, what: &str, seconds: u32) -> Cut {
        let text = format!("{}: {what}", self.words(label, proxied));
        Cut {
            proxy: Some(proxied.name.clone()),
            clients: Some(self.clients),
            who: self.who,
            seconds: Some(seconds),
            text,
        }
    }
}

/// Who notices that a backend goes, that the writer moves, or only that servers are loaded.
pub(in crate::plan::database) fn cuts(
    routing: &Routing<'_>,
    phases: &[Vec<Edit>],
    after: &[Vec<Backend>],
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for (proxied, backends) in routing.proxied.iter().zip(after) {
        let edits: Vec<_> = phases.iter().flatten().filter(|e| e.proxy == *proxied.name).collect();
        if edits.is_empty() {
            continue;
        }
        let goes = |address: &str| edits.iter().any(|e| e.to.is_empty() && *e.address == *address);
        let writes = |backends: &[Backend], address: &str| {
            backends.iter().any(|s| &*s.address == address && s.role == BackendRole::Writer)
        };
        let group = |backend: &Backend| proxied.groups.get(backend.cluster);
        let new = || {
            backends
                .iter()
                .filter(|s| s.role == BackendRole::Writer && !writes(&proxied.backends, &s.address))
        };
        let moves = || {
            let names = new().map(|s| s.label.as_str()).collect::<Vec<_>>().join(", ");
            match routing.db.quorum.primary && !names.is_empty() {
                true => format!("new writes go to {names} within {}", proxied.interval()),
                false => "nobody takes writes".to_owned(),
            }
        };
        let lightened = proxied.backends.iter().any(|s| {
            let lighter = |e: &&&Edit| {
                let weight = |rows: &[crate::cluster::ServerRow]| rows.iter().map(|r| r.weight).max();
                e.address == s.address && !e.to.is_empty() && weight(&e.to) < weight(&e.from)
            };
            s.role == BackendRole::Writer && edits.iter().any(|e| lighter(&e))
        });
        for backend in &proxied.backends {
            let (was, is) = (writes(&proxied.backends, &backend.address), writes(backends, &backend.address));
            let mut cut = |groups: &[u32], what: String, seconds: u32| {
                let held = Held::of(proxied, &backend.address, groups);
                if held.clients > 0 {
                    cuts.push(held.cut(proxied, &backend.label, &what, seconds));
                }
            };
            let seconds = (standing::evidence(proxied.status).as_secs_f64() / 2.0).ceil() as u32;
            match (was, is) {
                (true, false) if goes(&backend.address) => {
                    let what = format!(
                        "{}; what still holds its connection here when {} goes ends with error 2013, and connects again at once",
                        moves(),
                        backend.label
                    );
                    cut(&[], what, seconds);
                }
                (true, false) => {
                    let held = Held::of(proxied, &backend.address, &[]);
                    let what = format!(
                        "{}; those that keep their connection, as in a transaction, go on writing to {} until they end",
                        moves(),
                        backend.label
                    );
                    cuts.push(held.stay(proxied, &backend.label, &what, seconds));
                }
                (false, _) if goes(&backend.address) => {
                    let what = "between statements they are moved and notice nothing; those that keep their connection, \
                                as in a transaction, end with error 2013, and connect again at once";
                    cut(&[], what.into(), 0);
                }
                (false, is) => {
                    // What a LOAD deletes: the row among the writers of one that writes no longer.
                    if let Some(g) = group(backend) {
                        let what = "it is no longer the writer, and its row there is deleted by every change of the servers: \
                                    they end with error 2013, and connect again at once";
                        cut(&[g.writer], what.into(), 0);
                    }
                    // The row among the readers of the next writer, and for one check of the others in waiting.
                    let reader = group(backend).filter(|g| g.writer_is_also_reader != 1).map(|g| g.reader);
                    match reader {
                        Some(reader) if is => {
                            let what = "it takes the writes and leaves the readers: those that keep their connection end \
                                        with error 2013, and connect again at once";
                            cut(&[reader], what.into(), 0);
                        }
                        Some(reader) if lightened && backend.reads => {
                            let what = format!(
                                "while the writer moves it may leave the readers for one check ({}): those that keep their connection end with error 2013, and connect again at once",
                                proxied.interval()
                            );
                            cut(&[reader], what, 0);
                        }
                        _ => {}
                    }
                }
                (true, true) => {}
            }
        }
    }
    cuts
}

/// Who is connected to a member that its proxies take for offline once it is desynced.
pub(in crate::plan::database) fn pooled(routing: &Routing<'_>, member: &MemberName) -> Vec<Cut> {
    let one = |proxied: &Proxied<'_>| {
        let backend =
            proxied.backends.iter().find(|s| s.member.as_ref() == Some(member) && s.role.serves())?;
        let what = format!(
            "the proxy takes it out of its readers within {}, and they end with error 2013; they connect again at once",
            proxied.interval()
        );
        let held = Held::of(proxied, &backend.address, &[]);
        (held.clients > 0).then(|| held.cut(proxied, &backend.label, &what, 0))
    };
    routing.proxied.iter().filter_map(one).collect()
}

/// The same as a check.
pub(in crate::plan::database) fn clients(cuts: &[Cut], quiet: &str) -> Check {
    let all = cuts.iter().filter_map(|c| c.clients).fold(0, u32::saturating_add);
    let wait = match cuts.iter().filter_map(|c| c.seconds).max() {
        Some(seconds @ 1..) => format!("; writes may wait up to {seconds} s for the new writer"),
        _ => String::new(),
    };
    if all == 0 {
        let verdict = if wait.is_empty() { Ok } else { Warn };
        return Check::new("clients", verdict, format!("{quiet}{wait}"));
    }
    let (sessions, are) = if all == 1 { ("session", "is") } else { ("sessions", "are") };
    let text = format!(
        "at most {all} {sessions} {are} cut, in the moment of the change; they can connect again at once{wait}"
    );
    Check::new("clients", Warn, text)
}
