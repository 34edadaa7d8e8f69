//! What a forked process writes to, and our end of it.

use std::io;

pub(super) use tokio::net::unix::pipe::Receiver;

use crate::sandbox::Descriptor;

/// Our end, and theirs.
pub(super) fn pair() -> io::Result<(Receiver, Descriptor)> {
    let (ours, theirs) = io::pipe()?;
    Ok((Receiver::from_owned_fd(ours.into())?, theirs.into()))
}
