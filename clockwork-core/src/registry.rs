//! [`Registry`]: the kinds that a manifest may name. An explicit value, filled by one `register` function per crate.

use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::{Schema, SchemaGenerator};

use crate::{
    Assertion, AssertionKind, BlankResource, Common, Resource, ResourceKind,
    manifest::{De, Fault, is_option},
};

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
    assertions: BTreeMap<&'static str, AssertionEntry>,
    resources: BTreeMap<&'static str, ResourceEntry>,
    duplicates: Vec<&'static str>,
}

/// An assertion kind without its type.
#[derive(Clone, Copy)]
pub(crate) struct AssertionEntry {
    /// Its name, whatever alias it was found by.
    pub(crate) name: &'static str,
    /// Whether it fills in `${captured.…}`.
    pub(crate) captures: bool,
    pub(crate) read: fn(De<'_>) -> Result<Arc<dyn Assertion>, Fault>,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// A resource kind without its type.
#[derive(Clone, Copy)]
pub(crate) struct ResourceEntry {
    pub(crate) read: fn(De<'_>, Common) -> Result<Arc<dyn Resource>, Fault>,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

fn read_assertion<K: AssertionKind>(de: De<'_>) -> Result<Arc<dyn Assertion>, Fault> {
    Ok(Arc::new(K::deserialize(de)?))
}

fn read_resource<R: ResourceKind>(de: De<'_>, common: Common) -> Result<Arc<dyn Resource>, Fault> {
    let mut resource = R::deserialize(de)?;
    *resource.common_mut() = common;
    Ok(Arc::new(resource))
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an assertion kind, under its name and its aliases.
    pub fn assertion<K: AssertionKind>(&mut self) -> &mut Self {
        let entry = AssertionEntry {
            name: K::NAME,
            captures: K::CAPTURES,
            read: read_assertion::<K>,
            schema: K::json_schema,
        };
        for name in K::ALIASES.iter().copied().chain([K::NAME]) {
            if self.assertions.insert(name, entry).is_some() || is_option(name) {
                self.duplicates.push(name);
            }
        }
        self
    }

    /// Adds a resource kind, under its name and its aliases.
    pub fn resource<R: ResourceKind>(&mut self) -> &mut Self {
        let entry = ResourceEntry { read: read_resource::<R>, schema: R::json_schema };
        for name in R::ALIASES.iter().copied().chain([R::NAME]) {
            if self.resources.insert(name, entry).is_some() || name == BlankResource::NAME {
                self.duplicates.push(name);
            }
        }
        self
    }

    pub(crate) fn assertions(&self) -> &BTreeMap<&'static str, AssertionEntry> {
        &self.assertions
    }

    /// Without [`BlankResource`], which is no type of its own to a manifest.
    pub(crate) fn resources(&self) -> &BTreeMap<&'static str, ResourceEntry> {
        &self.resources
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
        f.debug_set().entries(self.resources.keys()).entries(self.assertions.keys()).finish()
    }
}

/// Two kinds were registered under one name, or one under a name that means something else in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("registered more than once, or under a name that is taken: {}", kinds.join(", "))]
pub struct RegistryError {
    /// Which.
    pub kinds: Vec<&'static str>,
}
