//! The assertion kinds, one file each: its fields and its judgement. No sockets, clients, retries or clocks: a kind asks
//! a probe and compares.

mod container_healthy;
mod container_running;
mod cpu_usage;
mod disk_usage;
mod expected_status;
mod file_content_matches;
mod file_exists;
mod file_permissions;
mod file_size;
mod healthcheck;
mod http_answer;
mod http_request;
mod json_path;
mod log_contains;
mod memory_usage;
mod port_accessible;
mod process_not_running;
mod process_running;
mod response_time;

use clockwork_core::Registry;

pub use expected_status::ExpectedStatus;
pub use healthcheck::HealthcheckAssert;
pub use port_accessible::{PortAccessibleAssert, Transport};
pub use response_time::{Phase, ResponseTimeAssert};

/// Adds this crate's assertion kinds.
pub fn register(registry: &mut Registry) {
    registry.assertion::<HealthcheckAssert>();
    registry.assertion::<PortAccessibleAssert>();
    registry.assertion::<ResponseTimeAssert>();
}
