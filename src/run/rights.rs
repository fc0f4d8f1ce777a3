//! The rights the program needs, as RBAC spells them, by who uses it: the one list.
//!
//! `wheelhouse rbac` prints it as manifests, `wheelhouse doctor` asks for each of them, and the tests run as users that
//! have nothing else. A test below holds it against the rights that every kind of change declares.

use futures::{StreamExt, stream};

use super::perform::{Clock, Right, Writer};
use crate::wire::{DatabaseEndpoint, Logins, Wire};

/// Who uses the program, by what for. Each stands on [`RbacRole::Viewer`], and on [`RbacRole::Operator`] what writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RbacRole {
    /// Sees everything, and changes nothing.
    Viewer,
    /// Scales, and keeps the journal in the cluster.
    Operator,
    /// Moves pods, drains and cordons nodes, restarts, deletes pods.
    Mover,
    /// Migrates the databases of tenants, and rolls images out.
    Migrator,
    /// Runs commands in containers, and forwards their ports.
    Shell,
}

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// On objects that are in no namespace.
    Cluster,
    /// In every namespace that is looked at.
    Namespaces,
    /// In the namespace of the journals.
    Journal,
}

/// Verbs on resources of one group.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What does not work without it.
    pub what: &'static str,
    /// Where it is needed.
    pub within: Within,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resources: `pods`, `deployments/scale`.
    pub resources: &'static [&'static str],
    /// The verbs: `get`, `list`.
    pub verbs: &'static [&'static str],
}

const fn rule(
    what: &'static str,
    within: Within,
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    Rule { what, within, group, resources, verbs }
}

const SEE: &[&str] = &["get", "list", "watch"];

impl RbacRole {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Mover, Self::Migrator, Self::Shell];

    /// Its name: `viewer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Mover => "mover",
            Self::Migrator => "migrator",
            Self::Shell => "shell",
        }
    }

    /// What it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Viewer => "sees everything, logs too, and changes nothing",
            Self::Operator => {
                "scales tenants, resizes pods, acts on the database, and keeps the journal of runs in the cluster"
            }
            Self::Mover => "moves pods, drains and cordons nodes, restarts tenants, deletes pods",
            Self::Migrator => "migrates the databases of tenants, and rolls images out and back",
            Self::Shell => "runs commands in containers, and forwards their ports",
        }
    }

    /// What whoever is given it should know.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Viewer | Self::Operator => None,
            Self::Mover => Some(
                "Whoever may create pods can run anything in those namespaces, with every Secret and service account there.",
            ),
            Self::Migrator => Some(
                "A Job runs what it is told with the tenant's own Secrets and service account: who may create Jobs may do as much as who may create pods.",
            ),
            Self::Shell => {
                Some("A shell in a container reads all that the container can read, its Secrets too.")
            }
        }
    }

    /// The roles it stands on, and itself.
    pub fn with_those_below(self) -> &'static [Self] {
        match self {
            Self::Viewer => &[Self::Viewer],
            Self::Operator => &[Self::Viewer, Self::Operator],
            Self::Mover => &[Self::Viewer, Self::Operator, Self::Mover],
            Self::Migrator => &[Self::Viewer, Self::Operator, Self::Migrator],
            Self::Shell => &[Self::Viewer, Self::Shell],
        }
    }

    /// Its own rights, without those of the roles it stands on.
    pub fn rules(self) -> &'static [Rule] {
        use Within::{Cluster, Journal, Namespaces};
        match self {
            Self::Viewer => &[
                const { rule("nodes and namespaces", Cluster, "", &["nodes", "namespaces"], SEE) },
                const { rule("how much the nodes use", Cluster, "metrics.k8s.io", &["nodes"], &["list"]) },
                const {
                    rule(
                        "the pods of the tenants, what limits them, and what happened to them",
                        Namespaces,
                        "",
                        &[
                            "pods",
                            "services",
                            "configmaps",
                            "events",
                            "resourcequotas",
                            "limitranges",
                            "persistentvolumeclaims",
                        ],
                        SEE,
                    )
                },
                const { rule("logs", Namespaces, "", &["pods/log"], &["get"]) },
                const {
                    rule(
                        "the tenants",
                        Namespaces,
                        "apps",
                        &["deployments", "statefulsets", "replicasets"],
                        SEE,
                    )
                },
                const {
                    rule(
                        "what scales tenants by itself",
                        Namespaces,
                        "autoscaling",
                        &["horizontalpodautoscalers"],
                        SEE,
                    )
                },
                const { rule("what an eviction may do", Namespaces, "policy", &["poddisruptionbudgets"], SEE) },
                const {
                    rule(
                        "what leads requests to tenants",
                        Namespaces,
                        "networking.k8s.io",
                        &["ingresses"],
                        SEE,
                    )
                },
                const { rule("who carries Ingresses out", Cluster, "networking.k8s.io", &["ingressclasses"], SEE) },
                const { rule("where Services lead", Namespaces, "discovery.k8s.io", &["endpointslices"], SEE) },
                const {
                    rule(
                        "the same, where the Gateway API is installed",
                        Namespaces,
                        "gateway.networking.k8s.io",
                        &["httproutes", "gateways"],
                        SEE,
                    )
                },
                const {
                    rule(
                        "until when certificates are valid, where cert-manager is installed",
                        Namespaces,
                        "cert-manager.io",
                        &["certificates"],
                        SEE,
                    )
                },
                const { rule("the Jobs of migrations", Namespaces, "batch", &["jobs"], SEE) },
                const { rule("how much the pods use", Namespaces, "metrics.k8s.io", &["pods"], &["list"]) },
                const {
                    rule(
                        "who holds a run, and who looks around",
                        Journal,
                        "coordination.k8s.io",
                        &["leases"],
                        SEE,
                    )
                },
                const { rule("what was done, and what is seen around", Journal, "", &["configmaps"], SEE) },
            ],
            Self::Operator => &[
                const {
                    rule(
                        "scale",
                        Namespaces,
                        "apps",
                        &["deployments/scale", "statefulsets/scale"],
                        &["get", "update"],
                    )
                },
                const { rule("resize pods that run", Namespaces, "", &["pods/resize"], &["patch"]) },
                const { rule("leave a trace on what is changed", Namespaces, "", &["events"], &["create"]) },
                const {
                    rule(
                        "the journal of runs, and what one cockpit tells the others of the platform around",
                        Journal,
                        "",
                        &["configmaps"],
                        &["create", "update", "delete"],
                    )
                },
                const {
                    rule(
                        "the leases of runs, and of the cockpit that looks around for all",
                        Journal,
                        "coordination.k8s.io",
                        &["leases"],
                        &["create", "update", "delete"],
                    )
                },
            ],
            Self::Mover => &[
                const { rule("cordon and uncordon", Cluster, "", &["nodes"], &["patch"]) },
                const {
                    rule(
                        "move by adoption, delete a pod",
                        Namespaces,
                        "",
                        &["pods"],
                        &["create", "patch", "delete"],
                    )
                },
                const { rule("move by eviction", Namespaces, "", &["pods/eviction"], &["create"]) },
                const { rule("restart", Namespaces, "apps", &["deployments", "statefulsets"], &["patch"]) },
            ],
            Self::Migrator => &[
                const {
                    rule(
                        "the Job of a migration",
                        Namespaces,
                        "batch",
                        &["jobs"],
                        &["create", "patch", "delete"],
                    )
                },
                const {
                    rule(
                        "an autoscaler is held meanwhile",
                        Namespaces,
                        "autoscaling",
                        &["horizontalpodautoscalers"],
                        &["patch"],
                    )
                },
                const {
                    rule(
                        "roll an image out",
                        Namespaces,
                        "apps",
                        &["deployments", "statefulsets"],
                        &["patch"],
                    )
                },
            ],
            Self::Shell => &[
                const { rule("a shell in a container", Namespaces, "", &["pods/exec"], &["get", "create"]) },
                const { rule("ports of pods", Namespaces, "", &["pods/portforward"], &["get", "create"]) },
            ],
        }
    }
}

