//! The assertion kinds, one file each: its fields and its judgement. No sockets, clients, retries or clocks: a kind asks
//! a probe and compares.

mod command;
mod container_healthy;
mod container_running;
mod container_state;
mod cpu_usage;
mod disk_usage;
mod expected_status;
mod file_content_matches;
mod file_exists;
mod file_mode;
mod file_path;
mod file_permissions;
mod file_size;
mod healthcheck;
mod http_answer;
mod http_request;
mod json_path;
mod log_contains;
mod memory_usage;
mod no_open_ports;
mod open_ports;
mod port_accessible;
mod process_not_running;
mod process_running;
mod processes;
mod response_time;
mod usage_subject;

pub use command::CommandAssert;
pub use container_healthy::ContainerHealthyAssert;
pub use container_running::ContainerRunningAssert;
pub use cpu_usage::CpuUsageAssert;
pub use disk_usage::DiskUsageAssert;
pub use expected_status::ExpectedStatus;
pub use file_content_matches::FileContentMatchesAssert;
pub use file_exists::FileExistsAssert;
pub use file_mode::ModeLimit;
pub use file_permissions::FilePermissionsAssert;
pub use file_size::FileSizeAssert;
pub use healthcheck::HealthcheckAssert;
pub use log_contains::LogContainsAssert;
pub use memory_usage::MemoryUsageAssert;
pub use no_open_ports::{NoOpenPortsAssert, PortMethod, PortScope};
pub use port_accessible::{PortAccessibleAssert, Transport};
pub use process_not_running::ProcessNotRunningAssert;
pub use process_running::ProcessRunningAssert;
pub use response_time::{Phase, ResponseTimeAssert};

use clockwork_core::Registry;

/// Adds this crate's assertion kinds.
pub fn register(registry: &mut Registry) {
    registry.assertion::<CommandAssert>();
    registry.assertion::<ContainerHealthyAssert>();
    registry.assertion::<ContainerRunningAssert>();
    registry.assertion::<CpuUsageAssert>();
    registry.assertion::<DiskUsageAssert>();
    registry.assertion::<FileContentMatchesAssert>();
    registry.assertion::<FileExistsAssert>();
    registry.assertion::<FilePermissionsAssert>();
    registry.assertion::<FileSizeAssert>();
    registry.assertion::<HealthcheckAssert>();
    registry.assertion::<LogContainsAssert>();
    registry.assertion::<MemoryUsageAssert>();
    registry.assertion::<NoOpenPortsAssert>();
    registry.assertion::<PortAccessibleAssert>();
    registry.assertion::<ProcessNotRunningAssert>();
    registry.assertion::<ProcessRunningAssert>();
    registry.assertion::<ResponseTimeAssert>();
}
