use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::cluster::{
    Freshness, Key, LinkState, Pool, Slice, Snapshot, Trouble,
    platform::{Around, Component, ComponentKey, ComponentKind, Facts, Judged, Platform},
};

/// The captures of one state: three servers and two sentinels.
struct Capture {
    servers: [(&'static str, &'static str); 3],
    /// Masters, replicas, quorum, address.
    sentinels: [[&'static str; 4]; 2],
}

macro_rules! capture {
    ($state:literal, $port:literal, $what:literal) => {
        include_str!(concat!("../../../../tests/captures/platform/redis/", $state, ".", $port, ".", $what))
    };
}

macro_rules! state {
    ($state:literal) => {
        Capture {
            servers: [
                (capture!($state, "6401", "role.json"), capture!($state, "6401", "info.txt")),
                (capture!($state, "6402", "role.json"), capture!($state, "6402", "info.txt")),
                (capture!($state, "6403", "role.json"), capture!($state, "6403", "info.txt")),
            ],
            sentinels: [
                [
                    capture!($state, "26401", "masters.json"),
                    capture!($state, "26401", "replicas.json"),
                    capture!($state, "26401", "ckquorum.txt"),
                    capture!($state, "26401", "master-addr.txt"),
                ],
                [
                    capture!($state, "26402", "masters.json"),
                    capture!($state, "26402", "replicas.json"),
                    capture!($state, "26402", "ckquorum.txt"),
                    capture!($state, "26402", "master-addr.txt"),
                ],
            ],
        }
    };
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_925_000 + seconds).unwrap()
}

const SENTINELS: [&str; 2] = ["127.0.0.1:26401", "127.0.0.1:26402"];

/// Three servers called after their ports, and two sentinels.
#[derive(Default)]
pub(super) struct Lab {
    seen: Snapshot,
}

impl Lab {
    fn new() -> Self {
        let wanted = |port: u16| Wanted {
            name: format!("redis-{port}").into(),
            address: format!("127.0.0.1:{port}").into(),
            sentinels: SENTINELS.map(Arc::from).to_vec(),
            ..Wanted::default()
        };
        let around = Around { redis: [6401, 6402, 6403].map(wanted).to_vec(), ..Around::default() };
        let mut lab = Self::default();
        lab.seen.around = Arc::new(around);
        lab.seen.at = at(0);
        lab
    }

    fn put(&mut self, kind: ComponentKind, name: &str, of: impl FnOnce(&Component) -> Component) {
        let key = ComponentKey::new(kind, name);
        let before = self.seen.platform.items.get(&key).cloned();
        let before = before.map_or_else(|| Component::new(key.clone()), |component| (*component).clone());
        let items: OrdMap<_, _> = self.seen.platform.items.update(key, Arc::new(of(&before)));
        self.seen.platform = Slice { items, freshness: Freshness::Live { since: at(0) }, ..Slice::default() };
        self.seen.surveyed.forget();
    }

    fn see(mut self, capture: &Capture, seconds: i64) -> Self {
        let now = at(seconds);
        self.seen.at = now;
        for (port, (role, info)) in [6401, 6402, 6403].into_iter().zip(capture.servers) {
            let reply: Result<Value, _> = serde_json::from_str(role);
            let text = if role.trim().is_empty() { "it hangs" } else { role.trim() };
            self.put(ComponentKind::Redis, &format!("redis-{port}"), |before| match reply {
                Ok(reply) => {
                    let said = match before.status.as_deref() {
                        Some(Facts::Redis(facts)) => Some(facts),
                        _ => None,
                    };
                    let facts = RedisFacts::read(
                        RedisRole::read(&reply),
                        Some(RedisInfo::read(info)),
                        vec![],
                        said,
                        now,
                    );
                    before.read(Facts::Redis(facts), None, now)
                }
                Err(_) => before.failed(Trouble::Refused, text, now),
            });
        }
        for (name, [masters, replicas, quorum, address]) in SENTINELS.into_iter().zip(capture.sentinels) {
            let json = |text: &str| serde_json::from_str::<Value>(text);
            self.put(ComponentKind::Sentinel, name, |before| match json(masters) {
                Ok(masters) => {
                    let address: Vec<_> = address.lines().map(|l| Value::from(l.trim())).collect();
                    let watched = Watched::read(&masters).into_iter().map(|master| {
                        master
                            .at(&address.clone().into())
                            .with_replicas(&json(replicas).unwrap())
                            .with_quorum(quorum.trim())
                    });
                    let facts = SentinelFacts { masters: watched.collect(), denied: vec![] };
                    before.read(Facts::Sentinel(facts), None, now)
                }
                Err(_) => before.failed(Trouble::Refused, masters.trim(), now),
            });
        }
        self
    }

