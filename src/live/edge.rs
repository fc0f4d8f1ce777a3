//! Looks at what edges and ingress nodes serve as a host: one handshake and one request each, at a pinned address.
//!
//! Used by the command line when it is asked to. Nothing is written anywhere, and the certificates are taken as they are
//! presented: [`Served`] says what they are worth.

use std::{net::SocketAddr, sync::Arc};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::{net::lookup_host, time::timeout};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use crate::{
    cluster::{Look, Presented, Served, compare_served},
    wire::tls::{self, Fault, Roots},
};

/// Looks under way at once.
const AT_ONCE: usize = 8;
/// The port where none is named.
const PORT: u16 = 443;

/// What every address serves as every host, the addresses of one host together.
///
/// # Errors
/// An address is not understood, or its name is not known: one sentence.
pub async fn served(
    addresses: &[String],
    hosts: &[Arc<str>],
    path: &str,
    roots: &Roots,
    now: Timestamp,
) -> Result<Vec<Served>, String> {
    let mut places: Vec<(Arc<str>, SocketAddr)> = Vec::new();
    for address in addresses {
        places.extend(resolved(address).await?);
    }
    let pairs = hosts.iter().flat_map(|host| places.iter().map(move |place| (host.clone(), place.clone())));
    let looks = pairs.map(async |(host, (address, at))| {
        let look = convert(tls::look(at, &host, path).await, roots);
        Served::of(address, host, &look, now)
    });
    let mut all: Vec<Served> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    compare_served(&mut all);
    Ok(all)
}

/// The addresses that stand behind what was typed, each as it is shown.
async fn resolved(typed: &str) -> Result<Vec<(Arc<str>, SocketAddr)>, String> {
    let bare = typed.trim_start_matches('[').trim_end_matches(']');
    let alone = bare.parse().map(|address| SocketAddr::new(address, PORT));
    let with_port = if typed.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        typed.to_owned()
    } else {
        format!("{typed}:{PORT}")
    };
    if let Ok(address) = alone.or_else(|_| with_port.parse()) {
        return Ok(vec![(address.to_string().into(), address)]);
    }
    let found = match timeout(tls::WITHIN, lookup_host(&with_port)).await {
        Ok(found) => {
            found.map_err(|why| format!("{typed} is no address, and no name that is known here: {why}"))?
        }
        Err(_) => return Err(format!("the name {typed} is not resolved within {} s", tls::WITHIN.as_secs())),
    };
    let found: Vec<_> = found.map(|at| (Arc::from(format!("{typed} ({at})")), at)).collect();
    if found.is_empty() { Err(format!("the name {typed} stands for no address")) } else { Ok(found) }
}

fn convert(looked: Result<tls::Presented, Fault>, roots: &Roots) -> Look {
    match looked {
        Err(Fault::Refused) => Look::Refused,
        Err(Fault::Unreachable(why)) => Look::Unreachable(why.into()),
        Err(Fault::Silent) => Look::Silent,
        Err(Fault::NotTls) => Look::NotTls,
        Err(Fault::Handshake(why)) => Look::Handshake(why.into()),
        Ok(tls::Presented { chain, status }) => match presented(&chain, roots) {
            Ok(presented) => Look::Presented(Box::new(presented), status.map_err(Into::into)),
            Err(why) => Look::Handshake(why.into()),
        },
    }
}

/// The common name, else the whole name.
fn called(name: &X509Name<'_>) -> Arc<str> {
    let common = name.iter_common_name().next().and_then(|part| part.as_str().ok());
    common.map_or_else(|| name.to_string().into(), Into::into)
}

fn presented(chain: &[Vec<u8>], roots: &Roots) -> Result<Presented, String> {
    let der = chain.first().ok_or("no certificate is presented")?;
    let (_, read) =
        X509Certificate::from_der(der).map_err(|why| format!("its certificate is not understood: {why}"))?;
    let moment = |seconds: i64| {
        let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_second(seconds).unwrap_or(end)
    };
    let (not_before, not_after) =
        (moment(read.validity().not_before.timestamp()), moment(read.validity().not_after.timestamp()));
    let alternatives = read.subject_alternative_name().ok().flatten();
    let names = alternatives.iter().flat_map(|all| &all.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(Arc::from(name.to_ascii_lowercase())),
        _ => None,
    });
    let names: Vec<Arc<str>> = names.collect();
    // Trust is looked at for a name of its own and within its own dates: those are judged apart.
    let own = names.first().map_or_else(String::new, |name| name.replacen("*.", "any.", 1));
    let half = SignedDuration::from_secs(not_after.as_second().saturating_sub(not_before.as_second()) / 2);
    let within = not_before.saturating_add(half).unwrap_or(not_before);
    Ok(Presented {
        names,
        subject: called(read.subject()),
        issuer: called(read.issuer()),
        self_signed: read.subject() == read.issuer(),
        not_before,
        not_after,
        serial: read.raw_serial_as_string().into(),
        distrusted: roots.distrust(chain, &own, within).map(Into::into),
        der: der.as_slice().into(),
    })
}
