//! Every setting there is: where it stands, what it says, and an example where there is no default.
//!
//! The one list: the commented file of `wheelhouse config init`, `wheelhouse help configuration`, the names that are
//! offered for a mistyped one and what `wheelhouse config show` tells are made from it. Tests hold it against the types
//! of [`Config`](super::Config) and their defaults.

/// One section of the file.
#[derive(Debug)]
pub struct Section {
    /// Its path, such as `galera.thresholds`; empty: before the first section.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its settings, in the order of the file.
    pub settings: &'static [Setting],
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name within the section.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// How it is written, for one that has no default or an empty one.
    pub example: Option<&'static str>,
}

const fn with_default(name: &'static str, about: &'static str) -> Setting {
    Setting { name, about, example: None }
}

const fn such_as(name: &'static str, about: &'static str, example: &'static str) -> Setting {
    Setting { name, about, example: Some(example) }
}

/// The settings that choose the context, so that no section of a context can hold them.
pub const BEFORE_THE_CONTEXT: &[&str] = &["kubeconfig", "context", CONTEXTS];
/// Where the sections of the contexts stand.
pub const CONTEXTS: &str = "contexts";

const USER: Setting = such_as("user", "Who asks. Otherwise the user of ~/.my.cnf.", "\"wheelhouse\"");
const TLS_CA: Setting = such_as(
    "tls-ca",
    "Speak TLS, and believe only this certificate authority (a PEM file).",
    "\"/etc/ssl/database.pem\"",
);
const TLS_NAME: Setting = such_as(
    "tls-name",
    "The name in the certificates, where it is not the host of the address.",
    "\"db.internal\"",
);
const PASSWORD: &str = "Where the password is; otherwise in ~/.my.cnf. Never the password itself. Also { env = \"NAME\" }, \
                        { secret = \"namespace/name:key\" } or { my-cnf = \"FILE\" }.";

