//! [`DirectoryExistsAssert`]: a directory is at a path.
//!
//! It proves that the path leads to a directory, following links. It proves nothing about what is in it, nor that
//! anybody else may look into it or write there.
//!
//! A missing directory judges the property, and so does a dangling link, so `not: true` passes then. Something else in
//! its place does not: something of that name is there. Where we may not look, the verdict is `errored`.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::{Absence, FileMeta, FileStatProbe, FileType, Missing, check_path, show_path};
use schemars::JsonSchema;
use serde::Deserialize;

/// A directory is there, following links.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryExistsAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root.
    path: PathBuf,
}

impl DirectoryExistsAssert {
    /// A directory is at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl AssertionKind for DirectoryExistsAssert {
    const NAME: &'static str = "DirectoryExistsAssert";
}

#[async_trait]
impl Assertion for DirectoryExistsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        show_path(&self.path)
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        check_path(&self.path).map(|problem| Invalid::field("path", problem)).into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let seen = cx.observe(FileStatProbe::new(&self.path)).await?;
        Ok(judge(&self.path, seen.as_ref().as_ref()))
    }
}

fn judge(path: &Path, seen: Result<&FileMeta, &Missing>) -> Verdict {
    let shown = show_path(path);
    match seen {
        Ok(meta) if meta.file_type == FileType::Directory => {
            Verdict::passed().message(format!("{shown} is a directory")).actual("a directory")
        }
        Ok(meta) => {
            let what = meta.file_type.to_string();
            Verdict::unjudged(format!("{shown} is {what}, not a directory")).actual(what)
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
    .expected("a directory")
}
