//! Who asks a registry: logins out of pull secrets, and what a 401 says it wants.
//!
//! Source: RFC 7235 and 7617, the token flow of `distribution` (`WWW-Authenticate: Bearer realm=..,service=..,scope=..`), and
//! `kubernetes/pkg/credentialprovider/keyring.go` for the keys of a pull secret.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::named::Named;

/// User and password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
    /// Where it comes from, as it is told: `the configured login`, `the pull secret acme/registry`.
    pub whose: String,
    /// It is what nodes pull with.
    pub of_nodes: bool,
}

impl Login {
    /// The header of Basic auth.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let pair = format!("{}:{}", self.user, self.password.expose_secret());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whose)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerConfig {
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    username: String,
    password: SecretString,
    auth: SecretString,
}

/// The key of a pull secret as kubelets take it: host with its port, and what the path of a repository begins with.
fn parts(key: &str) -> (&str, &str) {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = key.split_at(key.find('/').unwrap_or(key.len()));
    let versioned = ["/v1/", "/v2/"].iter().any(|version| path.starts_with(version));
    (host, if versioned || path == "/v1" || path == "/v2" { &path[3..] } else { path })
}

/// Docker Hub has several names.
fn canonical(host: &str) -> &str {
    if host == "docker.io" || host == "index.docker.io" { "registry-1.docker.io" } else { host }
}

/// Whether a kubelet takes the entry of that key for an image: the port has to be the same, each label of the name is a
/// pattern (`*`, `?`), and the path is a prefix, also one that ends within a name.
fn is_for(key: &str, named: &Named) -> bool {
    let (host, path) = parts(key);
    format!("/{}", named.name).starts_with(path) && is_host(canonical(host), &named.host)
}

fn is_host(pattern: &str, host: &str) -> bool {
    let port = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            (host.to_ascii_lowercase(), Some(port.to_owned()))
        }
        _ => (text.to_ascii_lowercase(), None),
    };
    let ((pattern, wanted), (host, has)) = (port(pattern), port(host));
    let (pattern, host): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), host.split('.').collect());
    let fits = |(pattern, label): (&&str, &&str)| fits(pattern.as_bytes(), label.as_bytes());
    wanted == has && pattern.len() == host.len() && pattern.iter().zip(&host).all(fits)
}

/// Whether a label is of a pattern: `*` stands for any characters, `?` for one.
fn fits(pattern: &[u8], label: &[u8]) -> bool {
    match (pattern.split_first(), label.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', after)), _) => (0..=label.len()).any(|n| fits(after, &label[n..])),
        (Some((one, after)), Some((first, rest))) => (*one == b'?' || one == first) && fits(after, rest),
        (Some(_), None) => false,
    }
}

/// The logins for an image in a pull secret (`kubernetes.io/dockerconfigjson`), in the order in which a kubelet tries them:
/// at least one. Its index is sorted backwards, so that the nearest comes first.
///
/// # Errors
/// One sentence: it is not understood, or names other registries alone. No password stands in it.
pub fn pull_logins(secret: &str, data: &[u8], image: &str) -> Result<Vec<Login>, String> {
    let named = Named::of(image);
    let config: DockerConfig = serde_json::from_slice(data)
        .map_err(|_| format!("the pull secret {secret} holds no .dockerconfigjson that is understood"))?;
    let mut fits: Vec<_> = config.auths.iter().filter(|(key, _)| is_for(key, &named)).collect();
    fits.sort_by_key(|(key, _)| std::cmp::Reverse(parts(key)));
    let Some((first, _)) = fits.first() else {
        let keys: Vec<_> = config.auths.keys().take(3).map(String::as_str).collect();
        let there = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        let host = &named.host;
        return Err(format!(
            "the pull secret {secret} has no login for {host}, it names {there}: nodes do not use it"
        ));
    };
    let logins: Vec<_> = fits.iter().filter_map(|(_, entry)| entry.login(secret)).collect();
    match logins.is_empty() {
        true => Err(format!("the pull secret {secret} has an entry for {first} without user and password")),
        false => Ok(logins),
    }
}

impl Entry {
    /// `None`: it has no user and password.
    fn login(&self, secret: &str) -> Option<Login> {
        let (user, password) = if self.auth.expose_secret().is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            let bytes = STANDARD.decode(self.auth.expose_secret().trim()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (user, password) = text.split_once(':')?;
            (user.to_owned(), SecretString::from(password.trim_end_matches('\0').to_owned()))
        };
        let whole = !user.is_empty() && !password.expose_secret().is_empty();
        let whose = format!("the login in the pull secret {secret}");
        whole.then_some(Login { user, password, whose, of_nodes: true })
    }
}

/// What a 401 wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// What a token is asked for with.
    Bearer(BTreeMap<String, String>),
    /// Something else, or nothing is said.
    Other,
}

/// What an answer wants, by all its headers.
pub(super) fn challenge<B>(answer: &Response<B>) -> Challenge {
    let all = answer.headers().get_all(header::WWW_AUTHENTICATE).into_iter();
    let mut wanted = Challenge::Other;
    for text in all.filter_map(|value| value.to_str().ok()) {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Challenge::Bearer(parameters(rest));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            wanted = Challenge::Basic;
        }
    }
    wanted
}

