//! Signals by their names.

/// `SIGKILL`, or the number of one without a name.
pub(crate) fn name(number: i32) -> String {
    #[cfg(unix)]
    if let Ok(signal) = nix::sys::signal::Signal::try_from(number) {
        return signal.as_str().to_owned();
    }
    format!("signal {number}")
}
