//! How many requests php-fpm serves in each pod of a tenant, by its status page, for as long as somebody measures.
//!
//! The page is asked for through port-forwards, as nginx serves it in the pod or as an exporter beside it does. Nothing
//! but the number of active processes is taken from it. Used by the command line when it is asked to.

use std::{
    collections::BTreeMap, fmt, future::Future, net::SocketAddr, str::FromStr, sync::Arc, time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    cluster::{Key, Pod, Snapshot, TenantName, Use},
    wire::{Wire, request, tunnel::Tunnel},
};

/// The pages are asked for this often.
const EVERY: Duration = Duration::from_secs(5);
/// Pods that are asked at most.
const MOST: usize = 8;
/// A connection that came to nothing is over by then.
const OVER: Duration = Duration::from_secs(1);
/// What was counted in this time before memory was measured belongs to that measurement.
const WINDOW: SignedDuration = SignedDuration::from_secs(15);
/// Measurements come so late at most.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// More processes than a pool has, and more pools than a pod has.
const PROCESSES: u32 = 100_000;
const POOLS: usize = 100;
/// Bytes of a page that are read at most.
const LONGEST: usize = 1 << 20;

/// Where a pod serves the status page of its php-fpm: `8080/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPage {
    /// The port of the pod.
    pub port: u16,
    /// The path, with its `/`.
    pub path: String,
}

impl FromStr for StatusPage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || format!("`{text}` is no port and path of a pod, such as 8080/status");
        let (port, path) = text.split_once('/').ok_or_else(none)?;
        let port = port.trim_start_matches(':').parse().ok().filter(|port| *port > 0).ok_or_else(none)?;
        let plain = path.chars().all(|c| c.is_ascii_graphic());
        plain.then(|| Self { port, path: format!("/{path}") }).ok_or_else(none)
    }
}

impl fmt::Display for StatusPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.port, self.path)
    }
}

/// Requests that php-fpm served when it wrote this page, as text, as JSON or as metrics of an exporter; `None`: it is no such
/// page. In each pool a worker answers with the page: it is not counted. Where another pool does, that is one too few.
fn active(page: &str) -> Option<u32> {
    let number = |text: &str| -> Option<u32> {
        let text = text.trim_start_matches(['"', ':', ' ', '\t']);
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok().filter(|n| *n <= PROCESSES)
    };
    // A sample: the name, labels in braces, the value, and perhaps a time.
    let metric = |line: &str| -> Option<u32> {
        let rest =
            line.strip_prefix("phpfpm_active_processes").filter(|rest| rest.starts_with(['{', ' ']))?;
        let value = rest.rsplit('}').next()?.split_whitespace().next()?.parse::<f64>().ok()?;
        (0.0..=f64::from(PROCESSES)).contains(&value).then_some(value as u32)
    };
    let mut of_pools = page.lines().filter_map(metric).take(POOLS).peekable();
    Some(match of_pools.peek() {
        Some(_) => of_pools.map(|all| all.saturating_sub(1)).sum(),
        None => number(page.split_once("active processes")?.1)?.saturating_sub(1),
    })
}

/// What was counted in one pod, and what of it was paired with memory.
#[derive(Default)]
struct Counted {
    tunnel: Option<Tunnel>,
    counts: Vec<(Timestamp, u32)>,
    /// It has answered at least once.
    answered: bool,
    paired: Option<Timestamp>,
}

impl Counted {
    /// The mean of what was counted in the time before memory was measured; `None`: nothing was.
    fn at(&self, measured: Timestamp) -> Option<f64> {
        let belongs = |at: Timestamp| {
            let before = measured.duration_since(at);
            !before.is_negative() && before < WINDOW
        };
        let counts = self.counts.iter().filter(|(at, _)| belongs(*at));
        let (sum, n) = counts.fold((0.0, 0), |(sum, n), (_, count)| (sum + f64::from(*count), n + 1));
        (n > 0).then(|| sum / f64::from(n))
    }

