//! A moment as people type it.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// The moment that a text names, by UTC: `03:12` or `03:12:30` on the day of `near` (the day before where that lies after
/// `near`), `2026-11-29 03:12`, `2026-11-29T03:12:30Z`, or `-10m` and `+5m` from `near`.
///
/// # Errors
/// It names none, or one that is too far away: one sentence.
pub fn moment_of(text: &str, near: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let none = || format!("`{text}` is no time, such as 03:12, 2026-11-29 03:12 or -10m (UTC)");
    let far = || format!("`{text}` is too far away: no recording reaches there");
    if let Some(span) = text.strip_prefix(['-', '+']) {
        let span = humantime::parse_duration(span).map_err(|why| match why {
            humantime::DurationError::NumberOverflow => far(),
            _ => none(),
        });
        let span = SignedDuration::try_from(span?).map_err(|_| far())?;
        let moved = if text.starts_with('-') { near.checked_sub(span) } else { near.checked_add(span) };
        return moved.map_err(|_| far());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let utc = |at: civil::DateTime| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return utc(at).ok_or_else(far);
    }
    let clock = text.parse::<civil::Time>().map_err(|_| none())?;
    let day = near.to_zoned(TimeZone::UTC).date();
    let at = utc(day.to_datetime(clock)).ok_or_else(far)?;
    let before = || utc(day.yesterday().ok()?.to_datetime(clock));
    Ok(if at > near { before().unwrap_or(at) } else { at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_typed() {
        let near: Timestamp = "2026-11-29T03:12:00Z".parse().expect("a time");
        for (text, expected) in [
            ("03:10", "2026-11-29T03:10:00Z"),
            ("03:10:30", "2026-11-29T03:10:30Z"),
            ("23:00", "2026-11-28T23:00:00Z"),
            ("-10m", "2026-11-29T03:02:00Z"),
            ("+1h", "2026-11-29T04:12:00Z"),
            ("2026-11-28 01:02", "2026-11-28T01:02:00Z"),
            ("2026-11-28T01:02:03Z", "2026-11-28T01:02:03Z"),
        ] {
            assert_eq!(moment_of(text, near).map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "soon", "25:00", "-", "-10", "-10x"] {
            assert!(moment_of(text, near).is_err_and(|why| why.contains("is no time")), "{text}");
        }
        for text in ["9999-12-31 00:00", "+9000y", "-20000y", "-99999999999999y"] {
            let why = format!("`{text}` is too far away: no recording reaches there");
            assert_eq!(moment_of(text, near), Err(why));
        }
    }
}
