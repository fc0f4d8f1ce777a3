//! SPDY/3.1, as far as kubectl speaks it: streams over one connection, which is an upgraded one or a websocket's bytes.
//!
//! Forwarding a port opens two streams for each connection, `data` and `error`, told together by their request; a command
//! has one for each of its channels.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use super::pipe::{Carried, In};
use super::{Leads, Upgrade, connect};
use crate::api::Forward;
use crate::shared::Shared;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FIN: u8 = 1;
/// The longest frame that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// A stream is told to carry so much at once, in bytes.
const PIECE: usize = 32 << 10;

/// The words that headers are compressed with (draft-mbelshe-httpbis-spdy-00, 2.6.10.1): those with their lengths ...
const WORDS: [&str; 65] = [
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];
/// ... and those without.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not \
    Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov \
    Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,\
    application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,\
    utf-,*,enq=0.";

fn dictionary() -> Vec<u8> {
    let mut all = Vec::with_capacity(1423);
    for word in WORDS {
        all.extend(u32::try_from(word.len()).unwrap_or(0).to_be_bytes());
        all.extend(word.as_bytes());
    }
    all.extend(REST.as_bytes());
    all
}

type Headers = BTreeMap<String, String>;

/// What comes over the connection.
enum Frame {
    Opened(u32, Headers, bool),
    Data(u32, Vec<u8>, bool),
    Reset(u32),
    Ping(Vec<u8>),
    Away,
    Other,
}

struct Reader<R> {
    from: R,
    unpack: Decompress,
    dictionary: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// `None`: the connection has ended, or what comes is no SPDY.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 8];
        self.from.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[5]) << 16 | usize::from(head[6]) << 8 | usize::from(head[7]);
        if length > LONGEST {
            return None;
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).await.ok()?;
        let number =
            |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?) & 0x7fff_ffff);
        if head[0] & 0x80 == 0 {
            let id = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            return Some(Frame::Data(id, body, head[4] & FIN != 0));
        }
        Some(match u16::from_be_bytes([head[2], head[3]]) {
            SYN_STREAM => {
                let id = number(0)?;
                Frame::Opened(id, self.headers(body.get(10..)?)?, head[4] & FIN != 0)
            }
            RST_STREAM => Frame::Reset(number(0)?),
            PING => Frame::Ping(body),
            GOAWAY => Frame::Away,
            _ => Frame::Other,
        })
    }

    fn headers(&mut self, mut packed: &[u8]) -> Option<Headers> {
        let mut plain = Vec::new();
        loop {
            let before = (self.unpack.total_in(), self.unpack.total_out());
            plain.reserve(4096);
            let mut learnt = false;
            match self.unpack.decompress_vec(packed, &mut plain, FlushDecompress::Sync) {
                Ok(_) => {}
                Err(why) if why.needs_dictionary().is_some() => {
                    self.unpack.set_dictionary(&self.dictionary).ok()?;
                    learnt = true;
                }
                // Nothing more can be done with what is there.
                Err(_) if packed.is_empty() => break,
                Err(_) => return None,
            }
            packed = packed.get(usize::try_from(self.unpack.total_in() - before.0).ok()?..)?;
            let moved = (self.unpack.total_in(), self.unpack.total_out()) != before;
            if !moved && !learnt || plain.len() > LONGEST {
                break;
            }
        }
        let mut rest = plain.as_slice();
        let number = |rest: &mut &[u8]| {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            *rest = tail;
            usize::try_from(u32::from_be_bytes(*head)).ok()
        };
        let mut headers = Headers::new();
        for _ in 0..number(&mut rest)? {
            let mut text = || {
                let length = number(&mut rest)?;
                let (head, tail) = rest.split_at_checked(length)?;
                rest = tail;
                Some(String::from_utf8_lossy(head).into_owned())
            };
            let (name, value) = (text()?, text()?);
            headers.insert(name, value);
        }
        Some(headers)
    }
}

/// A frame of data, or the end of a stream.
fn data(id: u32, bytes: &[u8], last: bool) -> Vec<u8> {
    let mut frame = id.to_be_bytes().to_vec();
    let [_, a, b, c] = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
    frame.extend([if last { FIN } else { 0 }, a, b, c]);
    frame.extend(bytes);
    frame
}

fn control(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(kind.to_be_bytes());
    let [_, a, b, c] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    frame.extend([0, a, b, c]);
    frame.extend(body);
    frame
}

