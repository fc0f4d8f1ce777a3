//! A port of loopback that can be closed without being lost: nobody else takes it meanwhile, and clients are refused.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A port of loopback. While it is closed it stays bound, so that nobody else can take it and clients are refused.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    closed: Option<TcpSocket>,
    open: Option<TcpListener>,
}

impl Port {
    /// A free one, closed.
    pub(crate) fn reserve() -> io::Result<Port> {
        let socket = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Port { address: socket.local_addr()?, closed: Some(socket), open: None })
    }

    /// Opens or closes the port.
    pub(crate) fn set(&mut self, open: bool) -> io::Result<()> {
        match (open, &self.open) {
            (false, Some(_)) => {
                self.open = None;
                self.closed = Some(bind(self.address)?);
            }
            (true, None) => {
                let socket = match self.closed.take() {
                    Some(socket) => socket,
                    None => bind(self.address)?,
                };
                self.open = Some(socket.listen(128)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The next connection; while it is closed there is none.
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.open {
            Some(listener) => listener.accept().await,
            None => pending().await,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
