//! [`CpuUsageAssert`]: a container, the processes of a name, or this machine use at most so much processor time.
//!
//! The percentage is of one core, as `docker stats` and `top` have it: two busy cores are 200 %, and a container that may
//! use half a core reaches 50 %. What counts is said in [`clockwork_drivers::usage`]: for a container, all that runs in
//! it; for processes, those that are there from beginning to end; for the machine, all but idle, waiting and stolen time.
//!
//! It is the mean over `over`, not a peak, and always a measurement of this assertion's own. A container or process that
//! is not there judges nothing: it is `failed`, and `errored` under `not: true`.

use std::time::Duration;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait, duration::show,
};
use clockwork_drivers::usage::{Cpu, CpuUsage};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::usage_subject;

/// At most so much processor time is used. That of the whole machine is told by Linux alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuUsageAssert {
    /// How much may be used, in percent of one core: two busy cores are 200.
    max_percent: f64,
    /// How long to measure. `timeout` has to be longer.
    #[serde(with = "clockwork_core::duration", default = "second")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    over: Duration,
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
    /// All processes of this name together, instead of a container.
    #[serde(default)]
    process: Option<String>,
}

fn second() -> Duration {
    Duration::from_secs(1)
}

/// The kernel counts a process's time in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(100);

impl CpuUsageAssert {
    /// At most so many percent of one core are used, measured over a second.
    pub fn max_percent(percent: impl Into<f64>) -> Self {
        Self { max_percent: percent.into(), over: second(), container: None, process: None }
    }

    /// How long to measure. The assertion's timeout has to be longer.
    #[must_use]
    pub fn over(mut self, over: Duration) -> Self {
        self.over = over;
        self
    }

    /// Used by this container: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Used by all processes of this name together.
    #[must_use]
    pub fn process(mut self, process: impl Into<String>) -> Self {
        self.process = Some(process.into());
        self
    }
}

impl AssertionKind for CpuUsageAssert {
    const NAME: &'static str = "CpuUsageAssert";
}

#[async_trait]
impl Assertion for CpuUsageAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let of = usage_subject::label(self.container.as_deref(), self.process.as_deref());
        format!("{of}<= {} %", self.max_percent)
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut invalid = usage_subject::validate(owner, self.container.as_deref(), self.process.as_deref());
        if !(self.max_percent > 0.0 && self.max_percent.is_finite()) {
            invalid.push(Invalid::field("max_percent", "is a percentage above 0; one busy core is 100"));
        }
        if self.over < SHORTEST {
            invalid.push(Invalid::field("over", "measure over 100ms or longer"));
        }
        invalid
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let of = usage_subject::meant(cx, self.container.as_deref(), self.process.as_deref());
        Ok(judge(self, &*cx.measure(CpuUsage { of, over: self.over }).await?))
    }
}

fn judge(asserted: &CpuUsageAssert, seen: &Cpu) -> Verdict {
    let holds = seen.percent <= asserted.max_percent;
    // A failure by a hair is told in full, so that it does not read "used 80.0 %" against "<= 80 %".
    let hair = !holds && format!("{:.1}", seen.percent) == format!("{:.1}", asserted.max_percent);
    let percent = if hair { seen.percent.to_string() } else { format!("{:.1}", seen.percent) };
    let actual = format!("{percent} % of a core over {}", show(seen.over));
    Verdict::of(holds, format!("used {actual}"))
        .expected(format!("<= {} %", asserted.max_percent))
        .actual(actual)
        .detail("percent", seen.percent)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn more_than_one_core_is_more_than_a_hundred_percent() {
        let seen = |percent| Cpu { percent, over: Duration::from_secs(1) };
        for (max, percent, passes) in
            [(80.0, 80.0, true), (80.0, 80.1, false), (250.0, 199.0, true), (100.0, 180.0, false)]
        {
            assert_eq!(judge(&CpuUsageAssert::max_percent(max), &seen(percent)).has_passed(), passes);
        }
        let verdict = judge(&CpuUsageAssert::max_percent(100), &seen(187.34));
        assert_eq!(verdict.text(), "used 187.3 % of a core over 1 s");
        assert_eq!(verdict.evidence().0, Some("<= 100 %"));
    }

    #[test]
    fn fields_are_checked() {
        let fields = |json: &str| -> Vec<String> {
            let asserted: CpuUsageAssert = serde_json::from_str(json).unwrap();
            asserted.validate(None).into_iter().map(|invalid| invalid.field).collect()
        };
        for (json, wrong) in [
            (r#"{"max_percent":250,"over":"2s"}"#, &[][..]),
            (r#"{"max_percent":0,"over":"10ms"}"#, &["max_percent", "over"]),
            (r#"{"max_percent":5,"container":"a","process":"b"}"#, &["process"]),
        ] {
            assert_eq!(fields(json), wrong, "{json}");
        }
        assert!(serde_json::from_str::<CpuUsageAssert>("{}").is_err());
    }
}
