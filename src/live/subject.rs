//! What a source follows: where, which objects, and in what words it says that it may not.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    clock::Clock,
    convert::Kind,
    probe::Link,
    read::{self, Fault, encoded},
};
use crate::{wire, wire::Wire};

/// What to follow, and what it needs for that.
#[derive(Clone)]
pub(super) struct Subject {
    pub wire: Wire,
    pub clock: Clock,
    pub link: watch::Receiver<Link>,
    /// Only this namespace.
    pub namespace: Option<String>,
    /// `labelSelector`, empty for all.
    pub labels: &'static str,
    /// `fieldSelector`, empty for all.
    pub fields: String,
    /// Held until the first list has been read, or is known not to come: others wait for that.
    pub reading: Option<watch::Sender<()>>,
    /// Lists that are read before this one begins.
    pub after: Option<watch::Receiver<()>>,
}

impl Subject {
    pub fn query(&self) -> String {
        let mut query = String::new();
        if !self.labels.is_empty() {
            query += &format!("&labelSelector={}", encoded(self.labels));
        }
        if !self.fields.is_empty() {
            query += &format!("&fieldSelector={}", encoded(&self.fields));
        }
        query
    }

    /// The fault in the words of this kind: a missing right is named as one would grant it.
    pub async fn why<K: Kind>(&self, fault: &Fault) -> Arc<str> {
        if fault.code != 403 {
            return fault.why.as_str().into();
        }
        let rule = K::RESOURCE.rule();
        let Some(namespace) = self.namespace.as_ref().filter(|_| K::RESOURCE.namespaced) else {
            let mut why = format!("needs list and watch on {rule} at cluster scope");
            let own = self.wire.default_namespace();
            let alone = format!("{}?limit=1", K::RESOURCE.path(Some(own)));
            if K::RESOURCE.namespaced && read::get(&self.wire, &alone, wire::READ_WITHIN).await.is_ok() {
                why += &format!("; namespace {own} alone can be read: use --namespace {own}");
            }
            return why.into();
        };
        format!("needs list and watch on {rule} in namespace {namespace}").into()
    }
}