/// `key="value"`, with commas between them, and in values too.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else { break };
        found.insert(key.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(auths: &str, image: &str) -> Result<(String, String), String> {
        let data = format!("{{\"auths\":{auths}}}");
        let login = pull_logins("acme/registry", data.as_bytes(), image)?.swap_remove(0);
        Ok((login.user, login.password.expose_secret().to_owned()))
    }

    #[test]
    fn a_pull_secret_is_good_for_the_registry_that_its_key_names_with_its_port() {
        let own = r#"{"registry.example:5000": {"username": "u", "password": "p", "auth": "dTpw"}}"#;
        let good = |name: &str, password: &str| Ok((name.to_owned(), password.to_owned()));
        assert_eq!(login(own, "registry.example:5000/app:1"), good("u", "p"));
        for other in [
            "registry.example/app:1",
            "registry.example:5001/app:1",
            "r.registry.example:5000/app:1",
            "app:1",
        ] {
            let why = login(own, other).unwrap_err();
            assert!(why.contains("it names registry.example:5000: nodes do not use it"), "{other}: {why}");
        }
        for (key, image) in [
            ("https://registry.example/v2/", "registry.example/app:1"),
            ("registry.example/team", "registry.example/team/app:1"),
            // A kubelet takes the path for a prefix, and each label for a pattern.
            ("registry.example/team", "registry.example/teams/app:1"),
            ("reg*.example", "registry.example/app:1"),
            ("r?gistry.ex*le:5000", "registry.example:5000/app:1"),
            ("*.example", "registry.example/app:1"),
            ("https://index.docker.io/v1/", "team/app:1"),
            ("docker.io", "app:1"),
            ("[fd00::1]:5000", "[fd00::1]:5000/app:1"),
        ] {
            assert_eq!(login(&format!(r#"{{"{key}": {{"auth": "dTpw"}}}}"#), image), good("u", "p"), "{key}");
        }
        for (key, image) in [
            ("registry.example/team/", "registry.example/teams/app:1"),
            ("reg?.example", "registry.example/app:1"),
            ("*.example", "a.registry.example/app:1"),
            ("example", "registry.example/app:1"),
        ] {
            assert!(login(&format!(r#"{{"{key}": {{"auth": "dTpw"}}}}"#), image).is_err(), "{key}");
        }
        // The nearest of several; `auth` before the two fields, as kubelets read it.
        let several = r#"{"r.example": {"auth": "YTox"}, "r.example/team": {"username": "x", "password": "y", "auth": "Yjoy"}}"#;
        assert_eq!(login(several, "r.example/team/app:1"), good("b", "2"));
        assert_eq!(login(several, "r.example/app:1"), good("a", "1"));
    }

    #[test]
    fn all_that_are_for_an_image_are_tried_the_nearest_first() {
        let users = |auths: &str| {
            let data = format!("{{\"auths\":{auths}}}");
            let all = pull_logins("acme/registry", data.as_bytes(), "r.example/team/app:1").expect("logins");
            all.into_iter().map(|login| login.user).collect::<Vec<_>>()
        };
        let several = r#"{"*.example": {"username": "any", "password": "p"}, "r.example": {"username": "all", "password": "p"},
            "https://r.example/v2/team/app": {"username": "app", "password": "p"}, "r.example/other": {"username": "x", "password": "p"},
            "r.example/team": {"username": "team", "password": "p"}, "r.example/te": {"username": "no password"}}"#;
        assert_eq!(users(several), ["app", "team", "all", "any"]);
    }

    #[test]
    fn what_is_no_login_is_said_without_a_password() {
        for auths in [
            r#"{"r.example": {"username": "u"}}"#,
            r#"{"r.example": {"auth": "!!hunter2!!"}}"#,
            r#"{"r.example": {"auth": "aHVudGVyMg=="}}"#,
        ] {
            let why = login(auths, "r.example/app:1").unwrap_err();
            assert!(why.contains("without user and password") && !why.contains("hunter2"), "{why}");
        }
        assert!(login("{}", "r.example/app:1").unwrap_err().contains("it names none"));
        assert!(
            login("7", "r.example/app:1").unwrap_err().contains("no .dockerconfigjson that is understood")
        );
        // As kubectl makes it: the shape of one that was recorded.
        let made = r#"{"registry.example.test:5443": {"username": "puller", "password": "s3cret", "auth": "cHVsbGVyOnMzY3JldA=="}}"#;
        assert_eq!(
            login(made, "registry.example.test:5443/saas/app:1.4.1"),
            Ok(("puller".into(), "s3cret".into()))
        );
        let data = format!("{{\"auths\":{made}}}");
        let found =
            pull_logins("acme/registry", data.as_bytes(), "registry.example.test:5443/saas/app:1.4.1");
        assert!(!format!("{found:?}").contains("s3cret"));
    }

    #[test]
    fn a_401_says_what_it_wants() {
        let of = |headers: &[&str]| {
            let reply = headers.iter().fold(Response::builder().status(401), |reply, value| {
                reply.header(header::WWW_AUTHENTICATE, *value)
            });
            challenge(&reply.body(()).expect("a reply"))
        };
        assert_eq!(of(&["Basic realm=\"registry\""]), Challenge::Basic);
        assert_eq!(of(&[]), Challenge::Other);
        assert_eq!(of(&["Negotiate"]), Challenge::Other);
        let token = "Bearer realm=\"https://a.example/t\",service=\"r\",scope=\"repository:a/b:pull,push\"";
        let wanted =
            parameters("realm=\"https://a.example/t\",service=\"r\",scope=\"repository:a/b:pull,push\"");
        assert_eq!(
            (wanted["realm"].as_str(), wanted["scope"].as_str()),
            ("https://a.example/t", "repository:a/b:pull,push")
        );
        assert_eq!(of(&["Basic realm=\"r\"", token]), Challenge::Bearer(wanted));
    }
}
