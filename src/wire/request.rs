//! One HTTP request without TLS at a pinned address, whatever host is named, and as much of the answer as is wanted.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A connection and an answer may take so long each.
pub const WITHIN: Duration = Duration::from_secs(3);
/// So much of an answer is read at most.
const LIMIT: usize = 64 << 10;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens there.
    Refused,
    /// No connection comes up in time.
    Unreachable(String),
    /// It takes the connection and does not answer.
    Silent,
    /// What it answers is no HTTP.
    NotHttp,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// What this program calls itself.
pub(super) fn user_agent() -> String {
    format!("wheelhouse/{}", env!("CARGO_PKG_VERSION"))
}

/// Connects to a pinned address.
///
/// # Errors
/// Nothing listens there, or no connection comes up in time.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    match timeout(WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) if why.kind() == std::io::ErrorKind::ConnectionRefused => Err(Fault::Refused),
        Ok(Err(why)) => Err(Fault::Unreachable(why.to_string())),
        Err(_) => Err(Fault::Unreachable(format!("no answer within {} s", WITHIN.as_secs()))),
    }
}

/// Asks an address for a path, as that host.
///
/// # Errors
/// There is no answer: why.
pub async fn get(address: SocketAddr, host: &str, path: &str) -> Result<Answer, Fault> {
    let mut stream = connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        user_agent()
    );
    answer(&mut stream, request.as_bytes()).await
}

/// The answer to a request, as far as it comes in time.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> Result<Answer, Fault> {
    let mut read = Vec::new();
    let reading = async {
        stream.write_all(request).await.ok()?;
        let mut part = [0; 4096];
        while read.len() < LIMIT && !is_whole(&read) {
            match stream.read(&mut part).await {
                Ok(n @ 1..) => read.extend_from_slice(&part[..n]),
                _ => break,
            }
        }
        Some(())
    };
    match timeout(WITHIN, reading).await {
        // A status that came counts, whatever becomes of the body.
        Err(_) if read.contains(&b'\n') => parsed(&read).ok_or(Fault::NotHttp),
        Err(_) => Err(Fault::Silent),
        Ok(None) => Err(Fault::NotHttp),
        Ok(Some(())) => parsed(&read).ok_or(Fault::NotHttp),
    }
}

/// Where the body begins.
fn body_at(read: &[u8]) -> Option<usize> {
    memchr::memmem::find(read, b"\r\n\r\n").map(|at| at + 4)
}

/// The body has come as far as its length is told.
fn is_whole(read: &[u8]) -> bool {
    let Some(at) = body_at(read) else { return false };
    let head = String::from_utf8_lossy(&read[..at]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| read.len() - at >= length)
}

fn parsed(read: &[u8]) -> Option<Answer> {
    let at = body_at(read).unwrap_or(read.len());
    Some(Answer { status: status(&read[..at])?, body: read[at..].to_vec() })
}

/// The status in the first line of an answer.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/")?.split(' ').nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_far_as_its_length_is_told() {
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc";
        assert!(is_whole(whole) && !is_whole(&whole[..whole.len() - 1]));
        assert_eq!(parsed(whole), Some(Answer { status: 404, body: b"abc".to_vec() }));
        assert_eq!(parsed(b"HTTP/1.1 204\r\n\r\n").map(|answer| answer.status), Some(204));
        assert_eq!((parsed(b"220 mail ready\r\n"), parsed(b"")), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_came_counts_where_its_body_does_not_come() {
        let ask = async |said: &[u8]| {
            let (mut ours, mut theirs) = tokio::io::duplex(1 << 12);
            theirs.write_all(said).await.expect("it is written");
            answer(&mut ours, b"GET / HTTP/1.1\r\n\r\n").await
        };
        let slow = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        assert_eq!(slow, Ok(Answer { status: 200, body: b"abc".to_vec() }));
        assert_eq!(ask(b"").await, Err(Fault::Silent));
        assert_eq!(ask(b"HTTP/1.1 20").await, Err(Fault::Silent), "half a status is none");
    }
}
