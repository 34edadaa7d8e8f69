//! [`Clock`]: the only place that reads the time of day. Monotonic time is tokio's, which tests can pause.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// RFC 3339 in UTC with milliseconds, as the report has it.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    // Before 1970 and after 9999 there is no such text; a clock that is so wrong has to be shown, not to end the run.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(time.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_utc_with_milliseconds() {
        let after = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!(rfc3339(after(1_769_860_800_123)), "2026-01-31T12:00:00.123Z");
        assert_eq!(rfc3339(after(u64::MAX / 1_000)), "9999-12-31T23:59:59.000Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
