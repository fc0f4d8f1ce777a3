//! The embedded cluster in a process of its own, and the plain client that the cockpit is compared with.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use http::{Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use wheelhouse::{
    demo::{self, Cluster, Kind, Options, Scenario},
    wire::{Target, Wire},
};

/// Set in the process that serves: its size.
const SERVES: &str = "WHEELHOUSE_BENCH_SERVES";
/// What a pod takes in a real list.
const POD_BYTES: usize = 8_600;
const MEASURED: &str = "/apis/metrics.k8s.io/v1beta1/pods";
const EVENTS_A_SECOND: u64 = 200;
/// World time after which pods that were asked for must run, and the steps it passes in.
const SETTLES: (Duration, Duration) = (Duration::from_secs(900), Duration::from_secs(15));

/// How long all of that has been there: pods of a minute ago tell their age by the second, and nothing else moves on a
/// screen in front of a world that stands still.
const SINCE: Duration = Duration::from_secs(620);

/// How large a cluster is.
#[derive(Clone, Copy)]
pub struct Size {
    pub tenants: usize,
    pub nodes: usize,
    pub pods: usize,
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<usize> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
        let &[tenants, nodes, pods] = &numbers[..] else { return None };
        Some(Self { tenants, nodes, pods })
    }
}

pub fn is_asked_to_serve() -> bool {
    std::env::var_os(SERVES).is_some()
}

/// The process that serves; it ends with this.
pub struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    kubeconfig: String,
    pub port: u16,
    /// Bytes of the list of pods.
    pub listed: usize,
}

impl Server {
    pub fn start(size: Size) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let Size { tenants, nodes, pods } = size;
        command.env(SERVES, format!("{tenants} {nodes} {pods}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts again");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Self { child, out, folder, kubeconfig: String::new(), port: 0, listed: 0 };
        server.port = server.line().parse().expect("a port");
        server.listed = server.line().parse().expect("a number");
        let file = server.line();
        server.kubeconfig = std::fs::read_to_string(file).expect("its kubeconfig");
        server
    }

