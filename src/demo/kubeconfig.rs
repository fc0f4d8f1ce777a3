//! The kubeconfig of the embedded cluster.

use base64::Engine;

/// A kubeconfig with one cluster, one user and one context, all named `demo`.
pub(crate) fn yaml(url: &str, ca_pem: &str, token: &str) -> String {
    let ca = base64::engine::general_purpose::STANDARD.encode(ca_pem);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: demo\n\
         \x20 cluster:\n\
         \x20   server: {url}\n\
         \x20   certificate-authority-data: {ca}\n\
         users:\n\
         - name: demo\n\
         \x20 user:\n\
         \x20   token: {token}\n\
         contexts:\n\
         - name: demo\n\
         \x20 context:\n\
         \x20   cluster: demo\n\
         \x20   user: demo\n\
         current-context: demo\n"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_yaml_that_names_the_server() {
        let text = super::yaml("https://127.0.0.1:1", "PEM", "secret");
        let config: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(config["current-context"], "demo");
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:1");
    }
}
