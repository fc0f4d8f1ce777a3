//! Which proxy leads to the API server, if any. Pure: the environment is an argument.
//!
//! As kubectl does: `proxy-url` of the kubeconfig always holds; otherwise the variables of the environment do, with the
//! exceptions of `NO_PROXY` and of this machine itself (the rules are those of Go's `golang.org/x/net/http/httpproxy`).
//! `ALL_PROXY` is looked at last; kubectl does not know it, curl does.

use std::{fmt, net::IpAddr};

use http::Uri;
use ipnet::IpNet;

use super::sentence::without_user;

/// The variables that name proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    https: Option<String>,
    http: Option<String>,
    all: Option<String>,
    except: Option<String>,
}

impl Environment {
    /// From a way to look variables up. Of each the spelling in capitals comes first; an empty one is none.
    pub fn read(look: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().find_map(|name| look(name).filter(|value| !value.trim().is_empty()))
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]),
            http: first(["HTTP_PROXY", "http_proxy"]),
            all: first(["ALL_PROXY", "all_proxy"]),
            except: first(["NO_PROXY", "no_proxy"]),
        }
    }
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `CONNECT`, over TLS or not: the scheme of the address says which.
    Connect,
    /// SOCKS 5; names are looked up by the proxy.
    Socks5,
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub protocol: Protocol,
    /// Where to connect: `http` or `https`, host and port.
    pub address: Uri,
    /// User and password.
    pub login: Option<(String, String)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.authority() {
            Some(authority) => f.write_str(authority.as_str()),
            None => write!(f, "{}", self.address),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?} {self}, login: {})", self.protocol, self.login.is_some())
    }
}

/// The proxy to `server`, where one is to be used.
///
/// # Errors
/// One sentence: an address that is no address, or a kind of proxy that cannot be used.
pub(super) fn of(
    configured: Option<&str>,
    server: &Uri,
    environment: &Environment,
) -> Result<Option<Proxy>, String> {
    if let Some(text) = configured.map(str::trim).filter(|text| !text.is_empty()) {
        return parsed(text, "proxy-url of the kubeconfig").map(Some);
    }
    let (own, name) = if server.scheme_str() == Some("http") {
        (&environment.http, "HTTP_PROXY")
    } else {
        (&environment.https, "HTTPS_PROXY")
    };
    let named = own.as_deref().map(|text| (text, name));
    let Some((text, name)) = named.or_else(|| Some((environment.all.as_deref()?, "ALL_PROXY"))) else {
        return Ok(None);
    };
    let (host, port) = place(server);
    if is_excepted(environment.except.as_deref().unwrap_or_default(), &host, port) {
        return Ok(None);
    }
    parsed(text.trim(), name).map(Some)
}

/// Host in lower case and without brackets, and port.
pub(super) fn place(server: &Uri) -> (String, u16) {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
    let usual = if server.scheme_str() == Some("http") { 80 } else { 443 };
    (host, server.port_u16().unwrap_or(usual))
}

