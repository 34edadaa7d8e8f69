//! Where there is no Linux, nobody tells of sockets what Linux's kernel tells.

use std::collections::HashSet;

use clockwork_core::CheckError;

use super::{Listeners, Owners, Protocol};
use crate::{platform::lacks, vantage::network::Network};

pub(super) async fn listeners(_: &Network, _: Protocol, _: bool) -> Result<Listeners, CheckError> {
    Err(lacks("see who listens", "Linux's socket tables")
        .hint("use `method: connect`, or look from a machine with Linux"))
}

pub(super) fn holders(_: HashSet<u32>) -> Result<Owners, CheckError> {
    Err(lacks("see who holds a socket", "Linux's /proc"))
}
