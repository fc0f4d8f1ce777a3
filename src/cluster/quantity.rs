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

/// Parses a quantity into `unit` parts of one (1000 for thousandths), rounding up.
pub fn parse(text: &str, unit: u64) -> Result<u64, BadQuantity> {
    let bad = || BadQuantity(text.chars().take(40).collect());
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let number = number.strip_prefix('+').unwrap_or(number);
    let scale: f64 = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent if exponent.starts_with(['e', 'E']) => {
            let power: i32 = exponent[1..].parse().map_err(|_| bad())?;
            if power.abs() > 30 {
                return Err(bad());
            }
            10f64.powi(power)
        }
        _ => return Err(bad()),
    };
    if let Ok(whole) = number.parse::<u64>()
        && scale >= 1.0
    {
        return whole.checked_mul(scale as u64).and_then(|n| n.checked_mul(unit)).ok_or_else(bad);
    }
    let value: f64 = number.parse().map_err(|_| bad())?;
    let parts = value * scale * unit as f64;
    if !parts.is_finite() || parts > 1e19 {
        return Err(bad());
    }
    // 0.1 * 1000 must stay 100: a part in a million is rounding noise, not an amount.
    Ok((parts - parts.abs() * 1e-12 - 1e-6).ceil().max(0.0) as u64)
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
        const UNITS: [&str; 6] = ["B", "Ki", "Mi", "Gi", "Ti", "Pi"];
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
        for text in ["", "Mi", "-1", "1Q", "1e99", "1.2.3", "99999999999999999999Ei", "é"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
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
