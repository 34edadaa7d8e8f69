//! [`Registry`]: the kinds that a manifest may name. An explicit value, filled by one `register` function per crate.

use std::{collections::BTreeMap, fmt};

/// The kinds that a manifest may name.
#[derive(Default)]
pub struct Registry {
    duplicates: Vec<&'static str>,
    kinds: BTreeMap<&'static str, ()>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        Ok(())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

/// Two kinds were registered under one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("registered more than once: {}", kinds.join(", "))]
pub struct RegistryError {
    /// Which.
    pub kinds: Vec<&'static str>,
}
