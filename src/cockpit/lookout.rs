//! How this program shares what it sees around with those that look at the same: as a cockpit, which may look for all, or as a
//! command, which only listens.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::shared::{operator, session};
use crate::{
    cluster::{
        Key, fnv1a,
        platform::{Duty, Telling},
    },
    config::{self, Config},
    live::{Scope, platform::Sharing},
    run::{Candidate, Who},
    wire::Wire,
};

/// How long it may take to give the Lease back when the cockpit is left.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// Settings that tell who asks, and not what is looked at; whether there is a login counts.
const WHO_ASKS: [&str; 2] = ["user", "password"];
/// Settings that name a file of authorities.
const AUTHORITIES: [&str; 2] = ["ca", "tls-ca"];

/// A cockpit that may look for all.
pub(super) struct Lookout {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Lookout {
    /// Stands for election, where anything around is configured and is to be shared; what is observed is shared by that.
    pub(super) fn begin(config: &Config, wire: &Wire, scope: &mut Scope) -> Option<Self> {
        let platform = scope.platform.as_mut().filter(|_| config.platform.share)?;
        let candidate = candidate(config, wire);
        let (duty, heard) = watch::channel(Duty::Undecided);
        let (sharing, told) = sharing(config, heard);
        platform.sharing = Some(sharing);
        let (stop, stopped) = oneshot::channel();
        Some(Self { stop, task: tokio::spawn(candidate.stand(duty, told, stopped)) })
    }

    /// Gives the Lease back.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        let _ = timeout(ENDS_WITHIN, self.task).await;
    }
}

/// What is observed by a command: it shows what a cockpit tells, where that is shared, and otherwise looks by itself.
pub fn listening(config: &Config) -> Scope {
    let mut scope = super::scope(config);
    if let Some(platform) = scope.platform.as_mut().filter(|_| config.platform.share) {
        let why = "no cockpit that looks at the same has told what it sees";
        let (_, heard) = watch::channel(Duty::Barred(why.into()));
        platform.sharing = Some(sharing(config, heard).0);
    }
    scope
}

type Looking = watch::Receiver<Telling>;

fn sharing(config: &Config, duty: watch::Receiver<Duty>) -> (Sharing, Looking) {
    let (tell, told) = watch::channel(Telling::Nothing);
    let place = Key::new(config.journal.namespace.as_str(), name(config));
    (Sharing { place, who: operator(config), session: session(), duty, tell }, told)
}

/// Who stands for election, and for what.
pub fn candidate(config: &Config, wire: &Wire) -> Candidate {
    let lacks = super::platform(config).and_then(|platform| platform.lacks());
    let never = if config.read_only { Some("this program is read-only".to_owned()) } else { lacks };
    Candidate {
        wire: wire.clone(),
        who: Who { operator: operator(config), user: None, session: session() },
        namespace: config.journal.namespace.clone(),
        name: name(config),
        seconds: u32::try_from(config.journal.lease.0.as_secs()).unwrap_or(u32::MAX),
        never,
    }
}

/// The name of the Lease and the ConfigMap of those that look at the same: the settings of `[platform]`, and which hosts
/// lead to tenants. Who asks does not matter, nor where the file of an authority lies.
fn name(config: &Config) -> String {
    let mut looked_at = serde_json::json!({
        "platform": config.platform,
        "tenants": config.tenants,
        "namespace": config.namespace,
    });
    alike(&mut looked_at);
    format!("platform-{:016x}", fnv1a(looked_at.to_string().bytes()))
}

fn alike(settings: &mut Value) {
    match settings {
        Value::Object(all) => {
            for (name, value) in all {
                match value.as_str() {
                    _ if WHO_ASKS.contains(&name.as_str()) => *value = (!value.is_null()).into(),
                    Some(file) if AUTHORITIES.contains(&name.as_str()) => {
                        let read = fs::read(config::at_home(Path::new(file)));
                        *value = read.map_or(Value::Null, |read| fnv1a(read).into());
                    }
                    _ => alike(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(alike),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(settings: &str) -> String {
        name(&toml::from_str(settings).expect("a configuration"))
    }

    #[test]
    fn those_that_look_at_the_same_have_one_name_whoever_asks() {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let (one, same, other) = (ca("one", "A"), ca("same", "A"), ca("other", "B"));
        let redis = |address: &str, user: &str, ca: &str| {
            named(&format!(
                "[[platform.redis]]\nname = 'r'\naddress = '{address}'\nuser = '{user}'\n\
                 password = {{ env = '{user}' }}\ntls-ca = '{ca}'"
            ))
        };
        let first = redis("10.0.0.1", "alice", &one);
        assert_eq!(first, redis("10.0.0.1", "bob", &same));
        assert_ne!(first, redis("10.0.0.2", "alice", &one));
        assert_ne!(first, redis("10.0.0.1", "alice", &other));
        let login = format!("[[platform.redis]]\nname = 'r'\naddress = '10.0.0.1'\ntls-ca = '{one}'");
        assert_ne!(first, named(&login), "who has no login may see less");
        let edge = "[[platform.edges]]\nname = 'e'\naddress = '10.0.0.1'";
        assert_ne!(named(edge), named(&format!("namespace = 'acme'\n{edge}")));
        assert_ne!(named(edge), named(&format!("[platform]\nprobes = 3\n{edge}")));
        assert!(first.len() == 25 && first.starts_with("platform-"), "{first}");
    }
}
