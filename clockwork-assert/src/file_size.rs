//! [`FileSizeAssert`]: how large a file is.
//!
//! It compares the length of a regular file in bytes, following links; what it takes on the disk (a file with holes
//! takes less) is `DiskUsageAssert`'s. A file that is missing, or that is no regular file, judges nothing about a size.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::{FileMeta, FileStatProbe, FileType, Missing, show_path};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file_path;

/// A file is so large: at least `min_bytes`, at most `max_bytes`, or both.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSizeAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
    /// The least that it may hold: bytes, or `1MB`, `512KiB`.
    #[serde(default)]
    min_bytes: Option<ByteSize>,
    /// The most that it may hold: bytes, or `1MB`, `512KiB`.
    #[serde(default)]
    max_bytes: Option<ByteSize>,
}

impl FileSizeAssert {
    /// About the file at this path. (`default()` means the path of the `FileResource` that it is asserted of.)
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// The least that it may hold, in bytes.
    #[must_use]
    pub fn min_bytes(mut self, bytes: u64) -> Self {
        self.min_bytes = Some(ByteSize(bytes));
        self
    }

    /// The most that it may hold, in bytes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(ByteSize(bytes));
        self
    }

    fn expected(&self) -> String {
        match (self.min_bytes, self.max_bytes) {
            (Some(min), Some(max)) if min == max => format!("exactly {}", bytes(min.0)),
            (Some(min), Some(max)) => format!("{} to {}", bytes(min.0), bytes(max.0)),
            (Some(min), None) => format!(">= {}", bytes(min.0)),
            (None, Some(max)) => format!("<= {}", bytes(max.0)),
            (None, None) => String::from("a size"),
        }
    }

    fn judge(&self, path: &Path, seen: Result<&FileMeta, &Missing>) -> Verdict {
        let verdict = match seen {
            Err(missing) => file_path::missing(path, missing),
            Ok(meta) if meta.file_type != FileType::Regular => file_path::not_regular(path, meta.file_type),
            Ok(meta) => {
                let holds = self.min_bytes.is_none_or(|min| meta.size >= min.0)
                    && self.max_bytes.is_none_or(|max| meta.size <= max.0);
                let (shown, size) = (show_path(path), bytes(meta.size));
                let message = match self.min_bytes.filter(|min| meta.size < min.0) {
                    _ if holds => format!("{shown} is {size}"),
                    Some(min) => {
                        format!("{shown} is {size}, {} less than it should be", bytes(min.0 - meta.size))
                    }
                    None => {
                        let more = meta.size - self.max_bytes.map_or(0, |max| max.0);
                        format!("{shown} is {size}, {} more than it should be", bytes(more))
                    }
                };
                Verdict::of(holds, message).actual(size).detail("bytes", meta.size)
            }
        };
        verdict.expected(self.expected())
    }
}

/// Exactly, and readably where that is something else: `1500000 bytes (1500 kB)`.
fn bytes(count: u64) -> String {
    let readable = ByteSize(count).to_string();
    match count {
        1 => String::from("1 byte"),
        0..10_000 => format!("{count} bytes"),
        _ => format!("{count} bytes ({readable})"),
    }
}

impl AssertionKind for FileSizeAssert {
    const NAME: &'static str = "FileSizeAssert";
}

#[async_trait]
impl Assertion for FileSizeAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(self.path.as_ref(), &self.expected())
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> = file_path::problem(self.path.as_ref(), owner).into_iter().collect();
        match (self.min_bytes, self.max_bytes) {
            (None, None) => problems.push(Invalid::whole("give `min_bytes`, `max_bytes` or both")),
            (Some(min), Some(max)) if min > max => {
                let problem =
                    format!("is {} and more than `max_bytes`, {}: no file is of such a size", min.0, max.0);
                problems.push(Invalid::field("min_bytes", problem));
            }
            _ => {}
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let path = file_path::meant(self.path.as_ref(), cx)?;
        let seen = cx.observe(FileStatProbe::new(&*path)).await?;
        Ok(self.judge(&path, seen.as_ref().as_ref()))
    }
}
