//! A port of a pod as an address of loopback, carried by the API server: what `kubectl port-forward` does.
//!
//! Each connection to the address is a port-forward of its own, so that a pod or an API server that went away costs one
//! connection, and the next one finds out by itself. Whoever is on this machine can connect to the address; it leads to a
//! login, not past one.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::FutureExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::Portforwarder};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{
    CONNECT_WITHIN, Wire,
    failure::{Failure, Kind},
    sentence,
};

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
    /// Why the last connection did not come through, or has not yet.
    trouble: Mutex<Option<Failure>>,
}

impl Tunnel {
    /// Opens the near end; the API server is asked with the first connection.
    ///
    /// # Errors
    /// Loopback cannot be listened on.
    pub async fn open(wire: Wire, namespace: &str, pod: &str, port: u16) -> Result<Self, Failure> {
        let cannot = |e| Failure { kind: Kind::Other, text: format!("127.0.0.1 cannot be listened on: {e}") };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let end = Arc::new(End {
            wire,
            namespace: namespace.into(),
            pod: pod.into(),
            port,
            trouble: Mutex::default(),
        });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, end.clone()));
        Ok(Self { address, end, _accepting: accepting })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why the last connection did not come through; `None` when it did.
    pub fn trouble(&self) -> Option<Failure> {
        self.end.trouble().clone()
    }
}

impl End {
    fn trouble(&self) -> MutexGuard<'_, Option<Failure>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> String {
        format!("{}/{}:{}", self.namespace, self.pod, self.port)
    }

    fn failed(&self, kind: Kind, why: &str) {
        let text = format!("the port-forward to {}: {why}", self.place());
        *self.trouble() = Some(Failure { kind, text });
    }

    /// Asks the API server for the port.
    async fn forward(&self) -> Result<Forwarder, (Kind, String)> {
        let client = self.wire.client().await.map_err(|why| (Kind::Unreachable, why))?;
        let api: Api<Pod> = Api::namespaced(client, &self.namespace);
        match timeout(CONNECT_WITHIN, api.portforward(&self.pod, &[self.port])).await {
            Ok(Ok(forwarder)) => Ok(Forwarder(forwarder)),
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

    async fn carry(&self, mut near: TcpStream) {
        self.failed(Kind::Unreachable, "the API server has not opened it yet");
        let mut forwarder = match self.forward().await {
            Ok(forwarder) => forwarder,
            Err((kind, why)) => return self.failed(kind, &why),
        };
        *self.trouble() = None;
        let (far, error) = (forwarder.0.take_stream(self.port), forwarder.0.take_error(self.port));
        let (Some(mut far), Some(error)) = (far, error) else { return };
        let mut error = Box::pin(error).fuse();
        let said = {
            let mut carrying = Box::pin(copy_bidirectional(&mut near, &mut far)).fuse();
            futures::select_biased! {
                said = error => match said {
                    Some(said) => Some(said),
                    None => { let _ = carrying.await; None }
                },
                _ = carrying => error.now_or_never().flatten(),
            }
        };
        if let Some(said) = said {
            match said.contains("refused") {
                true => self.failed(Kind::Refused, "nothing listens on that port of the pod"),
                false => {
                    self.failed(Kind::Unreachable, &said.split_whitespace().collect::<Vec<_>>().join(" "))
                }
            }
        }
    }
}

/// It ends with its connection, also when nothing comes from the API server any more.
struct Forwarder(Portforwarder);

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.0.abort();
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
                connections.spawn(async move { end.carry(near).await });
            }
        }
    }
}
