//! Port-forwards that an operator opens: on the command line and in the cockpit.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
    thread,
    time::Duration,
};

use wheelhouse::demo::{self, Cluster, Options};

use crate::{
    program::{Home, send},
    world::{begin, standing},
};

struct Bench {
    cluster: Cluster,
    home: Home,
    pod: String,
}

async fn bench() -> Bench {
    let cluster = begin(Options { speed: 1.0, ..standing(4) }).await;
    let home = Home::new();
    std::fs::write(home.path("kubeconfig"), cluster.kubeconfig()).expect("a file");
    let pod = cluster.with_world(|world| {
        let mut pods: Vec<_> = world
            .store
            .list(demo::Kind::POD, Some("acme"))
            .map(|pod| pod["metadata"]["name"].clone())
            .collect();
        pods.sort_by_key(ToString::to_string);
        pods[0].as_str().expect("a name").to_owned()
    });
    Bench { cluster, home, pod }
}

/// What a web server answers at a port of loopback.
fn page(port: u16) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is taken");
    let mut answer = vec![0; 1024];
    let length = socket.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(f).await.expect("it passes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_leads_to_the_first_ready_pod_until_it_is_interrupted() {
    let Bench { cluster, home, pod } = bench().await;
    let path = home.path("kubeconfig").display().to_string();
    let mut command = home.command(&["--kubeconfig", &path, "port-forward", "acme", ":8080", ":9999"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let (mut child, home, errors) = blocking(move || {
        let mut errors = errors;
        let mut port = |remote: u16| -> u16 {
            let line = lines.next().expect("a line").expect("text");
            let (address, to) = line.split_once(" leads to ").expect("an arrow");
            assert_eq!(to, format!("{pod}:{remote}"));
            address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
        };
        let (web, closed) = (port(8080), port(9999));
        assert!(page(web).ends_with(&format!("{pod} answers\n")));
        assert!(page(web).starts_with("HTTP/1.1 200"));
        let mut socket = TcpStream::connect(("127.0.0.1", closed)).expect("it listens");
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "nothing listens there");
        let said = errors.next().expect("a line").expect("text");
        assert!(said.contains("nothing listens on that port of the pod"), "{said}");
        // What is taken, and what is no port.
        let taken = format!("{web}:80");
        for (ports, code, words) in [
            (taken.as_str(), 1, "is taken: choose another, or :80 for any free one"),
            ("http", 2, "LOCAL:REMOTE"),
            ("0:0", 2, "LOCAL:REMOTE"),
        ] {
            let output = home.run(&["--kubeconfig", &path, "port-forward", "acme", ports]);
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{err}");
            assert!(err.contains(words), "{ports}: {err}");
        }
        (child, home, errors)
    })
    .await;
    drop(home);
    cluster.faults().deny(None, "create", "pods/portforward");
    blocking(move || {
        let mut errors = errors;
        send(child.id(), "INT");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        assert!(errors.next().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cockpit_opens_lists_and_closes_them_and_they_end_with_it() {
    let Bench { cluster, home, pod } = bench().await;
    let path = home.path("kubeconfig").display().to_string();
    let mut terminal = home.terminal(&["--kubeconfig", &path], 120, 30);
    let (mut terminal, port) = blocking(move || {
        terminal.wait_for("nothing is wrong");
        terminal.keys(&format!(":port-forward {pod} :8080\r"));
        let screen = terminal.wait_for(" leads to ");
        let port = screen.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port");
        let port: u16 = port.parse().expect("a number");
        assert!(page(port).ends_with(&format!("{pod} answers\n")));
        terminal.keys(":forwards\r");
        terminal.wait("the list", |s| s.contains("CONNECTIONS") && s.contains(&format!("127.0.0.1:{port}")));
        (terminal, port)
    })
    .await;
    cluster.faults().deny(None, "create", "pods/portforward");
    blocking(move || {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let _ = socket.read(&mut [0]);
        terminal.wait_for("may not create pods/portforward");
        terminal.keys("x");
        terminal.wait_for("no port-forward is open");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
        terminal.keys(":port-forward acme :80\r");
        let screen = terminal.wait_for(" leads to ");
        let port = screen.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).expect("a port");
        let port: u16 = port.parse().expect("a number");
        send(terminal.id(), "TERM");
        assert_eq!(terminal.end(), 0);
        thread::sleep(Duration::from_millis(10));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it has ended with the cockpit");
    })
    .await;
}
