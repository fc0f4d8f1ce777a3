//! Real members below a folder of their own: started, stopped, killed and asked.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::task::JoinSet;
use wheelhouse::{
    cli::help::topic,
    cluster::MemberName,
    wire::sql::{Answer, Login, Sql},
};

/// Who only looks, with the least grants of `help database`.
pub const WATCHER: &str = "wheelhouse";
/// Who acts as well, with those and the one more that is named for it there.
pub const ACTING: &str = "acting";
/// Who may log in and nothing else.
pub const NOBODY: &str = "nobody";
pub const PASSWORD: &str = "not-to-be-seen-17";
/// Nothing that is waited for takes this long, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/galera")
}

/// The statements of `help database` that give the least grants: to look, and to act besides.
pub fn grants() -> (Vec<String>, Vec<String>) {
    let text = topic("database").expect("a topic").markdown();
    let blocks = text.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut blocks = blocks.filter(|b| b.contains("wheelhouse@")).map(|block| {
        let statements = block.split(';').map(|s| s.trim().replace("'...'", &format!("'{PASSWORD}'")));
        statements.filter(|s| !s.is_empty()).collect::<Vec<_>>()
    });
    let both = (blocks.next().expect("the grants to look"), blocks.next().expect("the grant to act"));
    assert_eq!(blocks.next(), None, "the help gives more grants than these tests know");
    both
}

/// All accounts of the tests.
pub fn accounts() -> Vec<String> {
    let (look, act) = grants();
    let mut all = look.clone();
    all.extend(look.iter().chain(&act).map(|s| s.replace(WATCHER, ACTING)));
    all.push(format!("CREATE USER {NOBODY}@'%' IDENTIFIED BY '{PASSWORD}'"));
    all
}

fn needs_mariadb() {
    let there = ["/usr/sbin/mariadbd", "/usr/lib/galera/libgalera_smm.so", "/usr/bin/rsync"]
        .iter()
        .all(|p| Path::new(p).exists());
    assert!(
        there,
        "real Galera members are needed: apt-get install mariadb-server galera-4 rsync (tests/run does it)"
    );
}

/// The first of a hundred ports nobody listens at, below those the system hands out. No two calls get the same.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 100) as u16;
    (0..100)
        .map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 100 * 100)
        .find(|base| (0..60).all(|port| std::net::TcpListener::bind(("127.0.0.1", base + port)).is_ok()))
        .expect("a hundred free ports")
}

/// A folder the server's user may enter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("others may enter");
    folder
}

/// The data every first member starts from; labs that live at the same time share it.
fn template() -> Arc<TempDir> {
    static SHARED: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().expect("no test failed while it made it");
    if let Some(there) = shared.upgrade() {
        return there;
    }
    needs_mariadb();
    let root = Arc::new(folder());
    let made = Command::new(here().join("member")).arg("template").arg(root.path()).status().expect("bash");
    let log = root.path().join("install.log");
    assert!(made.success(), "{}", fs::read_to_string(log).unwrap_or_default());
    *shared = Arc::downgrade(&root);
    root
}

