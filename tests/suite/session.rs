//! A cluster and the cockpits that look at it, for tests: each session has a runtime of its own, so that it can die as a
//! process dies, everything at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch};
use wheelhouse::{
    cluster::{Key, Snapshot, Tenancy, TenantName},
    demo::{self, Cluster, Options, kind::Kind},
    live::{
        Scope,
        database::{Configured, logins},
        observe,
    },
    plan::{Approved, Confirmation, DatabaseAct, Intent, Plan, Target, plan},
    run::{Access, Handle, JournalPlace, Run, RunSeen, RunState, Who, give_up, resume, runs, start},
    wire,
};

use crate::world::{begin, standing};

/// Nothing here takes this long, on any machine; it only ends a test that would wait for ever.
pub const PATIENCE: Duration = Duration::from_secs(120);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// The embedded cluster, standing still until it is stepped.
pub struct Ground {
    pub cluster: Cluster,
    runtime: Runtime,
    folder: TempDir,
}

impl Ground {
    pub fn new() -> Self {
        let epoch = Some("2026-11-21T09:00:00Z".parse().unwrap());
        Self::with(Options { seed: 11, epoch, ..standing(3) })
    }

    /// The embedded cluster of these options.
    pub fn with(options: Options) -> Self {
        let runtime = runtime();
        let cluster = runtime.block_on(begin(options));
        Self { cluster, runtime, folder: tempfile::tempdir().unwrap() }
    }

    /// A cockpit of this operator, with all rights.
    pub fn session(&self, operator: &str) -> Session {
        self.session_with(operator, &self.cluster.kubeconfig())
    }

    /// A cockpit of this operator, with the rights of that kubeconfig.
    pub fn session_with(&self, operator: &str, kubeconfig: &str) -> Session {
        let path = self.folder.path().join(format!("kubeconfig-{operator}"));
        std::fs::write(&path, kubeconfig).unwrap();
        Session::new(operator, &path, self.folder.path().join("state"), None)
    }

    /// A cockpit of this operator, with all rights, that follows the database too.
    pub fn session_of_database(&self, operator: &str, configured: Configured) -> Session {
        let path = self.folder.path().join(format!("kubeconfig-{operator}"));
        std::fs::write(&path, self.cluster.kubeconfig()).unwrap();
        Session::new(operator, &path, self.folder.path().join("state"), Some(configured))
    }

    pub fn state_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// Lets seconds pass in the world.
    pub fn step(&self, seconds: u64) {
        self.cluster.step(Duration::from_secs(seconds));
    }

    /// Lets no node take pods, or all of them again.
    pub fn cordon(&self, yes: bool) {
        self.cluster.with_world(|w| {
            let name = |n: &Arc<Value>| n["metadata"]["name"].as_str().unwrap().to_owned();
            let nodes: Vec<_> = w.store.list(Kind::NODE, None).map(name).collect();
            for node in nodes {
                w.store.update(Kind::NODE, "", &node, "test", |n| n["spec"]["unschedulable"] = yes.into());
            }
        });
    }

    /// Lets one node take no pods.
    pub fn cordon_one(&self, node: &str) {
        self.cluster.with_world(|w| {
            w.store.update(Kind::NODE, "", node, "test", |n| n["spec"]["unschedulable"] = true.into());
        });
    }

    pub fn restart(&self) {
        self.runtime.block_on(self.cluster.restart());
    }

    pub fn deployment(&self, tenant: &str) -> Value {
        self.cluster.with_world(|w| Value::clone(w.store.get(Kind::DEPLOYMENT, tenant, tenant).unwrap()))
    }

    pub fn replicas(&self, tenant: &str) -> u32 {
        self.deployment(tenant)["spec"]["replicas"].as_u64().unwrap() as u32
    }

    /// Grows by one with each change of the spec: how often it was written.
    pub fn generation(&self, tenant: &str) -> i64 {
        self.deployment(tenant)["metadata"]["generation"].as_i64().unwrap()
    }

    pub fn set_replicas(&self, tenant: &str, replicas: u32) {
        self.cluster.with_world(|w| {
            w.store
                .update(Kind::DEPLOYMENT, tenant, tenant, "somebody", |d| {
                    d["spec"]["replicas"] = replicas.into()
                })
                .unwrap();
        });
    }

    /// Gives a lease to somebody else, whoever has it.
    pub fn steal(&self, lease: &str, holder: &str) {
        let kind = demo::kind::KINDS.iter().find(|k| k.plural == "leases").unwrap();
        let give = |l: &mut Value| l["spec"]["holderIdentity"] = holder.into();
        self.cluster.with_world(|w| w.store.update(kind, "wheelhouse", lease, "somebody", give)).unwrap();
    }