/// The session: what is sent, and the streams that are open.
struct Session<R> {
    reader: Reader<R>,
    pack: Compress,
    out: mpsc::UnboundedSender<Vec<u8>>,
    streams: HashMap<u32, mpsc::UnboundedSender<Vec<u8>>>,
}

/// A stream that was opened, and what comes on it until its end.
struct Opened {
    id: u32,
    headers: Headers,
    from: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> Session<R> {
    fn new(from: R, out: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        let dictionary = dictionary();
        let mut pack = Compress::new(Compression::default(), true);
        let _ = pack.set_dictionary(&dictionary);
        let reader = Reader { from, unpack: Decompress::new(true), dictionary };
        Self { reader, pack, out, streams: HashMap::new() }
    }

    /// The next stream that is opened; what comes on the others is handed on meanwhile. Nothing is lost when this is
    /// dropped between two frames.
    async fn next(&mut self) -> Option<Opened> {
        loop {
            match self.reader.next().await? {
                Frame::Opened(id, headers, last) => {
                    let (sender, from) = mpsc::unbounded_channel();
                    if !last {
                        self.streams.insert(id, sender);
                    }
                    let mut reply = id.to_be_bytes().to_vec();
                    let mut packed = Vec::with_capacity(64);
                    // No header.
                    let _ = self.pack.compress_vec(&[0; 4], &mut packed, FlushCompress::Sync);
                    reply.extend(packed);
                    self.out.send(control(SYN_REPLY, &reply)).ok()?;
                    return Some(Opened { id, headers, from });
                }
                Frame::Data(id, bytes, last) => {
                    if let Some(stream) = self.streams.get(&id) {
                        let _ = stream.send(bytes);
                    }
                    if last {
                        self.streams.remove(&id);
                    }
                }
                Frame::Reset(id) => _ = self.streams.remove(&id),
                Frame::Ping(id) => self.out.send(control(PING, &id)).ok()?,
                Frame::Away => return None,
                Frame::Other => {}
            }
        }
    }
}

async fn written(mut to: impl AsyncWrite + Unpin, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if to.write_all(&frame).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// The bytes of an upgraded connection, or of the websocket it has become.
pub(super) async fn bytes(upgrade: Upgrade) -> Option<Box<dyn Both>> {
    let tunnelled = upgrade.is_websocket();
    let upgraded = TokioIo::new(upgrade.on.await.ok()?);
    if !tunnelled {
        return Some(Box::new(upgraded));
    }
    let (near, far) = duplex(PIECE);
    tokio::spawn(async move {
        let (mut to_client, mut from_client) =
            WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await.split();
        let (mut read, mut write) = split(far);
        let mut buffer = vec![0; PIECE];
        loop {
            tokio::select! {
                said = read.read(&mut buffer) => match said {
                    Ok(length @ 1..) => {
                        if to_client.send(Message::binary(buffer[..length].to_vec())).await.is_err() {
                            return;
                        }
                    }
                    _ => {
                        let _ = to_client.send(Message::Close(None)).await;
                        return;
                    }
                },
                message = from_client.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        if write.write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => _ = to_client.flush().await,
                },
            }
        }
    });
    Some(Box::new(near))
}

/// What can be read and written.
pub(super) trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

/// Forwards ports: which, each pair of streams says.
pub(super) async fn forward(io: impl Both, forward: Arc<Forward>, leads: Arc<Leads>, shared: Arc<Shared>) {
    let (read, write) = split(io);
    let (out, frames) = mpsc::unbounded_channel();
    let mut session = Session::new(read, out.clone());
    let serving = async move {
        let mut halves: HashMap<String, Opened> = HashMap::new();
        let mut connections = JoinSet::new();
        while let Some(opened) = session.next().await {
            let request = opened.headers.get("requestid").cloned().unwrap_or_default();
            let Some(other) = halves.remove(&request) else {
                halves.insert(request, opened);
                continue;
            };
            let is_data = |one: &Opened| one.headers.get("streamtype").is_some_and(|kind| kind == "data");
            let (data_stream, errors) =
                if is_data(&opened) { (opened, other.id) } else { (other, opened.id) };
            let port = data_stream.headers.get("port").and_then(|port| port.parse().ok()).unwrap_or(0);
            let (forward, leads, shared, out) = (forward.clone(), leads.clone(), shared.clone(), out.clone());
            connections.spawn(async move {
                let to = leads.of(&shared.world(), &forward, port);
                match connect(&forward, to, port).await {
                    Ok(socket) => exchange(socket, data_stream, &out).await,
                    Err(why) => {
                        let _ = out.send(data(errors, why.as_bytes(), false));
                        let _ = out.send(data(data_stream.id, &[], true));
                    }
                }
                let _ = out.send(data(errors, &[], true));
            });
        }
    };
    tokio::select! {
        () = serving => {}
        () = written(write, frames) => {}
    }
}

async fn exchange(socket: impl Both, mut stream: Opened, out: &mpsc::UnboundedSender<Vec<u8>>) {
    let (mut read, mut write) = split(socket);
    let to_pod = async {
        while let Some(bytes) = stream.from.recv().await {
            if write.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = write.shutdown().await;
    };
    let from_pod = async {
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = read.read(&mut buffer).await {
            if out.send(data(stream.id, &buffer[..length], false)).is_err() {
                return;
            }
        }
        let _ = out.send(data(stream.id, &[], true));
    };
    tokio::join!(to_pod, from_pod);
}

/// The channels of a command, by the types of their streams.
const CHANNELS: [&str; 5] = ["stdin", "stdout", "stderr", "error", "resize"];

/// Carries the channels of a command, of which there are so many, until either end is through.
pub(super) async fn channels(io: impl Both, streams: usize, mut carried: Carried) {
    let (read, write) = split(io);
    let (out, frames) = mpsc::unbounded_channel();
    let mut session = Session::new(read, out.clone());
    let serving = async move {
        let mut ids = HashMap::new();
        let mut listening = JoinSet::new();
        while ids.len() < streams {
            let Some(mut opened) = session.next().await else { return };
            let kind = opened.headers.get("streamtype").map_or("", String::as_str);
            let Some(channel) = CHANNELS.iter().position(|known| *known == kind) else { continue };
            let channel = u8::try_from(channel).unwrap_or(u8::MAX);
            ids.insert(channel, opened.id);
            let from = carried.from.clone();
            listening.spawn(async move {
                while let Some(bytes) = opened.from.recv().await {
                    let _ = from.send(In::Bytes(channel, bytes));
                }
                let _ = from.send(In::End(channel));
            });
        }
        // The readers hold the rest of the senders: the client is gone when its connection is.
        drop(carried.from);
        let reading = async move { while session.next().await.is_some() {} };
        tokio::pin!(reading);
        loop {
            tokio::select! {
                biased;
                said = carried.to.recv() => match said {
                    Some((channel, bytes)) => {
                        if let Some(id) = ids.get(&channel) {
                            let _ = out.send(data(*id, &bytes, false));
                        }
                    }
                    None => {
                        ids.values().for_each(|id| _ = out.send(data(*id, &[], true)));
                        break;
                    }
                },
                () = &mut reading => return,
            }
        }
        // The client closes the connection when it has all it waits for.
        reading.await;
    };
    tokio::select! {
        () = serving => {}
        () = written(write, frames) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn headers_are_read_as_others_compress_them() {
        assert_eq!(dictionary().len(), 1423);
        let mut pack = Compress::new(Compression::default(), true);
        assert_eq!(
            pack.set_dictionary(&dictionary()).unwrap(),
            0xe3c6_a7c2,
            "the checksum everybody knows it by"
        );
        let mut frames = Vec::new();
        for (id, port) in [(1_u32, "80"), (3, "8080")] {
            let mut plain = 2_u32.to_be_bytes().to_vec();
            for text in ["port", port, "streamtype", "data"] {
                plain.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                plain.extend(text.as_bytes());
            }
            let mut body = id.to_be_bytes().to_vec();
            body.extend([0; 6]);
            let mut packed = Vec::with_capacity(256);
            pack.compress_vec(&plain, &mut packed, FlushCompress::Sync).unwrap();
            body.extend(packed);
            frames.extend(control(SYN_STREAM, &body));
            frames.extend(data(id, b"hello", true));
        }
        let (out, mut sent) = mpsc::unbounded_channel();
        let mut session = Session::new(frames.as_slice(), out);
        for port in ["80", "8080"] {
            let opened = session.next().await.expect("a stream");
            assert_eq!(opened.headers.get("port").map(String::as_str), Some(port));
            assert_eq!(sent.recv().await.expect("a reply")[..4], [0x80, 3, 0, 2]);
        }
        assert!(session.next().await.is_none());
    }
}
