//! The server's side of the MySQL protocol, as far as a text-protocol client sees it: greeting, native password,
//! commands, result sets. Called by `server`. It knows bytes, never the meaning of a statement.
//!
//! Own code and not `opensrv-mysql`: the simulation must also misbehave (no answer to COM_CHANGE_USER, a ProxySQL
//! error to COM_STMT_PREPARE, half a greeting, a fresh scramble), which that crate answers by itself or not at all.

use std::io::{Error, ErrorKind, Result};

use bytes::{Buf, BytesMut};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{Answer, Kind, Table};

const PROTOCOL_41: u32 = 1 << 9;
const CONNECT_WITH_DB: u32 = 1 << 3;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
/// LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION,
/// MULTI_STATEMENTS, MULTI_RESULTS, PLUGIN_AUTH, PLUGIN_AUTH_LENENC.
const OFFERED: u32 = 0b1111
    | PROTOCOL_41
    | (1 << 13)
    | SECURE_CONNECTION
    | (1 << 16)
    | (1 << 17)
    | PLUGIN_AUTH
    | PLUGIN_AUTH_LENENC;
const PLUGIN: &[u8] = b"mysql_native_password";
/// No statement of a cockpit is longer; more is refused rather than stored.
const LONGEST: usize = 1 << 22;

/// A connection cut into packets. Reading can be cancelled at any await without losing bytes.
pub(super) struct Packets<S> {
    stream: S,
    buffer: BytesMut,
    sequence: u8,
}

