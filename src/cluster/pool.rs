//! The php-fpm pools of ConfigMaps, as php-fpm would read them from where they are mounted.
//!
//! Source: `sapi/fpm/fpm/fpm_conf.c`, and the `php-fpm.conf` of the official images and of Debian:
//! - the main file is `php-fpm.conf`; its `include=` lines name further files by a pattern, taken in alphabetical order.
//!   Where the main file is the image's own, it includes `*.conf` of the folder the pools are mounted in;
//! - a pool that is opened twice is one pool, whose later setting counts;
//! - `process.max` in `[global]` is the most children of all pools together, 0 for any number;
//! - `;` begins a comment, values may stand in quotes, `${..}` comes from the environment and is not known here.
//!
//! What a script may take (`memory_limit`) is a bound and no measure of what a request takes, and is not read.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Key, Labels, Shared, Snapshot, Workload};

/// The setting by which a php-fpm pool is known.
const CHILDREN: &str = "pm.max_children";
/// The most children of all pools together.
const PROCESSES: &str = "process.max";
/// php-fpm's main file.
const MAIN: &str = "php-fpm.conf";

/// The php-fpm files of a ConfigMap: all that is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Namespace and name of the ConfigMap.
    pub key: Key,
    /// `metadata.labels`.
    pub labels: Labels,
    /// What of each file bears on the number of children, by the file's key.
    files: Shared<PoolFiles>,
    /// Where sessions are kept, `host:port`, under the key that the configuration names. Passwords beside it are not kept.
    pub sessions: Vec<Arc<str>>,
}

/// What the files of a ConfigMap say of the number of children: mostly the same for all tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PoolFiles(BTreeMap<Arc<str>, Vec<Line>>);

/// A line of a file that bears on the number of children.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Line {
    /// `[www]`.
    Section(Arc<str>),
    /// `pm.max_children`; `None`: it is set, and not known here.
    Children(Option<u32>),
    /// `process.max`; `None`: it is set, and not known here.
    Processes(Option<u32>),
    /// `include`, by its pattern.
    Include(Arc<str>),
}

/// A ConfigMap among the volumes of a pod template, where a container mounts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mounted {
    /// Its name.
    pub config_map: Arc<str>,
    /// The container that mounts it; empty for a volume that none does.
    pub container: Arc<str>,
    /// `mountPath`; empty for a volume that no container mounts.
    pub at: Arc<str>,
    /// `subPath`; empty when the whole volume is mounted.
    pub sub_path: Arc<str>,
    /// `items`: key and path; `None`: all keys, each by its own name.
    pub items: Option<Vec<(Arc<str>, Arc<str>)>>,
}

impl Mounted {
    /// The place of a key in the container, if it has one.
    fn place(&self, key: &str) -> Option<String> {
        let inside = match &self.items {
            None => key,
            Some(items) => &*items.iter().find(|(k, _)| **k == *key)?.1,
        };
        let at = self.at.trim_end_matches('/');
        match &*self.sub_path {
            "" if at.is_empty() => Some(inside.to_owned()),
            "" => Some(format!("{at}/{inside}")),
            sub => match inside.strip_prefix(sub.trim_end_matches('/'))? {
                "" => Some(at.to_owned()),
                rest => Some(format!("{at}{}", rest.starts_with('/').then_some(rest)?)),
            },
        }
    }
}

impl Pool {
    /// What is kept of a ConfigMap with these files; `None`: nothing of a pool is in it, and nothing under the key that says
    /// where sessions are kept.
    pub fn read(
        key: Key,
        labels: Labels,
        data: &BTreeMap<String, String>,
        session_key: Option<&str>,
    ) -> Option<Self> {
        let sessions = session_key.and_then(|key| data.get(key)).map_or_else(Vec::new, |text| places(text));
        let bears =
            |text: &&String| text.contains(CHILDREN) || text.contains(PROCESSES) || text.contains("include");
        let files: BTreeMap<_, _> = data
            .iter()
            .filter(|(_, text)| bears(text))
            .map(|(name, text)| (Arc::from(name.as_str()), lines(text)))
            .collect();
        let counts = |line: &Line| matches!(line, Line::Children(_) | Line::Processes(_));
        let any = !sessions.is_empty() || files.values().flatten().any(counts);
        any.then(|| Self { key, labels, files: PoolFiles(files).into(), sessions })
    }