    fn wrong(&self) -> Vec<(String, LinkState, &'static str)> {
        let platform = Platform::of(&self.seen);
        platform.wrong().map(|j| (format!("{} {}", j.key, j.text), j.state, j.rule.unwrap())).collect()
    }

    fn of(&self, name: &str) -> Judged {
        let platform = Platform::of(&self.seen);
        let row = platform.components.iter().find(|row| *row.key.name == *name).unwrap();
        row.said[0].clone()
    }
}

#[test]
fn servers_that_replicate_are_well_and_say_what_they_hold() {
    let lab = Lab::new().see(&state!("healthy"), 0);
    assert_eq!(lab.wrong(), []);
    assert_eq!(lab.of("redis-6401").text, "is the master of 2 replicas");
    assert_eq!(lab.of("redis-6402").text, "follows 127.0.0.1:6401");
    assert_eq!(lab.of("127.0.0.1:26401").text, "names 127.0.0.1:6401 the master");
    let platform = Platform::of(&lab.seen);
    let numbers = &platform.components.iter().find(|row| *row.key.name == *"redis-6401").unwrap().numbers;
    assert!(numbers.contains(&("keys", "200".into())), "{numbers:?}");
    assert!(numbers.contains(&("memory", "1.4 Mi of 20 Mi".into())), "{numbers:?}");
}

#[test]
fn of_two_masters_the_one_that_the_sentinels_name_is_it() {
    let lab = Lab::new().see(&state!("old_primary_back_0s"), 0);
    let wrong = lab.wrong();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let (text, state, rule) = &wrong[0];
    assert_eq!((*state, *rule), (LinkState::Broken, "platform-redis-masters"));
    assert_eq!(
        text,
        "Redis redis-6401 takes itself for the master too, without replicas: 2 of 2 sentinels name redis-6403; what is \
         written here is lost when it becomes a replica"
    );
    // Twelve seconds later it connects as a replica.
    let lab = lab.see(&state!("old_primary_back_12s"), 12);
    let wrong = lab.wrong();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].2, "platform-redis-replica");
}

#[test]
fn without_sentinels_neither_of_two_masters_is_believed() {
    let mut lab = Lab::new().see(&state!("old_primary_back_0s"), 0);
    for name in SENTINELS {
        lab.put(ComponentKind::Sentinel, name, |before| before.failed(Trouble::Refused, "x", at(1)));
    }
    let masters: Vec<_> = lab.wrong().into_iter().filter(|w| w.2 == "platform-redis-masters").collect();
    assert_eq!(masters.len(), 2, "{masters:?}");
    assert!(masters.iter().all(|(text, ..)| text.contains("which of them holds the sessions is not known")));
}

#[test]
fn a_dead_master_is_nobody_that_takes_writes_until_another_is_chosen() {
    let lab = Lab::new().see(&state!("healthy"), 0).see(&state!("primary_dead_1s"), 1);
    let dead = lab.of("redis-6401");
    assert_eq!((dead.state, dead.rule), (LinkState::Broken, Some("platform-redis-down")));
    assert!(
        dead.text.ends_with("2 sentinels name it the master: nobody takes writes until another is chosen"),
        "{}",
        dead.text
    );
    // Their links are down at once, and the sentinels still name the dead one.
    assert_eq!(lab.of("redis-6402").text, "has lost its master 127.0.0.1:6401: the link is down for 1s");
    let lab = lab.see(&state!("failed_over"), 10);
    let dead = lab.of("redis-6401");
    assert_eq!(dead.state, LinkState::Warning, "{}", dead.text);
    assert_eq!(lab.of("redis-6403").text, "is the master of 1 replica");
    // Without a capture of before the sentinels tell which it is as well.
    let fresh = Lab::new().see(&state!("primary_dead_1s"), 1);
    assert_eq!(fresh.of("redis-6401").state, LinkState::Broken);
}

