//! Reading from the API server: whole replies and endless ones, each with its deadlines.
//!
//! Used by every source of this room. Only GETs leave from here. Requests are made by hand and not through `kube::Api`,
//! for three reasons: an object that cannot be parsed must not end a list or a watch, a connection that has gone silent
//! must be noticed within a minute, and no more of a list is to be held than the object that is being read.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyDataStream, BodyExt};
use kube::{Client, client::Body, core::Status};
use tokio::time::timeout;

use super::protobuf;
use crate::wire::{self, Wire};

/// A line longer than this is not an object: etcd takes 1.5 MB.
const LONGEST_LINE: usize = 32 << 20;

/// A request that failed: the status code (0: it did not get that far), one sentence, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: u16,
    pub why: String,
    pub after: Option<Duration>,
}

impl Fault {
    pub fn transport(why: impl Into<String>) -> Self {
        Self { code: 0, why: why.into(), after: None }
    }

    pub fn of_status(status: Status) -> Self {
        let code = status.code;
        Self { code, why: wire::sentence(&kube::Error::Api(Box::new(status))), after: None }
    }

    pub fn silent() -> Self {
        Self::transport("the API server does not answer in time")
    }
}

/// A GET and its whole reply, with the headers, within `within`.
pub(super) async fn get(wire: &Wire, path: &str, within: Duration) -> Result<(HeaderMap, Bytes), Fault> {
    let request = Request::get(path).header(header::ACCEPT, "application/json").body(Body::empty());
    send(wire, request, within).await
}

/// A POST that asks a question and changes nothing (`SelfSubjectReview`).
pub(super) async fn ask(wire: &Wire, path: &str, body: String, within: Duration) -> Result<Bytes, Fault> {
    let request = Request::post(path)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.into_bytes()));
    Ok(send(wire, request, within).await?.1)
}

/// Opens a reply without an end. Its head must come within the deadline for reads.
pub(super) async fn open(wire: &Wire, path: &str) -> Result<Lines, Fault> {
    let request = Request::get(path)
        .header(header::ACCEPT, "application/json")
        // Since 1.37 each event of a watch is a gzip member of its own, of which only the first would be decoded.
        .header(header::ACCEPT_ENCODING, "identity")
        .body(Body::empty());
    let (_, body) = endless(wire, request).await?;
    Ok(Lines { body: body.into_data_stream(), buffer: BytesMut::new(), scanned: 0 })
}

/// Opens a list: as compressed as the server will, in protobuf where that is wished and it can. Its head must come within
/// the deadline for reads. Also tells whether it is protobuf.
pub(super) async fn list(wire: &Wire, path: &str, protobuf: bool) -> Result<(Chunks, bool), Fault> {
    let accept = if protobuf { PROTOBUF_OR_JSON } else { "application/json" };
    let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty());
    let (headers, body) = endless(wire, request).await?;
    Ok((Chunks(body.into_data_stream()), is_protobuf(&headers)))
}

const PROTOBUF_OR_JSON: &str = "application/vnd.kubernetes.protobuf, application/json";

fn is_protobuf(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    content_type.is_some_and(|t| t.starts_with("application/vnd.kubernetes.protobuf"))
}

/// A reply as it comes, its compression undone.
pub(super) struct Chunks(BodyDataStream<Body>);

impl Chunks {
    /// What has come next; `None` at its end. Nothing at all for a minute is a fault.
    ///
    /// # Errors
    /// The answer breaks off, and why.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let next = timeout(wire::SILENT_FOR, self.0.next()).await.map_err(|_| Fault::silent())?;
        next.transpose().map_err(|e| Fault::transport(wire::sentence(&e)))
    }
}

async fn endless(wire: &Wire, request: http::Result<Request<Body>>) -> Result<(HeaderMap, Body), Fault> {
    // A credential plug-in has a deadline of its own.
    let client = wire.client().await.map_err(Fault::transport)?;
    let begun = timeout(wire::READ_WITHIN, begin(wire, &client, request)).await;
    begun.map_err(|_| Fault::silent())?
}

async fn send(
    wire: &Wire,
    request: http::Result<Request<Body>>,
    within: Duration,
) -> Result<(HeaderMap, Bytes), Fault> {
    let client = wire.client().await.map_err(Fault::transport)?;
    let whole = async {
        let (headers, body) = begin(wire, &client, request).await?;
        let bytes = body.collect().await.map_err(|e| Fault::transport(wire::sentence(&e)))?.to_bytes();
        Ok((headers, bytes))
    };
    timeout(within, whole).await.map_err(|_| Fault::silent())?
}

async fn begin(
    wire: &Wire,
    client: &Client,
    request: http::Result<Request<Body>>,
) -> Result<(HeaderMap, Body), Fault> {
    let request = request.map_err(|e| Fault::transport(format!("the request cannot be written: {e}")))?;
    let reply = client.send(request).await.map_err(|e| Fault::transport(wire::sentence(&e)))?;
    let (head, body) = reply.into_parts();
    if head.status.is_success() {
        return Ok((head.headers, body));
    }
    if head.status.as_u16() == 401 {
        wire.renew().await;
    }
    let bytes = body.collect().await.map_err(|e| Fault::transport(wire::sentence(&e)))?.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let status = match is_protobuf(&head.headers) {
        true => protobuf::status(&bytes),
        false => serde_json::from_slice::<Status>(&bytes).ok(),
    };
    let mut status = status.unwrap_or_else(|| Status::failure(text.lines().next().unwrap_or_default(), ""));
    status.code = head.status.as_u16();
    let seconds = head.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    Err(Fault { after: seconds.map(Duration::from_secs), ..Fault::of_status(status) })
}

/// A reply cut into lines as it comes.
pub(super) struct Lines {
    body: BodyDataStream<Body>,
    buffer: BytesMut,
    /// How much of the buffer holds no line break.
    scanned: usize,
}

/// What a reply without an end has to say.
pub(super) enum Next {
    /// One line, without its end.
    Line(Bytes),
    /// What came after the last line break before the server ended the reply.
    Rest(Bytes),
    /// Nothing for as long as asked.
    Silence,
    /// The server ended it in good order.
    End,
}

impl Lines {
    /// The next line; [`Next::Silence`] when nothing at all has come for `patience`. Safe to cancel.
    ///
    /// # Errors
    /// The answer breaks off, and why.
    pub async fn next(&mut self, patience: Duration) -> Result<Next, Fault> {
        loop {
            if let Some(line) = self.buffered() {
                return Ok(Next::Line(line));
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(Fault::transport("the API server sent a line without an end"));
            }
            match timeout(patience, self.body.next()).await {
                Err(_) => return Ok(Next::Silence),
                Ok(Some(Ok(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Some(Err(e))) => return Err(Fault::transport(wire::sentence(&e))),
                Ok(None) if self.buffer.is_empty() => return Ok(Next::End),
                Ok(None) => {
                    self.scanned = 0;
                    return Ok(Next::Rest(self.buffer.split().freeze()));
                }
            }
        }
    }

    /// A line that is there already.
    pub fn buffered(&mut self) -> Option<Bytes> {
        loop {
            let end = self.buffer[self.scanned..].iter().position(|b| *b == b'\n');
            let Some(end) = end.map(|at| at + self.scanned) else {
                self.scanned = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(end + 1).freeze();
            self.scanned = 0;
            if end > 0 {
                return Some(line.slice(..end));
            }
        }
    }
}

/// Percent-encodes a value for a query.
pub(super) fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
