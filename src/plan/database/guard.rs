//! What is checked before an act on the database is offered: each check is one sentence with its arithmetic.

use jiff::Timestamp;

use super::{
    routing::{Edit, Proxied, Routing},
    standing,
};
use crate::{
    cluster::{
        Layers, Proxy, ProxyName, Trouble,
        database::{Row, State},
        words::few,
    },
    plan::{
        Check,
        Verdict::{Ok, Refuse, Warn},
    },
};

mod afterwards;
mod behind;
mod clients;
mod desync;
mod disk;
mod tested;

pub(super) use afterwards::{afterwards, capacity, conflicts};
pub(super) use behind::behind;
pub(super) use clients::{clients, cuts, pooled};
pub(super) use desync::desync;
use disk::on_disk;
pub(super) use disk::{disk, saved_already};
pub(super) use tested::tested;

/// Readings older than this are no ground to act on, in seconds.
const OLDEST: f64 = 10.0;

/// How a proxy is told whose disk has other servers than run.
pub(super) const UNSAVED: &str = "its disk has others than run";

/// Every member and every proxy must be known, and now. A member its peers have excluded is known: it is out. A proxy
/// that is gone is acted around, and comes back with what is on its disk; one that may still serve clients is not, where
/// the writer moves.
pub(super) fn freshness(routing: &Routing<'_>, subject: Option<&str>, moves_writer: bool) -> Vec<Check> {
    let seen = routing.seen;
    let mut asked: Vec<Answering<'_>> = Vec::new();
    for row in routing.db.members.iter().filter(|r| !matches!(r.state, State::Down)) {
        let why = if row.now().is_none() { row.member.why() } else { None };
        let at = row.member.status.as_ref().map(|s| s.at).filter(|_| row.now().is_some() || why.is_some());
        Answering::add(&mut asked, &row.label, at, why);
    }
    let mut without = Vec::new();
    for proxy in seen.proxies.values() {
        let at = proxy.status.as_deref().map(|status| status.at);
        match proxy.why().filter(|_| proxy.now().is_none()) {
            Some(why) if !routing.proxied.is_empty() => without.push(absent(proxy, why, moves_writer)),
            why => Answering::add(&mut asked, proxy.name.as_str(), at, why),
        }
    }
    let mut checks: Vec<Check> = asked.iter().filter_map(|asked| asked.told(seen.at)).collect();
    checks.append(&mut without);
    if routing.db.members.is_empty() {
        let text = "no Galera member is followed: neither quorum nor state can be judged";
        checks.push(Check::new("freshness", Refuse, text));
    }
    let down = |r: &&Row| matches!(r.state, State::Down) && Some(r.name.as_str()) != subject;
    for row in routing.db.members.iter().filter(down) {
        let text = format!("{} is down, its peers have excluded it: it counts for nothing here", row.label);
        checks.push(Check::new("freshness", Warn, text));
    }
    checks
}

/// Members and proxies that were asked; those that do not answer for one reason are together.
struct Answering<'a> {
    names: Vec<&'a str>,
    /// When the one was read that was read longest ago; `None`: none of them ever was.
    at: Option<Timestamp>,
    /// Why they do not answer, where it is told.
    why: Option<&'a str>,
}

impl<'a> Answering<'a> {
    /// Adds one. What does not answer for the same reason is told with those before: one cause is one sentence.
    fn add(all: &mut Vec<Self>, name: &'a str, at: Option<Timestamp>, why: Option<&'a str>) {
        let alike =
            |other: &&mut Self| why.is_some() && other.why == why && other.at.is_some() == at.is_some();
        match all.iter_mut().find(alike) {
            Some(other) => {
                other.names.push(name);
                other.at = other.at.min(at);
            }
            None => all.push(Self { names: vec![name], at, why }),
        }
    }

