//! [`Project`]: what was declared, in Rust or in a manifest; [`Invalid project`](ProjectError): all that is wrong
//! with it, at once.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use crate::{Common, Declared, IntoAssertion, Lock, Resource, ResourceName};

/// What applies where an assertion says nothing itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Defaults {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts run at the same time.
    pub concurrency: usize,
    /// How many looks at one target (host and port, engine) run at the same time; as many as run at all, if `None`.
    pub target_concurrency: Option<usize>,
    /// Keep trying until it passes, at most this long.
    pub within: Option<Duration>,
    /// How long the whole run may take.
    pub deadline: Option<Duration>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            concurrency: 64,
            target_concurrency: None,
            within: None,
            deadline: None,
        }
    }
}

/// Resources, and assertions about them and across them.
///
/// ```
/// use clockwork_core::prelude::*;
///
/// let project = Project::new("shop")
///     .with(BlankResource::new("prices").assert(assertion("add up", async |_: Context| 2 + 2 == 4)));
/// ```
#[derive(Debug, Clone)]
pub struct Project {
    pub(crate) name: String,
    pub(crate) defaults: Defaults,
    pub(crate) resources: Vec<Arc<dyn Resource>>,
    pub(crate) assertions: Vec<Declared>,
    pub(crate) lock: Option<Arc<Lock>>,
}

impl Project {
    /// An empty project of this name, which names its state.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            defaults: Defaults::default(),
            resources: Vec::new(),
            assertions: Vec::new(),
            lock: None,
        }
    }

    /// What its sentences stand for.
    #[must_use]
    pub fn lock(mut self, lock: Lock) -> Self {
        self.lock = Some(Arc::new(lock));
        self
    }

    /// Declares a resource.
    #[must_use]
    pub fn with(mut self, resource: impl Resource) -> Self {
        self.resources.push(Arc::new(resource));
        self
    }

    /// Declares an assertion over several resources.
    #[must_use]
    #[track_caller]
    pub fn assert<Marker>(mut self, assertion: impl IntoAssertion<Marker>) -> Self {
        self.assertions.push(assertion.into_assertion().placed(Location::caller()));
        self
    }

    /// What applies where an assertion says nothing itself.
    #[must_use]
    pub fn defaults(mut self, change: impl FnOnce(&mut Defaults)) -> Self {
        change(&mut self.defaults);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its resources, in the order of declaration.
    pub fn resources(&self) -> &[Arc<dyn Resource>] {
        &self.resources
    }

    /// Its assertions over several resources, in the order of declaration.
    pub fn assertions(&self) -> &[Declared] {
        &self.assertions
    }
}

/// A composite: a resource that is nothing but its parts, and lives and dies as one with them.
///
/// Its own assertions wait for those of its parts, and its parts wait for what it depends on.
#[derive(Debug, Clone)]
pub struct BlankResource {
    common: Common,
    children: Vec<Arc<dyn Resource>>,
}

impl BlankResource {
    /// The manifest's `kind`.
    pub const NAME: &'static str = "BlankResource";

    /// A composite of this name, without parts.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { common: Common::new(name), children: Vec::new() }
    }

    /// Adds a part.
    #[must_use]
    pub fn child(mut self, child: impl Resource) -> Self {
        self.children.push(Arc::new(child));
        self
    }

    pub(crate) fn with_children(mut self, children: Vec<Arc<dyn Resource>>) -> Self {
        self.children = children;
        self
    }
}

impl Resource for BlankResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn spec(&self) -> serde_json::Value {
        let children: Vec<_> = self.children.iter().map(|child| child.common().name().as_str()).collect();
        serde_json::json!({ "children": children })
    }

    fn children(&self) -> &[Arc<dyn Resource>] {
        &self.children
    }
}

/// One thing that is wrong with a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable name for this sort of problem: `unknown-resource`.
    pub code: &'static str,
    /// Where, from the top of the manifest: `["resources", "api", "depends_on", "0"]`.
    pub path: Vec<String>,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(code: &'static str, path: &[&str], message: impl Into<String>) -> Self {
        Self { code, path: path.iter().map(|&part| part.to_owned()).collect(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", crate::text::harmless(&self.path.join(".")).replace('\n', "\\n"))?;
        }
        write!(f, "{} [{}]", crate::text::harmless(&self.message), self.code)
    }
}

/// All that is wrong with a project. Nothing ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ProjectError {
    /// Every problem, in the order of the manifest.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the project is not valid; nothing ran")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// The name of the resource that `assertion` is declared on, as paths and ids have it.
pub(crate) fn owner_name(owner: Option<&ResourceName>) -> &str {
    owner.map_or("cross", ResourceName::as_str)
}
