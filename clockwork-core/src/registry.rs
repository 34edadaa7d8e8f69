//! [`Registry`]: the kinds that a manifest may name. An explicit value, filled by one `register` function per crate.

use std::{collections::BTreeMap, fmt};

use crate::{AssertionKind, ResourceKind};

/// The kinds that a manifest may name.
///
/// ```
/// # use clockwork_core::{AssertionKind, Registry};
/// fn register<A: AssertionKind>(registry: &mut Registry) {
///     registry.assertion::<A>();
/// }
/// ```
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

    /// Adds an assertion kind, under its name and its aliases.
    pub fn assertion<K: AssertionKind>(&mut self) -> &mut Self {
        self.add(K::NAME, K::ALIASES)
    }

    /// Adds a resource kind, under its name and its aliases.
    pub fn resource<R: ResourceKind>(&mut self) -> &mut Self {
        self.add(R::NAME, R::ALIASES)
    }

    fn add(&mut self, name: &'static str, aliases: &'static [&'static str]) -> &mut Self {
        for name in aliases.iter().copied().chain([name]) {
            if self.kinds.insert(name, ()).is_some() {
                self.duplicates.push(name);
            }
        }
        self
    }

    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        if self.duplicates.is_empty() {
            Ok(())
        } else {
            Err(RegistryError { kinds: self.duplicates.clone() })
        }
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
