//! Asks a registry of images whether it has one: a HEAD request, and where it has it, whether its parts are there too. Where
//! it has not, the image that runs is asked for as well: a registry whose storage is not mounted says of every image that it
//! is not there.
//!
//! Used by the rehearsal of a plan with another image, and by `live`, which asks now and then for the images that run. A
//! login is sent only where one is configured for that registry, when it says 401, over TLS, and once; one that was refused
//! not again for an hour. Of several that a pull secret has for it, one is tried after another. Everybody else is asked as nobody, with an anonymous token where it hands one out.
//!
//! Source: the distribution specification (`HEAD /v2/NAME/manifests/REFERENCE`). As container runtimes do, loopback addresses
//! are spoken to without TLS.

mod login;
mod memory;
mod named;
mod parts;
mod refusals;
#[cfg(test)]
mod tests;
mod way;

use std::{fmt, path::PathBuf, sync::Arc};

use futures::future::BoxFuture;
use http::{Method, StatusCode, header::HeaderMap};
use tokio::time::timeout;

pub use login::{Login, pull_logins};
use memory::Memory;
use named::Named;
pub use named::host_of;
use way::{PATIENCE, Stop, Way};

/// What a registry says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Has(Found),
    /// It does not: which registry.
    HasNot(String),
    /// It has neither that nor the image that runs: which registry, and the image that runs.
    Lost(String, String),
    /// It has it, and a part of it is missing.
    Damaged {
        /// Which registry.
        host: String,
        /// The digest of a part that is missing.
        part: String,
        /// No platform of the image has all its parts.
        all: bool,
    },
    /// Nodes cannot pull from it: their login is none, or is refused. One sentence.
    Barred(String),
    /// It could not be asked: one sentence.
    Unknown(String),
}

/// An image that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which registry.
    pub host: String,
    /// The digest that its reference leads to now, where the registry says it.
    pub digest: Option<String>,
}

/// What the base of the API says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alive {
    /// It answers, and lets us in.
    Yes,
    /// It wants a login, and there is none: a proxy in front answers so, whatever stands behind it.
    WantsLogin,
    /// It refuses a login: whose.
    Refuses(String),
    /// What nodes pull with is no login for it: one sentence.
    NoLogin(String),
    /// Something else: one sentence, after its name.
    No(String),
    /// This machine cannot ask it, which says nothing of it: why, in a sentence.
    Unasked(String),
}

/// Where a registry is asked, and whom its certificate has to be issued by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryAddress {
    /// `https://10.0.0.7:5000`, where it is not asked under its own name.
    pub base: Option<String>,
    /// Certificates in PEM; otherwise those of this machine.
    pub authority: Option<PathBuf>,
}

/// Why there is no login where one is configured. One sentence, in which no password stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lacking {
    /// What nodes pull with is no login for that registry.
    Unusable(String),
    /// It cannot be read.
    Unread(String),
}

type Look = dyn Fn(String, String) -> BoxFuture<'static, Result<Vec<Login>, Lacking>> + Send + Sync;

/// The registry that is configured: how it is asked, and as whom. Any other is asked as nobody.
#[derive(Clone, Default)]
pub struct Registries {
    configured: Option<Arc<Configured>>,
    memory: Option<Arc<Memory>>,
}

struct Configured {
    host: String,
    place: RegistryAddress,
    login: Box<Look>,
}

impl Configured {
    async fn who(&self, image: &str, namespace: &str) -> Result<Vec<Login>, Lacking> {
        let look = (self.login)(namespace.to_owned(), image.to_owned());
        let slow = |_| format!("its login could not be read within {} s", PATIENCE.as_secs());
        timeout(PATIENCE, look).await.map_err(slow).map_err(Lacking::Unread)?
    }
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registries").field(&self.host()).finish()
    }
}

impl Registries {
    /// The registry of that name and port. `login` looks up who asks, given the namespace and the image.
    pub fn new(
        host: String,
        place: RegistryAddress,
        login: impl Fn(String, String) -> BoxFuture<'static, Result<Vec<Login>, Lacking>> + Send + Sync + 'static,
    ) -> Self {
        Self { configured: Some(Arc::new(Configured { host, place, login: Box::new(login) })), memory: None }
    }

