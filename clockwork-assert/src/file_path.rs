//! What the file kinds share: which path is meant.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use clockwork_core::{CheckError, Context, Invalid, Resource, Verdict};
use clockwork_drivers::file::{FileResource, FileType, Missing, check_path, show_path, shown_path};

/// The declared path; left out on a `FileResource`, the resource's own.
pub(crate) fn meant<'a>(declared: Option<&'a PathBuf>, cx: &Context) -> Result<Cow<'a, Path>, CheckError> {
    match (declared, cx.resource_as::<FileResource>()) {
        (Some(path), _) => Ok(path.into()),
        (None, Some(file)) => Ok(file.location().into()),
        (None, None) => Err(CheckError::unobservable("there is no path to look at").hint("give a `path`")),
    }
}

/// What is wrong with the declared path, if anything is.
pub(crate) fn problem(declared: Option<&PathBuf>, owner: Option<&dyn Resource>) -> Option<Invalid> {
    match declared {
        Some(path) => check_path(path).map(|problem| Invalid::field("path", problem)),
        None if owner.is_some_and(|owner| owner.downcast_ref::<FileResource>().is_some()) => None,
        None => Some(Invalid::field("path", "is missing: only on a FileResource can it be left out")),
    }
}

/// The path and what is asserted about it, for a label.
pub(crate) fn label(path: Option<&PathBuf>, what: &str) -> String {
    let path = path.map_or(Cow::Borrowed(""), |path| shown_path(path));
    match (path.is_empty(), what.is_empty()) {
        (false, false) => [&path, ", ", what].concat(),
        (_, true) => path.into_owned(),
        (true, false) => what.to_owned(),
    }
}

/// The verdict of a kind that asks about a property of a file which is not there. That proves nothing about the
/// property, so `not` does not turn it around.
pub(crate) fn missing(path: &Path, missing: &Missing) -> Verdict {
    Verdict::unjudged(missing.describe(path)).actual("missing")
}

/// The same, of something that is there and no regular file.
pub(crate) fn not_regular(path: &Path, what: FileType) -> Verdict {
    Verdict::unjudged(format!("{} is {what}, not a regular file", show_path(path))).actual(what.to_string())
}
