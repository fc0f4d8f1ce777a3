//! Amounts of processor and memory, read and written as Kubernetes does.
//!
//! Source of the notation: `k8s.io/apimachinery/pkg/api/resource`: a decimal number and a suffix
//! (`n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or a decimal exponent), rounded up to the unit kept here.

use std::{collections::BTreeMap, fmt, iter::Sum, str::FromStr};

use serde::{Deserialize, Serialize};

/// Processor time, in thousandths of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cpu(pub u64);

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(pub u64);

/// A text that is not a Kubernetes quantity, or a negative one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuantity(pub String);

impl fmt::Display for BadQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a quantity such as 500m, 2 or 640Mi", self.0)
    }
}

impl std::error::Error for BadQuantity {}

/// The most a quantity holds: what is larger counts as this much, as the API server itself takes it.
const MOST: u64 = i64::MAX as u64;
/// Digits behind the point that are looked at one by one; whatever follows only rounds up.
const FRACTION: usize = 18;

/// Parses a quantity into `unit` parts of one (1000 for thousandths), rounding up. What is larger than a quantity can
/// hold is capped (`ParseQuantity` in `k8s.io/apimachinery/pkg/api/resource`).
///
/// # Errors
/// It is no amount as Kubernetes writes them.
pub fn parse(text: &str, unit: u64) -> Result<u64, BadQuantity> {
    let bad = || BadQuantity(text.chars().take(40).collect());
    let trimmed = text.trim();
    let number = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let split = number.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(number.len());
    let (number, suffix) = number.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(bad());
    }
    let (twos, tens): (u32, i64) = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E']).ok_or_else(bad)?;
            let power = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            if power.is_empty() || !power.bytes().all(|b| b.is_ascii_digit()) {
                return Err(bad());
            }
            // Beyond this any number is nothing or too much.
            let power: i64 = power.parse().unwrap_or(i64::MAX).min(1000);
            (0, if digits.starts_with('-') { -power } else { power })
        }
    };
    Ok(scaled(whole, fraction, twos, tens, unit))
}

/// `whole.fraction` x 2^`twos` x 10^`tens` in `unit` parts, rounded up and capped.
fn scaled(whole: &str, fraction: &str, twos: u32, tens: i64, unit: u64) -> u64 {
    let most = MOST.saturating_mul(unit);
    let (near, far) = fraction.split_at(fraction.len().min(FRACTION));
    let digits = format!("{whole}{near}");
    let digits = digits.trim_start_matches('0');
    let rest = u128::from(far.bytes().any(|b| b != b'0'));
    if digits.is_empty() && rest == 0 {
        return 0;
    }
    let tens = tens - near.len() as i64;
    // More digits than 2^127 has, or a power beyond: far too much, or next to nothing.
    let places = digits.len() as i64 + tens;
    if places > 20 {
        return most;
    }
    if places < -30 {
        return 1;
    }
    let parts = || {
        let mantissa = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
        let power = 10u128.checked_pow(u32::try_from(tens.unsigned_abs()).ok()?)?;
        let amount = mantissa.checked_mul(1u128.checked_shl(twos)?)?.checked_mul(u128::from(unit))?;
        // What lies beyond the digits looked at is less than one of them.
        let amount = if rest > 0 { amount.checked_add(1)? } else { amount };
        Some(if tens < 0 { amount.div_ceil(power) } else { amount.checked_mul(power)? })
    };
    match parts() {
        Some(parts) => u64::try_from(parts).unwrap_or(u64::MAX).min(most),
        // Too many digits to be exact: to fifteen figures.
        None => {
            let mantissa = digits.parse::<f64>().unwrap_or(f64::MAX);
            let parts = mantissa * f64::from(twos).exp2() * 10f64.powi(tens as i32) * unit as f64;
            (parts.ceil() as u64).clamp(1, most)
        }
    }
}

impl FromStr for Cpu {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        parse(text, 1000).map(Self)
    }
}

impl FromStr for Memory {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        parse(text, 1).map(Self)
    }
}

macro_rules! amounts {
    ($($name:ident),+) => {$(
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// The difference, or nothing when `other` is larger.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// This amount as a share of `whole`, 0.0 when `whole` is nothing; may exceed 1.0.
            pub fn share_of(self, whole: Self) -> f64 {
                if whole.0 == 0 { 0.0 } else { self.0 as f64 / whole.0 as f64 }
            }
        }

        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl std::ops::AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::ZERO, |a, b| a + b)
            }
        }
    )+};
}

amounts!(Cpu, Memory);

