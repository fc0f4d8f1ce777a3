//! From the configured database to what can be asked: passwords in Secrets are fetched, pods behind services are found.
//!
//! Entered by [`follow`]. Members and proxies are resolved apart from each other, so that a Secret that cannot be read
//! takes nothing down but what needs it; what is missing is the reason its endpoints show, and is tried again.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use super::{
    galera,
    lookup::fetch,
    pods::{self, Found},
    proxysql,
    watch::watch,
    way::{Pod, Secret, Way},
};
use crate::{
    cluster::{
        Key, Member, MemberName, Observation, Proxy, ProxyName, Reach, Seen, Trouble, database::Expectations,
    },
    wire::{
        Wire,
        sql::{Login, Tls},
    },
};

/// So many rounds lie between two looks for the pods behind a service, and for what is missing.
const LOOK_EVERY: u32 = 10;

/// The database as configured.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The members: host and port of each.
    pub members: Vec<(MemberName, String, u16)>,
    /// Who asks the members; or why that cannot be known, as one sentence.
    pub members_by: Result<Account, String>,
    /// The proxies.
    pub proxies: Vec<ProxyTarget>,
    /// Who asks the proxies; or why that cannot be known, as one sentence.
    pub proxies_by: Result<Account, String>,
    /// How long to wait between two rounds.
    pub every: Duration,
    /// What is expected of the database.
    pub expected: Expectations,
}

/// Where the admin port of a ProxySQL is.
#[derive(Clone, Debug)]
pub enum ProxyTarget {
    /// At an address that is reached directly.
    Direct(ProxyName, String, u16),
    /// At a port of every pod behind a service.
    Service {
        /// The service.
        service: Key,
        /// Number or name of its port, or the number of the pods'.
        port: String,
        /// How the pods are reached.
        reach: Reach,
    },
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Password,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
}

/// A password, or where it is.
#[derive(Clone, Debug)]
pub enum Password {
    /// As configured; `None`: there is none.
    Known(Option<SecretString>),
    /// Under this key of a Kubernetes Secret.
    Secret(Key, String),
}

/// An account whose password is at hand, and where it can be read again.
pub(in crate::live) struct Ready {
    user: String,
    password: Option<SecretString>,
    tls: Option<Tls>,
    secret: Option<Secret>,
}

/// Follows the database until the receiver is gone or the returned tasks are dropped. Without a wire, Secrets and
/// services cannot be read, and say so.
pub fn follow(configured: Configured, wire: Option<Wire>, into: mpsc::Sender<Observation>) -> JoinSet<()> {
    let Configured { members, members_by, proxies, proxies_by, every, .. } = configured;
    let mut tasks = JoinSet::new();
    if !members.is_empty() {
        tasks.spawn(follow_members(members, members_by, wire.clone(), every, into.clone()));
    }
    if !proxies.is_empty() {
        tasks.spawn(follow_proxies(proxies, proxies_by, wire, every, into));
    }
    tasks
}

async fn follow_members(
    members: Vec<(MemberName, String, u16)>,
    by: Result<Account, String>,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let all = |of: &dyn Fn(Member) -> Member| {
        let list = members.iter().map(|(name, ..)| (name.clone(), of(Member::new(name.clone()))));
        Observation::Member(Seen::All(list.collect(), Timestamp::now()))
    };
    let _ = into.send(all(&|member| member)).await;
    let ready = loop {
        match resolve(&by, wire.as_ref()).await {
            Ok(ready) => break ready,
            Err(why) => {
                let failed = all(&|member| member.failed(Trouble::NoLogin, &why, Timestamp::now()));
                if into.send(failed).await.is_err() {
                    return;
                }
                sleep(every * LOOK_EVERY).await;
            }
        }
    };
    let mut tasks = JoinSet::new();
    for (name, host, port) in members {
        tasks.spawn(watch::<galera::Source>(
            Member::new(name),
            ready.way(host, port, None),
            every,
            into.clone(),
        ));
    }
    while tasks.join_next().await.is_some() {}
}

