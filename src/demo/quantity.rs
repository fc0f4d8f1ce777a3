//! Kubernetes quantities: `250m`, `640Mi`, `1.5Gi`, `1e3`. Read by the scheduler, the kubelet and the usage model.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// Thousandths of a core, rounded up; 0 for what is absent or cannot be read.
pub(crate) fn milli_cpu(value: &Value) -> i64 {
    nano(value).map_or(0, |nano| clamp(ceil(nano, 1_000_000)))
}

/// Whole units (bytes, pods), rounded up; 0 for what is absent or cannot be read.
pub(crate) fn units(value: &Value) -> i64 {
    nano(value).map_or(0, |nano| clamp(ceil(nano, 1_000_000_000)))
}

/// An amount that is added, compared and written as Go's `resource.Quantity` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    nano: i128,
    /// Written in powers of 1024 where that is exact.
    binary: bool,
}

impl Amount {
    /// The amount, when it can be read.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let binary = value.as_str().is_some_and(|text| text.trim().ends_with('i'));
        Some(Self { nano: nano(value)?, binary })
    }

    /// So many.
    pub(crate) fn whole(count: i64) -> Self {
        Self { nano: i128::from(count) * NANO, binary: false }
    }

    /// Thousand millionths.
    pub(crate) fn nano(self) -> i128 {
        self.nano
    }

    /// The sum; nothing takes the form of what is added to it.
    pub(crate) fn plus(self, other: Self) -> Self {
        let binary = if self.nano == 0 { other.binary } else { self.binary };
        Self { nano: self.nano.saturating_add(other.nano), binary }
    }
}

impl Amount {
    /// What is left without as much as the other; never less than nothing.
    pub(crate) fn less(self, other: Self) -> Self {
        Self { nano: (self.nano - other.nano).max(0), binary: self.binary }
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.nano, self.binary).cmp(&(other.nano, other.binary))
    }
}

impl fmt::Display for Amount {
    /// The largest unit that needs no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        if self.binary && self.nano % NANO == 0 && (self.nano / NANO).abs() >= 1024 {
            let whole = self.nano / NANO;
            let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let fits = |at: &usize| whole % (1 << (10 * *at)) == 0;
            let at = (0..units.len()).rev().find(fits).unwrap_or(0);
            return write!(f, "{}{}", whole >> (10 * at), units[at]);
        }
        let units = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let (mut number, mut at) = (self.nano, 0);
        while number % 1000 == 0 && at + 1 < units.len() {
            number /= 1000;
            at += 1;
        }
        write!(f, "{number}{}", units[at])
    }
}

const NANO: i128 = 1_000_000_000;

fn nano(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse(text.trim()),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor: i128 = match suffix {
        "" => NANO,
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "k" => NANO * 1_000,
        "M" => NANO * 1_000_000,
        "G" => NANO * 1_000_000_000,
        "T" => NANO * 1_000_000_000_000,
        "P" => NANO * 1_000_000_000_000_000,
        "E" => NANO * 1_000_000_000_000_000_000,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        _ => {
            let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.trim_start_matches('+').parse().ok()?;
            NANO.checked_mul(10_i128.checked_pow(exponent.min(18))?)?
        }
    };
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number.trim_start_matches('+')),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(factor)?;
    let mut place = factor;
    for digit in fraction.chars().take(18) {
        place /= 10;
        total = total.checked_add(place * i128::from(digit.to_digit(10)?))?;
    }
    Some(sign * total)
}

fn ceil(value: i128, unit: i128) -> i128 {
    value.div_euclid(unit) + i128::from(value.rem_euclid(unit) != 0)
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_kubernetes_writes() {
        assert_eq!(milli_cpu(&json!("250m")), 250);
        assert_eq!(milli_cpu(&json!("0.1")), 100);
        assert_eq!(milli_cpu(&json!(2)), 2000);
        assert_eq!(milli_cpu(&json!("1905796100n")), 1906);
        assert_eq!(units(&json!("640Mi")), 640 << 20);
        assert_eq!(units(&json!("1.5Gi")), 3 << 29);
        assert_eq!(units(&json!("1e3")), 1000);
        assert_eq!(units(&json!("12E")), i64::MAX);
        assert_eq!(units(&json!("much")), 0);
        assert_eq!(units(&json!(null)), 0);
    }

    #[test]
    fn sums_are_written_as_go_writes_them() {
        let sum = |one: &str, two: &str| {
            let of = |text: &str| Amount::read(&json!(text)).unwrap();
            of(one).plus(of(two)).to_string()
        };
        for (one, two, wanted) in [
            ("64Mi", "64Mi", "128Mi"),
            ("1Gi", "512Mi", "1536Mi"),
            ("0", "640Mi", "640Mi"),
            ("500m", "1500m", "2"),
            ("100m", "50m", "150m"),
            ("3", "1", "4"),
            ("999", "1", "1k"),
            ("0", "0", "0"),
            ("1", "1Mi", "1048577"),
        ] {
            assert_eq!(sum(one, two), wanted, "{one} + {two}");
        }
    }
}
