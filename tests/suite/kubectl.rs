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
use wheelhouse::demo::{self, Cluster, Options, Scenario};

use crate::world::{begin, standing, still};

/// A cluster that stands still, and kubectl pointed at it.
struct Bench {
    cluster: Cluster,
    home: TempDir,
    kubectl: PathBuf,
}

/// The program, as named or found.
pub fn kubectl() -> PathBuf {
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
        Self::on(still(3, Scenario::Calm).await)
    }

    /// On a cluster whose time runs, a minute a second.
    async fn running() -> Self {
        Self::on(begin(Options { speed: 60.0, ..standing(3) }).await)
    }

    fn on(cluster: Cluster) -> Self {
        let kubectl = kubectl();
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
    // kubectl 1.20 asks whether objects of a kind without a name can be rehearsed, which no server says of any.
    let how = match bench.is_at_least(21, "drain --dry-run=server").await {
        true => "server",
        false => "client",
    };
    let rehearse = format!("--dry-run={how}");
    let arguments = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", &rehearse];
    let drained = bench.ok(&arguments).await;
    assert!(drained.contains("dry run)"), "{drained}");
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

/// What a web server answers at an address.
fn page(address: &str) -> String {
    let mut socket = std::net::TcpStream::connect(address).expect("it listens");
    std::io::Write::write_all(&mut socket, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("it is taken");
    let mut answer = vec![0; 1024];
    let length = socket.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_are_forwarded_over_websockets_and_over_spdy() {
    let bench = Bench::new().await;
    let tenant = bench.tenant();
    let pod = bench.pods(&tenant)[0].clone();
    for websockets in ["true", "false"] {
        let mut command =
            bench.command(&["-n", &tenant, "port-forward", &format!("pod/{pod}"), ":8080", ":9999"]);
        command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let pod = pod.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut at = |port: &str| loop {
                let line = lines.next().expect("a line").expect("text");
                let end = format!(" -> {port}");
                if let Some(address) =
                    line.strip_prefix("Forwarding from ").and_then(|rest| rest.strip_suffix(&end))
                    && address.starts_with("127.0.0.1")
                {
                    return address.to_owned();
                }
            };
            let (web, closed) = (at("8080"), at("9999"));
            // Several connections, one after another and two at the same time.
            for _ in 0..2 {
                let both = [web.clone(), web.clone()].map(|web| std::thread::spawn(move || page(&web)));
                for one in both {
                    let page = one.join().expect("a page");
                    assert!(page.ends_with(&format!("{pod} answers\n")), "{page}");
                }
            }
            let mut socket = std::net::TcpStream::connect(closed).expect("kubectl listens");
            let mut nothing = [0];
            let _ = socket.read(&mut nothing);
            let said = errors.find_map(|line| line.ok().filter(|line| line.contains("refused")));
            assert!(said.is_some(), "it says that nothing listens there");
        });
        looked.await.expect("it is forwarded");
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_and_fields_are_explained() {
    let bench = Bench::new().await;
    let told = bench.ok(&["explain", "deployment"]).await;
    for part in ["Deployment", "new ones replace old ones", "spec", "What is wished."] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    let told = bench.ok(&["explain", "pod.spec.containers.resources"]).await;
    assert!(told.contains("limits") && told.contains("requests"), "{told}");
    let told = bench.ok(&["explain", "poddisruptionbudget.spec.minAvailable"]).await;
    assert!(told.contains("minAvailable") || told.contains("string"), "{told}");
    let told = bench.ok(&["explain", "job.spec", "--recursive"]).await;
    assert!(told.contains("backoffLimit") && told.contains("readOnlyRootFilesystem"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_is_checked_and_applied_again_item_by_item() {
    let bench = Bench::new().await;
    bench.ok(&["create", "namespace", "extra"]).await;
    let manifest = bench.home.path().join("web.yaml");
    let file = manifest.to_str().expect("a path of text");
    let web = |image: &str, extra: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: extra}}\nspec:\n  replicas: 0\n{extra}  \
             selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      \
             containers:\n      - {{name: nginx, image: nginx:1, ports: [{{containerPort: 80}}]}}\n      \
             - {{name: php-fpm, image: \"{image}\"}}\n"
        )
    };
    std::fs::write(&manifest, web("app:1", "  replica: 3\n")).expect("a written manifest");
    let (succeeded, text) = bench.run(&["apply", "-f", file]).await;
    assert!(!succeeded && text.contains("unknown field") && text.contains("replica"), "{text}");
    std::fs::write(&manifest, web("app:1", "")).expect("a written manifest");
    bench.ok(&["apply", "-f", file]).await;
    let added = r#"{"spec":{"template":{"spec":{"containers":[{"name":"sidecar","image":"side:1"}]}}}}"#;
    bench.ok(&["-n", "extra", "patch", "deployment", "web", "-p", added]).await;
    std::fs::write(&manifest, web("app:2", "")).expect("a written manifest");
    bench.ok(&["apply", "-f", file]).await;
    let path = "jsonpath={.spec.template.spec.containers[*].image}";
    let images = bench.ok(&["-n", "extra", "get", "deployment", "web", "-o", path]).await;
    let mut images: Vec<&str> = images.split(' ').collect();
    images.sort_unstable();
    assert_eq!(images, ["app:2", "nginx:1", "side:1"], "what somebody else added stays");
    assert!(bench.ok(&["apply", "--dry-run=server", "-f", file]).await.contains("(server dry run)"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_created_and_shown() {
    let bench = Bench::new().await;
    bench.ok(&["create", "namespace", "extra"]).await;
    bench.ok(&["-n", "extra", "create", "quota", "most", "--hard=pods=1,limits.memory=1Gi"]).await;
    let shown = bench.ok(&["-n", "extra", "get", "quota", "most"]).await;
    assert!(shown.contains("pods: 0/1") && shown.contains("limits.memory: 0/1Gi"), "{shown}");
    let (succeeded, text) =
        bench.run(&["-n", "extra", "run", "one", "--image=app:1", "--restart=Never"]).await;
    let why = "pods \"one\" is forbidden: failed quota: most: must specify limits.memory for: one";
    assert!(!succeeded && text.contains(why), "{text}");
    let told = bench.ok(&["-n", "extra", "describe", "quota", "most"]).await;
    assert!(told.contains("limits.memory") && told.contains("1Gi"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_is_restarted_watched_and_undone() {
    let bench = Bench::running().await;
    let tenant = bench.tenant();
    let target = format!("deployment/{tenant}");
    let image = "jsonpath={.spec.template.spec.containers[?(@.name==\"php-fpm\")].image}";
    let before = bench.ok(&["-n", &tenant, "get", &target, "-o", image]).await;
    bench.ok(&["-n", &tenant, "rollout", "restart", &target]).await;
    let said = bench.ok(&["-n", &tenant, "rollout", "status", &target, "--timeout=60s"]).await;
    assert!(said.contains("successfully rolled out"), "{said}");
    bench.ok(&["-n", &tenant, "set", "image", &target, "php-fpm=registry.example/app:next"]).await;
    bench.ok(&["-n", &tenant, "rollout", "status", &target, "--timeout=60s"]).await;
    let history = bench.ok(&["-n", &tenant, "rollout", "history", &target]).await;
    assert!(history.contains("REVISION") && history.contains('3'), "{history}");
    bench.ok(&["-n", &tenant, "rollout", "undo", &target]).await;
    bench.ok(&["-n", &tenant, "rollout", "status", &target, "--timeout=60s"]).await;
    assert_eq!(bench.ok(&["-n", &tenant, "get", &target, "-o", image]).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_drained_until_only_its_daemons_are_left() {
    let bench = Bench::running().await;
    let node = bench.node();
    let (succeeded, text) = bench.run(&["drain", &node]).await;
    assert!(!succeeded && text.contains("cannot delete"), "{text}");
    let arguments =
        ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"];
    let drained = bench.ok(&arguments).await;
    assert!(drained.contains("evicting pod") && !drained.contains("error"), "{drained}");
    let left = bench.cluster.with_world(|world| {
        let pods = world.store.list(demo::Kind::POD, None);
        let there = pods.filter(|pod| pod["spec"]["nodeName"] == node.as_str());
        let owned = there.filter(|pod| pod["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet");
        owned.map(|pod| pod["metadata"]["name"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(left, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_in_containers() {
    let bench = Bench::new().await;
    if !bench.is_at_least(31, "exec over websockets").await {
        return;
    }
    let tenant = bench.tenant();
    let pod = bench.pods(&tenant)[0].clone();
    let within = |command: &[&'static str]| {
        let all: Vec<String> = ["-n", &tenant, "exec", &pod, "-c", "php-fpm", "--"]
            .into_iter()
            .map(str::to_owned)
            .chain(command.iter().map(|word| (*word).to_owned()))
            .collect();
        all
    };
    let run = async |all: Vec<String>| bench.run(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (succeeded, said) = run(within(&["hostname"])).await;
    assert!(succeeded && said.trim() == pod, "{said}");
    let (succeeded, said) = run(within(&["sh", "-c", "echo one; exit 3"])).await;
    assert!(!succeeded && said.contains("one") && said.contains("exit code 3"), "{said}");
    for websockets in ["true", "false"] {
        let mut command = bench.command(&[
            "-n",
            &tenant,
            "exec",
            &pod,
            "-c",
            "php-fpm",
            "--",
            "sh",
            "-c",
            "id; nothing; exit 3",
        ]);
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a joined thread");
        let output = output.expect("kubectl ends");
        let both =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(both.contains("uid=0(root)") && both.contains("nothing: not found"), "{websockets}: {both}");
        assert_eq!(output.status.code(), Some(3), "{websockets}: {both}");
    }
    let mut command = bench.command(&["-n", &tenant, "exec", "-i", &pod, "-c", "php-fpm", "--", "sh"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let mut typed = child.stdin.take().expect("a piped input");
    std::io::Write::write_all(&mut typed, b"whoami\nhostname\n").expect("input that is taken");
    drop(typed);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = output.await.expect("a joined thread").expect("kubectl ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("root\n{pod}\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_run_are_resized_several_at_once_and_a_plain_patch_is_refused() {
    let bench = Bench::running().await;
    if !bench.is_at_least(32, "patch --subresource=resize").await {
        return;
    }
    let tenant = bench.tenant();
    let pods: Vec<String> = bench.pods(&tenant).iter().map(|name| format!("pod/{name}")).collect();
    assert!(pods.len() > 1, "{pods:?}");
    let limits = r#"{"spec":{"containers":[{"name":"php-fpm","resources":{"limits":{"memory":"768Mi"}}}]}}"#;
    let mut arguments = vec!["-n", &tenant, "patch"];
    arguments.extend(pods.iter().map(String::as_str));
    arguments.extend(["--subresource=resize", "-p", limits]);
    let told = bench.ok(&arguments).await;
    assert_eq!(told.lines().filter(|line| line.ends_with("patched")).count(), pods.len(), "{told}");
    let path =
        "jsonpath={.items[*].status.containerStatuses[?(@.name==\"php-fpm\")].resources.limits.memory}";
    let began = std::time::Instant::now();
    loop {
        let all = bench.ok(&["-n", &tenant, "get", "pods", "-o", path]).await;
        if all.split_whitespace().all(|limit| limit == "768Mi") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{all}");
    }
    let (done, told) =
        bench.run(&["-n", &tenant, "patch", &pods[0], "-p", &limits.replace("768", "800")]).await;
    assert!(!done && told.contains("pod updates may not change fields other than"), "{told}");
    let large = limits.replace("768Mi", "64Mi");
    let (done, told) =
        bench.run(&["-n", &tenant, "patch", &pods[0], "--subresource=resize", "-p", &large]).await;
    assert!(!done && told.contains("must be less than or equal to memory limit of 64Mi"), "{told}");
}