#[test]
fn without_a_quorum_no_failover_will_happen_and_that_is_one_finding() {
    let lab = Lab::new().see(&state!("sentinel_minority"), 0);
    let wrong = lab.wrong();
    let rules: Vec<_> = wrong.iter().map(|w| (w.1, w.2)).collect();
    assert_eq!(
        rules,
        [(LinkState::Warning, "platform-redis-quorum"), (LinkState::Warning, "platform-redis-sentinel")],
        "{wrong:?}"
    );
    assert!(wrong[0].0.contains("no failover will happen (NOQUORUM 1 usable Sentinels"), "{wrong:?}");
    assert!(wrong[0].0.ends_with("if the master fails, nobody takes its place"), "{wrong:?}");
    // With the master gone nobody takes writes, and that stays so.
    let mut lab = lab;
    lab.put(ComponentKind::Redis, "redis-6403", |before| before.failed(Trouble::Refused, "x", at(1)));
    let gone = lab.of("redis-6403");
    assert!(
        gone.state == LinkState::Broken && gone.text.contains("no failover will happen"),
        "{}",
        gone.text
    );
    assert_eq!(lab.of("127.0.0.1:26401").state, LinkState::Broken);
}

#[test]
fn what_keeps_a_master_from_writes_is_read_before_anybody_writes() {
    let full = Lab::new().see(&state!("oom"), 0).of("redis-6403");
    assert_eq!(full.state, LinkState::Broken);
    assert_eq!(full.text, "refuses writes (OOM): 3 Mi of 1 Mi in use (300 %), and noeviction evicts nothing");
    // It has two good replicas again; that it refused a write is in its counters.
    let few = Lab::new().see(&state!("noreplicas"), 0).of("redis-6403");
    assert_eq!(few.state, LinkState::Notice);
    assert_eq!(few.text, "has refused 1 write since its start (NOREPLICAS); now 2 replicas are near enough");
    let text = include_str!("../../../../tests/captures/platform/redis/misconf.6403.info.txt");
    let mut lab = Lab::new().see(&state!("noreplicas"), 0);
    let role = RedisRole::Master { offset: 1, replicas: vec![] };
    let facts = RedisFacts::read(Some(role), Some(RedisInfo::read(text)), vec![], None, at(1));
    lab.put(ComponentKind::Redis, "redis-6403", |before| before.read(Facts::Redis(facts), None, at(1)));
    let misconf = lab.of("redis-6403");
    assert_eq!(misconf.state, LinkState::Broken);
    assert_eq!(misconf.text, "refuses writes (MISCONF): its last snapshot to disk failed");
}

#[test]
fn evicted_sessions_are_told_by_the_difference_and_not_by_the_sum() {
    // 18,148 were evicted at some time: nothing says that it was now.
    let lab = Lab::new().see(&state!("evicting"), 0);
    assert_eq!(lab.wrong(), []);
    // One more after that.
    let lab = lab.see(&state!("noreplicas"), 40);
    let evicted: Vec<_> = lab.wrong().into_iter().filter(|w| w.2 == "platform-redis-evictions").collect();
    assert_eq!(evicted.len(), 1);
    assert!(evicted[0].0.starts_with("Redis redis-6403 has evicted 1 key lately"), "{evicted:?}");
}

#[test]
fn one_server_that_refuses_the_login_is_told_with_why() {
    let mut lab = Lab::new().see(&state!("healthy"), 0);
    lab.put(ComponentKind::Redis, "redis-6402", |before| {
        before.failed(Trouble::Denied, "wrong password (WRONGPASS)", at(1))
    });
    let denied = lab.of("redis-6402");
    assert_eq!((denied.state, denied.rule), (LinkState::Warning, Some("platform-redis-login")));
    assert!(denied.text.ends_with("2 other servers accept it: ACLs are not replicated"), "{}", denied.text);
    // A command that may not be run leaves the rest known.
    let (role, _) = state!("healthy").servers[0];
    let role = RedisRole::read(&serde_json::from_str(role).unwrap());
    let facts = RedisFacts::read(role, None, vec!["INFO".into()], None, at(1));
    lab.put(ComponentKind::Redis, "redis-6401", |before| before.read(Facts::Redis(facts), None, at(1)));
    let denied = lab.of("redis-6401");
    assert!(denied.text.starts_with("does not let the user run INFO (NOPERM)"), "{}", denied.text);
    assert!(denied.remedy.unwrap().contains("ACL SETUSER USER +info"));
}

