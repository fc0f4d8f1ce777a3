//! Why an endpoint did not answer: what the connection and the tunnel to it both say.

use std::fmt;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing listens.
    Refused,
    /// Connections are taken and nothing is said, or an answer did not come in time.
    Silent,
    /// No connection in time, no way, no such name.
    Unreachable,
    /// Wrong user or password, or a right is missing.
    Denied,
    /// TLS is wanted by one side, or a certificate is not believed.
    Tls,
    /// What answers does not speak the MySQL protocol.
    NotMysql,
    /// No connection is left.
    Full,
    /// The server refuses this statement: its code.
    Statement(u16),
    /// The connection was lost.
    Lost,
    /// Another program has that port of this machine.
    Taken,
    /// Anything else.
    Other,
}

/// A failure, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// The sentence: where, what, and what to do.
    pub text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The server answered and refused only this statement; the connection is good.
    pub fn is_of_statement(&self) -> bool {
        matches!(self.kind, Kind::Statement(_))
    }
}
