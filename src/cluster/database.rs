//! The database as one thing: every member judged across all members, joined with what the proxies do with it.
//!
//! [`Database::of`] derives it from a snapshot, purely. A member is judged by what it says *and* by what its peers say; a
//! role by the hostgroups. Views draw it, `findings` reads it, the command line prints it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Backend, BackendStatus, Component, Hostgroups, LocalState, Member, MemberName, Proxy, ProxyName, Reject,
    Snapshot, Status, Subject, Trouble, ZERO_UUID, bare,
};

mod derived;
mod expectations;
mod findings;
mod quorum;
mod recovery;
mod report;
mod state;

pub(super) use derived::Derived;
pub use expectations::{Expectations, Thresholds};
pub(super) use findings::RULES;
pub use quorum::Quorum;
pub use recovery::{Case, Evidence, Instruction, MostAdvanced, Position, Saved, Sheet, recovery};
pub use report::{BackendReport, DatabaseReport, MemberReport};
pub use state::State;

use super::Severity;

/// A view may take this long to be told by every member.
const VIEW_SETTLES: f64 = 1.0;

/// The database at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Every configured member, in the order of their names.
    pub members: Vec<Row>,
    /// Further addresses of members that are configured twice, each with the address of its row: they count once.
    pub twins: BTreeMap<MemberName, MemberName>,
    /// The primary component that counts: the one with the newest view. `None`: no member that answers is in one.
    pub view: Option<View>,
    /// Whether it survives losses.
    pub quorum: Quorum,
    /// Addresses in the view that are not configured.
    pub strangers: BTreeSet<Arc<str>>,
    /// Configured members that the view does not list.
    pub unlisted: BTreeSet<MemberName>,
    /// Backends of a proxy that are no configured member.
    pub unknown_backends: BTreeSet<Arc<str>>,
    /// The members that take writes, by the proxies that answer. One that is not configured goes by its address.
    pub writers: BTreeMap<ProxyName, Vec<MemberName>>,
    /// The proxies write to different members, or one of them to more than it may.
    pub writers_differ: bool,
    /// How many proxies answer, and how many there are.
    pub answering: (usize, usize),
    /// No proxy answers any more.
    pub unfronted: bool,
    /// Who writes next when the writer fails, by the first proxy that answers.
    pub next_writer: Option<MemberName>,
}

/// A primary component, as its newest member tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Which history.
    pub uuid: Arc<str>,
    /// Grows with every change.
    pub conf_id: u64,
    /// How many members.
    pub size: u32,
    /// Their clients' addresses.
    pub addresses: Vec<Arc<str>>,
    /// How many of them are arbitrators: they vote, hold no data, and are configured nowhere.
    pub arbitrators: u32,
    /// Since when it has been seen.
    pub since: Timestamp,
    /// The weight of all of them.
    pub weight: Option<u32>,
}

/// A member, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its address as configured.
    pub name: MemberName,
    /// What people call it.
    pub label: Arc<str>,
    /// The member as seen.
    pub member: Arc<Member>,
    /// What state it is in, judged across members.
    pub state: State,
    /// What the proxies do with it.
    pub role: Role,
    /// Reads go to it (`ONLINE` in a reader hostgroup).
    pub reads: bool,
    /// Its rows in the proxies that answer.
    pub backends: Vec<(ProxyName, Backend)>,
}

/// What the proxies do with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Writes go to it.
    Writer,
    /// It writes next: the heaviest of the writers in waiting.
    NextWriter,
    /// A writer in waiting: `SHUNNED` in the writer hostgroup is normal for it.
    Standby,
    /// Only reads go to it.
    Reader,
    /// Too many errors: not used for now.
    Shunned,
    /// Being drained (`OFFLINE_SOFT`).
    Draining,
    /// In the offline hostgroup (where `ONLINE` means nothing).
    Offline,
    /// In no hostgroup of any proxy.
    Absent,
    /// No proxy says.
    Unknown,
}

impl Role {
    /// One or two words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::NextWriter => "next writer",
            Self::Standby => "standby writer",
            Self::Reader => "reader",
            Self::Shunned => "shunned",
            Self::Draining => "draining",
            Self::Offline => "offline",
            Self::Absent => "not in proxysql",
            Self::Unknown => "-",
        }
    }
}