    /// The same, which remembers what it was answered, for as long as it is kept: who asks for many tenants asks once, and
    /// waits once for a registry that is silent.
    #[must_use]
    pub fn remembering(&self) -> Self {
        Self { memory: Some(Arc::default()), ..self.clone() }
    }

    /// The name of the configured registry.
    pub fn host(&self) -> Option<&str> {
        self.configured.as_ref().map(|known| &*known.host)
    }

    /// Whether an image comes from it.
    pub fn knows(&self, image: &str) -> bool {
        self.host().is_some_and(|host| host_of(image) == host)
    }

    /// The registry of an image, where it is the configured one.
    fn of(&self, named: &Named) -> Option<&Configured> {
        self.configured.as_deref().filter(|known| known.host == named.host)
    }

    /// Who asks the registry of an image. That is looked up in a time of its own: it is not the registry that is slow.
    async fn who(&self, image: &str, namespace: &str) -> Result<Vec<Login>, Lacking> {
        match self.of(&Named::of(image)) {
            Some(known) => known.who(image, namespace).await,
            None => Ok(Vec::new()),
        }
    }

    /// How the registry of an image is asked.
    fn way(&self, named: &Named, by: Result<Vec<Login>, Lacking>) -> Result<Way, Stop> {
        match self.of(named) {
            Some(known) => Way::to(named, &known.place, by),
            None => Way::to(named, &RegistryAddress::default(), by),
        }
    }

    /// What comes of a look at a registry in time. One that was silent is not waited for again where that is remembered.
    async fn in_time<T>(&self, host: &str, look: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let late = || Stop::Failed(format!("did not answer within {} s", PATIENCE.as_secs()));
        if self.memory.as_ref().is_some_and(|memory| memory.is_silent(host)) {
            return Err(late());
        }
        timeout(PATIENCE, look).await.unwrap_or_else(|_| {
            if let Some(memory) = &self.memory {
                memory.silent(host);
            }
            Err(late())
        })
    }

    /// Asks the registry of an image whether it has it, all of it. The image that runs is what the answer is held against;
    /// `namespace` is where it is to run.
    pub async fn ask(&self, image: &str, running: Option<&str>, namespace: &str) -> Answer {
        let by = self.who(image, namespace).await;
        let ask = self.ask_as(image, running, by.clone());
        let answer = match &self.memory {
            Some(memory) => memory.asked.or(image, running, &by, ask).await,
            None => ask.await,
        };
        told(image, answer, &by)
    }

    async fn ask_as(
        &self,
        image: &str,
        running: Option<&str>,
        by: Result<Vec<Login>, Lacking>,
    ) -> Result<Answer, Stop> {
        let (answer, mut way) = self.once(image, by, true).await?;
        let Answer::HasNot(host) = &answer else { return Ok(answer) };
        way.drop_token();
        let same = |other: &&str| *other != image && host_of(other) == *host;
        let Some(other) = running.filter(same) else { return Ok(answer) };
        Ok(match self.in_time(host, present(&Named::of(other), &mut way)).await {
            Ok(None) => Answer::Lost(host.clone(), other.to_owned()),
            _ => answer,
        })
    }

    /// Asks the registry of an image whether it has it; its parts are not asked for.
    pub async fn has(&self, image: &str, namespace: &str) -> Answer {
        let by = self.who(image, namespace).await;
        let answer = self.once(image, by.clone(), false).await;
        told(image, answer.map(|(answer, _)| answer), &by)
    }

    /// Whether a digest is what the tag of an image leads to now, or of one of its platforms. `None`: it is, or that is not
    /// asked for; else the digest that it leads to.
    ///
    /// # Errors
    /// One sentence: it cannot be told.
    pub async fn moved(&self, image: &str, runs: &str, namespace: &str) -> Result<Option<String>, String> {
        let named = Named::of(image);
        if named.is_pinned() || !named.is_free() {
            return Ok(None);
        }
        let by = self.who(image, namespace).await;
        let look = self.moved_as(&named, runs, by.clone());
        let moved = match &self.memory {
            Some(memory) => memory.moved.or(image, Some(runs), &by, look).await,
            None => look.await,
        };
        moved.map_err(|stop| format!("its registry {} {}", named.host, stop.to(&by).text()))
    }

