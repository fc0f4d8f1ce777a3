//! Looks at what edges and ingress nodes serve as a host: one handshake and one request each, at a pinned address.
//!
//! Used by the command line when it is asked to. Nothing is written anywhere, and the certificates are taken as they are
//! presented: [`Served`] says what they are worth.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

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
    let certificates = Certificates::new(Some(roots.clone()));
    // The addresses side by side, the hosts of each one after the other: one that does not answer is told after a few.
    let of = async |(address, at): &(Arc<str>, SocketAddr)| {
        let mut all = Vec::with_capacity(hosts.len());
        for part in Parts::of(hosts) {
            let looks = part
                .iter()
                .map(async |host| (host, convert(tls::look(*at, host, path).await, &certificates)));
            let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
            let silent = |look: &Look| matches!(look, Look::Refused | Look::Unreachable(_) | Look::Silent);
            let down = looks.iter().all(|(_, look)| silent(look));
            all.extend(
                looks.iter().map(|(host, look)| Served::of(address.clone(), (*host).clone(), look, now)),
            );
            if down && all.len() < hosts.len() {
                let rest = hosts.len() - all.len();
                if let Some(last) = all.last_mut() {
                    last.text = format!("{}; {} not asked for there", last.text, others(rest));
                }
                break;
            }
        }
        all
    };
    let all: Vec<Vec<Served>> =
        stream::iter(places.iter().map(of)).buffered(places.len().max(1)).collect().await;
    // The addresses of one host stand together.
    let mut all: Vec<Served> = all.into_iter().flatten().collect();
    let place = |one: &Served| hosts.iter().position(|host| *host == one.host);
    all.sort_by_key(place);
    compare_served(&mut all);
    Ok(all)
}

/// The hosts in parts: a few first, by which it is seen whether an address answers at all.
struct Parts;

impl Parts {
    /// So many looks without any answer, and the address is down.
    const FEW: usize = 2;

    fn of(hosts: &[Arc<str>]) -> [&[Arc<str>]; 2] {
        let (few, rest) = hosts.split_at(Self::FEW.min(hosts.len()));
        [few, rest]
    }
}

fn others(n: usize) -> String {
    if n == 1 { "the other host is".to_owned() } else { format!("the {n} other hosts are") }
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

/// Certificates that were presented, each judged once: what it says and whether it is trusted does not change.
#[derive(Debug)]
pub(super) struct Certificates {
    /// `None`: it is not known whom to trust, and trust is not judged.
    roots: Option<Roots>,
    known: Mutex<HashMap<String, Presented>>,
}

/// So many are remembered.
const REMEMBERED: usize = 20_000;

impl Certificates {
    pub(super) fn new(roots: Option<Roots>) -> Self {
        Self { roots, known: Mutex::default() }
    }

    fn read(&self, chain: &[Vec<u8>]) -> Result<Presented, String> {
        let whole = tls::fingerprint(&chain.concat());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&whole) {
            return Ok(known.clone());
        }
        let read = presented(chain, self.roots.as_ref())?;
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(whole, read.clone());
        Ok(read)
    }
}

pub(super) fn convert(looked: Result<tls::Presented, Fault>, certificates: &Certificates) -> Look {
    match looked {
        Err(Fault::Refused) => Look::Refused,
        Err(Fault::Unreachable(why)) => Look::Unreachable(why.into()),
        Err(Fault::Silent) => Look::Silent,
        Err(Fault::NotTls) => Look::NotTls,
        Err(Fault::Handshake(why)) => Look::Handshake(why.into()),
        Ok(tls::Presented { chain, status }) => match certificates.read(&chain) {
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

fn presented(chain: &[Vec<u8>], roots: Option<&Roots>) -> Result<Presented, String> {
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
        distrusted: roots.and_then(|roots| roots.distrust(chain, &own, within)).map(Into::into),
        fingerprint: tls::fingerprint(der).into(),
    })
}
