//! What is told to the other cockpits, in few bytes, and back: zstd, bounded both ways.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};

/// What is told takes so many bytes at most: a ConfigMap holds 1 MiB of base64 in all.
pub(super) const AT_MOST: usize = 512 * 1024;
/// Bytes of text that are unpacked at most.
const TEXT_AT_MOST: u64 = 32 * 1024 * 1024;
/// How hard zstd tries.
const LEVEL: i32 = 3;
/// The logarithm of how far back it may have looked, so that nobody makes us keep more.
const LOOKS_BACK: u32 = 23;

/// A text in few bytes.
pub(super) fn packed(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), LEVEL).expect("memory is written to")
}

/// The text that was packed, from base64.
pub(super) fn unpacked(base64: &str) -> Result<String, String> {
    let damaged = |what: &str| format!("what another cockpit tells is damaged: {what}");
    if base64.len() > AT_MOST.div_ceil(3) * 4 {
        return Err(damaged("it is too long"));
    }
    let bytes = STANDARD.decode(base64).map_err(|_| damaged("it is no base64"))?;
    let mut text = String::new();
    let mut read = || -> std::io::Result<u64> {
        let mut unpacking = zstd::Decoder::new(bytes.as_slice())?;
        unpacking.window_log_max(LOOKS_BACK)?;
        unpacking.take(TEXT_AT_MOST + 1).read_to_string(&mut text).map(|n| n as u64)
    };
    match read() {
        Ok(length) if length > TEXT_AT_MOST => Err(damaged("it unpacks to too much")),
        Ok(_) => Ok(text),
        Err(_) => Err(damaged("it cannot be unpacked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_what_is_not_packed_is_told() {
        let text = "edge-1 ".repeat(100_000);
        let bytes = packed(&text);
        assert!(bytes.len() < 1_000);
        assert_eq!(unpacked(&STANDARD.encode(&bytes)).as_deref(), Ok(&*text));
        let why = |base64: &str| unpacked(base64).expect_err("it is no text");
        assert!(why("!").contains("base64"));
        assert!(why("AAAA").contains("cannot be unpacked"));
        assert!(why(&STANDARD.encode(&bytes[..bytes.len() / 2])).contains("cannot be unpacked"));
        assert!(why(&"A".repeat(AT_MOST * 2)).contains("too long"));
        assert!(why(&STANDARD.encode(packed(&" ".repeat(40 << 20)))).contains("too much"));
        assert!(why(&STANDARD.encode(zstd::encode_all(&b"\xff\xfe"[..], 1).unwrap())).contains("unpacked"));
    }
}
