//! What everybody who asks an endpoint around needs: where it is, why it does not answer, and how to tell so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::{
    cluster::{
        Observation, Seen, Trouble,
        platform::{Component, ComponentKey},
    },
    live::database::{Password, lookup::fetch, watch::trouble},
    wire::{
        Wire,
        sql::{Failure, Tls},
    },
};

/// What is known of components.
pub(super) type Components = BTreeMap<ComponentKey, Component>;

/// The component of that key, as far as it is known.
pub(super) fn known_of(known: &Components, key: ComponentKey) -> Component {
    known.get(&key).cloned().unwrap_or_else(|| Component::new(key))
}

/// Where a Redis server or sentinel is, and who asks.
#[derive(Clone, Debug)]
pub struct StoreAddress {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The user; otherwise the default one.
    pub user: Option<String>,
    /// The password, or why it cannot be known.
    pub password: Result<Password, String>,
    /// TLS, where it is wanted.
    pub tls: Option<Tls>,
}

/// Who asks, with the password at hand.
pub(super) struct Ready {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) tls: Option<Tls>,
}

/// Why an endpoint does not answer.
pub(super) struct Why {
    trouble: Trouble,
    text: String,
}

impl Why {
    pub(super) fn new(trouble: Trouble, text: String) -> Self {
        Self { trouble, text }
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The component after that.
    pub(super) fn tell(&self, component: &Component) -> Component {
        component.failed(self.trouble, &self.text, Timestamp::now())
    }
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Self {
        Self { trouble: trouble(&failure), text: failure.text }
    }
}

impl StoreAddress {
    pub(super) async fn account(&self, wire: Option<&Wire>) -> Result<Ready, Why> {
        let denied = |why: String| Why::new(Trouble::Denied, why);
        let password = match self.password.clone().map_err(denied)? {
            Password::Known(password) => password,
            Password::Secret(secret, key) => Some(fetch(wire, &secret, &key).await.map_err(denied)?),
        };
        Ok(Ready { user: self.user.clone(), password, tls: self.tls.clone() })
    }
}

/// Tells what is known of a component now; whether anybody listens.
pub(super) async fn send(into: &mpsc::Sender<Observation>, component: &Component) -> bool {
    let news = Seen::Put(component.name.clone(), component.clone());
    into.send(Observation::Platform(news)).await.is_ok()
}