impl Rule {
    /// Its rights one by one, in a namespace; those on the cluster and on the journals stand where they stand.
    pub(in crate::run) fn rights(&self, namespace: &str, journal: &str) -> Vec<Right> {
        let namespace = match self.within {
            Within::Cluster => "",
            Within::Namespaces => namespace,
            Within::Journal => journal,
        };
        let right = |verb: &&'static str, resource: &&'static str| Right {
            verb,
            group: self.group,
            resource: (*resource).to_owned(),
            namespace: namespace.to_owned(),
        };
        self.resources
            .iter()
            .flat_map(|resource| self.verbs.iter().map(move |verb| right(verb, resource)))
            .collect()
    }
}

/// A right that somebody lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// What does not work without it.
    pub what: &'static str,
    /// The right: `update deployments/scale in namespace acme`.
    pub right: String,
}

/// Questions asked at the same time.
const AT_ONCE: usize = 8;

/// Which rights of a role whoever asks lacks, by access reviews: in one namespace, or in all of them. Changes nothing.
///
/// # Errors
/// The API server cannot be asked: one sentence.
pub async fn lacking(
    wire: &Wire,
    role: RbacRole,
    namespace: Option<&str>,
    journal: &str,
) -> Result<Vec<Lacking>, String> {
    let writer = Writer::new(wire.writer().await?, true, journal, Clock::ahead(0));
    let rules = role.rules().iter();
    let rights = rules
        .flat_map(|rule| rule.rights(namespace.unwrap_or(""), journal).into_iter().map(move |r| (rule, r)));
    let asked = rights.map(async |(rule, right)| (writer.may(&right).await, rule.what, right));
    let answers: Vec<_> = stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
    let mut lacking = Vec::new();
    for (answer, what, right) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => lacking.push(Lacking { what, right: right.to_string() }),
            Err(failure) => return Err(failure.text()),
        }
    }
    Ok(lacking)
}

/// Whether the login at each endpoint of the database may do what acts on it need: change the servers of a proxy, desync a
/// member. Nothing is written. What a login may not, is one sentence with what to grant.
///
/// # Errors
/// The API server cannot be connected to: one sentence.
pub async fn of_database(
    wire: &Wire,
    logins: Logins,
    members: &[String],
    proxies: &[String],
) -> Result<Vec<(DatabaseEndpoint, Result<(), String>)>, String> {
    let writer = Writer::new(wire.writer().await?, true, "", Clock::ahead(0)).with_database(Some(logins));
    let mut answers = Vec::new();
    for member in members {
        let may = writer.may_desync(member).await.map_err(|failure| failure.text());
        answers.push((DatabaseEndpoint::Member(member.clone()), may));
    }
    for proxy in proxies {
        let may = writer.may_edit(proxy).await.map_err(|failure| failure.text());
        answers.push((DatabaseEndpoint::Proxy(proxy.clone()), may));
    }
    Ok(answers)
}
