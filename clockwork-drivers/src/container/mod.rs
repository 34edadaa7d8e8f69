//! (being written)

use clockwork_core::{CheckError, Context, ResourceName};

/// The process id, on the host, of a running container's first process.
///
/// # Errors
/// When there is no such container, or it does not run, or the engine cannot be asked.
pub async fn first_process(_cx: &Context, name: &ResourceName) -> Result<u32, CheckError> {
    Err(CheckError::unobservable(format!("cannot look from inside {name} yet")))
}
