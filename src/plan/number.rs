//! Numbers as people type them: one meaning on the screen and on the command line.

use std::str::FromStr;

/// A number, or one counted from what is so now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// `5`: that many.
    To(i64),
    /// `+1`, `-1`: so many more or fewer than now.
    By(i64),
}

/// No number of replicas and no weight is greater.
const MOST: i64 = 1_000_000_000;

impl Number {
    /// What it comes to where it is `now` so many.
    pub fn from(self, now: u32) -> i64 {
        match self {
            Self::To(n) => n,
            Self::By(n) => i64::from(now) + n,
        }
    }
}

impl FromStr for Number {
    type Err = String;

    /// Reads `5`, `+1` or `-1`.
    ///
    /// # Errors
    /// It is no whole number, or none that anything can have; the sentence says which.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let shown: String = text.chars().take(20).collect();
        if text.is_empty() {
            return Err("type a whole number such as 5, +1 or -1".into());
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("`{shown}` is not a whole number such as 5, +1 or -1"));
        }
        let number = text.parse().ok().filter(|n: &i64| n.abs() <= MOST);
        let number = number.ok_or_else(|| format!("{shown} is too large: at most {MOST}"))?;
        Ok(if digits.len() < text.len() { Self::By(number) } else { Self::To(number) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_counts_from_now() {
        let of = |text: &str| text.parse::<Number>().map(|n| n.from(3));
        assert_eq!(of("5"), Ok(5));
        assert_eq!((of("+1"), of(" -1 "), of("-5"), of("+0")), (Ok(4), Ok(2), Ok(-2), Ok(3)));
        for bad in ["+", "five", "1.5", "--1", "+-1", "1e3", "0x5", "５"] {
            assert!(of(bad).is_err_and(|why| why.contains("not a whole number")), "{bad}");
        }
        for large in ["99999999999", "-99999999999999999999999"] {
            assert!(of(large).is_err_and(|why| why.contains("too large")), "{large}");
        }
    }
}
