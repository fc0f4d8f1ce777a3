//! A websocket of the API server: frames that begin with the number of their channel.
//!
//! The library's own loops ask a silent peer once a minute and never give one up, or do not ask at all. Here a peer is
//! asked every [`ASKED_EVERY`], so that a connection on which nothing happens is kept by everything on its way, and one
//! that says nothing for [`LOST_AFTER`] counts as lost.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream::BoxStream};
use http::Request;
use kube::Client;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

/// How often the peer is asked whether it is there.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// After this long without a word the connection is lost.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(20);
/// Of protocol version 5: the channel named by the next byte is closed.
const CLOSE: u8 = 255;

/// What comes from the API server.
pub(super) struct Frames {
    stream: BoxStream<'static, Result<Message, tungstenite::Error>>,
    out: Out,
    heard: Instant,
    asking: Interval,
    _writing: JoinSet<()>,
}

/// What goes to it.
#[derive(Clone)]
pub(super) struct Out {
    sender: mpsc::Sender<Message>,
    closes: bool,
}

impl Frames {
    /// Opens it.
    ///
    /// # Errors
    /// The server refuses, or does not speak websockets.
    pub async fn open(client: &Client, request: Request<Vec<u8>>) -> Result<Self, kube::Error> {
        let connection = client.connect(request).await?;
        let closes = connection.supports_stream_close();
        Ok(Self::over(connection.into_stream(), closes))
    }

    fn over<S>(socket: WebSocketStream<S>, closes: bool) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sink, stream) = socket.split();
        let (sender, mut messages) = mpsc::channel(16);
        let mut writing = JoinSet::new();
        // Writing apart from reading: a peer that reads only what it may write would otherwise be waited for for ever.
        writing.spawn(async move {
            while let Some(message) = messages.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            let _ = sink.close().await;
        });
        let now = Instant::now();
        let mut asking = interval_at(now + ASKED_EVERY, ASKED_EVERY);
        asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { stream: stream.boxed(), out: Out { sender, closes }, heard: now, asking, _writing: writing }
    }

    /// Where frames are sent.
    pub fn out(&self) -> Out {
        self.out.clone()
    }

    /// The next frame: its channel and what it holds; `None`: the peer has closed the connection. Nothing is lost when
    /// this is dropped before it is through.
    ///
    /// # Errors
    /// Why the connection is lost.
    pub async fn next(&mut self) -> Result<Option<(u8, Bytes)>, String> {
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    self.heard = Instant::now();
                    match message {
                        Some(Ok(Message::Binary(mut bytes))) if !bytes.is_empty() => {
                            let channel = bytes.split_to(1)[0];
                            return Ok(Some((channel, bytes)));
                        }
                        Some(Ok(Message::Close(_))) | None => return Ok(None),
                        Some(Ok(_)) => {}
                        Some(Err(why)) => return Err(why.to_string()),
                    }
                }
                _ = self.asking.tick() => {
                    // Where even that does not get away, nothing comes back either.
                    let _ = self.out.sender.try_send(Message::Ping(Bytes::new()));
                }
                () = sleep_until(self.heard + LOST_AFTER) => {
                    return Err(format!("nothing was heard of it for {} s", LOST_AFTER.as_secs()));
                }
            }
        }
    }
}

impl Out {
    /// Sends a frame. Whether the connection still takes one.
    pub async fn send(&self, channel: u8, bytes: &[u8]) -> bool {
        let mut frame = Vec::with_capacity(bytes.len() + 1);
        frame.push(channel);
        frame.extend_from_slice(bytes);
        self.sender.send(Message::binary(frame)).await.is_ok()
    }

    /// Says that nothing more comes on this channel: where the protocol has no word for that, by closing the
    /// connection.
    pub async fn end(&self, channel: u8) {
        let message = if self.closes { Message::binary(vec![CLOSE, channel]) } else { Message::Close(None) };
        let _ = self.sender.send(message).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn pair() -> (Frames, WebSocketStream<tokio::io::DuplexStream>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        (Frames::over(near, true), far)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_lost_and_one_that_answers_is_kept() {
        let (mut frames, _silent) = pair().await;
        let began = Instant::now();
        let why = frames.next().await.unwrap_err();
        assert!(why.contains("nothing was heard of it for 20 s"), "{why}");
        assert_eq!(began.elapsed(), LOST_AFTER);

        let (mut frames, mut far) = pair().await;
        // It answers each question, as whoever reads does, and speaks after an hour.
        let answering = async {
            let hour = Instant::now() + Duration::from_secs(3600);
            let mut asked = 0;
            loop {
                tokio::select! {
                    message = far.next() => asked += usize::from(matches!(message, Some(Ok(Message::Ping(_))))),
                    () = sleep_until(hour) => break,
                }
            }
            far.send(Message::binary(vec![1, b'x'])).await.unwrap();
            (asked, far)
        };
        let (heard, (asked, _far)) = tokio::join!(frames.next(), answering);
        assert_eq!(heard, Ok(Some((1, Bytes::from_static(b"x")))));
        assert!(asked > 700, "{asked}");
    }
}
