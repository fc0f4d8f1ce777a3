//! A library that panics on what it is told: the endpoint it was told by fails, and nothing else.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::program::{Demo, PATIENCE, text};

/// A MySQL server on loopback whose RSA key is none: the client library panics on it.
struct Garbled {
    port: u16,
    /// Logins that came as far as the key.
    keys: Arc<AtomicUsize>,
}

impl Garbled {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let keys = Arc::new(AtomicUsize::new(0));
        let told = keys.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || login(stream, &told));
            }
        });
        Self { port, keys }
    }

    fn wait(&self, more: usize) {
        let (until, begun) = (Instant::now() + PATIENCE, self.keys.load(Ordering::SeqCst));
        while self.keys.load(Ordering::SeqCst) < begun + more {
            assert!(Instant::now() < until, "nobody logs in any more");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// `caching_sha2_password`: the greeting, the wish for full authentication, and garbage where the public key should be.
fn login(mut stream: TcpStream, told: &AtomicUsize) -> io::Result<()> {
    let mut greeting = b"\x0a8.0.30\0\x07\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\0\x15".to_vec();
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    send(&mut stream, 0, &greeting)?;
    let number = receive(&mut stream)?;
    send(&mut stream, number + 1, b"\x01\x04")?;
    let number = receive(&mut stream)?;
    send(&mut stream, number + 1, b"\x01garbage")?;
    told.fetch_add(1, Ordering::SeqCst);
    receive(&mut stream).map(drop)
}

fn send(stream: &mut TcpStream, number: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).expect("a short packet").to_le_bytes();
    stream.write_all(&[&[length[0], length[1], length[2], number], body].concat())
}

/// The number of the next packet.
fn receive(stream: &mut TcpStream) -> io::Result<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut body)?;
    Ok(head[3])
}

/// A calm cluster, and a configuration that names the server as a member of the database.
fn beside(server: &Garbled) -> (Demo, String) {
    let demo = Demo::cluster("--tenants 2 --nodes 3 --seed 7 --scenario calm --speed 0");
    let config = demo.home.path("config.toml");
    let (kubeconfig, port) = (demo.served.kubeconfig(), server.port);
    let password = demo.home.path("password");
    fs::write(&password, "secret").expect("a file");
    let file = password.display();
    fs::write(
        &config,
        format!(
            "kubeconfig = \"{kubeconfig}\"\n[galera]\nmembers = [\"127.0.0.1:{port}\"]\nuser = \"cockpit\"\n\
             [galera.password]\nfile = \"{file}\"\n"
        ),
    )
    .expect("a file");
    (demo, config.display().to_string())
}

#[test]
fn a_panic_of_a_library_is_an_error_of_its_endpoint_in_check() {
    let server = Garbled::new();
    let (demo, config) = beside(&server);
    let (out, err) = text(&demo.home.run(&["--config", &config, "check"]));
    assert!(server.keys.load(Ordering::SeqCst) > 0, "{out}{err}");
    assert!(
        out.contains("2/2 tenants ready") && out.contains("the client library fails on its answer"),
        "{out}"
    );
    assert_eq!(err, "", "nobody else hears of it");
}

#[test]
fn a_panic_of_a_library_leaves_the_cockpit_running() {
    let server = Garbled::new();
    let (demo, config) = beside(&server);
    let mut terminal = demo.home.terminal(&["--config", &config], 80, 24);
    terminal.wait_for("acme");
    server.wait(3);
    terminal.keys("2");
    terminal.wait_for("NODE");
    assert!(terminal.is_taken());
    terminal.keys("\x03");
    assert_eq!(terminal.end(), 0);
    let raw = terminal.raw();
    let said = String::from_utf8_lossy(&raw);
    assert!(!said.contains("panicked") && !said.contains("defect"), "{said}");
}
