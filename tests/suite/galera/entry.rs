//! Every way not to get in, and the one sentence for each.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use tokio::{io::AsyncWriteExt, net::TcpListener};
use wheelhouse::wire::sql::{ANSWER_WITHIN, CONNECT_WITHIN, Kind, Login, Sql, Tls};

use super::lab::{Lab, NOBODY, PASSWORD, WATCHER, accounts};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_not_to_get_in_is_one_clear_sentence() {
    let mut lab = Lab::new(1);
    let issuer =
        rcgen::CertifiedIssuer::self_signed(authority(), rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let server =
        rcgen::CertificateParams::new(vec!["db1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let file = |name: &str, text: String| {
        let path = lab.root.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    };
    let ca = file("ca.pem", issuer.pem());
    let other = rcgen::generate_simple_self_signed(vec!["db1".to_owned()]).unwrap();
    let other = file("other.pem", other.cert.pem());
    let (cert, key) = (file("cert.pem", server.pem()), file("key.pem", key.serialize_pem()));
    let flags = [
        format!("--ssl-ca={}", ca.display()),
        format!("--ssl-cert={}", cert.display()),
        format!("--ssl-key={}", key.display()),
    ];
    lab.start_plain(&flags);
    lab.until_serving(1).await;
    for statement in accounts().iter().filter(|g| !g.contains("wsrep_")) {
        lab.run(1, statement).await;
    }
    lab.run(1, "CREATE USER secure@'%' IDENTIFIED BY 'not-to-be-seen-17' REQUIRE SSL").await;
    let fails = async |login: Login| {
        let failure = Sql::new(login).ask("SELECT 1").await.expect_err("it must not get in");
        assert!(!failure.text.contains(PASSWORD) && !failure.text.contains('\n'), "{failure}");
        failure
    };

    let wrong = fails(Login { password: Some("wrong".to_owned().into()), ..lab.login(1, WATCHER) }).await;
    assert_eq!(wrong.kind, Kind::Denied);
    assert!(wrong.text.contains("wrong password for user wheelhouse"), "{wrong}");

    let mut sql = Sql::new(lab.login(1, NOBODY));
    let right = sql.ask("SELECT user FROM mysql.user").await.expect_err("no right");
    assert!(right.is_of_statement() && right.text.contains("lacks a right"), "{right}");
    assert_eq!(sql.ask("SELECT 'a', NULL").await.unwrap().rows, [[Some("a".to_owned()), None]]);
    assert_eq!(sql.connections(), 1, "a refused statement must not cost the connection");
    for nothing in ["", " ", ";", "SELECT 1;"] {
        assert!(sql.ask(nothing).await.is_err(), "`{nothing}` must never be sent");
    }

    // TLS: wanted by the user, by the server, believed by name and by authority only.
    let plain = fails(lab.login(1, "secure")).await;
    assert!(plain.text.contains("must use TLS"), "{plain}");
    let over = |ca: &Path, name: &str| Login {
        tls: Some(Tls { ca: ca.to_owned(), name: Some(name.into()) }),
        ..lab.login(1, "secure")
    };
    let cipher = Sql::new(over(&ca, "db1")).ask("SHOW STATUS LIKE 'Ssl_cipher'").await.expect("TLS");
    assert!(cipher.rows[0][1].as_deref().is_some_and(|c| !c.is_empty()));
    for (ca, name, word) in [
        (&other, "db1", "TLS fails"),
        (&ca, "db2", "TLS fails"),
        (&PathBuf::from("/nope.pem"), "db1", "/nope.pem"),
    ] {
        let failure = fails(over(ca, name)).await;
        assert!(failure.kind == Kind::Tls && failure.text.contains(word), "{failure:?}");
    }
    lab.run(1, "SET GLOBAL require_secure_transport=ON").await;
    let required = fails(lab.login(1, WATCHER)).await;
    assert!(required.text.contains("must use TLS"), "{required:?}");

    // A port that takes connections and says nothing: its own kind, within the deadlines.
    let quiet = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = |listener: &TcpListener| Login {
        port: listener.local_addr().unwrap().port(),
        ..lab.login(1, WATCHER)
    };
    let begun = Instant::now();
    let silent = fails(at(&quiet)).await;
    assert_eq!(silent.kind, Kind::Silent);
    assert!(silent.text.contains("takes connections and never answers"), "{silent}");
    assert!(begun.elapsed() < 5 * (CONNECT_WITHIN + ANSWER_WITHIN), "{:?}", begun.elapsed());

    // Something else than MySQL: one that speaks first, one that hangs up.
    for greeting in [
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "220 mail ESMTP ready for everybody\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let login = at(&other);
        let serve = tokio::spawn(async move {
            let (mut stream, _) = other.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
            // What it says may look like the start of a long packet: it must stay open.
            std::future::pending::<()>().await;
            drop((stream, other));
        });
        let failure = fails(login).await;
        let told = ["does not speak the MySQL protocol", "it is no MySQL server"];
        assert!(told.iter().any(|words| failure.text.contains(words)), "{greeting}: {failure:?}");
        serve.abort();
    }
    let closed = at(&quiet);
    drop(quiet);
    let refused = fails(closed).await;
    assert!(refused.kind == Kind::Refused && refused.text.contains("no server runs there"), "{refused:?}");
    let nowhere = fails(Login { host: "db.invalid".into(), ..lab.login(1, WATCHER) }).await;
    assert!(nowhere.kind == Kind::Unreachable, "{nowhere:?}");
}

fn authority() -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(vec![]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}
