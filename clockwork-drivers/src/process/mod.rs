//! Processes: the process table, read once for everybody who asks, and who in it is meant by a name.
//!
//! It is read from `/proc` directly, a few small files for each process; on other systems than Linux by what `sysinfo`
//! has for each. One that ends meanwhile is left out. What
//! the kernel does not show us is said, because "not seen" must never pass for "not running".

#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod entry;
#[cfg(target_os = "linux")]
mod proc;
mod table;
#[cfg(all(test, target_os = "linux"))]
mod tests;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use proc as system;

pub use entry::{CommandLine, Meant, Process, ProcessState};
pub use table::{ProcessTable, ProcessTableProbe};
