//! The port-forwards that an operator has opened: they end with the cockpit, or with the cluster it looks at.

use std::collections::BTreeMap;

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    app::{Msg, NotOpened},
    cluster::{Key, Ports},
    ui::Forwarded,
    wire::{
        Wire,
        tunnel::{Kind, Tunnel},
    },
};

/// What happens to them.
enum Wish {
    Open(Key, Ports),
    Close(u64),
    /// One of them has news.
    Look,
}

/// Those that are open, in a task of their own. Dropping this closes them.
pub(super) struct Forwards {
    wishes: mpsc::UnboundedSender<Wish>,
    task: JoinHandle<()>,
}

struct Open {
    pod: Key,
    port: u16,
    tunnel: Tunnel,
    watching: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Forwards {
    /// None is open.
    pub(super) fn new(wire: Wire, tell: mpsc::Sender<Msg>) -> Self {
        let (wishes, wished) = mpsc::unbounded_channel();
        let task = tokio::spawn(keep(wire, wishes.clone(), wished, tell));
        Self { wishes, task }
    }

    pub(super) fn open(&self, pod: Key, ports: Ports) {
        let _ = self.wishes.send(Wish::Open(pod, ports));
    }

    pub(super) fn close(&self, id: u64) {
        let _ = self.wishes.send(Wish::Close(id));
    }
}

impl Drop for Forwards {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    wire: Wire,
    wishes: mpsc::UnboundedSender<Wish>,
    mut wished: mpsc::UnboundedReceiver<Wish>,
    tell: mpsc::Sender<Msg>,
) {
    let mut all: BTreeMap<u64, Open> = BTreeMap::new();
    let mut next = 0;
    while let Some(wish) = wished.recv().await {
        let said = match wish {
            Wish::Open(pod, Ports { local, remote }) => {
                let opened = Tunnel::at(wire.clone(), &pod.namespace, &pod.name, remote, local).await;
                Some(match opened {
                    Ok(tunnel) => {
                        let text = format!(
                            "{} leads to {}:{remote}; :forwards lists them",
                            tunnel.address(),
                            pod.name
                        );
                        let (mut news, wishes) = (tunnel.connections(), wishes.clone());
                        let watching = tokio::spawn(async move {
                            while news.changed().await.is_ok() && wishes.send(Wish::Look).is_ok() {}
                        });
                        all.insert(next, Open { pod, port: remote, tunnel, watching });
                        next += 1;
                        Ok(text)
                    }
                    Err(failure) if failure.kind == Kind::Taken => {
                        let free = Tunnel::free_after(local).await;
                        Err(NotOpened { why: failure.text, free: free.map(|local| Ports { local, remote }) })
                    }
                    Err(failure) => Err(NotOpened { why: failure.text, free: None }),
                })
            }
            Wish::Close(id) => {
                all.remove(&id).map(|open| Ok(format!("{} leads nowhere any more", open.tunnel.address())))
            }
            Wish::Look => None,
        };
        let open = all.iter().map(|(id, open)| Forwarded {
            id: *id,
            pod: open.pod.name.clone(),
            port: open.port,
            local: open.tunnel.address().port(),
            open: *open.tunnel.connections().borrow(),
            trouble: open.tunnel.trouble().map(|failure| failure.text),
        });
        if tell.send(Msg::Forwards(open.collect(), said)).await.is_err() {
            return;
        }
    }
}
