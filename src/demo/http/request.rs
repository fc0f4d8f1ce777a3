//! One request: who asks, what is asked, and the faults it meets.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::sleep;

use super::reply::{attached, executed, followed, forwarded, listed, refusal, sized, watched};
use super::{Body, Inner, LARGEST, REMEMBERED, RequestLine, lock};
use crate::api::{self, Answer, Failure, Form, Payload, Request, Surroundings, User, protobuf};
use crate::faults::Outcome;
use crate::forward::Upgrade;

/// Groups of well-known extensions of the API, which this cluster does not have.
const EXTENSIONS: [&str; 2] = ["gateway.networking.k8s.io", "cert-manager.io"];

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(super) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for Closed {}

pub(super) async fn serve(
    inner: Arc<Inner>,
    mut request: http::Request<Incoming>,
) -> Result<Response<Body>, Closed> {
    let upgrade = Upgrade::of(&mut request);
    let (parts, body) = request.into_parts();
    let mut line = RequestLine {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        accept: word(&parts.headers, header::ACCEPT),
        status: 0,
        user: String::new(),
    };
    let gzip = word(&parts.headers, header::ACCEPT_ENCODING).split(',').any(|t| t.trim().starts_with("gzip"));
    let answered = match read(&inner, &parts, body, &mut line).await {
        Ok(request) => {
            let watching = request.is_watch() || request.is_follow();
            let (delay, outcome) = inner.faults.meet(&line.method, parts.uri.path(), watching);
            if !delay.is_zero() {
                sleep(delay).await;
            }
            match outcome {
                Outcome::Answer => Ok(answer(&inner, request, upgrade, gzip)),
                Outcome::Status(code, retry_after) => Ok(refusal(&inner, &faulty(code, retry_after))),
                Outcome::Hang { before } => {
                    if !before {
                        answer(&inner, request, None, false);
                    }
                    std::future::pending().await
                }
                Outcome::Cut { before } => {
                    if !before {
                        answer(&inner, request, None, false);
                    }
                    Err(Closed)
                }
            }
        }
        Err(failure) => Ok(refusal(&inner, &failure)),
    };
    line.status = answered.as_ref().map_or(0, |r| r.status().as_u16());
    tracing::debug!(
        method = line.method,
        path = line.path,
        status = line.status,
        user = line.user,
        "request"
    );
    // What an extension would bring is looked for by its clients: that it is not there is no lack.
    let extension = EXTENSIONS.iter().any(|group| line.path.starts_with(&format!("/apis/{group}/")));
    if matches!(line.status, 405 | 406 | 415 | 501) || line.status == 404 && is_text(&answered) && !extension
    {
        tracing::warn!(method = line.method, path = line.path, status = line.status, "not supported");
    }
    let mut requests = lock(&inner.requests);
    if requests.len() == REMEMBERED {
        requests.pop_front();
    }
    requests.push_back(line);
    answered
}

fn is_text(answered: &Result<Response<Body>, Closed>) -> bool {
    let content_type = answered.as_ref().ok().and_then(|r| r.headers().get(header::CONTENT_TYPE));
    content_type.is_some_and(|t| t.as_bytes().starts_with(b"text/plain"))
}

/// A failure that a fault asks for.
fn faulty(code: u16, retry_after: Option<u32>) -> Failure {
    let (reason, message) = match code {
        429 => ("TooManyRequests", "Too many requests, please try again later."),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        _ => ("InternalError", "Internal error occurred: the fault that was asked for"),
    };
    Failure { retry_after, ..Failure::new(code, reason, message) }
}

