//! The `clockwork` command: options, formats, live progress, exit codes. Nothing that an embedder would miss.
//!
//! The binary reads manifests. A Rust program that declares its own project gets the same command for it in one call:
//!
//! ```no_run
//! use clockwork_core::prelude::*;
//!
//! fn main() -> ExitCode {
//!     let stock = BlankResource::new("stock").assert(assertion("adds up", async |_: Context| 2 + 2 == 4));
//!     clockwork_action::main(Project::new("shop").with(stock))
//! }
//! ```
//!
//! Exit codes, of every command: 0 all held; 1 an assertion failed or could not be judged, or a result could not be
//! written; 2 the command line or the manifest is wrong, and nothing ran; 130 interrupted.

#![forbid(unsafe_code)]

mod cargo_program;
mod cli;
mod command;
mod exit;
mod format;
mod graph;
mod outline;
mod output;
mod passes;
mod progress;
mod run;
mod runner;
mod source;
mod system;

pub use command::{Command, main};
