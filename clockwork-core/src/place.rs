//! [`Place`]: where something is declared, so that a failure can be shown there.

use std::{fmt, panic::Location, sync::Arc};

use serde::{Serialize, Serializer};

/// Where an assertion is declared: in a manifest, or in a Rust program. In a report: `clockwork.yaml:12:9`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it was named when it was read: a path, or `standard input`.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

impl From<&Location<'_>> for Place {
    fn from(location: &Location<'_>) -> Self {
        Self { file: location.file().into(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
