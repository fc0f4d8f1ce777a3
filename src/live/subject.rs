//! What a source follows: where, which objects, and in what words it says that it may not.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::{
    clock::Clock,
    convert::{Interner, Kind},
    probe::{Doubt, Link},
    read::{self, Fault, encoded},
};
use crate::{wire, wire::Wire};

/// How long the probe may take to say that the API server is what fails, and not this kind alone.
const VERDICT_WITHIN: Duration = Duration::from_millis(500);

/// What to follow, and what it needs for that.
#[derive(Clone)]
pub(super) struct Subject {
    pub wire: Wire,
    pub clock: Clock,
    /// Shared with the other sources.
    pub interner: Interner,
    pub link: watch::Receiver<Link>,
    /// Tells the probe that something failed.
    pub doubt: Doubt,
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

    /// Why the API server as a whole does not serve us, where that is the reason of this fault: one cause is said in one
    /// way by all sources.
    pub async fn verdict(&self, fault: &Fault) -> Option<Arc<str>> {
        if !(fault.code == 0 || fault.code == 401 || fault.code >= 500) {
            return None;
        }
        self.doubt.raise();
        let mut link = self.link.clone();
        let down = link.wait_for(|link| link.down().is_some());
        timeout(VERDICT_WITHIN, down).await.ok()?.ok()?.down().cloned()
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
