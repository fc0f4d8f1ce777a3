//! One TLS handshake at a pinned address, that takes whatever certificate is presented, and one HEAD request after it.
//!
//! Used by `live`, which judges what was presented. Names, dates and trust are asked about apart: the client's own verifier
//! names one fault and hides the others behind it. No session is resumed: then no certificate would be presented.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::request;

pub use super::request::WITHIN;

/// A status line is not longer.
const LINE: usize = 1024;

/// Why no certificate was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens there.
    Refused,
    /// No connection comes up in time.
    Unreachable(String),
    /// It takes the connection and does not answer the handshake.
    Silent,
    /// What it answers is no TLS.
    NotTls,
    /// The handshake fails for another reason.
    Handshake(String),
}

/// What was presented.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The certificates in DER, the server's first.
    pub chain: Vec<Vec<u8>>,
    /// The status of the answer to the request; the reason where there is none.
    pub status: Result<u16, String>,
}

/// Whom a certificate has to be issued by, to be trusted.
#[derive(Clone, Debug)]
pub struct Roots(Arc<WebPkiServerVerifier>);

impl Roots {
    /// Those of this machine, or those of a file in PEM.
    ///
    /// # Errors
    /// One sentence: the file cannot be read, or there are none.
    pub fn read(file: Option<&Path>) -> Result<Self, String> {
        let store = store(file)?;
        let made = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build();
        made.map(Self)
            .map_err(|_| "no certificates are trusted on this machine: name a file with --ca".to_owned())
    }

    /// Why a chain is not trusted, whatever its names and dates: it is looked at for a name of its own, at a moment within
    /// its own dates. `None`: it is.
    pub fn distrust(&self, chain: &[Vec<u8>], own_name: &str, within: Timestamp) -> Option<String> {
        let mut all = chain.iter().map(|der| CertificateDer::from(der.as_slice()));
        let first = all.next()?;
        let rest: Vec<_> = all.collect();
        let name = ServerName::try_from(own_name.to_owned());
        let name = name.or_else(|_| ServerName::try_from("nobody.invalid".to_owned())).ok()?;
        let seconds = u64::try_from(within.as_second()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match self.0.verify_server_cert(&first, &rest, &name, &[], now) {
            Ok(_) => None,
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => None,
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                Some("its issuer is not trusted".into())
            }
            Err(Error::InvalidCertificate(why)) => Some(why.to_string()),
            Err(why) => Some(why.to_string()),
        }
    }
}

/// The certificates that are trusted: those of this machine, or those of a file in PEM.
///
/// # Errors
/// One sentence: the file cannot be read, or holds none.
pub(super) fn store(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match file {
        Some(file) => {
            let why = |why: String| format!("the certificates in {} cannot be read: {why}", file.display());
            let found = CertificateDer::pem_file_iter(file).map_err(|e| why(e.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| why(e.to_string()))?;
                store.add(certificate).map_err(|e| why(e.to_string()))?;
            }
            if store.is_empty() {
                return Err(why("there is none".into()));
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(store)
}

/// The SHA-256 of a certificate in DER, in hexadecimal digits.
pub fn fingerprint(der: &[u8]) -> String {
    use std::fmt::Write;
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

/// Takes any certificate: what it is worth is looked at afterwards.
#[derive(Debug)]
struct Any(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Any certificate is taken, and no session resumed: then none would be presented.
static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = provider();
    let any = Arc::new(Any(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("the provider speaks the versions that rustls does");
    let mut config = config.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
});

/// Speaks to an address as to that host: a handshake with its name, and a HEAD request for that path.
///
/// # Errors
/// No certificate was presented: why.
pub async fn look(address: SocketAddr, host: &str, path: &str) -> Result<Presented, Fault> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Fault::Handshake(format!("{host} is no host name")))?;
    let stream = request::connect(address).await.map_err(|fault| match fault {
        request::Fault::Refused => Fault::Refused,
        request::Fault::Unreachable(why) => Fault::Unreachable(why),
        request::Fault::Silent | request::Fault::NotHttp => Fault::Silent,
    })?;
    let shaken = timeout(WITHIN, TlsConnector::from(CONFIG.clone()).connect(name, stream)).await;
    let mut stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => {
            let tls = why.get_ref().and_then(|why| why.downcast_ref::<Error>());
            return Err(match tls {
                Some(Error::InvalidMessage(_)) => Fault::NotTls,
                _ => Fault::Handshake(why.to_string()),
            });
        }
        Err(_) => return Err(Fault::Silent),
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain: Vec<_> = chain.iter().map(|certificate| certificate.to_vec()).collect();
    let request = format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        request::user_agent()
    );
    let status = async {
        stream.write_all(request.as_bytes()).await.map_err(|why| why.to_string())?;
        let (mut line, mut byte) = (Vec::new(), [0; 1]);
        while line.len() < LINE && !line.ends_with(b"\n") {
            match stream.read(&mut byte).await {
                Ok(1) => line.push(byte[0]),
                Ok(_) => break,
                Err(why) => return Err(why.to_string()),
            }
        }
        request::status(&line).ok_or_else(|| "the connection is closed without an answer".to_owned())
    };
    let status = timeout(WITHIN, status).await;
    let status = status.unwrap_or_else(|_| Err(format!("no answer within {} s", WITHIN.as_secs())));
    Ok(Presented { chain, status })
}
