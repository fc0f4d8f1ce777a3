//! What each question is called, what may be typed, and what the answer becomes. Pure.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    cluster::{Address, Database, Key, Ports, ProxyName, Snapshot, TenantName, database::Row},
    plan::{
        DatabaseAct, Intent, Migration, Migrations, Number, OnFailure, Release, STEADY, Target, WEIGHTS,
        many::{BESIDE_OTHERS, Deed},
    },
    ui::{
        Forwarded, ToTenants,
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
            Self::GiveUp { .. } | Self::Migrate { .. } => true,
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
                        format!("now {now}; another one migrates, and is rolled out once that has succeeded")
                    }
                };
                let command = match &**command {
                    "" => "each runs its own command; one for all is typed behind the image".to_owned(),
                    command => format!("it runs `{command}`; another command is typed behind the image"),
                };
                let mut hints = vec![image, command];
                if tenants.len() > 1 {
                    hints.push("between both: --parallel 4, --canary 2, --max-failures 3; otherwise 1 first, then one after another, the first failure stops it".into());
                }
                hints.push(
                    "--keep 2 replicas meanwhile; --gitops-paused: the tool that owns the manifests is paused; --on-failure \
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

/// A migration in a few words, as it is typed.
fn migrates(now: &str, migration: &Migration) -> String {
    let image = match (&migration.image, now) {
        (Some(image), "") => format!("to {image}"),
        (Some(image), now) => format!("{now} → {image}"),
        (None, "") => "with each one's image".into(),
        (None, now) => format!("with {now}"),
    };
    let hold = if migration.on_failure == OnFailure::Hold { ", held if it fails" } else { "" };
    match &migration.command {
        Some(command) => format!("{image}{hold}, by `{command}`"),
        None => format!("{image}{hold}"),
    }
}

/// Reads an image, flags, and a command behind them.
fn migrated(
    text: &str,
    tenants: &[TenantName],
    migration: &Migration,
    now: &Arc<str>,
) -> Result<Action, String> {
    let text = text.trim();
    let (image, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let kept = image == "-";
    if image.is_empty() || image.starts_with('-') && !kept {
        return Err(match &**now {
            "" => "type the tag of an image first, or - to keep each one's".into(),
            now => format!("type the tag of an image first, or - to keep {now}"),
        });
    }
    let image = (image != &**now && !kept).then(|| image.to_owned());
    let mut migration = Migration { image: image.clone(), ..migration.clone() };
    let (mut parallel, mut canary, mut max_failures, mut only_image) = (1, 1, 1, false);
    loop {
        rest = rest.trim();
        let typed = rest.split_whitespace().next().unwrap_or_default();
        let after = rest.strip_prefix(typed).unwrap_or_default();
        let (word, given) = typed.split_once('=').map_or((typed, None), |(word, value)| (word, Some(value)));
        let mut value = || {
            let next = after.split_whitespace().next().unwrap_or_default();
            let text = given.unwrap_or(next);
            rest = if given.is_some() {
                after
            } else {
                after.trim_start().strip_prefix(next).unwrap_or_default()
            };
            text
        };
        let mut number = |least: u32, most: u32| {
            let number = value().parse::<u32>().ok().filter(|n| (least..=most).contains(n));
            number.ok_or_else(|| match most {
                u32::MAX => format!("{word} wants a number from {least} on"),
                _ => format!("{word} wants a number from {least} to {most}"),
            })
        };
        match word {
            "--parallel" if tenants.len() > 1 => parallel = number(1, 32)?,
            "--canary" if tenants.len() > 1 => canary = number(0, 32)?,
            "--max-failures" if tenants.len() > 1 => max_failures = number(1, 32)?,
            "--keep" => migration.keep = number(1, u32::MAX)?,
            "--on-failure" => {
                migration.on_failure = match value() {
                    "hold" => OnFailure::Hold,
                    "restore" => OnFailure::Restore,
                    other => return Err(format!("--on-failure is hold or restore, not `{other}`")),
                }
            }
            "--gitops-paused" if given.is_none() => (migration.gitops_paused, rest) = (true, after),
            "--no-migration" if given.is_none() => (only_image, rest) = (true, after),
            // A command never begins so: taken for one, a slip of the finger would run.
            _ if typed.starts_with('-') => {
                let several =
                    if tenants.len() > 1 { ", --parallel N, --canary N, --max-failures N" } else { "" };
                return Err(format!(
                    "there is no option `{typed}` here; there are --keep N, --gitops-paused, --on-failure hold, \
                     --no-migration{several}"
                ));
            }
            _ => break,
        }
    }
    let deed = match (only_image, image) {
        (true, _) if !rest.is_empty() => {
            return Err(format!("--no-migration runs no command: `{rest}` is not taken"));
        }
        (true, None) => return Err("--no-migration rolls out another image: type its tag first".into()),
        (true, Some(image)) => Deed::Release(Release {
            tenant: migration.tenant.clone(),
            image,
            container: None,
            gitops_paused: migration.gitops_paused,
            steady: STEADY,
        }),
        (false, _) => {
            migration.command = Some(rest).filter(|c| !c.is_empty()).map(str::to_owned);
            migration.waits = if parallel > 1 { BESIDE_OTHERS } else { 0 };
            Deed::Migrate(migration)
        }
    };
    Ok(match tenants {
        [one] => Action::Plan(deed.to(one)),
        _ => {
            let tenants = tenants.to_vec();
            Action::Tenants(Box::new(ToTenants { deed, tenants, parallel, canary, max_failures }))
        }
    })
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
mod tests {
    use super::*;
    use crate::cluster::database::Role;

    #[test]
    fn numbers_may_count_from_now() {
        let tenants = [("a".into(), 2), ("b".into(), 3)];
        let to = |text: &str| targets(text, &tenants).map(|t| t.iter().map(|t| t.to).collect::<Vec<_>>());
        assert_eq!(to("5"), Ok(vec![5, 5]));
        assert_eq!(to(" +1 "), Ok(vec![3, 4]));
        assert_eq!(to("-3"), Ok(vec![-1, 0]));
        for bad in ["", "x", "1.5", "99999999999999999999", "9000000"] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }

    fn weight(now: &[u64]) -> Asks {
        let proxy = |(i, n): (usize, &u64)| (format!("p{i}").as_str().into(), *n);
        Asks::Weight {
            member: "db1:3306".into(),
            label: "db1".into(),
            now: now.iter().enumerate().map(proxy).collect(),
            others: vec![("db2".into(), 50, Role::NextWriter), ("db3".into(), 10, Role::Standby)],
        }
    }

    #[test]
    fn a_weight_has_a_range_and_says_who_is_the_heaviest_then() {
        let to = |now: &[u64], text: &str| match weight(now).answer(text) {
            Ok(Action::Plan(Intent::Database { act: DatabaseAct::Weight { weight, .. } })) => Ok(weight),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        assert_eq!((weight(&[100, 100]).filled(), weight(&[100, 60]).filled()), ("100".into(), "".into()));
        assert_eq!(
            (to(&[100], "7"), to(&[100], "-1"), to(&[100], "10000000")),
            (Ok(7), Ok(99), Ok(10_000_000))
        );
        for bad in ["0", "-100", "10000001", "x", ""] {
            assert!(to(&[100], bad).is_err(), "{bad}");
        }
        assert!(to(&[100, 60], "+1").is_err_and(|why| why.contains("differs")));
        assert_eq!(weight(&[100]).becomes("20").as_deref(), Some("100 → 20: db2 is the heaviest then"));
        assert_eq!(weight(&[20]).becomes("60").as_deref(), Some("20 → 60: the heaviest then"));
        assert_eq!(weight(&[100]).becomes("60").as_deref(), Some("100 → 60"));
        assert_eq!(weight(&[100]).becomes("x"), None);
    }

    #[test]
    fn a_server_is_an_address_no_proxy_has() {
        let asks =
            Asks::Server { offers: vec![("db4:3306".into(), "new".into())], known: vec!["db1:3306".into()] };
        assert_eq!(asks.filled(), "db4:3306");
        let added = |text: &str| match asks.answer(text) {
            Ok(Action::Plan(Intent::Database { act: DatabaseAct::AddServer { address, like: None } })) => {
                Ok(address.to_string())
            }
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        assert_eq!(added(" DB5 "), Ok("db5:3306".into()));
        assert_eq!(added("10.0.0.5:3307"), Ok("10.0.0.5:3307".into()));
        for bad in ["", "db1", "db5:0", "db5:x", ":3306", "a b:1"] {
            assert!(added(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_migration_is_an_image_and_a_command_behind_it() {
        let migration = Box::new(Migrations::default().of("acme".into()));
        let tenants = vec!["acme".into()];
        let asks = Asks::Migrate { tenants, migration, now: "2.4.1".into(), command: "up".into() };
        assert_eq!(asks.filled(), "2.4.1");
        let of = |text: &str| match asks.answer(text) {
            Ok(Action::Plan(Intent::Migrate { migration })) => Ok((migration.image, migration.command)),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("2.4.1"), Ok((None, None)));
        assert_eq!(of(" 2.5.0 "), Ok((some("2.5.0"), None)));
        assert_eq!(of("2.5.0  bin/up --all"), Ok((some("2.5.0"), some("bin/up --all"))));
        assert_eq!(of("2.4.1 bin/up"), Ok((None, some("bin/up"))));
        assert_eq!(of("2.4.1 --gitops-paused --on-failure hold --keep=2 bin/up"), Ok((None, some("bin/up"))));
        assert!(of("--on-failure hold").is_err());
        assert!(
            of("2.5.0 --on-failure never").is_err_and(|why| why.contains("hold or restore, not `never`"))
        );
        assert!(of("2.5.0 --keep none").is_err_and(|why| why == "--keep wants a number from 1 on"));
        for typed in
            ["2.5.0 --wrong 3", "2.5.0 --max-failure 3", "2.5.0 --parallel 2", "2.5.0 --keep 2 -x bin/up"]
        {
            assert!(of(typed).is_err_and(|why| why.contains("there is no option `-")), "{typed}");
        }
        assert!(of("  ").is_err_and(|why| why.contains("2.4.1")));
        assert_eq!(asks.becomes("2.5.0 up").as_deref(), Some("2.4.1 → 2.5.0, by `up`"));
    }

    #[test]
    fn giving_up_wants_a_reason() {
        let asks = Asks::GiveUp { what: "run", run: "r-1".into(), text: String::new() };
        assert!(asks.answer("  ").is_err());
        assert_eq!(asks.answer(" gone "), Ok(Action::GiveUp("r-1".into(), "gone".into())));
    }
}
