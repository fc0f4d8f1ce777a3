//! A small seeded source of numbers (splitmix64): the same seed gives the same world, on every platform. Pure.

/// The source.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// A source that will always give the same numbers for the same seed.
    pub fn new(seed: u64) -> Noise {
        Noise(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next number, any of 2^64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// Something that looks like a uuid of version 1, as the provider makes them.
    pub fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-11f1-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            0x8000 | (a & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}

/// A checksum of text (FNV-1a), for the places where ProxySQL shows one.
pub fn checksum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
