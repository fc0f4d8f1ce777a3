use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response, header};
use secrecy::SecretString;

use super::*;

#[test]
fn references_are_read_as_container_runtimes_do() {
    for (image, host, name, reference) in [
        ("app", "registry-1.docker.io", "library/app", "latest"),
        ("team/app:2", "registry-1.docker.io", "team/app", "2"),
        ("docker.io/library/app:2", "registry-1.docker.io", "library/app", "2"),
        ("registry:5000/app", "registry:5000", "app", "latest"),
        ("registry.example/a/b:2.4.1", "registry.example", "a/b", "2.4.1"),
        ("localhost/app:1@sha256:01", "localhost", "app", "sha256:01"),
    ] {
        let named = Named::of(image);
        assert_eq!((&*named.host, &*named.name, &*named.reference), (host, name, reference), "{image}");
    }
    for (image, plain) in
        [("127.0.0.1:5000/a", true), ("[::1]:5000/a", true), ("localhost/a", true), ("r.example/a", false)]
    {
        assert_eq!(Named::of(image).base().starts_with("http://"), plain, "{image}");
    }
}

/// Who may pull: `puller` with `s3cret`.
const PULLER: &str = "Basic cHVsbGVyOnMzY3JldA==";

/// How often a wrong password was shown.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// A registry on loopback that has `app:1`, wants a token for `guarded`, and a login for `private`.
async fn registry() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let answer = move |request: Request<hyper::body::Incoming>| async move {
        let (path, query) =
            (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let bearer =
            request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let wants = |realm: &str| {
            format!(
                "Bearer realm=\"http://{at}/{realm}\",service=\"r\",scope=\"repository:guarded/app:pull,push\""
            )
        };
        let reply = Response::builder();
        let (status, challenge, body) = match (path.as_str(), bearer.as_deref()) {
            ("/token", _) if query == "service=r&scope=repository:guarded/app:pull%2Cpush" => {
                (200, None, r#"{"token":"t0k"}"#)
            }
            ("/v2/private/app/manifests/1" | "/v2/", Some(PULLER)) => (200, None, ""),
            ("/v2/private/app/manifests/0", Some(PULLER)) => (404, None, ""),
            ("/v2/", None) => (401, Some("Basic realm=\"r\"".into()), ""),
            (path, Some(other)) if other.starts_with("Basic") && path.starts_with("/v2/") => {
                REFUSED.fetch_add(1, Relaxed);
                (401, Some("Basic realm=\"r\"".into()), "")
            }
            ("/owned", Some(PULLER)) => (200, None, r#"{"access_token":"0wn"}"#),
            ("/owned", _) => (401, None, ""),
            ("/v2/owned/app/manifests/1", Some("Bearer 0wn")) => (200, None, ""),
            ("/v2/owned/app/manifests/1", _) => (401, Some(wants("owned")), ""),
            ("/v2/moved/manifests/1", _) => (
                200,
                None,
                r#"{"manifests":[{"digest":"sha256:2222222222222222222222222222222222222222222222222222222222222222"}]}"#,
            ),
            ("/v2/own/app/manifests/1", Some("Bearer 0wn")) => (200, None, ""),
            ("/v2/own/app/manifests/1", _) => (401, Some("Bearer realm=\"http://r.test/owned\"".into()), ""),
            // Who hands out its tokens is asked without TLS, on another address than loopback.
            (path, _) if path.starts_with("/v2/clear/") => {
                (401, Some(wants("token").replace("127.0.0.1", "0.0.0.0")), "")
            }
            (path, _) if path.starts_with("/v2/closed/") => (403, None, ""),
            ("/v2/app/manifests/1", _) | ("/v2/guarded/app/manifests/1", Some("Bearer t0k")) => {
                (200, None, "")
            }
            ("/v2/guarded/app/manifests/2", Some("Bearer t0k")) | ("/v2/app/manifests/2", _) => {
                (404, None, "")
            }
            // Its storage is not mounted: everything is missing.
            (path, _) if path.starts_with("/v2/lost/") => (404, None, ""),
            ("/v2/index/manifests/1" | "/v2/half/manifests/1" | "/v2/bare/manifests/1", _) => (
                200,
                None,
                r#"{"manifests":[{"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
                    {"digest":"sha256:b","platform":{"os":"linux","architecture":"arm64"}},
                    {"digest":"sha256:c","platform":{"os":"unknown","architecture":"unknown"}}]}"#,
            ),
            ("/v2/index/manifests/sha256:a" | "/v2/half/manifests/sha256:a" | "/v2/cut/manifests/1", _) => (
                200,
                None,
                r#"{"config":{"digest":"sha256:conf"},"layers":[{"digest":"sha256:one"},
                    {"digest":"sha256:two"},{"digest":"sha256:far","urls":["https://x.example"]}]}"#,
            ),
            ("/v2/index/manifests/sha256:b" | "/v2/half/manifests/sha256:b" | "/v2/whole/manifests/1", _) => {
                (200, None, r#"{"config":{"digest":"sha256:conf"},"layers":[{"digest":"sha256:one"}]}"#)
            }
            (path, _) if path.ends_with("/blobs/sha256:two") && !path.contains("/index/") => (404, None, ""),
            (path, _) if path.ends_with("/blobs/sha256:far") => (404, None, ""),
            (path, _) if path.starts_with("/v2/bare/manifests/") => (404, None, ""),
            // Where it is stored is told by a redirection.
            (path, _) if path.contains("/blobs/") => (307, None, ""),
            (path, None) if path.starts_with("/v2/guarded/") => (401, Some(wants("token")), ""),
            (path, _) if path.starts_with("/v2/private/") => (401, Some("Basic realm=\"r\"".into()), ""),
            (path, _) if path.starts_with("/v2/broken/") => (503, None, ""),
            _ => (401, Some(wants("nowhere")), ""),
        };
        let digest = match path.as_str() {
            "/v2/private/app/manifests/1" => Some("ab".repeat(32)),
            "/v2/moved/manifests/1" => Some("1".repeat(64)),
            _ => None,
        };
        let reply = digest
            .into_iter()
            .fold(reply, |reply, digest| reply.header("Docker-Content-Digest", format!("sha256:{digest}")));
        let reply = challenge
            .into_iter()
            .fold(reply.status(status), |reply, wants: String| reply.header(header::WWW_AUTHENTICATE, wants));
        Ok::<_, Infallible>(
            reply.body(http_body_util::Full::new(Bytes::from_static(body.as_bytes()))).expect("a reply"),
        )
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    at
}