    /// How often the pods' measurements have been read so far.
    pub fn measurements(&mut self) -> u64 {
        writeln!(self.child.stdin.as_mut().expect("its input"), "measurements").expect("it listens");
        self.line().parse().expect("a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    /// Asks it to do something, and waits until that is done.
    pub fn say(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().expect("its input"), "{word}").expect("it listens");
        assert_eq!(self.line(), "done");
    }

    /// A kubeconfig that leads to it through that port.
    pub fn kubeconfig_at(&self, port: u16) -> PathBuf {
        let file = self.folder.path().join(format!("kubeconfig-{port}"));
        let text = self.kubeconfig.replace(&format!("127.0.0.1:{}", self.port), &format!("127.0.0.1:{port}"));
        std::fs::write(&file, text).expect("a file");
        file
    }

    /// How long it takes to read the list of pods and do nothing with it: raw, or compressed and left so.
    pub async fn list(&self, port: u16, gzip: bool) -> Duration {
        let target = Target { kubeconfig: Some(self.kubeconfig_at(port)), ..Target::default() };
        let wire = Wire::connect_lazily(&target).await.expect("a kubeconfig");
        let begun = Instant::now();
        let client = wire.client().await.expect("a client");
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = Request::get("/api/v1/pods").header(header::ACCEPT_ENCODING, encoding);
        let reply = client.send(request.body(Body::empty()).expect("a request")).await.expect("a reply");
        let mut body = reply.into_body();
        while let Some(frame) = body.frame().await {
            std::hint::black_box(frame.expect("a frame"));
        }
        begun.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub fn serve() {
    let size = std::env::var(SERVES).ok().and_then(|text| Size::parse(&text)).expect("a size");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = Options {
        tenants: size.tenants,
        nodes: size.nodes,
        seed: 7,
        scenario: Scenario::Calm,
        speed: 0.0,
        port: 0,
        epoch: None,
    };
    let cluster = runtime.block_on(demo::start(options)).expect("the embedded cluster starts");
    grow(&cluster, size.pods);
    cluster.step(SINCE);
    let listed = cluster.with_world(|world| {
        let pods: Vec<_> = world.store.list(Kind::POD, None).cloned().collect();
        let mut listed = 0;
        for pod in pods {
            let padded = padded((*pod).clone());
            listed += padded.to_string().len();
            world.store.put(Kind::POD, padded);
        }
        listed
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, cluster.kubeconfig()).expect("a file");
    let port = cluster.url().rsplit(':').next().expect("a port").to_owned();
    println!("{port}\n{listed}\n{}", file.display());
    let mut speed = 0;
    let (orders, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if orders.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(order) => {
                if order == "measurements" {
                    let read = cluster.requests().into_iter().filter(|r| r.path == MEASURED).count();
                    println!("{read}");
                    continue;
                }
                match order.split_once(' ') {
                    Some(("churn", seconds)) => churn(&cluster, seconds.parse().expect("seconds")),
                    Some(("run", factor)) => speed = factor.parse().expect("a factor"),
                    _ => speed = 0,
                }
                println!("done");
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) if speed > 0 => {
                cluster.step(Duration::from_secs(speed));
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Has the tenants ask for one pod more each, one after another, until there are so many, and waits until all run.
fn grow(cluster: &Cluster, wanted: usize) {
    cluster.with_world(|world| {
        let missing = wanted.saturating_sub(world.store.list(Kind::POD, None).count());
        // What an autoscaler drives it would take back.
        let scalers = world.store.list(Kind::AUTOSCALER, None);
        let driven: Vec<String> = scalers.map(|s| s["metadata"]["namespace"].to_string()).collect();
        let named = |object: &Value| {
            let meta = &object["metadata"];
            meta["labels"]["tenant"].is_string() && !driven.contains(&meta["namespace"].to_string())
        };
        let workloads: Vec<_> =
            world.store.list(Kind::DEPLOYMENT, None).filter(|d| named(d)).cloned().collect();
        for (i, workload) in workloads.iter().enumerate() {
            let more = missing / workloads.len() + usize::from(i < missing % workloads.len());
            let mut workload = (**workload).clone();
            let replicas = workload["spec"]["replicas"].as_u64().unwrap_or(1) + more as u64;
            workload["spec"]["replicas"] = replicas.into();
            world.store.put(Kind::DEPLOYMENT, workload);
        }
    });
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    let mut passed = Duration::ZERO;
    loop {
        let (pods, run) = cluster.with_world(|world| {
            let pods: Vec<_> = world.store.list(Kind::POD, None).collect();
            (pods.len(), pods.iter().filter(|pod| ready(pod)).count())
        });
        if pods >= wanted && run == pods {
            return;
        }
        assert!(passed < SETTLES.0, "{run} of {pods} pods run, {wanted} are wanted");
        cluster.step(SETTLES.1);
        passed += SETTLES.1;
    }
}

/// The pod with as many `managedFields` as make it as long as a real one.
fn padded(mut pod: Value) -> Value {
    let missing = POD_BYTES.saturating_sub(pod.to_string().len());
    let mut fields = serde_json::Map::new();
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let mut length = 200;
    while length < missing {
        let name = format!("k:{{\"type\":\"{}-{}\"}}", uid.get(..8).unwrap_or_default(), fields.len());
        let value = json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}});
        length += name.len() + value.to_string().len() + 8;
        fields.insert(name, value);
    }
    let entry = json!({
        "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:conditions": fields}}, "subresource": "status",
    });
    match pod["metadata"]["managedFields"].as_array_mut() {
        Some(entries) => entries.push(entry),
        None => pod["metadata"]["managedFields"] = json!([entry]),
    }
    pod
}

/// Restarts containers on paper: each write is one event on the pods' watch.
fn churn(cluster: &Cluster, seconds: u64) {
    let pods: Vec<_> = cluster.with_world(|world| world.store.list(Kind::POD, None).cloned().collect());
    let begun = Instant::now();
    for i in 0..EVENTS_A_SECOND * seconds {
        let at = i as usize * 7 % pods.len();
        cluster.with_world(|world| {
            let mut pod = (*pods[at]).clone();
            pod["status"]["containerStatuses"][0]["restartCount"] = (1 + i).into();
            world.store.put(Kind::POD, pod);
        });
        let due = begun + Duration::from_secs_f64((i + 1) as f64 / EVENTS_A_SECOND as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
