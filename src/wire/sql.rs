//! One connection to one MySQL endpoint: a Galera member or the admin port of a ProxySQL.
//!
//! Text protocol only, one statement a request, nothing sent on connecting, a deadline for everything, and errors as one
//! clear sentence in which no password can stand. It reconnects by itself with the next question. It must never give
//! the answers a meaning.
//!
//! Facts it rests on: ProxySQL's admin port refuses prepared statements, several `@@` in one SELECT (which the client
//! library would send on connecting) and `COM_RESET_CONNECTION`; it runs the first of several statements only, and
//! version 2.7.1 dies of a lone semicolon.

use std::{
    fmt, io,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use mysql_async::{
    Conn, DriverError, Error, IoError, Opts, OptsBuilder, Row, ServerError, SslOpts, Value,
    prelude::Queryable,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpStream, runtime::Handle, time::timeout};

pub use super::failure::{Failure, Kind};
use super::{caught::caught, cost, tunnel::Tunnel};

/// How long a connection may take to come up, greeting and login included.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct Login {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password.
    pub password: Option<SecretString>,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
}

/// How TLS is spoken.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate authority, a PEM file: nobody else is believed.
    pub ca: PathBuf,
    /// The name certificates must carry, where it is not the host.
    pub name: Option<String>,
}

/// What a server said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows changed. ProxySQL answers 0 to every LOAD and SAVE, whatever happened.
    pub affected: u64,
    /// The text of the OK packet: ProxySQL puts errors there.
    pub info: String,
}

/// One endpoint and the connection to it, if there is one.
pub struct Sql {
    login: Login,
    conn: Option<Open>,
    /// Grows with every connection made.
    connections: u64,
    /// The way to it, open as long as this is kept.
    _way: Option<Tunnel>,
    /// What it is counted as, where that is not its address.
    name: Option<String>,
}

/// How long a server may take to hear that a connection is closed.
const GOODBYE_WITHIN: Duration = Duration::from_millis(300);
/// Connections that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// An open connection. It is closed as the protocol has it (`COM_QUIT`): one that only breaks off is counted as aborted
/// by the server, and stands in its error log.
struct Open(Option<Conn>);

