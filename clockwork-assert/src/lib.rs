//! The assertion kinds, one file each: its fields and its judgement. No sockets, clients, retries or clocks: a kind asks
//! a probe and compares.

mod container_healthy;
mod container_running;
mod container_state;
mod cpu_usage;
mod deployed_revision;
mod disk_usage;
mod dns_resolve;
mod dns_verdict;
mod expected_status;
mod file_content_matches;
mod file_exists;
mod file_mode;
mod file_path;
mod file_permissions;
mod file_size;
mod healthcheck;
mod http_answer;
mod http_body;
mod http_header;
mod http_request;
mod http_status;
mod http_text;
mod json_path;
mod json_schema;
mod log_contains;
mod memory_usage;
mod one_or_many;
mod port_accessible;
mod process_not_running;
mod process_running;
mod processes;
mod response_time;
mod usage_subject;

pub use container_healthy::ContainerHealthyAssert;
pub use container_running::ContainerRunningAssert;
pub use cpu_usage::CpuUsageAssert;
pub use deployed_revision::DeployedRevisionAssert;
pub use disk_usage::DiskUsageAssert;
pub use dns_resolve::{DnsResolveAssert, RecordTypes};
pub use expected_status::ExpectedStatus;
pub use file_content_matches::FileContentMatchesAssert;
pub use file_exists::FileExistsAssert;
pub use file_mode::ModeLimit;
pub use file_permissions::FilePermissionsAssert;
pub use file_size::FileSizeAssert;
pub use healthcheck::HealthcheckAssert;
pub use http_body::HttpBodyAssert;
pub use http_header::HttpHeaderAssert;
pub use http_status::HttpStatusAssert;
pub use log_contains::LogContainsAssert;
pub use memory_usage::MemoryUsageAssert;
pub use one_or_many::OneOrMany;
pub use port_accessible::{PortAccessibleAssert, Transport};
pub use process_not_running::ProcessNotRunningAssert;
pub use process_running::ProcessRunningAssert;
pub use response_time::{Phase, ResponseTimeAssert};

use clockwork_core::Registry;

/// Adds this crate's assertion kinds.
pub fn register(registry: &mut Registry) {
    registry.assertion::<ContainerHealthyAssert>();
    registry.assertion::<ContainerRunningAssert>();
    registry.assertion::<CpuUsageAssert>();
    registry.assertion::<DeployedRevisionAssert>();
    registry.assertion::<DiskUsageAssert>();
    registry.assertion::<DnsResolveAssert>();
    registry.assertion::<FileContentMatchesAssert>();
    registry.assertion::<FileExistsAssert>();
    registry.assertion::<FilePermissionsAssert>();
    registry.assertion::<FileSizeAssert>();
    registry.assertion::<HealthcheckAssert>();
    registry.assertion::<HttpBodyAssert>();
    registry.assertion::<HttpHeaderAssert>();
    registry.assertion::<HttpStatusAssert>();
    registry.assertion::<LogContainsAssert>();
    registry.assertion::<MemoryUsageAssert>();
    registry.assertion::<PortAccessibleAssert>();
    registry.assertion::<ProcessNotRunningAssert>();
    registry.assertion::<ProcessRunningAssert>();
    registry.assertion::<ResponseTimeAssert>();
}