async fn follow_proxies(
    places: Vec<ProxyTarget>,
    by: Result<Account, String>,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let placeholder = |place: &ProxyTarget| match place {
        ProxyTarget::Direct(name, ..) => name.clone(),
        ProxyTarget::Service { service, port, .. } => format!("{service}:{port}").as_str().into(),
    };
    let all = |of: &dyn Fn(Proxy) -> Proxy| {
        let list = places.iter().map(placeholder).map(|name| (name.clone(), of(Proxy::new(name))));
        Observation::Proxy(Seen::All(list.collect(), Timestamp::now()))
    };
    let put = async |proxy: Proxy| into.send(Observation::Proxy(Seen::Put(proxy.name.clone(), proxy))).await;
    let _ = into.send(all(&|proxy| proxy)).await;
    let ready = loop {
        match resolve(&by, wire.as_ref()).await {
            Ok(ready) => break ready,
            Err(why) => {
                let failed = all(&|proxy| proxy.failed(Trouble::NoLogin, &why, Timestamp::now()));
                if into.send(failed).await.is_err() {
                    return;
                }
                sleep(every * LOOK_EVERY).await;
            }
        }
    };
    let mut tasks = JoinSet::new();
    for place in &places {
        if let ProxyTarget::Direct(name, host, port) = place {
            let way = ready.way(host.clone(), *port, None);
            tasks.spawn(watch::<proxysql::Source>(Proxy::new(name.clone()), way, every, into.clone()));
        }
    }
    // Of each service, the pods that are asked, and their tasks.
    let mut asked: BTreeMap<ProxyName, BTreeMap<ProxyName, (Found, AbortHandle)>> = BTreeMap::new();
    let services = || places.iter().filter(|place| matches!(place, ProxyTarget::Service { .. }));
    while services().next().is_some() {
        for place in services() {
            let ProxyTarget::Service { service, port, reach } = place else { continue };
            let stand_in = placeholder(place);
            let before = asked.entry(stand_in.clone()).or_default();
            let pods = match (pods::behind(wire.as_ref(), service, port).await, &wire) {
                (Ok(pods), Some(wire)) => Ok((pods, wire)),
                (Ok(_), None) => Err("no cluster is configured".to_owned()),
                (Err(why), _) => Err(why),
            };
            let (pods, wire) = match pods {
                // What was found before is asked on: the API server may be away, and the proxies be well.
                Err(_) if !before.is_empty() => continue,
                Err(why) => {
                    let proxy = Proxy::new(stand_in).failed(Trouble::Unreachable, &why, Timestamp::now());
                    if put(proxy).await.is_err() {
                        return;
                    }
                    continue;
                }
                Ok(found) => found,
            };
            let now: BTreeMap<ProxyName, Found> = pods
                .into_iter()
                .map(|pod| {
                    let name = format!("{}/{}:{}", service.namespace, pod.name, pod.port);
                    (name.as_str().into(), pod)
                })
                .collect();
            let gone: Vec<_> = before
                .iter()
                .filter(|(name, (pod, _))| now.get(*name) != Some(pod))
                .map(|(name, _)| name.clone())
                .collect();
            for name in gone {
                if let Some((_, task)) = before.remove(&name) {
                    task.abort();
                }
                let _ = into.send(Observation::Proxy(Seen::Gone(name))).await;
            }
            if now.is_empty() {
                let why = format!("no pod runs behind the service {service}");
                let proxy = Proxy::new(stand_in).failed(Trouble::Unreachable, &why, Timestamp::now());
                if put(proxy).await.is_err() {
                    return;
                }
                continue;
            }
            if before.is_empty() {
                let _ = into.send(Observation::Proxy(Seen::Gone(stand_in))).await;
            }
            for (name, pod) in now {
                if before.contains_key(&name) {
                    continue;
                }
                if put(Proxy::new(name.clone())).await.is_err() {
                    return;
                }
                let key = Key::new(&*service.namespace, &*pod.name);
                let to = Pod { wire: wire.clone(), key, reach: *reach };
                let way = ready.way(pod.address.clone(), pod.port, Some(to));
                let task = tasks.spawn(watch::<proxysql::Source>(
                    Proxy::new(name.clone()),
                    way,
                    every,
                    into.clone(),
                ));
                before.insert(name, (pod, task));
            }
        }
        sleep(every * LOOK_EVERY).await;
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

impl Ready {
    pub(in crate::live) fn way(&self, host: String, port: u16, pod: Option<Pod>) -> Way {
        let (user, password, tls) = (self.user.clone(), self.password.clone(), self.tls.clone());
        Way::new(Login { host, port, user, password, tls }, self.secret.clone(), pod)
    }
}

pub(in crate::live) async fn resolve(
    by: &Result<Account, String>,
    wire: Option<&Wire>,
) -> Result<Ready, String> {
    let Account { user, password, tls } = by.as_ref().map_err(String::clone)?.clone();
    let (password, secret) = match password {
        Password::Known(password) => (password, None),
        Password::Secret(secret, key) => {
            let password = fetch(wire, &secret, &key).await?;
            (Some(password), Some(Secret { wire: wire.cloned(), secret, key }))
        }
    };
    Ok(Ready { user, password, tls, secret })
}
