//! Commands: runs a program and tells how it ended and what it wrote ([`CommandProbe`]), and leaves nothing of it behind.

mod output;
mod probe;

pub use output::Output;
pub use probe::{CommandProbe, CommandRun, Ended, OUTPUT_LIMIT};
