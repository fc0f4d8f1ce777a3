//! Where things are, as the configuration spells it: members, admin ports, services, Secrets.

use crate::{
    cluster::{Address, Key},
    config::text::as_text,
};

/// A key of a Kubernetes Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// Namespace and name of the Secret.
    pub secret: Key,
    /// The key in its data.
    pub key: String,
}

/// `host:port` of an admin port, which is 6032 where it is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxyAddress(pub Address);

/// Where the admin port of a ProxySQL is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyEntry {
    /// At an address that is reached directly.
    Direct(Address),
    /// Behind a Kubernetes service: one at every pod.
    Service {
        /// Namespace and name of the service.
        service: Key,
        /// Number or name of a port of the service; or a number that is the pods' own.
        port: String,
    },
}

impl std::str::FromStr for ProxyAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:6032") };
        with_port.parse().map(Self)
    }
}

impl std::fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ProxyEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((namespace, rest)) = text.split_once('/') else {
            return text.parse().map(|ProxyAddress(address)| Self::Direct(address));
        };
        let bad = || format!("`{text}` is not a service such as db/service-proxysql:6032");
        let (name, port) = rest.split_once(':').unwrap_or((rest, "6032"));
        let is_name =
            |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        let is_port = if is_number { port.parse::<u16>().is_ok_and(|port| port > 0) } else { is_name(port) };
        if !is_name(namespace) || !is_name(name) || !is_port {
            return Err(bad());
        }
        Ok(Self::Service { service: Key::new(namespace, name), port: port.into() })
    }
}

impl std::fmt::Display for ProxyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct(address) => address.fmt(f),
            Self::Service { service, port } => write!(f, "{service}:{port}"),
        }
    }
}

impl std::str::FromStr for SecretKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What stands there may be a password: it is not repeated.
        let bad =
            || "a Secret is named as namespace/name:key, such as db/proxysql-credentials:password".to_owned();
        let (namespace, rest) = text.split_once('/').ok_or_else(bad)?;
        let (name, key) = rest.split_once(':').unwrap_or((rest, "password"));
        if [namespace, name, key].iter().any(|part| part.is_empty() || part.contains(['/', ':', ' '])) {
            return Err(bad());
        }
        Ok(Self { secret: Key::new(namespace, name), key: key.to_owned() })
    }
}

impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.secret, self.key)
    }
}

as_text!(Address, ProxyAddress, ProxyEntry, SecretKey);
