//! From the configured database to what can be asked: passwords in Secrets are fetched, pods behind services are found.
//!
//! Entered by [`follow`]. Members and proxies are resolved apart from each other, so that a Secret that cannot be read
//! takes nothing down but what needs it; what is missing is the reason its endpoints show, and is tried again.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::{
    Api,
    api::{ListParams, ObjectList},
};
use secrecy::SecretString;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{watch_member, watch_proxy};
use crate::{
    cluster::{
        Key, Member, MemberName, Observation, Proxy, ProxyName, Seen, Trouble, database::Expectations,
    },
    wire::{
        READ_WITHIN, Wire, sentence,
        sql::{Login, Tls},
    },
};

/// How often the pods behind a service are looked for, and what is missing is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The database as configured.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The members: host and port of each.
    pub members: Vec<(MemberName, String, u16)>,
    /// Who asks the members; or why that cannot be known, as one sentence.
    pub members_by: Result<Account, String>,
    /// The proxies.
    pub proxies: Vec<Place>,
    /// Who asks the proxies; or why that cannot be known, as one sentence.
    pub proxies_by: Result<Account, String>,
    /// How long to wait between two rounds.
    pub every: Duration,
    /// What is expected of the database.
    pub expected: Expectations,
}

/// Where the admin port of a ProxySQL is.
#[derive(Clone, Debug)]
pub enum Place {
    /// At an address that is reached directly.
    Direct(ProxyName, String, u16),
    /// At this port of every pod behind a service.
    Service(Key, u16),
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

/// An account whose password is at hand.
pub(super) type Ready = (String, Option<SecretString>, Option<Tls>);

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
                let failed = all(&|member| member.failed(Trouble::Denied, &why, Timestamp::now()));
                if into.send(failed).await.is_err() {
                    return;
                }
                sleep(LOOK_EVERY).await;
            }
        }
    };
    let mut tasks = JoinSet::new();
    for (name, host, port) in members {
        tasks.spawn(watch_member(name, login(&ready, host, port), every, into.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

async fn follow_proxies(
    places: Vec<Place>,
    by: Result<Account, String>,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let placeholder = |place: &Place| match place {
        Place::Direct(name, ..) => name.clone(),
        Place::Service(service, port) => format!("{service}:{port}").as_str().into(),
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
                let failed = all(&|proxy| proxy.failed(Trouble::Denied, &why, Timestamp::now()));
                if into.send(failed).await.is_err() {
                    return;
                }
                sleep(LOOK_EVERY).await;
            }
        }
    };
    let mut tasks = JoinSet::new();
    for place in &places {
        if let Place::Direct(name, host, port) = place {
            tasks.spawn(watch_proxy(name.clone(), login(&ready, host.clone(), *port), every, into.clone()));
        }
    }
    // Of each service, the pods that are asked: their addresses, and their tasks.
    let mut asked: BTreeMap<ProxyName, BTreeMap<ProxyName, (String, AbortHandle)>> = BTreeMap::new();
    let services = || places.iter().filter(|place| matches!(place, Place::Service(..)));
    while services().next().is_some() {
        for place in services() {
            let Place::Service(service, port) = place else { continue };
            let stand_in = placeholder(place);
            let before = asked.entry(stand_in.clone()).or_default();
            let found = match pods(wire.as_ref(), service).await {
                Ok(found) if found.is_empty() => Err(format!("no pod runs behind the service {service}")),
                found => found,
            };
            let pods = match found {
                // What was found before is asked on: the API server may be away, and the proxies be well.
                Err(why) if before.is_empty() => {
                    let proxy = Proxy::new(stand_in).failed(Trouble::Unreachable, &why, Timestamp::now());
                    if put(proxy).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(_) => continue,
                Ok(pods) => pods,
            };
            if before.is_empty() {
                let _ = into.send(Observation::Proxy(Seen::Gone(stand_in))).await;
            }
            let now: BTreeMap<ProxyName, String> = pods
                .into_iter()
                .map(|(pod, address)| {
                    (format!("{}/{pod}:{port}", service.namespace).as_str().into(), address)
                })
                .collect();
            let gone: Vec<_> = before
                .iter()
                .filter(|(name, (address, _))| now.get(*name) != Some(address))
                .map(|(name, _)| name.clone())
                .collect();
            for name in gone {
                if let Some((_, task)) = before.remove(&name) {
                    task.abort();
                }
                let _ = into.send(Observation::Proxy(Seen::Gone(name))).await;
            }
            for (name, address) in now {
                if before.contains_key(&name) {
                    continue;
                }
                if put(Proxy::new(name.clone())).await.is_err() {
                    return;
                }
                let login = login(&ready, address.clone(), *port);
                let task = tasks.spawn(watch_proxy(name.clone(), login, every, into.clone()));
                before.insert(name, (address, task));
            }
        }
        sleep(LOOK_EVERY).await;
    }
    while tasks.join_next().await.is_some() {}
}

pub(super) fn login((user, password, tls): &Ready, host: String, port: u16) -> Login {
    Login { host, port, user: user.clone(), password: password.clone(), tls: tls.clone() }
}

pub(super) async fn resolve(by: &Result<Account, String>, wire: Option<&Wire>) -> Result<Ready, String> {
    let account = by.as_ref().map_err(String::clone)?;
    let password = match &account.password {
        Password::Known(password) => password.clone(),
        Password::Secret(secret, key) => Some(fetch(wire, secret, key).await?),
    };
    Ok((account.user.clone(), password, account.tls.clone()))
}

async fn fetch(wire: Option<&Wire>, secret: &Key, key: &str) -> Result<SecretString, String> {
    let cannot = |why: String| format!("the Secret {secret} with the password cannot be read: {why}");
    let client = wire.ok_or_else(|| cannot("no cluster is configured".into()))?.client().await;
    let api: Api<Secret> = Api::namespaced(client.map_err(cannot)?, &secret.namespace);
    let found = within(api.get(&secret.name)).await.map_err(cannot)?;
    let value = found.data.and_then(|mut data| data.remove(key));
    let bytes = value.ok_or_else(|| format!("the Secret {secret} has no key {key}"))?.0;
    let text = String::from_utf8(bytes).map_err(|_| format!("the Secret {secret} holds no text in {key}"))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The pods behind a service that run, and their addresses.
pub(super) async fn pods(wire: Option<&Wire>, service: &Key) -> Result<BTreeMap<String, String>, String> {
    let cannot = |why: String| format!("the pods behind the service {service} cannot be found: {why}");
    let client = wire.ok_or_else(|| cannot("no cluster is configured".into()))?.client().await;
    let client = client.map_err(cannot)?;
    let api: Api<Service> = Api::namespaced(client.clone(), &service.namespace);
    let selector = within(api.get(&service.name)).await.map_err(cannot)?.spec.and_then(|spec| spec.selector);
    let selector: Vec<_> =
        selector.unwrap_or_default().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    if selector.is_empty() {
        return Err(cannot("it has no selector".into()));
    }
    let api: Api<Pod> = Api::namespaced(client, &service.namespace);
    let list: ObjectList<Pod> =
        within(api.list(&ListParams::default().labels(&selector.join(",")))).await.map_err(cannot)?;
    let running = list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(running.filter_map(|pod| Some((pod.metadata.name?, pod.status?.pod_ip?))).collect())
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(READ_WITHIN, request).await {
        Ok(answer) => answer.map_err(|e| sentence(&e)),
        Err(_) => Err(format!("no answer within {} s", READ_WITHIN.as_secs())),
    }
}
