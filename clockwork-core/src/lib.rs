//! Clockwork's vocabulary and its executor: resources, drivers, assertions, verdicts, the graph, the report and the
//! manifest.
//!
//! Drivers and probes touch the world, assertions only judge what was seen, and the executor decides when. This crate
//! holds no system's client: `clockwork-drivers` has those, and `clockwork-assert` the assertion kinds.
//!
//! ```
//! use clockwork_core::prelude::*;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let stock = BlankResource::new("stock").assert(assertion("is not empty", async |_: Context| {
//!     let items = vec!["gear"];
//!     (!items.is_empty(), "no item is left")
//! }));
//! let report = Engine::standard().assert(&Project::new("shop").with(stock)).await?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), Error>(()) }).unwrap();
//! ```

#![forbid(unsafe_code)]

mod assertion;
mod bell;
mod borrowed;
mod circles;
mod cleanup;
mod clock;
mod context;
mod details;
mod driver;
pub mod duration;
mod engine;
mod error;
mod event;
mod executor;
mod flight;
mod fresh;
mod function;
mod graph;
mod ids;
mod lock;
mod manifest;
mod mask;
mod matcher;
mod near;
mod pattern;
mod phase;
mod place;
mod probe;
mod project;
mod registry;
mod report;
mod resource;
mod secret;
mod size;
pub mod text;
mod verdict;

pub use assertion::{Assertion, AssertionExt, AssertionKind, Declared, IntoAssertion, Invalid};
pub use cleanup::Cleaned;
pub use clock::{Clock, SystemClock};
pub use context::{Context, Observed};
pub use details::Evidence;
pub use driver::{Change, Drift, Driver, Hint, Observation, drift};
pub use engine::{Engine, EngineBuilder, Error};
pub use error::{CheckError, Fault};
pub use event::{Event, EventStream};
pub use executor::{RunOptions, Stop};
pub use fresh::{Input, Passes};
pub use function::{Resources, across, assertion, assertion_on};
pub use graph::{Graph, Relationship};
pub use lock::{Lock, LockEntry, LockedAssertion, PartResult, Sentence};
pub use manifest::{ManifestError, ManifestInput, ManifestProblem};
pub use mask::{Secrets, hide};
pub use matcher::{Among, LengthMatcher, Matcher, Mismatch};
pub use near::nearest;
pub use pattern::Pattern;
pub use phase::Phase;
pub use place::Place;
pub use probe::{Probe, Vantage};
pub use project::{BlankResource, Defaults, Problem, Project, ProjectError};
pub use registry::{Registry, RegistryError};
pub use report::{Blamed, CheckResult, Palette, Report, Summary, TextOptions, Transition, write_text};
pub use resource::{Common, Named, Resource, ResourceExt, ResourceKind, ResourceName};
pub use secret::Secret;
pub use size::ByteSize;
pub use verdict::{IntoVerdict, Outcome, Severity, Verdict};

// What an implementation of the traits needs, so that it needs no versions of its own.
pub use async_trait::async_trait;
pub use schemars;
pub use secrecy::{ExposeSecret, SecretString};

/// What a program that declares a project needs.
pub mod prelude {
    pub use std::{process::ExitCode, time::Duration};

    pub use crate::{
        AssertionExt, BlankResource, CheckError, Context, Engine, Error, Outcome, Project, Report,
        ResourceExt, Severity, Verdict, across, assertion, assertion_on,
    };
}
