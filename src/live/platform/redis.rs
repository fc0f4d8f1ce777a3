//! Redis servers and sentinels are asked, each in a task of its own, so that one that hangs never slows the others.
//!
//! A server is asked `PING`, `ROLE` and `INFO`, a sentinel four commands about each master it watches. Least rights:
//! `+ping +info +role`, and `+sentinel|masters` and its like. Never `CONFIG GET`, which shows passwords.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::mpsc, time::sleep};

use super::{
    super::database::watch::pause_after,
    endpoint::{StoreAddress, Why, send},
};
use crate::{
    cluster::{
        Observation,
        platform::{
            Component, Facts,
            redis::{RedisFacts, RedisInfo, RedisRole, SentinelFacts, Watched},
        },
    },
    wire::{
        Wire,
        redis::{Login, Redis},
        sql::Failure,
    },
};

/// What is asked of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Server,
    Sentinel,
}

/// Asks one server or sentinel until nobody listens any more.
pub(super) async fn watch(
    mut component: Component,
    what: What,
    place: StoreAddress,
    wire: Option<Wire>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut pause = every;
    loop {
        let mut redis = match place.account(wire.as_ref()).await {
            Ok(account) => Redis::new(Login {
                host: place.host.clone(),
                port: place.port,
                user: account.user,
                password: account.password,
                tls: account.tls,
                may_go_without: what == What::Sentinel,
            }),
            Err(why) => {
                component = why.tell(&component);
                pause = pause_after(Some(why.trouble()), pause, every);
                if !send(&into, &component).await {
                    return;
                }
                sleep(pause).await;
                continue;
            }
        };
        loop {
            let now = Timestamp::now();
            let asked = match what {
                What::Server => server(&mut redis, component.status.as_deref()).await,
                What::Sentinel => sentinel(&mut redis).await.map(|facts| (Facts::Sentinel(facts), None)),
            };
            let trouble = match asked {
                Ok((facts, number)) => {
                    component = component.read(facts, number, now);
                    None
                }
                Err(failure) => {
                    let why = Why::from(failure);
                    component = why.tell(&component);
                    Some(why.trouble())
                }
            };
            if !send(&into, &component).await {
                return;
            }
            pause = pause_after(trouble, pause, every);
            sleep(pause).await;
            // The password may have been changed where it is kept.
            if trouble == Some(crate::cluster::Trouble::Denied) {
                break;
            }
        }
    }
}

/// One round of a server; the number is how many keys it has.
async fn server(redis: &mut Redis, before: Option<&Facts>) -> Result<(Facts, Option<f64>), Failure> {
    let mut denied = Vec::new();
    // While it reads its data from disk, or has lost its master, it replies an error: it answers.
    let _ = redis.ask(&["PING"]).await?;
    let mut asked = async |words: &[&str]| -> Result<Option<Value>, Failure> {
        match redis.ask(words).await? {
            Ok(value) => Ok(Some(value)),
            Err(why) => {
                if why.starts_with("NOPERM") {
                    denied.push(words[0].into());
                }
                Ok(None)
            }
        }
    };
    let role = asked(&["ROLE"]).await?.as_ref().and_then(RedisRole::read);
    let info = asked(&["INFO"]).await?;
    let info = info.as_ref().and_then(Value::as_str).map(RedisInfo::read);
    let before = match before {
        Some(Facts::Redis(facts)) => Some(facts),
        _ => None,
    };
    let keys = info.as_ref().and_then(|info| info.keys).map(|(keys, _)| keys as f64);
    let facts = RedisFacts::read(role, info, denied, before, Timestamp::now());
    Ok((Facts::Redis(facts), keys))
}

/// One round of a sentinel.
async fn sentinel(redis: &mut Redis) -> Result<SentinelFacts, Failure> {
    let mut facts = SentinelFacts::default();
    let masters = match redis.ask(&["SENTINEL", "MASTERS"]).await? {
        Ok(masters) => Watched::read(&masters),
        Err(why) => {
            if why.starts_with("NOPERM") {
                facts.denied.push("SENTINEL MASTERS".into());
            }
            return Ok(facts);
        }
    };
    for master in masters {
        let name = master.name.to_string();
        let mut master = master;
        if let Ok(address) = redis.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &name]).await? {
            master = master.at(&address);
        }
        if let Ok(replicas) = redis.ask(&["SENTINEL", "REPLICAS", &name]).await? {
            master = master.with_replicas(&replicas);
        }
        match redis.ask(&["SENTINEL", "CKQUORUM", &name]).await? {
            Ok(Value::String(said)) => master = master.with_quorum(&said),
            Err(why) if why.starts_with("NOPERM") => facts.denied.push("SENTINEL CKQUORUM".into()),
            Err(why) => master = master.with_quorum(&why),
            Ok(_) => {}
        }
        facts.masters.push(master);
    }
    Ok(facts)
}