/// Real members below a folder of their own; they end with the test.
pub struct Lab {
    pub root: TempDir,
    template: Arc<TempDir>,
    base: u16,
    pub count: u16,
    pub running: Vec<Option<Child>>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Lab {
    pub fn new(count: u16) -> Self {
        let template = template();
        let root = folder();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        fs::copy(here().join("wsrep_sst_held"), bin.join("wsrep_sst_held")).expect("a copy");
        let running = (0..=count).map(|_| None).collect();
        Self { root, template, base: free_ports(), count, running }
    }

    /// A lab whose first member serves, with the accounts and a table to write to.
    pub async fn founded(count: u16) -> Self {
        let mut lab = Self::new(count);
        let folder = lab.root.path().join("n1");
        fs::create_dir_all(&folder).expect("a folder");
        lab.copy_template(&folder.join("data"));
        lab.start(1, &["--wsrep-new-cluster"]);
        lab.until_serving(1).await;
        for statement in accounts() {
            lab.run(1, &statement).await;
        }
        lab.run(1, "CREATE DATABASE t").await;
        lab.run(1, "CREATE TABLE t.b (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(600))").await;
        lab
    }

    fn copy_template(&self, to: &Path) {
        let from = self.template.path().join("template");
        assert!(Command::new("cp").arg("-a").args([&from, to]).status().expect("cp").success());
    }

    pub fn port(&self, node: u16) -> u16 {
        self.base + 10 * node
    }

    pub fn name(&self, node: u16) -> MemberName {
        format!("127.0.0.1:{}", self.port(node)).as_str().into()
    }

    /// Starts a member. Its folder is what it was, or empty: then it takes a full copy.
    pub fn start(&mut self, node: u16, flags: &[&str]) {
        let child = Command::new(here().join("member"))
            .arg("run")
            .arg(self.root.path())
            .args([self.base, node, self.count].map(|n| n.to_string()))
            .args(flags)
            .stdin(Stdio::null())
            .spawn()
            .expect("bash");
        self.running[usize::from(node)] = Some(child);
    }

    /// Starts a server without Galera.
    pub fn start_plain(&mut self, flags: &[String]) {
        let data = self.root.path().join("plain");
        fs::create_dir_all(&data).expect("a folder");
        self.copy_template(&data.join("data"));
        let child = Command::new(here().join("member"))
            .arg("plain")
            .arg(self.root.path())
            .arg(self.port(1).to_string())
            .args(flags)
            .stdin(Stdio::null())
            .spawn()
            .expect("bash");
        self.running[1] = Some(child);
    }

    /// As long as this is so, donors that are asked for a `held` transfer wait.
    pub fn hold_transfers(&self, held: bool) {
        let hold = self.root.path().join("hold");
        match held {
            true => fs::write(hold, "").expect("a file"),
            false => fs::remove_file(hold).expect("it is there"),
        }
    }

    pub fn signal(&self, node: u16, signal: &str) {
        let pid = self.running[usize::from(node)].as_ref().expect("it runs").id();
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill").success());
    }

    /// `kill -9`, and it is gone.
    pub fn kill(&mut self, node: u16) {
        let mut child = self.running[usize::from(node)].take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// A clean stop.
    pub fn stop(&mut self, node: u16) {
        self.signal(node, "-TERM");
        let mut child = self.running[usize::from(node)].take().expect("it runs");
        child.wait().expect("it ends");
    }

    /// A command of the shell on the machine of a member, where `mariadbd` and the like are that member's.
    pub fn shell(&self, node: u16, command: &str) -> Command {
        let machine = here().join("machine");
        let path = format!("{}:{}", machine.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .env("PATH", path)
            .env("LAB", self.root.path())
            .env("MEMBER", node.to_string())
            .stdin(Stdio::null());
        shell
    }

    pub fn login(&self, node: u16, user: &str) -> Login {
        let password = (user != "root").then(|| PASSWORD.to_owned().into());
        Login { host: "127.0.0.1".into(), port: self.port(node), user: user.into(), password, tls: None }
    }

    pub fn root(&self, node: u16) -> Sql {
        Sql::new(self.login(node, "root"))
    }

    pub async fn run(&self, node: u16, statement: &str) -> Answer {
        self.root(node).ask(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"))
    }

    /// The first cell of an answer.
    pub async fn value(&self, node: u16, question: &str) -> String {
        let answer = self.run(node, question).await;
        answer.rows.first().and_then(|row| row.first().cloned()?).unwrap_or_default()
    }

    /// Waits until the first cell of an answer is this.
    pub async fn until_value(&self, node: u16, question: &str, value: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // What is asked about may not be there yet.
            let found = self.root(node).ask(question).await;
            if found.as_ref().is_ok_and(|a| a.rows.first().is_some_and(|r| r[0].as_deref() == Some(value))) {
                return;
            }
            assert!(Instant::now() < deadline, "db{node}: {question} is {found:?}, not {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a statement works: the server is up and in a primary component.
    pub async fn until_serving(&mut self, node: u16) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.root(node).ask("SELECT COUNT(*) FROM mysql.user").await;
            if answer.is_ok() {
                return;
            }
            let log = self.root.path().join(format!("n{node}/error.log"));
            let ended = self.running[usize::from(node)]
                .as_mut()
                .is_some_and(|c| c.try_wait().is_ok_and(|e| e.is_some()));
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(log).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                panic!(
                    "db{node} does not serve: {answer:?}\n{}",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Keeps writing on a member, until dropped: so slowly that its 8 MiB of kept writes reach back minutes, and who was
    /// frozen meanwhile needs no full copy.
    pub fn writer(&self, node: u16) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let login = self.login(node, "root");
        tasks.spawn(async move {
            let mut sql = Sql::new(login);
            loop {
                let failed = sql.ask("INSERT INTO t.b (v) VALUES (REPEAT('x', 500))").await.is_err();
                tokio::time::sleep(Duration::from_millis(if failed { 50 } else { 5 })).await;
            }
        });
        tasks
    }
}