    /// The files, to be replaced by a copy of them that is there already.
    pub fn files_mut(&mut self) -> &mut Shared<PoolFiles> {
        &mut self.files
    }

    fn placed<'a>(&'a self, by: &Mounted) -> impl Iterator<Item = (String, File<'a>)> {
        self.files
            .0
            .iter()
            .filter_map(move |(key, lines)| Some((by.place(key)?, (&*self.key.name, &**lines))))
    }
}

fn lines(text: &str) -> Vec<Line> {
    let mut all = Vec::new();
    for line in text.lines() {
        let line = line.split([';', '#']).next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.push(Line::Section(name.trim().into()));
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().trim_matches(['"', '\'']).trim();
        match key.trim() {
            CHILDREN => all.push(Line::Children(value.parse().ok().filter(|n| *n > 0))),
            PROCESSES => all.push(Line::Processes(value.parse().ok())),
            "include" => all.push(Line::Include(value.into())),
            _ => {}
        }
    }
    all
}

/// The Redis servers that a value names: `tcp://host:6379?auth=..` in a save path of PHP, `redis://user:password@host/0`,
/// `host:port`, or `host`. Of each no more than host and port.
fn places(text: &str) -> Vec<Arc<str>> {
    const SCHEMES: [&str; 4] = ["tcp://", "tls://", "redis://", "rediss://"];
    let place = |rest: &str| {
        let end = rest.find(|c: char| "/?,;\"'".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
        let whole = rest[..end].rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        let bare = whole.trim_matches(['[', ']']).is_empty();
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        let port = whole.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        (!bare && whole.chars().all(fits))
            .then(|| Arc::from(if port { whole } else { format!("{whole}:6379") }))
    };
    let mut found: Vec<Arc<str>> = Vec::new();
    for scheme in SCHEMES {
        found.extend(text.split(scheme).skip(1).filter_map(place));
    }
    if found.is_empty()
        && text.lines().filter(|line| !line.trim().is_empty()).count() == 1
        && !text.contains('=')
    {
        found.extend(text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()).filter_map(place));
    }
    found.sort();
    found.dedup();
    found
}

/// The name of its ConfigMap, and its lines.
type File<'a> = (&'a str, &'a [Line]);

/// What php-fpm has read so far.
#[derive(Default)]
struct Reading<'a> {
    section: &'a str,
    pools: BTreeMap<&'a str, Option<u32>>,
    processes: Option<u32>,
    /// `process.max` is set to what is not known here.
    unbounded: bool,
    source: Option<&'a str>,
    depth: usize,
}

impl<'a> Reading<'a> {
    fn take(&mut self, (source, lines): File<'a>, all: &BTreeMap<String, File<'a>>) {
        // A file that includes itself is cut off, as php-fpm does.
        if self.depth > 8 {
            return;
        }
        self.depth += 1;
        for line in lines {
            match line {
                Line::Section(name) => self.section = name,
                Line::Children(children) => {
                    let pool = if self.section.is_empty() { "www" } else { self.section };
                    self.pools.insert(pool, *children);
                    self.source = Some(source);
                }
                Line::Processes(most) => {
                    (self.processes, self.unbounded) = (*most, most.is_none());
                }
                Line::Include(pattern) => {
                    for (_, file) in all.iter().filter(|(path, _)| matches(pattern, path)) {
                        self.take(*file, all);
                    }
                }
            }
        }
        self.depth -= 1;
    }

