//! `network: at`: the network of the container that the check looks from.

use std::{fs::File, sync::Arc};

use clockwork_core::{CheckError, Context};

use crate::vantage::network::Network;

/// # Errors
/// When there is no such container, it does not run, or its network cannot be entered from here.
pub(super) async fn of(cx: &Context) -> Result<Arc<File>, CheckError> {
    match Network::of(cx).await? {
        Network::Inside(namespace) => Ok(namespace.file),
        Network::Host => Err(CheckError::unobservable(
            "`sandbox.network: at` needs `at:`, the container whose network it is to be",
        )
        .hint("for what listens on this machine, grant `loopback`")),
        #[cfg(feature = "container")]
        Network::Relayed(_) => Err(CheckError::unobservable(
            "cannot run a program in the container's network: it cannot be entered from here",
        )
        .hint("that takes root on the machine that the container runs on")),
    }
}
