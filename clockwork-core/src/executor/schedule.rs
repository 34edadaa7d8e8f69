//! When to look again: a pure function of what was found and of the time.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Outcome, assertion::Options};

/// Without `every`, the first retries come quickly, and later ones not more often than this.
const SLOWEST: Duration = Duration::from_secs(1);
const QUICKEST: Duration = Duration::from_millis(100);

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The verdict stands.
    Done,
    /// Look again then.
    At(Instant),
}

/// The times of one check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The run's start: all retries lie on one grid, so that checks that look at the same thing again share the look.
    pub(super) run_began: Instant,
    /// The check's first attempt.
    pub(super) began: Instant,
    /// How long to keep trying.
    pub(super) within: Option<Duration>,
    /// Since when it holds, under `holds_for`.
    pub(super) holds_since: Option<Instant>,
    /// How many attempts there were.
    pub(super) attempts: u32,
}

/// What follows an attempt that ended `now`.
pub(super) fn next(outcome: Outcome, retry: bool, options: &Options, times: Times, now: Instant) -> Next {
    let every = options.every.unwrap_or_else(|| backoff(times.attempts)).max(Duration::from_millis(1));
    if let Some(since) = times.holds_since {
        let end = since + options.holds_for.unwrap_or_default();
        return if outcome == Outcome::Passed && now < end {
            Next::At(tick(times.run_began, every, now).min(end))
        } else {
            Next::Done
        };
    }
    match times.within {
        Some(within) if outcome != Outcome::Passed && retry => {
            // The last attempt comes as late as it can: what comes true shortly before the end came true in time. One with
            // less time than this would only show that it had too little.
            let last = times.began + within.saturating_sub(QUICKEST);
            let at = tick(times.run_began, every, now).min(last);
            if at > now { Next::At(at) } else { Next::Done }
        }
        _ => Next::Done,
    }
}

/// 100 ms, 200 ms, 400 ms, 800 ms, 1 s, 1 s…
fn backoff(attempts: u32) -> Duration {
    QUICKEST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(SLOWEST)
}

/// The first multiple of `every` since `origin` that lies after `now`.
fn tick(origin: Instant, every: Duration, now: Instant) -> Instant {
    let passed = now.saturating_duration_since(origin).as_nanos() / every.as_nanos();
    let nanos = (passed + 1).saturating_mul(every.as_nanos());
    origin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_quickly_at_first_and_lie_on_one_grid() {
        let origin = Instant::now();
        let ms = |ms| origin + Duration::from_millis(ms);
        let (options, within) = (Options::default(), Some(Duration::from_secs(30)));
        for (attempts, now, expected) in
            [(1, 3, 100), (2, 130, 200), (3, 230, 400), (4, 410, 800), (5, 810, 1000), (9, 1000, 2000)]
        {
            let times = Times { run_began: origin, began: origin, within, holds_since: None, attempts };
            assert_eq!(
                next(Outcome::Failed, true, &options, times, ms(now)),
                Next::At(ms(expected)),
                "{attempts}"
            );
        }
    }

    #[test]
    fn the_last_attempt_is_near_the_end_whatever_the_grid() {
        let origin = Instant::now();
        let ms = |ms| origin + Duration::from_millis(ms);
        let five = Options { every: Some(Duration::from_secs(5)), ..Options::default() };
        for (options, within, attempts, now, expected) in [
            (Options::default(), 2000, 6, 1003, Next::At(ms(1900))),
            (Options::default(), 2000, 7, 1905, Next::Done),
            (five.clone(), 3000, 1, 10, Next::At(ms(2900))),
            (five, 12_000, 2, 5010, Next::At(ms(10_000))),
            (Options::default(), 60, 1, 10, Next::Done),
        ] {
            let within = Some(Duration::from_millis(within));
            let times = Times { run_began: origin, began: origin, within, holds_since: None, attempts };
            let next = next(Outcome::Failed, true, &options, times, ms(now));
            assert_eq!(next, expected, "{within:?} {attempts}");
        }
    }

    #[test]
    fn what_cannot_change_and_what_passed_is_done() {
        let origin = Instant::now();
        let (options, within) = (Options::default(), Some(Duration::from_secs(30)));
        let times = Times { run_began: origin, began: origin, within, holds_since: None, attempts: 1 };
        assert_eq!(next(Outcome::Failed, false, &options, times, origin), Next::Done);
        assert_eq!(next(Outcome::Passed, false, &options, times, origin), Next::Done);
        assert_eq!(
            next(Outcome::Failed, true, &options, times, origin + Duration::from_secs(30)),
            Next::Done
        );
        assert_eq!(
            next(Outcome::Failed, true, &options, Times { within: None, ..times }, origin),
            Next::Done
        );
    }
}
