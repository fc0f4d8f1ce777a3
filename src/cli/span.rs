//! Spans of time as people type them.

use std::time::Duration;

/// A span of time.
///
/// # Errors
/// It is none: one sentence.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no span of time, such as 10m, 2h or 1d"))
}

/// A span of time in which something can happen.
///
/// # Errors
/// It is none, or no time at all: one sentence.
pub(super) fn some(text: &str) -> Result<Duration, String> {
    match span(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all; give one such as 10s or 5m")),
        span => Ok(span),
    }
}
