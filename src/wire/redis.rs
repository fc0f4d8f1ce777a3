//! One connection to one Redis server or sentinel.
//!
//! RESP2, one command a request, deadlines for everything, errors as one clear sentence without the password. Nothing is
//! sent on connecting but the login: a user who may do little may not set a name for the connection. It reconnects by
//! itself with the next question. It must never give the answers a meaning.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, RedisConnectionInfo, RedisError, Value as Reply, aio::MultiplexedConnection, cmd,
};
use rustls::{ClientConfig, pki_types::ServerName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    cost,
    failure::{Failure, Kind},
    sentence::one_line,
    sql::Tls,
    tls,
};

/// How long a connection and each answer may take.
pub const WITHIN: Duration = Duration::from_secs(3);

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct Login {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User; otherwise the default one.
    pub user: Option<String>,
    /// Password; without one nobody logs in.
    pub password: Option<SecretString>,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
    /// A login that is refused is gone without: sentinels seldom have the users of the servers.
    pub may_go_without: bool,
}

/// What a server replies: a value, or an error of its own.
pub type Answer = Result<Value, String>;

/// One server and the connection to it, if there is one.
pub struct Redis {
    login: Login,
    connection: Option<MultiplexedConnection>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Redis {
    /// A server; nothing is connected yet.
    pub fn new(login: Login) -> Self {
        Self { login, connection: None }
    }

    /// Asks one command, connecting first where needed. An error that the server replies is an answer.
    ///
    /// # Errors
    /// One sentence; the connection is closed.
    pub async fn ask(&mut self, words: &[&str]) -> Result<Answer, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        cost::asked(&self.place());
        let answer = self.send(&mut connection, words).await?;
        if let Err(why) = &answer
            && why.starts_with("NOAUTH")
        {
            let text = format!("{} wants a password (NOAUTH)", self.place());
            return Err(Failure { kind: Kind::Denied, text });
        }
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn send(&self, connection: &mut MultiplexedConnection, words: &[&str]) -> Result<Answer, Failure> {
        let mut command = cmd(words.first().copied().unwrap_or("PING"));
        for word in words.iter().skip(1) {
            command.arg(*word);
        }
        match timeout(WITHIN, command.query_async::<Reply>(connection)).await {
            Ok(Ok(reply)) => Ok(Ok(value(reply))),
            Ok(Err(error)) => match said(&error) {
                Some(text) => match serves_nobody(&self.place(), &text) {
                    Some(failure) => Err(failure),
                    None => Ok(Err(text)),
                },
                None => Err(self.failure(&error)),
            },
            Err(_) => Err(self.silent()),
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Failure> {
        let stream = self.stream().await?;
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(WITHIN));
        let made = timeout(WITHIN, MultiplexedConnection::new_with_config(&info, stream, config)).await;
        let (mut connection, driver) = match made {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(self.failure(&error)),
            Err(_) => return Err(self.silent()),
        };
        // It ends with the last handle of the connection.
        tokio::spawn(driver);
        if let Some(password) = &self.login.password {
            let password = password.expose_secret();
            let words = match &self.login.user {
                Some(user) => vec!["AUTH", user, password],
                None => vec!["AUTH", password],
            };
            if let Err(why) = self.send(&mut connection, &words).await?
                && !self.login.may_go_without
            {
                let user = self.login.user.as_deref().unwrap_or("default");
                let code = why.split(' ').next().unwrap_or_default();
                let text = match code {
                    "WRONGPASS" => format!(
                        "{}: wrong password for user {user}, or no such user, or it is off (WRONGPASS)",
                        self.place()
                    ),
                    _ => format!("{} refuses the login of user {user}: {why}", self.place()),
                };
                return Err(Failure { kind: Kind::Denied, text });
            }
        }
        Ok(connection)
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, Failure> {
        let place = self.place();
        let address = (self.login.host.as_str(), self.login.port);
        let stream = match timeout(WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let text = format!("{place} refuses connections: no server runs there");
                return Err(Failure { kind: Kind::Refused, text });
            }
            Ok(Err(error)) => {
                let text = format!("{place} cannot be reached: {}", one_line(&error.to_string()));
                return Err(Failure { kind: Kind::Unreachable, text });
            }
            Err(_) => {
                let text = format!("{place} cannot be reached within {} s", WITHIN.as_secs());
                return Err(Failure { kind: Kind::Unreachable, text });
            }
        };
        let _ = stream.set_nodelay(true);
        let Some(wanted) = &self.login.tls else { return Ok(Box::new(stream)) };
        let fails = |why: String| Failure {
            kind: Kind::Tls,
            text: format!(
                "{place}: TLS fails: {why}; check tls-ca, and tls-name where the address is no name"
            ),
        };
        let config = trusting(wanted).map_err(fails)?;
        let name = wanted.name.as_deref().unwrap_or(&self.login.host).to_owned();
        let name = ServerName::try_from(name).map_err(|e| fails(e.to_string()))?;
        match timeout(WITHIN, TlsConnector::from(config).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(fails(one_line(&error.to_string()))),
            Err(_) => Err(self.silent()),
        }
    }

    fn place(&self) -> String {
        match self.login.host.contains(':') {
            true => format!("[{}]:{}", self.login.host, self.login.port),
            false => format!("{}:{}", self.login.host, self.login.port),
        }
    }

    fn silent(&self) -> Failure {
        let seconds = WITHIN.as_secs();
        let text =
            format!("{} takes connections and does not answer within {seconds} s: it hangs", self.place());
        Failure { kind: Kind::Silent, text }
    }

    fn failure(&self, error: &RedisError) -> Failure {
        if error.is_timeout() {
            return self.silent();
        }
        let place = self.place();
        if error.is_connection_dropped() || error.is_io_error() {
            return Failure { kind: Kind::Lost, text: format!("{place} has closed the connection") };
        }
        let text = format!("{place} does not speak the protocol of Redis: is the port right?");
        Failure { kind: Kind::NotMysql, text }
    }
}

/// An error that the server itself replied, as it said it.
fn said(error: &RedisError) -> Option<String> {
    let code = error.code()?;
    let detail = error.detail().unwrap_or_default();
    Some(one_line(&format!("{code} {detail}")))
}

/// A reply that the server gives to whatever it is asked: it serves nobody, or not this connection.
fn serves_nobody(place: &str, reply: &str) -> Option<Failure> {
    if reply.split(' ').next() == Some("BUSY") {
        let text = format!("{place} runs a script and answers nothing else (BUSY)");
        return Some(Failure { kind: Kind::Silent, text });
    }
    reply
        .contains("max number of clients")
        .then(|| Failure { kind: Kind::Full, text: format!("{place} has no connection left (maxclients)") })
}

/// Believes only those that the certificate authority in this file vouches for.
fn trusting(wanted: &Tls) -> Result<Arc<ClientConfig>, String> {
    let roots = tls::store(Some(&wanted.ca))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// The reply as a value that every room knows.
fn value(reply: Reply) -> Value {
    let text = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
    match reply {
        Reply::Int(n) => n.into(),
        Reply::BulkString(bytes) => text(&bytes),
        Reply::SimpleString(text) | Reply::VerbatimString { text, .. } => text.into(),
        Reply::Okay => "OK".into(),
        Reply::Array(all) | Reply::Set(all) => all.into_iter().map(value).collect::<Vec<_>>().into(),
        Reply::Map(pairs) => {
            let flat = pairs.into_iter().flat_map(|(name, of)| [value(name), value(of)]);
            flat.collect::<Vec<_>>().into()
        }
        Reply::Double(n) => n.into(),
        Reply::Boolean(b) => b.into(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_serves_nobody_is_not_taken_for_one_that_answers() {
        let kind = |reply: &str| serves_nobody("redis-1:6379", reply).map(|failure| failure.kind);
        let busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
        assert_eq!(kind(busy), Some(Kind::Silent));
        assert_eq!(kind("ERR max number of clients reached"), Some(Kind::Full));
        for other in ["BUSYGROUP Consumer Group name already exists", "NOPERM x", "LOADING x", ""] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_full_server_and_a_busy_one_say_so_whatever_the_login() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        for (reply, kind) in [
            ("-ERR max number of clients reached\r\n", Kind::Full),
            ("-BUSY Redis is busy running a script.\r\n", Kind::Silent),
        ] {
            for password in [None, Some(SecretString::from("x"))] {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = listener.local_addr().unwrap().port();
                tokio::spawn(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let _ = stream.read(&mut [0; 256]).await;
                    let _ = stream.write_all(reply.as_bytes()).await;
                    let _ = stream.read(&mut [0; 256]).await;
                });
                let login = Login {
                    host: "127.0.0.1".into(),
                    port,
                    user: None,
                    password,
                    tls: None,
                    may_go_without: false,
                };
                let failure = Redis::new(login).ask(&["PING"]).await.unwrap_err();
                assert_eq!(failure.kind, kind, "{failure}");
            }
        }
    }
}