impl Row {
    /// The role in words, with what is special about it.
    pub fn role_words(&self) -> String {
        let mut words = self.role.word().to_owned();
        if self.reads && matches!(self.state, State::Donor { .. }) {
            words.push_str(", in rotation");
        } else if self.role == Role::Standby {
            words.push_str(if self.reads { ", reads" } else { "" });
        }
        words
    }

    /// What it says now.
    pub fn now(&self) -> Option<&Arc<Status>> {
        self.member.now()
    }

    /// It is in the primary component, by its own word and not against its peers'.
    pub fn is_primary(&self) -> bool {
        self.state.is_member() && self.now().is_some_and(|s| s.component == Component::Primary)
    }
}

impl Database {
    /// The database of a snapshot, worked out once for it; `None` when neither members nor proxies are configured.
    pub fn of(snapshot: &Snapshot) -> Option<Arc<Self>> {
        let configured = !snapshot.galera.is_empty() || !snapshot.proxies.is_empty();
        configured.then(|| snapshot.judged.of(snapshot))
    }

    fn derive(snapshot: &Snapshot) -> Self {
        let expected = &snapshot.database;
        let all: Vec<&Arc<Member>> = snapshot.galera.values().collect();
        let twins = twins(&all);
        let members: Vec<_> = all.iter().copied().filter(|m| !twins.contains_key(&m.name)).collect();
        let view = newest_view(&members);
        let states = state::judge(&members, view.as_ref(), expected, snapshot.at);
        let owner = |address: &str| {
            let owner = owner(&all, expected, address)?;
            Some(twins.get(&owner).cloned().unwrap_or(owner))
        };
        let strangers =
            view.iter().flat_map(|v| &v.addresses).filter(|a| owner(a).is_none()).cloned().collect();
        let listed: Vec<_> = view.iter().flat_map(|v| &v.addresses).filter_map(|a| owner(a)).collect();
        // A view that names nobody (addresses not told) does not leave anybody out.
        let tells = view.as_ref().is_some_and(|v| !v.addresses.is_empty());
        let unlisted = members.iter().map(|m| &m.name).filter(|name| tells && !listed.contains(name));
        let unlisted = unlisted.cloned().collect();

        let proxies: Vec<&Arc<Proxy>> = snapshot.proxies.values().collect();
        let mut rows: Vec<Row> = members
            .iter()
            .zip(states)
            .map(|(member, state)| Row {
                name: member.name.clone(),
                label: called(&members, expected, member),
                member: (*member).clone(),
                state,
                role: Role::Unknown,
                reads: false,
                backends: Vec::new(),
            })
            .collect();
        let mut unknown_backends = BTreeSet::new();
        for proxy in &proxies {
            for backend in proxy.now().iter().flat_map(|s| &s.backends) {
                match owner(&backend.address).and_then(|name| rows.iter_mut().find(|r| r.name == name)) {
                    Some(row) => row.backends.push((proxy.name.clone(), backend.clone())),
                    None => {
                        unknown_backends.insert(backend.address.clone());
                    }
                }
            }
        }
        let groups_of = |proxy: &Proxy| hostgroups(proxy, expected);
        let live: Vec<_> = proxies.iter().filter(|p| p.now().is_some()).collect();
        let mut writers = BTreeMap::new();
        let mut writers_differ = false;
        for proxy in &live {
            let online = proxy.now().map(|s| s.online_writers(&groups_of(proxy))).unwrap_or_default();
            writers_differ |=
                proxy.now().is_some_and(|s| groups_of(proxy).iter().any(|g| s.writes_too_wide(g)));
            if !groups_of(proxy).is_empty() {
                // A writer that is no configured member is one all the same: by its address.
                let name = |a: &Arc<str>| owner(a).unwrap_or_else(|| MemberName::from(&**a));
                let mut names: Vec<_> = online.iter().map(name).collect();
                names.sort();
                names.dedup();
                writers.insert(proxy.name.clone(), names);
            }
        }
        let mut different: Vec<_> = writers.values().filter(|w| !w.is_empty()).collect();
        different.dedup();
        writers_differ |= different.len() > 1;
        let judge = live.iter().find(|p| !groups_of(p).is_empty());
        let mut next_writer = None;
        if let Some(proxy) = judge {
            let groups = groups_of(proxy);
            for row in &mut rows {
                let backends = row.backends.iter().filter(|(name, _)| *name == proxy.name).map(|(_, b)| b);
                (row.role, row.reads) = role(&backends.collect::<Vec<_>>(), &groups);
            }
            next_writer = heir(&rows, &proxy.name, &groups);
            if let Some(row) = rows.iter_mut().find(|r| Some(&r.name) == next_writer.as_ref()) {
                row.role = Role::NextWriter;
            }
        }
        let quorum = Quorum::of(&rows, view.as_ref(), expected, snapshot.at);
        // In the order people count them: addresses may stand in any.
        rows.sort_by(|a, b| (a.label.len(), &a.label).cmp(&(b.label.len(), &b.label)));
        let answering = (live.len(), proxies.len());
        Self {
            members: rows,
            twins,
            view,
            quorum,
            strangers,
            unlisted,
            unknown_backends,
            writers,
            writers_differ,
            answering,
            unfronted: !proxies.is_empty() && proxies.iter().all(|p| p.link.trouble().is_some()),
            next_writer,
        }
    }

