//! Errors of the API and of the way to it, as one sentence each.

use std::{error::Error as StdError, fmt, io};

use kube::{Error, core::Status};

/// A failure that is one sentence already.
#[derive(Debug)]
pub(super) struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Said {}

/// What went wrong, in one clear sentence: what, where, and what to do where that is known.
pub fn sentence(error: &Error) -> String {
    let text = match error {
        Error::Api(status) => of_status(status),
        Error::Auth(why) => format!("the credentials cannot be used: {why}"),
        Error::SerdeError(e) => format!("the API server's reply is not understood: {e}"),
        Error::FromUtf8(_) => "the API server's reply is not text".to_owned(),
        Error::RustlsTls(e) => format!("the certificates of the kubeconfig cannot be used: {e}"),
        Error::InferKubeconfig(e) => format!("the kubeconfig cannot be used: {e}"),
        other => of_transport(other),
    };
    one_line(&text)
}

fn of_status(status: &Status) -> String {
    let message = status.message.trim();
    let detail = if message.is_empty() { status.reason.as_str() } else { message };
    match status.code {
        401 => "the API server does not accept our credentials: they are expired or wrong; log in again"
            .to_owned(),
        403 => forbidden(message).unwrap_or_else(|| format!("not allowed: {detail}")),
        404 => format!("not found: {detail}"),
        409 => format!("it was changed or made by somebody else meanwhile: {detail}"),
        410 => "what was asked for is too old; it has to be read again".to_owned(),
        422 => format!("the API server refuses it as invalid: {detail}"),
        429 if status.reason == "TooManyRequests" && message.contains("disruption budget") => {
            format!("a disruption budget forbids it: {detail}")
        }
        429 => format!("the API server asks for fewer requests: {detail}"),
        code @ 500.. => format!("the API server has a problem ({code}): {detail}"),
        0 => detail.to_owned(),
        code => format!("the API server refuses it ({code}): {detail}"),
    }
}

/// `pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "acme"`, said shorter.
fn forbidden(message: &str) -> Option<String> {
    let (user, rest) = message.split_once("User \"")?.1.split_once("\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once("\" in API group \"")?;
    let (group, scope) = rest.split_once('"')?;
    let dot = if group.is_empty() { "" } else { "." };
    let scope = match scope.split_once("namespace \"").and_then(|(_, rest)| rest.split_once('"')) {
        Some((namespace, _)) => format!("in namespace {namespace}"),
        None => "at cluster scope".to_owned(),
    };
    Some(format!("user {user} may not {verb} {resource}{dot}{group} {scope}"))
}

fn of_transport(error: &Error) -> String {
    let mut deepest = error.to_string();
    let mut cause = StdError::source(error);
    let mut depth = 0;
    while let Some(inner) = cause.filter(|_| depth < 16) {
        depth += 1;
        let text = inner.to_string();
        if let Some(said) = inner.downcast_ref::<Said>() {
            return said.0.clone();
        }
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return "the API server's name cannot be resolved".to_owned();
        }
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return "the API server refuses connections".to_owned(),
                io::ErrorKind::TimedOut => return "the API server does not answer in time".to_owned(),
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => return "the connection to the API server broke".to_owned(),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    return "the API server cannot be reached: there is no route to it".to_owned();
                }
                _ => {}
            }
            // An `io::Error` does not give its payload as its source, and the payload may be one of its kind.
            let mut payload = io.get_ref();
            while let Some(inner) = payload {
                if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                    return of_tls(tls);
                }
                payload = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            }
        }
        deepest = text;
        cause = inner.source();
    }
    if deepest.contains("deadline has elapsed") || deepest.contains("timed out") {
        return "the API server does not answer in time".to_owned();
    }
    if deepest.starts_with("invalid HTTP") {
        return "what answers at the API server's address does not speak HTTP: it may want https://"
            .to_owned();
    }
    format!("the API server cannot be reached: {deepest}")
}

fn of_tls(error: &rustls::Error) -> String {
    use rustls::{AlertDescription::*, CertificateError::*, Error::*};
    match error {
        InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "the API server's certificate has expired".to_owned()
        }
        InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "the API server's certificate is for another name".to_owned()
        }
        InvalidCertificate(UnknownIssuer | BadSignature) => {
            "the API server's certificate is not signed by an authority that the kubeconfig or this machine trusts".to_owned()
        }
        AlertReceived(CertificateExpired | CertificateUnknown | BadCertificate | CertificateRequired) => {
            "the API server does not accept our certificate: it is expired or wrong; log in again".to_owned()
        }
        InvalidMessage(_) => "what answers at the API server's address does not speak TLS".to_owned(),
        other => format!("no secure connection to the API server: {other}"),
    }
}

pub(super) fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

/// Errors may quote what a server sent: no line breaks, no control characters, no novels.
pub fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line: String = line.chars().filter(|c| !c.is_control()).take(400).collect();
    while line.ends_with(['.', ' ']) {
        line.pop();
    }
    line
}
