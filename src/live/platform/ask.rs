//! One question to a place around: its address, what it answers, and what a name leads to.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use tokio::{net::lookup_host, time::timeout};

use super::place;
use crate::{
    cluster::platform::{Found, Reply},
    wire::{request, tls},
};

/// A host that nobody has (RFC 2606).
pub(super) const NOBODY: &str = "wheelhouse.invalid";

/// What came of a question.
pub(super) enum Outcome {
    Found(Found),
    Answer(request::Answer),
}

impl Outcome {
    pub(super) fn answer(self) -> Option<request::Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Found(_) => None,
        }
    }
}

/// What an ingress node says of a host. One that takes the request and is silent says nothing of itself.
pub(super) fn said_by_node(
    answer: Result<request::Answer, request::Fault>,
    control: Option<&request::Answer>,
) -> Result<Outcome, place::Silence> {
    let reply = match answer {
        Ok(answer) => reply(&answer, control),
        Err(request::Fault::NotHttp) => Reply::NotHttp,
        Err(request::Fault::Silent) => Reply::Silent,
        Err(fault) => return Err(fault.into()),
    };
    Ok(Outcome::Found(Found::Http(reply)))
}

/// What an ingress node answers; and whether that is what it answers for a host that nobody has.
fn reply(answer: &request::Answer, control: Option<&request::Answer>) -> Reply {
    let default = answer.status == 404 && control.is_some_and(|control| control == answer);
    Reply::Answered(answer.status, default)
}

/// The address of a host and port.
pub(super) async fn resolved(
    host: &str,
    port: u16,
    known: Option<SocketAddr>,
) -> Result<SocketAddr, place::Silence> {
    if let Some(known) = known {
        return Ok(known);
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let unknown =
        |why: String| place::Silence::unreachable(&format!("the name {host} is not resolved: {why}"));
    match timeout(tls::WITHIN, lookup_host((host, port))).await {
        Ok(Ok(mut all)) => all.next().ok_or_else(|| unknown("it stands for no address".into())),
        Ok(Err(why)) => Err(unknown(why.to_string())),
        Err(_) => Err(unknown(format!("no answer within {} s", tls::WITHIN.as_secs()))),
    }
}

/// The addresses that a name leads to, by the resolver of this machine.
pub(super) async fn names(host: &str) -> Found {
    match timeout(tls::WITHIN, lookup_host((host, 443))).await {
        Ok(Ok(all)) => {
            let all: BTreeSet<_> = all.map(|address| address.ip().to_string()).collect();
            Found::Names(Ok(all.into_iter().map(Into::into).collect()))
        }
        Ok(Err(why)) => unresolved(&why.to_string()),
        Err(_) => Found::Untold(format!("no answer within {} s", tls::WITHIN.as_secs()).into()),
    }
}

/// What the system says when a name is not there (EAI_NONAME, EAI_NODATA), by glibc, musl and macOS. All else is about the
/// resolver: it is silent, or fails.
const NO_SUCH_NAME: [&str; 6] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided",
    "No address associated with nodename",
];

/// What it means that a name is not resolved, by what the system says.
fn unresolved(why: &str) -> Found {
    if NO_SUCH_NAME.iter().any(|said| why.contains(said)) {
        Found::Names(Err(why.into()))
    } else {
        Found::Untold(why.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_name_is_not_there_is_told_from_a_resolver_that_fails() {
        let said = |why: &str| unresolved(&format!("failed to lookup address information: {why}"));
        for why in
            ["Name or service not known", "Name does not resolve", "No address associated with hostname"]
        {
            assert!(matches!(said(why), Found::Names(Err(_))), "{why}");
        }
        for why in
            ["Temporary failure in name resolution", "Try again", "System error", "Device or resource busy"]
        {
            assert!(matches!(said(why), Found::Untold(_)), "{why}");
        }
    }
}