    fn children(&self) -> Option<u32> {
        let sum = self.pools.values().try_fold(0u32, |sum, n| Some(sum.saturating_add((*n)?)))?;
        let most = self.processes.filter(|n| *n > 0).unwrap_or(u32::MAX);
        (!self.pools.is_empty() && !self.unbounded).then_some(sum.min(most))
    }
}

/// The children of all pools in these files together, by their paths, and the ConfigMap that says so.
fn read<'a>(files: &BTreeMap<String, File<'a>>) -> Option<(u32, &'a str)> {
    let mut reading = Reading::default();
    let main = files.iter().find(|(path, _)| name_of(path) == MAIN);
    let includes =
        |(_, (_, lines)): &(&String, &File<'_>)| lines.iter().any(|l| matches!(l, Line::Include(_)));
    match main {
        Some((_, file)) if main.as_ref().is_some_and(includes) => reading.take(*file, files),
        _ => {
            let loaded = |path: &str| name_of(path).ends_with(".conf") && !name_of(path).starts_with('.');
            let rest = files.iter().filter(|(path, _)| loaded(path) && name_of(path) != MAIN);
            main.into_iter().chain(rest).for_each(|(_, file)| {
                reading.section = "";
                reading.take(*file, &BTreeMap::new());
            });
        }
    }
    Some((reading.children()?, reading.source?))
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether an `include` names that file. A pattern without a leading `/` is relative to a folder that is not known here,
/// and so is a file that no container is said to mount: then the ends are compared.
fn matches(pattern: &str, path: &str) -> bool {
    let wanted: Vec<_> = pattern.split('/').rev().filter(|p| !p.is_empty()).collect();
    let found: Vec<_> = path.split('/').rev().filter(|p| !p.is_empty()).collect();
    let same = |n: usize| wanted.iter().zip(&found).take(n).all(|(w, f)| glob(w, f));
    match (pattern.starts_with('/'), path.starts_with('/')) {
        (true, true) => wanted.len() == found.len() && same(wanted.len()),
        (false, true) => wanted.len() <= found.len() && same(wanted.len()),
        (_, false) => !wanted.is_empty() && same(wanted.len().min(found.len())),
    }
}

/// `*` and `?` within one name; neither stands for a leading point.
fn glob(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', more)), _) => rest(more, name) || (!name.is_empty() && rest(pattern, &name[1..])),
            (Some((b'?', more)), Some((_, tail))) => rest(more, tail),
            (Some((one, more)), Some((other, tail))) => one == other && rest(more, tail),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
    let hidden = name.starts_with('.') && !pattern.starts_with('.');
    !hidden && rest(pattern.as_bytes(), name.as_bytes())
}

/// The files that the serving container of a workload mounts, by their places.
fn mounted<'a>(seen: &'a Snapshot, workload: &Workload) -> BTreeMap<String, File<'a>> {
    let namespace = &workload.key.key.namespace;
    let serving = workload.template.serving(&seen.tenancy.container).map_or("", |c| &*c.name);
    let mine = |m: &&Mounted| *m.container == *serving || m.container.is_empty();
    let mut files = BTreeMap::new();
    for mounted in workload.hints.config_maps.iter().filter(mine) {
        if let Some(pool) = seen.pools.items.get(&Key::new(namespace.clone(), mounted.config_map.clone())) {
            files.extend(pool.placed(mounted));
        }
    }
    files
}

/// That a pool of the serving container says its children in a way that is not known here, such as `${CHILDREN}`.
pub(super) fn misread(seen: &Snapshot, workload: &Workload) -> Option<String> {
    let files = mounted(seen, workload);
    let unknown = |line: &Line| matches!(line, Line::Children(None) | Line::Processes(None));
    let (name, _) = files.values().find(|(_, lines)| lines.iter().any(unknown))?;
    read(&files).is_none().then(|| {
        format!("ConfigMap {name} says {CHILDREN} or {PROCESSES} in a way that is not known here, as by a variable")
    })
}