    /// A member by its address or by what people call it.
    pub fn member(&self, name: &str) -> Option<&Row> {
        let kept = self.twins.get(&name.into());
        self.members
            .iter()
            .find(|r| r.name.as_str() == name || kept == Some(&r.name))
            .or_else(|| self.members.iter().find(|r| &*r.label == name))
    }

    /// The one member all proxies write to.
    pub fn writer(&self) -> Option<&Row> {
        let mut all: Vec<_> = self.writers.values().flatten().collect();
        all.dedup();
        match all.as_slice() {
            [one] => self.members.iter().find(|r| r.name == **one),
            _ => None,
        }
    }

    /// How bad the state of a member is: the one place that decides it. Without a primary component nobody is served,
    /// and a member that is missing is part of that.
    pub fn severity(&self, row: &Row) -> Option<Severity> {
        let missing = matches!(row.state, State::Down | State::Unanswering | State::Left { .. });
        match missing && self.view.is_none() {
            true => Some(Severity::Critical),
            false => row.state.severity(),
        }
    }

    /// Whether it is known if there is a quorum: some member answers, or none can.
    pub fn is_known(&self) -> bool {
        let blind = |r: &Row| matches!(r.state, State::Unknown | State::Unreadable);
        self.members.iter().any(|r| r.now().is_some()) || !self.members.iter().any(blind)
    }

    /// The database in a few characters: `galera 3/3 writer db1`. How bad it is say the findings.
    pub fn headline(&self) -> String {
        self.heading().whole
    }

    /// The same with what a narrow header shows of it.
    pub fn heading(&self) -> Headline {
        let unknown = self.members.iter().any(|r| r.state == State::Unknown);
        if unknown && self.members.iter().all(|r| r.now().is_none()) {
            // Those that were not asked yet may be well.
            return Headline::of("galera ?", "galera ?");
        }
        if !self.members.is_empty() && self.view.is_none() {
            let any = |holds: fn(&Row) -> bool| self.members.iter().any(holds);
            return match (any(|r| r.now().is_some()), any(|r| r.state == State::Unreadable)) {
                (true, _) => Headline::of("galera NO QUORUM", "galera NO QUORUM"),
                (false, true) => Headline::of("galera CANNOT BE READ", "galera UNREADABLE"),
                (false, false) => Headline::of("galera DOES NOT ANSWER", "galera NO ANSWER"),
            };
        }
        let alone = self.members.is_empty();
        let count = match alone {
            true => format!("proxysql {}/{}", self.answering.0, self.answering.1),
            false => format!("galera {}/{}", self.quorum.present(), self.quorum.expected),
        };
        let mut text = count.clone();
        if self.members.iter().any(|r| r.state == State::Split { foreign: false }) {
            text.push_str(" SPLIT BRAIN");
        }
        let mut all: Vec<_> = self.writers.values().flatten().collect();
        all.sort();
        all.dedup();
        match (self.writer(), all.as_slice()) {
            (Some(row), _) if row.state.takes_writes() => text.push_str(&format!(" writer {}", row.label)),
            (None, [stranger]) => text.push_str(&format!(" writer {stranger}")),
            (Some(row), _) => {
                text.push_str(&format!(" writer {} {}", row.label, row.state.word().to_uppercase()));
            }
            (None, []) if self.unfronted && !alone => {
                text.push_str(&format!(" proxysql 0/{}", self.answering.1));
            }
            (None, []) if self.writers.is_empty() => {}
            (None, []) => text.push_str(" NO WRITER"),
            (None, _) if self.writers_differ => text.push_str(" WRITERS DIFFER"),
            // As many as may: `max_writers`, or several clusters behind one proxy.
            (None, several) => {
                let called = |name: &&MemberName| {
                    self.member(name.as_str()).map_or(name.to_string(), |row| row.label.to_string())
                };
                let names: Vec<_> = several.iter().map(called).collect();
                text.push_str(&format!(" writers {}", names.join(", ")));
            }
        }
        Headline { whole: text, short: count, counted: true, galera: !alone }
    }
}

