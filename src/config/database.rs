//! `[galera]` and `[proxysql]`: where the database is, who asks it, and what is expected of it.
//!
//! No password stands in the configuration, only where it is found. Reading it is one call, [`Login::account`]; a
//! Kubernetes Secret is fetched by the caller. A password is a [`SecretString`]: it never prints.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};

use super::{BadConfig, mycnf};
pub use crate::cluster::{Address, Reach};
use crate::cluster::{
    Hostgroups,
    database::{Expectations, Thresholds},
};

mod addresses;

pub use addresses::{ProxyAddress, ProxyEntry, SecretKey};

/// `[galera]`: the members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Galera {
    /// `host:port` of every member; the port is 3306 where it is left out.
    pub members: Vec<Address>,
    /// How many members there should be; otherwise as many as are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_size: Option<u32>,
    /// Addresses as ProxySQL or the members tell them, and the listed ones they stand for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, Address>,
    /// What the members are called until they say it themselves, by address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<Address, String>,
    /// The machines the members run on, by address: nodes of the cluster, or others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<Address, String>,
    /// Who asks.
    #[serde(flatten)]
    pub login: Login,
    /// When something is worth saying.
    pub thresholds: Thresholds,
}

/// `[proxysql]`: the proxies in front.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Proxysql {
    /// Admin ports: `host:port`, or `namespace/service:port` for every pod behind a Kubernetes service.
    pub addresses: Vec<ProxyEntry>,
    /// How the pods behind a service are reached: at their own address, by port-forward, or whichever works.
    pub reach: Reach,
    /// What the hostgroups are for; needed only with the statistics user, who may not read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostgroups: Vec<Hostgroups>,
    /// The machines the proxies run on, by address, or `namespace/workload` where they are its pods; of those behind a
    /// service the pods tell it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<ProxyAddress, String>,
    /// Who asks. A user named `admin` is let in from the proxy's own machine only.
    #[serde(flatten)]
    pub login: Login,
}

/// User, where the password is, and TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Login {
    /// The user; otherwise the one of `~/.my.cnf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the password is; otherwise in `~/.my.cnf`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordFrom>,
    /// The certificate authority, a PEM file: TLS is spoken, and only servers it vouches for are believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// The name certificates must carry, where it is not the host of the address (an IP address, a tunnel).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
}

/// Where a password is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordFrom {
    /// A file; its first line.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A Kubernetes Secret: `namespace/name:key`, the key is `password` where it is left out.
    Secret(SecretKey),
    /// An option file of the MySQL clients.
    MyCnf(PathBuf),
}

/// Who asks, with the password.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Option<SecretString>,
    /// The certificate authority; `Some` means TLS.
    pub tls_ca: Option<PathBuf>,
    /// The name certificates must carry.
    pub tls_name: Option<String>,
}

impl Login {
    /// The Secret to fetch before [`Login::account`] is asked.
    pub fn secret(&self) -> Option<&SecretKey> {
        match &self.password {
            Some(PasswordFrom::Secret(key)) => Some(key),
            _ => None,
        }
    }

    /// Reads user and password. `fetched` is the value of [`Login::secret`]; `home` is where `.my.cnf` is looked for;
    /// `env` reads an environment variable.
    ///
    /// # Errors
    /// A file or variable cannot be read, or there is no user: one sentence, without the password.
    pub fn account(
        &self,
        fetched: Option<SecretString>,
        home: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Account, BadConfig> {
        let expand = |path: &Path| match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        };
        let own = home.map(|home| home.join(".my.cnf")).filter(|path| path.exists());
        let mut options = mycnf::Client::default();
        let password = match &self.password {
            Some(PasswordFrom::File(path)) => {
                let path = expand(path);
                let text = std::fs::read_to_string(&path).map_err(|e| {
                    let path = path.display();
                    BadConfig(match e.kind() {
                        std::io::ErrorKind::NotFound => format!("there is no password file {path}"),
                        _ => format!("cannot read the password file {path}: {e}"),
                    })
                })?;
                Some(SecretString::from(text.lines().next().unwrap_or_default().to_owned()))
            }
            Some(PasswordFrom::Env(name)) => {
                let text = env(name).ok_or_else(|| {
                    BadConfig(format!("the environment variable {name} for the password is not set"))
                })?;
                Some(SecretString::from(text))
            }
            Some(PasswordFrom::Secret(key)) => {
                let missing = || BadConfig(format!("the password in the Secret {key} was not fetched"));
                Some(fetched.ok_or_else(missing)?)
            }
            Some(PasswordFrom::MyCnf(path)) => {
                options = mycnf::read(&expand(path))?;
                options.password.take()
            }
            None => match own {
                Some(path) => {
                    options = mycnf::read(&path)?;
                    options.password.take()
                }
                None => None,
            },
        };
        let user = self.user.clone().or(options.user).ok_or_else(|| {
            BadConfig(
                "no database user is configured: set user in [galera] and [proxysql], or in ~/.my.cnf".into(),
            )
        })?;
        let tls_ca = self.tls_ca.as_deref().map(expand).or(options.ssl_ca);
        Ok(Account { user, password, tls_ca, tls_name: self.tls_name.clone() })
    }
}

