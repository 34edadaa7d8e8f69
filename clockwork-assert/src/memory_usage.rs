//! [`MemoryUsageAssert`]: a container, the processes of a name, or this machine use at most so much memory.
//!
//! What counts as used is said in [`clockwork_drivers::usage`]: of a container, what its control group uses without the
//! page cache that the kernel drops first (`usage − inactive_file`, which is what `docker stats` shows); of processes,
//! the sum of their resident sets; of the machine, `MemTotal − MemAvailable`. A percentage is of the container's limit,
//! or of the machine's memory where there is none. 1 MB is 1,000,000 bytes, as in all sizes.
//!
//! It is one look, not a peak. A container or process that is not there judges nothing: it is `failed`, and `errored`
//! under `not: true`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::usage::{Memory, MemoryUsage};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::usage_subject;

/// At most so much memory is used.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryUsageAssert {
    /// How much may be used, in megabytes (1,000,000 bytes).
    #[serde(default)]
    max_mb: Option<f64>,
    /// How much may be used, in percent of the container's limit, or of this machine's memory.
    #[serde(default)]
    max_percent: Option<f64>,
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
    /// All processes of this name together, instead of a container.
    #[serde(default)]
    process: Option<String>,
}

impl MemoryUsageAssert {
    /// At most so many megabytes (1,000,000 bytes) are used.
    pub fn max_mb(megabytes: impl Into<f64>) -> Self {
        Self { max_mb: Some(megabytes.into()), ..Self::default() }
    }

    /// At most so many percent are used, of the container's limit or of this machine's memory.
    pub fn max_percent(percent: impl Into<f64>) -> Self {
        Self { max_percent: Some(percent.into()), ..Self::default() }
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

    fn limits(&self) -> String {
        let megabytes = self.max_mb.map(|max| format!("<= {max} MB"));
        let percent = self.max_percent.map(|max| format!("<= {max} %"));
        megabytes.into_iter().chain(percent).collect::<Vec<_>>().join(", ")
    }
}

impl AssertionKind for MemoryUsageAssert {
    const NAME: &'static str = "MemoryUsageAssert";
}

#[async_trait]
impl Assertion for MemoryUsageAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let of = usage_subject::label(self.container.as_deref(), self.process.as_deref());
        format!("{of}{}", self.limits())
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut invalid = usage_subject::validate(owner, self.container.as_deref(), self.process.as_deref());
        if self.max_mb.is_none() && self.max_percent.is_none() {
            invalid.push(Invalid::whole("give `max_mb`, `max_percent` or both"));
        }
        if self.max_mb.is_some_and(|max| !(max > 0.0 && max.is_finite())) {
            invalid.push(Invalid::field("max_mb", "is a number of megabytes above 0"));
        }
        if self.max_percent.is_some_and(|max| !(max > 0.0 && max <= 100.0)) {
            invalid.push(Invalid::field("max_percent", "is a percentage above 0, at most 100"));
        }
        invalid
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let subject = usage_subject::meant(cx, self.container.as_deref(), self.process.as_deref());
        Ok(judge(self, &*cx.observe(MemoryUsage(subject)).await?))
    }
}

fn judge(asserted: &MemoryUsageAssert, seen: &Memory) -> Verdict {
    let used = seen.used as f64 / 1e6;
    let all = seen.limit as f64 / 1e6;
    let percent = seen.used as f64 / seen.limit.max(1) as f64 * 100.0;
    let fits = asserted.max_mb.is_none_or(|max| used <= max)
        && asserted.max_percent.is_none_or(|max| percent <= max);
    let by = match seen.processes {
        Some(count) if count > 1 => format!(", {count} processes together"),
        _ => String::new(),
    };
    // A failure by a hair is told in full, so that it does not read "uses 100.0 MB" against "<= 100 MB".
    let shown = |value: f64, max: Option<f64>| match max {
        Some(max) if value > max && format!("{value:.1}") == format!("{max:.1}") => value.to_string(),
        _ => format!("{value:.1}"),
    };
    let (used, percent) = (shown(used, asserted.max_mb), shown(percent, asserted.max_percent));
    let actual = match asserted.max_percent {
        Some(_) => format!("{percent} % ({used} MB of {all:.1} MB)"),
        None => format!("{used} MB"),
    };
    Verdict::of(fits, format!("uses {actual}{by}"))
        .expected(asserted.limits())
        .actual(actual)
        .detail("used_bytes", seen.used)
        .detail("limit_bytes", seen.limit)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn both_limits_hold_up_to_and_including_their_value() {
        let seen = |used| Memory { used, limit: 200_000_000, processes: None };
        let both = MemoryUsageAssert { max_mb: Some(120.0), ..MemoryUsageAssert::max_percent(50) };
        for (asserted, used, passes, told) in [
            (MemoryUsageAssert::max_mb(100), 100_000_000, true, "uses 100.0 MB"),
            (MemoryUsageAssert::max_mb(100), 100_100_000, false, "uses 100.1 MB"),
            (MemoryUsageAssert::max_mb(100), 100_000_001, false, "uses 100.000001 MB"),
            (MemoryUsageAssert::max_percent(50), 100_000_000, true, "uses 50.0 % (100.0 MB of 200.0 MB)"),
            (MemoryUsageAssert::max_percent(50), 110_000_000, false, "uses 55.0 % (110.0 MB of 200.0 MB)"),
            (both, 110_000_000, false, "uses 55.0 % (110.0 MB of 200.0 MB)"),
        ] {
            let verdict = judge(&asserted, &seen(used));
            assert_eq!((verdict.has_passed(), verdict.text()), (passes, told));
        }
    }

    #[test]
    fn several_processes_are_named_as_such() {
        let seen = Memory { used: 5_000_000, limit: 10_000_000, processes: Some(3) };
        let verdict = judge(&MemoryUsageAssert::max_mb(1.5), &seen);
        assert_eq!(verdict.text(), "uses 5.0 MB, 3 processes together");
        assert_eq!(verdict.evidence(), (Some("<= 1.5 MB"), Some("5.0 MB")));
    }

    #[test]
    fn fields_are_checked() {
        let fields = |json: &str| -> Vec<String> {
            let asserted: MemoryUsageAssert = serde_json::from_str(json).unwrap();
            asserted.validate(None).into_iter().map(|invalid| invalid.field).collect()
        };
        for (json, wrong) in [
            (r#"{"max_mb":512}"#, &[][..]),
            ("{}", &[""]),
            (r#"{"max_mb":0,"max_percent":101}"#, &["max_mb", "max_percent"]),
            (r#"{"max_mb":1,"container":"a","process":"b"}"#, &["process"]),
            (r#"{"max_mb":1,"process":"/bin/x"}"#, &["process"]),
            (r#"{"max_mb":1,"container":"a b"}"#, &["container"]),
        ] {
            assert_eq!(fields(json), wrong, "{json}");
        }
    }
}