    /// Takes in what memory was measured to be used, once; the pods were last asked at `asked`. A pod that answers otherwise and not now may be too busy to: its
    /// memory counts without a number of requests.
    fn pair(&mut self, seen: &Snapshot, pod: &Pod, asked: Timestamp) -> Option<Use> {
        let usage = seen.usage.get(&pod.key)?;
        let serving = pod.spec.serving(&seen.tenancy.container)?;
        let (_, used) = usage.containers.get(&serving.name)?;
        if self.paired >= Some(usage.at) {
            return None;
        }
        let active = self.at(usage.at);
        if active.is_none() && !(self.answered && asked >= usage.at) {
            return None;
        }
        self.paired = Some(usage.at);
        Some(Use { at: usage.at, used: *used, active })
    }
}

/// Asks each ready pod of a tenant for its status page until `enough`, and pairs what it counts with the memory that is
/// measured. In the order of time, for one serving container each.
///
/// # Errors
/// One sentence: no pod is ready, none of them has such a page, or no memory is measured.
pub async fn measured(
    wire: &Wire,
    seen: &watch::Receiver<Arc<Snapshot>>,
    tenant: &TenantName,
    page: &StatusPage,
    enough: impl Future<Output = ()>,
) -> Result<Vec<Use>, String> {
    let mut all: BTreeMap<Key, Counted> = BTreeMap::new();
    let mut uses = Vec::new();
    let mut enough = std::pin::pin!(enough);
    let mut seen = seen.clone();
    let (mut answered, mut over) = (false, false);
    let mut trouble = None;
    while !over {
        let next = Instant::now() + EVERY;
        let now = seen.borrow().clone();
        let found = now.tenants.get(tenant);
        let pods: Vec<_> =
            found.into_iter().flat_map(|tenant| tenant.active()).filter(|pod| pod.ready).take(MOST).collect();
        all.retain(|key, _| pods.iter().any(|pod| pod.key == *key));
        let asked = pods.iter().map(|pod| {
            let tunnel = all.remove(&pod.key).unwrap_or_default();
            async { (pod.key.clone(), ask(wire, &pod.key, page, tunnel).await) }
        });
        let round = stream::iter(asked).buffer_unordered(MOST).collect::<Vec<_>>();
        let round = tokio::select! {
            // The first is waited for: it says whether there is such a page.
            () = &mut enough, if answered => break,
            round = round => round,
        };
        let at = now.dated(Timestamp::now());
        for (key, (mut counted, count)) in round {
            match count {
                Ok(count) => {
                    (answered, counted.answered) = (true, true);
                    counted.counts.push((at, count));
                    counted.counts.retain(|(counted, _)| at.duration_since(*counted) < LATE);
                }
                Err(why) => trouble = Some(why),
            }
            all.insert(key, counted);
        }
        if let (Some(why), true) = (now.usage.freshness.trouble(), uses.is_empty()) {
            return Err(format!("no memory is measured: {why}"));
        }
        if !answered {
            return Err(
                trouble.unwrap_or_else(|| format!("no pod of {tenant} is ready: there is nobody to ask"))
            );
        }
        loop {
            let more = tokio::select! {
                () = &mut enough => {
                    over = true;
                    false
                }
                () = sleep_until(next) => false,
                changed = seen.changed() => {
                    over = changed.is_err();
                    !over
                }
            };
            let now = seen.borrow_and_update().clone();
            for pod in &pods {
                uses.extend(all.get_mut(&pod.key).and_then(|counted| counted.pair(&now, pod, at)));
            }
            if !more {
                break;
            }
        }
    }
    if uses.is_empty() {
        let also = trouble.map_or_else(String::new, |why| format!("; and {why}"));
        return Err(format!(
            "no memory was measured while the requests were counted: metrics-server measures it once in 15 s or more, \
             measure for longer{also}"
        ));
    }
    uses.sort_by_key(|one| one.at);
    Ok(uses)
}