async fn ask(image: &str, running: Option<&str>) -> Answer {
    Registries::default().ask(image, running, "acme").await
}

fn has(at: SocketAddr) -> Answer {
    Answer::Has(Found { host: at.to_string(), digest: None })
}

/// The registry there, asked with a password, which nodes pull with or not.
fn configured(at: SocketAddr, password: &'static str, of_nodes: bool) -> Registries {
    Registries::new(at.to_string(), RegistryAddress::default(), move |_, _| {
        let whose =
            if of_nodes { "the login in the pull secret acme/registry" } else { "the configured login" };
        let password = SecretString::from(password);
        let login = Login { user: "puller".into(), password, whose: whose.into(), of_nodes };
        async move { Ok(vec![login]) }.boxed()
    })
}

#[tokio::test]
async fn a_login_is_shown_to_the_registry_that_is_configured_alone_and_once() {
    let at = registry().await;
    let image = format!("{at}/private/app:1");
    let found = configured(at, "s3cret", false).ask(&image, None, "acme").await;
    assert_eq!(
        found,
        Answer::Has(Found { host: at.to_string(), digest: Some(format!("sha256:{}", "ab".repeat(32))) })
    );
    assert_eq!(configured(at, "s3cret", false).alive(&image, "acme").await, Alive::Yes);
    // One that is refused: nothing is tried again, and it says whose it was.
    let wrong = configured(at, "wrong", false);
    let before = REFUSED.load(Relaxed);
    let found = wrong.ask(&image, Some(&format!("{at}/private/app:0")), "acme").await;
    assert!(
        matches!(&found, Answer::Unknown(why) if why.ends_with("refuses the configured login")),
        "{found:?}"
    );
    assert_eq!(REFUSED.load(Relaxed) - before, 1, "one attempt");
    assert_eq!(wrong.alive(&image, "acme").await, Alive::Refuses("the configured login".into()));
    assert_eq!(REFUSED.load(Relaxed) - before, 1, "it is refused, and not shown again");
    let found = configured(at, "wrong", true).ask(&image, None, "acme").await;
    assert!(
        matches!(&found, Answer::Barred(why) if why.contains("pull secret acme/registry: nodes cannot")),
        "{found:?}"
    );
    // A token is asked for with the login as well.
    let found = configured(at, "s3cret", false).ask(&format!("{at}/owned/app:1"), None, "acme").await;
    assert_eq!(found, has(at));
    // Another registry is not told it.
    let other = registry().await;
    let found = configured(other, "s3cret", false).ask(&image, None, "acme").await;
    assert!(matches!(&found, Answer::Unknown(why) if why.contains("none is configured")), "{found:?}");
    // What is no login stands in the way where one is wanted: what everybody may pull needs none.
    let unusable =
        |_, _| async { Err(Lacking::Unusable("the pull secret acme/registry names none".into())) }.boxed();
    let unusable = Registries::new(at.to_string(), RegistryAddress::default(), unusable);
    let found = unusable.ask(&image, None, "acme").await;
    assert_eq!(found, Answer::Barred("the pull secret acme/registry names none".into()));
    assert_eq!(unusable.ask(&format!("{at}/app:1"), None, "acme").await, has(at));
    of_several(at).await;
}

