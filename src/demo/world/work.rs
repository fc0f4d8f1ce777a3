//! What is still to be done in the world: by its controllers, by itself in time, by somebody on purpose.

use serde::Deserialize;

use super::Step;

/// Something a controller has to look at. Done in this order within one reaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Node(String),
    Namespace(String),
    /// An object that waits for its dependents: kind, namespace, name.
    Owner(usize, String, String),
    ReplicaSet(String, String),
    Deployment(String, String),
    StatefulSet(String, String),
    DaemonSet(String, String),
    Job(String, String),
    Schedule(String, String),
    Kubelet(String, String),
    Budget(String, String),
    Endpoints(String, String),
    Quota(String, String),
}

/// Something that happens by itself at its time.
#[derive(Clone, Debug)]
pub(crate) enum Wake {
    Work(Work),
    Pod { namespace: String, name: String, uid: String, step: Step },
    NodeLost(String),
    NodeBack(String),
    Heartbeat(String),
    Evict { namespace: String, name: String, uid: String, node: String },
    Autoscale,
    Housekeeping,
    ForgetEvents,
    Act(usize),
}

/// Something that somebody does to the world.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Act {
    PowerOff {
        node: usize,
    },
    PowerOn {
        node: usize,
    },
    Cordon {
        node: usize,
    },
    Uncordon {
        node: usize,
    },
    Scale {
        tenant: usize,
        replicas: i64,
    },
    /// A release: this tag for the application's image.
    Image {
        tenant: usize,
        tag: String,
    },
    /// So many requests at once for each replica.
    Busy {
        tenant: usize,
        requests: f64,
    },
    /// The certificates of the hosts are issued again, and put on the disks of the edges.
    Renew {},
    /// An edge, by its number from 1, reads its certificates again.
    Reload {
        edge: usize,
    },
    /// The storage of the registry is not there any more.
    LoseStorage {},
    /// A Deployment beside the tenant's that asks for this much memory.
    Oversized {
        tenant: usize,
        memory: String,
    },
}