/// All sections, in the order of the file.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "",
        about: "",
        settings: &[
            such_as(
                "kubeconfig",
                "The kubeconfig. KUBECONFIG wins over it; without both it is ~/.kube/config, or the service account inside a cluster.",
                "\"~/.kube/config\"",
            ),
            such_as("context", "The context of the kubeconfig. Otherwise its current one.", "\"production\""),
            such_as("namespace", "Look at this namespace only.", "\"acme\""),
            with_default(
                "read-only",
                "Start read-only: nothing is written to the cluster. In the cockpit :unlock lifts it for 15 min.",
            ),
            such_as("operator", "How you sign what you do. Otherwise USER@HOST.", "\"alice\""),
            such_as(
                "theme",
                "The colours: a built-in theme, or a file in the folder `themes` beside this file. Otherwise dark.",
                "\"light\"",
            ),
            with_default("ascii", "Show ASCII only. It is shown anyway where the locale is not UTF-8."),
            with_default(
                "mouse",
                "Take the mouse of the terminal, to select, scroll and sort; it then selects no text.",
            ),
            such_as(
                "keys",
                "Other keys for commands of the screen; `wheelhouse help keys` names them. An empty list takes the key away.",
                "{ scale = \"e\", follow = [\"F\", \"ctrl-f\"], restart = [] }",
            ),
            such_as("label", "What the header calls this cluster. Otherwise nothing.", "\"PRODUCTION\""),
            such_as("label-colour", "The colour of the label: red, yellow, green or blue.", "\"red\""),
        ],
    },
    Section {
        name: "tenants",
        about: "Which workloads are tenants. A Deployment or StatefulSet outside the excluded namespaces is one. Its name is \
                the value of its label; without the label, its namespace when it is alone there; otherwise namespace/name.",
        settings: &[
            with_default("label", "The label whose value names the tenant."),
            such_as(
                "selector",
                "Labels a workload must carry to be a tenant. Otherwise any workload.",
                "{ tier = \"web\" }",
            ),
            such_as(
                "namespaces",
                "Only these namespaces hold tenants. Otherwise all.",
                "[\"acme\", \"globex\"]",
            ),
            with_default("exclude", "Namespaces that hold no tenants; a * at one end stands for anything."),
            with_default("container", "The container that serves requests: its image is shown."),
            with_default("floor", "How many pods a tenant should have at least, each on its own node."),
        ],
    },
    Section {
        name: "headroom",
        about: "What a request takes, and when little headroom is a finding.",
        settings: &[
            such_as(
                "request-memory",
                "Memory one request takes, where the workload does not say it. Otherwise 80Mi.",
                "\"96Mi\"",
            ),
            such_as(
                "max-children",
                "Requests one php-fpm container serves at once, where neither workload nor pool says it. Otherwise 8.",
                "12",
            ),
            with_default("connections", "Database connections one request holds."),
            with_default("low", "A tenant that can take no more requests than this is a finding."),
            with_default("exhausted-within", "So is one whose headroom is used up within this time."),
            with_default(
                "overcommit",
                "A node is overcommitted when its limits exceed its allocatable memory by this factor",
            ),
            with_default("node-used", "and this share of its memory is in use, 0 to 1."),
            with_default(
                "eviction",
                "The kubelets evict pods when less memory than this is available (evictionHard).",
            ),
        ],
    },
    Section {
        name: "moves",
        about: "Which pods may move, and what is even enough.",
        settings: &[
            with_default(
                "emptydir",
                "Whose pods with an emptyDir may move, which is lost: tenants, none or all.",
            ),
            with_default("node-ready-for", "A node takes moved pods once it has been Ready for this long."),
            with_default("pod-age", "A pod stays where it is until it is this old."),
            with_default(
                "even-within",
                "Requested memory is even when no node lies further than this from the mean, in percent.",
            ),
            with_default("use-within", "The same of memory in use."),
            with_default(
                "most-in-use",
                "A node takes no moved pod beyond this much memory in use, in percent.",
            ),
            with_default(
                "evict",
                "Move pods that only an eviction moves too, with one ready pod less meanwhile.",
            ),
            such_as(
                "force",
                "A drain evicts pods that no controller makes again too: they are lost.",
                "false",
            ),
        ],
    },
    Section {
        name: "migrations",
        about: "How the databases of tenants are migrated.",
        settings: &[
            with_default(
                "command",
                "The command of the Job, unless the workload's annotation wheelhouse.dev/migrate names another.",
            ),
            with_default("deadline", "How long a migration may take."),
            with_default("keep-job", "How long its Job stays, and the log of it."),
            such_as(
                "versions",
                "The table in which each tenant's migrations are written down: read, as the user of [galera], before \
                 a migration and where its outcome is unknown.",
                "\"{tenant}.doctrine_migration_versions\"",
            ),
        ],
    },
    Section {
        name: "journal",
        about: "Where runs are written down.",
        settings: &[
            with_default(
                "namespace",
                "The namespace of the journals and leases; created when it is missing.",
            ),
            with_default(
                "lease",
                "How long a lease is good without being renewed: then others may finish an interrupted run.",
            ),
        ],
    },
    Section {
        name: "recording",
        about: "What the cockpit keeps of what it has seen, in the state folder.",
        settings: &[
            with_default(
                "keep",
                "Keeps the last hours: for the timeline, `wheelhouse replay` and `wheelhouse report`.",
            ),
            with_default("back", "How far back is kept."),
            with_default("megabytes", "At most so many are kept of one cluster."),
        ],
    },
    Section {
        name: "refresh",
        about: "How often what cannot be watched is read.",
        settings: &[
            with_default("metrics", "metrics.k8s.io."),
            with_default("probe", "Whether the API server still answers."),
            with_default("database", "The members of the database, and the proxies."),
        ],
    },
    Section {
        name: "galera",
        about: "The members of the Galera cluster.",
        settings: &[
            such_as(
                "members",
                "host:port of every member; the port is 3306 where it is left out.",
                "[\"db1:3306\", \"db2:3306\", \"db3:3306\"]",
            ),
            such_as(
                "expected-size",
                "How many members there should be. Otherwise as many as are listed, and the arbitrators that vote now.",
                "3",
            ),
            such_as(
                "aliases",
                "Addresses as ProxySQL tells them, and the listed ones they stand for.",
                "{ \"10.0.0.1:3306\" = \"db1:3306\" }",
            ),
            such_as(
                "names",
                "What members are called until they say it themselves: one that is down when you come cannot.",
                "{ \"db1:3306\" = \"db1\", \"db2:3306\" = \"db2\", \"db3:3306\" = \"db3\" }",
            ),
            such_as(
                "hosts",
                "The machines the members run on, nodes of the cluster or others: `what-if` then tells what becomes of the quorum.",
                "{ \"db1:3306\" = \"worker-1\", \"db2:3306\" = \"worker-2\", \"db3:3306\" = \"worker-3\" }",
            ),
            USER,
            such_as("password", PASSWORD, "{ file = \"~/.config/wheelhouse/galera\" }"),
            TLS_CA,
            TLS_NAME,
        ],
    },
    Section {
        name: "galera.thresholds",
        about: "When something about the database is a finding.",
        settings: &[
            with_default("unsynced", "A member may be out of sync this long."),
            with_default("queue", "Write-sets waiting on a member."),
            with_default("flow-control", "Share of time paused by flow control that is a warning, 0 to 1"),
            with_default("flow-control-critical", "and that is critical."),
            with_default(
                "gcache-window",
                "A member should be able to be away this long without needing a full copy.",
            ),
            with_default("conflicts", "Certification failures and aborts by replication a second."),
            with_default("commits-still", "No member may commit for this long while sessions wait."),
            with_default("lock-wait", "An applier may wait this long for a lock that a session holds."),
            with_default("connections", "Share of connections in use that is a warning, 0 to 1"),
            with_default("connections-critical", "and that is critical."),
            with_default("clients-waiting", "Clients may wait this long for a connection to a backend."),
            with_default(
                "missed-checks",
                "The newest check of a proxy's monitor may be this many intervals old.",
            ),
            with_default(
                "writers-settle",
                "More writers than allowed may be seen this long: loading servers causes it for one check.",
            ),
        ],
    },
    Section {
        name: "proxysql",
        about: "The ProxySQLs in front of it.",
        settings: &[
            such_as(
                "addresses",
                "Admin ports: host:port, or namespace/service:port for every pod behind a Kubernetes service.",
                "[\"10.0.0.5:6032\", \"db/proxysql:6032\"]",
            ),
            with_default(
                "reach",
                "How the pods behind a service are reached: direct (at their own address), port-forward, or auto (whichever works).",
            ),
            such_as(
                "hostgroups",
                "What the hostgroups are for; needed only with a user of admin-stats_credentials.",
                "[{ writer = 10, backup = 20, reader = 30, offline = 9999 }]",
            ),
            such_as(
                "hosts",
                "The machines of proxies at an address, or `namespace/workload` where they are its pods; of those behind a service the pods tell it.",
                "{ \"10.0.0.5:6032\" = \"worker-1\" }",
            ),
            such_as(
                "user",
                "Who asks. A user named admin is let in from the proxy's own machine only.",
                "\"radmin\"",
            ),
            such_as("password", PASSWORD, "{ env = \"PROXYSQL_PASSWORD\" }"),
            TLS_CA,
            TLS_NAME,
        ],
    },
    Section {
        name: "platform",
        about: "What stands around the cluster: edges, ingress nodes. What is not named is not looked at, and costs nothing.",
        settings: &[
            such_as(
                "edges",
                "The proxies in front of the cluster, each by its own address (port 443 unless one is named); also as [[platform.edges]]. \
                 stub-status, machine, workers and worker-connections may be left out.",
                "[{ name = \"edge-1\", address = \"192.0.2.11\", stub-status = \"http://192.0.2.11:8080/stub_status\" }]",
            ),
            such_as("floating", "The address that clients come to, on one of the edges.", "\"192.0.2.10\""),
            such_as(
                "ingress-nodes",
                "Where the ingress controller listens without TLS: host:port of each node (port 80 unless one is named).",
                "[\"10.0.0.21:30080\", \"10.0.0.22:30080\"]",
            ),
            such_as(
                "node-port",
                "Or its port on every node of the cluster: the nodes' own addresses are taken.",
                "30080",
            ),
            with_default(
                "share",
                "One cockpit looks for all that look at the same, and the others show what it tells (`help platform`). With false \
                 each looks by itself.",
            ),
            with_default("probes", "Looks a second at most, at all edges, nodes and names together."),
            with_default("every", "Each host is looked at not more often than this at each place."),
            with_default("path", "What is asked for: a file, so that no worker of the application is taken."),
            such_as(
                "deep-path",
                "What the application itself answers, asked for rarely through the floating address or an edge. Otherwise nothing.",
                "\"/health\"",
            ),
            with_default("deep-every", "How rarely."),
            such_as(
                "ca",
                "Trust certificates that are issued by those in this file (PEM). Otherwise by those of this machine.",
                "\"/etc/ssl/house.pem\"",
            ),
            such_as(
                "redis",
                "The Redis servers that keep sessions (port 6379 unless one is named); also as [[platform.redis]]. set, sentinel \
                 (port 26379), machine, user, password, tls-ca and tls-name may be left out.",
                "[{ name = \"redis-1\", address = \"10.0.0.31\", sentinel = [\"10.0.0.41\", \"10.0.0.42\"], password = { env = \"REDIS\" } }]",
            ),
            such_as(
                "session-key",
                "The key of the tenants' ConfigMaps under which the place of their sessions stands: it is compared with the master. \
                 Of its value host and port alone are kept.",
                "\"REDIS_HOST\"",
            ),
            such_as(
                "replicas",
                "A MySQL or MariaDB primary and its replicas (port 3306 unless one is named); also as [[platform.replicas]]. \
                 machine, user, password, tls-ca and tls-name may be left out.",
                "[{ name = \"db-1\", address = \"10.0.0.51\" }, { name = \"db-2\", address = \"10.0.0.52\" }]",
            ),
            such_as(
                "read-write",
                "The Service that leads to the primary, namespace/name: its endpoints are compared with read_only.",
                "\"db/mysql-rw\"",
            ),
            such_as("read-only", "The Service that leads to the replicas.", "\"db/mysql-ro\""),
        ],
    },
    Section {
        name: "platform.gluster",
        about: "The storage nodes of GlusterFS, asked over your own ssh: `wheelhouse help platform` tells what they need.",
        settings: &[
            such_as(
                "nodes",
                "The storage nodes, and what ssh takes for each, where that is not its name; also as [[platform.gluster.nodes]]. \
                 machine may be left out.",
                "[{ name = \"gluster-1\", ssh = \"root@10.0.0.61\" }]",
            ),
            such_as(
                "volumes",
                "The volumes that are looked at. Otherwise all that there are.",
                "[\"uploads\"]",
            ),
            with_default("every", "How long to wait between two rounds."),
        ],
    },
    Section {
        name: "platform.registry",
        about: "Where images come from: asked now and then for those that run, and before a release or a migration.",
        settings: &[
            such_as("name", "The registry as images name it, with its port.", "\"registry.example:5000\""),
            such_as(
                "address",
                "Where it is asked, where that is not under its name.",
                "\"https://10.0.0.7:5000\"",
            ),
            such_as(
                "ca",
                "Believe only this certificate authority (a PEM file). Otherwise those of this machine.",
                "\"/etc/ssl/house.pem\"",
            ),
            such_as("user", "Who asks. Otherwise nobody.", "\"puller\""),
            such_as(
                "password",
                "Where the password is; never the password itself. Also { env = \"NAME\" } or { secret = \"namespace/name:key\" }.",
                "{ file = \"~/registry-password\" }",
            ),
            such_as(
                "pull-secret",
                "Ask with what nodes pull with, and not as user: the Secret of this name in the namespace of the image, or namespace/name. It is read then.",
                "\"registry\"",
            ),
            with_default("every", "How often it is asked."),
        ],
    },
];