    /// That nothing can be planned; `None`: they are known.
    fn told(&self, now: Timestamp) -> Option<Check> {
        let names = few(&self.names);
        let ago = |at: Timestamp| now.duration_since(at).as_secs_f64();
        let (does, up_to) = if self.names.len() == 1 { ("does", "") } else { ("do", "up to ") };
        let text = match (self.at, self.why) {
            (None, None) => format!("{names} has not answered yet: nothing is planned on what is not known"),
            (None, Some(why)) => format!(
                "{names} {does} not answer ({why}), and never did: nothing is planned on what is not known"
            ),
            (Some(at), Some(why)) => format!(
                "{names} {does} not answer ({why}), last read {up_to}{:.0} s ago: a plan would be a guess",
                ago(at)
            ),
            (Some(at), None) if ago(at) > OLDEST => format!(
                "{names} was last read {:.0} s ago, more than {OLDEST:.0} s: a plan would be a guess",
                ago(at)
            ),
            (Some(_), None) => return None,
        };
        Some(Check::new("freshness", Refuse, text))
    }
}

/// A proxy that does not answer while others do: what it will do when it comes back.
fn absent(proxy: &Proxy, why: &str, moves_writer: bool) -> Check {
    let name = &proxy.name;
    // A refused connection is said by the machine itself: nothing runs there. Otherwise it may serve its clients on.
    let gone = proxy.trouble == Some(Trouble::Refused);
    if moves_writer && !gone {
        let text = format!(
            "{name} does not answer ({why}) and may serve clients for all that: it would write to the old writer beside the new one. Stop it, or repair the way to it, first"
        );
        return Check::new("without", Refuse, text);
    }
    let disk = match proxy.status.as_deref().and_then(|s| s.disk.as_ref()) {
        Some(rows) => format!("with what is on its disk: {}", on_disk(rows)),
        None => "with what is on its disk, which is not known".into(),
    };
    let now = if gone { "" } else { ", and may serve clients as it is until then" };
    let text = format!(
        "{name} does not answer ({why}): nothing is done there{now}. It comes back {disk}; act again once it does"
    );
    Check::new("without", Warn, text)
}

