//! A port of a pod as an address of loopback, carried by the API server: what `kubectl port-forward` does.
//!
//! Each connection to the address is a port-forward of its own, so that a pod or an API server that went away costs one
//! connection, and the next one finds out by itself. Whoever is on this machine can connect to the address; it leads to a
//! login, not past one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, core::Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

pub use super::failure::Kind;
use super::{CONNECT_WITHIN, Wire, failure::Failure, frames::Frames, sentence};

/// A way to one port of one pod. It ends when this is dropped.
pub struct Tunnel {
    address: SocketAddr,
    end: Arc<End>,
    _accepting: JoinSet<()>,
}

/// The other end.
struct End {
    wire: Wire,
    namespace: String,
    pod: String,
    port: u16,
    far: Mutex<Far>,
    /// How many connections there are; told whenever anything has changed.
    open: watch::Sender<usize>,
}

/// The far end.
#[derive(Default)]
enum Far {
    /// It is open, or nobody has wanted it yet.
    #[default]
    Fine,
    /// It has been asked for.
    Opening,
    /// Why the last connection did not come through.
    Failed(Failure),
}

impl Tunnel {
    /// Opens the near end; the API server is asked with the first connection.
    ///
    /// # Errors
    /// Loopback cannot be listened on.
    pub async fn open(wire: Wire, namespace: &str, pod: &str, port: u16) -> Result<Self, Failure> {
        Self::at(wire, namespace, pod, port, 0).await
    }

    /// The same with the near end at a port of loopback; 0: any that is free.
    ///
    /// # Errors
    /// That port cannot be listened on.
    pub async fn at(wire: Wire, namespace: &str, pod: &str, port: u16, local: u16) -> Result<Self, Failure> {
        let cannot = |e: io::Error| {
            let mut kind = Kind::Other;
            let text = match e.kind() {
                io::ErrorKind::AddrInUse => {
                    kind = Kind::Taken;
                    format!("port {local} of 127.0.0.1 is taken: choose another, or :{port} for any free one")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("port {local} of 127.0.0.1 is for root alone: choose one above 1023")
                }
                _ => format!("port {local} of 127.0.0.1 cannot be listened on: {e}"),
            };
            Failure { kind, text }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, local)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let end = Arc::new(End {
            wire,
            namespace: namespace.into(),
            pod: pod.into(),
            port,
            far: Mutex::default(),
            open: watch::Sender::new(0),
        });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, end.clone()));
        Ok(Self { address, end, _accepting: accepting })
    }

    /// The first port of loopback after that one that nobody has, of the next hundred.
    pub async fn free_after(local: u16) -> Option<u16> {
        for port in (local.checked_add(1)?..=u16::MAX).take(100) {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                return Some(port);
            }
        }
        None
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are: each change of it, and of [`Tunnel::trouble`], is told.
    pub fn connections(&self) -> watch::Receiver<usize> {
        self.end.open.subscribe()
    }

    /// Why the last connection did not come through, or has not yet; `None` when it did.
    pub fn trouble(&self) -> Option<Failure> {
        match &*self.end.far() {
            Far::Opening => Some(self.end.failure(Kind::Unreachable, "the API server has not opened it yet")),
            Far::Failed(failure) => Some(failure.clone()),
            Far::Fine => None,
        }
    }

    /// Why the last connection did not come through; one that is being opened still may.
    pub fn failure(&self) -> Option<Failure> {
        match &*self.end.far() {
            Far::Failed(failure) => Some(failure.clone()),
            Far::Opening | Far::Fine => None,
        }
    }
}

impl End {
    fn far(&self) -> MutexGuard<'_, Far> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> String {
        format!("{}/{}:{}", self.namespace, self.pod, self.port)
    }

    fn failure(&self, kind: Kind, why: &str) -> Failure {
        Failure { kind, text: format!("the port-forward to {}: {why}", self.place()) }
    }

    fn failed(&self, kind: Kind, why: &str) {
        self.is(Far::Failed(self.failure(kind, why)));
    }

    fn is(&self, far: Far) {
        *self.far() = far;
        self.open.send_modify(|_| {});
    }

    fn count(&self, by: isize) {
        self.open.send_modify(|open| *open = open.saturating_add_signed(by));
    }

    /// Asks the API server for the port.
    async fn forward(&self) -> Result<Frames, (Kind, String)> {
        let client = self.wire.client().await.map_err(|why| (Kind::Unreachable, why))?;
        let request = Request::new(Pod::url_path(&(), Some(&self.namespace)))
            .portforward(&self.pod, &[self.port])
            .map_err(|why| (Kind::Other, why.to_string()))?;
        match timeout(CONNECT_WITHIN, Frames::open(&client, request)).await {
            Ok(Ok(frames)) => Ok(frames),
            Ok(Err(error)) => {
                let mut kind = Kind::Unreachable;
                if let kube::Error::Api(status) = &error {
                    match status.code {
                        401 => self.wire.renew().await,
                        403 => kind = Kind::Denied,
                        _ => {}
                    }
                }
                Err((kind, sentence(&error)))
            }
            Err(_) => {
                let seconds = CONNECT_WITHIN.as_secs();
                Err((Kind::Unreachable, format!("the API server has not opened it within {seconds} s")))
            }
        }
    }

    async fn carry(&self, near: TcpStream) {
        self.is(Far::Opening);
        let frames = match self.forward().await {
            Ok(frames) => frames,
            Err((kind, why)) => return self.failed(kind, &why),
        };
        self.is(Far::Fine);
        match exchange(near, frames).await {
            Ok(()) => {}
            Err(said) if said.contains("refused") => {
                self.failed(Kind::Refused, "nothing listens on that port of the pod");
            }
            Err(said) => {
                self.failed(Kind::Unreachable, &said.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
}

/// The channels of the only port: what is carried, and why it is not.
const DATA: u8 = 0;
const ERROR: u8 = 1;

/// Why nothing comes any more.
enum Ended {
    Lost(String),
    Said(String),
}

/// Carries both ways until either end is through. The error says why the far one is.
async fn exchange(near: TcpStream, mut frames: Frames) -> Result<(), String> {
    let out = frames.out();
    let (mut read, mut write) = near.into_split();
    let sending = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length @ 1..) = read.read(&mut buffer).await {
            if !out.send(DATA, &buffer[..length]).await {
                return;
            }
        }
        out.end(DATA).await;
    };
    let receiving = async {
        // The first frame of each channel names the port.
        let mut begun = [false; 2];
        loop {
            let next = frames.next().await.map_err(Ended::Lost)?;
            let Some((channel, bytes)) = next else { return Ok(()) };
            let Some(begun) = begun.get_mut(usize::from(channel)) else { continue };
            match (std::mem::replace(begun, true), channel) {
                (false, _) => {}
                (true, ERROR) => return Err(Ended::Said(String::from_utf8_lossy(&bytes).into_owned())),
                (true, _) => {
                    if write.write_all(&bytes).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    };
    tokio::pin!(sending, receiving);
    let mut sent = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut receiving => return match ended {
                // Who has said good-bye may be left without a word.
                Err(Ended::Lost(_)) if sent => Ok(()),
                Err(Ended::Lost(why) | Ended::Said(why)) => Err(why),
                Ok(()) => Ok(()),
            },
            () = &mut sending, if !sent => sent = true,
        }
    }
}

async fn accept(listener: TcpListener, end: Arc<End>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((near, _)) = accepted {
                let _ = near.set_nodelay(true);
                let end = end.clone();
                connections.spawn(async move {
                    end.count(1);
                    end.carry(near).await;
                    end.count(-1);
                });
            }
        }
    }
}
