//! Who asks the registry that the images come from: the configured login, or what nodes pull with, looked up when it is
//! needed.

use std::sync::Arc;

use futures::FutureExt;
use secrecy::ExposeSecret;

use super::database::{Password, fetch};
use crate::{
    cluster::Key,
    wire::{
        Wire,
        registry::{Lacking, Login, Registries, RegistryAddress, pull_logins},
    },
};

/// The key of a Secret of the type `kubernetes.io/dockerconfigjson`.
const PULL: &str = ".dockerconfigjson";

/// How the registry is configured.
#[derive(Clone, Debug)]
pub struct ConfiguredRegistry {
    /// Its name in the references of images, with its port.
    pub host: String,
    /// Where it is asked, and who vouches for it.
    pub place: RegistryAddress,
    /// Who asks.
    pub by: AskedBy,
}

/// Who asks a registry.
#[derive(Clone, Debug)]
pub enum AskedBy {
    /// Nobody.
    Nobody,
    /// A user with a password.
    User(String, Password),
    /// What nodes pull with: a Secret of this name, in that namespace, else in that of the image.
    PullSecret(Option<Arc<str>>, Arc<str>),
    /// It is not known: why.
    Unread(String),
}

impl AskedBy {
    /// Why it is not known who asks.
    pub(super) fn unread(&self) -> Option<&String> {
        match self {
            Self::Unread(why) => Some(why),
            Self::Nobody | Self::User(..) | Self::PullSecret(..) => None,
        }
    }
}

/// The configured registry, with its logins.
pub fn registries(configured: &ConfiguredRegistry, wire: Option<Wire>) -> Registries {
    let by = Arc::new(configured.by.clone());
    Registries::new(configured.host.clone(), configured.place.clone(), move |namespace, image| {
        login(by.clone(), wire.clone(), namespace, image).boxed()
    })
}

async fn login(
    by: Arc<AskedBy>,
    wire: Option<Wire>,
    namespace: String,
    image: String,
) -> Result<Vec<Login>, Lacking> {
    match &*by {
        AskedBy::Nobody => Ok(Vec::new()),
        AskedBy::Unread(why) => Err(Lacking::Unread(why.clone())),
        AskedBy::User(user, password) => {
            let password = match password {
                Password::Known(password) => password.clone().unwrap_or_default(),
                Password::Secret(secret, key) => {
                    fetch(wire.as_ref(), secret, key).await.map_err(Lacking::Unread)?
                }
            };
            let whose = format!("the configured login of {user}");
            Ok(vec![Login { user: user.clone(), password, whose, of_nodes: false }])
        }
        AskedBy::PullSecret(place, name) => {
            let key = Key::new(place.clone().unwrap_or_else(|| namespace.as_str().into()), name.clone());
            let data = fetch(wire.as_ref(), &key, PULL).await.map_err(Lacking::Unread)?;
            let text = data.expose_secret().as_bytes();
            pull_logins(&key.to_string(), text, &image).map_err(Lacking::Unusable)
        }
    }
}
