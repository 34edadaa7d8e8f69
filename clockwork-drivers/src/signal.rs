//! Signals by their names.

/// `SIGKILL`, or the number of one without a name.
pub(crate) fn name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}
