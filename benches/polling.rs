//! What it costs to ask five Galera members and two ProxySQLs once a second, and what one that hangs does to the others.
//!
//! The simulated database runs in a process of its own, so that the processor time of this one is the asking alone:
//! connections, questions, and making values of the answers.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tokio::{sync::mpsc, time::timeout};
use wheelhouse::{
    cluster::{Observation, Seen},
    demo::database::{self, Endpoint, Fault, Options},
    live::database::{Endpoints, observe},
    wire::sql::Login,
};

const MEMBERS: usize = 5;
const PROXIES: usize = 2;
const SECONDS: u32 = 10;
/// So much of a core may be used at most, in percent.
const AT_MOST: f64 = 1.0;
/// Set in the process that serves.
const SERVES: &str = "WHEELHOUSE_BENCH_SERVES";

fn main() {
    if std::env::var_os(SERVES).is_some() {
        return serve();
    }
    let mut server = Server::start();
    let credentials = server.logins.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (cpu, heard) = runtime.block_on(async {
        let mut asked = asking(&server.addresses, &credentials);
        let mut heard = BTreeMap::new();
        // Connecting and the first answers are not what is measured.
        follow(&mut asked, Duration::from_secs(2), &mut BTreeMap::new()).await;
        let before = own_cpu();
        follow(&mut asked, Duration::from_secs(SECONDS.into()), &mut heard).await;
        (own_cpu().saturating_sub(before), heard)
    });
    let share = cpu.as_secs_f64() / f64::from(SECONDS) * 100.0;
    let rounds: usize = heard.values().map(|h: &Heard| h.rounds).sum();
    println!("asking {MEMBERS} members and {PROXIES} proxies once a second for {SECONDS} s");
    println!("  processor time                {:>8.1} ms, {share:.2} % of a core", cpu.as_secs_f64() * 1e3);
    println!(
        "  rounds                        {rounds:>8}, {:.2} ms each",
        cpu.as_secs_f64() * 1e3 / rounds as f64
    );
    println!("  bound : used                  {AT_MOST:>8} : {share:.2} = {:.1} : 1", AT_MOST / share);
    let greeted = server.say("count");
    println!("  connections an endpoint       {greeted:>8}");
    assert!(greeted.split(',').all(|n| n == "1"), "one connection for each endpoint: {greeted}");
    assert_eq!(heard.len(), MEMBERS + PROXIES);

    server.say("hang");
    let (heard, silent) = runtime.block_on(async {
        let (mut heard, begun) = (BTreeMap::new(), Instant::now());
        let mut asked = asking(&server.addresses, &credentials);
        while heard.get(&server.addresses[0]).is_none_or(|h: &Heard| h.failed.is_none()) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the hung member is never told");
            follow(&mut asked, Duration::from_millis(10), &mut heard).await;
        }
        (heard, begun.elapsed())
    });
    println!("one member takes connections and never answers");
    println!("  told after                    {:>8.1} s", silent.as_secs_f64());
    let slowest = heard.iter().filter(|(at, _)| **at != server.addresses[0]).map(|(_, h)| h.rounds).min();
    println!("  rounds of the slowest other   {:>8} meanwhile", slowest.unwrap_or(0));
    assert!(silent < Duration::from_secs(6), "its deadline is 3 s, and 1 s to find out why");
    assert!(
        slowest.is_some_and(|rounds| rounds + 1 >= silent.as_secs() as usize),
        "the others keep their pace"
    );
    assert!(share < AT_MOST, "asking costs {share:.2} % of a core");
}

/// What was heard of an endpoint.
#[derive(Default)]
struct Heard {
    rounds: usize,
    failed: Option<String>,
}

type Asked = (tokio::task::JoinSet<()>, mpsc::Receiver<Observation>);

fn asking(addresses: &[SocketAddr], logins: &[(String, String)]) -> Asked {
    let login = |at: &SocketAddr, (user, password): &(String, String)| Login {
        host: at.ip().to_string(),
        port: at.port(),
        user: user.clone(),
        password: Some(SecretString::from(password.clone())),
        tls: None,
    };
    let (members, proxies) = addresses.split_at(MEMBERS);
    let endpoints = Endpoints {
        members: members.iter().map(|at| (at.to_string().as_str().into(), login(at, &logins[0]))).collect(),
        proxies: proxies.iter().map(|at| (at.to_string().as_str().into(), login(at, &logins[1]))).collect(),
        every: Duration::from_secs(1),
    };
    let (tell, told) = mpsc::channel(64);
    (observe(endpoints, tell), told)
}

async fn follow((_, told): &mut Asked, time: Duration, heard: &mut BTreeMap<SocketAddr, Heard>) {
    let listening = async {
        while let Some(observation) = told.recv().await {
            let (name, link) = match observation {
                Observation::Member(Seen::Put(name, member)) => (name.to_string(), member.link),
                Observation::Proxy(Seen::Put(name, proxy)) => (name.to_string(), proxy.link),
                _ => continue,
            };
            let heard = heard.entry(name.parse().expect("an address")).or_default();
            match link.trouble() {
                Some(why) => heard.failed = Some(why.to_owned()),
                None => heard.rounds += 1,
            }
        }
    };
    let _ = timeout(time, listening).await;
}

/// The process that serves the simulated database.
struct Server {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    addresses: Vec<SocketAddr>,
    /// Of the members, and of the proxies.
    logins: Vec<(String, String)>,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(SERVES, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts again");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let mut server = Self { child, out, addresses: Vec::new(), logins: Vec::new() };
        let addresses = server.line();
        server.addresses = addresses.split(',').map(|at| at.parse().expect("an address")).collect();
        for _ in 0..2 {
            let line = server.line();
            let (user, password) = line.split_once(' ').expect("a user and a password");
            server.logins.push((user.into(), password.into()));
        }
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn say(&mut self, word: &str) -> String {
        writeln!(self.child.stdin.as_mut().expect("its input"), "{word}").expect("it listens");
        self.line()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn serve() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = Options { members: MEMBERS, proxies: PROXIES, speed: 1.0, ..Options::default() };
    let database = runtime.block_on(database::start(options)).expect("the simulated database starts");
    let all = database.members.iter().chain(&database.proxies).map(SocketAddr::to_string);
    println!("{}", all.collect::<Vec<_>>().join(","));
    for (user, password) in [database.credentials.monitor, database.credentials.proxy_admin] {
        println!("{user} {password}");
    }
    for line in std::io::stdin().lines() {
        match line.as_deref() {
            Ok("count") => {
                let count = database.with(|s| s.greeted.values().map(u64::to_string).collect::<Vec<_>>());
                println!("{}", count.join(","));
            }
            Ok("hang") => {
                database.fault(Endpoint::Member(0), Some(Fault::Hang));
                println!("hung");
            }
            _ => return,
        }
    }
}

/// The processor time of this process so far: in the kernel's hundredths of a second, its own threads together.
fn own_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a process");
    let after = stat.rsplit(')').next().expect("the fields after the name");
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
