//! The certificates that the proxies in front of the world serve: an authority of its own, and for a host that a proxy does
//! not know the self-signed certificate of the proxy itself.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use crate::world::ends;

type Failed = Box<dyn Error + Send + Sync>;

/// An authority, and what it has issued.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    /// Its certificate, as PEM.
    pub(super) pem: String,
    /// What a proxy presents for a host that it does not know.
    pub(super) fallback: Arc<CertifiedKey>,
    /// By host, and when it was issued: every proxy presents the same.
    issued: Mutex<HashMap<(String, Timestamp), Arc<CertifiedKey>>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

/// A moment as certificates tell it.
fn dated(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let moment = |at: Timestamp| {
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (moment(from), moment(until));
}

fn certified(certificate: &rcgen::Certificate, key: &KeyPair) -> Result<Arc<CertifiedKey>, Failed> {
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&private)?)))
}

impl Authority {
    /// A new one, as old as it needs to be.
    pub(super) fn new(now: Timestamp) -> Result<Self, Failed> {
        let years = |n: i64| SignedDuration::from_hours(24 * 365 * n);
        let (before, after) = (now.saturating_sub(years(4))?, now.saturating_add(years(6))?);
        let root = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Embedded Issuing CA");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        dated(&mut params, before, after);
        let pem = params.self_signed(&root)?.pem();
        let key = KeyPair::generate()?;
        // As nginx is set up in front of hosts that it does not know.
        let mut own = CertificateParams::new(vec!["localhost.localdomain".to_owned()])?;
        own.distinguished_name.push(DnType::CommonName, "localhost.localdomain");
        dated(&mut own, before, after);
        let fallback = certified(&own.self_signed(&key)?, &key)?;
        Ok(Self { issuer: Issuer::new(params, root), key, pem, fallback, issued: Mutex::default() })
    }

    /// The certificate for these names, that was issued then.
    pub(super) fn certificate(&self, names: &[&str], issued: Timestamp) -> Result<Arc<CertifiedKey>, Failed> {
        let first = names.first().copied().unwrap_or_default();
        let at = (first.to_owned(), issued);
        let mut known = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&at) {
            return Ok(found.clone());
        }
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, first);
        let issue = issued.as_second().to_string();
        params.serial_number = Some(SerialNumber::from(crate::value::hash(&[first, &issue]) >> 1));
        dated(&mut params, issued, ends(issued));
        let made = certified(&params.signed_by(&self.key, &self.issuer)?, &self.key)?;
        known.insert(at, made.clone());
        Ok(made)
    }
}
