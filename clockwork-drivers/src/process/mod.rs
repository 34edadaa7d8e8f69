//! Processes: the process table, read once for everybody who asks, and who in it is meant by a name.
//!
//! It is read from `/proc` directly, a few small files for each process. One that ends meanwhile is left out. What
//! the kernel does not show us is said, because "not seen" must never pass for "not running".

mod entry;
mod table;
#[cfg(test)]
mod tests;

pub use entry::{CommandLine, Meant, Process, ProcessState};
pub use table::{ProcessTable, ProcessTableProbe};
