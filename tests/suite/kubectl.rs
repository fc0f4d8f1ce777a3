//! The real kubectl as a client of the embedded cluster.
//!
//! Needs: kubectl
//!
//! It is taken from the environment variable WHEELHOUSE_KUBECTL or from PATH; without one these tests fail. Any since
//! 1.20 passes: what an older one cannot do is left out, and said.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wheelhouse::demo::{self, Cluster, Scenario};

use crate::world::still;

/// A cluster that stands still, and kubectl pointed at it.
struct Bench {
    cluster: Cluster,
    home: TempDir,
    kubectl: PathBuf,
}

fn kubectl() -> PathBuf {
    let named = std::env::var_os("WHEELHOUSE_KUBECTL").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("kubectl")).find(|file| file.is_file())
    };
    named.filter(|file| file.is_file()).or_else(on_path).expect(
        "these tests need kubectl: install Debian's kubernetes-client, or name one in WHEELHOUSE_KUBECTL",
    )
}

impl Bench {
    async fn new() -> Self {
        let kubectl = kubectl();
        let cluster = still(3, Scenario::Calm).await;
        let home = TempDir::new().expect("a temporary directory");
        std::fs::write(home.path().join("config"), cluster.kubeconfig()).expect("a written kubeconfig");
        Self { cluster, home, kubectl }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("config"));
        command.env_remove("KUBECTL_EXTERNAL_DIFF").stdin(Stdio::null());
        command
    }

    /// Runs kubectl to its end: whether it succeeded, and all it printed.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.expect("a joined thread").expect("kubectl runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs kubectl, which has to succeed.
    async fn ok(&self, arguments: &[&str]) -> String {
        let (succeeded, text) = self.run(arguments).await;
        assert!(succeeded, "kubectl {arguments:?}: {text}");
        text
    }

    /// Whether kubectl is at least 1.`minor`; says what is left out when it is older.
    async fn is_at_least(&self, minor: u32, left_out: &str) -> bool {
        let told: Value =
            serde_json::from_str(&self.ok(&["version", "--client", "-o", "json"]).await).expect("JSON");
        let own = told["clientVersion"]["minor"].as_str().unwrap_or_default().trim_end_matches('+');
        let own: u32 = own.parse().expect("a number");
        if own < minor {
            eprintln!("left out: {left_out}: it needs kubectl 1.{minor}, and this one is 1.{own}");
        }
        own >= minor
    }

    /// Starts kubectl; its lines are read as they come.
    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        // what does not come makes the test fail and not hang
        command.arg("--request-timeout=60s");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kubectl starts");
        let lines = BufReader::new(child.stdout.take().expect("a piped output"));
        Running { child, lines }
    }

    fn pods(&self, namespace: &str) -> Vec<String> {
        self.cluster.with_world(|world| {
            let pods = world.store.list(demo::Kind::POD, Some(namespace));
            pods.map(|p| p["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
        })
    }

    /// The first tenant: its namespace and Deployment are named alike.
    fn tenant(&self) -> String {
        self.cluster.with_world(|world| {
            let mut all = world.store.list(demo::Kind::DEPLOYMENT, None);
            let tenant = all.find(|d| d["metadata"]["labels"].get("tenant").is_some()).expect("a tenant");
            tenant["metadata"]["name"].as_str().unwrap_or_default().to_owned()
        })
    }

    fn node(&self) -> String {
        self.cluster.with_world(|world| {
            let node = world.store.list(demo::Kind::NODE, None).next().expect("a node");
            node["metadata"]["name"].as_str().unwrap_or_default().to_owned()
        })
    }

    fn replicas(&self, tenant: &str) -> i64 {
        self.cluster.with_world(|world| {
            let deployment = world.store.get(demo::Kind::DEPLOYMENT, tenant, tenant).expect("the tenant");
            deployment["spec"]["replicas"].as_i64().expect("a count")
        })
    }
}

struct Running {
    child: std::process::Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Reads on until a line holds the text. Fails when kubectl ends without it.
    fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let length = self.lines.read_line(&mut line).expect("readable output");
            assert!(length > 0, "kubectl ended before {text:?} came; it said:\n{seen}");
            seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads to the end.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("readable output");
        self.child.wait().expect("an end");
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_prints_the_tables_a_real_server_makes() {
    let bench = Bench::new().await;
    let (tenant, node) = (bench.tenant(), bench.node());
    let nodes = bench.ok(&["get", "nodes"]).await;
    assert!(nodes.starts_with("NAME") && nodes.contains("STATUS") && nodes.contains("VERSION"), "{nodes}");
    assert_eq!(nodes.lines().count(), 5, "{nodes}");
    let wide = bench.ok(&["get", "nodes", "-o", "wide"]).await;
    assert!(wide.contains("CONTAINER-RUNTIME") && wide.contains("containerd://"), "{wide}");
    let pods = bench.ok(&["-n", &tenant, "get", "pods", "-o", "wide"]).await;
    assert!(pods.contains("NOMINATED NODE") && pods.contains("2/2") && pods.contains("Running"), "{pods}");
    let deployments = bench.ok(&["get", "deployments", "-A"]).await;
    assert!(deployments.contains("UP-TO-DATE") && deployments.contains(&tenant), "{deployments}");
    bench.ok(&["-n", &tenant, "scale", "deployment", &tenant, "--replicas=1"]).await;
    let events = bench.ok(&["-n", &tenant, "get", "events"]).await;
    assert!(events.contains("LAST SEEN") && events.contains("ScalingReplicaSet"), "{events}");
    let json: Value =
        serde_json::from_str(&bench.ok(&["get", "node", &node, "-o", "json"]).await).expect("JSON");
    assert_eq!(
        (json["kind"].as_str(), json["metadata"]["name"].as_str()),
        (Some("Node"), Some(node.as_str()))
    );
    let all = bench.ok(&["-n", &tenant, "get", "all"]).await;
    assert!(all.contains("replicaset.apps/") && all.contains("service/"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_selects_pages_and_fails_as_on_a_real_cluster() {
    let bench = Bench::new().await;
    let (tenant, node) = (bench.tenant(), bench.node());
    let all = bench.ok(&["get", "pods", "-A", "-o", "name"]).await;
    assert_eq!(all, bench.ok(&["get", "pods", "-A", "-o", "name", "--chunk-size=3"]).await);
    let own =
        bench.ok(&["get", "pods", "-A", "-o", "name", "-l", &format!("app in ({tenant}),!absent")]).await;
    assert_eq!(own.lines().count(), bench.pods(&tenant).len());
    let there = bench
        .ok(&[
            "get",
            "pods",
            "-A",
            "-o",
            "wide",
            "--no-headers",
            "--field-selector",
            &format!("spec.nodeName={node}"),
        ])
        .await;
    assert!(there.lines().count() > 0 && there.lines().all(|l| l.contains(&node)), "{there}");
    for (arguments, wanted) in [
        (["get", "pods", "nobody"], "Error from server (NotFound): pods \"nobody\" not found"),
        (["get", "things", "-A"], "the server doesn't have a resource type \"things\""),
        (["get", "pods", "-l=a in"], "unable to parse requirement"),
    ] {
        let (succeeded, text) = bench.run(&arguments).await;
        assert!(!succeeded && text.contains(wanted), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_shows_a_change_and_ends_with_its_object() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    let before = bench.replicas(&tenant);
    let mut watch = bench.start(&["-n", &tenant, "get", "deployment", &tenant, "--watch"]);
    tokio::task::block_in_place(|| watch.until(&format!("{before}/{before}")));
    bench.ok(&["-n", &tenant, "scale", "deployment", &tenant, "--replicas=6"]).await;
    tokio::task::block_in_place(|| watch.until("/6"));
    bench.cluster.step(Duration::from_secs(120));
    tokio::task::block_in_place(|| watch.until("6/6"));
    let name = format!("pod/{}", bench.pods(&tenant)[0]);
    let wait = bench.start(&["-n", &tenant, "wait", "--for=delete", &name, "--timeout=300s"]);
    bench.ok(&["-n", &tenant, "delete", &name, "--wait=false"]).await;
    bench.cluster.step(Duration::from_secs(120));
    let said = tokio::task::spawn_blocking(move || wait.rest()).await.expect("a joined thread");
    assert!(said.contains("condition met") || said.is_empty(), "{said}");
    assert!(!bench.pods(&tenant).contains(&name.trim_start_matches("pod/").to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn describe_tells_nodes_pods_and_deployments() {
    let bench = Bench::new().await;
    let (tenant, node) = (bench.tenant(), bench.node());
    let told = bench.ok(&["describe", "node", &node]).await;
    for part in
        ["Conditions:", "Allocatable:", "Non-terminated Pods:", "Allocated resources:", "KubeletReady"]
    {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let told = bench.ok(&["-n", &tenant, "describe", "pod", &bench.pods(&tenant)[0]]).await;
    for part in ["php-fpm:", "Controlled By:  ReplicaSet/", "QoS Class:", "Restart Count:"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let told = bench.ok(&["-n", &tenant, "describe", "deployment", &tenant]).await;
    for part in ["Pod Template:", "MinimumReplicasAvailable", "NewReplicaSet:", "25% max unavailable"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_heeds_the_expected_count_and_rolls_out() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    let before = bench.replicas(&tenant);
    let wrong = bench
        .run(&["-n", &tenant, "scale", "deploy", &tenant, "--replicas=5", "--current-replicas=99"])
        .await;
    assert!(
        !wrong.0 && wrong.1.contains(&format!("Expected replicas to be 99, was {before}")),
        "{}",
        wrong.1
    );
    assert_eq!(bench.replicas(&tenant), before);
    let expected = format!("--current-replicas={before}");
    bench.ok(&["-n", &tenant, "scale", "deploy", &tenant, "--replicas=5", &expected]).await;
    assert_eq!(bench.replicas(&tenant), 5);
    let rollout = bench.start(&["-n", &tenant, "rollout", "status", "deployment", &tenant, "--timeout=300s"]);
    bench.cluster.step(Duration::from_secs(120));
    let said = tokio::task::spawn_blocking(move || rollout.rest()).await.expect("a joined thread");
    assert!(said.contains("successfully rolled out"), "{said}");
    let (succeeded, text) = bench.run(&["-n", &tenant, "scale", "deploy", &tenant, "--replicas=-1"]).await;
    assert!(!succeeded && text.contains("replicas"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_cordoned_and_drained() {
    let bench = Bench::new().await;
    let node = bench.node();
    bench.ok(&["cordon", &node]).await;
    assert!(bench.ok(&["get", "node", &node]).await.contains("Ready,SchedulingDisabled"));
    bench.ok(&["uncordon", &node]).await;
    assert!(!bench.ok(&["get", "node", &node]).await.contains("SchedulingDisabled"));
    let drained = bench
        .ok(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--dry-run=server"])
        .await;
    assert!(
        drained.contains("evicted (server dry run)") || drained.contains("(server dry run)"),
        "{drained}"
    );
    assert!(bench.ok(&["get", "node", &node]).await.contains("Ready "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_cut_and_followed() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    let pod = bench.pods(&tenant)[0].clone();
    let tail = bench.ok(&["-n", &tenant, "logs", &pod, "-c", "php-fpm", "--tail=3"]).await;
    assert_eq!(tail.lines().count(), 3, "{tail}");
    let (succeeded, text) = bench.run(&["-n", &tenant, "logs", &pod, "-c", "nope"]).await;
    assert!(!succeeded && text.contains("container nope is not valid for pod"), "{text}");
    let mut follow = bench.start(&["-n", &tenant, "logs", &pod, "-c", "nginx", "--tail=1", "-f"]);
    let first = tokio::task::block_in_place(|| follow.until("HTTP/1.1"));
    bench.cluster.step(Duration::from_secs(60));
    let next = tokio::task::block_in_place(|| follow.until("HTTP/1.1"));
    assert_ne!(first, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_told() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    assert_eq!(bench.ok(&["auth", "can-i", "patch", "deployments/scale", "-n", &tenant]).await.trim(), "yes");
    let (_, nobody) = bench.run(&["auth", "can-i", "list", "pods", "--as=somebody"]).await;
    assert_eq!(nobody.trim(), "no");
    let list = bench.ok(&["auth", "can-i", "--list", "-n", &tenant]).await;
    assert!(list.contains("*.*") && list.contains("selfsubjectaccessreviews.authorization.k8s.io"), "{list}");
    if bench.is_at_least(28, "auth whoami").await {
        assert!(bench.ok(&["auth", "whoami"]).await.contains("operator"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_patched_annotated_deleted_created_and_applied() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"php-fpm","image":"registry.example/app:9"}]}}}}"#;
    bench.ok(&["-n", &tenant, "patch", "deployment", &tenant, "-p", patch]).await;
    let images = bench
        .ok(&[
            "-n",
            &tenant,
            "get",
            "deployment",
            &tenant,
            "-o",
            "jsonpath={.spec.template.spec.containers[*].image}",
        ])
        .await;
    assert!(images.contains("app:9") && images.contains("nginx"), "{images}");
    bench.ok(&["-n", &tenant, "annotate", "deployment", &tenant, "wheelhouse.example/note=here"]).await;
    let pod = bench.pods(&tenant)[0].clone();
    bench.ok(&["-n", &tenant, "delete", "pod", &pod, "--wait=false"]).await;
    bench.cluster.step(Duration::from_secs(120));
    assert!(!bench.pods(&tenant).contains(&pod));
    bench.ok(&["create", "namespace", "extra"]).await;
    bench.ok(&["-n", "extra", "create", "configmap", "made", "--from-literal=a=b"]).await;
    bench
        .ok(&["-n", "extra", "create", "deployment", "web", "--image=registry.example/app:1", "--replicas=2"])
        .await;
    assert_eq!(bench.ok(&["-n", "extra", "get", "cm", "made", "-o", "jsonpath={.data.a}"]).await, "b");
    let manifest = bench.home.path().join("manifest.yaml");
    let file = manifest.to_str().expect("a path of text");
    for value in ["one", "two"] {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: applied, namespace: extra}}\ndata: {{state: {value}}}\n"
        );
        std::fs::write(&manifest, text).expect("a written manifest");
        bench.ok(&["apply", "-f", file]).await;
        assert_eq!(
            bench.ok(&["-n", "extra", "get", "cm", "applied", "-o", "jsonpath={.data.state}"]).await,
            value
        );
    }
    bench.ok(&["apply", "--server-side", "--force-conflicts", "-f", file]).await;
    let (succeeded, text) = bench.run(&["apply", "--server-side", "--field-manager=other", "-f", file]).await;
    assert!(succeeded, "the same values do not conflict: {text}");
    std::fs::write(&manifest, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, namespace: extra}\ndata: {state: three}\n").expect("a written manifest");
    let (succeeded, text) = bench.run(&["apply", "--server-side", "--field-manager=other", "-f", file]).await;
    assert!(!succeeded && text.contains(".data.state"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_forward_is_refused_with_what_helps() {
    let bench = Bench::new().await;
    let pod = format!("pod/{}", bench.pods("database").first().expect("a pod of the database"));
    let (succeeded, text) = bench.run(&["-n", "database", "port-forward", &pod, "0:6032"]).await;
    assert!(!succeeded && text.contains("websocket subprotocol v4.channel.k8s.io only"), "{text}");
    assert!(text.contains("wheelhouse demo --config-out"), "{text}");
}
