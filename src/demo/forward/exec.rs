//! Commands in containers, as a kubelet carries them: 0 is the input, 1 the output, 2 the errors, 3 a `Status` at the
//! end, 4 the size of the terminal.

use std::sync::Arc;

use tokio::time::sleep;

use super::Upgrade;
use super::pipe::{Carried, In, Pipe, websocket};
use super::spdy;
use crate::api::Follow;
use crate::api::exec::{Attach, Exec, InPod, not_started, status};
use crate::shared::Shared;
use crate::shell::{Outcome, Reader};

const INPUT: u8 = 0;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
const END: u8 = 3;
const SIZE: u8 = 4;

/// What the exit code of a killed process is.
const KILLED: i32 = 137;
/// That of an interrupted one.
const INTERRUPTED: i32 = 130;

/// Runs the command over a websocket.
pub(crate) async fn run(upgrade: Upgrade, exec: Exec, shared: Arc<Shared>) {
    let (pipe, carried) = Pipe::new();
    // One for what is said at the end, and one for the output.
    let streams = 2 + usize::from(exec.stdin) + if exec.tty { 1 } else { usize::from(exec.stderr) };
    tokio::join!(over(upgrade, streams, carried), carry(pipe, exec, shared));
}

/// Shows what the first process of a container writes, over a websocket.
pub(crate) async fn attach(upgrade: Upgrade, attach: Attach, shared: Arc<Shared>) {
    let (pipe, carried) = Pipe::new();
    let streams = attach.streams;
    tokio::join!(over(upgrade, streams, carried), watch(pipe, attach, shared));
}

/// Carries the channels by the protocol that was agreed on.
async fn over(upgrade: Upgrade, streams: usize, carried: Carried) {
    if upgrade.is_websocket() {
        return websocket(upgrade, carried).await;
    }
    if let Some(io) = spdy::bytes(upgrade).await {
        spdy::channels(io, streams, carried).await;
    }
}

/// Ends when the pod does.
pub(super) async fn gone(at: &InPod, shared: &Shared) {
    let mut revision = shared.revision.subscribe();
    while at.stands(&shared.world()) && revision.changed().await.is_ok() {}
}

async fn watch(mut pipe: Pipe, mut attach: Attach, shared: Arc<Shared>) {
    loop {
        let lines = attach.log.poll(&shared.world());
        let Some(lines) = lines else { break };
        if !pipe.say(OUTPUT, &lines).await {
            return;
        }
        tokio::select! {
            () = sleep(Follow::EVERY) => {}
            came = pipe.from.recv() => if came.is_none() { return },
        }
    }
    pipe.say(END, status(0).to_string().as_bytes()).await;
}

async fn carry(mut pipe: Pipe, mut exec: Exec, shared: Arc<Shared>) {
    if exec.tty {
        exec.shell.size = Some((0, 0));
    }
    let first = match exec.shell.start(&exec.command) {
        Ok(first) => first,
        Err(why) => {
            pipe.say(END, not_started(&why).to_string().as_bytes()).await;
            return;
        }
    };
    if !say(&pipe, &exec, &first).await {
        return;
    }
    let code = match first.reads.filter(|_| exec.stdin) {
        None => Some(first.code),
        Some(reader) => {
            let at = exec.at.clone();
            tokio::select! {
                code = converse(&mut pipe, &mut exec, reader) => code,
                () = gone(&at, &shared) => Some(KILLED),
            }
        }
    };
    if let Some(code) = code {
        pipe.say(END, status(code).to_string().as_bytes()).await;
    }
}

/// Says what a command says. On a terminal lines end as terminals want it, and errors go where the output goes.
async fn say(pipe: &Pipe, exec: &Exec, outcome: &Outcome) -> bool {
    let line = |text: &str| if exec.tty { text.replace('\n', "\r\n") } else { text.to_owned() };
    let errors = if exec.tty { OUTPUT } else { ERRORS };
    pipe.say(OUTPUT, line(&outcome.out).as_bytes()).await
        && pipe.say(errors, line(&outcome.err).as_bytes()).await
}

/// Runs what is typed, line by line, until the first of the readers has ended. `None`: the client is gone.
async fn converse(pipe: &mut Pipe, exec: &mut Exec, first: Reader) -> Option<i32> {
    let mut readers = vec![first];
    let mut typed = Typed::default();
    let mut code = 0;
    while let Some(reader) = readers.last().copied() {
        if exec.tty && reader == Reader::Shell && !pipe.say(OUTPUT, b"# ").await {
            return None;
        }
        match (typed.next(pipe, exec).await?, reader) {
            (Line::End, _) => {
                readers.pop();
            }
            (Line::Interrupt, Reader::Shell) => code = INTERRUPTED,
            (Line::Interrupt, Reader::Cat) => {
                code = INTERRUPTED;
                readers.pop();
            }
            (Line::Of(line), Reader::Cat) => {
                let line = if exec.tty { format!("{line}\r\n") } else { format!("{line}\n") };
                pipe.say(OUTPUT, line.as_bytes()).await;
            }
            (Line::Of(line), Reader::Shell) => {
                let outcome = exec.shell.script(&line);
                say(pipe, exec, &outcome).await;
                code = outcome.code;
                if outcome.ends {
                    readers.pop();
                }
                readers.extend(outcome.reads);
            }
        }
    }
    Some(code)
}

/// What a terminal makes of what is typed.
enum Line {
    Of(String),
    Interrupt,
    End,
}

#[derive(Default)]
struct Typed {
    waiting: Vec<u8>,
    line: Vec<u8>,
    ended: bool,
}

impl Typed {
    /// The next line; echoes it on a terminal. `None`: the client is gone.
    async fn next(&mut self, pipe: &mut Pipe, exec: &mut Exec) -> Option<Line> {
        loop {
            while !self.waiting.is_empty() {
                let byte = self.waiting.remove(0);
                let (echo, line): (&[u8], Option<Line>) = match byte {
                    b'\r' | b'\n' => (b"\r\n", Some(self.line())),
                    3 if exec.tty => {
                        self.line.clear();
                        (b"^C\r\n", Some(Line::Interrupt))
                    }
                    4 if exec.tty => (b"", self.line.is_empty().then_some(Line::End)),
                    8 | 127 if exec.tty => (if self.line.pop().is_some() { b"\x08 \x08" } else { b"" }, None),
                    _ => {
                        self.line.push(byte);
                        (&[byte], None)
                    }
                };
                if exec.tty {
                    pipe.say(OUTPUT, echo).await;
                }
                if line.is_some() {
                    return line;
                }
            }
            if self.ended {
                return Some(if self.line.is_empty() { Line::End } else { self.line() });
            }
            match pipe.from.recv().await? {
                In::Bytes(INPUT, bytes) => self.waiting.extend(bytes),
                In::End(INPUT) => self.ended = true,
                In::Bytes(SIZE, bytes) if exec.tty => {
                    let size: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
                    let of = |name: &str| size[name].as_u64().and_then(|n| u16::try_from(n).ok());
                    if let (Some(rows), Some(columns)) = (of("Height"), of("Width")) {
                        exec.shell.size = Some((rows, columns));
                    }
                }
                In::Bytes(..) | In::End(_) => {}
            }
        }
    }

    fn line(&mut self) -> Line {
        Line::Of(String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned())
    }
}