impl Open {
    fn new(conn: Conn) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self(Some(conn))
    }

    fn conn(&mut self) -> &mut Conn {
        self.0.as_mut().expect("it is taken by the drop alone")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let goodbye = self.0.take().map(|conn| caught(conn.disconnect()));
        match (goodbye, Handle::try_current()) {
            (Some(goodbye), Ok(runtime)) => {
                runtime.spawn(async move {
                    let _ = timeout(GOODBYE_WITHIN, goodbye).await;
                    OPEN.fetch_sub(1, Ordering::Relaxed);
                });
            }
            _ => {
                OPEN.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Waits until every connection is closed, for a moment at most: for the end of the program.
pub async fn closed() {
    let all = async {
        while OPEN.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let _ = timeout(GOODBYE_WITHIN, all).await;
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("login", &self.login).field("connections", &self.connections).finish()
    }
}

impl Sql {
    /// An endpoint; nothing is connected yet.
    pub fn new(login: Login) -> Self {
        Self { login, conn: None, connections: 0, _way: None, name: None }
    }

    /// An endpoint at the near end of a tunnel, which stays open as long as this.
    pub fn through(login: Login, way: Tunnel) -> Self {
        Self { _way: Some(way), ..Self::new(login) }
    }

    /// The same, counted as an endpoint of that name: the near end of a tunnel is none.
    #[must_use]
    pub fn counted_as(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// As whom it logs in.
    pub fn user(&self) -> &str {
        &self.login.user
    }

    /// Closes the connection: the next question is asked on a new one, with the rights of that time.
    pub fn close(&mut self) {
        self.conn = None;
    }

    /// How many connections were made so far: what was learnt on an older one may not hold on this one.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Asks one statement, connecting first where needed.
    ///
    /// # Errors
    /// One sentence. After any failure but a refused statement the connection is closed.
    pub async fn ask(&mut self, statement: &str) -> Result<Answer, Failure> {
        // A lone semicolon kills ProxySQL 2.7.1; what follows one is dropped by it in silence.
        if statement.trim().trim_end_matches(';').trim().is_empty() || statement.trim_end().ends_with(';') {
            return Err(Failure {
                kind: Kind::Other,
                text: "an empty statement, or one that ends in a semicolon, is not sent".into(),
            });
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        match &self.name {
            Some(name) => cost::asked(name),
            None => cost::asked(&self.place()),
        }
        match timeout(ANSWER_WITHIN, caught(answer(conn.conn(), statement))).await {
            Ok(Err(panic)) => Err(self.broken(&panic)),
            Ok(Ok(Ok(answer))) => {
                self.conn = Some(conn);
                Ok(answer)
            }
            Ok(Ok(Err(error))) => {
                if !error.is_fatal() {
                    self.conn = Some(conn);
                }
                Err(self.failure(&error, true))
            }
            Err(_) => Err(Failure {
                kind: Kind::Silent,
                text: format!("{} has not answered within {} s", self.place(), ANSWER_WITHIN.as_secs()),
            }),
        }
    }

    /// The client library does not know what to do with what it was told.
    fn broken(&self, panic: &str) -> Failure {
        let text = format!("{}: the client library fails on its answer: {}", self.place(), plain(panic));
        Failure { kind: Kind::Other, text }
    }

    async fn connect(&mut self) -> Result<Open, Failure> {
        if let Some(tls) = &self.login.tls
            && let Err(e) = tokio::fs::metadata(&tls.ca).await
        {
            let text = format!("the certificate authority {} cannot be read: {e}", tls.ca.display());
            return Err(Failure { kind: Kind::Tls, text });
        }
        match timeout(CONNECT_WITHIN, caught(Conn::new(self.opts()))).await {
            Ok(Err(panic)) => Err(self.broken(&panic)),
            Ok(Ok(Ok(conn))) => {
                self.connections += 1;
                Ok(Open::new(conn))
            }
            Ok(Ok(Err(error))) => Err(self.failure(&error, false)),
            Err(_) => Err(self.no_greeting().await),
        }
    }

    /// Nothing came in time: is the port dead, or what is behind it?
    async fn no_greeting(&self) -> Failure {
        let seconds = CONNECT_WITHIN.as_secs();
        let address = (self.login.host.as_str(), self.login.port);
        match timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            Ok(Ok(_)) => Failure {
                kind: Kind::Silent,
                text: format!(
                    "{} takes connections and never answers (waited {seconds} s): the server is frozen, or it is no MySQL server",
                    self.place()
                ),
            },
            _ => Failure {
                kind: Kind::Unreachable,
                text: format!("{} cannot be reached within {seconds} s", self.place()),
            },
        }
    }

    fn opts(&self) -> Opts {
        let password = self.login.password.as_ref().map(|p| p.expose_secret().to_owned());
        let tls = self.login.tls.as_ref().map(|tls| {
            let opts = SslOpts::default()
                .with_root_certs(vec![tls.ca.clone().into()])
                .with_disable_built_in_roots(true);
            match &tls.name {
                Some(name) => opts.with_danger_tls_hostname_override(Some(name.clone())),
                None => opts,
            }
        });
        // With these three set the library asks nothing on connecting.
        OptsBuilder::default()
            .ip_or_hostname(self.login.host.clone())
            .tcp_port(self.login.port)
            .user(Some(self.login.user.clone()))
            .pass(password)
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800))
            .stmt_cache_size(0)
            .ssl_opts(tls)
            .into()
    }

    fn place(&self) -> String {
        match self.login.host.contains(':') {
            true => format!("[{}]:{}", self.login.host, self.login.port),
            false => format!("{}:{}", self.login.host, self.login.port),
        }
    }

    fn failure(&self, error: &Error, connected: bool) -> Failure {
        let place = self.place();
        let (kind, text) = match error {
            Error::Server(error) => self.refusal(error, connected),
            Error::Io(IoError::Io(error)) => self.io(error, connected),
            Error::Io(IoError::Tls(error)) => (
                Kind::Tls,
                format!(
                    "{place}: TLS fails: {error}; check tls-ca, and tls-name where the address is no name"
                ),
            ),
            Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                (Kind::Tls, format!("{place} does not speak TLS, but tls-ca is configured"))
            }
            Error::Driver(DriverError::UnknownAuthPlugin { name }) => (
                Kind::Denied,
                format!("{place}: the authentication plug-in `{name}` of the user is not known here"),
            ),
            Error::Driver(DriverError::ConnectionClosed) if connected => {
                (Kind::Lost, format!("{place} has closed the connection"))
            }
            Error::Driver(_) if !connected => {
                (Kind::NotMysql, format!("{place} does not speak the MySQL protocol: is the port right?"))
            }
            other => (Kind::Other, format!("{place}: {}", plain(&other.to_string()))),
        };
        Failure { kind, text }
    }

    fn refusal(&self, error: &ServerError, connected: bool) -> (Kind, String) {
        let (place, user) = (self.place(), &self.login.user);
        let message = plain(&error.message);
        match error.code {
            1045 if !connected && self.login.tls.is_none() => (
                Kind::Denied,
                format!(
                    "{place}: wrong password for user {user}, or no such user from here, or one that must use TLS"
                ),
            ),
            1045 | 1698 | 1251 if !connected => {
                (Kind::Denied, format!("{place}: wrong password for user {user}, or no such user from here"))
            }
            1130 => (Kind::Denied, format!("{place} lets nobody in from this host: {message}")),
            1129 => (
                Kind::Denied,
                format!("{place} has blocked this host after failed connections: FLUSH HOSTS there"),
            ),
            1040 if message.contains("can only connect locally") => (
                Kind::Denied,
                format!(
                    "{place}: user {user} may connect from the proxy's own machine only: configure another in admin-admin_credentials"
                ),
            ),
            1040 | 1203 | 1226 => (Kind::Full, format!("{place} has no connection left: {message}")),
            3159 | 4031 if !connected => (
                Kind::Tls,
                format!("{place} wants TLS: set tls-ca to the certificate authority of the database"),
            ),
            code if !connected => (Kind::Denied, format!("{place} refuses the login: {message} ({code})")),
            1044 | 1142 | 1143 | 1227 | 1370 => {
                (Kind::Statement(error.code), format!("{place}: user {user} lacks a right: {message}"))
            }
            code => (Kind::Statement(code), format!("{place}: {message} ({code})")),
        }
    }

    fn io(&self, error: &io::Error, connected: bool) -> (Kind, String) {
        let place = self.place();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                (Kind::Refused, format!("{place} refuses connections: no server runs there"))
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::TimedOut => {
                (Kind::Unreachable, format!("{place} cannot be reached: {error}"))
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                if connected =>
            {
                (Kind::Lost, format!("{place} has closed the connection"))
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => (
                Kind::Lost,
                format!(
                    "{place} closed the connection before the login was done: the server starts or stops, or it is no MySQL server"
                ),
            ),
            io::ErrorKind::InvalidData
                if self.login.tls.is_some() && error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) =>
            {
                (
                    Kind::Tls,
                    format!(
                        "{place}: TLS fails: {error}; check tls-ca, and tls-name where the address is no name"
                    ),
                )
            }
            io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if !connected => {
                let text = error.to_string();
                match text.contains("lookup") || text.contains("resolve") || text.contains("Name or service")
                {
                    true => (Kind::Unreachable, format!("{place}: the name is not known: {text}")),
                    false => (
                        Kind::NotMysql,
                        format!("{place} does not speak the MySQL protocol: is the port right?"),
                    ),
                }
            }
            _ if error.to_string().contains("lookup") => {
                (Kind::Unreachable, format!("{place}: the name is not known: {error}"))
            }
            _ => (Kind::Other, format!("{place}: {}", plain(&error.to_string()))),
        }
    }
}

async fn answer(conn: &mut Conn, statement: &str) -> Result<Answer, Error> {
    let mut result = conn.query_iter(statement).await?;
    let columns = match result.columns() {
        Some(columns) => columns.iter().map(|c| c.name_str().into_owned()).collect(),
        None => Vec::new(),
    };
    let rows: Vec<Row> = result.collect().await?;
    let (affected, info) = (result.affected_rows(), result.info().into_owned());
    drop(result);
    let text = |value: Value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    };
    let rows = rows.into_iter().map(|row| row.unwrap_raw().into_iter().map(|v| v.and_then(text)).collect());
    Ok(Answer { columns, rows: rows.collect(), affected, info })
}

/// A server's message without control characters, cut to a line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