/// The registry there under another name, and at that address.
fn elsewhere(base: String) -> Registries {
    let place = RegistryAddress { base: Some(base), authority: None };
    Registries::new("r.test".into(), place, |_, _| {
        let (user, password) = ("puller".into(), SecretString::from("s3cret"));
        let login = Login { user, password, whose: "the pull secret".into(), of_nodes: true };
        async move { Ok(vec![login]) }.boxed()
    })
}

#[tokio::test]
async fn a_login_is_not_sent_in_clear_and_what_was_not_sent_is_not_refused() {
    let at = registry().await;
    let port = at.port();
    let unsent = |answer: &Answer| matches!(answer, Answer::Unknown(why) if why.ends_with("wants a login, and none is sent without TLS"));
    for scheme in ["http", "HTTP"] {
        let open = elsewhere(format!("{scheme}://0.0.0.0:{port}"));
        // Also not to who hands out tokens for it.
        for image in ["r.test/private/app:1", "r.test/owned/app:1"] {
            let answer = open.ask(image, None, "acme").await;
            assert!(unsent(&answer), "{scheme} {image}: {answer:?}");
        }
    }
    let answer = configured(at, "s3cret", true).ask(&format!("{at}/clear/app:1"), None, "acme").await;
    assert!(unsent(&answer), "{answer:?}");
    // Whom it lets in is no matter of the login.
    let closed = format!("{at}/closed/app:1");
    for registries in [configured(at, "s3cret", true), Registries::default()] {
        let answer = registries.ask(&closed, None, "acme").await;
        assert!(matches!(&answer, Answer::Unknown(why) if why.ends_with("answers 403")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_registry_that_is_asked_elsewhere_hands_out_its_tokens_there() {
    let at = registry().await;
    let answer = elsewhere(format!("http://{at}")).ask("r.test/own/app:1", None, "acme").await;
    assert_eq!(answer, Answer::Has(Found { host: "r.test".into(), digest: None }));
    for (host, bare) in [
        ("r.test:5000", "r.test"),
        ("r.test", "r.test"),
        ("[fd00::1]:5000", "fd00::1"),
        ("[fd00::1]", "fd00::1"),
        ("fd00::1", "fd00::1"),
    ] {
        assert_eq!(named::bare(host), bare, "{host}");
    }
}

#[tokio::test]
async fn what_this_machine_cannot_do_says_nothing_of_the_registry() {
    let at = registry().await;
    let image = format!("{at}/private/app:1");
    let unread = |_, _| async { Err(Lacking::Unread("you may not get Secrets".into())) }.boxed();
    let unread = Registries::new(at.to_string(), RegistryAddress::default(), unread);
    assert_eq!(unread.alive(&image, "acme").await, Alive::Unasked("you may not get Secrets".into()));
    let answer = unread.ask(&image, None, "acme").await;
    assert!(
        matches!(&answer, Answer::Unknown(why) if why.ends_with("is not asked: you may not get Secrets")),
        "{answer:?}"
    );
    let place = RegistryAddress { authority: Some("/nowhere/house.pem".into()), base: None };
    let typo = Registries::new(at.to_string(), place, |_, _| async { Ok(Vec::new()) }.boxed());
    let answer = typo.alive(&image, "acme").await;
    assert!(matches!(&answer, Alive::Unasked(why) if why.contains("/nowhere/house.pem")), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_cluster_is_no_slow_registry() {
    let never = |_, _| futures::future::pending().boxed();
    let slow = Registries::new("r.test".into(), RegistryAddress::default(), never);
    let who = slow.who("r.test/app:1", "acme").await;
    assert!(matches!(&who, Err(Lacking::Unread(why)) if why.contains("could not be read within")), "{who:?}");
}

/// A registry on loopback that counts requests and answers all with this status, or counts connections and says nothing.
async fn counting(status: Option<u16>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at, count) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let Some(status) = status else {
                counted.fetch_add(1, Relaxed);
                kept.push(stream);
                continue;
            };
            let counted = counted.clone();
            let answer = move |_: Request<hyper::body::Incoming>| {
                counted.fetch_add(1, Relaxed);
                let reply = Response::builder().status(status).header(header::WWW_AUTHENTICATE, "Basic");
                let reply = reply.body(http_body_util::Empty::<Bytes>::new()).expect("a reply");
                async { Ok::<_, Infallible>(reply) }
            };
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    (at, count)
}

#[tokio::test]
async fn who_asks_for_many_tenants_asks_once_and_waits_once_for_a_registry_that_is_silent() {
    let (at, asked) = counting(Some(404)).await;
    let logins = move |password: fn(&str) -> &str| {
        Registries::new(at.to_string(), RegistryAddress::default(), move |namespace, _| {
            let password = SecretString::from(password(&namespace).to_owned());
            let login =
                Login { user: "puller".into(), password, whose: "the pull secret".into(), of_nodes: true };
            async move { Ok(vec![login]) }.boxed()
        })
    };
    let image = format!("{at}/app:1");
    let tenants = async |all: &Registries| {
        for tenant in ["acme", "globex", "initech"] {
            assert_eq!(all.ask(&image, None, tenant).await, Answer::HasNot(at.to_string()));
        }
        asked.swap(0, Relaxed)
    };
    let same = logins(|_| "s3cret");
    assert_eq!(tenants(&same).await, 3);
    assert_eq!(tenants(&same.remembering()).await, 1, "they have one login");
    assert_eq!(
        tenants(&logins(|namespace| if namespace == "acme" { "a" } else { "b" }).remembering()).await,
        2
    );
    let (at, asked) = counting(None).await;
    let all = Registries::default().remembering();
    let begun = tokio::time::Instant::now();
    for (tenant, image) in [("acme", "app:1"), ("globex", "app:1"), ("initech", "app:2")] {
        let answer = all.ask(&format!("{at}/{image}"), None, tenant).await;
        assert!(
            matches!(&answer, Answer::Unknown(why) if why.ends_with("did not answer within 3 s")),
            "{answer:?}"
        );
    }
    assert!(all.moved(&format!("{at}/app:1"), "sha256:1", "acme").await.is_err());
    assert!(begun.elapsed() < PATIENCE * 2 && asked.load(Relaxed) == 1, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_login_that_two_secrets_hold_is_refused_once_and_told_to_each_by_its_own_name() {
    let (at, asked) = counting(Some(401)).await;
    let all = Registries::new(at.to_string(), RegistryAddress::default(), |namespace, _| {
        let (user, password) = ("puller".to_owned(), SecretString::from("old"));
        let login = Login { user, password, whose: format!("the secret of {namespace}"), of_nodes: true };
        async move { Ok(vec![login]) }.boxed()
    });
    let (all, image) = (all.remembering(), format!("{at}/app:1"));
    // Without a login, and then with it.
    for (tenant, requests) in [("acme", 2), ("globex", 0)] {
        let refused = format!("its registry {at} refuses the secret of {tenant}");
        let answer = all.ask(&image, None, tenant).await;
        assert_eq!(answer, Answer::Barred(format!("{refused}: nodes cannot pull it with that")));
        assert_eq!(asked.swap(0, Relaxed), requests, "{tenant}");
    }
    for (tenant, requests) in [("acme", 1), ("globex", 0)] {
        let refused = format!("its registry {at} refuses the secret of {tenant}");
        assert_eq!(all.moved(&image, "sha256:1", tenant).await, Err(refused));
        assert_eq!(asked.swap(0, Relaxed), requests, "{tenant}");
    }
}

/// Of several logins one is shown after another, and none in clear.
async fn of_several(at: SocketAddr) {
    let several = |base: Option<String>, passwords: &'static [&'static str]| {
        let place = RegistryAddress { base, authority: None };
        Registries::new(at.to_string(), place, move |_, _| {
            let login = |password: &&str| {
                let password = SecretString::from((*password).to_owned());
                Login { user: "puller".into(), password, whose: "the pull secret".into(), of_nodes: true }
            };
            let all = passwords.iter().map(login).collect();
            async move { Ok(all) }.boxed()
        })
    };
    let (private, owned) = (format!("{at}/private/app:1"), format!("{at}/owned/app:1"));
    for image in [&private, &owned] {
        let found = several(None, &["w1", "w2", "s3cret", "w3"]).ask(image, None, "acme").await;
        assert!(matches!(found, Answer::Has(_)), "{image}: {found:?}");
    }
    let found = several(None, &["w4", "w5"]).ask(&private, None, "acme").await;
    assert!(matches!(&found, Answer::Barred(why) if why.contains("refuses the pull secret")), "{found:?}");
    let clear = several(Some(format!("http://0.0.0.0:{}", at.port())), &["w6", "s3cret"]);
    let found = clear.ask(&private, None, "acme").await;
    assert!(matches!(&found, Answer::Unknown(why) if why.ends_with("none is sent without TLS")), "{found:?}");
}

#[tokio::test]
async fn a_tag_that_was_moved_is_told_and_another_platform_is_not() {
    let at = registry().await;
    let all = Registries::default();
    let tag = format!("{at}/moved:1");
    let digest = |n: char| format!("sha256:{}", n.to_string().repeat(64));
    assert_eq!(all.moved(&tag, &digest('1'), "acme").await, Ok(None));
    assert_eq!(all.moved(&tag, &digest('2'), "acme").await, Ok(None), "a platform of it");
    assert_eq!(all.moved(&tag, &digest('9'), "acme").await, Ok(Some(digest('1'))));
    let pinned = format!("{at}/moved@{}", digest('9'));
    assert_eq!(all.moved(&pinned, &digest('9'), "acme").await, Ok(None));
    assert!(all.moved(&format!("{at}/broken/app:1"), &digest('9'), "acme").await.is_err());
}

#[tokio::test]
async fn a_registry_says_whether_it_has_an_image() {
    let at = registry().await;
    let of = |image: &str| format!("{at}/{image}");
    assert_eq!(ask(&of("app:1"), None).await, has(at));
    assert_eq!(ask(&of("app:2"), None).await, Answer::HasNot(at.to_string()));
    assert_eq!(ask(&of("guarded/app:1"), None).await, has(at));
    assert_eq!(ask(&of("guarded/app:2"), None).await, Answer::HasNot(at.to_string()));
    for (image, says) in
        [("private/app:1", "wants a login"), ("other:1", "wants a login"), ("broken/app:1", "answers 503")]
    {
        let answer = ask(&of(image), None).await;
        assert!(matches!(&answer, Answer::Unknown(why) if why.contains(says)), "{image}: {answer:?}");
    }
    // The control: it has not even what runs, or it has.
    let lost = ask(&of("lost/app:2"), Some(&of("lost/app:1"))).await;
    assert_eq!(lost, Answer::Lost(at.to_string(), of("lost/app:1")));
    assert_eq!(ask(&of("app:2"), Some(&of("app:1"))).await, Answer::HasNot(at.to_string()));
    // One of another registry, or the same again, proves nothing.
    assert_eq!(ask(&of("lost/app:2"), Some("r.example/app:1")).await, Answer::HasNot(at.to_string()));
    assert_eq!(ask(&of("lost/app:2"), Some(&of("lost/app:2"))).await, Answer::HasNot(at.to_string()));
    // Parts: all there (a redirection counts), a layer gone, and one platform of two that is whole.
    assert_eq!(ask(&of("whole:1"), None).await, has(at));
    assert_eq!(ask(&of("index:1"), None).await, has(at));
    let damaged = |part: &str, whole: bool| Answer::Damaged {
        host: at.to_string(),
        part: format!("sha256:{part}"),
        all: whole,
    };
    assert_eq!(ask(&of("cut:1"), None).await, damaged("two", true));
    assert_eq!(ask(&of("half:1"), None).await, damaged("two", false));
    assert_eq!(ask(&of("bare:1"), None).await, damaged("a", true));
    // Nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let answer = ask(&format!("{nobody}/app:1"), None).await;
    assert!(matches!(&answer, Answer::Unknown(why) if why.contains("cannot be reached")), "{answer:?}");
}

/// A reply that was recorded of a registry behind nginx.
macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/captures/platform/registry/", $name, ".txt"))
    };
}

/// Answers every request with a recorded reply, chosen by the head of the request. As in the recordings, HEAD has no body.
async fn replay(choose: fn(&str) -> &'static str) -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut asked, mut byte) = (Vec::new(), [0; 1]);
                while !asked.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut byte).await {
                        Ok(1) => asked.push(byte[0]),
                        _ => return,
                    }
                }
                let asked = String::from_utf8_lossy(&asked).into_owned();
                let text = choose(&asked).replace('\r', "");
                let (head, body) = text.split_once("\n\n").expect("a head and a body");
                let body = body.rsplit_once("\n# http=").map_or(body, |(body, _)| body);
                let body = if asked.starts_with("HEAD ") { "" } else { body.trim_end_matches('\n') };
                let kept =
                    |line: &&str| !line.starts_with("Connection:") && !line.starts_with("Content-Length:");
                let head: Vec<_> = head.lines().filter(kept).collect();
                let head = head.join("\r\n");
                let reply = format!("{head}\r\nConnection: close\r\n\r\n{body}");
                let _ = stream.write_all(reply.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    at
}

fn is_shown(asked: &str) -> bool {
    asked.to_ascii_lowercase().contains("\r\nauthorization: basic ")
}

#[tokio::test]
async fn what_a_real_registry_behind_a_proxy_said_is_understood() {
    let puller = |at| configured(at, "s3cret", false);
    let of = |at: SocketAddr, tag: &str| format!("{at}/saas/app:{tag}");
    // A 401 proves the proxy alone: what stands behind it is dead.
    let dead = replay(|asked| match is_shown(asked) {
        true => recorded!("backend_down"),
        false => recorded!("backend_down.anonymous"),
    });
    let dead = dead.await;
    assert_eq!(Registries::default().alive(&of(dead, "1"), "acme").await, Alive::WantsLogin);
    assert_eq!(puller(dead).alive(&of(dead, "1"), "acme").await, Alive::No("answers 502".into()));
    let answer = puller(dead).ask(&of(dead, "1"), None, "acme").await;
    assert!(matches!(&answer, Answer::Unknown(why) if why.ends_with("answers 502")), "{answer:?}");
    let refused = replay(|asked| match is_shown(asked) {
        true => recorded!("v2.wrong_password"),
        false => recorded!("v2.anonymous"),
    });
    let refused = refused.await;
    let answer = puller(refused).alive(&of(refused, "1"), "acme").await;
    assert_eq!(answer, Alive::Refuses("the configured login".into()));
    // Without all four kinds it has no such image.
    let all_kinds = replay(|asked| match asked.lines().next().unwrap_or_default() {
        line if line.contains("/blobs/") => recorded!("head.layer"),
        line if line.contains("/manifests/sha256:") => recorded!("get.single"),
        line if line.starts_with("GET ") => recorded!("get.index"),
        _ if asked.contains("oci.image.index.v1+json") && asked.contains("manifest.list.v2+json") => {
            recorded!("head.index")
        }
        _ => recorded!("head.index_only_docker_accept"),
    });
    let all_kinds = all_kinds.await;
    let answer = puller(all_kinds).ask(&of(all_kinds, "1.4.2"), None, "acme").await;
    let Answer::Has(found) = &answer else { panic!("{answer:?}") };
    assert!(
        found.digest.as_ref().is_some_and(|digest| digest.starts_with("sha256:609c8a38345e")),
        "{found:?}"
    );
    // The manifests are there, and a layer is not.
    let cut = replay(|asked| match asked.lines().next().unwrap_or_default() {
        line if line.contains("/blobs/") => recorded!("head.layer_gone"),
        line if line.contains("/manifests/sha256:") => recorded!("get.single"),
        line if line.starts_with("GET ") => recorded!("get.index"),
        _ => recorded!("head.index"),
    });
    let cut = cut.await;
    let answer = puller(cut).ask(&of(cut, "1.4.2"), None, "acme").await;
    assert!(matches!(&answer, Answer::Damaged { all: true, .. }), "{answer:?}");
    // The storage is not mounted: 404 for all, and the base answers.
    let lost = replay(|asked| match asked.contains(" /v2/ ") {
        true => recorded!("v2.ok"),
        false => recorded!("head.layer_gone"),
    });
    let lost = lost.await;
    assert_eq!(puller(lost).alive(&of(lost, "2"), "acme").await, Alive::Yes);
    let answer = puller(lost).ask(&of(lost, "2"), Some(&of(lost, "1")), "acme").await;
    assert_eq!(answer, Answer::Lost(lost.to_string(), of(lost, "1")));
}
