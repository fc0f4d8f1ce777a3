//! What an address serves as a host: the certificate that it presents, and what it answers. Pure.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LinkState, Term, term::covers};

/// A certificate as it is presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// The hosts it is for.
    pub names: Vec<Arc<str>>,
    /// The common name, or the whole subject.
    pub subject: Arc<str>,
    /// Who issued it.
    pub issuer: Arc<str>,
    /// It is its own issuer.
    pub self_signed: bool,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Its serial number, in hexadecimal digits.
    pub serial: Arc<str>,
    /// Why it is not trusted here; `null`: it is.
    pub distrusted: Option<Arc<str>>,
    /// The SHA-256 of the certificate, in hexadecimal digits: the same certificate has the same.
    pub fingerprint: Arc<str>,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// Nothing listens there.
    Refused,
    /// No connection comes up: why.
    Unreachable(Arc<str>),
    /// It takes the connection and does not answer the handshake.
    Silent,
    /// What it answers is no TLS.
    NotTls,
    /// The handshake fails, or the certificate is not understood: why.
    Handshake(Arc<str>),
    /// It presents a certificate, and answers a request with that status, or why it does not.
    Presented(Box<Presented>, Result<u16, Arc<str>>),
}

/// What an address serves as a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Served {
    /// The address, with its port.
    pub address: Arc<str>,
    /// The host.
    pub host: Arc<str>,
    /// How that is.
    pub state: LinkState,
    /// In a sentence, after the address.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The certificate, where one is presented.
    pub certificate: Option<Presented>,
    /// The status of its answer.
    pub status: Option<u16>,
}

impl Served {
    /// Judges a look at an address as a host.
    pub fn of(address: Arc<str>, host: Arc<str>, seen: &Look, now: Timestamp) -> Self {
        let (state, text, remedy) = judge(&host, seen, now);
        let (certificate, status) = match seen {
            Look::Presented(certificate, status) => (Some((**certificate).clone()), status.clone().ok()),
            _ => (None, None),
        };
        let remedy = remedy.map(str::to_owned);
        Self { address, host, state, text, remedy, certificate, status }
    }
}

type Judged = (LinkState, String, Option<&'static str>);

/// In the order of the causes: who listens, whose certificate it is, for whom, until when, by whom, and what is answered.
fn judge(host: &str, seen: &Look, now: Timestamp) -> Judged {
    use LinkState::{Broken, Notice, Ok, Warning};
    let broken = |text: String, remedy| (Broken, text, Some(remedy));
    let (certificate, status) = match seen {
        Look::Refused => {
            return broken("refuses connections: nothing listens there".into(), "start its proxy");
        }
        Look::Unreachable(why) => {
            return broken(
                format!("cannot be reached: {why}"),
                "look whether the machine is up and lets us through",
            );
        }
        Look::Silent => {
            return broken(
                "takes the connection and does not answer the TLS handshake".into(),
                "look whether the workers of its proxy hang: its error log, and `ps`",
            );
        }
        Look::NotTls => return broken("speaks no TLS on that port".into(), "name the port of TLS"),
        Look::Handshake(why) => {
            return broken(format!("fails in the TLS handshake: {why}"), "read its error log");
        }
        Look::Presented(certificate, status) => (certificate, status),
    };
    let named = certificate.names.iter().any(|name| covers(name, host));
    let term = Term::of(Some(certificate.not_before), certificate.not_after, now);
    if certificate.self_signed && certificate.distrusted.is_some() && !named {
        let text = format!(
            "presents the self-signed certificate of its server ({}): the host is not configured there",
            certificate.subject
        );
        return broken(text, "configure the host there, or correct its certificate, and reload the proxy");
    }
    if !named {
        let names: Vec<_> = certificate.names.iter().take(3).map(|name| &**name).collect();
        let whose = if names.is_empty() { certificate.subject.to_string() } else { names.join(", ") };
        return broken(
            format!("presents a certificate for {whose}, not for this host"),
            "correct the certificate of the host there",
        );
    }
    let words = term.words(Some(certificate.not_before), certificate.not_after, now);
    let renew = "renew it, put the new one there, and reload the proxy";
    match term {
        Term::Over => return broken(format!("presents a certificate that {words}"), renew),
        Term::NotYet => {
            return broken(
                format!("presents a certificate that {words}"),
                "compare the clocks; else wait, or put the earlier one back",
            );
        }
        Term::Good | Term::Overdue | Term::Ending => {}
    }
    if let Some(why) = &certificate.distrusted {
        let text =
            format!("presents a certificate of {} that is not trusted here: {why}", certificate.issuer);
        return broken(
            text,
            "put the certificates between it and its root into the chain, or name the root with --ca",
        );
    }
    match status {
        Err(why) => {
            return broken(
                format!("presents its certificate and does not answer a request: {why}"),
                "read its error log",
            );
        }
        Result::Ok(502) => {
            return broken("answers 502: it reaches no server behind it".into(), "look at what it leads to");
        }
        Result::Ok(503) => {
            return broken(
                "answers 503: what it leads to has no ready endpoint".into(),
                "look at the endpoints",
            );
        }
        Result::Ok(504) => {
            return broken("answers 504: what it leads to is silent".into(), "look at what it leads to");
        }
        Result::Ok(code @ 500..) => return broken(format!("answers {code}"), "read its error log"),
        Result::Ok(404) => {
            let text = "answers 404: the host is not known behind it, or the path is not there".to_owned();
            return (Notice, text, Some("ask for a file that is there, with --path"));
        }
        Result::Ok(_) => {}
    }
    let text = format!("presents a certificate of {} that {words}", certificate.issuer);
    match term {
        Term::Overdue => (Notice, text, Some(renew)),
        Term::Ending => (Warning, text, Some(renew)),
        _ => (Ok, text, None),
    }
}

impl Presented {
    /// It is for that host.
    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| covers(name, host))
    }
}

