//! Where there is no Linux, no kernel shows the root directory of a container: its engine brings what is asked of it.

#[cfg(feature = "dns")]
use std::{fs::File, io};

#[cfg(feature = "dns")]
use clockwork_core::CheckError;

/// No.
#[cfg(feature = "container")]
pub(crate) fn may_enter(_: u32) -> bool {
    false
}

/// Opens a configuration file of this machine.
#[cfg(feature = "dns")]
pub(super) fn open(path: &str, inside: Option<u32>) -> Result<io::Result<File>, CheckError> {
    match inside {
        None => Ok(File::open(path)),
        Some(_) => Err(crate::platform::lacks("enter a container's root", "Linux's /proc")),
    }
}
