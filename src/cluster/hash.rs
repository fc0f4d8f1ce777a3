//! A hash that is the same for every build and machine, which the standard library's does not promise.

/// FNV-1a, 64 bits.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The name that stands for one cluster in the state folder: of its context and its server, so that two clusters are never
/// mixed up.
pub fn of_cluster(context: &str, server: &str) -> String {
    format!("{:016x}", fnv1a(context.bytes().chain([0]).chain(server.bytes())))
}
