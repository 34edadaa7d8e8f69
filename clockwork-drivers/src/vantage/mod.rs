//! Where a probe looks from: the host, or the inside of a container, which the kernel shows through its first process.

mod ids;
#[cfg(feature = "tcp")]
pub(crate) mod network;

pub(crate) use ids::IdMap;

use std::io;

use clockwork_core::{CheckError, Context, Vantage};

/// The process whose namespaces are the vantage; `None` for the host's own.
///
/// # Errors
/// When the resource is no container, the container does not run, or it cannot be seen.
pub async fn process(cx: &Context) -> Result<Option<u32>, CheckError> {
    match cx.vantage() {
        Vantage::Host => Ok(None),
        #[cfg(feature = "container")]
        Vantage::Inside(name) => crate::container::first_process(cx, name).await.map(Some),
        #[cfg(not(feature = "container"))]
        Vantage::Inside(name) => Err(CheckError::unobservable(format!("cannot look from inside {name}"))
            .hint("build clockwork-drivers with its `container` feature")),
    }
}

/// Why the inside of the container whose first process is `pid` cannot be entered.
pub(crate) fn no_entry(pid: u32, error: io::Error) -> CheckError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            CheckError::target(format!("the container ended: its first process {pid} is gone"))
        }
        io::ErrorKind::PermissionDenied => {
            CheckError::unobservable(format!("no permission to look inside the container (process {pid})"))
                .hint("looking from inside a container needs root on this host")
        }
        _ => CheckError::unobservable(format!("cannot look inside the container (process {pid})"))
            .with_source(error)
            .retryable(),
    }
}