#[test]
fn a_replica_that_hangs_is_missed_and_the_master_is_well() {
    let lab = Lab::new().see(&state!("replica_hung"), 0);
    let wrong = lab.wrong();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!((wrong[0].1, wrong[0].2), (LinkState::Warning, "platform-redis-down"));
    assert_eq!(lab.of("redis-6401").text, "is the master of 1 replica");
}

#[test]
fn a_master_that_keeps_nothing_on_disk_comes_back_empty() {
    let info = |after: i64, supervised: &str, aof: &str| {
        let (_, text) = state!("evicting").servers[2];
        let saved = 1_795_925_748;
        let text = text.replace(
            "server_time_usec:1795925988097437",
            &format!("server_time_usec:{}", (saved + after) * 1_000_000),
        );
        let text = text.replace("process_supervised:no", &format!("process_supervised:{supervised}"));
        RedisInfo::read(&text.replace("aof_enabled:0", &format!("aof_enabled:{aof}")))
    };
    let judged = |info: RedisInfo| {
        let mut lab = Lab::new().see(&state!("evicting"), 0);
        let (role, _) = state!("evicting").servers[2];
        let role = RedisRole::read(&serde_json::from_str(role).unwrap());
        let facts = RedisFacts::read(role, Some(info), vec![], None, at(1));
        lab.put(ComponentKind::Redis, "redis-6403", |before| before.read(Facts::Redis(facts), None, at(1)));
        lab.of("redis-6403")
    };
    let told = judged(info(7_200, "systemd", "0"));
    assert_eq!((told.state, told.rule), (LinkState::Warning, Some("platform-redis-empty")));
    assert!(
        told.text.contains("20000 changes not saved") && told.text.contains("within 2 s"),
        "{}",
        told.text
    );
    assert_eq!(judged(info(7_200, "no", "0")).state, LinkState::Notice);
    // It may be saved within the hour, or is written to a file all the time.
    assert_eq!(judged(info(600, "systemd", "0")).state, LinkState::Ok);
    assert_eq!(judged(info(7_200, "systemd", "1")).state, LinkState::Ok);
}

#[test]
fn flat_lists_are_read_as_maps_are() {
    let map: Value = serde_json::from_str(state!("healthy").sentinels[0][0]).unwrap();
    let flat: Vec<Value> = map
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let pairs = one.as_object().unwrap().iter();
            pairs
                .flat_map(|(name, value)| [Value::from(name.as_str()), value.clone()])
                .collect::<Vec<_>>()
                .into()
        })
        .collect();
    assert_eq!(Watched::read(&flat.into()), Watched::read(&map));
    assert_eq!(Watched::read(&map)[0].quorum, Some(2));
    // What is no reply of a server is none.
    for odd in ["null", "[]", "[1]", "[\"master\"]", "[\"slave\",\"h\"]", "{}", "\"x\"", "[[1],{\"name\":1}]"]
    {
        let odd: Value = serde_json::from_str(odd).unwrap();
        let _ = (RedisRole::read(&odd), Watched::read(&odd), Watched::default().at(&odd));
    }
    let _ = RedisInfo::read("::::\ndb0:x\nerrorstat_:count\nused_memory:-1\n");
}