    /// Changes an object of wheelhouse's own namespace, as somebody else would.
    pub fn change(&self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let kind = demo::kind::KINDS.iter().find(|k| k.plural == plural).unwrap();
        self.cluster.with_world(|w| w.store.update(kind, "wheelhouse", name, "somebody", change)).unwrap();
    }

    /// An object of wheelhouse's own namespace is deleted.
    pub fn delete(&self, plural: &str, name: &str) {
        let kind = demo::kind::KINDS.iter().find(|k| k.plural == plural).unwrap();
        self.cluster.with_world(|w| w.store.delete(kind, "wheelhouse", name, &Default::default())).unwrap();
    }

    /// Holders of the leases, `None` for one that was given back.
    pub fn holders(&self) -> Vec<Option<String>> {
        let kind = demo::kind::KINDS.iter().find(|k| k.plural == "leases").unwrap();
        let holder = |l: &Value| l["spec"]["holderIdentity"].as_str().map(str::to_owned);
        self.cluster.with_world(|w| w.store.list(kind, Some("wheelhouse")).map(|l| holder(l)).collect())
    }

    /// Messages of the Events that tell of scalings, by tenant.
    pub fn events(&self, tenant: &str) -> Vec<String> {
        let ours = |e: &&Arc<Value>| e["reason"] == "ScaledByWheelhouse";
        let message = |e: &Arc<Value>| e["message"].as_str().unwrap().to_owned();
        self.cluster
            .with_world(|w| w.store.list(Kind::EVENT, Some(tenant)).filter(ours).map(message).collect())
    }

    /// Steps the world until the session is through with the run.
    pub fn drive(&self, session: &Session, handle: &mut Handle) -> Run {
        self.drive_until(session, handle, |run| run.state.is_over() || run.state == RunState::Paused);
        session.block("the end of the run", handle.ended())
    }

    /// Steps the world until the run is so far.
    pub fn drive_until(&self, session: &Session, handle: &mut Handle, far: impl Fn(&Run) -> bool) {
        let began = std::time::Instant::now();
        while !far(&handle.watch.borrow_and_update()) {
            assert!(began.elapsed() < PATIENCE, "the run gets nowhere: {:?}", handle.watch.borrow().doing);
            // The world moves once the run has seen all of it, and has nothing more to say for the moment.
            let news =
                async { tokio::time::timeout(Duration::from_millis(30), handle.watch.changed()).await };
            if session.block("news", news).is_err() {
                session.catch_up(self);
                self.step(1);
            }
        }
    }
}

/// One cockpit.
pub struct Session {
    runtime: Option<Runtime>,
    pub access: Access,
    pub seen: watch::Receiver<Arc<Snapshot>>,
}

impl Session {
    fn new(
        operator: &str,
        kubeconfig: &Path,
        state_dir: std::path::PathBuf,
        database: Option<Configured>,
    ) -> Self {
        let runtime = runtime();
        let target = wire::Target { kubeconfig: Some(kubeconfig.to_owned()), ..Default::default() };
        let (wire, seen) = runtime.block_on(async {
            let wire = wire::Wire::connect_lazily(&target).await.unwrap();
            let scope = Scope {
                tenancy: Tenancy::default(),
                publish_at_most_every: Duration::from_millis(2),
                probe_every: Duration::from_secs(1),
                database: database.clone(),
                ..Scope::default()
            };
            let (seen, _) = observe(wire.clone(), scope);
            (wire, seen)
        });
        let who = Who {
            operator: operator.into(),
            user: Some("operator".into()),
            session: format!("{:08x}", rand::random::<u32>()),
        };
        let access = Access {
            wire,
            who,
            journal_namespace: "wheelhouse".into(),
            read_only: false,
            database: database.map(|configured| logins(&configured, None)),
            state_dir,
            registries: Default::default(),
            lease_seconds: 15,
        };
        let session = Self { runtime: Some(runtime), access, seen };
        session.until("the first full view", |s| {
            s.sources()
                .iter()
                .all(|(name, f)| f.is_live() || f.trouble().is_some() || name.ends_with("metrics"))
        });
        session
    }

