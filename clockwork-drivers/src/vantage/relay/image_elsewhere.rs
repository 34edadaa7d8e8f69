//! A helper container runs Linux's programs, and this is none.

use std::{io, path::Path, sync::Arc};

use clockwork_core::{CheckError, Context};

use crate::container::client::Engine;

/// There is none.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) command: Vec<String>,
}

impl Image {
    pub(super) fn of(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "it is no program of Linux"))
    }

    pub(super) async fn bring(self: &Arc<Self>, _: &Engine, _: &Context) -> Result<(), CheckError> {
        Ok(())
    }
}
