//! Replies: whole ones, and those that go on, watches, logs and forwarded ports.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{BOOKMARK, Body, Inner, WATCH_ENDS, lock};
use crate::api::exec::{self, Attach, Exec, PROTOCOLS};
use crate::api::portforward::{self, PROTOCOL, STREAMS};
use crate::api::{Failure, Follow, Forward, Pieces, Reply, Surroundings, Watch};
use crate::forward::{self, Accepted, Upgrade};

/// Replies from this size on are compressed (`defaultGzipThresholdBytes` of the API server), at its level.
const GZIP_FROM: usize = 128 * 1024;
const GZIP_LEVEL: u32 = 1;

pub(super) fn refusal(inner: &Inner, failure: &Failure) -> Response<Body> {
    let body = Reply::value(failure.code, failure.status()).payload.bytes();
    whole(inner, failure.code, "application/json", failure.retry_after, body)
}

pub(super) fn whole(
    inner: &Inner,
    status: u16,
    content_type: &'static str,
    retry_after: Option<u32>,
    body: Vec<u8>,
) -> Response<Body> {
    let mut response = head(inner, status, content_type, Full::new(Bytes::from(body)).boxed_unsync());
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A body that is written out. What is large is compressed for who takes it, as a real API server does with all but watches
/// and logs.
pub(super) fn sized(
    inner: &Inner,
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    gzip: bool,
) -> Response<Body> {
    if !gzip || body.len() < GZIP_FROM {
        return whole(inner, status, content_type, None, body);
    }
    let mut response = whole(inner, status, content_type, None, Vec::new());
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::new(GZIP_LEVEL));
    // Writing into memory does not fail.
    let body = match gzip.write_all(&body).and_then(|()| gzip.finish()) {
        Ok(body) => {
            gzipped(&mut response);
            body
        }
        Err(_) => body,
    };
    *response.body_mut() = Full::new(Bytes::from(body)).boxed_unsync();
    response
}