/// What differs in a context: told at the end of the file.
pub const CONTEXTS_ABOUT: &str = "What differs in one context of the kubeconfig: every setting of this file may stand there, \
                                  sections too, but kubeconfig and context.";
/// How the section of a context is written.
pub const CONTEXTS_EXAMPLE: &str = "[contexts.\"production\"]
label = \"PRODUCTION\"
label-colour = \"red\"
read-only = true

[contexts.\"production\".galera]
members = [\"db1.production:3306\", \"db2.production:3306\", \"db3.production:3306\"]
";

/// What stands at a path of the file.
#[derive(Clone, Copy, Debug)]
pub enum AtPath {
    /// A section, or what holds sections.
    Section,
    /// A setting.
    Setting(&'static Setting),
}

/// What stands at a path of the file; `None`: nothing does.
pub fn at(path: &[&str]) -> Option<AtPath> {
    let whole = path.join(".");
    let inside = |section: &&Section| {
        section.name.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if path.is_empty() || SECTIONS.iter().any(|section| inside(&section)) {
        return Some(AtPath::Section);
    }
    let (name, section) = path.split_last()?;
    let section = section.join(".");
    let settings = SECTIONS.iter().find(|s| s.name == section)?.settings;
    settings.iter().find(|setting| setting.name == *name).map(AtPath::Setting)
}

/// The names that may stand in a section: its settings, and the sections below it.
pub fn names(section: &str) -> impl Iterator<Item = &'static str> {
    let own = SECTIONS.iter().filter(move |s| s.name == section).flat_map(|s| s.settings).map(|s| s.name);
    let below = SECTIONS.iter().filter_map(move |s| match section {
        "" => (!s.name.is_empty() && !s.name.contains('.')).then_some(s.name),
        _ => s.name.strip_prefix(section)?.strip_prefix('.'),
    });
    own.chain(below)
}

/// The path of every setting, in the order of the file, such as `galera.thresholds.queue`.
pub fn paths() -> impl Iterator<Item = String> {
    SECTIONS.iter().flat_map(|section| {
        section.settings.iter().map(|setting| match section.name {
            "" => setting.name.to_owned(),
            name => format!("{name}.{}", setting.name),
        })
    })
}