/// What a pod counts now.
async fn ask(
    wire: &Wire,
    pod: &Key,
    page: &StatusPage,
    mut counted: Counted,
) -> (Counted, Result<u32, String>) {
    let tunnel = match counted.tunnel.take() {
        Some(tunnel) => Ok(tunnel),
        None => Tunnel::open(wire.clone(), &pod.namespace, &pod.name, page.port).await,
    };
    let tunnel = match tunnel {
        Ok(tunnel) => tunnel,
        Err(failure) => return (counted, Err(failure.text)),
    };
    let place = format!("{page} of {}", pod.name);
    let count = match whole(tunnel.address(), &page.path).await {
        Some((StatusCode::OK, text)) => active(&text)
            .ok_or_else(|| format!("{place} is no status page of php-fpm: it names no `active processes`")),
        Some((status, _)) => {
            Err(format!("{place} is no status page of php-fpm: it answers {}", status.as_u16()))
        }
        None => {
            // Why is known once the connection is over.
            let _ = timeout(OVER, tunnel.connections().wait_for(|open| *open == 0)).await;
            Err(match tunnel.failure() {
                Some(failure) => failure.text,
                None => format!("{place} does not answer a request in time, or not to its end"),
            })
        }
    };
    counted.tunnel = Some(tunnel);
    (counted, count)
}

/// What is answered there, and its text: none that was cut off counts.
async fn whole(address: SocketAddr, path: &str) -> Option<(StatusCode, String)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{address}{path}")).header(header::HOST, "localhost");
    let request = request.header(header::CONNECTION, "close").body(Empty::new()).ok()?;
    let reading = async {
        let (head, body) = client.request(request).await.ok()?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.ok()?.to_bytes();
        Some((head.status, String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(request::WITHIN, reading).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_processes_of_a_status_page_are_read_in_each_of_its_forms() {
        let text = "pool:                 www\nidle processes:       5\nactive processes:     3\ntotal processes:      8\n\
                    max active processes: 7\n";
        let json = r#"{"pool":"www","idle processes":5,"active processes":3,"max active processes":7}"#;
        let metrics = "# TYPE phpfpm_active_processes gauge\nphpfpm_active_processes{pool=\"www\"} 3 1700000000000\n\
                       phpfpm_active_processes{pool=\"api\"} 1\nphpfpm_active_processes{pool=\"x\"} 1e99\n\
                       phpfpm_active_processes_max 9\n";
        for page in [text, json, metrics] {
            assert_eq!(active(page), Some(2), "{page}");
        }
        assert_eq!(active("active processes: 0"), Some(0));
        for none in [
            "",
            "<html>404</html>",
            "active processes: many",
            "{\"active processes\":null}",
            "active processes: 4294967295",
        ] {
            assert_eq!(active(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_is_named_by_port_and_path() {
        let page = |text: &str| text.parse::<StatusPage>().map(|page| page.to_string());
        assert_eq!(page("8080/status"), Ok("8080/status".into()));
        assert_eq!(page(":9253/metrics?full"), Ok("9253/metrics?full".into()));
        for none in ["", "8080", "/status", "0/status", "http://x/status", "70000/status", "80/a b"] {
            assert!(page(none).is_err_and(|why| why.contains("is no port and path of a pod")), "{none}");
        }
    }

    #[test]
    fn memory_goes_with_what_was_counted_just_before_it_was_measured() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let counts = vec![(at(0), 8), (at(6), 2), (at(12), 4), (at(20), 8)];
        let counted = Counted { counts, ..Counted::default() };
        assert_eq!(counted.at(at(20)), Some(14.0 / 3.0));
        assert_eq!(counted.at(at(15)), Some(3.0));
        assert_eq!(counted.at(at(60)), None);
    }
}