    /// Runs a future in this session.
    pub fn block<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let runtime = self.runtime.as_ref().expect("it lives");
        let waited = runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await });
        waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
    }

    /// Calls what begins tasks in this session.
    pub fn enter<T>(&self, begin: impl FnOnce() -> T) -> T {
        let _guard = self.runtime.as_ref().expect("it lives").enter();
        begin()
    }

    /// Waits until the session sees this.
    pub fn until(&self, what: &str, so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut seen = self.seen.clone();
        self.block(what, async move { seen.wait_for(|s| so(s)).await.unwrap().clone() })
    }

    pub fn now(&self) -> Arc<Snapshot> {
        self.seen.borrow().clone()
    }

    /// Waits until it has seen the world as it is now; not for long where it cannot see all of it.
    pub fn catch_up(&self, ground: &Ground) {
        let began = std::time::Instant::now();
        let mut seen = self.seen.clone();
        loop {
            let now = seen.borrow_and_update().clone();
            let Some(behind) = behind(&now, ground) else { return };
            let whole = now.sources().iter().all(|(_, f)| f.is_live());
            if !whole && began.elapsed() > Duration::from_secs(2) {
                return;
            }
            if began.elapsed() > PATIENCE {
                eprintln!("this is not seen: {behind}");
                return;
            }
            let news = async { tokio::time::timeout(Duration::from_secs(1), seen.changed()).await };
            let _ = self.block("what is seen", news);
        }
    }

    /// The runs this session sees.
    pub fn runs(&self) -> Vec<RunSeen> {
        runs(&self.now())
    }

    pub fn start(&self, plan: Plan, place: JournalPlace) -> Handle {
        let _guard = self.runtime.as_ref().expect("it lives").enter();
        start(self.access.clone(), approve(plan), place, self.seen.clone())
    }

    pub fn resume(&self, run: Run) -> Handle {
        let _guard = self.runtime.as_ref().expect("it lives").enter();
        resume(self.access.clone(), run, self.seen.clone())
    }

    pub fn give_up(&self, run: Run, why: &str) -> Handle {
        let _guard = self.runtime.as_ref().expect("it lives").enter();
        give_up(self.access.clone(), run, why, self.seen.clone())
    }

    pub fn take_as_succeeded(&self, run: Run) -> Handle {
        let _guard = self.runtime.as_ref().expect("it lives").enter();
        wheelhouse::run::take_as_succeeded(self.access.clone(), run, self.seen.clone())
    }

    /// A plan that scales a tenant by so many, from what this session sees.
    pub fn plan(&self, tenant: &str, by: i64) -> Plan {
        let from = self.now().tenants[&TenantName::from(tenant)].desired();
        let to = i64::from(from) + by;
        let targets = vec![Target { tenant: tenant.into(), to }];
        plan(&self.now(), &Intent::Scale { targets })
    }

    /// The end of a process: nothing of it runs any more, and it says good-bye to nobody.
    pub fn kill(mut self) {
        self.runtime.take().expect("it lives").shutdown_timeout(PATIENCE);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What of the world as it is now, its pods and Deployments, is not seen.
fn behind(seen: &Snapshot, ground: &Ground) -> Option<String> {
    let text =
        |object: &Value, at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = |object: &Value| Key::new(text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let pod = |now: &&Arc<Value>| {
        let conditions = now["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
        let known = seen.pods.get(&key(now)).filter(|pod| pod.uid.as_str() == text(now, "/metadata/uid"));
        known.is_none_or(|pod| {
            pod.ready != ready
                || pod.deleting.is_some() != now["metadata"]["deletionTimestamp"].is_string()
                || pod.node.as_ref().map_or("", |node| node.as_str()) != text(now, "/spec/nodeName")
        })
    };
    let deployment = |now: &&Arc<Value>| {
        let version = text(now, "/metadata/resourceVersion");
        seen.deployments.get(&key(now)).is_none_or(|known| known.resource_version.as_str() != version)
    };
    ground.cluster.with_world(|w| {
        let pod = w.store.list(Kind::POD, None).find(pod);
        let found = pod.or_else(|| w.store.list(Kind::DEPLOYMENT, None).find(deployment))?;
        let known = (seen.pods.get(&key(found)), seen.deployments.get(&key(found)));
        Some(format!("{found}\nseen: {known:?}"))
    })
}

pub fn approve(plan: Plan) -> Approved {
    let typed = match plan.confirmation() {
        Confirmation::Yes => None,
        Confirmation::Type(text) => Some(text),
    };
    plan.approve(typed.as_deref(), Some("a test".into())).unwrap()
}

/// The plan a session makes of this as soon as nothing stands against it: what ended a moment ago is seen a moment later.
pub fn planned(session: &Session, intent: &Intent) -> Plan {
    let mut seen = session.seen.clone();
    let began = std::time::Instant::now();
    loop {
        let made = plan(&seen.borrow_and_update(), intent);
        if made.refusals().next().is_none() {
            return made;
        }
        assert!(began.elapsed() < PATIENCE, "{made}");
        let news = async { tokio::time::timeout(Duration::from_secs(1), seen.changed()).await };
        let _ = session.block("news", news);
    }
}

/// The same of an act on the database.
pub fn act(session: &Session, act: DatabaseAct) -> Plan {
    planned(session, &Intent::Database { act })
}

/// What a run said last.
pub fn text(run: &Run) -> &str {
    run.last_word().unwrap_or_default()
}
