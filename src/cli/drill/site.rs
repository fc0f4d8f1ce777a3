//! Where a drill takes place: the embedded cluster, and somebody in it who does what the operator does not do.
//!
//! What is asked here is asked of the cluster itself, not of what the cockpit has made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::Failure;
use crate::cluster::Memory;
use crate::demo::{
    Cluster,
    database::{
        State,
        hostgroups::{Backend, Status},
        member::{Member, Process},
        proxysql::ProxySql,
    },
    kind::Kind,
    store,
};

/// The application's image, without its tag.
const APPLICATION: &str = "php-fpm";

/// The embedded cluster of a drill, and the colleague in it.
pub struct Site<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) colleague: &'a Colleague,
}

/// Somebody who works on the same cluster with the same program.
#[derive(Default)]
pub struct Colleague {
    /// A configuration that leads there.
    config: PathBuf,
    /// A state of their own: nothing of it comes into the operator's.
    home: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Colleague {
    pub(super) fn new(config: PathBuf, home: PathBuf) -> Self {
        Self { config, home, child: Mutex::new(None) }
    }

    /// They go, and what they had is removed.
    pub(super) fn leave(&self) {
        end(self.child.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = std::fs::remove_file(&self.config);
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Site<'_> {
    /// The time there.
    pub(super) fn now(&self) -> Timestamp {
        self.cluster.with_world(|world| world.now())
    }

    fn database<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.cluster.database().with(f)
    }

    /// Pulls the plug of a node, or puts it back.
    pub(super) fn power(&self, node: &str, on: bool) {
        let power = if on { "on" } else { "off" };
        let at = "demo.wheelhouse.dev/power";
        self.cluster.with_world(|world| {
            let is =
                world.store.get(Kind::NODE, "", node).map(|node| node["metadata"]["annotations"][at].clone());
            if is.is_some_and(|is| is != power) {
                world.store.update(Kind::NODE, "", node, "kubectl-annotate", |node| {
                    node["metadata"]["annotations"][at] = power.into();
                });
            }
        });
    }

    /// Keeps new pods off a node.
    pub(super) fn cordon(&self, node: &str) {
        self.cluster.with_world(|world| {
            world.store.update(Kind::NODE, "", node, "kubectl-cordon", |node| {
                node["spec"]["unschedulable"] = true.into();
            });
        });
    }

    /// Asks for so many replicas of a tenant.
    pub(super) fn scale(&self, tenant: &str, replicas: i64) {
        self.deployment(tenant, |deployment| deployment["spec"]["replicas"] = replicas.into());
    }

    /// Rolls out the application with this tag.
    pub(super) fn release(&self, tenant: &str, tag: &str) {
        self.deployment(tenant, |deployment| {
            let containers = deployment["spec"]["template"]["spec"]["containers"].as_array_mut();
            for container in containers.into_iter().flatten().filter(|c| c["name"] == APPLICATION) {
                let image = container["image"].as_str().unwrap_or_default();
                let bare = image.rsplit_once(':').map_or(image, |(bare, _)| bare);
                container["image"] = format!("{bare}:{tag}").into();
            }
        });
    }

    /// Lets no more than so many pods be in the namespace of a tenant.
    pub(super) fn quota(&self, tenant: &str, pods: i64) {
        let quota = json!({"metadata": {"name": "pods", "namespace": tenant},
                           "spec": {"hard": {"pods": pods.to_string()}}});
        self.cluster.with_world(|world| world.store.insert(Kind::RESOURCE_QUOTA, quota));
    }

    /// Users make so many requests at once.
    pub(super) fn demand(&self, tenant: &str, requests: f64) {
        self.cluster.with_world(|world| world.demand(tenant, tenant, requests));
    }

    fn deployment(&self, tenant: &str, change: impl FnOnce(&mut Value)) {
        self.cluster.with_world(|world| {
            world.store.update(Kind::DEPLOYMENT, tenant, tenant, "kubectl", change);
        });
    }

    /// An autoscaler keeps a tenant within these bounds, by the use of CPU.
    pub(super) fn autoscale(&self, tenant: &str, least: i64, most: i64) {
        let autoscaler = json!({
            "metadata": {"name": tenant, "namespace": tenant},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": tenant, "apiVersion": "apps/v1"},
                     "minReplicas": least, "maxReplicas": most,
                     "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                                  "target": {"type": "Utilization", "averageUtilization": 80}}}]},
        });
        self.cluster.with_world(|world| world.store.insert(Kind::AUTOSCALER, autoscaler));
    }

    /// So much memory the application may take in each pod of a tenant, the least of them, in Mi; 0 where it has no pod.
    pub(super) fn memory(&self, tenant: &str) -> i64 {
        self.cluster.with_world(|world| {
            let limits = world.store.list(Kind::POD, Some(tenant)).filter_map(|pod| {
                let statuses = pod["status"]["containerStatuses"].as_array()?;
                let status = statuses.iter().find(|status| status["name"] == APPLICATION)?;
                let limit: Memory = status["resources"]["limits"]["memory"].as_str()?.parse().ok()?;
                i64::try_from(limit.0 >> 20).ok()
            });
            limits.min().unwrap_or(0)
        })
    }

    /// The certificate of a tenant's host has expired a moment ago, and the attempts to renew it have failed.
    pub(super) fn certificate_expires(&self, tenant: &str) {
        self.cluster.with_world(|world| {
            let ago = |seconds| world.now() - SignedDuration::from_secs(seconds);
            world.certificate_ends(tenant, ago(5), ago(1_700));
        });
    }

    /// Somebody mends what kept the certificate of a tenant from being renewed, and reloads the first edge.
    pub(super) fn renew_certificate(&self, tenant: &str) {
        self.cluster.with_world(|world| world.renew_certificate(tenant));
        self.reload_edge(0);
    }

    /// Somebody reloads an edge, by its place from 0.
    pub(super) fn reload_edge(&self, edge: usize) {
        self.cluster.with_world(|world| world.around.edges.iter_mut().for_each(|edges| edges.reload(edge)));
    }

    /// An edge presents a certificate of a tenant's host that has not expired.
    pub(super) fn presents(&self, edge: usize, tenant: &str) -> bool {
        self.cluster.with_world(|world| {
            let host = format!("{tenant}.saas.example");
            world.around.edges.as_ref().is_some_and(|edges| edges.presents(edge, &host, world.now()))
        })
    }

    /// A number of the Deployment of a tenant; 0 where it is absent.
    fn number(&self, tenant: &str, pointer: &str) -> i64 {
        self.cluster.with_world(|world| {
            let found = world.store.get(Kind::DEPLOYMENT, tenant, tenant);
            found.and_then(|object| object.pointer(pointer)?.as_i64()).unwrap_or(0)
        })
    }

    /// How many replicas of a tenant are asked for.
    pub(super) fn replicas(&self, tenant: &str) -> i64 {
        self.number(tenant, "/spec/replicas")
    }

    /// The tag that a tenant's template names.
    pub(super) fn tag(&self, tenant: &str) -> String {
        self.cluster.with_world(|world| {
            let found = world.store.get(Kind::DEPLOYMENT, tenant, tenant);
            let containers =
                found.and_then(|d| d["spec"]["template"]["spec"]["containers"].as_array().cloned());
            let image = containers.into_iter().flatten().find(|c| c["name"] == APPLICATION);
            let image = image.map(|c| c["image"].as_str().unwrap_or_default().to_owned()).unwrap_or_default();
            image.rsplit_once(':').map(|(_, tag)| tag.to_owned()).unwrap_or_default()
        })
    }

    /// Every pod of a tenant is of its present template, and ready.
    pub(super) fn is_whole(&self, tenant: &str) -> bool {
        let wanted = self.replicas(tenant);
        let of = |field: &str| self.number(tenant, &format!("/status/{field}"));
        wanted > 0
            && self.number(tenant, "/status/observedGeneration")
                == self.number(tenant, "/metadata/generation")
            && ["replicas", "updatedReplicas", "readyReplicas"].iter().all(|field| of(field) == wanted)
    }

    /// The node reports Ready and takes pods.
    pub(super) fn is_ready(&self, node: &str) -> bool {
        self.cluster.with_world(|world| {
            let Some(node) = world.store.get(Kind::NODE, "", node) else { return false };
            let conditions = node["status"]["conditions"].as_array();
            node["spec"]["unschedulable"] != true
                && conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
        })
    }

    /// Tenants that have two pods on one node, and none on this one.
    pub(super) fn doubled_without(&self, node: &str) -> usize {
        self.cluster.with_world(|world| {
            let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
            let pods = world.store.list(Kind::POD, None).filter(|pod| {
                pod["metadata"]["labels"]["tenant"].is_string()
                    && pod["metadata"]["deletionTimestamp"].is_null()
                    && !matches!(store::text(pod, "/status/phase"), "Succeeded" | "Failed")
            });
            for pod in pods {
                let (tenant, node) =
                    (store::text(pod, "/metadata/namespace"), store::text(pod, "/spec/nodeName"));
                places.entry(tenant.to_owned()).or_default().push(node.to_owned());
            }
            let doubled = |nodes: &&Vec<String>| {
                let distinct: BTreeSet<&String> = nodes.iter().collect();
                distinct.len() < nodes.len() && !nodes.iter().any(|of| of == node)
            };
            places.values().filter(doubled).count()
        })
    }

    /// A job of a tenant runs, and the tenant is at this many replicas.
    fn migrates_at(&self, tenant: &str, replicas: i64) -> bool {
        self.replicas(tenant) == replicas
            && self.cluster.with_world(|world| {
                world
                    .store
                    .list(Kind::JOB, Some(tenant))
                    .any(|job| job["status"]["active"].as_i64() == Some(1))
            })
    }

    /// A colleague begins to migrate a tenant.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) fn colleague_migrates(&self, tenant: &str, tag: &str) -> Result<(), String> {
        let start = || {
            Command::new(std::env::current_exe()?)
                .arg("--config")
                .arg(&self.colleague.config)
                .args(["migrate", tenant, "--image", tag, "--yes", "--reason", "the release of this week"])
                .env("USER", "bob")
                .env("LOGNAME", "bob")
                .env("XDG_STATE_HOME", &self.colleague.home)
                .env_remove("KUBECONFIG")
                .env_remove("WHEELHOUSE_SET")
                .env_remove("WHEELHOUSE_READ_ONLY")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        let child =
            start().map_err(|error: std::io::Error| format!("no colleague can be started: {error}"))?;
        *self.colleague.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// Their connection is cut off once the migration runs at one replica. Whether it has been.
    pub(super) fn colleague_is_cut_off(&self, tenant: &str) -> bool {
        let mut colleague = self.colleague.child.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended by itself, refused or through with it, is gone as well.
        let ended = colleague.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || colleague.is_some() && self.migrates_at(tenant, 1) {
            end(colleague.take());
        }
        colleague.is_none()
    }

    /// Kills a member, or starts it.
    pub(super) fn member(&self, at: usize, up: bool) {
        self.database(|state| match up {
            true => state.galera.start(at),
            false => state.galera.kill(at),
        });
    }

    /// The member answers.
    pub(super) fn answers(&self, at: usize) -> bool {
        self.database(|state| state.galera.members[at].process == Process::Running)
    }

    /// `pc.bootstrap=YES` on a member.
    pub(super) fn bootstrap(&self, at: usize) {
        self.database(|state| state.galera.declare_primary(at));
    }

    /// Reads where all members stand, starts the one that is furthest as a new cluster, and then the others. Its place.
    pub(super) fn recover(&self) -> usize {
        self.database(|state| {
            let galera = &mut state.galera;
            let all = 0..galera.members.len();
            // Of those that are as far, the first.
            let first = all.clone().rev().max_by_key(|at| galera.members[*at].committed).unwrap_or(0);
            galera.bootstrap(first);
            all.filter(|at| *at != first).for_each(|at| galera.start(at));
            first
        })
    }

    /// How many write-sets a second a member applies.
    pub(super) fn applies(&self, at: usize, rate: f64) {
        self.database(|state| state.galera.members[at].apply_rate = rate);
    }

    /// Members that run and are ready in a component with a quorum.
    pub(super) fn members_ready(&self) -> usize {
        self.database(|state| {
            let ready = |m: &&Member| m.process == Process::Running && m.ready();
            state.galera.members.iter().filter(ready).count()
        })
    }

    /// A member asks the others to slow down.
    pub(super) fn is_throttled(&self) -> bool {
        self.database(|state| state.galera.members.iter().any(|m| m.paused || m.requests_pause))
    }

    /// A member that lags is taken out of flow control, or no proxy leads anybody to it.
    pub(super) fn is_relieved(&self, at: usize) -> bool {
        self.database(|state| state.galera.members[at].desync_count() > 0)
    }

    /// No proxy knows a member any more.
    pub(super) fn is_out(&self, at: usize) -> bool {
        self.database(|state| {
            let port = state.galera.members[at].address.port();
            let there = |b: &Backend| b.port == port && b.status != Status::OfflineHard;
            !state.proxies.iter().any(|proxy| proxy.hostgroups.backends.iter().any(there))
        })
    }

    /// Somebody gives a member another weight in what a proxy runs, and does not save it.
    pub(super) fn weigh(&self, proxy: usize, member: &str, weight: u32) {
        self.database(|state| state.weigh(proxy, member, weight));
    }

    /// The weight of a member on the disk of every proxy is the one it runs with.
    pub(super) fn is_saved(&self, at: usize) -> bool {
        self.database(|state| {
            let port = state.galera.members[at].address.port();
            let runs = |proxy: &ProxySql| {
                proxy.hostgroups.backends.iter().filter(|b| b.port == port).map(|b| b.weight).max()
            };
            state.proxies.iter().all(|proxy| runs(proxy) == Some(proxy.weight_on_disk(port)))
        })
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A folder of the drill's own.
pub(super) fn home(beside: &Path) -> Result<PathBuf, Failure> {
    let home = beside.with_extension("colleague");
    std::fs::create_dir_all(&home)
        .map_err(|e| Failure::Failed(format!("cannot make {}: {e}", home.display())))?;
    Ok(home)
}
