//! What differs from system to system, with one face: error numbers, limits, who we are, sockets with a path. And in one
//! place, what is said where a system has not got what a look needs ([`lacks`]).
//!
//! What a whole domain does otherwise on another system has a module of its own there: `linux` or `unix`, and `elsewhere`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// That a look cannot be had on this system, whatever is right or wrong with the target: never a verdict.
///
/// `doing` is what cannot be done (`read the kernel's socket table`), `needs` what that takes (`Linux's netlink`).
#[cfg(any(not(target_os = "linux"), test))]
pub(crate) fn lacks(doing: &str, needs: &str) -> clockwork_core::CheckError {
    let system = match std::env::consts::OS {
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    };
    clockwork_core::CheckError::unobservable(format!(
        "cannot {doing} on {system}: that needs {needs}, which it has not got"
    ))
    .hint("have Clockwork look from a machine that has, or leave the assertion out here with `skip`")
    .terminal()
}
