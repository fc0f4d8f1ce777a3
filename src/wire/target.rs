//! Which cluster: a context of the kubeconfig, or the cluster we run in.

use std::{
    collections::HashMap,
    env, io,
    path::{Path, PathBuf},
};

use base64::Engine;
use http::Uri;
use kube::{
    Config,
    config::{AuthInfo, AuthProviderConfig, ExecConfig},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    connector::basic,
    credentials::{Source, bearer},
    kubeconfig::{Entry, Kubeconfig, plain},
    plugin::Plugin,
    proxy::{self, Environment, Proxy},
};

/// Which cluster is meant. Nothing given: the current context of `KUBECONFIG` or `~/.kube/config`; without such a
/// file, the cluster whose service account we have.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// One of its contexts.
    pub context: Option<String>,
    /// The namespace to use instead of the context's.
    pub namespace: Option<String>,
}

/// The variable of kubectl: kubeconfig files, merged.
pub const KUBECONFIG: &str = "KUBECONFIG";

/// What the context is called where there is no kubeconfig.
pub(super) const IN_CLUSTER: &str = "in-cluster";

/// How a cluster is reached.
#[derive(Clone)]
pub(super) struct Way {
    /// The name of the context; `None`: the cluster we run in.
    pub context: Option<String>,
    /// Address, certificates, namespace, impersonation. Tokens and plug-ins are not in it.
    pub config: Config,
    pub credentials: Source,
    pub proxy: Option<Proxy>,
}

impl Target {
    /// The names of the contexts there are; none where no kubeconfig can be read.
    pub fn contexts(&self) -> Vec<String> {
        let read = self.read().ok().flatten();
        read.map_or_else(Vec::new, |kubeconfig| kubeconfig.contexts.into_keys().collect())
    }

    /// The name of the context, as far as the files tell it: `in-cluster` without a kubeconfig, where we run in one. What is
    /// wrong with them is said when the cluster is connected to.
    pub fn context_name(&self) -> Option<String> {
        match self.read().ok()? {
            Some(kubeconfig) => self.context_of(&kubeconfig).ok(),
            None => inside().is_ok().then(|| IN_CLUSTER.to_owned()),
        }
    }

    /// How it is reached. Reads files only.
    pub(super) fn resolve(&self) -> Result<Way, String> {
        let mut way = match self.read()? {
            Some(kubeconfig) => {
                let context = self.context_of(&kubeconfig)?;
                way(&kubeconfig, &context)?
            }
            None => inside()?,
        };
        if let Some(namespace) = &self.namespace {
            way.config.default_namespace = namespace.clone();
        }
        Ok(way)
    }

    /// The kubeconfig; `None` when none was named and none is in its usual place.
    fn read(&self) -> Result<Option<Kubeconfig>, String> {
        let listed = env::var_os(KUBECONFIG).filter(|v| !v.is_empty());
        // What the variable names is a list, also where the configuration hands it on.
        let named = self.kubeconfig.as_ref().filter(|file| Some(file.as_os_str()) != listed.as_deref());
        if let Some(file) = named {
            return Kubeconfig::read(std::slice::from_ref(file)).map(Some);
        }
        if let Some(list) = listed {
            // As kubectl does: files of the list that do not exist are passed over.
            let files: Vec<_> =
                env::split_paths(&list).filter(|f| !f.as_os_str().is_empty() && is_there(f)).collect();
            if files.is_empty() {
                return Err(format!("no file of KUBECONFIG ({}) exists", list.to_string_lossy()));
            }
            return Ok(Some(Kubeconfig::read(&files)?));
        }
        let usual = env::home_dir().map(|home| home.join(".kube").join("config")).filter(|f| is_there(f));
        match usual {
            Some(file) => Ok(Some(Kubeconfig::read(&[file])?)),
            None if self.context.is_some() => Err(format!(
                "context `{}` is not known: there is no kubeconfig; give --kubeconfig FILE",
                self.context.as_deref().unwrap_or_default()
            )),
            None => Ok(None),
        }
    }