/// The children of a workload's php-fpm together, and the ConfigMap that says so: of the ConfigMaps its serving container
/// mounts; otherwise of one that carries the workload's labels or begins with its name.
pub(super) fn children(seen: &Snapshot, workload: &Workload) -> Option<(u32, Arc<str>)> {
    let Key { namespace, name } = &workload.key.key;
    let files = mounted(seen, workload);
    let found = |(children, name): (u32, &str)| (children, Arc::from(name));
    if !files.is_empty() {
        return read(&files).map(found);
    }
    let from = Key::new(namespace.clone(), "");
    let beside = || {
        let all = seen.pools.items.range(from.clone()..).map(|(_, pool)| pool);
        all.take_while(|pool| pool.key.namespace == *namespace)
    };
    let of = |pool: &Arc<Pool>| read(&pool.placed(&Mounted::default()).collect()).map(found);
    let selects = |pool: &&Arc<Pool>| {
        !workload.selector.requirements.is_empty() && workload.selector.matches(&pool.labels)
    };
    let begins = |pool: &&Arc<Pool>| {
        pool.key.name.strip_prefix(&**name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    beside().filter(selects).find_map(of).or_else(|| beside().filter(begins).find_map(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by their places, each of a ConfigMap of its own.
    fn read_of(all: &[(&str, &str)]) -> Option<u32> {
        let parsed: Vec<_> = all.iter().map(|(path, text)| ((*path).to_owned(), lines(text))).collect();
        let files = parsed.iter().map(|(path, lines)| (path.clone(), ("fpm", &**lines))).collect();
        read(&files).map(|(children, _)| children)
    }

    #[test]
    fn of_where_sessions_are_kept_host_and_port_are_read_and_no_password() {
        for (text, found) in [
            ("redis-1", &["redis-1:6379"][..]),
            ("redis-1:6380\n", &["redis-1:6380"]),
            ("a:6379, b:6380", &["a:6379", "b:6380"]),
            (
                "session.save_handler = redis\nsession.save_path = \"tcp://Redis-1:6379?auth=secret,tcp://10.0.0.2\"\n",
                &["10.0.0.2:6379", "redis-1:6379"],
            ),
            ("redis://user:pass:word@redis-1.db.svc:6379/0", &["redis-1.db.svc:6379"]),
            ("rediss://:p@ss@[fd00::1]:6379", &["[fd00::1]:6379"]),
            ("", &[]),
            ("password=secret", &[]),
            ("two\nlines", &[]),
        ] {
            assert_eq!(places(text), found.iter().map(|f| Arc::from(*f)).collect::<Vec<_>>(), "{text}");
        }
        let data = BTreeMap::from([("REDIS".to_owned(), "redis-1".to_owned())]);
        let read = |key| Pool::read(Key::new("acme", "env"), Labels::default(), &data, key);
        assert!(read(None).is_none() && read(Some("OTHER")).is_none());
        assert_eq!(read(Some("REDIS")).unwrap().sessions, [Arc::from("redis-1:6379")]);
    }

    #[test]
    fn pools_are_read_as_php_fpm_reads_them() {
        const WWW: &str = "[www]\npm = dynamic\npm.max_children = 30\n";
        for (all, children) in [
            (&[("www.conf", "[www]\npm = dynamic\npm.max_children = 8\n")][..], Some(8)),
            (&[("www.conf", "pm.max_children=12")], Some(12)),
            (&[("a.conf", "[www]\npm.max_children = \"5\" ; five\n[api]\n pm.max_children = 3")], Some(8)),
            (&[("a.conf", "[www]\npm.max_children = 5"), ("b.conf", "[www]\npm.max_children = 7")], Some(7)),
            (&[("a.conf", ";pm.max_children = 50\n#pm.max_children = 4")], None),
            (&[("a.conf", "pm.max_children = ${CHILDREN}")], None),
            (&[("a.conf", "pm.max_children = 0")], None),
            (&[("a.conf", "xpm.max_children = 9\n[")], None),
            (&[("a.conf", "")], None),
            // Only files that php-fpm loads.
            (&[("www.conf", WWW), ("www.conf.default", "[www]\npm.max_children = 5")], Some(30)),
            (&[("www.conf.bak", WWW)], None),
            (&[(".www.conf", WWW)], None),
            // A later file whose value is not known here leaves nothing known.
            (&[("a.conf", WWW), ("zz.conf", "[www]\npm.max_children = ${MAX}")], None),
            // The most of all pools together.
            (&[("php-fpm.conf", "[global]\nprocess.max = 4"), ("www.conf", WWW)], Some(4)),
            (&[("a.conf", WWW), ("zz.conf", "[global]\nprocess.max = 0")], Some(30)),
            (&[("a.conf", WWW), ("zz.conf", "[global]\nprocess.max = ${MAX}")], None),
            (&[("z.conf", "[global]\nprocess.max = 4")], None),
        ] {
            assert_eq!(read_of(all), children, "{all:?}");
        }
    }

    #[test]
    fn the_main_file_says_which_others_are_read() {
        let main = "/usr/local/etc/php-fpm.conf";
        let pool = |n: u32| format!("[www]\npm.max_children = {n}");
        let (five, nine) = (pool(5), pool(9));
        for (include, children) in [
            ("include=/usr/local/etc/php-fpm.d/*.conf", Some(5)),
            ("include=etc/php-fpm.d/*.conf", Some(5)),
            ("include = \"/opt/pools/www?.conf\"", Some(9)),
            ("include=/usr/local/etc/php-fpm.d/*.conf\ninclude=/opt/pools/*.conf", Some(9)),
            ("include=/nowhere/*.conf", None),
            ("include=pools/*.conf", Some(9)),
            ("include=/usr/local/etc/php-fpm.conf", None),
        ] {
            let files = [
                (main, format!("[global]\n{include}")),
                ("/usr/local/etc/php-fpm.d/www.conf", five.clone()),
                ("/usr/local/etc/php-fpm.d/.hidden.conf", pool(99)),
                ("/opt/pools/www2.conf", nine.clone()),
            ];
            let files: Vec<_> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
            assert_eq!(read_of(&files), children, "{include}");
        }
        // A volume that no container is said to mount: the names are compared.
        let flat = [("php-fpm.conf", "include=/etc/php/fpm/pool.d/*.conf"), ("www.conf", &*five)];
        assert_eq!(read_of(&flat), Some(5));
        // A section goes on into the file that is included.
        let nested = [
            ("php-fpm.conf", "[api]\ninclude=*.conf2"),
            ("a.conf2", "pm.max_children = 3"),
            ("b.conf", &*nine),
        ];
        assert_eq!(read_of(&nested), Some(3));
    }

    #[test]
    fn a_file_is_where_its_mount_puts_it() {
        let mount = |at: &str, sub: &str, items: Option<&[(&str, &str)]>| Mounted {
            at: at.into(),
            sub_path: sub.into(),
            items: items.map(|all| all.iter().map(|(k, p)| ((*k).into(), (*p).into())).collect()),
            ..Mounted::default()
        };
        let place = |m: Mounted, key: &str| m.place(key);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(place(mount("/etc/fpm/", "", None), "www.conf"), some("/etc/fpm/www.conf"));
        assert_eq!(place(mount("/etc/fpm/a.conf", "www.conf", None), "www.conf"), some("/etc/fpm/a.conf"));
        assert_eq!(place(mount("/etc/fpm/a.conf", "www.conf", None), "www.conf2"), None);
        let items = Some(&[("large", "pools/www.conf")][..]);
        assert_eq!(place(mount("/etc", "", items), "large"), some("/etc/pools/www.conf"));
        assert_eq!(place(mount("/etc", "", items), "small"), None);
        assert_eq!(place(mount("/etc/fpm", "pools", items), "large"), some("/etc/fpm/www.conf"));
        assert_eq!(place(mount("", "", None), "www.conf"), some("www.conf"));
    }
}