/// The database in a few characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// `galera 3/3 writer db1`
    pub whole: String,
    /// `galera 3/3`: without who takes the writes; and what stands in the place of the count in fewer letters.
    pub short: String,
    /// Those that answer are counted: nothing that says more than a finding stands in their place.
    pub counted: bool,
    /// It is about Galera: members are configured.
    pub galera: bool,
}

impl Headline {
    fn of(whole: &str, short: &str) -> Self {
        Self { whole: whole.into(), short: short.into(), counted: false, galera: true }
    }
}

/// What the hostgroups of a proxy are for: as it says, or as configured where it may not be asked.
pub fn hostgroups_of(seen: &Snapshot, proxy: &ProxyName) -> Vec<Hostgroups> {
    seen.proxies.get(proxy).map(|p| hostgroups(p, &seen.database)).unwrap_or_default()
}

/// What the hostgroups are for: as the proxy says, or as configured where it may not be asked.
pub(super) fn hostgroups(proxy: &Proxy, expected: &Expectations) -> Vec<Hostgroups> {
    match proxy.status.as_deref() {
        Some(status) if !status.hostgroups.is_empty() => status.hostgroups.clone(),
        _ => expected.hostgroups.clone(),
    }
}

/// The configured member an address belongs to: by alias, by its configured name, or by what it calls itself.
fn owner(members: &[&Arc<Member>], expected: &Expectations, address: &str) -> Option<MemberName> {
    let address = bare(expected.aliases.get(address).map_or(address, String::as_str));
    let named = members.iter().find(|m| bare(m.name.as_str()).eq_ignore_ascii_case(&address));
    let called = || {
        members.iter().find(|m| {
            m.status
                .as_ref()
                .is_some_and(|s| s.addresses.iter().any(|a| bare(a).eq_ignore_ascii_case(&address)))
        })
    };
    named.or_else(called).map(|m| m.name.clone())
}

/// What people call the subject of a finding: members by their own names.
pub fn subject<'a>(seen: &Snapshot, subject: &'a Subject) -> Cow<'a, str> {
    match subject {
        Subject::Member(name) => {
            let database = Database::of(seen);
            let row = database.iter().flat_map(|d| &d.members).find(|row| row.name == *name);
            row.map_or(name.as_str().into(), |row| row.label.to_string().into())
        }
        Subject::Component(key) => key.to_string().into(),
        other => other.name().into(),
    }
}

/// Addresses at which a member answers that is configured under another address too, each with the one it is known by: two
/// processes never tell the same `wsrep_gcomm_uuid`. Kept is the address at which it answers, of two such the one that it
/// tells itself, then the first.
fn twins(members: &[&Arc<Member>]) -> BTreeMap<MemberName, MemberName> {
    let mut of: BTreeMap<&str, Vec<&Arc<Member>>> = BTreeMap::new();
    for member in members {
        let uuid = member.status.as_ref().map(|s| &*s.gcomm_uuid);
        if let Some(uuid) = uuid.filter(|uuid| !uuid.is_empty() && *uuid != ZERO_UUID) {
            of.entry(uuid).or_default().push(member);
        }
    }
    let mut twins = BTreeMap::new();
    for same in of.values().filter(|same| same.len() > 1) {
        let known_as = |m: &Member| {
            let own = |s: &Arc<Status>| s.addresses.iter().any(|a| bare(a) == bare(m.name.as_str()));
            m.status.as_ref().is_some_and(own)
        };
        let kept = same.iter().min_by_key(|m| (m.now().is_none(), !known_as(m), m.name.clone()));
        let Some(kept) = kept else { continue };
        let others = same.iter().filter(|m| m.name != kept.name);
        twins.extend(others.map(|m| (m.name.clone(), kept.name.clone())));
    }
    twins
}

