//! Ports of pods, led to sockets of loopback: the websockets behind `pods/portforward`.
//!
//! `http` calls it. The framing is kubelet's for `v4.channel.k8s.io`: each frame begins with its channel; port number `i`
//! has the channels `2i` for data and `2i + 1` for one error; the first frame of each tells the port, little-endian.

pub(super) mod exec;
mod pipe;
mod site;
mod spdy;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use super::api::Forward;
use super::kind::Kind;
use super::shared::Shared;
use super::store::text;
use super::world::World;
use spdy::Both;

/// Where the pods of ProxySQL are, and their port that leads somewhere.
const NAMESPACE: &str = "database";
const APP: &str = "proxysql";
const ADMIN: u16 = 6032;

/// What a port leads to.
enum Lead {
    Socket(SocketAddr),
    /// The web server in the pod.
    Site(site::Site),
}

/// What the ports of pods lead to: the admin ports of the ProxySQL pods to the simulated ones, one each; the web
/// servers of tenants to a page; all other ports are closed.
pub(super) struct Leads {
    proxies: Vec<SocketAddr>,
    /// Which pod, by its uid, stands for which of them.
    taken: Mutex<Vec<Option<String>>>,
}

impl Leads {
    /// ProxySQL pods lead to these, for as long as there are some left.
    pub(super) fn new(proxies: &[SocketAddr]) -> Self {
        Self { proxies: proxies.to_vec(), taken: Mutex::new(vec![None; proxies.len()]) }
    }

    fn of(&self, world: &World, forward: &Forward, port: u16) -> Option<Lead> {
        if let Some(site) = site::of(world, forward, port) {
            return Some(Lead::Site(site));
        }
        if forward.at.namespace != NAMESPACE || port != ADMIN {
            return None;
        }
        let pods = world.store.list(Kind::POD, Some(NAMESPACE));
        let pods = pods.filter(|pod| text(pod, "/metadata/labels/app") == APP);
        let uids: BTreeSet<&str> = pods.map(|pod| text(pod, "/metadata/uid")).collect();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for place in &mut *taken {
            if place.as_deref().is_some_and(|uid| !uids.contains(uid)) {
                *place = None;
            }
        }
        // Those that are new take the places that are free, in a fixed order.
        for uid in uids {
            if !taken.iter().flatten().any(|known| known == uid)
                && let Some(free) = taken.iter_mut().find(|place| place.is_none())
            {
                *free = Some(uid.to_owned());
            }
        }
        let at = taken.iter().position(|place| place.as_deref() == Some(&*forward.at.uid))?;
        self.proxies.get(at).copied().map(Lead::Socket)
    }
}

/// A connection that asks to become a websocket, or to speak SPDY.
pub(super) struct Upgrade {
    on: OnUpgrade,
    spdy: bool,
    key: String,
    /// Those that are offered.
    protocols: String,
}

/// What an upgrade is answered with.
pub(super) struct Accepted {
    pub(super) upgrade: &'static str,
    pub(super) headers: Vec<(HeaderName, String)>,
    /// The protocol that is spoken.
    pub(super) protocol: &'static str,
}

/// Older clients offer their protocols so; a stream of SPDY is one connection of a websocket where that is wished.
const STREAMS: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const TUNNEL: &str = "SPDY/3.1+";

impl Upgrade {
    /// The wish of a request, if it has one.
    pub(super) fn of(request: &mut http::Request<Incoming>) -> Option<Self> {
        let word = |headers: &HeaderMap, name| -> String {
            headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let headers = request.headers();
        let spdy = match word(headers, header::UPGRADE).to_ascii_lowercase().as_str() {
            "websocket" => false,
            "spdy/3.1" => true,
            _ => return None,
        };
        let key = word(headers, header::SEC_WEBSOCKET_KEY);
        let name = if spdy { STREAMS } else { header::SEC_WEBSOCKET_PROTOCOL };
        let offered = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let protocols = offered.collect::<Vec<_>>().join(",");
        Some(Self { on: hyper::upgrade::on(request), spdy, key, protocols })
    }

    fn is_websocket(&self) -> bool {
        !self.spdy
    }

    /// What it is answered with, where one of the protocols is offered: over websockets one of `sockets`, over SPDY, or over
    /// SPDY in a websocket, one of `streams`.
    pub(super) fn accept(&self, sockets: &[&'static str], streams: &[&'static str]) -> Option<Accepted> {
        let mut offered = self.protocols.split(',').map(str::trim);
        let known = |wanted: &'static [u8], list: &[&'static str]| -> Option<&'static str> {
            let prefix = std::str::from_utf8(wanted).unwrap_or_default();
            list.iter()
                .copied()
                .find(|one| self.protocols.split(',').any(|p| p.trim().strip_prefix(prefix) == Some(*one)))
        };
        if self.spdy {
            // The oldest clients offer none, and speak the first that is known.
            let protocol = if offered.any(|one| !one.is_empty()) {
                known(b"", streams)
            } else {
                streams.last().copied()
            }?;
            return Some(Accepted {
                upgrade: "SPDY/3.1",
                headers: vec![(STREAMS, protocol.to_owned())],
                protocol,
            });
        }
        if self.key.is_empty() {
            return None;
        }
        let plain = known(b"", sockets).map(|protocol| (protocol, protocol.to_owned()));
        let tunnel =
            || known(TUNNEL.as_bytes(), streams).map(|protocol| (protocol, format!("{TUNNEL}{protocol}")));
        let (protocol, named) = plain.or_else(tunnel)?;
        let accept = derive_accept_key(self.key.as_bytes());
        let headers = vec![(header::SEC_WEBSOCKET_PROTOCOL, named), (header::SEC_WEBSOCKET_ACCEPT, accept)];
        Some(Accepted { upgrade: "websocket", headers, protocol })
    }
}

