//! What each question is called, what may be typed, and what the answer becomes. Pure.

mod migration;

use std::{collections::BTreeSet, sync::Arc};

use migration::{migrated, migrates};

use crate::{
    cluster::{Address, Database, Key, Memory, Pod, Ports, ProxyName, Snapshot, TenantName, database::Row},
    plan::{DatabaseAct, Intent, Migrations, NewLimits, Number, Target, WEIGHTS, many::Deed},
    ui::{
        Forwarded,
        action::{Action, Asks},
        format,
    },
};

impl Asks {
    /// How tenants are migrated. The error says why it cannot be asked for.
    ///
    /// # Errors
    /// There is nothing to ask, and why: one sentence.
    pub fn migration(seen: &Snapshot, defaults: &Migrations, names: &[TenantName]) -> Result<Self, String> {
        let first = names.first().ok_or("no tenant is selected")?;
        let found = |name: &TenantName| {
            seen.tenants.get(name).ok_or_else(|| format!("there is no tenant {name}")).cloned()
        };
        let all: Vec<_> = names.iter().map(found).collect::<Result<_, _>>()?;
        let migration = Box::new(defaults.of(first.clone()));
        let own = all.iter().map(|t| t.workload.migration.clone());
        let commands: BTreeSet<_> =
            own.map(|c| c.unwrap_or_else(|| migration.otherwise.as_str().into())).collect();
        let images: BTreeSet<_> = all.iter().map(|t| t.workload.image_tag(&seen.tenancy.container)).collect();
        let one = |all: Vec<&str>| match all.as_slice() {
            [one] => Arc::from(*one),
            _ => Arc::from(""),
        };
        let now = one(images.into_iter().collect());
        let command = match commands.len() {
            1 => commands.into_iter().next().unwrap_or_default(),
            _ => Arc::from(""),
        };
        Ok(Self::Migrate { tenants: names.to_vec(), migration, now, command })
    }

    /// The limits of a tenant's pods. The error says why it cannot be asked for.
    ///
    /// # Errors
    /// There is nothing to ask, and why: one sentence.
    pub fn limits(seen: &Snapshot, name: &TenantName) -> Result<Self, String> {
        let tenant = seen.tenants.get(name).ok_or_else(|| format!("there is no tenant {name}"))?;
        let serving = tenant.workload.template.serving(&seen.tenancy.container);
        let container = serving.ok_or_else(|| format!("{name} has no container"))?.name.clone();
        let limits: Vec<_> = tenant.active().map(|pod| limit_of(pod, &container)).collect();
        let now = limits.first().copied().flatten().filter(|first| limits.iter().all(|l| *l == Some(*first)));
        let used = tenant
            .active()
            .filter_map(|pod| seen.usage.get(&pod.key)?.containers.get(&container).map(|(_, used)| *used));
        let used = used.max();
        let peak = seen.history.peak(name).map(|peak| peak.used).filter(|peak| Some(*peak) > used);
        Ok(Self::Limits { tenant: name.clone(), container, now, used, peak })
    }

    /// The weight of a member. The error says why it cannot be asked for.
    ///
    /// # Errors
    /// There is nothing to ask, and why: one sentence.
    pub fn weight(database: &Database, row: &Row) -> Result<Self, String> {
        let label = row.label.clone();
        let mut now: Vec<(ProxyName, u64)> = Vec::new();
        for (proxy, backend) in &row.backends {
            let Some(weight) = backend.weight else { continue };
            if now.iter().all(|(known, _)| known != proxy) {
                now.push((proxy.clone(), weight));
            }
        }
        if row.backends.is_empty() {
            return Err(format!("{label} is in no proxy: it has no weight"));
        }
        let Some((first, _)) = now.first() else {
            return Err(format!("the weight of {label} is not known: this user may read statistics only"));
        };
        let weight = |row: &Row| {
            let mut of_first = row.backends.iter().filter(|(proxy, _)| proxy == first);
            of_first.find_map(|(_, backend)| backend.weight)
        };
        let others = database.members.iter().filter(|other| other.name != row.name);
        let mut others: Vec<_> =
            others.filter_map(|other| Some((other.label.clone(), weight(other)?, other.role))).collect();
        others.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(Self::Weight { member: row.name.clone(), label, now, others })
    }

