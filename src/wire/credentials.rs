//! What every request carries to say who we are, kept fresh: token files are read again, plug-ins run again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderValue, Request, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::Instant};
use tower::BoxError;

use super::{
    plugin::{Issued, Plugin},
    sentence::Said,
};

/// A token file is read again after this long.
const FILE_AGE: Duration = Duration::from_secs(10);
/// What a plug-in handed out is renewed this long before it expires.
pub(super) const BEFORE_END: SignedDuration = SignedDuration::from_secs(60);
/// Between two runs of a plug-in that fails, and four times as long as it took.
const RUN_AGAIN: Duration = Duration::from_secs(1);

/// Where the credentials come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// None, or a certificate, which the connection brings.
    Nothing,
    /// A header that does not change.
    Header(HeaderValue),
    /// A file with a token, and the token to use while the file cannot be read.
    File(PathBuf, Option<SecretString>),
    /// A plug-in.
    Plugin(Box<Plugin>),
}

/// The credentials of one cluster, shared by its clients.
#[derive(Clone, Debug)]
pub(super) struct Credentials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    held: Mutex<Held>,
}

/// What was found at last.
#[derive(Debug, Default)]
struct Held {
    header: Option<HeaderValue>,
    issued: Option<Issued>,
    /// When it was found.
    at: Option<Instant>,
    /// Not before this moment is a plug-in run again, and why it failed.
    failed: Option<(Instant, String)>,
}

impl Credentials {
    /// Nothing is read or run yet.
    pub fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, held: Mutex::default() }))
    }

    /// What the plug-in handed out, where there is one; it is run where that is due.
    ///
    /// # Errors
    /// One sentence.
    pub async fn issued(&self) -> Result<Option<Issued>, String> {
        if !matches!(self.0.source, Source::Plugin(_)) {
            return Ok(None);
        }
        self.run().await?;
        Ok(self.0.held.lock().await.issued.clone())
    }

    /// Whether a plug-in says that it must ask on a terminal.
    pub fn ask(&self) -> bool {
        matches!(&self.0.source, Source::Plugin(plugin) if plugin.asks())
    }

    /// Runs the plug-in where it may ask on the terminal. Whether there is one.
    ///
    /// # Errors
    /// One sentence.
    pub async fn log_in(&self) -> Result<bool, String> {
        let Source::Plugin(plugin) = &self.0.source else { return Ok(false) };
        self.0.held.lock().await.renew(plugin, true).await?;
        Ok(true)
    }

    /// The same request with the header that says who we are.
    ///
    /// # Errors
    /// [`Said`]: the token file cannot be read, or the plug-in fails.
    pub async fn put<B>(self, mut request: Request<B>) -> Result<Request<B>, BoxError> {
        if let Some(header) = self.header().await.map_err(Said)? {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        Ok(request)
    }

    async fn header(&self) -> Result<Option<HeaderValue>, String> {
        match &self.0.source {
            Source::Nothing => Ok(None),
            Source::Header(header) => Ok(Some(header.clone())),
            Source::File(file, otherwise) => {
                let mut held = self.0.held.lock().await;
                if held.at.is_none_or(|at| at.elapsed() >= FILE_AGE) {
                    let text = tokio::fs::read_to_string(file).await;
                    let token = match &text {
                        Ok(text) if text.trim().is_empty() => Err("it is empty".to_owned()),
                        Ok(text) => Ok(text.trim()),
                        Err(why) => Err(why.to_string()),
                    };
                    match (token, otherwise) {
                        (Ok(token), _) => held.header = Some(bearer(token, "the token file")?),
                        // A file that is being replaced, or was taken away: what it said stays.
                        (Err(_), _) if held.header.is_some() => {}
                        (Err(_), Some(token)) => {
                            held.header = Some(bearer(token.expose_secret(), "the token of the kubeconfig")?);
                        }
                        (Err(why), None) => {
                            return Err(format!("the token file {} cannot be read: {why}", file.display()));
                        }
                    }
                    held.at = Some(Instant::now());
                }
                Ok(held.header.clone())
            }
            Source::Plugin(_) => {
                self.run().await?;
                Ok(self.0.held.lock().await.header.clone())
            }
        }
    }

    /// Runs the plug-in where that is due. A request that is given up does not stop it: it may be slower than the request
    /// is patient, and the next one finds what it handed out.
    async fn run(&self) -> Result<(), String> {
        let inner = self.0.clone();
        let running = tokio::spawn(async move {
            match &inner.source {
                Source::Plugin(plugin) => inner.held.lock().await.run(plugin).await,
                Source::Nothing | Source::Header(_) | Source::File(..) => Ok(()),
            }
        });
        running.await.unwrap_or_else(|_| Err("the credential plug-in was stopped".to_owned()))
    }
}

impl Held {
    /// Runs the plug-in where what it handed out has expired or is about to.
    async fn run(&mut self, plugin: &Plugin) -> Result<(), String> {
        let left = |issued: &Issued, before| issued.expires.is_none_or(|end| Timestamp::now() + before < end);
        if self.issued.as_ref().is_some_and(|issued| left(issued, BEFORE_END)) {
            return Ok(());
        }
        // What has not expired yet is better than nothing.
        let stands = self.issued.as_ref().is_some_and(|issued| left(issued, SignedDuration::ZERO));
        if let Some((until, why)) = &self.failed
            && Instant::now() < *until
        {
            return if stands { Ok(()) } else { Err(why.clone()) };
        }
        match self.renew(plugin, false).await {
            Err(_) if stands => Ok(()),
            other => other,
        }
    }

    /// Runs the plug-in.
    async fn renew(&mut self, plugin: &Plugin, on_terminal: bool) -> Result<(), String> {
        let left = |issued: &Issued, before| issued.expires.is_none_or(|end| Timestamp::now() + before < end);
        let begun = Instant::now();
        let outcome = match plugin.run(on_terminal).await {
            Ok(issued) => {
                match issued.token.as_ref().map(|t| bearer(t.expose_secret(), "the credential plug-in")) {
                    Some(Err(why)) => Err(why),
                    Some(Ok(header)) => Ok((issued, Some(header))),
                    None => Ok((issued, None)),
                }
            }
            Err(why) => Err(why),
        };
        let took = begun.elapsed();
        match outcome {
            Ok((issued, header)) => {
                // One that hands out what has expired already is not run for every request.
                let stale = !left(&issued, BEFORE_END);
                let until = Instant::now() + RUN_AGAIN.max(took * 4);
                self.failed =
                    stale.then(|| (until, "the credential plug-in hands out what has expired".to_owned()));
                (self.issued, self.header, self.at) = (Some(issued), header, Some(Instant::now()));
                Ok(())
            }
            Err(why) => {
                self.failed = Some((Instant::now() + RUN_AGAIN.max(took * 4), why.clone()));
                Err(why)
            }
        }
    }
}

/// `Bearer token`.
///
/// # Errors
/// One sentence: it holds characters that no header may hold. The token is not in it.
pub(super) fn bearer(token: &str, whose: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|_| format!("{whose} holds a token with line breaks or control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}