fn parsed(text: &str, name: &str) -> Result<Proxy, String> {
    let wrong = || format!("{name} is not the address of a proxy: {}", without_user(text));
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let (scheme, rest) = whole.split_once("://").ok_or_else(wrong)?;
    let (protocol, scheme, port) = match scheme.to_lowercase().as_str() {
        "http" => (Protocol::Connect, "http", 80),
        "https" => (Protocol::Connect, "https", 443),
        "socks5" | "socks5h" => (Protocol::Socks5, "http", 1080),
        other => {
            return Err(format!(
                "{name} names a proxy of the kind {other}: http, https and socks5 can be used"
            ));
        }
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        (decoded(user), decoded(password))
    });
    let bare: Uri = format!("{scheme}://{place}/").parse().map_err(|_| wrong())?;
    let host = bare.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    let port = match place.rsplit_once(':').map(|(_, port)| port) {
        Some(port) if !port.ends_with(']') && !port.is_empty() => port.parse().map_err(|_| wrong())?,
        _ => port,
    };
    let address = format!("{scheme}://{host}:{port}/").parse().map_err(|_| wrong())?;
    Ok(Proxy { protocol, address, login })
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(pair) if *first == b'%' => {
                bytes.push(u8::from_str_radix(pair, 16).unwrap_or(b'%'));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `NO_PROXY` names this host, or it is this machine.
fn is_excepted(except: &str, host: &str, port: u16) -> bool {
    let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    if host == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    except.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        if entry.is_empty() {
            return false;
        }
        if entry == "*" {
            return true;
        }
        if let Ok(net) = entry.parse::<IpNet>() {
            return address.is_some_and(|ip| net.contains(&ip));
        }
        let (name, only) = without_port(&entry);
        if only.is_some_and(|only| only != port.to_string()) {
            return false;
        }
        if let Ok(ip) = name.parse::<IpAddr>() {
            return address == Some(ip.to_canonical());
        }
        // A name of a domain stands for itself and what is in it; with a dot or `*.` in front for what is in it alone.
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        match name.strip_prefix('.') {
            Some(domain) => !domain.is_empty() && host.ends_with(name),
            None => {
                !name.is_empty()
                    && host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    })
}

/// `host:port`, `[address]:port`, `host`, `address`.
fn without_port(entry: &str) -> (&str, Option<&str>) {
    if let Some(rest) = entry.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => (entry, None),
        };
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn found(configured: Option<&str>, server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let server = server.parse().expect("an address");
        of(configured, &server, &environment(variables))
            .expect("no error")
            .map(|p| format!("{:?} {p}", p.protocol))
    }

    #[test]
    fn the_exception_is_looked_at_before_the_proxy() {
        let server = "https://api.lab.example.com:6443";
        let at =
            |except: &str| found(None, server, &[("HTTPS_PROXY", "http://p:3128"), ("NO_PROXY", except)]);
        for except in [
            "*",
            "api.lab.example.com",
            "example.com",
            ".example.com",
            "*.lab.example.com",
            " other.org , EXAMPLE.com ",
            "example.com:6443",
            ".lab.example.com:6443",
        ] {
            assert_eq!(at(except), None, "{except}");
        }
        for proxied in [
            "",
            "ample.com",
            "api.lab",
            "example.com:443",
            ".api.lab.example.com",
            ",",
            ":6443",
            "10.0.0.0/8",
        ] {
            assert_eq!(at(proxied).as_deref(), Some("Connect p:3128"), "{proxied}");
        }
    }

    #[test]
    fn addresses_are_excepted_by_networks_and_ports() {
        for (server, except, direct) in [
            ("https://10.1.2.3:6443", "10.0.0.0/8", true),
            ("https://11.1.2.3:6443", "10.0.0.0/8", false),
            ("https://10.1.2.3:6443", "10.1.2.3", true),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", true),
            ("https://10.1.2.3:6443", "10.1.2.3:443", false),
            ("https://10.1.2.3", "10.1.2.3:443", true),
            ("https://[fd00::1]:6443", "fd00::/8", true),
            ("https://[fd00::1]:6443", "fd00::1", true),
            ("https://[fd00::1]:6443", "[fd00::1]:6443", true),
            ("https://[fd00::1]:6443", "[fd00::1]:1", false),
            ("https://10.1.2.3:6443", "1.2.4", false),
            // This machine is never asked for through a proxy of the environment.
            ("https://127.0.0.1:6443", "", true),
            ("https://[::1]:6443", "", true),
            ("https://localhost:6443", "", true),
        ] {
            let seen = found(None, server, &[("https_proxy", "p:3128"), ("no_proxy", except)]);
            assert_eq!(seen.is_none(), direct, "{server} {except}");
        }
    }

    #[test]
    fn the_kubeconfig_comes_before_the_environment_and_has_no_exceptions() {
        let all = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "*"), ("ALL_PROXY", "socks5://q")];
        let server = "https://127.0.0.1:6443";
        assert_eq!(found(Some("socks5h://s"), server, &all).as_deref(), Some("Socks5 s:1080"));
        assert_eq!(found(Some(" "), server, &all), None);
        let all = [("HTTPS_PROXY", ""), ("https_proxy", "https://p"), ("ALL_PROXY", "socks5://q")];
        assert_eq!(found(None, "https://a", &all).as_deref(), Some("Connect p:443"));
        assert_eq!(found(None, "http://a", &all).as_deref(), Some("Socks5 q:1080"));
        let plain = [("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "http://h:2")];
        assert_eq!(found(None, "http://a", &plain).as_deref(), Some("Connect h:2"));
    }

    #[test]
    fn an_address_of_a_proxy_is_read_with_its_login() {
        let read = |text: &str| parsed(text, "HTTPS_PROXY");
        let proxy = read("http://me:pa%40ss%3A@proxy.corp:3128/").expect("a proxy");
        assert_eq!(proxy.address.to_string(), "http://proxy.corp:3128/");
        assert_eq!(proxy.login, Some(("me".into(), "pa@ss:".into())));
        assert!(!format!("{proxy:?} {proxy}").contains("pa@ss"));
        assert_eq!(read("10.0.0.1:8080").expect("a proxy").address.to_string(), "http://10.0.0.1:8080/");
        assert_eq!(read("[::1]:8080").expect("a proxy").address.to_string(), "http://[::1]:8080/");
        assert_eq!(read("socks5://[::1]").expect("a proxy").address.to_string(), "http://[::1]:1080/");
        for wrong in ["http://", "http://a:port", "ftp://a", "http://me:secret@:99999"] {
            let said = read(wrong).expect_err("no proxy");
            assert!(said.starts_with("HTTPS_PROXY ") && !said.contains("secret"), "{said}");
        }
    }
}