/// A list as it is written out: what is longer than one piece goes on its way before the rest is written, compressed for
/// who takes it.
pub(super) fn listed(
    inner: &Inner,
    status: u16,
    content_type: &'static str,
    mut pieces: Pieces,
    gzip: bool,
) -> Response<Body> {
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else { return whole(inner, status, content_type, None, first) };
    let pieces = [first, second].into_iter().chain(pieces);
    let frame = |piece: Vec<u8>| Ok::<_, Infallible>(Frame::data(Bytes::from(piece)));
    if !gzip {
        let body = StreamBody::new(stream::iter(pieces.map(frame)));
        return head(inner, status, content_type, body.boxed_unsync());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    // Writing into memory does not fail.
    let pieces = pieces.map(Some).chain([None]).map(move |piece| {
        let _ = match piece {
            Some(piece) => encoder.write_all(&piece),
            None => encoder.try_finish(),
        };
        std::mem::take(encoder.get_mut())
    });
    let body = StreamBody::new(stream::iter(pieces.filter(|p| !p.is_empty()).map(frame)));
    let mut response = head(inner, status, content_type, body.boxed_unsync());
    gzipped(&mut response);
    response
}

/// Says that the body is compressed.
fn gzipped(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    headers.insert(header::VARY, header::HeaderValue::from_static("Accept-Encoding"));
}

/// A response with the headers every response has; `Date` is the world's time.
fn head(inner: &Inner, status: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let now = inner.shared.world().store.now();
    let date = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    if let Ok(date) = date.parse() {
        headers.insert(header::DATE, date);
    }
    response
}

/// A stream of events that follows the world.
pub(super) fn watched(inner: &Arc<Inner>, watch: Watch) -> Response<Body> {
    struct State {
        inner: Arc<Inner>,
        watch: Watch,
        revision: watch::Receiver<u64>,
        silent: watch::Receiver<bool>,
        ends: Instant,
        bookmark: Instant,
        ended: bool,
    }
    let now = Instant::now();
    let state = State {
        revision: inner.shared.revision.subscribe(),
        silent: inner.faults.silence(),
        ends: now + watch.timeout.map_or(WATCH_ENDS, |s| Duration::from_secs(s.min(WATCH_ENDS.as_secs()))),
        bookmark: now + BOOKMARK,
        inner: inner.clone(),
        watch,
        ended: false,
    };
    let events = stream::unfold(state, |mut s| async move {
        loop {
            if s.ended {
                return None;
            }
            if s.silent.wait_for(|silent| !silent).await.is_err() {
                return None;
            }
            s.revision.borrow_and_update();
            let polled = {
                let malformed = s.inner.faults.malformed();
                let around = Surroundings { users: &s.inner.users, malformed: &malformed };
                let world = s.inner.shared.world();
                s.watch.poll(&world.store, &around)
            };
            s.ended = polled.end;
            let mut bytes = polled.bytes;
            if bytes.is_empty() {
                tokio::select! {
                    moved = s.revision.changed() => s.ended = moved.is_err(),
                    _ = s.silent.changed() => {}
                    () = sleep_until(s.ends) => {
                        s.ended = true;
                        bytes = s.watch.mark();
                    }
                    () = sleep_until(s.bookmark) => {
                        s.bookmark = Instant::now() + BOOKMARK;
                        bytes = s.watch.mark();
                    }
                }
            }
            if !bytes.is_empty() {
                return Some((Ok::<_, Infallible>(Frame::data(Bytes::from(bytes))), s));
            }
        }
    });
    head(inner, 200, "application/json", StreamBody::new(events).boxed_unsync())
}

/// A log that goes on until its container ends.
pub(super) fn followed(inner: &Arc<Inner>, mut follow: Follow) -> Response<Body> {
    let first = std::mem::take(&mut follow.first);
    let silent = inner.faults.silence();
    let state = (inner.clone(), follow, silent, Some(first));
    let lines = stream::unfold(state, |(inner, mut follow, mut silent, mut first)| async move {
        loop {
            if silent.wait_for(|silent| !silent).await.is_err() {
                return None;
            }
            let bytes = match first.take() {
                Some(first) => first,
                None => {
                    sleep(Follow::EVERY).await;
                    let world = inner.shared.world();
                    follow.poll(&world)?
                }
            };
            if !bytes.is_empty() {
                let frame = Frame::data(Bytes::from(bytes));
                return Some((Ok::<_, Infallible>(frame), (inner, follow, silent, None)));
            }
        }
    });
    head(inner, 200, "text/plain", StreamBody::new(lines).boxed_unsync())
}

/// Ports of a pod over the connection.
pub(super) fn forwarded(inner: &Arc<Inner>, forward: Forward, upgrade: Option<Upgrade>) -> Response<Body> {
    // A websocket names its ports before, SPDY with each stream.
    let sockets: &[&'static str] = if forward.ports.is_empty() { &[] } else { &[PROTOCOL] };
    let Some(upgrade) = upgrade else { return unasked(inner) };
    let Some(accepted) = upgrade.accept(sockets, &[STREAMS]) else {
        return refusal(inner, &portforward::refused(&forward));
    };
    let (leads, shared) = (inner.leads.clone(), inner.shared.clone());
    if accepted.protocol == PROTOCOL {
        upgraded(inner, accepted, forward::carry(upgrade, forward, leads, shared))
    } else {
        upgraded(inner, accepted, forward::carry_spdy(upgrade, forward, leads, shared))
    }
}

/// A command in a container, over the connection.
pub(super) fn executed(inner: &Arc<Inner>, exec: Exec, upgrade: Option<Upgrade>) -> Response<Body> {
    let shared = inner.shared.clone();
    let Some(upgrade) = upgrade else { return unasked(inner) };
    match upgrade.accept(&PROTOCOLS, &PROTOCOLS) {
        Some(accepted) => upgraded(inner, accepted, forward::exec::run(upgrade, exec, shared)),
        None => refusal(inner, &exec::refused()),
    }
}

/// The first process of a container, over the connection.
pub(super) fn attached(inner: &Arc<Inner>, attach: Attach, upgrade: Option<Upgrade>) -> Response<Body> {
    let shared = inner.shared.clone();
    let Some(upgrade) = upgrade else { return unasked(inner) };
    match upgrade.accept(&PROTOCOLS, &PROTOCOLS) {
        Some(accepted) => upgraded(inner, accepted, forward::exec::attach(upgrade, attach, shared)),
        None => refusal(inner, &exec::refused()),
    }
}

fn unasked(inner: &Arc<Inner>) -> Response<Body> {
    refusal(inner, &Failure::bad_request("Upgrade request required"))
}

/// The connection becomes another, which `carry` looks after.
fn upgraded(
    inner: &Arc<Inner>,
    accepted: Accepted,
    carry: impl Future<Output = ()> + Send + 'static,
) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static(accepted.upgrade));
    for (name, value) in accepted.headers {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    let mut forwards = lock(&inner.forwards);
    while forwards.try_join_next().is_some() {}
    forwards.spawn(carry);
    response
}
