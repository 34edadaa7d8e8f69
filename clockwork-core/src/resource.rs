//! [`Resource`]: something that should exist and behave. A kind is a plain struct that holds a [`Common`] beside its
//! own fields; [`ResourceExt`] gives it the setters that every kind has.

use std::{any::Any, borrow::Borrow, fmt, panic::Location, sync::Arc};

use serde_json::Value;

use crate::{Declared, Driver, IntoAssertion, Invalid};

/// A resource's name: unique in its project. ASCII letters and digits, `.`, `_` and `-`, at most 128 characters, not
/// beginning with a mark; not `host` and not `cross`, which mean something else in `at` and in ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName(Arc<str>);

impl ResourceName {
    /// The name as it is; [`ResourceName::check`] says whether it is a good one.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Whether a project accepts this name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let name = self.as_str();
        if matches!(name, "host" | "cross") {
            return Err(format!("`{name}` is reserved and cannot name a resource"));
        }
        let good = name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if good {
            return Ok(());
        }
        Err(format!(
            "{} cannot name a resource: use ASCII letters, digits, `.`, `_` and `-`, begin with a letter or digit, at \
             most 128 characters",
            crate::text::quote(name)
        ))
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ResourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for ResourceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What names a resource: the resource itself, by reference, or its name.
pub trait Named {
    /// Its name.
    fn resource_name(&self) -> ResourceName;
}

impl<R: Resource> Named for &R {
    fn resource_name(&self) -> ResourceName {
        self.common().name.clone()
    }
}

impl Named for &str {
    fn resource_name(&self) -> ResourceName {
        ResourceName::new(self)
    }
}

impl Named for ResourceName {
    fn resource_name(&self) -> ResourceName {
        self.clone()
    }
}

/// What every resource has, whatever its kind.
#[derive(Debug, Clone)]
pub struct Common {
    pub(crate) name: ResourceName,
    pub(crate) description: Option<String>,
    pub(crate) depends_on: Vec<ResourceName>,
    pub(crate) assertions: Vec<Declared>,
}

impl Common {
    /// A resource of this name, with nothing said about it yet.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            name: ResourceName::new(name),
            description: None,
            depends_on: Vec::new(),
            assertions: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What has to hold before it is looked at.
    pub fn depends_on(&self) -> &[ResourceName] {
        &self.depends_on
    }

    /// What is asserted about it.
    pub fn assertions(&self) -> &[Declared] {
        &self.assertions
    }
}

/// So that a kind read from a manifest can leave it out: the reader fills it in.
impl Default for Common {
    fn default() -> Self {
        Self::new("")
    }
}

/// Something that should exist and behave.
pub trait Resource: Any + fmt::Debug + Send + Sync {
    /// The kind's name: that of the struct, and of the manifest's `kind`.
    fn kind(&self) -> &'static str;

    /// What every resource has.
    fn common(&self) -> &Common;

    /// What every resource has, to be filled in.
    fn common_mut(&mut self) -> &mut Common;

    /// The declared state: the kind's own fields, as the manifest has them. Secrets are left out.
    fn spec(&self) -> Value;

    /// The parts of a composite, which live and die with it.
    fn children(&self) -> &[Arc<dyn Resource>] {
        &[]
    }

    /// What observes and changes resources of this kind, unless the engine was built with another driver for it.
    fn driver(&self) -> Option<Arc<dyn Driver>> {
        None
    }

    /// What is wrong with the fields, taken together.
    fn validate(&self) -> Vec<Invalid> {
        Vec::new()
    }
}

impl dyn Resource {
    /// This resource as its own type, if it is of that type.
    pub fn downcast_ref<R: Resource>(&self) -> Option<&R> {
        (self as &dyn Any).downcast_ref()
    }
}

/// The setters that every kind of resource has.
pub trait ResourceExt: Resource + Sized {
    /// Its name.
    fn name(&self) -> &str {
        self.common().name.as_str()
    }

    /// What it is for.
    #[must_use]
    fn description(mut self, description: impl Into<String>) -> Self {
        self.common_mut().description = Some(description.into());
        self
    }

    /// Its assertions wait for those of `other`, and are skipped when those fail.
    #[must_use]
    fn depends_on(mut self, other: impl Named) -> Self {
        self.common_mut().depends_on.push(other.resource_name());
        self
    }

    /// Asserts this about it: an assertion kind, a closure, or an `async fn`.
    #[must_use]
    #[track_caller]
    fn assert<Marker>(mut self, assertion: impl IntoAssertion<Marker>) -> Self {
        let declared = assertion.into_assertion().placed(Location::caller());
        self.common_mut().assertions.push(declared);
        self
    }
}

impl<R: Resource> ResourceExt for R {}

/// A resource kind that a manifest can declare.
pub trait ResourceKind: Resource + serde::de::DeserializeOwned + schemars::JsonSchema {
    /// The manifest's `kind`.
    const NAME: &'static str;

    /// Other spellings that a manifest may use.
    const ALIASES: &'static [&'static str] = &[];
}
