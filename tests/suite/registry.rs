//! A real docker-registry, with TLS of an authority of its own and Basic auth: who is let in, which image is there, a layer that
//! a garbage collection took, a tag that was moved, and storage that is not mounted.
//!
//! Needs: registry

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::FutureExt;
use serde_json::json;
use wheelhouse::wire::registry::{Alive, Answer, Found, Login, Registries, RegistryAddress};

use crate::{program::PATIENCE, reach::served::Authority};

const PROGRAM: &str = "/usr/bin/docker-registry";
const HOST: &str = "registry.example.test";
/// A line of htpasswd for `puller` (bcrypt), and the password: a test vector of crypt_blowfish.
const HTPASSWD: &str = "puller:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
const PASSWORD: &str = "U*U";

/// A running registry, and its files.
struct Registry {
    at: SocketAddr,
    folder: tempfile::TempDir,
    authority: Authority,
    child: Child,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn digest(bytes: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
    sum.as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

impl Registry {
    fn start() -> Self {
        assert!(
            PathBuf::from(PROGRAM).exists(),
            "docker-registry is missing: apt-get install docker-registry"
        );
        let authority = Authority::new();
        let folder = tempfile::tempdir().expect("a folder");
        let identity = authority.issue(&[HOST], (2026, 1, 1), (2036, 1, 1));
        let path = |name: &str| folder.path().join(name);
        put(&path("tls.pem"), &identity.pem.0);
        put(&path("tls.key"), &identity.pem.1);
        put(&path("htpasswd"), HTPASSWD);
        fs::create_dir(path("storage")).expect("a folder");
        let at = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let shown = |name: &str| path(name).display().to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n\
             auth: {{htpasswd: {{realm: registry, path: {}}}}}\n\
             http:\n  addr: {at}\n  tls: {{certificate: {}, key: {}}}\n",
            shown("storage"),
            shown("htpasswd"),
            shown("tls.pem"),
            shown("tls.key"),
        );
        put(&path("config.yml"), config);
        let mut command = Command::new(PROGRAM);
        let log = fs::File::create(path("log")).expect("a file");
        command.arg("serve").arg(path("config.yml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("it starts");
        let registry = Self { at, folder, authority, child };
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            let said = || fs::read_to_string(registry.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "it does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    fn storage(&self, path: &str) -> PathBuf {
        self.folder.path().join("storage/docker/registry/v2").join(path)
    }

    fn data(&self, digest: &str) -> PathBuf {
        let sum = digest.trim_start_matches("sha256:");
        self.storage(&format!("blobs/sha256/{}/{sum}/data", &sum[..2]))
    }

    /// Stores a blob of a repository as the program lays it down. Its digest and length.
    fn blob(&self, kind: &str, bytes: &[u8]) -> (String, usize) {
        let digest = digest(bytes);
        put(&self.data(&digest), bytes);
        let sum = digest.trim_start_matches("sha256:");
        put(&self.storage(&format!("repositories/saas/app/{kind}/sha256/{sum}/link")), &digest);
        (digest, bytes.len())
    }

    /// Pushes an image for two platforms under a tag. The digests of its index and of a layer.
    fn push(&self, tag: &str, what: &str) -> (String, String) {
        let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
        let mut last = String::new();
        let manifests: Vec<_> = ["amd64", "arm64"]
            .map(|platform| {
                let (layer, size) = self.blob("_layers", format!("{what} {platform}").as_bytes());
                let config = json!({"architecture": platform, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}});
                let (config, length) = self.blob("_layers", config.to_string().as_bytes());
                let manifest = json!({"schemaVersion": 2, "mediaType": oci("manifest.v1+json"),
                    "config": {"mediaType": oci("config.v1+json"), "digest": config, "size": length},
                    "layers": [{"mediaType": oci("layer.v1.tar+gzip"), "digest": layer, "size": size}]});
                last = layer;
                let (digest, size) = self.blob("_manifests/revisions", manifest.to_string().as_bytes());
                json!({"mediaType": oci("manifest.v1+json"), "digest": digest, "size": size,
                       "platform": {"os": "linux", "architecture": platform}})
            })
            .into();
        let index = json!({"schemaVersion": 2, "mediaType": oci("index.v1+json"), "manifests": manifests});
        let (digest, _) = self.blob("_manifests/revisions", index.to_string().as_bytes());
        put(&self.storage(&format!("repositories/saas/app/_manifests/tags/{tag}/current/link")), &digest);
        (digest, last)
    }

    fn asked(&self, logins: &'static [(&'static str, &'static str)]) -> Registries {
        let place = RegistryAddress {
            base: Some(format!("https://{}", self.at)),
            authority: Some(self.authority.file.clone()),
        };
        Registries::new(HOST.into(), place, move |_, _| {
            let login = |(user, password): &(&str, &str)| Login {
                user: (*user).into(),
                password: (*password).to_owned().into(),
                whose: "the configured login".into(),
                of_nodes: false,
            };
            let logins = logins.iter().map(login).collect();
            async move { Ok(logins) }.boxed()
        })
    }
}

fn image(tag: &str) -> String {
    format!("{HOST}/saas/app:{tag}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_registry_tells_what_it_has_and_to_whom() {
    let registry = Registry::start();
    let (index, _) = registry.push("1.4.1", "first");
    let (_, layer) = registry.push("1.4.2", "second");
    let (one, two) = (image("1.4.1"), image("1.4.2"));
    let has = |digest: &str| Answer::Has(Found { host: HOST.into(), digest: Some(digest.into()) });

    // Who is let in: nobody, a wrong password, the right one; and nobody who trusts other authorities alone.
    let nobody = registry.asked(&[]);
    assert_eq!(nobody.alive(&one, "acme").await, Alive::WantsLogin);
    let wrong = registry.asked(&[("puller", "hunter2")]);
    assert_eq!(wrong.alive(&one, "acme").await, Alive::Refuses("the configured login".into()));
    let puller = registry.asked(&[("puller", PASSWORD)]);
    assert_eq!(puller.alive(&one, "acme").await, Alive::Yes);
    // Of several one after another, as nodes do.
    let several = registry.asked(&[("puller", "hunter3"), ("nobody", PASSWORD), ("puller", PASSWORD)]);
    assert_eq!(several.alive(&one, "acme").await, Alive::Yes);
    assert_eq!(several.ask(&one, None, "acme").await, has(&index));
    let stranger = Authority::new();
    let place = RegistryAddress {
        base: Some(format!("https://{}", registry.at)),
        authority: Some(stranger.file.clone()),
    };
    let strange = Registries::new(HOST.into(), place, |_, _| async { Ok(Vec::new()) }.boxed());
    let answer = strange.alive(&one, "acme").await;
    assert!(matches!(&answer, Alive::No(why) if why.contains("certificate")), "{answer:?}");

    // What is there: an index, with all four kinds accepted, and all its parts; and what is not.
    assert_eq!(puller.ask(&one, None, "acme").await, has(&index));
    assert_eq!(puller.ask(&image("9.9.9"), Some(&one), "acme").await, Answer::HasNot(HOST.into()));
    fs::remove_file(registry.data(&layer)).expect("a layer");
    let damaged = Answer::Damaged { host: HOST.into(), part: layer, all: false };
    assert_eq!(puller.ask(&two, None, "acme").await, damaged);

    // The tag leads to another build.
    assert_eq!(puller.moved(&one, &index, "acme").await, Ok(None));
    let (later, _) = registry.push("1.4.1", "first again");
    assert_eq!(puller.moved(&one, &index, "acme").await, Ok(Some(later.clone())));
    assert_eq!(puller.ask(&one, None, "acme").await, has(&later));

    // The storage is not mounted: the base answers all the same.
    fs::rename(registry.folder.path().join("storage"), registry.folder.path().join("away"))
        .expect("a folder");
    assert_eq!(puller.alive(&one, "acme").await, Alive::Yes);
    assert_eq!(puller.ask(&two, Some(&one), "acme").await, Answer::Lost(HOST.into(), one.clone()));
}
