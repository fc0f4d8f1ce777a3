use std::io;

use kube::core::Status;

use super::*;

fn api(code: u16, reason: &str, message: &str) -> kube::Error {
    kube::Error::Api(Box::new(Status::failure(message, reason).with_code(code)))
}

#[test]
fn errors_are_one_sentence() {
    let broken = |kind| kube::Error::Service(Box::new(io::Error::from(kind)));
    let tls = |e| kube::Error::Service(Box::new(io::Error::new(io::ErrorKind::InvalidData, e)));
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    for (error, words) in [
        (api(401, "Unauthorized", "Unauthorized"), "log in again"),
        (
            api(
                403,
                "Forbidden",
                "pods is forbidden: User \"somebody\" cannot list resource \"pods\" in API group \"\" in the \
                 namespace \"saas-capture\"",
            ),
            "user somebody may not list pods in namespace saas-capture",
        ),
        (
            api(
                403,
                "Forbidden",
                "deployments.apps \"x\" is forbidden: User \"bob\" cannot patch resource \"deployments/scale\" in API \
                 group \"apps\" at the cluster scope",
            ),
            "user bob may not patch deployments/scale.apps at cluster scope",
        ),
        (
            api(403, "Forbidden", "the namespace is being\nterminated"),
            "not allowed: the namespace is being terminated",
        ),
        (
            api(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget."),
            "budget",
        ),
        (api(503, "", ""), "(503)"),
        (broken(io::ErrorKind::ConnectionRefused), "refuses connections"),
        (broken(io::ErrorKind::TimedOut), "does not answer in time"),
        (broken(io::ErrorKind::UnexpectedEof), "connection to the API server broke"),
        (tls(unknown.clone()), "not signed by an authority"),
        (
            kube::Error::Service(Box::new(io::Error::other(io::Error::new(
                io::ErrorKind::InvalidData,
                unknown,
            )))),
            "not signed by an authority",
        ),
    ] {
        let said = sentence(&error);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains('\n') && !said.ends_with('.'), "{said}");
    }
}

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: lab
clusters:
- {name: lab, cluster: {server: 'https://127.0.0.1:6443/'}}
- {name: refused, cluster: {server: 'http://127.0.0.1:1'}}
users:
- {name: me, user: {token: abc}}
- {name: plugged, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo no ticket >&2; exit 3']}}}
contexts:
- {name: lab, context: {cluster: lab, user: me, namespace: shop}}
- {name: refused, context: {cluster: refused, user: me}}
- {name: plugged, context: {cluster: lab, user: plugged}}
";

fn kubeconfig(text: &str) -> (tempfile::TempDir, Target) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config");
    std::fs::write(&file, text).expect("a file");
    (folder, Target { kubeconfig: Some(file), ..Target::default() })
}

#[tokio::test]
async fn a_target_is_found_without_the_network() {
    let (_folder, target) = kubeconfig(KUBECONFIG);
    let wire = Wire::connect_lazily(&target).await.expect("a wire");
    assert_eq!((wire.context(), wire.server()), ("lab", "https://127.0.0.1:6443"));
    assert_eq!(wire.default_namespace(), "shop");
    let other = Target { context: Some("refused".into()), namespace: Some("acme".into()), ..target.clone() };
    let wire = Wire::connect_lazily(&other).await.expect("a wire");
    assert_eq!((wire.server(), wire.default_namespace()), ("http://127.0.0.1:1", "acme"));
}

#[tokio::test]
async fn what_is_wrong_with_a_target_is_said() {
    let (_folder, target) = kubeconfig(KUBECONFIG);
    let unknown = Target { context: Some("prod".into()), ..target.clone() };
    let error = Wire::connect_lazily(&unknown).await.err().expect("an error").to_string();
    assert!(error.ends_with("has no context `prod`: it has lab, plugged, refused"), "{error}");
    let nowhere = Target { kubeconfig: Some("/nowhere/config".into()), ..Target::default() };
    let error = Wire::connect_lazily(&nowhere).await.err().expect("an error").to_string();
    assert!(error.starts_with("the kubeconfig /nowhere/config cannot be read"), "{error}");
    for text in ["clusters: [", "contexts: 5", "\u{0}", "current-context: ''"] {
        let (_folder, target) = kubeconfig(text);
        let error = Wire::connect_lazily(&target).await.err().expect("an error").to_string();
        assert!(!error.contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_credential_plugin_fails_in_its_own_words() {
    let (_folder, target) = kubeconfig(KUBECONFIG);
    let wire =
        Wire::connect_lazily(&Target { context: Some("plugged".into()), ..target }).await.expect("a wire");
    let error = wire.client().await.err().expect("an error");
    assert!(error.contains("no ticket") && error.contains('3'), "{error}");
}

#[tokio::test]
async fn a_refused_connection_is_told_from_others() {
    let (_folder, target) = kubeconfig(KUBECONFIG);
    let wire =
        Wire::connect_lazily(&Target { context: Some("refused".into()), ..target }).await.expect("a wire");
    let client = wire.client().await.expect("a client");
    let error = client.apiserver_version().await.expect_err("nobody listens on port 1");
    assert_eq!(sentence(&error), "the API server refuses connections");
}
