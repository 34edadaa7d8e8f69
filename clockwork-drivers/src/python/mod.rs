//! The user's own checks in Python: [`PythonProbe`] finds a file with everything that it imports ([`PythonFile`]), and
//! [`PythonFile::call`] runs one of its functions.
//!
//! One interpreter is started for all files and checks with the same sandbox, on first need, and replaced when it is gone.
//! It forks a process for each file, which imports it once in each round; that process forks others for the checks, with
//! everything imported, so that whatever a check does to its process (its working directory, its globals, a crash, an exit)
//! nobody else sees. A file that opens descriptors, starts threads or processes while it is imported cannot be copied like
//! that: it is imported anew for each of its checks.
//!
//! A fork takes longer than most checks. So a process takes another check when the last one left it as it was, which
//! `worker/keeps.py` finds out: it compares all that the user's own modules hold, and what there is around them. Where that
//! cannot be told (a session or a lock at the top of the file, code that changes what modules of others keep to themselves)
//! each check has a process of its own. What ends a process in which others ran before it, or lacks memory there, is
//! asked once more in a new one: what others left is never blamed on it. There are two such processes at first, and more
//! as soon as all are busy for a while (`seat`).
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
mod seat;
mod told;
mod worker;

pub use call::{Ending, PythonCall, PythonFunction, PythonRun};
pub use file::{PythonFile, PythonProbe};
pub use place::Frame;
pub use printed::Printed;
pub use told::{Asserted, Broken, Raised, Returned, Told};

/// What a user's file can import from Clockwork, as type hints for editors and type checkers.
pub const STUB: &str = include_str!("worker/clockwork.pyi");
