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
    fn the_client_library_reads_it() {
        let text = super::yaml("https://127.0.0.1:1", "PEM", "secret");
        let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("demo"));
        assert_eq!(
            config.clusters[0].cluster.as_ref().unwrap().server.as_deref(),
            Some("https://127.0.0.1:1")
        );
    }
}
