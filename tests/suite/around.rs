//! What stands around the embedded cluster: its edges and its registry, asked by the clients of wheelhouse, and the scenarios
//! that need them, told by the program.

use std::{net::SocketAddr, time::Duration};

use futures::FutureExt;
use wheelhouse::{
    cluster::{LinkState, Served},
    demo::{Cluster, Kind, Options, Outside, Scenario},
    live::edge::served,
    wire::{
        registry::{Alive, Answer, Lacking, Login, Registries, RegistryAddress, pull_logins},
        request,
        tls::Roots,
    },
};

use crate::program::{Demo, PATIENCE, text};

/// A world that stands still, and its authority in a file.
async fn still(scenario: Scenario) -> (Cluster, tempfile::NamedTempFile) {
    let options = Options { tenants: 4, nodes: 3, seed: 7, scenario, speed: 0.0, ..Options::default() };
    let cluster = wheelhouse::demo::start(options).await.expect("a port");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &outside(&cluster).authority).expect("a file");
    (cluster, file)
}

fn outside(cluster: &Cluster) -> &Outside {
    cluster.outside().expect("the scenario has it")
}

async fn look(cluster: &Cluster, roots: &Roots, at: SocketAddr, host: &str) -> Served {
    let now = cluster.with_world(|world| world.now());
    let all = served(&[at.to_string()], &[host.into()], "/robots.txt", roots, now).await;
    all.expect("an address").remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edges_serve_the_hosts_of_the_world_and_what_its_endpoints_say() {
    let (cluster, file) = still(Scenario::EdgeStale).await;
    let roots = Roots::read(Some(file.path())).expect("an authority");
    let outside = outside(&cluster);
    let [active, passive] = [outside.edges[0].address, outside.edges[1].address];
    let floating = outside.floating.expect("an address");
    const ACME: &str = "acme.saas.example";
    for at in [active, floating] {
        let one = look(&cluster, &roots, at, ACME).await;
        assert_eq!((one.state, one.status), (LinkState::Ok, Some(200)), "{}", one.text);
    }
    let now = cluster.with_world(|world| world.now());
    let both = [active.to_string(), passive.to_string()];
    let both = served(&both, &[ACME.into()], "/robots.txt", &roots, now).await.expect("addresses");
    assert_eq!((both[0].state, both[1].state), (LinkState::Ok, LinkState::Warning), "{both:?}");
    assert!(both[1].text.contains("presents a newer one: this one was not reloaded"), "{}", both[1].text);
    let unknown = look(&cluster, &roots, active, "nobody.saas.example").await;
    assert!(unknown.text.contains("the host is not configured there"), "{}", unknown.text);
    let certificate = unknown.certificate.expect("one of its own");
    assert!(certificate.self_signed && certificate.distrusted.is_some());

    // Nobody is behind it: 503; the default backend of the ingress controllers says 404.
    cluster.with_world(|world| {
        world.store.update(Kind::DEPLOYMENT, "acme", "acme", "kubectl", |deployment| {
            deployment["spec"]["replicas"] = 0.into();
        });
        world.step(Duration::from_secs(120));
    });
    assert_eq!(look(&cluster, &roots, active, ACME).await.status, Some(503));
    let node = outside.nodes[0].1;
    let status = async |host: &str| request::get(node, host, "/robots.txt").await.expect("an answer").status;
    assert_eq!(
        (status(ACME).await, status("globex.saas.example").await, status("x.example").await),
        (503, 200, 404)
    );

    let counters = async |at: SocketAddr| {
        let answer = request::get(at, "edge", "/stub_status").await.expect("an answer");
        let text = String::from_utf8(answer.body).expect("a text");
        let line = text.lines().nth(2).unwrap_or_default().to_owned();
        assert!(text.starts_with("Active connections: ") && answer.status == 200, "{text}");
        line.split_whitespace().map(|n| n.parse().expect("a number")).collect::<Vec<u64>>()
    };
    let (before, quiet) = (counters(outside.edges[0].status).await, counters(outside.edges[1].status).await);
    look(&cluster, &roots, floating, ACME).await;
    assert_eq!(counters(outside.edges[0].status).await[2], before[2] + 1, "the active one was asked");
    assert_eq!(counters(outside.edges[1].status).await, quiet);

    // Reloaded, it serves the new one; and the floating address goes where it is sent.
    cluster.with_world(|world| world.around.edges.iter_mut().for_each(|edges| edges.reload(1)));
    assert_eq!(look(&cluster, &roots, passive, "globex.saas.example").await.state, LinkState::Ok);
    cluster.with_world(|world| {
        let edges = world.around.edges.as_mut().expect("edges");
        edges.proxies[0].up = false;
    });
    let until = async |at: SocketAddr, text: &str| {
        let begun = std::time::Instant::now();
        loop {
            let one = look(&cluster, &roots, at, "globex.saas.example").await;
            if one.text.contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "waited for {text}: {}", one.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(active, "refuses connections").await;
    until(floating, "refuses connections").await;
    cluster.with_world(|world| world.around.edges.iter_mut().for_each(|edges| edges.floating = Some(1)));
    until(floating, "presents a certificate of Embedded Issuing CA").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_of_the_world_is_asked_with_the_pull_secret_of_the_tenant() {
    let (cluster, file) = still(Scenario::RegistryLost).await;
    let images = outside(&cluster).registry.clone().expect("a registry");
    let secret = cluster.with_world(|world| {
        let secret = world.store.get(Kind::SECRET, "acme", "registry").expect("a Secret").clone();
        secret["data"][".dockerconfigjson"].as_str().unwrap_or_default().to_owned()
    });
    let secret = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, secret).expect("base64");
    let place = RegistryAddress {
        base: Some(format!("https://{}", images.address)),
        authority: Some(file.path().to_owned()),
    };
    let by = |login: fn(&[u8], String) -> Result<Vec<Login>, Lacking>| {
        let secret = secret.clone();
        Registries::new(images.name.into(), place.clone(), move |_, image| {
            let found = login(&secret, image);
            async move { found }.boxed()
        })
    };
    let pull = by(|secret, image| pull_logins("acme/registry", secret, &image).map_err(Lacking::Unusable));
    let (now, next) = ("registry.example/app:2.4.1", "registry.example/app:2.4.2");
    // Its storage is gone: the control tells.
    assert_eq!(pull.alive(now, "acme").await, Alive::Yes);
    assert_eq!(pull.ask(next, Some(now), "acme").await, Answer::Lost(images.name.into(), now.into()));
    let registry = |change: fn(&mut wheelhouse::demo::Registry)| {
        cluster.with_world(|world| world.around.registry.iter_mut().for_each(change));
    };
    registry(|registry| registry.mounted = true);
    let runs = cluster.with_world(|world| {
        let pods = world.store.list(Kind::POD, Some("acme"));
        let pod = pods.into_iter().find(|pod| pod["status"]["phase"] == "Running").expect("a pod");
        let all = pod["status"]["containerStatuses"].as_array().expect("statuses");
        let fpm = all.iter().find(|status| status["name"] == "php-fpm").expect("php-fpm");
        fpm["imageID"].as_str().and_then(|id| id.split_once('@')).expect("a digest").1.to_owned()
    });
    let Answer::Has(found) = pull.ask(now, None, "acme").await else { panic!("it has what runs") };
    assert_eq!(found.digest, Some(runs.clone()));
    assert_eq!(pull.moved(now, &runs, "acme").await, Ok(None));
    assert_eq!(
        pull.ask("registry.example/app:9-broken", Some(now), "acme").await,
        Answer::HasNot(images.name.into())
    );
    registry(|registry| {
        registry.moved.insert("registry.example/app:2.4.1".into(), 2);
    });
    let moved = pull.moved(now, &runs, "acme").await.expect("an answer");
    assert!(moved.is_some_and(|digest| digest != runs));
    // Nobody is let in without the login, and nobody is told it who is another registry.
    let nobody = by(|_, _| Ok(Vec::new()));
    assert_eq!(nobody.alive(now, "acme").await, Alive::WantsLogin);
    let other = pull.ask("127.0.0.1:1/app:2.4.1", None, "acme").await;
    assert!(matches!(&other, Answer::Unknown(why) if why.contains("cannot be reached")), "{other:?}");
}

/// A component, what state it must be in, and words of what is said of it.
type Sign = (&'static str, &'static str, &'static str, &'static str);

/// Looks at a served scenario until everything is said that must be.
fn shows(scenario: &str, signs: &[Sign]) -> Demo {
    let demo = Demo::database(&format!("--tenants 4 --nodes 3 --seed 7 --speed 1 --scenario {scenario}"));
    let begun = std::time::Instant::now();
    loop {
        let seen = demo.json(0, &["platform", "-o", "json"]);
        let rows = seen["components"].as_array().expect("components");
        let lacking = signs.iter().find(|(kind, name, state, words)| {
            !rows.iter().any(|row| {
                let said = row["said"].to_string();
                row["key"]["kind"] == *kind
                    && (name.is_empty() || row["key"]["name"] == *name)
                    && row["state"] == *state
                    && said.contains(words)
            })
        });
        match lacking {
            None => return demo,
            Some(sign) => assert!(begun.elapsed() < PATIENCE, "waited for {sign:?}: {seen:#}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_passive_edge_that_was_not_reloaded_is_told_by_the_program() {
    let demo = shows(
        "edge-stale",
        &[
            ("edge", "edge1", "ok", ""),
            ("edge", "edge2", "warning", "not reloaded"),
            ("floating", "", "ok", ""),
            ("ingress-node", "", "ok", ""),
            ("registry", "registry.example", "ok", "has what was asked for"),
        ],
    );
    let (findings, _) = demo.run(0, &["findings"]);
    assert!(findings.contains("edge2"), "{findings}");
}

#[test]
fn certificates_that_are_not_renewed_are_told_by_what_is_served_and_by_who_fails() {
    let demo = shows("certificate-expiring", &[("registry", "", "ok", "")]);
    let (acme, _) = demo.run(0, &["reach", "acme"]);
    assert!(
        acme.contains("every edge presents a certificate of Embedded Issuing CA that expires in 6d"),
        "{acme}"
    );
    assert!(acme.contains("Certificate acme/acme-tls expires in 6d"), "{acme}");
    assert!(acme.contains("the attempt 47m ago failed"), "{acme}");
    let (globex, _) = demo.run(0, &["reach", "globex"]);
    assert!(!globex.contains("expires"), "{globex}");
    let (check, _) = demo.run(1, &["check"]);
    assert!(check.contains("certificate"), "{check}");
}

#[test]
fn a_registry_that_lost_its_storage_is_a_finding_and_refuses_a_release() {
    let demo = shows(
        "registry-lost",
        &[
            ("registry", "registry.example", "warning", "its storage is not there"),
            ("edge", "edge1", "ok", ""),
        ],
    );
    let (check, _) = demo.run(1, &["check"]);
    assert!(check.contains("registry"), "{check}");
    let (out, err) = demo.run(1, &["release", "acme", "--image", "2.4.9", "--dry-run"]);
    let said = format!("{out}{err}");
    let lost = "registry.example has no registry.example/app:2.4.9, and not even";
    assert!(said.contains(lost), "{said}");
    // Asked with what its nodes pull with; and with a Secret that is none of a registry.
    let with = |secret: &str| {
        let secret = format!("platform.registry.pull-secret={secret}");
        let release = ["release", "acme", "--image", "2.4.9", "--dry-run", "--set", &secret];
        let output = demo.home.run(&demo.on(&release));
        let (out, err) = text(&output);
        format!("{out}{err}")
    };
    assert!(with("registry").contains(lost), "{}", with("registry"));
    let said = with("acme-jwt");
    assert!(said.contains("the Secret acme/acme-jwt has no key .dockerconfigjson"), "{said}");
}
