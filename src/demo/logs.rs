//! What containers write: nginx's access log and php-fpm's pool log, invented from the seed and the time.
//!
//! A line is a function of its number, so a log can be read at any moment and only ever grows.

mod program;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

use super::usage;
use super::value::{hash, list, text, time, uid};
use super::world::{LogLine, NoLog, World};

/// How many lines are kept of one container; the runtime rotates away what is older.
const KEPT: i64 = 2000;

const PATHS: [&str; 10] = [
    "/",
    "/login",
    "/api/v1/items?page=3",
    "/api/v1/orders",
    "/admin",
    "/api/v1/cart",
    "/search?q=lamp",
    "/assets/app.js",
    "/api/v1/session",
    "/report/monthly",
];
const CLIENTS: [&str; 4] =
    ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Macintosh)", "okhttp/4.12.0", "curl/8.5.0"];

impl World {
    /// What the container wrote so far, oldest first.
    ///
    /// # Errors
    /// [`NoLog`] when there is nothing to show.
    pub fn log_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<Vec<LogLine>, NoLog> {
        lines(self, namespace, pod, container, previous)
    }
}

/// The lines of a container up to the world's present.
fn lines(
    world: &World,
    space: &str,
    called: &str,
    container: &str,
    previous: bool,
) -> Result<Vec<LogLine>, NoLog> {
    let pod = world.pod(space, called).ok_or(NoLog::Pod)?;
    let mut specs = list(&pod["spec"]["containers"]).chain(list(&pod["spec"]["initContainers"]));
    let spec = specs.find(|spec| spec["name"] == container).ok_or(NoLog::Container)?;
    let node = text(&pod["spec"]["nodeName"]);
    if node.is_empty() || !world.kubelet.is_up(node) {
        return Err(NoLog::Node);
    }
    let status = list(&pod["status"]["containerStatuses"])
        .chain(list(&pod["status"]["initContainerStatuses"]))
        .find(|status| status["name"] == container)
        .cloned()
        .unwrap_or_default();
    let last = &status["lastState"]["terminated"];
    let run = if previous {
        last
    } else if status["state"]["running"].is_object() {
        &status["state"]["running"]
    } else if status["state"]["terminated"].is_object() {
        &status["state"]["terminated"]
    } else {
        last
    };
    if !run.is_object() {
        let reason = text(&status["state"]["waiting"]["reason"]);
        let reason = if reason.is_empty() { "ContainerCreating" } else { reason };
        return Err(if previous { NoLog::NoPrevious } else { NoLog::Waiting(reason.to_owned()) });
    }
    let from = time(&run["startedAt"]).unwrap_or(world.now());
    let until = time(&run["finishedAt"]).unwrap_or(world.now());
    if !matches!(text(&pod["spec"]["restartPolicy"]), "Always" | "") {
        let says = text(&pod["metadata"]["annotations"][program::SAYS]);
        return Ok(program::lines(spec, run, from, until, says));
    }
    let id = format!("{}{container}{}", uid(&pod), text(&run["containerID"]));
    let step = SignedDuration::from_millis((1000.0 / usage::pace(world, &pod)) as i64);
    let mut lines = opening(container, from);
    let written = until.duration_since(from).as_millis() / step.as_millis().max(1);
    let written = i64::try_from(written).unwrap_or(0);
    for number in (written - KEPT).max(0)..=written {
        let seed = hash(&[&id, &number.to_string(), &world.seed.to_string()]);
        let jitter = SignedDuration::from_millis(
            (seed % 900) as i64 * i64::try_from(step.as_millis()).unwrap_or(1000) / 1000,
        );
        let offset = SignedDuration::from_millis(
            i64::try_from(step.as_millis()).unwrap_or(1000).saturating_mul(number),
        );
        let Ok(at) = from.checked_add(offset).and_then(|at| at.checked_add(jitter)) else { continue };
        if at <= until && at >= from {
            lines.push(LogLine { at, text: line(container, seed, at) });
        }
    }
    lines.extend(closing(container, run, until));
    Ok(lines)
}

fn opening(container: &str, at: Timestamp) -> Vec<LogLine> {
    let texts: &[String] = &match container {
        "php-fpm" => vec![
            format!("[{}] NOTICE: fpm is running, pid 1", moment(at)),
            format!("[{}] NOTICE: ready to handle connections", moment(at)),
        ],
        "nginx" => vec![format!(
            "{} [notice] 1#1: start worker processes",
            at.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S")
        )],
        _ => vec![format!("{container} started")],
    };
    texts.iter().map(|text| LogLine { at, text: text.clone() }).collect()
}

fn closing(container: &str, run: &Value, at: Timestamp) -> Option<LogLine> {
    let code = run["exitCode"].as_i64()?;
    let text = match (container, code) {
        ("php-fpm", 137) => format!(
            "[{}] WARNING: [pool www] child 17 exited on signal 9 (SIGKILL) after 41.3 seconds from start",
            moment(at)
        ),
        ("php-fpm", 255) => format!(
            "[{}] ERROR: PHP Fatal error:  Uncaught PDOException: SQLSTATE[42S22]: Column not found: 1054 Unknown column 'price_cents' in 'SELECT'",
            moment(at)
        ),
        (_, code) => format!("exit {code}"),
    };
    Some(LogLine { at, text })
}

fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%d-%b-%Y %H:%M:%S").to_string()
}

fn line(container: &str, seed: u64, at: Timestamp) -> String {
    let pick = |shift: u32, below: u64| (seed >> shift) % below;
    let path = PATHS[pick(4, PATHS.len() as u64) as usize];
    let took = 12 + pick(12, 240) + if pick(20, 20) == 0 { 700 } else { 0 };
    match container {
        "php-fpm" => {
            let level = if took > 500 { "WARNING" } else { "NOTICE" };
            let child = 10 + pick(28, 8);
            format!(
                "[{}] {level}: [pool www] child {child} said into stderr: \"request {path} took {took} ms\"",
                moment(at)
            )
        }
        "nginx" => {
            let (method, status) = match pick(24, 100) {
                0 => ("GET", 502),
                1..=3 => ("GET", 404),
                4..=7 => ("GET", 302),
                8..=20 => ("POST", 201),
                _ => ("GET", 200),
            };
            let host = format!("10.42.{}.{}", pick(32, 6), 2 + pick(36, 200));
            let when = at.to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S +0000");
            let client = CLIENTS[pick(40, CLIENTS.len() as u64) as usize];
            let bytes = 180 + pick(44, 24_000);
            format!(
                "{host} - - [{when}] \"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"{client}\" {:.3}",
                took as f64 / 1000.0
            )
        }
        _ => format!(
            "{} level=info msg=\"served\" path=\"{path}\" ms={took}",
            at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ),
    }
}
