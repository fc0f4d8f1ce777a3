//! The words in the cells of tables: what a pod's status is called, how an age is told.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::text;

/// How long ago `then` was: `45s`, `3m7s`, `2h`, `5d3h`, `<unknown>`.
pub fn age(then: &str, now: Timestamp) -> String {
    match then.parse::<Timestamp>() {
        Ok(then) => duration(now.as_second() - then.as_second()),
        Err(_) => "<unknown>".into(),
    }
}

/// What a quota counts, and how much of it is used: requests and the rest, and limits.
pub fn quota(quota: &Value) -> (String, String) {
    let mut told = (Vec::new(), Vec::new());
    for (resource, most) in quota["status"]["hard"].as_object().into_iter().flatten() {
        let used = quota["status"]["used"][resource].as_str().unwrap_or("0");
        let side = if resource.starts_with("limits.") { &mut told.1 } else { &mut told.0 };
        side.push(format!("{resource}: {used}/{}", most.as_str().unwrap_or_default()));
    }
    (told.0.join(", "), told.1.join(", "))
}

/// A duration in seconds as kubectl writes it: coarser the longer it is.
pub fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |whole: i64, unit: &str, part: i64, small: &str| {
        if part == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{part}{small}") }
    };
    match seconds {
        ..=-2 => "<invalid>".into(),
        -1..=0 => "0s".into(),
        1..120 => format!("{seconds}s"),
        _ if minutes < 10 => with(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => with(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// The names or images of a pod template's containers.
pub fn containers(spec: &Value, field: &str) -> String {
    let all = spec["containers"].as_array().into_iter().flatten();
    all.map(|c| c[field].as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
}

/// A map of strings as `a=b,c=d`.
pub fn pairs(map: &Value) -> String {
    let pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}

/// A pod's cells.
pub fn pod(pod: &Value, now: Timestamp) -> Vec<Value> {
    let statuses = || pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let total = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let ready = statuses().filter(|s| s["ready"] == true).count();
    let restarts: i64 = statuses().map(|s| s["restartCount"].as_i64().unwrap_or(0)).sum();
    let last = statuses().map(|s| text(s, "/lastState/terminated/finishedAt")).max().unwrap_or_default();
    let restarts = if restarts > 0 && !last.is_empty() {
        format!("{restarts} ({} ago)", age(last, now))
    } else {
        restarts.to_string()
    };
    let gates = pod["spec"]["readinessGates"].as_array().map_or(0, Vec::len);
    let gates = if gates == 0 { "<none>".into() } else { format!("0/{gates}") };
    vec![
        pod["metadata"]["name"].clone(),
        json!(format!("{ready}/{total}")),
        json!(pod_reason(pod)),
        json!(restarts),
        json!(age(text(pod, "/metadata/creationTimestamp"), now)),
        json!(or_none(text(pod, "/status/podIP"))),
        json!(or_none(text(pod, "/spec/nodeName"))),
        json!(or_none(text(pod, "/status/nominatedNodeName"))),
        json!(gates),
    ]
}

/// The STATUS of a pod: the phase, or the reason that says more.
fn pod_reason(pod: &Value) -> String {
    let mut reason = match text(pod, "/status/reason") {
        "" => text(pod, "/status/phase").to_owned(),
        reason => reason.to_owned(),
    };
    let conditions = || pod["status"]["conditions"].as_array().into_iter().flatten();
    if conditions().any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated") {
        reason = "SchedulingGated".into();
    }
    let inits = pod["status"]["initContainerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let total = pod["spec"]["initContainers"].as_array().map_or(0, Vec::len);
    let mut initializing = false;
    for (i, init) in inits.iter().enumerate() {
        let (ended, waiting) = (&init["state"]["terminated"], text(init, "/state/waiting/reason"));
        if ended["exitCode"] == 0 {
            continue;
        }
        reason = if ended.is_object() {
            match (text(ended, "/reason"), ended["signal"].as_i64().unwrap_or(0)) {
                ("", 0) => format!("Init:ExitCode:{}", ended["exitCode"]),
                ("", signal) => format!("Init:Signal:{signal}"),
                (why, _) => format!("Init:{why}"),
            }
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{total}")
        };
        initializing = true;
        break;
    }
    if !initializing {
        let mut running = false;
        for status in pod["status"]["containerStatuses"].as_array().into_iter().flatten().rev() {
            let ended = &status["state"]["terminated"];
            let waiting = text(status, "/state/waiting/reason");
            if !waiting.is_empty() {
                reason = waiting.to_owned();
            } else if ended.is_object() {
                reason = match (text(ended, "/reason"), ended["signal"].as_i64().unwrap_or(0)) {
                    ("", 0) => format!("ExitCode:{}", ended["exitCode"]),
                    ("", signal) => format!("Signal:{signal}"),
                    (why, _) => why.to_owned(),
                };
            } else if status["ready"] == true && status["state"]["running"].is_object() {
                running = true;
            }
        }
        if reason == "Completed" && running {
            let ready = conditions().any(|c| c["type"] == "Ready" && c["status"] == "True");
            reason = if ready { "Running" } else { "NotReady" }.into();
        }
    }
    let terminating = pod["metadata"].get("deletionTimestamp").is_some_and(|t| !t.is_null());
    if terminating && text(pod, "/status/reason") == "NodeLost" {
        reason = "Unknown".into();
    } else if terminating && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
        reason = "Terminating".into();
    }
    reason
}

/// A node's cells.
pub fn node(node: &Value, now: Timestamp) -> Vec<Value> {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.filter(|c| c["type"] == "Ready").map(|c| c["status"] == "True").next_back();
    let mut status = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    let labels = node["metadata"]["labels"].as_object();
    let mut roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    roles.sort_unstable();
    let address = |kind: &str| {
        let all = node["status"]["addresses"].as_array().into_iter().flatten();
        all.filter(|a| a["type"] == kind).map(|a| text(a, "/address")).next().unwrap_or("<none>").to_owned()
    };
    let info = |field: &str| match text(&node["status"]["nodeInfo"], field) {
        "" => "<unknown>".to_owned(),
        text => text.to_owned(),
    };
    let kernel = match text(node, "/status/nodeInfo/architecture") {
        "" => info("/kernelVersion"),
        architecture => format!("{} ({architecture})", info("/kernelVersion")),
    };
    vec![
        node["metadata"]["name"].clone(),
        json!(status),
        json!(or_none(&roles.join(","))),
        json!(age(text(node, "/metadata/creationTimestamp"), now)),
        json!(text(node, "/status/nodeInfo/kubeletVersion")),
        json!(address("InternalIP")),
        json!(address("ExternalIP")),
        json!(info("/osImage")),
        json!(kernel),
        json!(info("/containerRuntimeVersion")),
    ]
}

/// An event's cells.
pub fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    let first_text = |pointers: &[&str]| {
        pointers.iter().map(|p| text(event, p)).find(|t| !t.is_empty()).unwrap_or_default().to_owned()
    };
    let first = age(&first_text(&["/firstTimestamp", "/eventTime"]), now);
    let last = age(&first_text(&["/series/lastObservedTime", "/lastTimestamp", "/eventTime"]), now);
    let count = event["series"]["count"].as_i64().or(event["count"].as_i64()).unwrap_or(1);
    let object = format!(
        "{}/{}",
        text(event, "/involvedObject/kind").to_lowercase(),
        text(event, "/involvedObject/name")
    );
    let source = match (text(event, "/source/component"), text(event, "/source/host")) {
        ("", _) => text(event, "/reportingComponent").to_owned(),
        (component, "") => component.to_owned(),
        (component, host) => format!("{component}, {host}"),
    };
    vec![
        json!(last),
        json!(text(event, "/type")),
        json!(text(event, "/reason")),
        json!(object),
        json!(text(event, "/involvedObject/fieldPath")),
        json!(source),
        json!(text(event, "/message").trim()),
        json!(first),
        json!(count),
        event["metadata"]["name"].clone(),
    ]
}

/// A job's status and duration.
pub fn job(job: &Value, now: Timestamp) -> (String, String) {
    let is = |kind: &str| {
        let mut all = job["status"]["conditions"].as_array().into_iter().flatten();
        all.any(|c| c["type"] == kind && c["status"] == "True")
    };
    let status = if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job["metadata"].get("deletionTimestamp").is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let seconds = |pointer: &str| text(job, pointer).parse::<Timestamp>().ok().map(Timestamp::as_second);
    let taken = match (seconds("/status/startTime"), seconds("/status/completionTime")) {
        (Some(start), Some(end)) => duration(end - start),
        (Some(start), None) => duration(now.as_second() - start),
        (None, _) => String::new(),
    };
    (status.into(), taken)
}

/// A service's external address.
pub fn external(service: &Value) -> String {
    let ips: Vec<&str> =
        service["spec"]["externalIPs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match text(service, "/spec/type") {
        "LoadBalancer" => {
            let given = addresses(service);
            if given.is_empty() && ips.is_empty() {
                "<pending>".into()
            } else {
                [given, ips.join(",")].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(",")
            }
        }
        "ExternalName" => text(service, "/spec/externalName").into(),
        _ => or_none(&ips.join(",")).into(),
    }
}

/// A service's ports: `80/TCP,443:30443/TCP`.
pub fn ports(service: &Value) -> String {
    let ports: Vec<String> = service["spec"]["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| match p["nodePort"].as_i64() {
            Some(node) if node > 0 => format!("{}:{node}/{}", p["port"], text(p, "/protocol")),
            _ => format!("{}/{}", p["port"], text(p, "/protocol")),
        })
        .collect();
    or_none(&ports.join(",")).into()
}

/// The load balancer addresses of a service or an ingress.
pub fn addresses(object: &Value) -> String {
    let all = object["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
    all.map(|i| match text(i, "/ip") {
        "" => text(i, "/hostname"),
        ip => ip,
    })
    .collect::<Vec<_>>()
    .join(",")
}

/// An ingress's hosts.
pub fn hosts(ingress: &Value) -> String {
    let hosts: Vec<&str> = ingress["spec"]["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|r| text(r, "/host"))
        .filter(|h| !h.is_empty())
        .collect();
    match hosts.len() {
        0 => "*".into(),
        1..=3 => hosts.join(","),
        more => format!("{} + {} more...", hosts[..3].join(","), more - 3),
    }
}

/// The targets of an autoscaler: `memory: 62%/80%`.
pub fn targets(autoscaler: &Value) -> String {
    let current = autoscaler["status"]["currentMetrics"].as_array();
    let told: Vec<String> = autoscaler["spec"]["metrics"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|metric| {
            let name = text(metric, "/resource/name");
            let now = current.into_iter().flatten().find(|c| c["resource"]["name"] == name);
            let shown = |value: &Value| match value {
                Value::String(text) => text.clone(),
                Value::Null => "<unknown>".into(),
                other => other.to_string(),
            };
            let target = &metric["resource"]["target"];
            let now = now.map(|c| c["resource"]["current"].clone()).unwrap_or_default();
            if target["averageUtilization"].is_null() {
                format!("{name}: {}/{}", shown(&now["averageValue"]), shown(&target["averageValue"]))
            } else {
                let percent = match &now["averageUtilization"] {
                    Value::Null => "<unknown>".into(),
                    value => format!("{value}%"),
                };
                format!("{name}: {percent}/{}%", target["averageUtilization"])
            }
        })
        .collect();
    or_none(&told.join(", ")).into()
}

/// An endpoint slice's ports and addresses.
pub fn endpoints(slice: &Value) -> (String, String) {
    let ports: Vec<String> =
        slice["ports"].as_array().into_iter().flatten().map(|p| p["port"].to_string()).collect();
    let all: Vec<&str> = slice["endpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|e| e["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    let ends = match all.len() {
        0 => "<unset>".into(),
        1..=3 => all.join(","),
        more => format!("{} + {} more...", all[..3].join(","), more - 3),
    };
    (if ports.is_empty() { "<unset>".into() } else { ports.join(",") }, ends)
}

/// A volume claim's cells.
pub fn claim(claim: &Value, age: Value) -> Vec<Value> {
    let modes: Vec<&str> = claim["spec"]["accessModes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|mode| match mode {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            _ => "RWOP",
        })
        .collect();
    vec![
        claim["metadata"]["name"].clone(),
        json!(text(claim, "/status/phase")),
        json!(text(claim, "/spec/volumeName")),
        json!(text(claim, "/status/capacity/storage")),
        json!(modes.join(",")),
        json!(text(claim, "/spec/storageClassName")),
        json!("<unset>"),
        age,
        json!(text(claim, "/spec/volumeMode")),
    ]
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_as_kubectl_does() {
        let told: Vec<String> =
            [0, 45, 119, 120, 465, 3600, 10_800, 30_000, 100_000, 200_000, 800_000, 70_000_000]
                .map(duration)
                .into();
        assert_eq!(
            told,
            ["0s", "45s", "119s", "2m", "7m45s", "60m", "3h", "8h", "27h", "2d7h", "9d", "2y80d"]
        );
        assert_eq!(duration(-5), "<invalid>");
    }

    #[test]
    fn a_pods_status_says_the_most_telling_reason() {
        let of = |pod: Value| pod_reason(&pod);
        assert_eq!(of(json!({"status": {"phase": "Pending"}})), "Pending");
        let crash = json!({"status": {"phase": "Running", "containerStatuses": [
            {"state": {"running": {}}, "ready": true}, {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        assert_eq!(of(crash.clone()), "CrashLoopBackOff");
        let mut going = crash;
        going["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(of(going), "Terminating");
        let done = json!({"status": {"phase": "Succeeded", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}});
        assert_eq!(of(done), "Completed");
    }
}