/// What the client said to the greeting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub user: String,
    pub scrambled: Vec<u8>,
    pub database: Option<String>,
    /// The client would use another plug-in and must be told to switch.
    pub switch: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Packets<S> {
    pub fn new(stream: S) -> Packets<S> {
        Packets { stream, buffer: BytesMut::new(), sequence: 0 }
    }

    /// The next packet, or `None` when the client is gone.
    pub async fn read(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.buffer.len() >= 4 {
                let length = u32::from_le_bytes([self.buffer[0], self.buffer[1], self.buffer[2], 0]) as usize;
                if length > LONGEST {
                    return Err(Error::new(ErrorKind::InvalidData, "a packet longer than any statement"));
                }
                if self.buffer.len() >= 4 + length {
                    self.sequence = self.buffer[3].wrapping_add(1);
                    self.buffer.advance(4);
                    return Ok(Some(self.buffer.split_to(length).to_vec()));
                }
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Sends bytes that are no packet: what a server of another protocol would say.
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    pub async fn greet(&mut self, version: &str, id: u32, scramble: &[u8; 20]) -> Result<()> {
        let mut p = vec![10];
        p.extend(version.bytes());
        p.push(0);
        p.extend(id.to_le_bytes());
        p.extend(&scramble[..8]);
        p.push(0);
        p.extend((OFFERED as u16).to_le_bytes());
        p.push(33);
        p.extend(2u16.to_le_bytes());
        p.extend(((OFFERED >> 16) as u16).to_le_bytes());
        p.push(21);
        p.extend([0; 10]);
        p.extend(&scramble[8..]);
        p.push(0);
        p.extend(PLUGIN);
        p.push(0);
        self.send(&[p]).await
    }

    /// Tells the client to answer with the native password after all, and reads that answer.
    pub async fn switch(&mut self, scramble: &[u8; 20]) -> Result<Option<Vec<u8>>> {
        let mut p = vec![0xfe];
        p.extend(PLUGIN);
        p.push(0);
        p.extend(scramble);
        p.push(0);
        self.send(&[p]).await?;
        self.read().await
    }

    /// Sends an answer. `Silence` and `Hangup` send nothing: the caller acts on them.
    pub async fn answer(&mut self, answer: &Answer) -> Result<()> {
        match answer {
            Answer::Rows(table) => self.send(&table_packets(table)).await,
            Answer::Ok { affected, info } => self.send(&[ok_packet(*affected, info)]).await,
            Answer::Error { code, state, text } => {
                let mut p = vec![0xff];
                p.extend(code.to_le_bytes());
                p.push(b'#');
                p.extend(state.bytes());
                p.extend(text.bytes());
                self.send(&[p]).await
            }
            Answer::Silence | Answer::Hangup => Ok(()),
        }
    }

    async fn send(&mut self, packets: &[Vec<u8>]) -> Result<()> {
        let mut out = Vec::new();
        for packet in packets {
            // A payload of 2^24-1 bytes or more would need splitting; the longest answer is some hundred kilobytes.
            out.extend(&(packet.len().min(0xff_fffe) as u32).to_le_bytes()[..3]);
            out.push(self.sequence);
            self.sequence = self.sequence.wrapping_add(1);
            out.extend(&packet[..packet.len().min(0xff_fffe)]);
        }
        self.stream.write_all(&out).await
    }
}

/// The client's answer to the greeting, or `None` if it is none. (A request for TLS is shorter than one.)
pub(super) fn hello(packet: &[u8]) -> Option<Hello> {
    let capabilities = u32::from_le_bytes(packet.get(..4)?.try_into().ok()?);
    if capabilities & PROTOCOL_41 == 0 {
        return None;
    }
    let mut rest = packet.get(32..)?;
    let user = text_until_zero(&mut rest)?;
    let scrambled = if capabilities & (PLUGIN_AUTH_LENENC | SECURE_CONNECTION) != 0 {
        let length = usize::from(*rest.first()?);
        let bytes = rest.get(1..1 + length)?.to_vec();
        rest = &rest[1 + length..];
        bytes
    } else {
        text_until_zero(&mut rest)?.into_bytes()
    };
    let database = if capabilities & CONNECT_WITH_DB != 0 { Some(text_until_zero(&mut rest)?) } else { None };
    let plugin = if capabilities & PLUGIN_AUTH != 0 {
        text_until_zero(&mut rest).unwrap_or_default()
    } else {
        String::new()
    };
    let switch = !plugin.is_empty() && plugin.as_bytes() != PLUGIN;
    Some(Hello { user, scrambled, database: database.filter(|d| !d.is_empty()), switch })
}

/// Whether `scrambled` proves that the client knows `password`: SHA1(p) xor SHA1(scramble, SHA1(SHA1(p))).
pub(super) fn proves(password: &str, scramble: &[u8; 20], scrambled: &[u8]) -> bool {
    if password.is_empty() {
        return scrambled.is_empty();
    }
    let once = Sha1::digest(password.as_bytes());
    let twice = Sha1::digest(once);
    let mask = Sha1::new().chain_update(scramble).chain_update(twice).finalize();
    scrambled.len() == 20 && once.iter().zip(mask).zip(scrambled).all(|((a, b), c)| a ^ b == *c)
}

fn text_until_zero(rest: &mut &[u8]) -> Option<String> {
    let end = rest.iter().position(|b| *b == 0)?;
    let text = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 1..];
    Some(text)
}

fn number(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xffff => {
            out.push(0xfc);
            out.extend((value as u16).to_le_bytes());
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend(&value.to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend(value.to_le_bytes());
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend(text.bytes());
}

fn ok_packet(affected: u64, info: &str) -> Vec<u8> {
    let mut p = vec![0];
    number(&mut p, affected);
    number(&mut p, 0);
    p.extend(2u16.to_le_bytes());
    p.extend(0u16.to_le_bytes());
    if !info.is_empty() {
        string(&mut p, info);
    }
    p
}

fn table_packets(table: &Table) -> Vec<Vec<u8>> {
    const END: [u8; 5] = [0xfe, 0, 0, 2, 0];
    let mut count = Vec::new();
    number(&mut count, table.columns.len() as u64);
    let mut packets = vec![count];
    for column in &table.columns {
        let mut p = Vec::new();
        for text in ["def", "", "", "", &column.name, ""] {
            string(&mut p, text);
        }
        p.push(12);
        let charset: u16 = if column.kind == Kind::Text { 33 } else { 63 };
        p.extend(charset.to_le_bytes());
        p.extend(1024u32.to_le_bytes());
        p.push(column.kind as u8);
        p.extend([0, 0, 0, 0, 0]);
        packets.push(p);
    }
    packets.push(END.to_vec());
    for row in &table.rows {
        let mut p = Vec::new();
        for value in row {
            match value {
                Some(text) => string(&mut p, text),
                None => p.push(0xfb),
            }
        }
        packets.push(p);
    }
    packets.push(END.to_vec());
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_proved_and_a_wrong_one_is_not() {
        let scramble = *b"abcdefghijklmnopqrst";
        let once = Sha1::digest(b"secret");
        let mask = Sha1::new().chain_update(scramble).chain_update(Sha1::digest(once)).finalize();
        let proof: Vec<u8> = once.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        assert!(proves("secret", &scramble, &proof));
        assert!(!proves("Secret", &scramble, &proof));
        assert!(!proves("secret", &scramble, b""));
        assert!(!proves("secret", b"tbcdefghijklmnopqrst", &proof));
    }

    #[test]
    fn no_greeting_reply_makes_it_panic() {
        let mut packet = vec![0xff; 4];
        packet.extend([0; 28]);
        packet.extend(b"root\0");
        packet.push(200);
        for length in 0..packet.len() {
            let _ = hello(&packet[..length]);
        }
        assert_eq!(hello(&packet), None);
    }
}
