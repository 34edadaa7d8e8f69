//! Where a probe looks from: the host, or the inside of a container, which the kernel shows through its first process.

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
