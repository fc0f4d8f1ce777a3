//! Where the endpoints of the database are, and how to reach them and log in there: looked up whenever a run needs
//! it, so that no password is kept by who only might act.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;

use super::sql::Sql;

/// An endpoint of the database, by its name in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseEndpoint {
    /// A Galera member.
    Member(String),
    /// The admin port of a ProxySQL.
    Proxy(String),
}

impl fmt::Display for DatabaseEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => write!(f, "member {name}"),
            Self::Proxy(name) => write!(f, "proxy {name}"),
        }
    }
}

type Look = dyn Fn(DatabaseEndpoint) -> BoxFuture<'static, Result<Sql, String>> + Send + Sync;

/// Finds the login of an endpoint.
#[derive(Clone)]
pub struct Logins(Arc<Look>);

impl Logins {
    /// Logins found by this function; its error is one sentence in which no password stands.
    pub fn new(
        look: impl Fn(DatabaseEndpoint) -> BoxFuture<'static, Result<Sql, String>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(look))
    }

    /// An endpoint with the login as it is now; nothing is connected yet.
    ///
    /// # Errors
    /// One sentence: it is not configured, or its password cannot be read.
    pub async fn of(&self, endpoint: DatabaseEndpoint) -> Result<Sql, String> {
        (self.0)(endpoint).await
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins")
    }
}
