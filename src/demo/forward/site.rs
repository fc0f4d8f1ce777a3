//! The web server of a tenant's pod, as far as somebody looks at it over a port-forward: one page, and the status page of its
//! php-fpm.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::api::Forward;
use crate::kind::Kind;
use crate::store::Object;
use crate::usage;
use crate::value::list;
use crate::world::World;

/// A web server.
pub(super) struct Site {
    page: String,
    /// What php-fpm says of itself at `/status`.
    status: String,
}

/// The web server that listens on a port of a pod, if one does.
pub(super) fn of(world: &World, forward: &Forward, port: u16) -> Option<Site> {
    let pod = world.store.get(Kind::POD, &forward.at.namespace, &forward.at.pod)?;
    let mut containers = list(&pod["spec"]["containers"]).filter(|container| container["name"] == "nginx");
    let listens = containers.any(|nginx| list(&nginx["ports"]).any(|one| one["containerPort"] == port));
    listens.then(|| Site { page: format!("{} answers\n", forward.at.pod), status: status(world, pod) })
}

/// As php-fpm writes it: the worker that answers is active.
fn status(world: &World, pod: &Object) -> String {
    let active = usage::requests(world, pod).round() as u32 + 1;
    let all = usage::MOST_CHILDREN as u32;
    format!(
        "pool:                 www\nprocess manager:      static\nidle processes:       {}\n\
         active processes:     {active}\ntotal processes:      {all}\nmax active processes: {all}\n",
        all.saturating_sub(active),
    )
}

impl Site {
    /// A connection to it.
    pub(super) fn connect(self) -> DuplexStream {
        let (near, mut far) = duplex(16 << 10);
        tokio::spawn(async move {
            let mut request = Vec::new();
            let mut buffer = [0; 2048];
            // Requests have no body; each ends with an empty line.
            while let Ok(length @ 1..) = far.read(&mut buffer).await {
                request.extend_from_slice(&buffer[..length]);
                if !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    continue;
                }
                let page = if request.starts_with(b"GET /status ") { &self.status } else { &self.page };
                request.clear();
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nServer: nginx/1.27.0\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                );
                if far.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        near
    }
}