    /// A server for the proxies: those that Galera names and a proxy lacks are offered. The error says why it cannot be
    /// asked for.
    ///
    /// # Errors
    /// There is nothing to ask, and why: one sentence.
    pub fn server(seen: &Snapshot, database: &Database) -> Result<Self, String> {
        let live: Vec<_> = seen.proxies.values().filter_map(|p| Some((&p.name, p.now()?))).collect();
        if live.is_empty() {
            return Err(match seen.proxies.len() {
                0 => "no ProxySQL is configured: name it under [proxysql] addresses".into(),
                _ => "no ProxySQL answers".into(),
            });
        }
        let strangers = database.strangers.iter().filter(|at| !database.unknown_backends.contains(*at));
        let strangers =
            strangers.map(|at| (at.clone(), "Galera names it; it is not configured here".to_owned()));
        let lacking = database.members.iter().filter(|row| row.state.is_member()).filter_map(|row| {
            let lacks = live.iter().filter(|(name, _)| row.backends.iter().all(|(proxy, _)| proxy != *name));
            let lacks: Vec<_> = lacks.map(|(name, _)| name.as_str()).collect();
            let place = match lacks.len() {
                0 => return None,
                n if n == live.len() => "in no proxy".to_owned(),
                _ => format!("not in {}", lacks.join(", ")),
            };
            let mut aliases = seen.database.aliases.iter();
            let alias = aliases.find(|(_, of)| of.as_str() == row.name.as_str());
            let address = alias.map_or(row.name.as_str(), |(alias, _)| alias);
            Some((address.into(), format!("{}, {}, {place}", row.label, row.state.word())))
        });
        let offers = strangers.chain(lacking).filter(|(at, _)| at.parse::<Address>().is_ok()).collect();
        let mut known: Vec<Arc<str>> = Vec::new();
        for backend in live.iter().flat_map(|(_, status)| &status.backends) {
            let has = |at: &str| live.iter().all(|(_, s)| s.backends.iter().any(|b| &*b.address == at));
            if !known.contains(&backend.address) && has(&backend.address) {
                known.push(backend.address.clone());
            }
        }
        Ok(Self::Server { offers, known })
    }

    /// Which ports belong together: the declared ones of the pod are offered, each with a port here that no other
    /// port-forward of this cockpit has.
    pub fn forward(seen: &Snapshot, pod: Key, open: &[Forwarded]) -> Self {
        let spec = seen.pods.get(&pod).map(|pod| pod.spec.clone());
        let containers = spec.iter().flat_map(|spec| &spec.containers);
        let mut offers: Vec<(Arc<str>, String)> = Vec::new();
        for (of, remote) in containers.flat_map(|of| of.ports.iter().map(|port| (&of.name, *port))) {
            // Ports below 1024 are for root alone: 80 is 8080 here, 443 is 8443.
            let first = if remote < 1024 { 8000 + remote } else { remote };
            let taken = |local: &u16| open.iter().any(|other| other.local == *local);
            let Some(local) = (first..=u16::MAX).find(|local| !taken(local)) else { continue };
            let offer: Arc<str> = Ports { local, remote }.to_string().into();
            if offers.iter().all(|(known, _)| *known != offer) {
                offers.push((offer, format!("{of} listens at {remote}")));
            }
        }
        Self::Forward { pod, offers }
    }

    /// What stands over it.
    pub fn title(&self) -> String {
        match self {
            Self::Replicas(tenants) => match tenants.as_slice() {
                [(one, _)] => format!("Scale {one}"),
                all => {
                    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
                    format!("Scale {}: {}", format::count(all.len(), "tenant"), names.join(", "))
                }
            },
            Self::Migrate { tenants, .. } => match tenants.as_slice() {
                [one] => format!("Migrate {one}"),
                all => {
                    let names: Vec<_> = all.iter().map(TenantName::as_str).collect();
                    format!("Migrate {}: {}", format::count(all.len(), "tenant"), names.join(", "))
                }
            },
            Self::Weight { label, .. } => format!("Weight of {label} in the proxies"),
            Self::Server { .. } => "Add a server to the proxies".into(),
            Self::Limits { tenant, .. } => format!("Resize {tenant}"),
            Self::Forward { pod, .. } => format!("Port-forward to {}", pod.name),
            Self::GiveUp { what, run, .. } => format!("Give up {what} {}", format::short_run(run)),
        }
    }

