//! Fixed words sent to one machine over the user's own ssh: their configuration, agent, jump hosts and known hosts hold.
//!
//! One master connection (`ControlMaster`) carries all commands. It never asks for a password or takes an unknown host
//! (`BatchMode=yes`, `StrictHostKeyChecking=yes`), and everything has a deadline; the far side sets one of its own, as a
//! command that hangs there is not ended from here. It must never give the answers a meaning.

use std::{error::Error as _, io, num::NonZeroUsize, time::Duration};

use openssh::{ControlPersist, Error, KnownHosts, Session, SessionBuilder};
use tokio::time::timeout;

use super::{
    cost,
    failure::{Failure, Kind},
    sentence::one_line,
};

/// How long ssh may take until the banner of the other side is there.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long it may take to log in, jump hosts included.
const LOGIN_WITHIN: Duration = Duration::from_secs(12);
/// Seconds after which a master connection ends that nobody uses: one of a program that was killed.
const IDLE_FOR: NonZeroUsize = NonZeroUsize::new(300).expect("it is not 0");
/// How long ssh may take to end.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// What a command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; `None`: a signal ended it.
    pub status: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// One machine, and the master connection to it, if there is one.
pub struct Ssh {
    destination: String,
    session: Option<Session>,
}

impl Ssh {
    /// A machine by what `ssh` takes: `host`, `user@host`, `ssh://user@host:port`, or a name of the user's configuration.
    pub fn new(destination: impl Into<String>) -> Self {
        Self { destination: destination.into(), session: None }
    }

    /// Sends these words and waits for what they leave, so long at most.
    ///
    /// # Errors
    /// No connection, or it was lost, or nothing came in time: one sentence. The connection is closed.
    pub async fn run(&mut self, words: &str, within: Duration) -> Result<Output, Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        cost::asked(&self.destination);
        let output = timeout(within, session.raw_command(words).output()).await;
        match output {
            Ok(Ok(output)) => {
                self.session = Some(session);
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                Ok(Output {
                    status: output.status.code(),
                    stdout: text(output.stdout),
                    stderr: text(output.stderr),
                })
            }
            Ok(Err(Error::Remote(error))) if error.kind() == io::ErrorKind::NotFound => {
                self.session = Some(session);
                Ok(Output { status: Some(127), stdout: String::new(), stderr: String::new() })
            }
            Ok(Err(error)) => {
                close(session).await;
                Err(self.failure(&error))
            }
            Err(_) => {
                close(session).await;
                let text = format!(
                    "{} has not ended `{words}` within {} s: it hangs there",
                    self.destination,
                    within.as_secs()
                );
                Err(Failure { kind: Kind::Silent, text })
            }
        }
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(CONNECT_WITHIN)
            .server_alive_interval(CONNECT_WITHIN)
            .control_persist(ControlPersist::IdleFor(IDLE_FOR));
        match timeout(LOGIN_WITHIN, builder.connect(&self.destination)).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => {
                let text = format!(
                    "{}: ssh has not logged in within {} s",
                    self.destination,
                    LOGIN_WITHIN.as_secs()
                );
                Err(Failure { kind: Kind::Silent, text })
            }
        }
    }

    /// What ssh itself says of it: it ends with 255 whatever the reason, and only its words tell them apart.
    fn failure(&self, error: &Error) -> Failure {
        let to = &self.destination;
        let cause = error.source().map(ToString::to_string);
        let text = one_line(cause.as_deref().unwrap_or(&error.to_string()));
        let missing = error.source().and_then(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind)
            == Some(io::ErrorKind::NotFound);
        let has = |part: &str| text.contains(part);
        let (kind, text) = if has("host key is known") || has("Host key verification failed") {
            (
                Kind::Denied,
                format!(
                    "{to}: its host key is not known here or has changed; compare it, and log in once by hand: `ssh {to}`"
                ),
            )
        } else if has("Permission denied") || has("Too many authentication failures") {
            (Kind::Denied, format!("{to} lets us in with no key: {text}"))
        } else if has("Connection refused") {
            (Kind::Refused, format!("{to} refuses connections: no sshd runs there"))
        } else if has("timed out") || has("Operation timed out") {
            (Kind::Unreachable, format!("{to} does not answer ssh within {} s", CONNECT_WITHIN.as_secs()))
        } else if has("Could not resolve") || has("unreachable") || has("No route") {
            (Kind::Unreachable, format!("{to} cannot be reached: {text}"))
        } else if missing {
            (Kind::Denied, "the program ssh cannot be run here: is it installed?".to_owned())
        } else if matches!(error, Error::Disconnected | Error::RemoteProcessTerminated) {
            (Kind::Lost, format!("{to}: the ssh connection is lost"))
        } else {
            (Kind::Other, format!("{to}: ssh fails: {text}"))
        };
        Failure { kind, text }
    }
}

/// Ends the master connection. Dropping it would do so as well, and block.
async fn close(session: Session) {
    let _ = timeout(GOODBYE_WITHIN, session.close()).await;
}
