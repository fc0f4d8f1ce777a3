//! What is looked up in the cluster for the database's sake.

use k8s_openapi::api::core::v1;
use kube::Api;
use secrecy::SecretString;
use tokio::time::timeout;

use crate::{
    cluster::Key,
    wire::{READ_WITHIN, Wire, sentence},
};

/// The password under a key of a Secret.
pub(in crate::live) async fn fetch(
    wire: Option<&Wire>,
    secret: &Key,
    key: &str,
) -> Result<SecretString, String> {
    let cannot = |why: String| format!("the Secret {secret} with the password cannot be read: {why}");
    let client = wire.ok_or_else(|| cannot("no cluster is configured".into()))?.client().await;
    let api: Api<v1::Secret> = Api::namespaced(client.map_err(cannot)?, &secret.namespace);
    let found = within(api.get(&secret.name)).await.map_err(cannot)?;
    let value = found.data.and_then(|mut data| data.remove(key));
    let bytes = value.ok_or_else(|| format!("the Secret {secret} has no key {key}"))?.0;
    let text = String::from_utf8(bytes).map_err(|_| format!("the Secret {secret} holds no text in {key}"))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// What the API server answers in time.
pub(super) async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(READ_WITHIN, request).await {
        Ok(answer) => answer.map_err(|e| sentence(&e)),
        Err(_) => Err(format!("no answer within {} s", READ_WITHIN.as_secs())),
    }
}
