//! What stands around the cluster, on loopback: proxies that speak TLS for its hosts, the ingress controllers of its nodes,
//! and the registry that its images come from. Only where the scenario has them.
//!
//! ```text
//!  client --TLS--> edge (two, and the floating address) --> hosts (what the Ingresses of the world say)
//!  client --HTTP-> stub_status of each edge; ingress controller of each node
//!  client --TLS--> registry (what the world's images are made of)
//! ```
//!
//! The state is in the world ([`Around`]); only what is here knows sockets.

mod authority;
mod hosts;
mod registry;
mod web;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use super::kind::Kind;
use super::port::Port;
use super::scenario::{PULLER, REGISTRY};
use super::shared::Shared;
use super::value::name;
use super::world::Around;
use authority::Authority;
use hosts::Hosts;

/// The ingress controllers of so many nodes have a port of their own.
const NODES: usize = 24;

/// A proxy in front of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// Where it speaks TLS.
    pub address: SocketAddr,
    /// Where it tells `/stub_status`, without TLS.
    pub status: SocketAddr,
}

/// The registry of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRegistry {
    /// Its name in the references of images.
    pub name: &'static str,
    /// Where it listens, with TLS.
    pub address: SocketAddr,
    /// User and password of who may pull.
    pub login: (&'static str, &'static str),
}

/// What stands around a running cluster. Dropping it ends every connection.
pub struct Outside {
    /// The certificate of the authority of all of them, as PEM.
    pub authority: String,
    /// The proxies in front; the first has the floating address at the beginning.
    pub edges: Vec<Proxy>,
    /// The floating address.
    pub floating: Option<SocketAddr>,
    /// The ingress controllers by their nodes, without TLS.
    pub nodes: Vec<(String, SocketAddr)>,
    /// The registry.
    pub registry: Option<ImageRegistry>,
    tasks: Vec<JoinHandle<()>>,
}

/// What all connections share.
struct Site {
    shared: Arc<Shared>,
    authority: Authority,
    hosts: Mutex<Hosts>,
    /// Of each proxy: connections and requests so far.
    counted: Vec<(AtomicU64, AtomicU64)>,
}

/// Who is spoken to.
#[derive(Clone, Debug)]
enum Door {
    /// A proxy by its place.
    Edge(usize),
    /// The proxy that has the floating address.
    Floating,
    /// The status of a proxy.
    Status(usize),
    /// The ingress controller of a node.
    Node(String),
    /// The registry.
    Registry,
}

impl Door {
    /// Whether anybody listens there.
    fn is_open(&self, around: &Around) -> bool {
        let edge = |at: usize| {
            around.edges.as_ref().and_then(|edges| edges.proxies.get(at)).is_some_and(|edge| edge.up)
        };
        match self {
            Self::Edge(at) | Self::Status(at) => edge(*at),
            Self::Floating => around.edges.as_ref().and_then(|edges| edges.floating).is_some_and(edge),
            Self::Node(_) | Self::Registry => true,
        }
    }
}

impl Outside {
    /// Starts what the world has around it; `None`: it has nothing.
    ///
    /// # Errors
    /// A port of loopback cannot be had, or a certificate cannot be made.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Option<Self>> {
        let (around, now, nodes) = {
            let world = shared.world();
            let nodes = world.store.list(Kind::NODE, None).take(NODES);
            (world.around.clone(), world.now(), nodes.map(|node| name(node).to_owned()).collect::<Vec<_>>())
        };
        if around == Around::default() {
            return Ok(None);
        }
        let authority = Authority::new(now).map_err(io::Error::other)?;
        let names: Vec<_> = around.edges.iter().flat_map(|edges| &edges.proxies).collect();
        let mut outside = Self {
            authority: authority.pem.clone(),
            edges: Vec::new(),
            floating: None,
            nodes: Vec::new(),
            registry: None,
            tasks: Vec::new(),
        };
        let counted = names.iter().map(|_| (AtomicU64::new(0), AtomicU64::new(0))).collect();
        let site = Arc::new(Site { shared: shared.clone(), authority, hosts: Mutex::default(), counted });
        for (at, edge) in names.iter().enumerate() {
            let address = outside.open(&site, &around, Door::Edge(at))?;
            let status = outside.open(&site, &around, Door::Status(at))?;
            outside.edges.push(Proxy { name: edge.name.clone(), address, status });
        }
        if around.edges.is_some() {
            outside.floating = Some(outside.open(&site, &around, Door::Floating)?);
            for node in nodes {
                let address = outside.open(&site, &around, Door::Node(node.clone()))?;
                outside.nodes.push((node, address));
            }
        }
        if around.registry.is_some() {
            let address = outside.open(&site, &around, Door::Registry)?;
            outside.registry = Some(ImageRegistry { name: REGISTRY, address, login: PULLER });
        }
        Ok(Some(outside))
    }

    /// Listens for one of them.
    fn open(&mut self, site: &Arc<Site>, around: &Around, door: Door) -> io::Result<SocketAddr> {
        let mut port = Port::reserve()?;
        let address = port.address;
        // Open before anybody is told the address.
        port.set(door.is_open(around))?;
        self.tasks.push(tokio::spawn(serve(port, site.clone(), door)));
        Ok(address)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes connections while somebody listens there.
async fn serve(mut port: Port, site: Arc<Site>, door: Door) {
    let mut around = site.shared.around.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let open = door.is_open(&around.borrow_and_update());
        if port.set(open).is_err() {
            // Somebody else holds the port for the moment.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        }
        if !open {
            connections.abort_all();
        }
        tokio::select! {
            changed = around.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            accepted = port.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(site.clone(), door.clone(), stream));
                }
                // Out of descriptors: wait for some to be closed.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }
}

async fn connection(site: Arc<Site>, door: Door, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    match door {
        Door::Edge(at) => web::edge(site, at, stream).await,
        Door::Floating => {
            let at = site.shared.world().around.edges.as_ref().and_then(|edges| edges.floating);
            if let Some(at) = at {
                web::edge(site, at, stream).await;
            }
        }
        Door::Status(at) => web::status(site, at, stream).await,
        Door::Node(node) => web::node(site, node, stream).await,
        Door::Registry => registry::connection(site, stream).await,
    }
}