/// Read by hand: what is written in its place may be the password itself, and must not stand in an error.
impl<'de> Deserialize<'de> for PasswordFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PasswordPlace)
    }
}

struct PasswordPlace;

const PASSWORD_PLACES: &str = "a password does not stand in the configuration, only where it is: { file = \"FILE\" }, \
    { env = \"NAME\" }, { secret = \"namespace/name:key\" } or { my-cnf = \"FILE\" }";

impl<'de> Visitor<'de> for PasswordPlace {
    type Value = PasswordFrom;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("where the password is")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<PasswordFrom, E> {
        Err(E::custom(PASSWORD_PLACES))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<PasswordFrom, E> {
        Err(E::custom(PASSWORD_PLACES))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<PasswordFrom, E> {
        Err(E::custom(PASSWORD_PLACES))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<PasswordFrom, E> {
        Err(E::custom(PASSWORD_PLACES))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<PasswordFrom, M::Error> {
        let bad = || M::Error::custom(PASSWORD_PLACES);
        let key: String = map.next_key()?.ok_or_else(bad)?;
        let value: String = map.next_value().map_err(|_| bad())?;
        if map.next_key::<String>()?.is_some() {
            return Err(bad());
        }
        Ok(match key.as_str() {
            "file" => PasswordFrom::File(value.into()),
            "env" => PasswordFrom::Env(value),
            "secret" => PasswordFrom::Secret(value.parse().map_err(M::Error::custom)?),
            "my-cnf" => PasswordFrom::MyCnf(value.into()),
            _ => return Err(bad()),
        })
    }
}

/// What is expected of the database, out of both sections.
pub fn expectations(galera: &Galera, proxysql: &Proxysql) -> Expectations {
    Expectations {
        size: galera.expected_size,
        aliases: galera.aliases.iter().map(|(from, to)| (from.clone(), to.to_string())).collect(),
        names: galera.names.iter().map(|(of, name)| (of.to_string(), name.clone())).collect(),
        hosts: galera.hosts.iter().map(|(of, on)| (of.to_string(), on.clone())).collect(),
        proxy_hosts: proxysql.hosts.iter().map(|(of, on)| (of.0.to_string(), on.clone())).collect(),
        hostgroups: proxysql.hostgroups.clone(),
        thresholds: galera.thresholds.clone(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::Config;

    const FULL: &str = r#"
[galera]
members = ["db1:3306", "DB2", "[fd00::3]:3307"]
expected-size = 3
aliases = { "10.0.0.1:3306" = "db1:3306" }
hosts = { "DB2" = "worker-2" }
user = "wheelhouse"
password = { env = "DB_PASSWORD" }
tls-ca = "/etc/ssl/db.pem"

[galera.thresholds]
flow-control = 0.1
unsynced = "30s"

[proxysql]
addresses = ["10.0.0.5:6032", "db/service-proxysql:6032"]
user = "radmin"
password = { secret = "db/proxysql:radmin" }
hostgroups = [{ writer = 10, backup = 20, reader = 30, offline = 9999 }]
hosts = { "10.0.0.5" = "worker-3" }
"#;

    #[test]
    fn the_database_is_read_from_the_file_and_survives_it() {
        let config = Config::parse(FULL).unwrap();
        let names: Vec<_> = config.galera.members.iter().map(Address::to_string).collect();
        assert_eq!(names, ["db1:3306", "db2:3306", "[fd00::3]:3307"]);
        assert_eq!(config.galera.thresholds.flow_control, 0.1);
        assert_eq!(config.proxysql.login.secret().unwrap().to_string(), "db/proxysql:radmin");
        assert!(matches!(&config.proxysql.addresses[1], ProxyEntry::Service { port, .. } if port == "6032"));
        assert!(
            "db/proxysql:admin".parse::<ProxyEntry>().is_ok_and(|p| p.to_string() == "db/proxysql:admin")
        );
        assert_eq!(Config::parse(&config.to_toml()), Ok(config.clone()));
        let expected = expectations(&config.galera, &config.proxysql);
        assert_eq!((expected.size, expected.hostgroups[0].max_writers), (Some(3), 1));
        assert_eq!(expected.hosts["db2:3306"], "worker-2");
        assert_eq!(expected.proxy_hosts["10.0.0.5:6032"], "worker-3");
        let account =
            config.galera.login.account(None, None, |name| (name == "DB_PASSWORD").then(|| "s3cret".into()));
        let account = account.unwrap();
        assert_eq!(account.password.as_ref().unwrap().expose_secret(), "s3cret");
        assert!(!format!("{account:?}").contains("s3cret"));
    }

    #[test]
    fn a_mistake_in_the_database_is_named() {
        for (text, word) in [
            ("[galera]\nmembers = [\"db1:99999\"]", "db1:99999"),
            ("[galera]\nmembers = [\"a b\"]", "a b"),
            ("[galera]\nmember = [\"db1\"]", "member"),
            ("[proxysql]\naddresses = [\"db/:6032\"]", "db/:6032"),
            ("[proxysql]\naddresses = [\"db/x:70000\"]", "db/x:70000"),
            ("[proxysql]\nreach = \"tunnel\"", "tunnel"),
            ("[proxysql]\npassword = { secret = \"x\" }", "Secret"),
            ("[galera]\npassword = { fille = \"x\" }", "my-cnf"),
            ("[galera.thresholds]\nflow-control = 5", "0.05 for 5 %"),
            ("[galera.thresholds]\nconnections = 0.99", "connections-critical"),
            ("[galera.thresholds]\nconflicts = 0.0", "conflicts"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        // A password in the wrong place is not repeated.
        for value in
            ["\"hunter2\"", "{ secret = \"hunter2\" }", "{ file = [\"hunter2\"] }", "4711", "hunter2"]
        {
            let error = Config::parse(&format!("[galera]\npassword = {value}\n")).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("4711"), "{error}");
            assert!(error.contains("line 2"), "{error}");
        }
        let login = Login {
            password: Some(PasswordFrom::Env("NOPE".into())),
            user: Some("u".into()),
            ..Login::default()
        };
        assert!(login.account(None, None, |_| None).unwrap_err().to_string().contains("NOPE"));
    }

    #[test]
    fn a_password_is_found_where_it_is_said_to_be() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write(".my.cnf", "[client]\nuser=own\npassword=of-my-cnf\nssl-ca=~/ca.pem\n");
        write("other.cnf", "[client]\nuser=other\npassword=of-other\n");
        write("password", "of-file\nand no more\n");
        let account = |toml: &str| {
            let login = Config::parse(&format!("[galera]\n{toml}")).unwrap().galera.login;
            let fetched = login.secret().map(|_| SecretString::from("of-secret".to_owned()));
            let env = |name: &str| (name == "DB").then(|| "of-env".to_owned());
            let account = login.account(fetched, Some(home.path()), env).unwrap();
            (account.user, account.password.map(|p| p.expose_secret().to_owned()).unwrap_or_default())
        };
        for (toml, user, password) in [
            ("", "own", "of-my-cnf"),
            ("user = \"u\"", "u", "of-my-cnf"),
            ("user = \"u\"\npassword = { file = \"~/password\" }", "u", "of-file"),
            ("user = \"u\"\npassword = { env = \"DB\" }", "u", "of-env"),
            ("user = \"u\"\npassword = { secret = \"db/login:x\" }", "u", "of-secret"),
            ("password = { my-cnf = \"~/other.cnf\" }", "other", "of-other"),
        ] {
            assert_eq!(account(toml), (user.to_owned(), password.to_owned()), "{toml}");
        }
        let error = Login::default().account(None, None, |_| None).unwrap_err().to_string();
        assert!(error.contains("no database user") && error.contains("~/.my.cnf"), "{error}");
    }
}
