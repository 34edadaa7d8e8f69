//! Where there are no network namespaces, there is none to be inside of: the engine carries the bytes.

use std::{io, net::SocketAddr};

#[cfg(feature = "container")]
use clockwork_core::Context;

#[cfg(feature = "container")]
use super::{Kept, Network};

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum Namespace {}

impl Namespace {
    #[cfg(feature = "container")]
    #[expect(clippy::unused_async, reason = "on Linux this waits")]
    pub(super) async fn of_process(_: u32, _: &Context) -> Result<Network, Kept> {
        Err(Kept::Out(String::from("this system has no network namespaces")))
    }

    pub(super) async fn make<T: Send + 'static>(
        &self,
        _: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match *self {}
    }

    pub(super) fn remember(&self, _: SocketAddr, _: SocketAddr) {
        match *self {}
    }
}