/// Forwards ports over SPDY.
pub(super) async fn carry_spdy(upgrade: Upgrade, forward: Forward, leads: Arc<Leads>, shared: Arc<Shared>) {
    let Some(io) = spdy::bytes(upgrade).await else { return };
    let forward = Arc::new(forward);
    tokio::select! {
        () = exec::gone(&forward.at, &shared) => {}
        () = spdy::forward(io, forward.clone(), leads, shared.clone()) => {}
    }
}

/// Carries bytes between the websocket and what the ports lead to, until either ends or the pod does.
pub(super) async fn carry(upgrade: Upgrade, forward: Forward, leads: Arc<Leads>, shared: Arc<Shared>) {
    let Ok(upgraded) = upgrade.on.await else { return };
    tokio::select! {
        () = exec::gone(&forward.at, &shared) => {}
        _ = exchange(upgraded, &forward, &leads, &shared) => {}
    }
}

async fn exchange(upgraded: Upgraded, forward: &Forward, leads: &Leads, shared: &Shared) -> Option<()> {
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut to_client, mut from_client) = stream.split();
    let (tell, mut told) = mpsc::channel::<(u8, Vec<u8>)>(8);
    let mut reading = JoinSet::new();
    let mut writers: Vec<Option<WriteHalf<Box<dyn Both>>>> = Vec::new();
    for (channel, port) in (0u8..).step_by(2).zip(&forward.ports) {
        let [low, high] = port.to_le_bytes();
        for channel in [channel, channel + 1] {
            to_client.send(Message::binary(vec![channel, low, high])).await.ok()?;
        }
        let to = leads.of(&shared.world(), forward, *port);
        match connect(forward, to, *port).await {
            Ok(socket) => {
                let (mut read, write) = split(socket);
                writers.push(Some(write));
                let tell = tell.clone();
                reading.spawn(async move {
                    let mut buffer = vec![0; 32 * 1024];
                    while let Ok(length @ 1..) = read.read(&mut buffer).await {
                        if tell.send((channel, buffer[..length].to_vec())).await.is_err() {
                            return;
                        }
                    }
                });
            }
            Err(why) => {
                writers.push(None);
                let _ = tell.send((channel + 1, why.into_bytes())).await;
            }
        }
    }
    drop(tell);
    loop {
        tokio::select! {
            said = told.recv() => {
                let Some((channel, bytes)) = said else {
                    let _ = to_client.send(Message::Close(None)).await;
                    return Some(());
                };
                let mut frame = Vec::with_capacity(bytes.len() + 1);
                frame.push(channel);
                frame.extend(bytes);
                to_client.send(Message::binary(frame)).await.ok()?;
            }
            message = from_client.next() => match message?.ok()? {
                Message::Binary(frame) => {
                    let (channel, bytes) = frame.split_first()?;
                    let writer = writers.get_mut(usize::from(channel / 2))?;
                    if let Some(socket) = writer && socket.write_all(bytes).await.is_err() {
                        *writer = None;
                    }
                }
                Message::Close(_) => return Some(()),
                _ => {}
            },
        }
    }
}

/// Connects to what a port leads to, or says why not in the words of a container runtime.
async fn connect(forward: &Forward, to: Option<Lead>, port: u16) -> Result<Box<dyn Both>, String> {
    let refused = || {
        format!(
            "error forwarding port {port} to pod {}: failed to execute portforward in network namespace: failed to connect \
             to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused",
            forward.at.pod
        )
    };
    let at = match to.ok_or_else(refused)? {
        Lead::Socket(at) => at,
        Lead::Site(site) => return Ok(Box::new(site.connect())),
    };
    let socket = TcpStream::connect(at).await.map_err(|_| refused())?;
    let _ = socket.set_nodelay(true);
    Ok(Box::new(socket))
}
