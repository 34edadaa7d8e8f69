//! The assertion kinds, one file each: its fields and its judgement. No sockets, clients, retries or clocks: a kind asks
//! a probe and compares.

mod container_healthy;
mod container_running;
mod container_state;
mod cpu_usage;
mod disk_usage;
mod file_content_matches;
mod file_exists;
mod file_permissions;
mod file_size;
mod healthcheck;
mod log_contains;
mod memory_usage;
mod port_accessible;
mod process_not_running;
mod process_running;
mod response_time;
mod usage_subject;

pub use container_healthy::ContainerHealthyAssert;
pub use container_running::ContainerRunningAssert;
pub use cpu_usage::CpuUsageAssert;
pub use log_contains::LogContainsAssert;
pub use memory_usage::MemoryUsageAssert;

use clockwork_core::Registry;

/// Adds this crate's assertion kinds.
pub fn register(registry: &mut Registry) {
    registry.assertion::<ContainerHealthyAssert>();
    registry.assertion::<ContainerRunningAssert>();
    registry.assertion::<CpuUsageAssert>();
    registry.assertion::<LogContainsAssert>();
    registry.assertion::<MemoryUsageAssert>();
}