/// What must hold of the proxies before their servers are written.
pub(super) fn proxies(
    routing: &Routing<'_>,
    clusters: &[(ProxyName, usize)],
    phases: &[Vec<Edit>],
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |rule, verdict, text: String| checks.push(Check::new(rule, verdict, text));
    if routing.seen.proxies.is_empty() {
        push("admin", Refuse, "no ProxySQL is configured: there is nothing to write to".into());
    }
    for proxied in &routing.proxied {
        let (name, status) = (proxied.name, proxied.status);
        if !status.admin {
            push(
                "admin",
                Refuse,
                format!(
                    "{name}: this user reads statistics only; changing servers takes an admin user (admin-admin_credentials)"
                ),
            );
            continue;
        }
        if status.read_only == Some(true) {
            push(
                "admin",
                Refuse,
                format!(
                    "{name}: admin-read_only is true, its tables cannot be written; LOAD would answer OK all the same"
                ),
            );
        }
        match proxied.groups.as_slice() {
            [] => push(
                "monitor",
                Refuse,
                format!("{name} has no Galera hostgroups: nothing would move its members"),
            ),
            groups if groups.iter().any(|g| !g.active) => push(
                "monitor",
                Refuse,
                format!(
                    "{name}: its Galera hostgroups are switched off (active=0): no member would be moved, and none fails over"
                ),
            ),
            _ => {}
        }
        if let Some((address, said)) = &status.monitor_denied {
            push(
                "monitor",
                Warn,
                format!("{name}: its monitor cannot log in at {address} ({said}): it may not move members"),
            );
        }
        if status.monitored == Some(false) {
            let text = format!(
                "{name}: its monitor is switched off (mysql-monitor_enabled=false): what is loaded would stay unsorted, and the proxies may write to different members; SET mysql-monitor_enabled='true' and LOAD MYSQL VARIABLES TO RUNTIME first"
            );
            push("monitor", Refuse, text);
        } else if let Some(age) = status.check_age.filter(|age| *age > standing::evidence(status) * 2) {
            let text = format!(
                "{name}: its monitor made its last check {} s ago, and one is due every {}: it would not sort what is loaded",
                age.as_secs(),
                proxied.interval()
            );
            push("monitor", Refuse, text);
        }
        // Of several clusters only the one that is changed has to be in order.
        let touched = |cluster: usize| clusters.is_empty() || clusters.contains(&(name.clone(), cluster));
        for (cluster, group) in proxied.groups.iter().enumerate() {
            if !touched(cluster) || !status.in_use(&proxied.groups).any(|g| g == group) {
                continue;
            }
            let writers = status.online_writers(std::slice::from_ref(group)).len();
            let most = group.max_writers.max(1);
            if writers > most as usize {
                push(
                    "monitor",
                    Refuse,
                    format!(
                        "{name} writes to {writers} members, {most} may: wait until its monitor has sorted them ({})",
                        proxied.interval()
                    ),
                );
            }
            if writers > 0 {
                continue;
            }
            push(
                "last-writer",
                Refuse,
                format!(
                    "{name} has no writer now: writing its servers would not give it one, and may take the last rows"
                ),
            );
        }
        for backend in proxied.fragile().into_iter().filter(|s| touched(s.cluster)) {
            push(
                "monitor",
                Refuse,
                format!(
                    "{name}: {} has no row but a SHUNNED one among the writers, which the safe form deletes: wait until the monitor has sorted it",
                    backend.label
                ),
            );
        }
        let drift = |layers| {
            let of = status
                .drift
                .iter()
                .flatten()
                .filter(move |d| &*d.table == "mysql_servers" && d.layers == layers);
            of.flat_map(|d| &d.what).map(|w| w.to_string()).collect::<Vec<_>>()
        };
        let edited = drift(Layers::MemoryRuntime);
        if !edited.is_empty() {
            push(
                "drift",
                Warn,
                format!(
                    "{name}: {} edited in memory and not loaded: taking memory from runtime drops these edits; ask whose they are",
                    edited.join(", ")
                ),
            );
        }
        let unsaved = drift(Layers::RuntimeDisk);
        if !unsaved.is_empty() && !saved_already(proxied, phases) {
            push(
                "drift",
                Warn,
                format!("{name}: {UNSAVED} ({}): a restart brings the old rows back", unsaved.join(", ")),
            );
        }
    }
    checks.extend(alike(routing));
    if routing.proxied.len() > 1
        && routing.proxied.iter().any(|f| f.status.checksums.contains_key("proxysql_servers"))
    {
        let peers = |f: &Proxied<'_>| {
            f.status
                .checksums
                .get("proxysql_servers")
                .is_some_and(|c| &**c != "0x0000000000000000" && !c.is_empty())
        };
        if routing.proxied.iter().any(peers) {
            let text = "where the proxies form a ProxySQL cluster a LOAD at one reaches the others in about 3 s, their disks among them; each is written here with the same rows, and read again. A run that ends between two proxies leaves the others to that: for those seconds two members may take writes";
            checks.push(Check::new("cluster-sync", Warn, text));
        }
    }
    checks
}

/// Proxies that have other servers or weights than the first.
fn alike(routing: &Routing<'_>) -> Option<Check> {
    let [first, rest @ ..] = routing.proxied.as_slice() else { return None };
    let of = |proxied: &Proxied<'_>| {
        let mut all: Vec<_> = proxied.backends.iter().map(|s| (s.address.clone(), s.weight)).collect();
        all.sort();
        all
    };
    let others: Vec<_> = rest.iter().filter(|f| of(f) != of(first)).map(|f| f.name.as_str()).collect();
    (!others.is_empty()).then(|| {
        let text = format!(
            "{} has other servers or weights than {}: each is changed from what it has",
            others.join(", "),
            first.name
        );
        Check::new("drift", Warn, text)
    })
}

/// No state transfer may be under way.
pub(super) fn transfer(routing: &Routing<'_>) -> Check {
    let busy: Vec<_> = routing
        .db
        .members
        .iter()
        .filter(|r| {
            matches!(
                r.state,
                State::Donor { .. }
                    | State::Joining { .. }
                    | State::Receiving { .. }
                    | State::CatchingUp { .. }
            )
        })
        .map(|r| format!("{} is {}", r.label, r.state.word()))
        .collect();
    match busy.is_empty() {
        true => Check::new("transfer", Ok, "no member gives or takes a state"),
        false => {
            Check::new("transfer", Refuse, format!("{}: wait until the transfer is over", busy.join(", ")))
        }
    }
}