    fn context_of(&self, kubeconfig: &Kubeconfig) -> Result<String, String> {
        let place = &kubeconfig.place;
        if kubeconfig.is_empty() {
            return Err(format!("{place} is empty: give another with --kubeconfig FILE"));
        }
        let known: Vec<_> = kubeconfig.contexts.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        let Some(name) = self.context.as_ref().or(kubeconfig.current.as_ref()) else {
            return Err(format!("{place} names no current context: give --context ({known})"));
        };
        if kubeconfig.contexts.contains_key(name) {
            Ok(name.clone())
        } else {
            Err(format!("{place} has no context `{name}`: {known}"))
        }
    }
}

/// Whether a file is there. One that cannot be looked at is: reading it will say why.
fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok_and(|_| true)
        || file.symlink_metadata().is_err_and(|why| why.kind() != io::ErrorKind::NotFound)
}

/// The cluster we run in, by the service account of our pod.
fn inside() -> Result<Way, String> {
    let mut config = Config::incluster().map_err(|_| {
        "no cluster is configured: there is no ~/.kube/config and no KUBECONFIG; \
         give --kubeconfig FILE, or try `wheelhouse demo`"
    })?;
    let token = std::mem::take(&mut config.auth_info).token_file;
    let credentials = token.map_or(Source::Nothing, |file| Source::File(file.into(), None));
    let proxy = proxy::of(None, &config.cluster_url, &environment())?;
    Ok(Way { context: None, config, credentials, proxy })
}

fn environment() -> Environment {
    Environment::read(|name| env::var(name).ok())
}

/// What a context of a kubeconfig says.
fn way(kubeconfig: &Kubeconfig, name: &str) -> Result<Way, String> {
    let entry = kubeconfig.contexts.get(name).ok_or_else(|| format!("there is no context `{name}`"))?;
    let cluster = entry.text("cluster")?.ok_or_else(|| format!("{} names no cluster", entry.name))?;
    let cluster = kubeconfig
        .clusters
        .get(&cluster)
        .ok_or_else(|| format!("{} names cluster `{cluster}`, which is not in it", entry.name))?;
    let user = match entry.text("user")? {
        Some(user) => Some((
            kubeconfig
                .users
                .get(&user)
                .ok_or_else(|| format!("{} names user `{user}`, which is not in it", entry.name))?,
            user,
        )),
        None => None,
    };
    let mut config = Config::new(server(cluster)?);
    config.default_namespace = entry.text("namespace")?.unwrap_or_else(|| "default".to_owned());
    config.tls_server_name = cluster.text("tls-server-name")?;
    config.disable_compression = cluster.flag("disable-compression")?;
    config.accept_invalid_certs = cluster.flag("insecure-skip-tls-verify")?;
    let authority = cluster.bytes("certificate-authority")?;
    if authority.is_some() && config.accept_invalid_certs {
        return Err(format!(
            "{} has both a certificate authority and insecure-skip-tls-verify: remove one",
            cluster.name
        ));
    }
    config.root_cert =
        authority.as_deref().map(|pem| certificates(pem, cluster, "certificate-authority")).transpose()?;
    let credentials = match &user {
        Some((user, name)) => {
            config.auth_info = identity(user)?;
            source(user, name, cluster, authority.as_deref())?
        }
        None => Source::Nothing,
    };
    let proxy = proxy::of(cluster.text("proxy-url")?.as_deref(), &config.cluster_url, &environment())?;
    Ok(Way { context: Some(name.to_owned()), config, credentials, proxy })
}

/// The server's address; without a scheme it is that of TLS where certificates are spoken of.
fn server(cluster: &Entry) -> Result<Uri, String> {
    let text = cluster.text("server")?.ok_or_else(|| format!("{} names no server", cluster.name))?;
    let text = text.trim();
    let tls = cluster.flag("insecure-skip-tls-verify")?
        || cluster.text("certificate-authority-data")?.or(cluster.text("certificate-authority")?).is_some();
    let whole = match text.contains("://") {
        true => text.to_owned(),
        false if tls => format!("https://{text}"),
        false => format!("http://{text}"),
    };
    let address: Option<Uri> = whole.parse().ok();
    address
        .filter(|a: &Uri| {
            matches!(a.scheme_str(), Some("http" | "https")) && a.host().is_some_and(|h| !h.is_empty())
        })
        .ok_or_else(|| {
            cluster.wrong("server", &format!("is not an address such as https://host:6443: {text}"))
        })
}