    /// What stands before what is typed.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Replicas(_) => "replicas",
            Self::Migrate { .. } => "image",
            Self::Weight { .. } => "weight",
            Self::Limits { .. } => "memory",
            Self::Server { .. } => "host:port",
            Self::Forward { .. } => "local:remote",
            Self::GiveUp { .. } => "because",
        }
    }

    /// What an answer leads to.
    pub fn leads_to(&self) -> &'static str {
        match self {
            Self::GiveUp { .. } => "go on",
            Self::Forward { .. } => "open it",
            _ => "show the plan",
        }
    }

    /// What is filled in before anything is typed: what is so now, where it is the same for all.
    pub fn filled(&self) -> String {
        let same = |all: Vec<u64>| {
            let first = all.first()?;
            all.iter().all(|n| n == first).then(|| first.to_string())
        };
        let text = match self {
            Self::Replicas(tenants) => same(tenants.iter().map(|(_, n)| u64::from(*n)).collect()),
            Self::Migrate { now, .. } => Some(now.to_string()),
            Self::Weight { now, .. } => same(now.iter().map(|(_, n)| *n).collect()),
            Self::Limits { now, .. } => now.map(Memory::notation),
            Self::Server { offers, .. } | Self::Forward { offers, .. } => {
                offers.first().map(|(text, _)| text.to_string())
            }
            Self::GiveUp { .. } => None,
        };
        text.unwrap_or_default()
    }

    /// Whether that may be typed.
    pub fn takes(&self, c: char) -> bool {
        match self {
            Self::Replicas(_) | Self::Weight { .. } => c.is_ascii_digit() || "+-".contains(c),
            Self::Server { .. } => !c.is_whitespace(),
            Self::Forward { .. } => c.is_ascii_digit() || c == ':',
            Self::GiveUp { .. } | Self::Migrate { .. } | Self::Limits { .. } => true,
        }
    }

    /// Why a character may not be typed.
    pub fn declines(&self, c: char) -> String {
        match self {
            Self::Replicas(_) | Self::Weight { .. } => {
                format!("`{c}` is no number: digits, + and - are taken")
            }
            Self::Forward { .. } => {
                format!("`{c}` is no part of LOCAL:REMOTE: digits and one colon are taken")
            }
            _ => format!("`{c}` is not taken"),
        }
    }

    /// What suggests itself, and why.
    pub fn offers(&self) -> &[(Arc<str>, String)] {
        match self {
            Self::Server { offers, .. } | Self::Forward { offers, .. } => offers,
            _ => &[],
        }
    }

    /// What is good to know before one types. `floor`: the fewest replicas a tenant should have.
    pub fn hints(&self, floor: u32) -> Vec<String> {
        match self {
            Self::Replicas(tenants) => vec![match tenants.as_slice() {
                [(_, now)] => format!("now {now}, floor {floor}; +1 and -1 count from now"),
                _ => format!("floor {floor}; +1 and -1 count from each one's number now"),
            }],
            Self::Migrate { tenants, now, command, .. } => {
                let image = match &**now {
                    "" => "they have different images: type one, or - to keep each one's".to_owned(),
                    now => {
                        format!(
                            "now {now}: left so, the database alone is migrated; a new one is rolled out after that"
                        )
                    }
                };
                let command = match &**command {
                    "" => "each runs its own command; one for all is typed after the image".to_owned(),
                    command => format!("it runs `{command}`; another command is typed after the image"),
                };
                let mut hints = vec![image, command];
                if tenants.len() > 1 {
                    hints.push("between both: --parallel 4, --canary 2, --max-failures 3; otherwise 1 first, then one after another, the first failure stops it".into());
                }
                hints.push(
                    "options, after the image: --keep 2 replicas meanwhile; --gitops-paused: the tool that owns the manifests is paused; --on-failure \
                     hold: nothing is given back before somebody has looked; --no-migration: only the image is rolled \
                     out"
                        .into(),
                );
                hints
            }
            Self::Weight { now, others, .. } => {
                let (low, high) = (WEIGHTS.start(), WEIGHTS.end());
                let now = match self.filled().as_str() {
                    "" => now.iter().map(|(p, n)| format!("{n} in {p}")).collect::<Vec<_>>().join(", "),
                    one => one.to_owned(),
                };
                let mut hints = vec![
                    format!("now {now}; from {low} to {high}, +1 and -1 count from now"),
                    "the heaviest that can write is the writer; reads are shared by weight".into(),
                ];
                if !others.is_empty() {
                    let others = others.iter().map(|(name, n, role)| format!("{name} {n} ({})", role.word()));
                    hints.push(format!("beside it: {}", others.collect::<Vec<_>>().join(", ")));
                }
                hints
            }
            Self::Server { offers, .. } => {
                let mut hints = vec![
                    "such as db4:3306; without a port it is 3306".to_owned(),
                    "its weight and limits are those of the lightest that serves; the plan shows them".into(),
                ];
                if offers.is_empty() {
                    hints.push("every member that Galera names is in every proxy already".into());
                }
                hints
            }
            Self::Limits { container, now, used, peak, .. } => {
                let now = now.map_or_else(|| "different limits or none".to_owned(), |now| now.to_string());
                let used = used
                    .map_or_else(|| "what it uses is not measured".into(), |m| format!("{m} at most in use"));
                let peak = peak.map_or(String::new(), |peak| format!(", peak {peak}"));
                vec![
                    format!("{container} now {now}, {used}{peak}"),
                    "such as 768Mi or 1Gi; --cpu 2 and --container NAME may follow".into(),
                    "one pod after another, without a restart; the template stays as it is".into(),
                ]
            }
            Self::Forward { .. } => vec![
                "8080:80: port 8080 of 127.0.0.1 leads to port 80 of the pod; :80 takes any free port here"
                    .into(),
                "it ends with the cockpit; :forwards lists those that are open".into(),
            ],
            Self::GiveUp { text, .. } => vec!["say why: it is kept in the journal".into(), text.clone()],
        }
    }

    /// What the line would become, in a few words, while it is typed; `None`: it is no answer yet.
    pub fn becomes(&self, text: &str) -> Option<String> {
        match (self, self.answer(text).ok()?) {
            (Self::Replicas(tenants), Action::Plan(Intent::Scale { targets })) => {
                let both = tenants.iter().zip(targets);
                let one = |((name, now), target): (&(TenantName, u32), Target)| match tenants.len() {
                    1 => format!("{now} → {}", target.to),
                    _ => format!("{name} {now} → {}", target.to),
                };
                Some(both.map(one).collect::<Vec<_>>().join(", "))
            }
            (Self::Migrate { now, .. }, Action::Plan(Intent::Migrate { migration })) => {
                Some(migrates(now, &migration))
            }
            (Self::Migrate { .. }, Action::Plan(Intent::Release { release })) => {
                Some(format!("{} without a migration", release.image))
            }
            (Self::Migrate { now, .. }, Action::Tenants(wanted)) => {
                let pace = match wanted.parallel {
                    1 => "one after another".to_owned(),
                    n => format!("{n} at the same time"),
                };
                Some(match &wanted.deed {
                    Deed::Migrate(migration) => format!("{}, {pace}", migrates(now, migration)),
                    Deed::Release(release) => format!("{} without a migration, {pace}", release.image),
                    Deed::Restart => pace,
                })
            }
            (
                Self::Weight { now, others, .. },
                Action::Plan(Intent::Database { act: DatabaseAct::Weight { weight, .. } }),
            ) => {
                let before = now.first().map_or(0, |(_, n)| *n);
                let top = others.first().filter(|(_, n, _)| before >= *n || weight >= *n);
                let turns = match top {
                    Some((_, n, _)) if before < *n && weight > *n => ": the heaviest then".to_owned(),
                    Some((name, n, _)) if before > *n && weight < *n => {
                        format!(": {name} is the heaviest then")
                    }
                    _ => String::new(),
                };
                let now = if self.filled().is_empty() { "different".to_owned() } else { before.to_string() };
                Some(format!("{now} → {weight}{turns}"))
            }
            (Self::Limits { now, container, .. }, Action::Plan(Intent::Resize { limits })) => {
                let of = limits.container.unwrap_or_else(|| container.to_string());
                let now = now.map_or_else(String::new, |now| format!("{now} → "));
                let memory = limits.memory.map(|memory| format!("memory limit {now}{memory}"));
                let cpu = limits.cpu.map(|cpu| format!("CPU limit {cpu}"));
                Some(format!("{of}: {}", memory.into_iter().chain(cpu).collect::<Vec<_>>().join(", ")))
            }
            (
                Self::Server { .. },
                Action::Plan(Intent::Database { act: DatabaseAct::AddServer { address, .. } }),
            ) => Some(format!("adds {address} to every proxy that lacks it")),
            _ => None,
        }
    }

    /// What the line asks the cockpit for. The error is one sentence.
    ///
    /// # Errors
    /// What was typed is no answer, and why: one sentence.
    pub fn answer(&self, text: &str) -> Result<Action, String> {
        let act = |act| Action::Plan(Intent::Database { act });
        Ok(match self {
            Self::Limits { tenant, .. } => {
                Action::Plan(Intent::Resize { limits: NewLimits::read(tenant.clone(), text)? })
            }
            Self::Forward { pod, .. } => Action::Forward(pod.clone(), text.parse()?),
            Self::Replicas(tenants) => Action::Plan(Intent::Scale { targets: targets(text, tenants)? }),
            Self::Migrate { tenants, migration, now, .. } => migrated(text, tenants, migration, now)?,
            Self::Weight { member, now, .. } => {
                let number: Number = text.parse()?;
                let to = match (number, self.filled().parse::<i64>()) {
                    (Number::To(n), _) => n,
                    (Number::By(n), Ok(now)) => now + n,
                    (Number::By(_), Err(_)) => {
                        let n = now.len();
                        return Err(format!("its weight differs in {n} proxies: type the number itself"));
                    }
                };
                let weight = u64::try_from(to).ok().filter(|n| WEIGHTS.contains(n));
                let (low, high) = (WEIGHTS.start(), WEIGHTS.end());
                let weight = weight.ok_or_else(|| format!("{to} is not a weight: from {low} to {high}"))?;
                act(DatabaseAct::Weight { member: member.clone(), weight })
            }
            Self::Server { known, .. } => {
                let text = text.trim();
                if text.is_empty() {
                    return Err("type the server's address, such as db4:3306".into());
                }
                let address: Arc<str> = text.parse::<Address>()?.to_string().into();
                if known.contains(&address) {
                    return Err(format!("{address} is in every proxy already"));
                }
                act(DatabaseAct::AddServer { address, like: None })
            }
            Self::GiveUp { run, .. } => match format::plain(text).trim() {
                "" => return Err("say why in a few words: colleagues read it in the journal".into()),
                why => Action::GiveUp(run.clone(), why.to_owned()),
            },
        })
    }
}

/// The memory limit of a container of a pod, as it is in force.
fn limit_of(pod: &Pod, container: &str) -> Option<Memory> {
    pod.spec.containers.iter().find(|c| &*c.name == container)?.resources.limits.memory
}

/// Reads `5`, `+1` or `-1` for each of these tenants.
///
/// # Errors
/// What was typed names no tenants and numbers, and why: one sentence.
pub fn targets(text: &str, tenants: &[(TenantName, u32)]) -> Result<Vec<Target>, String> {
    let number = match text.parse()? {
        Number::To(n) | Number::By(n) if n.abs() > 1_000_000 => {
            return Err(format!("{n} replicas is more than is believed"));
        }
        number => number,
    };
    Ok(tenants.iter().map(|(tenant, now)| Target { tenant: tenant.clone(), to: number.from(*now) }).collect())
}

#[cfg(test)]
mod tests;
