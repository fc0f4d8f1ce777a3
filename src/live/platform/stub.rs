//! What nginx says in its `stub_status`, and what two readings of it tell.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use crate::cluster::platform::Stub;

/// The page, as every version has it since 0.1.18: lines may end in blanks.
static PAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?s)^\s*Active connections:\s*(\d+)\s+server accepts handled requests(?: request_time)?\s+(\d+)\s+(\d+)\s+(\d+)(?:\s+\d+)?\s+Reading:\s*(\d+)\s+Writing:\s*(\d+)\s+Waiting:\s*(\d+)\s*$",
    )
    .expect("the pattern is well formed")
});

/// Reads the page. That of the connection that asked is taken off.
///
/// # Errors
/// It is another page: one sentence.
pub(super) fn read(body: &[u8]) -> Result<Stub, String> {
    let text = String::from_utf8_lossy(body);
    let found = PAGE.captures(&text).ok_or("what it answers is no stub_status")?;
    let of =
        |i: usize| found[i].parse::<u64>().map_err(|_| "a number of its stub_status is too large".to_owned());
    let small = |i: usize| of(i).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(Stub {
        active: small(1)?.saturating_sub(1),
        accepts: of(2)?,
        handled: of(3)?,
        requests: of(4)?,
        reading: small(5)?,
        writing: small(6)?.saturating_sub(1),
        waiting: small(7)?,
        rate: None,
        restarted: None,
    })
}

/// The same with what the reading before it tells: `seconds` ago, and since then `own` requests were ours.
pub(super) fn after(before: Option<&Stub>, now: Stub, seconds: f64, own: u64, at: Timestamp) -> Stub {
    let Some(before) = before else { return now };
    // Counters only grow, but for a restart: a reload keeps them.
    if now.requests < before.requests || now.accepts < before.accepts {
        return Stub { restarted: Some(at), ..now };
    }
    let others = (now.requests - before.requests).saturating_sub(own + 1);
    let rate = (seconds > 0.0).then(|| others as f64 / seconds);
    Stub { rate, restarted: before.restarted, ..now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(capture: &str) -> Vec<u8> {
        let at = capture.find("\n\n").map(|at| at + 2).or_else(|| capture.find("\r\n\r\n").map(|at| at + 4));
        let page = &capture[at.expect("a body")..];
        page.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .into()
    }

    const HEALTHY: &str = include_str!("../../../tests/captures/platform/nginx/stub_status.healthy.txt");
    const NEARLY: &str =
        include_str!("../../../tests/captures/platform/nginx/stub_status.nearly_saturated.txt");
    const SATURATED: &str = include_str!("../../../tests/captures/platform/nginx/stub_status.saturated.txt");
    const AFTER: &str =
        include_str!("../../../tests/captures/platform/nginx/stub_status.after_saturation.txt");

    #[test]
    fn the_recorded_pages_of_a_real_server_are_read() {
        let of = |capture: &str| read(&body(capture)).expect("a page");
        let seen = of(SATURATED);
        // The connection that asked is none of the clients'.
        assert_eq!(
            (seen.active, seen.accepts, seen.handled, seen.requests, seen.writing),
            (10, 19, 19, 13, 10)
        );
        assert_eq!((of(HEALTHY).active, of(NEARLY).active, of(AFTER).requests), (0, 9, 14));
        for other in ["", "<html>404</html>", "Active connections: x"] {
            assert!(read(other.as_bytes()).is_err(), "{other}");
        }
        assert!(read(b"Active connections: 1 \nserver accepts handled requests\n 99999999999999999999 1 1 \nReading: 0 Writing: 1 Waiting: 0 ").is_err());
    }

    #[test]
    fn a_counter_that_falls_is_a_restart_and_our_own_requests_are_taken_off() {
        let at: Timestamp = "2026-11-29T04:21:05Z".parse().expect("a time");
        let of = |requests, accepts| Stub { requests, accepts, ..Stub::default() };
        let later = after(Some(&of(100, 100)), of(161, 150), 10.0, 10, at);
        assert_eq!((later.rate, later.restarted), (Some(5.0), None));
        assert_eq!(after(Some(&of(100, 100)), of(103, 103), 10.0, 10, at).rate, Some(0.0), "not below none");
        let begun = after(Some(&of(100, 100)), of(7, 7), 10.0, 0, at);
        assert_eq!((begun.rate, begun.restarted), (None, Some(at)));
        assert_eq!(after(Some(&begun), of(9, 9), 10.0, 0, at).restarted, Some(at), "it is remembered");
    }
}
