//! Settings of servers, compared as what they mean and not as they are spelt: `off`, `no`, `false` and `0` are one value,
//! and so are `1G`, `1024M` and `1073741824`, and `PT15S` and `15`.

/// A setting that is switched on: `ON`, `YES`, `true`, `1`, in any case.
pub fn is_on(value: &str) -> bool {
    ["on", "yes", "true", "1"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// A setting that is switched off: `OFF`, `NO`, `false`, `0`, in any case.
pub fn is_off(value: &str) -> bool {
    ["off", "no", "false", "0"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// One spelling for all that mean the same.
pub(super) fn plain(value: &str) -> String {
    let value = value.trim().trim_matches('"').trim();
    match () {
        () if is_on(value) => "1".into(),
        () if is_off(value) => "0".into(),
        () => match bytes_of(value) {
            Some(bytes) => bytes.to_string(),
            None => match seconds_of(value).or_else(|| number_of(value)) {
                Some(number) => number.to_string(),
                None => value.to_ascii_lowercase(),
            },
        },
    }
}

/// Bytes of `128M`, `1G`, `16777216`: binary multiples, as the provider reads them.
pub(super) fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, scale) = match text.char_indices().next_back()? {
        (at, 'K' | 'k') => (&text[..at], 1u64 << 10),
        (at, 'M' | 'm') => (&text[..at], 1 << 20),
        (at, 'G' | 'g') => (&text[..at], 1 << 30),
        (at, 'T' | 't') => (&text[..at], 1 << 40),
        _ => (text, 1),
    };
    digits(number)?.parse::<u64>().ok()?.checked_mul(scale)
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

/// `0.5`, `-1`, `1.0`: no `inf`, no `nan`, no `1e9`, which the servers do not write.
fn number_of(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    text.parse::<f64>().ok().filter(|n| plain && n.is_finite())
}

/// Seconds of `PT0.5S`, `PT1M30S`, `P1DT2H` (ISO 8601, as the provider writes durations).
fn seconds_of(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (date, time) = match rest.split_once(['T', 't']) {
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let mut found = false;
    let mut sum = 0.0;
    for (part, units) in [
        (date, [('D', 86_400.0), ('W', 604_800.0), ('d', 86_400.0)].as_slice()),
        (time, [('H', 3_600.0), ('M', 60.0), ('S', 1.0), ('h', 3_600.0), ('m', 60.0), ('s', 1.0)].as_slice()),
    ] {
        let mut left = part;
        while !left.is_empty() {
            let at = left.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = left[at..].chars().next()?;
            let (_, seconds) = units.iter().find(|(name, _)| *name == unit)?;
            sum += number_of(&left[..at])? * seconds;
            found = true;
            left = &left[at + 1..];
        }
    }
    found.then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_spelt_alike() {
        for alike in [
            &["off", "OFF", "no", "No", "false", "0"][..],
            &["on", "yes", "YES", "true", "1"],
            &["1G", "1g", "1024M", "1073741824", " 1048576K "],
            &["PT15S", "15", "15.0", "PT0M15S", "pt15s"],
            &["PT1M30S", "PT90S", "90"],
            &["PT0.5S", "0.5", "0.50"],
            &["P1D", "PT24H", "86400"],
            &["AES256", "aes256"],
        ] {
            for other in alike {
                assert_eq!(plain(alike[0]), plain(other), "{} and {other}", alike[0]);
            }
        }
        for (one, other) in [
            ("1G", "1M"),
            ("on", "off"),
            ("PT15S", "PT15M"),
            ("PT", "0"),
            ("P", "p1"),
            ("nan", "0"),
            ("1e3", "1000"),
            ("", "0"),
        ] {
            assert_ne!(plain(one), plain(other), "{one} and {other}");
        }
        assert_eq!(bytes_of("18446744073709551615T"), None);
    }
}
