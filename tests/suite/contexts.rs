//! From one cluster to another, and from one namespace to another, without leaving the cockpit.

use std::{fs, thread, time::Duration};

use wheelhouse::demo::{Cluster, Options};

use crate::{
    program::{Home, Terminal, send},
    world::{begin, standing},
};

/// Two clusters of one kubeconfig: `one` with acme and others, `two` with a single tenant less.
struct Two {
    one: Cluster,
    two: Cluster,
    home: Home,
}

fn entry(cluster: &Cluster, name: &str, user: &str) -> [String; 3] {
    let kubeconfig = cluster.kubeconfig();
    let authority =
        kubeconfig.split("certificate-authority-data: ").nth(1).and_then(|rest| rest.split('\n').next());
    let authority = authority.expect("an authority").trim();
    [
        format!(
            "- name: {name}\n  cluster: {{server: '{}', certificate-authority-data: {authority}}}\n",
            cluster.url()
        ),
        format!("- name: {name}\n  user: {user}\n"),
        format!("- name: {name}\n  context: {{cluster: {name}, user: {name}}}\n"),
    ]
}

impl Two {
    /// With what the configuration says; `asks`: the user of the second is a plug-in that asks on the terminal.
    async fn new(config: &str, asks: bool) -> Self {
        let one = begin(Options { speed: 1.0, ..standing(4) }).await;
        let two = begin(Options { speed: 1.0, ..standing(3) }).await;
        let home = Home::new();
        let token = |cluster: &Cluster| format!("{{token: '{}'}}", cluster.token());
        let plugin = format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always, command: sh, args: [-c, \"read -p \
             'password please: ' word; test $word = open || exit 1; echo \
             '{{\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\",\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":\
             {{\\\"token\\\":\\\"{}\\\"}}}}'\"]}}}}",
            two.token()
        );
        let user = if asks { plugin } else { token(&two) };
        let [a, b] = [entry(&one, "one", &token(&one)), entry(&two, "two", &user)];
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n{}{}users:\n{}{}contexts:\n{}{}- name: broken\n  \
             context: {{cluster: none, user: one}}\n",
            a[0], b[0], a[1], b[1], a[2], b[2]
        );
        fs::write(home.path("kubeconfig"), text).expect("a file");
        fs::write(home.path("config.toml"), config).expect("a file");
        Self { one, two, home }
    }

    fn terminal(&self, more: &[&str], columns: u16, rows: u16) -> Terminal {
        let [kubeconfig, config] =
            ["kubeconfig", "config.toml"].map(|name| self.home.path(name).display().to_string());
        let all: Vec<&str> = ["--kubeconfig", &kubeconfig, "--config", &config]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.home.terminal(&all, columns, rows)
    }
}

async fn on_terminal<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(f).await.expect("it passes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_context_is_gone_to_and_nothing_of_the_first_stays() {
    let config = "[contexts.two]\nlabel = \"PRODUCTION\"\nread-only = true\ntheme = \"light\"\n";
    let two = Two::new(config, false).await;
    let mut terminal = two.terminal(&[], 140, 30);
    let mut terminal = on_terminal(move || {
        let screen = terminal.wait("the first cluster", |s| s.contains("4 tenants") && s.contains("acme"));
        assert!(!screen.contains("PRODUCTION") && screen.contains("READ-WRITE"), "{screen}");
        terminal.keys(":context ");
        terminal.wait("all contexts are offered", |s| s.contains("this one") && s.contains("broken"));
        terminal.keys("tow\r");
        terminal.wait_for("there is no context tow; did you mean two?");
        terminal.keys(":context broken\r");
        terminal.wait_for("names cluster `none`, which is not in it");
        terminal.keys(":context two\r");
        let screen = terminal
            .wait("the second cluster", |s| s.contains("3 tenants") && s.contains("[PRODUCTION] two"));
        assert!(screen.contains("READ-ONLY"), "{screen}");
        terminal
    })
    .await;
    let before = two.one.requests().len();
    two.one.step(Duration::from_secs(60));
    two.two.step(Duration::from_secs(60));
    let terminal = on_terminal(move || {
        terminal.keys(":exec acme\r");
        terminal.wait_for("read-only: no shell is opened");
        terminal.keys(":unlock 2h\r");
        terminal.wait("a question", |s| s.contains("PRODUCTION (two) can be changed from here for 2h"));
        // A yes that is not part of a burst.
        thread::sleep(Duration::from_millis(100));
        terminal.keys("y");
        terminal.wait("a countdown", |s| s.contains("READ-WRITE 120 min"));
        terminal.keys(":lock\r");
        terminal.wait_for("READ-ONLY");
        // What was typed on the first is remembered on the second.
        terminal.keys(":");
        terminal.wait("offers", |s| s.contains("tenants and where"));
        terminal.keys("\x1b[A\x1b[A\x1b[A\x1b[A");
        terminal.wait("the line that led here", |s| s.contains(":context two"));
        terminal.keys("\x1b");
        terminal
    })
    .await;
    // A probe, or a watch that begins again, would show.
    let after = two.one.requests();
    assert_eq!(after.len(), before, "{:?}", &after[before..]);
    let recent = fs::read_to_string(two.home.path("state/wheelhouse/contexts")).expect("a file");
    assert_eq!(recent, "two\none\n");
    let mut terminal = terminal;
    on_terminal(move || {
        send(terminal.id(), "TERM");
        assert_eq!(terminal.end(), 0);
        assert!(!terminal.is_taken());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_namespace_is_looked_at_and_then_all_again() {
    let two = Two::new("", false).await;
    let mut terminal = two.terminal(&[], 100, 30);
    on_terminal(move || {
        terminal.wait("all tenants", |s| s.contains("4 tenants") && s.contains("acme"));
        terminal.keys(":namespace acem\r");
        terminal.wait_for("there is no namespace acem; did you mean acme?");
        terminal.keys(":ns acme\r");
        terminal.wait("one tenant", |s| s.contains("1 tenant") && s.contains("one/acme"));
        terminal.keys(":ns acme\r");
        terminal.wait_for("acme is looked at already");
        terminal.keys(":ns all\r");
        terminal.wait("all tenants again", |s| s.contains("4 tenants") && !s.contains("one/acme"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plug_in_that_asks_has_the_terminal_for_that() {
    let two = Two::new("", true).await;
    let mut terminal = two.terminal(&[], 100, 30);
    let mut terminal = on_terminal(move || {
        terminal.wait("the first cluster", |s| s.contains("4 tenants") && s.contains("acme"));
        terminal.keys(":context two\r");
        terminal.wait("its question", |s| s.contains("password please"));
        assert!(!terminal.is_taken());
        terminal.keys("wrong\r");
        terminal.wait("the first cluster, which stays", |s| {
            s.contains("failed") && s.contains("4 tenants") && s.contains("REQ LEFT")
        });
        thread::sleep(Duration::from_millis(700));
        terminal.keys(":context two\r");
        terminal.wait("its question", |s| s.matches("password please").count() == 2);
        terminal.keys("open\r");
        terminal.wait("the second cluster", |s| s.contains("3 tenants") && s.contains(" two "));
        terminal
    })
    .await;
    on_terminal(move || {
        send(terminal.id(), "HUP");
        assert_eq!(terminal.end(), 0);
    })
    .await;
    // From the start: before the screen is taken.
    let mut terminal = two.terminal(&["--context", "two"], 100, 30);
    on_terminal(move || {
        terminal.wait("its question", |s| s.contains("password please"));
        assert!(!terminal.is_taken());
        terminal.keys("open\r");
        terminal.wait("the second cluster", |s| s.contains("3 tenants"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_flag_makes_read_only_cannot_be_unlocked() {
    let two = Two::new("", false).await;
    let mut terminal = two.terminal(&["--read-only"], 100, 30);
    on_terminal(move || {
        terminal.wait("the first cluster", |s| s.contains("4 tenants") && s.contains("READ-ONLY"));
        terminal.keys(":unlock\r");
        terminal.wait_for("read-only for this session (--read-only)");
        terminal.keys(":unlock 3days\r");
        terminal.wait_for("read-only for this session (--read-only)");
    })
    .await;
}
