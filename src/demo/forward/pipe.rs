//! Channels between a client and what runs in a pod, whichever protocol carries them.

use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Upgrade;

/// Of version 5: the channel named by the next byte is closed.
const CLOSE: u8 = 255;

/// What a client sends.
#[derive(Debug)]
pub(super) enum In {
    Bytes(u8, Vec<u8>),
    /// Nothing more comes on this channel.
    End(u8),
}

/// The end of the channels that is in the pod. The client is gone when nothing comes any more; it is told that all is
/// over when this is dropped.
pub(super) struct Pipe {
    pub(super) from: mpsc::UnboundedReceiver<In>,
    to: mpsc::Sender<(u8, Vec<u8>)>,
}

/// The other end, for the protocol that carries it.
pub(super) struct Carried {
    pub(super) from: mpsc::UnboundedSender<In>,
    pub(super) to: mpsc::Receiver<(u8, Vec<u8>)>,
}

impl Pipe {
    pub(super) fn new() -> (Self, Carried) {
        let (from_client, from) = mpsc::unbounded_channel();
        let (to, to_client) = mpsc::channel(8);
        (Self { from, to }, Carried { from: from_client, to: to_client })
    }

    /// Sends to the client. Whether it still takes something.
    pub(super) async fn say(&self, channel: u8, bytes: &[u8]) -> bool {
        bytes.is_empty() || self.to.send((channel, bytes.to_vec())).await.is_ok()
    }
}

/// Carries the channels over a websocket, until either end is through.
pub(super) async fn websocket(upgrade: Upgrade, mut carried: Carried) {
    let Ok(upgraded) = upgrade.on.await else { return };
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut to_client, mut from_client) = stream.split();
    loop {
        tokio::select! {
            biased;
            said = carried.to.recv() => match said {
                Some((channel, bytes)) => {
                    let frame = Message::binary([&[channel], bytes.as_slice()].concat());
                    if to_client.send(frame).await.is_err() {
                        return;
                    }
                }
                None => {
                    let done = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
                    let _ = to_client.send(Message::Close(Some(done))).await;
                    return;
                }
            },
            message = from_client.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let came = match (bytes.first(), bytes.get(1)) {
                        (Some(&CLOSE), Some(channel)) => In::End(*channel),
                        (Some(channel), _) => In::Bytes(*channel, bytes[1..].to_vec()),
                        (None, _) => continue,
                    };
                    if carried.from.send(came).is_err() {
                        // It is through: what it said last is still to be sent.
                        continue;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // A ping is answered by the library, with what is sent next or read next.
                Some(Ok(_)) => {
                    if to_client.flush().await.is_err() {
                        return;
                    }
                }
            },
        }
    }
}