/// The certificates in a PEM file.
fn certificates(pem: &[u8], entry: &Entry, field: &str) -> Result<Vec<Vec<u8>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).map(|c| c.map(|c| c.to_vec())).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(entry.wrong(field, "holds no certificate (PEM)")),
    }
}

/// The client certificate, and whom to act as.
fn identity(user: &Entry) -> Result<AuthInfo, String> {
    let mut info = AuthInfo {
        impersonate: user.text("as")?,
        impersonate_uid: user.text("as-uid")?,
        impersonate_groups: user.value("as-groups")?,
        impersonate_user_extra: user.value::<HashMap<String, Vec<String>>>("as-user-extra")?,
        auth_provider: user.value::<AuthProviderConfig>("auth-provider")?,
        ..AuthInfo::default()
    };
    let more = info.impersonate_uid.is_some()
        || info.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())
        || info.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    if info.impersonate.is_none() && more {
        return Err(format!("{} says as whose group or uid to act, and not as whom (`as`)", user.name));
    }
    let encoded = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    match (user.bytes("client-certificate")?, user.bytes("client-key")?) {
        (None, None) => {}
        (Some(_), None) => return Err(format!("{} has a client certificate without its key", user.name)),
        (None, Some(_)) => return Err(format!("{} has a client key without its certificate", user.name)),
        (Some(certificate), Some(key)) => {
            certificates(&certificate, user, "client-certificate")?;
            let text = String::from_utf8_lossy(&key);
            if text.contains("ENCRYPTED") {
                return Err(user.wrong("client-key", "needs a passphrase: give a key without one"));
            }
            if !text.contains("PRIVATE KEY-----") {
                return Err(user.wrong("client-key", "holds no private key (PEM)"));
            }
            info.client_certificate_data = Some(encoded(&certificate));
            info.client_key_data = Some(SecretString::from(encoded(&key)));
        }
    }
    Ok(info)
}

/// What requests carry. Password, token, token file, plug-in: the first that is there, as in kubectl; a file that can be
/// read counts more than a token beside it.
fn source(user: &Entry, name: &str, cluster: &Entry, authority: Option<&[u8]>) -> Result<Source, String> {
    let token = user.text("token")?;
    if let Some(file) = user.path("tokenFile")? {
        return match (token, std::fs::File::open(&file)) {
            (token @ Some(_), _) => Ok(Source::File(file, token.map(SecretString::from))),
            (None, Ok(_)) => Ok(Source::File(file, None)),
            (None, Err(why)) => {
                let what = format!("names {}, which cannot be read: {}", file.display(), plain(&why));
                Err(user.wrong("tokenFile", &what))
            }
        };
    }
    if let Some(token) = token {
        return bearer(&token, &user.name).map(Source::Header);
    }
    if let (Some(login), Some(password)) = (user.text("username")?, user.text("password")?) {
        return Ok(basic(&login, &password).map_or(Source::Nothing, Source::Header));
    }
    let Some(mut exec) = user.value::<ExecConfig>("exec")? else { return Ok(Source::Nothing) };
    exec.command = exec.command.map(|command| user.command(&command));
    let told = || told(cluster, authority);
    Ok(Source::Plugin(Box::new(Plugin::new(name, &exec, told)?)))
}

/// What a plug-in is told of the cluster where it wants to know.
fn told(cluster: &Entry, authority: Option<&[u8]>) -> Value {
    let mut told = json!({});
    for field in ["server", "tls-server-name", "proxy-url"] {
        if let Ok(Some(text)) = cluster.text(field) {
            told[field] = text.into();
        }
    }
    if cluster.flag("insecure-skip-tls-verify").unwrap_or(false) {
        told["insecure-skip-tls-verify"] = true.into();
    }
    if let Some(pem) = authority {
        told["certificate-authority-data"] = base64::engine::general_purpose::STANDARD.encode(pem).into();
    }
    // The one extension that is meant for it.
    let extensions: Option<Vec<Value>> = cluster.value("extensions").ok().flatten();
    let own = extensions.into_iter().flatten().find(|e| e["name"] == "client.authentication.k8s.io/exec");
    if let Some(config) = own.and_then(|mut e| e.get_mut("extension").map(Value::take)) {
        told["config"] = config;
    }
    told
}
