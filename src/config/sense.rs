//! Settings that are written as they should be and cannot be meant: names that Kubernetes knows none of, shares beyond the
//! whole, the same server twice, thresholds in the wrong order.

use super::{Address, Config, ProxyEntry};

/// Everything that cannot be meant: the path of the setting (`platform.edges.1.name`: within the 2nd of a list), and why, one
/// sentence each.
pub(super) fn senseless(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut say = |path: &str, why: String| found.push((path.to_owned(), why));
    let namespaces =
        [("namespace", config.namespace.as_deref()), ("journal.namespace", Some(&*config.journal.namespace))];
    let namespaces = namespaces.into_iter().map(|(path, name)| (path.to_owned(), name));
    let of_tenants = config.tenants.namespaces.iter().enumerate();
    let of_tenants = of_tenants.map(|(i, name)| (format!("tenants.namespaces.{i}"), Some(name.as_str())));
    for (path, name) in namespaces.chain(of_tenants) {
        let setting = setting(&path);
        match name {
            Some("") => say(&path, format!("{setting} must not be empty")),
            Some(name) if !is_namespace(name) => say(
                &path,
                format!(
                    "{setting}: `{name}` is no name of a namespace: lower-case letters, digits and -, at most 63"
                ),
            ),
            _ => {}
        }
    }
    let labels = config.tenants.selector.keys().map(|key| ("tenants.selector", key));
    for (path, label) in [("tenants.label", &config.tenants.label)].into_iter().chain(labels) {
        if !is_label(label) {
            say(path, format!("{path}: `{label}` is no label such as tenant or example.com/tenant"));
        }
    }
    let moves = &config.moves;
    for (name, percent) in [
        ("even-within", moves.even_within),
        ("use-within", moves.use_within),
        ("most-in-use", moves.most_in_use),
    ] {
        if percent > 100 {
            say(&format!("moves.{name}"), format!("[moves] {name} = {percent} is more than 100 percent"));
        }
    }
    if !(0.0..=1.0).contains(&config.headroom.node_used) {
        let share = config.headroom.node_used;
        say("headroom.node-used", format!("[headroom] node-used = {share} is no share: write 0.85 for 85 %"));
    }
    let members = config.galera.members.iter().map(|at| (at.to_string(), same_place(at)));
    if let Some((i, twice)) = twice(members) {
        say(&format!("galera.members.{i}"), format!("[galera] members: {twice}"));
    }
    let proxies = config.proxysql.addresses.iter().map(|entry| match entry {
        ProxyEntry::Direct(at) => (entry.to_string(), same_place(at)),
        ProxyEntry::Service { .. } => (entry.to_string(), entry.to_string()),
    });
    if let Some((i, twice)) = twice(proxies) {
        say(&format!("proxysql.addresses.{i}"), format!("[proxysql] addresses: {twice}"));
    }
    for (key, why) in super::platform::senseless(&config.platform) {
        say(&format!("platform.{key}"), format!("[platform] {}: {why}", setting(&key)));
    }
    if let Some((key, why)) = config.platform.registry.senseless() {
        say(&format!("platform.registry.{key}"), format!("[platform.registry] {key}: {why}"));
    }
    if let Err(why) = config.galera.thresholds.check() {
        let key = why.split(' ').next().unwrap_or_default();
        say(&format!("galera.thresholds.{key}"), format!("[galera.thresholds] {why}"));
    }
    found
}

/// The address with the names of this machine itself told apart no longer.
fn same_place(at: &Address) -> String {
    let host = if ["localhost", "::1"].contains(&at.host.as_str()) { "127.0.0.1" } else { &at.host };
    format!("{host}:{}", at.port)
}