    async fn moved_as(
        &self,
        named: &Named,
        runs: &str,
        by: Result<Vec<Login>, Lacking>,
    ) -> Result<Option<String>, Stop> {
        let mut way = self.way(named, by)?;
        let look = async {
            let Some(found) = present(named, &mut way).await? else { return Ok(None) };
            let Some(now) = found.digest.filter(|digest| digest != runs) else { return Ok(None) };
            let platforms = parts::platforms(named, &way).await?;
            Ok((!platforms.iter().any(|digest| digest == runs)).then_some(now))
        };
        self.in_time(&named.host, look).await
    }

    /// What the base of the API says, asked as for this image.
    pub async fn alive(&self, image: &str, namespace: &str) -> Alive {
        let (named, by) = (Named::of(image), self.who(image, namespace).await);
        let answer = match self.way(&named, by) {
            Ok(mut way) => self.in_time(&named.host, way.ask(Method::GET, "/v2/")).await,
            Err(stop) => Err(stop),
        };
        match answer {
            Ok(reply) if reply.status().is_success() => Alive::Yes,
            Ok(reply) => Alive::No(format!("answers {}", reply.status().as_u16())),
            Err(Stop::NoLogin) => Alive::WantsLogin,
            Err(Stop::Unusable(why)) => Alive::NoLogin(why),
            Err(Stop::Refused(whose, _)) => Alive::Refuses(whose),
            Err(Stop::Unasked(why)) => Alive::Unasked(why),
            Err(Stop::Failed(why)) => Alive::No(why),
        }
    }

    /// Asks once, also for the parts where `whole`; with the way that led there.
    async fn once(
        &self,
        image: &str,
        by: Result<Vec<Login>, Lacking>,
        whole: bool,
    ) -> Result<(Answer, Way), Stop> {
        let named = Named::of(image);
        let host = named.host.clone();
        let mut way = self.way(&named, by)?;
        let answer = match self.in_time(&host, present(&named, &mut way)).await? {
            Some(found) if !whole => Answer::Has(found),
            Some(found) => match timeout(PATIENCE, parts::missing(&named, &way)).await {
                Ok(Ok(Some((part, all)))) => Answer::Damaged { host, part, all },
                // That parts cannot be asked for says nothing against the image.
                _ => Answer::Has(found),
            },
            None => Answer::HasNot(host),
        };
        Ok((answer, way))
    }
}

/// What is told to who asks with these logins.
fn told(image: &str, answer: Result<Answer, Stop>, by: &Result<Vec<Login>, Lacking>) -> Answer {
    let host = host_of(image);
    match answer.map_err(|stop| stop.to(by)) {
        Ok(answer) => answer,
        Err(Stop::Refused(whose, true)) => {
            Answer::Barred(format!("its registry {host} refuses {whose}: nodes cannot pull it with that"))
        }
        Err(Stop::Unusable(why)) => Answer::Barred(why),
        Err(stop) => Answer::Unknown(format!("its registry {host} {}", stop.text())),
    }
}

/// `None`: it does not have it.
async fn present(named: &Named, way: &mut Way) -> Result<Option<Found>, Stop> {
    let path = format!("/v2/{}/manifests/{}", named.name, named.reference);
    let answer = way.ask(Method::HEAD, &path).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => {
            Ok(Some(Found { host: named.host.clone(), digest: digest(answer.headers()) }))
        }
        status => Err(Stop::Failed(format!("answers {}", status.as_u16()))),
    }
}

/// `Docker-Content-Digest`, where it is one.
fn digest(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("docker-content-digest")?.to_str().ok()?;
    let is_digest = text.split_once(':').is_some_and(|(kind, sum)| {
        !kind.is_empty() && sum.len() >= 32 && sum.bytes().all(|b| b.is_ascii_hexdigit())
    });
    is_digest.then(|| text.to_owned())
}
