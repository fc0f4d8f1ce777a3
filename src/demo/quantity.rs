//! Kubernetes quantities: `250m`, `640Mi`, `1.5Gi`, `1e3`. Read by the scheduler, the kubelet and the usage model.

use serde_json::Value;

/// Thousandths of a core, rounded up; 0 for what is absent or cannot be read.
pub(crate) fn milli_cpu(value: &Value) -> i64 {
    nano(value).map_or(0, |nano| clamp(ceil(nano, 1_000_000)))
}

/// Whole units (bytes, pods), rounded up; 0 for what is absent or cannot be read.
pub(crate) fn units(value: &Value) -> i64 {
    nano(value).map_or(0, |nano| clamp(ceil(nano, 1_000_000_000)))
}

fn nano(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse(text.trim()),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<i128> {
    const NANO: i128 = 1_000_000_000;
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
}