/// The setting of a path: without its place in a list.
fn setting(path: &str) -> String {
    path.split('.').take_while(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// The first that is the same as one before it, each as it is written and what it comes to: its place, and what is wrong.
fn twice(all: impl Iterator<Item = (String, String)>) -> Option<(usize, String)> {
    let mut known: Vec<(String, String)> = Vec::new();
    for (i, (written, place)) in all.enumerate() {
        match known.iter().find(|(_, other)| *other == place) {
            Some((other, _)) if *other == written => {
                return Some((i, format!("{written} is named twice; remove one")));
            }
            Some((other, _)) => {
                return Some((i, format!("{other} and {written} are the same server; remove one")));
            }
            None => known.push((written, place)),
        }
    }
    None
}

fn is_namespace(name: &str) -> bool {
    let inside = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    inside && name.len() <= 63 && !name.starts_with('-') && !name.ends_with('-')
}

/// A key of a label: a name, and a domain before it.
fn is_label(key: &str) -> bool {
    let (domain, name) = key.rsplit_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let edge = |text: &str| {
        let ends = [text.bytes().next(), text.bytes().last()];
        ends.into_iter().all(|b| b.is_some_and(|b| b.is_ascii_alphanumeric()))
    };
    let inside =
        |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    let domain = domain.is_none_or(|d| d.len() <= 253 && edge(d) && inside(d, b"-."));
    domain && name.len() <= 63 && edge(name) && inside(name, b"-_.")
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_cannot_be_meant_is_a_mistake_at_its_line() {
        for (text, line, words) in [
            ("namespace = \"Foo Bar\"", 1, "`Foo Bar` is no name of a namespace"),
            ("[journal]\nnamespace = \"\"", 2, "journal.namespace must not be empty"),
            ("[tenants]\nnamespaces = [\"a\", \"-b\"]", 2, "`-b`"),
            ("[tenants]\nlabel = \"te nant\"", 2, "`te nant` is no label"),
            ("[tenants]\nselector = { \"a/b/c\" = \"x\" }", 2, "`a/b/c` is no label"),
            ("[moves]\nuse-within = 200", 2, "use-within = 200 is more than 100 percent"),
            ("[headroom]\nnode-used = 85.0", 2, "0.85 for 85 %"),
            ("[galera]\nmembers = [\"db1\", \"db2\", \"DB1:3306\"]", 2, "db1:3306 is named twice"),
            (
                "[galera]\nmembers = [\"127.0.0.1:4567\", \"localhost:4567\"]",
                2,
                "127.0.0.1:4567 and localhost:4567 are the same server",
            ),
            ("[proxysql]\naddresses = [\"db/x:admin\", \"db/x:admin\"]", 2, "db/x:admin is named twice"),
            (
                "[galera]\nmembers = [\"db1\",\n\"db2\",\n\"db1\"]",
                4,
                "[galera] members: db1:3306 is named twice",
            ),
            ("[tenants]\nnamespaces = [\"a\",\n\"-b\"]", 3, "tenants.namespaces: `-b`"),
            (
                "[[platform.edges]]\nname = \"a\"\naddress = \"10.0.0.1\"\n[[platform.edges]]\nname = \"b\"\naddress = \"10.0.0.2\"\nworkers = 4",
                7,
                "[platform] edges: b has workers and no worker-connections",
            ),
            (
                "[[platform.redis]]\nname = \"a\"\naddress = \"10.0.0.1\"\n[[platform.redis]]\nname = \"a\"\naddress = \"10.0.0.2\"",
                5,
                "[platform] redis: a is named twice",
            ),
            ("[contexts.x]\nnamespace = \"Foo Bar\"", 2, "in [contexts.x]: namespace: `Foo Bar`"),
            ("[contexts.x.moves]\nmost-in-use = 101", 2, "in [contexts.x]: [moves] most-in-use = 101"),
        ] {
            let found = Config::examine(text).unwrap_err();
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].message.contains(words) && found[0].line == line, "{text}: {found:?}");
        }
        let several = "namespace = \"A\"\n[moves]\nuse-within = 200\n[tenants]\nlabel = \"a b\"\n";
        let lines: Vec<_> = Config::examine(several).unwrap_err().iter().map(|m| m.line).collect();
        assert_eq!(lines, [1, 3, 5]);
        for right in [
            "[tenants]\nlabel = \"app.kubernetes.io/instance\"",
            "[tenants]\nlabel = \"Tenant_1.x\"",
            "namespace = \"a-1\"",
            "[galera]\nmembers = [\"127.0.0.1:1\", \"localhost:2\"]",
        ] {
            assert!(Config::parse(right).is_ok(), "{right}");
        }
    }
}
