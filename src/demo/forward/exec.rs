//! Commands in containers over a websocket, as a kubelet carries them.

use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Upgrade;
use crate::api::exec::{Exec, status};
use crate::shell::{Outcome, Shell};

/// The channels of a frame.
const INPUT: u8 = 0;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
const END: u8 = 3;
/// Of version 5: the channel named by the next byte is closed.
const CLOSE: u8 = 255;

fn frame(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

/// Runs the command; a shell that reads its input runs line by line until the input ends or it is left.
pub(crate) async fn run(upgrade: Upgrade, exec: Exec) {
    let Ok(upgraded) = upgrade.on.await else { return };
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut to_client, mut from_client) = stream.split();
    let told = |outcome: &Outcome| {
        let line = |text: &str| if exec.tty { text.replace('\n', "\r\n") } else { text.to_owned() };
        let errors = if exec.tty { OUTPUT } else { ERRORS };
        let parts = [(OUTPUT, line(&outcome.out)), (errors, line(&outcome.err))];
        parts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(channel, text)| frame(channel, text.as_bytes()))
    };
    let mut last = Outcome::default();
    if exec.stdin && Shell::reads(&exec.command) {
        let mut typed = String::new();
        'reading: loop {
            if exec.tty && to_client.send(frame(OUTPUT, b"# ")).await.is_err() {
                return;
            }
            let line = loop {
                if let Some(end) = typed.find(['\n', '\r']) {
                    let line: String = typed.drain(..=end).collect();
                    break line.trim().to_owned();
                }
                match from_client.next().await {
                    Some(Ok(Message::Binary(bytes))) => match bytes.split_first() {
                        // the end of what is typed on a terminal
                        Some((&INPUT, text)) if exec.tty && text.contains(&4) => break 'reading,
                        Some((&INPUT, text)) => {
                            let text = String::from_utf8_lossy(text);
                            if exec.tty
                                && to_client
                                    .send(frame(OUTPUT, text.replace('\r', "\r\n").as_bytes()))
                                    .await
                                    .is_err()
                            {
                                return;
                            }
                            typed.push_str(&text);
                        }
                        Some((&CLOSE, _)) => break 'reading,
                        _ => {}
                    },
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break 'reading,
                    Some(Ok(_)) => {}
                }
            };
            last = exec.shell.script(&line);
            for frame in told(&last) {
                if to_client.send(frame).await.is_err() {
                    return;
                }
            }
            if line == "exit" || line.starts_with("exit ") {
                break;
            }
        }
        if !typed.trim().is_empty() {
            last = exec.shell.script(typed.trim());
            for frame in told(&last) {
                let _ = to_client.send(frame).await;
            }
        }
    } else {
        last = exec.shell.run(&exec.command);
        for frame in told(&last) {
            if to_client.send(frame).await.is_err() {
                return;
            }
        }
    }
    let done = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    let _ = to_client.send(frame(END, status(&last).to_string().as_bytes())).await;
    let _ = to_client.send(Message::Close(Some(done))).await;
}
