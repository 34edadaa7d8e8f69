//! Instants of certificates: seconds of Unix time, which may lie outside what the usual types can hold (`99991231235959Z`).

use std::time::SystemTime;

const DAY: i64 = 86_400;

/// A time of day in Unix time.
pub fn unix(time: SystemTime) -> i64 {
    let seconds = |after: std::time::Duration| i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => seconds(after),
        Err(before) => -seconds(before.duration()),
    }
}

/// Whole days from one instant to a later one; negative where it is earlier.
pub fn days_between(from: i64, to: i64) -> i64 {
    to.saturating_sub(from).div_euclid(DAY)
}

/// `3 days`, or `5 hours` and `20 minutes` where it is less than a day: how long from one instant to a later one.
pub fn span(from: i64, to: i64) -> String {
    let seconds = to.saturating_sub(from).max(0);
    let (amount, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        60.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" })
}

/// RFC 3339 in UTC: `2026-01-31T12:00:00Z`.
pub fn rfc3339(time: i64) -> String {
    let (days, seconds) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    // The civil date of a day number, from the year's beginning in March (Hinnant's algorithm).
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_as_everybody_does() {
        // As `date -u -d @N` shows them.
        for (time, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_769_860_800, "2026-01-31T12:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(time), expected);
        }
    }

    #[test]
    fn days_are_whole_and_never_rounded_up() {
        for (to, expected) in [(DAY - 1, 0), (DAY, 1), (30 * DAY - 1, 29), (0, 0), (-1, -1), (-DAY, -1)] {
            assert_eq!(days_between(0, to), expected, "{to}");
        }
        for (to, expected) in
            [(DAY, "1 day"), (3 * DAY - 1, "2 days"), (7200, "2 hours"), (61, "1 minute"), (-9, "0 seconds")]
        {
            assert_eq!(span(0, to), expected);
        }
    }
}