/// What a header says; "" where it is not there.
fn word(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

/// Authenticates a request and reads its body.
async fn read(
    inner: &Inner,
    parts: &http::request::Parts,
    body: Incoming,
    line: &mut RequestLine,
) -> Result<Request, Failure> {
    let word = |name: header::HeaderName| word(&parts.headers, name);
    let authorization = word(header::AUTHORIZATION);
    let user = authorization
        .strip_prefix("Bearer ")
        .and_then(|token| inner.users.of_token(token.trim()))
        .ok_or_else(|| Failure::new(401, "Unauthorized", "Unauthorized"))?;
    line.user.clone_from(&user.name);
    let user = impersonated(user, &parts.headers)?;
    line.user.clone_from(&user.name);
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            let message = format!("Request entity too large: limit is {LARGEST}");
            Failure::new(413, "RequestEntityTooLarge", message)
        } else {
            Failure::bad_request(format!("the body could not be read: {error}"))
        }
    })?;
    let query = parts.uri.query().unwrap_or_default();
    let query = query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .map(|(name, value)| (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " "))))
        .collect();
    Ok(Request {
        method: parts.method.to_string(),
        path: decoded(parts.uri.path()),
        query,
        accept: word(header::ACCEPT),
        content_type: word(header::CONTENT_TYPE),
        user_agent: word(header::USER_AGENT),
        body: body.to_bytes(),
        user,
    })
}

/// The user of the `Impersonate-*` headers; only who may do everything may be somebody else.
fn impersonated(user: User, headers: &HeaderMap) -> Result<User, Failure> {
    let Some(name) = headers.get("impersonate-user").and_then(|v| v.to_str().ok()) else { return Ok(user) };
    if !user.groups.iter().any(|g| g == "system:masters") {
        let message = format!(
            "users \"{name}\" is forbidden: User \"{}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            user.name
        );
        return Err(Failure::new(403, "Forbidden", message));
    }
    let groups = headers.get_all("impersonate-group").iter().filter_map(|v| v.to_str().ok());
    let mut groups: Vec<String> = groups.map(Into::into).collect();
    if !groups.iter().any(|g| g == "system:authenticated") {
        groups.push("system:authenticated".into());
    }
    Ok(User { name: name.into(), groups })
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
        match (bytes[i], hex(bytes.get(i + 1)), hex(bytes.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                i += 3;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Lets the API answer, and tells watches and the clock when the world was changed.
fn answer(inner: &Arc<Inner>, request: Request, upgrade: Option<Upgrade>, gzip: bool) -> Response<Body> {
    let shared = &inner.shared;
    let malformed = inner.faults.malformed();
    let around = Surroundings { users: &inner.users, malformed: &malformed };
    let mut world = shared.world();
    let answered = api::answer(&mut world, &around, &request);
    let wrote = matches!(&answered, Ok(Answer::Reply(reply)) if reply.wrote);
    if wrote {
        world.react();
        shared.revision.send_replace(world.store.revision());
    }
    drop(world);
    if wrote {
        shared.wrote.notify_one();
    }
    match answered {
        Ok(Answer::Reply(reply)) => {
            let mut response = match reply.payload {
                Payload::List(listing) if listing.form == Form::Plain => {
                    let message = protobuf::is_wished(&request.accept).then(|| protobuf::list(&listing));
                    match message.flatten() {
                        Some(body) => sized(inner, reply.status, protobuf::MEDIA_TYPE, body, gzip),
                        None => listed(inner, reply.status, reply.content_type, listing.pieces(), gzip),
                    }
                }
                payload => sized(inner, reply.status, reply.content_type, payload.bytes(), gzip),
            };
            for warning in &reply.warnings {
                let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
                if let Ok(value) = format!("299 - \"{escaped}\"").parse() {
                    response.headers_mut().append(header::WARNING, value);
                }
            }
            response
        }
        Ok(Answer::Watch(watch)) => watched(inner, *watch),
        Ok(Answer::Follow(follow)) => followed(inner, *follow),
        Ok(Answer::Forward(forward)) => forwarded(inner, *forward, upgrade),
        Ok(Answer::Exec(exec)) => executed(inner, *exec, upgrade),
        Ok(Answer::Attach(attach)) => attached(inner, *attach, upgrade),
        Err(failure) => refusal(inner, &failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decoded("app%20in%20%28a%2Cb%29"), "app in (a,b)");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%C3%A9"), "%zzé");
    }
}
