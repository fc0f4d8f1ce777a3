//! The log subresource of pods.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::failure::{Failure, Fault};
use super::list::found;
use super::path::Resource;
use super::reply::Reply;
use super::{Answer, Request};
use crate::kind::Kind;
use crate::store::text;
use crate::world::{LogLine, NoLog, World};

/// A log that is read on while the container writes.
pub(crate) struct Follow {
    namespace: String,
    pod: String,
    uid: String,
    container: String,
    timestamps: bool,
    /// The last line seen; older ones may be rotated away meanwhile.
    seen: Option<LogLine>,
    /// What is sent first.
    pub(crate) first: Vec<u8>,
}

/// Reads a log.
///
/// # Errors
/// 404 for the pod, 400 when the container must be chosen, is unknown or has no log.
pub(super) fn get(world: &World, request: &Request, resource: &Resource) -> Result<Answer, Failure> {
    let pod = found(&world.store, resource)?;
    let name = text(pod, "/metadata/name").to_owned();
    let namespace = text(pod, "/metadata/namespace").to_owned();
    let container = chosen(pod, request.param("container"))?;
    let previous = request.flag("previous");
    let tail = number(request, "tailLines")?;
    let bytes = number(request, "limitBytes")?;
    let since = since(request, world.store.now())?;
    let timestamps = request.flag("timestamps");
    let lines = match world.log_lines(&namespace, &name, &container, previous) {
        Ok(lines) => lines,
        // a pod without a node has an empty log
        Err(NoLog::Node) if text(pod, "/spec/nodeName").is_empty() => Vec::new(),
        Err(why) => return Err(refused(pod, &container, why)),
    };
    let seen = lines.last().cloned();
    let mut wanted: &[LogLine] = &lines;
    if let Some(since) = since {
        wanted = &wanted[wanted.partition_point(|l| l.at < since)..];
    }
    if let Some(tail) = tail {
        wanted = &wanted[wanted.len().saturating_sub(tail)..];
    }
    let mut text = written(wanted, timestamps);
    if let Some(bytes) = bytes {
        let end = (0..=bytes.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
    if !request.is_follow() || previous {
        return Ok(Reply::text(text).into());
    }
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::Follow(Box::new(Follow {
        namespace,
        pod: name,
        uid,
        container,
        timestamps,
        seen,
        first: text.into_bytes(),
    })))
}

impl Follow {
    /// How often to look for new lines.
    pub(crate) const EVERY: Duration = Duration::from_millis(200);

    /// What a container writes from now on.
    pub(super) fn from_now(world: &World, pod: &Value, container: &str) -> Self {
        let of = |at: &str| text(pod, at).to_owned();
        let (namespace, name) = (of("/metadata/namespace"), of("/metadata/name"));
        let lines = world.log_lines(&namespace, &name, container, false).unwrap_or_default();
        Self {
            namespace,
            pod: name,
            uid: of("/metadata/uid"),
            container: container.to_owned(),
            timestamps: false,
            seen: lines.last().cloned(),
            first: Vec::new(),
        }
    }

    /// The lines written since the last call; None when the container has come to its end.
    pub(crate) fn poll(&mut self, world: &World) -> Option<Vec<u8>> {
        let pod = world.store.get(Kind::POD, &self.namespace, &self.pod)?;
        if pod["metadata"]["uid"] != self.uid.as_str() {
            return None;
        }
        let lines = world.log_lines(&self.namespace, &self.pod, &self.container, false).ok()?;
        let new = match &self.seen {
            Some(seen) => match lines.iter().rposition(|l| l == seen) {
                Some(at) => &lines[at + 1..],
                None => &lines[lines.partition_point(|l| l.at <= seen.at)..],
            },
            None => &lines,
        };
        let text = written(new, self.timestamps);
        self.seen = lines.last().cloned().or(self.seen.take());
        let mut statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
        let own = statuses.find(|s| s["name"] == self.container.as_str());
        let ended = own.is_some_and(|s| s["state"].get("terminated").is_some());
        if ended && text.is_empty() { None } else { Some(text.into_bytes()) }
    }
}

fn written(lines: &[LogLine], timestamps: bool) -> String {
    let mut text = String::new();
    for line in lines {
        if timestamps {
            let at = line.at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.9fZ ");
            text.push_str(&at.to_string());
        }
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

pub(super) fn chosen(pod: &Value, asked: &str) -> Result<String, Failure> {
    let name = text(pod, "/metadata/name");
    let names = |list: &str| -> Vec<&str> {
        let all = pod["spec"][list].as_array().into_iter().flatten();
        all.map(|c| text(c, "/name")).collect()
    };
    let (init, plain) = (names("initContainers"), names("containers"));
    if asked.is_empty() {
        let [only] = plain.as_slice() else {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                plain.join(" ")
            );
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            return Err(Failure::bad_request(message));
        };
        return Ok((*only).to_owned());
    }
    if plain.iter().chain(&init).any(|c| *c == asked) {
        return Ok(asked.to_owned());
    }
    Err(Failure::bad_request(format!("container {asked} is not valid for pod {name}")))
}

fn refused(pod: &Value, container: &str, why: NoLog) -> Failure {
    let name = text(pod, "/metadata/name");
    match why {
        NoLog::Pod => Failure::not_found(Kind::POD, name),
        NoLog::Container => {
            Failure::bad_request(format!("container {container} is not valid for pod {name}"))
        }
        NoLog::Waiting(reason) => Failure::bad_request(format!(
            "container \"{container}\" in pod \"{name}\" is waiting to start: {reason}"
        )),
        NoLog::NoPrevious => Failure::bad_request(format!(
            "previous terminated container \"{container}\" in pod \"{name}\" not found"
        )),
        NoLog::Node => {
            let host = text(pod, "/status/hostIP");
            let namespace = text(pod, "/metadata/namespace");
            let message = format!(
                "Get \"https://{host}:10250/containerLogs/{namespace}/{name}/{container}\": dial tcp {host}:10250: connect: no route to host"
            );
            Failure::new(500, "InternalError", message)
        }
    }
}

fn number(request: &Request, parameter: &str) -> Result<Option<usize>, Failure> {
    let given = request.param(parameter);
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| match given.parse::<i64>() {
        Ok(n) => {
            let fault = Fault::invalid(parameter, &n.into(), "must be greater than or equal to 0");
            Failure::invalid("", "PodLogOptions", "", &[fault])
        }
        Err(_) => Failure::bad_request(format!("strconv.ParseInt: parsing \"{given}\": invalid syntax")),
    })
}

fn since(request: &Request, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    if let at @ 1.. = request.param("sinceTime").len() {
        let given = &request.param("sinceTime")[..at];
        return given.parse().map(Some).map_err(|_| {
            Failure::bad_request(format!(
                "parsing time \"{given}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse"
            ))
        });
    }
    let Some(seconds) = number(request, "sinceSeconds")? else { return Ok(None) };
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Ok(Some(now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)))
}
