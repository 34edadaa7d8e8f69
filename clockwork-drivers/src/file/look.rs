//! How a look gets to a thread where it may block, with the root of its vantage.

use clockwork_core::{CheckError, Context};

use super::{lane::Lane, system::Root};
use crate::vantage;

/// A short look, with the root of the vantage: in line with others, so that a thousand of them wake few threads.
pub(super) async fn in_line<T: Send + 'static>(
    cx: &Context,
    look: impl FnOnce(&Root) -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    let pid = vantage::process(cx).await?;
    match cx.shared::<Lane>().run(move || look(&Root::open(pid)?)).await {
        Some(seen) => seen,
        None => Err(CheckError::unobservable("the look panicked").hint("this is a bug in Clockwork")),
    }
}

/// A look that may take long, with the root of the vantage: on a blocking thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    cx: &Context,
    look: impl FnOnce(&Root) -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    let pid = vantage::process(cx).await?;
    match tokio::task::spawn_blocking(move || look(&Root::open(pid)?)).await {
        Ok(seen) => seen,
        Err(stopped) => Err(CheckError::unobservable("the look was stopped").with_source(stopped)),
    }
}