#[test]
fn where_the_tenants_point_is_compared_with_the_master_of_now() {
    let mut lab = Lab::new().see(&state!("failed_over"), 0);
    let mut around = (*lab.seen.around).clone();
    around.session_key = Some("REDIS_HOST".into());
    lab.seen.around = Arc::new(around);
    for (tenant, host) in
        [("acme", "127.0.0.1:6402"), ("globex", "127.0.0.1:6403"), ("initech", "redis.db.svc")]
    {
        let data = [("REDIS_HOST".to_owned(), host.to_owned())].into();
        let key = Key::new(tenant, "env");
        let pool = Pool::read(key.clone(), Default::default(), &data, Some("REDIS_HOST")).unwrap();
        lab.seen.pools.items.insert(key, Arc::new(pool));
    }
    lab.seen.surveyed.forget();
    let told: Vec<_> = lab.wrong().into_iter().filter(|w| w.2 == "platform-redis-clients").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0].0,
        "Redis redis-6402 is not the master (redis-6403 is), and ConfigMap acme/env names it as the place of sessions: users \
         cannot log in there"
    );
}

#[test]
fn an_address_that_is_none_of_the_servers_makes_no_second_master() {
    let named = |address: &str, mut lab: Lab| {
        for name in SENTINELS {
            lab.put(ComponentKind::Sentinel, name, |before| {
                let Some(Facts::Sentinel(facts)) = before.status.as_deref().cloned() else {
                    panic!("{name}")
                };
                let masters = facts.masters.into_iter();
                let masters = masters.map(|m| Watched { address: address.into(), run_id: "".into(), ..m });
                let facts = SentinelFacts { masters: masters.collect(), ..facts };
                before.read(Facts::Sentinel(facts), None, at(1))
            });
        }
        lab
    };
    // The servers are configured by name, the sentinels name an address, and no run id is known yet.
    let lab = named("10.0.0.9:6379", Lab::new().see(&state!("healthy"), 0));
    let master = lab.of("redis-6401");
    assert_eq!((master.state, master.rule), (LinkState::Notice, Some("platform-redis-masters")));
    assert_eq!(
        master.text,
        "is the master, and the sentinels name 10.0.0.9:6379, which is none of the servers configured"
    );
    // Of two masters neither is believed then.
    let lab = named("10.0.0.9:6379", Lab::new().see(&state!("old_primary_back_0s"), 0));
    let masters: Vec<_> = lab.wrong().into_iter().filter(|w| w.2 == "platform-redis-masters").collect();
    assert_eq!(masters.len(), 2, "{masters:?}");
    assert!(
        masters.iter().all(|w| w.1 == LinkState::Broken && w.0.contains("which of them holds the sessions"))
    );
    // One that was the master and does not answer is missed all the same.
    let mut lab = named("10.0.0.9:6379", Lab::new().see(&state!("healthy"), 0));
    lab.put(ComponentKind::Redis, "redis-6401", |before| before.failed(Trouble::Refused, "x", at(2)));
    assert!(lab.of("redis-6401").text.ends_with("it was the master: nobody takes writes"));
}

#[test]
fn one_that_tells_nothing_is_not_known_and_refusals_for_want_of_memory_are_told() {
    let mut lab = Lab::new().see(&state!("healthy"), 0);
    let facts = RedisFacts::read(None, None, vec![], None, at(1));
    lab.put(ComponentKind::Redis, "redis-6402", |before| before.read(Facts::Redis(facts), None, at(1)));
    assert_eq!(lab.of("redis-6402").state, LinkState::Unknown);
    // It evicts by its policy, and refused writes all the same.
    let (role, text) = state!("healthy").servers[0];
    let role = RedisRole::read(&serde_json::from_str(role).unwrap());
    let info = |n: u64| {
        let mut info = RedisInfo::read(text);
        (info.policy, info.max, info.used) = (Some("allkeys-lru".into()), Some(100 << 20), Some(98 << 20));
        info.errors.insert("OOM".into(), n);
        Some(info)
    };
    let before = RedisFacts::read(role.clone(), info(1), vec![], None, at(0));
    let facts = RedisFacts::read(role, info(4), vec![], Some(&before), at(30));
    lab.put(ComponentKind::Redis, "redis-6401", |before| before.read(Facts::Redis(facts), None, at(30)));
    let full = lab.of("redis-6401");
    assert_eq!((full.state, full.rule), (LinkState::Broken, Some("platform-redis-writes")));
    assert_eq!(full.text, "has refused 3 writes lately (OOM): 98 Mi of 100 Mi in use (98 %), allkeys-lru");
}