/// What to call a member: as it says, or as configured until it does, where no other has the same name.
fn called(members: &[&Arc<Member>], expected: &Expectations, member: &Member) -> Arc<str> {
    let name = |m: &Member| match expected.names.get(m.name.as_str()) {
        Some(name) if m.status.as_ref().is_none_or(|s| s.node.is_empty()) => name.as_str().into(),
        _ => m.label(),
    };
    let label = name(member);
    match members.iter().filter(|m| name(m) == label).count() {
        0 | 1 => label,
        _ => member.name.as_str().into(),
    }
}

/// The newest view that members in a primary component tell. Of several histories the one more members tell.
fn newest_view(members: &[&Arc<Member>]) -> Option<View> {
    let primary: Vec<&Arc<Status>> =
        members.iter().filter_map(|m| m.now()).filter(|s| s.component == Component::Primary).collect();
    let votes = |uuid: &str| primary.iter().filter(|s| &*s.cluster_uuid == uuid).count();
    // Of two halves with the same number always the same one, and the greater: what is said must not change with
    // every reading.
    let rank = |s: &Status| (votes(&s.cluster_uuid), s.conf_id, s.size, s.incoming.clone(), s.at);
    let newest = primary.iter().max_by_key(|s| rank(s))?;
    let same = |s: &&&Arc<Status>| (&s.cluster_uuid, s.conf_id) == (&newest.cluster_uuid, newest.conf_id);
    let alike = primary.iter().filter(same).filter(|s| s.incoming == newest.incoming);
    Some(View {
        uuid: newest.cluster_uuid.clone(),
        conf_id: newest.conf_id.unwrap_or(0),
        size: newest.size,
        addresses: newest.incoming.clone(),
        arbitrators: newest.arbitrators,
        since: alike.map(|s| s.view_since).min().unwrap_or(newest.view_since),
        weight: newest.cluster_weight,
    })
}

/// What one proxy does with a member, and whether reads go to it.
fn role(backends: &[&Backend], groups: &[Hostgroups]) -> (Role, bool) {
    let find = |pick: fn(&Hostgroups) -> u32| {
        backends.iter().find(|b| groups.iter().any(|g| pick(g) == b.hostgroup)).map(|b| b.status)
    };
    let (writer, backup) = (find(|g| g.writer), find(|g| g.backup));
    let (reader, offline) = (find(|g| g.reader), find(|g| g.offline));
    let reads = reader == Some(BackendStatus::Online);
    let role = match (writer, backup, reader, offline) {
        (Some(BackendStatus::Online), ..) => Role::Writer,
        // A surplus writer: shunned among the writers, ready among those in waiting.
        (_, Some(BackendStatus::Online), ..) => Role::Standby,
        (Some(BackendStatus::OfflineSoft), ..) | (_, _, Some(BackendStatus::OfflineSoft), None) => {
            Role::Draining
        }
        (Some(BackendStatus::Shunned), ..) | (_, Some(BackendStatus::Shunned), ..) => Role::Shunned,
        (_, _, Some(BackendStatus::Online), _) => Role::Reader,
        (_, _, Some(BackendStatus::Shunned), _) => Role::Shunned,
        (_, _, _, Some(_)) => Role::Offline,
        (None, None, None, None) => Role::Absent,
        _ => Role::Offline,
    };
    (role, reads)
}

/// Who writes next: of the writers in waiting the first by weight, host name and port, each from the top. That is how
/// ProxySQL 2.7 orders them.
fn heir(rows: &[Row], proxy: &ProxyName, groups: &[Hostgroups]) -> Option<MemberName> {
    let candidates = rows.iter().filter(|r| r.role == Role::Standby).filter_map(|row| {
        let backend = row.backends.iter().map(|(p, b)| (p, b)).find(|(p, b)| {
            *p == proxy && groups.iter().any(|g| g.backup == b.hostgroup) && b.status == BackendStatus::Online
        })?;
        Some((order(backend.1), row.name.clone()))
    });
    // With the stats user's rights no weights are known, and so no order.
    let candidates: Vec<_> = candidates.collect();
    let known = candidates.len() == 1 || candidates.iter().all(|((weight, ..), _)| weight.is_some());
    candidates.into_iter().filter(|_| known).max().map(|(_, name)| name)
}

fn order(backend: &Backend) -> (Option<u64>, String, u32) {
    let (host, port) = backend.address.rsplit_once(':').unwrap_or((&backend.address, ""));
    (backend.weight, host.to_owned(), port.parse().unwrap_or(0))
}
