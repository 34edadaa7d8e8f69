//! [`FileExistsAssert`]: a file is at a path.
//!
//! It proves that the path leads to something that is no directory, following links: a regular file, or a socket, a
//! FIFO, a device, as they stand in `/run` and `/dev`. It proves nothing about what is in it, nor that anybody else may
//! read it.
//!
//! A missing file judges the property, and so does a dangling link, so `not: true` passes then. A directory does not:
//! something of that name is there. Where we may not look, the verdict is `errored`.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::{Absence, FileMeta, FileStatProbe, FileType, Missing, show_path};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file_path;

/// A file is there: anything but a directory, following links.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileExistsAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
}

impl FileExistsAssert {
    /// A file is at this path. (`default()` means the path of the `FileResource` that it is asserted of.)
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()) }
    }
}

impl AssertionKind for FileExistsAssert {
    const NAME: &'static str = "FileExistsAssert";
}

#[async_trait]
impl Assertion for FileExistsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(self.path.as_ref(), "")
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        file_path::problem(self.path.as_ref(), owner).into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let path = file_path::meant(self.path.as_ref(), cx)?;
        let seen = cx.observe(FileStatProbe::new(&*path)).await?;
        Ok(judge(&path, seen.as_ref().as_ref()))
    }
}

fn judge(path: &Path, seen: Result<&FileMeta, &Missing>) -> Verdict {
    let shown = show_path(path);
    match seen {
        Ok(meta) if meta.file_type == FileType::Directory => {
            Verdict::unjudged(format!("{shown} is a directory, not a file")).actual("a directory")
        }
        Ok(meta) => {
            let what = match meta.file_type {
                FileType::Regular => format!("{shown} is a file of {} bytes", meta.size),
                other => format!("{shown} is {other}"),
            };
            Verdict::passed().message(what).actual(meta.file_type.to_string())
        }
        Err(missing) => {
            let actual = match &missing.why {
                Absence::DanglingLink(target) => {
                    format!("a link to {}, which is not there", show_path(target))
                }
                _ => String::from("missing"),
            };
            Verdict::failed(missing.describe(path)).actual(actual)
        }
    }
    .expected("a file")
}