/// Nothing is to be said of what was seen: the certificate is for the host, trusted and far from its end, and the answer is
/// none of a server that fails.
pub(super) fn is_fine(look: &Look, host: &str, now: Timestamp) -> bool {
    let Look::Presented(certificate, Ok(status)) = look else { return false };
    certificate.distrusted.is_none()
        && certificate.is_for(host)
        && Term::of(Some(certificate.not_before), certificate.not_after, now) == Term::Good
        && *status < 500
        && *status != 404
}

/// Of the certificates that places present for a host, the one that ends last, and whose it is. One for other hosts, or one
/// that is not trusted, does not count.
pub(super) fn newest<'a, K>(
    host: &str,
    presented: impl Iterator<Item = (K, &'a Presented)>,
) -> Option<(K, &'a Presented)> {
    let counts =
        |(_, certificate): &(K, &Presented)| certificate.distrusted.is_none() && certificate.is_for(host);
    presented.filter(counts).max_by_key(|(_, certificate)| certificate.not_after)
}

/// Says of the addresses that present another certificate for the same host than the one that ends last: they were not
/// reloaded since it was renewed.
pub fn compare_served(all: &mut [Served]) {
    let mut hosts: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for (i, one) in all.iter().enumerate() {
        hosts.entry(one.host.clone()).or_default().push(i);
    }
    for (host, places) in hosts {
        let presented = places.iter().filter_map(|i| Some((*i, all[*i].certificate.as_ref()?)));
        let Some((at, newer)) = newest(&host, presented) else { continue };
        let (address, not_after) = (all[at].address.clone(), newer.not_after);
        for i in places {
            let one = &mut all[i];
            let earlier =
                |certificate: &Presented| certificate.not_after < not_after && certificate.is_for(&host);
            if !one.certificate.as_ref().is_some_and(earlier) {
                continue;
            }
            one.text = format!("{}; {address} presents a newer one: this one was not reloaded", one.text);
            one.state = one.state.max(LinkState::Warning);
            one.remedy = Some(
                "put the newer certificate there, and reload its proxy: `nginx -t && nginx -s reload`".into(),
            );
        }
    }
}
