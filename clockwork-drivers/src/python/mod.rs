//! The user's own checks in Python: [`PythonProbe`] finds a file with everything that it imports ([`PythonFile`]), and
//! [`PythonFile::call`] runs one of its functions.
//!
//! One interpreter is started for all files and checks with the same sandbox, on first need, and replaced when it is gone.
//! It forks a process for each file, which imports it once in each round; that process forks one for each check, with
//! everything imported. So a check costs a fork, and whatever it does to its process (its working directory, its globals,
//! a crash, an exit) nobody else sees. A file that opens descriptors, starts threads or processes while it is imported
//! cannot be copied like that: it is imported anew for each of its checks.
//!
//! They are spoken to over sockets of their own: what a check prints disturbs nothing, and is kept, up to a bound.

mod call;
#[cfg_attr(windows, path = "channel_windows.rs")]
mod channel;
mod file;
mod interpreter;
#[cfg_attr(windows, path = "pipe_windows.rs")]
mod pipe;
mod place;
mod printed;
mod told;
mod worker;

pub use call::{Ending, PythonCall, PythonFunction, PythonRun};
pub use file::{PythonFile, PythonProbe};
pub use place::Frame;
pub use printed::Printed;
pub use told::{Asserted, Broken, Raised, Returned, Told};

/// What a user's file can import from Clockwork, as type hints for editors and type checkers.
pub const STUB: &str = include_str!("worker/clockwork.pyi");
