//! How an endpoint is reached and as whom, and what is done about it when that fails: another way is tried, a changed
//! password is read again.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::lookup::fetch;
use crate::{
    cluster::{Key, Reach},
    wire::{
        Wire,
        sql::{Failure, Kind, Login, Sql},
        tunnel::Tunnel,
    },
};

/// A pod's own address greets within this, or a port-forward is opened.
const DIRECT_WITHIN: Duration = Duration::from_secs(1);

/// How to go on after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Next {
    /// On the same connection.
    Same,
    /// With [`Way::sql`], after a pause.
    Again,
    /// With [`Way::sql`], at once.
    Now,
}

/// The way to one endpoint.
pub(in crate::live) struct Way {
    login: Login,
    secret: Option<Secret>,
    pod: Option<Pod>,
    tunnel: Option<Result<Tunnel, Failure>>,
}

/// Where the password came from.
#[derive(Clone)]
pub(in crate::live) struct Secret {
    pub wire: Option<Wire>,
    pub secret: Key,
    pub key: String,
}

/// A pod that is reached at the address of the login, or by port-forward to its port.
pub(in crate::live) struct Pod {
    pub wire: Wire,
    pub key: Key,
    pub reach: Reach,
}

impl Way {
    /// To where the login leads, or to a pod that has that address.
    pub(in crate::live) fn new(login: Login, secret: Option<Secret>, pod: Option<Pod>) -> Self {
        Self { login, secret, pod, tunnel: None }
    }

    /// An endpoint to ask, by the way that is open now.
    pub(in crate::live) async fn sql(&mut self) -> Sql {
        self.tunnel = None;
        let name = self.name();
        let (login, tunnel) = self.lead().await;
        self.tunnel = tunnel;
        Sql::new(login).counted_as(name)
    }

    /// A pod by its name, whatever the way to it.
    fn name(&self) -> Option<String> {
        let pod = self.pod.as_ref()?;
        Some(format!("{}/{}:{}", pod.key.namespace, pod.key.name, self.login.port))
    }

    /// The login at the near end of the way, and the tunnel where one is needed.
    async fn lead(&self) -> (Login, Option<Result<Tunnel, Failure>>) {
        let mut login = self.login.clone();
        let Some(pod) = &self.pod else { return (login, None) };
        let direct = match pod.reach {
            Reach::Direct => true,
            Reach::PortForward => false,
            Reach::Auto => {
                let greeted = timeout(DIRECT_WITHIN, greets(&login.host, login.port)).await;
                greeted.is_ok_and(|greeted| greeted.is_ok())
            }
        };
        if direct {
            return (login, None);
        }
        let (namespace, name) = (&pod.key.namespace, &pod.key.name);
        let tunnel = Tunnel::open(pod.wire.clone(), namespace, name, login.port).await;
        if let Ok(tunnel) = &tunnel {
            // The certificate is the pod's, whatever the way to it.
            if let Some(tls) = &mut login.tls {
                tls.name.get_or_insert_with(|| login.host.clone());
            }
            login.host = tunnel.address().ip().to_string();
            login.port = tunnel.address().port();
        }
        (login, Some(tunnel))
    }

    /// An endpoint to act on: it keeps the way to it open by itself.
    pub(in crate::live) async fn open(self) -> Result<Sql, String> {
        let name = self.name();
        let (login, tunnel) = self.lead().await;
        match tunnel {
            None => Ok(Sql::new(login)),
            Some(Ok(tunnel)) => Ok(Sql::through(login, tunnel).counted_as(name)),
            Some(Err(blocked)) => Err(blocked.text),
        }
    }

    /// What is to be told of a failure: the reason may lie on the way.
    pub(in crate::live) fn told(&self, failure: Failure) -> Failure {
        let Some(pod) = &self.pod else { return failure };
        let unreached = matches!(failure.kind, Kind::Unreachable | Kind::Silent | Kind::Refused);
        match &self.tunnel {
            Some(Err(blocked)) => blocked.clone(),
            Some(Ok(tunnel)) => tunnel.trouble().unwrap_or_else(|| {
                let called = format!("{}:{}", pod.key, self.login.port);
                Failure { text: failure.text.replace(&tunnel.address().to_string(), &called), ..failure }
            }),
            None if pod.reach == Reach::Direct && unreached => Failure {
                text: format!(
                    "{}; with reach = \"port-forward\" in [proxysql] pods are reached through the API",
                    failure.text
                ),
                ..failure
            },
            None => failure,
        }
    }

    /// How to go on after a round: a changed password is read again, and the other way to a pod may be open.
    pub(in crate::live) async fn after(&mut self, failure: Option<&Failure>) -> Next {
        let Some(failure) = failure else { return Next::Same };
        if failure.kind == Kind::Denied && self.renew().await {
            return Next::Now;
        }
        let either = self.pod.as_ref().is_some_and(|pod| pod.reach == Reach::Auto);
        if either && !failure.is_of_statement() { Next::Again } else { Next::Same }
    }

    /// Reads the password again where it is kept in a Secret; whether it is another one now.
    async fn renew(&mut self) -> bool {
        let Some(Secret { wire, secret, key }) = &self.secret else { return false };
        let Ok(now) = fetch(wire.as_ref(), secret, key).await else { return false };
        let before = self.login.password.as_ref().map(SecretString::expose_secret);
        let changed = before != Some(now.expose_secret());
        self.login.password = Some(now);
        changed
    }
}

/// A database speaks first. Gateways take connections to addresses that nobody has, and then say nothing.
async fn greets(host: &str, port: u16) -> std::io::Result<u8> {
    TcpStream::connect((host, port)).await?.read_u8().await
}
