//! [`ContainerStats`]: what a container uses, by the engine's word: for containers whose control group is not on this
//! machine.

use clockwork_core::{CheckError, Context, Fault, Probe};
use serde::Deserialize;

use super::{
    ContainerRef,
    client::{self, segment},
    list::or_default,
};

/// What a container uses, by the engine's word.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerStats(pub ContainerRef);

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Memory in bytes, without the page cache that can be dropped.
    pub memory: u64,
    /// The memory that there is for it, in bytes.
    pub memory_limit: Option<u64>,
    /// Processor time so far, in nanoseconds.
    pub cpu_nanos: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reading {
    #[serde(deserialize_with = "or_default")]
    memory_stats: Memory,
    #[serde(deserialize_with = "or_default")]
    cpu_stats: Cpu,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    #[serde(deserialize_with = "or_default")]
    stats: Cache,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cache {
    /// Control groups v1.
    total_inactive_file: Option<u64>,
    /// Control groups v2.
    inactive_file: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cpu {
    #[serde(deserialize_with = "or_default")]
    cpu_usage: CpuUsage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: Option<u64>,
}

impl Reading {
    /// `None` where nothing runs: an engine then answers with everything left out.
    fn stats(&self) -> Option<Stats> {
        let usage = self.memory_stats.usage?;
        let cache = &self.memory_stats.stats;
        let inactive = cache.total_inactive_file.or(cache.inactive_file).unwrap_or(0);
        Some(Stats {
            memory: usage.checked_sub(inactive).unwrap_or(usage),
            memory_limit: self.memory_stats.limit.filter(|&limit| limit > 0),
            cpu_nanos: self.cpu_stats.cpu_usage.total_usage?,
        })
    }
}

impl Probe for ContainerStats {
    type Observation = Stats;

    async fn look(&self, cx: &Context) -> Result<Stats, CheckError> {
        let engine = client::engine(&self.0.engine, cx).await?;
        cx.phase(format!("waiting for its usage from {}", engine.describe()));
        let path = format!("/containers/{}/stats?stream=false&one-shot=true", segment(&self.0.name));
        let reading = engine.json::<Reading>(&path, 1 << 20).await?;
        let reading =
            reading.ok_or_else(|| CheckError::target(super::missing(&self.0.name, &engine.describe())))?;
        reading.stats().ok_or_else(|| {
            CheckError::target(format!("the container {} uses nothing: it does not run", self.0.name))
        })
    }

    fn describe(&self) -> String {
        format!("reading the usage of the container {}", self.0.name)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn page_cache_is_not_counted_whatever_the_version_of_control_groups() {
        let stats = |json: &str| serde_json::from_str::<Reading>(json).unwrap().stats();
        let v1 = r#"{"memory_stats":{"usage":1000,"limit":5000,"stats":{"inactive_file":1,"total_inactive_file":300}},
                     "cpu_stats":{"cpu_usage":{"total_usage":7}}}"#;
        assert_eq!(stats(v1), Some(Stats { memory: 700, memory_limit: Some(5000), cpu_nanos: 7 }));
        let v2 = r#"{"memory_stats":{"usage":1000,"limit":5000,"stats":{"inactive_file":400}},
                     "cpu_stats":{"cpu_usage":{"total_usage":7}}}"#;
        assert_eq!(stats(v2).unwrap().memory, 600);
        let stopped = r#"{"memory_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0}}}"#;
        assert_eq!(stats(stopped), None);
        assert_eq!(stats(r#"{"memory_stats":null}"#), None);
    }
}