impl Memory {
    /// As Kubernetes and files write it: the shortest whole notation, such as `80Mi`.
    pub fn notation(self) -> String {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
        let unit = UNITS.into_iter().find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        unit.map_or_else(|| self.0.to_string(), |(unit, suffix)| format!("{}{suffix}", self.0 / unit))
    }
}

impl Cpu {
    /// As Kubernetes writes it: `250m`, `2`.
    pub fn notation(self) -> String {
        match self.0 {
            n if n.is_multiple_of(1000) => (n / 1000).to_string(),
            n => format!("{n}m"),
        }
    }
}

impl fmt::Display for Cpu {
    /// `250m`, `2`, `2.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            n if n % 1000 == 0 => format!("{}", n / 1000),
            n if n >= 1000 => format!("{:.1}", n as f64 / 1000.0),
            n => format!("{n}m"),
        };
        f.pad(&text)
    }
}

impl fmt::Display for Memory {
    /// `512 Ki`, `640 Mi`, `6.1 Gi`: three figures are enough to act on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let text = if value >= 9.95 || (value - value.round()).abs() < 0.05 {
            format!("{value:.0} {}", UNITS[unit])
        } else {
            format!("{value:.1} {}", UNITS[unit])
        };
        f.pad(&text)
    }
}

/// Amounts by resource; `None` is "not given".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amounts {
    /// `cpu`.
    pub cpu: Option<Cpu>,
    /// `memory`.
    pub memory: Option<Memory>,
    /// All others (`ephemeral-storage`, extended resources), in their whole units.
    pub other: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        for (text, millicores) in
            [("2", 2000), ("100m", 100), ("0.1", 100), ("1.5", 1500), ("241400312n", 242), ("1e1", 10_000)]
        {
            assert_eq!(text.parse(), Ok(Cpu(millicores)), "{text}");
        }
        for (text, bytes) in
            [("640Mi", 671_088_640), ("40090Ki", 41_052_160), ("1G", 1_000_000_000), ("0.5Ki", 512)]
        {
            assert_eq!(text.parse(), Ok(Memory(bytes)), "{text}");
        }
        for text in ["", "Mi", ".", "-1", "1Q", "1.2.3", "1e", "1e+-3", "1 Gi", "é", "1e1.5", "0x10"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_fine_is_capped_and_rounded_up_as_the_api_server_does() {
        let most = i64::MAX as u64;
        for (text, bytes) in [
            ("100Ei", most),
            ("8Ei", most),
            ("7Ei", 7 << 60),
            ("9223372036854775807", most),
            ("99999999999999999999Ei", most),
            ("1e99", most),
            ("1e99999999999999999999", most),
            ("1e-99999999999999999999", 1),
            ("1e-3", 1),
            ("1500e-3", 2),
            ("1E3", 1000),
            ("1E", 1_000_000_000_000_000_000),
            ("12e+2", 1200),
            (".5Gi", 1 << 29),
            ("5.", 5),
            ("0", 0),
            ("0e50", 0),
            ("0.000", 0),
            ("1n", 1),
            ("1.00000000000000000000000001", 2),
            ("0000000000000000000000000000000000000000000001Ki", 1024),
            ("1.000000001Gi", 1_073_741_826),
            (" 5Mi ", 5 << 20),
            ("+5", 5),
        ] {
            assert_eq!(text.parse(), Ok(Memory(bytes)), "{text}");
        }
        for (text, millicores) in [("1n", 1), ("1000000n", 1), ("1000001n", 2), ("1e-9", 1), ("0.0005", 1)] {
            assert_eq!(text.parse(), Ok(Cpu(millicores)), "{text}");
        }
        assert_eq!("100Ei".parse(), Ok(Cpu(u64::MAX)));
        assert_eq!(Memory(most).to_string(), "8 Ei");
    }

    #[test]
    fn amounts_keep_their_notation() {
        for text in ["80Mi", "1Gi", "512Ki", "1000001"] {
            assert_eq!(text.parse::<Memory>().map(Memory::notation).as_deref(), Ok(text));
        }
        for text in ["250m", "2", "2500m"] {
            assert_eq!(text.parse::<Cpu>().map(Cpu::notation).as_deref(), Ok(text));
        }
    }

    #[test]
    fn amounts_print_for_people() {
        assert_eq!(Memory(671_088_640).to_string(), "640 Mi");
        assert_eq!(Memory(6_549_825_126).to_string(), "6.1 Gi");
        assert_eq!(Memory(32 << 30).to_string(), "32 Gi");
        assert_eq!(Cpu(250).to_string(), "250m");
        assert_eq!(Cpu(2500).to_string(), "2.5");
    }
}
