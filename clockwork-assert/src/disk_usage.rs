//! [`DiskUsageAssert`]: how full a filesystem is, or how much a directory takes.
//!
//! `max_percent` is about the filesystem that holds the path: used / (used + available), as `df` computes its `Use%`,
//! so that what is reserved for root counts as neither. `max_mb` is about the path itself: what the directory tree
//! takes on the disk, as `du -x` counts it (no other filesystem, no links followed, files with several names once,
//! holes not at all); where the path is a mount point, what is used of its filesystem. A MB is 1,000,000 bytes.
//!
//! What is used judges the property. A path that is missing does not: `not: true` makes that `errored`. A tree with
//! directories that we may not look into fails if what we see is too much already, and is `errored` otherwise.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Resource, Verdict, async_trait, text,
};
use clockwork_drivers::file::{
    DirectoryUsage, DirectoryUsageProbe, FilesystemUsage, FilesystemUsageProbe, show_path,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file_path;

/// A filesystem is at most so full, a directory takes at most so much.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskUsageAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
    /// How full the filesystem that holds the path may be, in percent, as `df` computes it.
    #[serde(default)]
    max_percent: Option<f64>,
    /// How much the directory tree at the path may take, in MB (1,000,000 bytes), as `du -x` counts it; at a mount
    /// point, how much of its filesystem may be used.
    #[serde(default)]
    max_mb: Option<f64>,
}

impl DiskUsageAssert {
    /// About this path. (`default()` means the path of the `FileResource` that it is asserted of.)
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// How full the filesystem that holds the path may be, in percent.
    #[must_use]
    pub fn max_percent(mut self, percent: impl Into<f64>) -> Self {
        self.max_percent = Some(percent.into());
        self
    }

    /// How much the directory tree at the path may take, in MB.
    #[must_use]
    pub fn max_mb(mut self, megabytes: impl Into<f64>) -> Self {
        self.max_mb = Some(megabytes.into());
        self
    }

    fn expected(&self) -> String {
        let percent = self.max_percent.map(|max| format!("<= {max} %"));
        let megabytes = self.max_mb.map(|max| format!("<= {max} MB"));
        [percent, megabytes].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// One limit, and what is there.
#[derive(Debug, PartialEq)]
struct Share {
    holds: bool,
    message: String,
    actual: String,
}

fn judge_percent(path: &Path, max: f64, seen: &FilesystemUsage) -> Result<Share, CheckError> {
    let shown = show_path(path);
    let percent = seen.percent().ok_or_else(|| {
        CheckError::unobservable(format!("the filesystem of {shown} has no size, so it cannot be full"))
            .hint("name a path on a disk")
    })?;
    let (used, all) = (ByteSize(seen.used), ByteSize(seen.used + seen.available));
    let actual = format!("{percent:.1} %");
    // Never shown as equal to the limit that it exceeds.
    let actual =
        if percent > max && actual == format!("{max:.1} %") { format!("{percent} %") } else { actual };
    let message = format!("the filesystem of {shown} is {actual} full: {used} of {all} used");
    Ok(Share { holds: percent <= max, message, actual })
}

fn judge_megabytes(path: &Path, max: f64, seen: &DirectoryUsage) -> Result<Share, CheckError> {
    let shown = show_path(path);
    let share = Share::of_bytes(max, seen.bytes, |actual| {
        let entries = if seen.entries == 1 { "1 entry" } else { &format!("{} entries", seen.entries) };
        format!("{shown} takes {actual} in {entries}")
    });
    match &seen.unseen {
        Some((hidden, why)) if share.holds => {
            let (hidden, why) = (show_path(hidden), text::harmless(why));
            Err(CheckError::unobservable(format!("cannot measure all of {shown}: {hidden}: {why}")).hint(
                format!("what can be seen of it takes {}; run as a user who may see the rest", share.actual),
            ))
        }
        Some(_) => Ok(Share { message: format!("{}, and what cannot be seen", share.message), ..share }),
        None => Ok(share),
    }
}

impl Share {
    fn of_bytes(max: f64, bytes: u64, message: impl FnOnce(&str) -> String) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a limit in MB needs no more than 52 bits")]
        let megabytes = bytes as f64 / 1e6;
        let actual = format!("{megabytes:.1} MB");
        let actual = if megabytes > max && actual == format!("{max:.1} MB") {
            format!("{megabytes} MB")
        } else {
            actual
        };
        Self { holds: megabytes <= max, message: message(&actual), actual }
    }
}

impl AssertionKind for DiskUsageAssert {
    const NAME: &'static str = "DiskUsageAssert";
}

#[async_trait]
impl Assertion for DiskUsageAssert {
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
        if self.max_percent.is_none() && self.max_mb.is_none() {
            problems.push(Invalid::whole("give `max_percent`, `max_mb` or both"));
        }
        if self.max_percent.is_some_and(|max| !(0.0..=100.0).contains(&max)) {
            problems.push(Invalid::field("max_percent", "is a percentage, from 0 to 100"));
        }
        if self.max_mb.is_some_and(|max| !(max >= 0.0 && max.is_finite())) {
            problems.push(Invalid::field("max_mb", "is a number of megabytes, from 0 up"));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let path = &*file_path::meant(self.path.as_ref(), cx)?;
        let seen = cx.observe(FilesystemUsageProbe { path: path.to_owned() }).await?;
        let filesystem = match &*seen {
            Ok(usage) => usage,
            Err(missing) => return Ok(file_path::missing(path, missing).expected(self.expected())),
        };
        let mut shares = Vec::new();
        if let Some(max) = self.max_percent {
            shares.push(judge_percent(path, max, filesystem)?);
        }
        if let Some(max) = self.max_mb {
            if filesystem.is_mount_point {
                let message = |actual: &str| format!("the filesystem at {} uses {actual}", show_path(path));
                shares.push(Share::of_bytes(max, filesystem.used, message));
            } else {
                match &*cx.observe(DirectoryUsageProbe { path: path.to_owned() }).await? {
                    Ok(usage) => shares.push(judge_megabytes(path, max, usage)?),
                    Err(missing) => return Ok(file_path::missing(path, missing).expected(self.expected())),
                }
            }
        }
        let wrong = shares.iter().any(|share| !share.holds);
        let told: Vec<_> = shares
            .iter()
            .filter(|share| !wrong || !share.holds)
            .map(|share| share.message.as_str())
            .collect();
        let actual: Vec<_> = shares.iter().map(|share| share.actual.as_str()).collect();
        Ok(Verdict::of(!wrong, told.join("; ")).expected(self.expected()).actual(actual.join(", ")))
    }
}
