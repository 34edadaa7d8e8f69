//! [`DiskSpaceAssert`]: so much is free on the filesystem that holds a path.
//!
//! What counts is what anybody but root can still take, as in `df`'s `Avail`: the blocks that a filesystem reserves for
//! root are not free. `min_percent_free` is available / (used + available), 100 minus `df`'s `Use%`. A GB is
//! 1,000,000,000 bytes. A filesystem that has no inodes left is full, however many bytes are free, so that always fails;
//! `inodes` asks for more than one.
//!
//! What is free judges the property. A path that is missing does not: `not: true` makes that `errored`.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::{FilesystemUsage, FilesystemUsageProbe, check_path, show_path};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file_path;

/// So much is free on a filesystem, for others than root.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskSpaceAssert {
    /// Any path on the filesystem. A relative one is relative to the working directory; inside a container, to its root.
    path: PathBuf,
    /// How much has to be free, in GB (1,000,000,000 bytes), as `df` shows `Avail`.
    #[serde(default)]
    min_gb_free: Option<f64>,
    /// How much has to be free, in percent of what is used and available together: 100 minus `df`'s `Use%`.
    #[serde(default)]
    min_percent_free: Option<f64>,
    /// How many more files it has to be able to hold, as `df -i` shows `IFree`. At least one, whether asked for or not.
    #[serde(default)]
    inodes: Option<u64>,
}

impl DiskSpaceAssert {
    /// About the filesystem that holds this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), min_gb_free: None, min_percent_free: None, inodes: None }
    }

    /// How much has to be free, in GB.
    #[must_use]
    pub fn min_gb_free(mut self, gigabytes: impl Into<f64>) -> Self {
        self.min_gb_free = Some(gigabytes.into());
        self
    }

    /// How much has to be free, in percent.
    #[must_use]
    pub fn min_percent_free(mut self, percent: impl Into<f64>) -> Self {
        self.min_percent_free = Some(percent.into());
        self
    }

    /// How many more files it has to be able to hold.
    #[must_use]
    pub fn inodes(mut self, inodes: u64) -> Self {
        self.inodes = Some(inodes);
        self
    }

    fn expected(&self) -> String {
        let gigabytes = self.min_gb_free.map(|min| format!(">= {min} GB free"));
        let percent = self.min_percent_free.map(|min| format!(">= {min} % free"));
        let inodes = self.inodes.map(|min| format!(">= {min} inodes free"));
        [gigabytes, percent, inodes].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn judge(&self, path: &Path, seen: &FilesystemUsage) -> Result<Verdict, CheckError> {
        let shown = show_path(path);
        let no_size = || {
            CheckError::unobservable(format!(
                "the filesystem of {shown} has no size, so nothing is free on it"
            ))
            .hint("name a path on a disk")
        };
        let percent = 100.0 - seen.percent().ok_or_else(no_size)?;
        #[expect(clippy::cast_precision_loss, reason = "a limit in GB needs no more than 52 bits")]
        let gigabytes = seen.available as f64 / 1e9;
        let (mut wrong, mut actual) = (Vec::new(), Vec::new());
        let (free, all) = (ByteSize(seen.available), ByteSize(seen.used + seen.available));
        if let Some(min) = self.min_gb_free {
            let is = short_of(gigabytes, min, "GB");
            if gigabytes < min {
                wrong.push(format!("the filesystem of {shown} has {is} free ({free} of {all})"));
            }
            actual.push(format!("{is} free"));
        }
        if let Some(min) = self.min_percent_free {
            let is = short_of(percent, min, "%");
            if percent < min {
                wrong.push(format!("the filesystem of {shown} is {is} free ({free} of {all})"));
            }
            actual.push(format!("{is} free"));
        }
        // Some filesystems make inodes as they are needed, and say that they have none.
        let limited = seen.inodes > 0;
        if limited && seen.inodes_available < self.inodes.unwrap_or(1) {
            let left = match seen.inodes_available {
                0 => String::from("no inode left: no file can be made on it, however many bytes are free"),
                left => format!("{left} of {} inodes free", seen.inodes),
            };
            wrong.push(format!("the filesystem of {shown} has {left}"));
        }
        if limited && (self.inodes.is_some() || seen.inodes_available == 0) {
            actual.push(format!("{} inodes free", seen.inodes_available));
        }
        let message = match wrong.as_slice() {
            [] => format!("the filesystem of {shown} has {free} of {all} free"),
            wrong => wrong.join("; "),
        };
        Ok(Verdict::of(wrong.is_empty(), message).actual(actual.join(", ")))
    }
}

/// Never shown as equal to the limit that it falls short of.
fn short_of(value: f64, min: f64, unit: &str) -> String {
    let shown = format!("{value:.1}");
    if value < min && shown == format!("{min:.1}") {
        format!("{value} {unit}")
    } else {
        format!("{shown} {unit}")
    }
}

impl AssertionKind for DiskSpaceAssert {
    const NAME: &'static str = "DiskSpaceAssert";
}

#[async_trait]
impl Assertion for DiskSpaceAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(Some(&self.path), &self.expected())
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> =
            check_path(&self.path).map(|problem| Invalid::field("path", problem)).into_iter().collect();
        if self.min_gb_free.is_none() && self.min_percent_free.is_none() && self.inodes.is_none() {
            problems.push(Invalid::whole("give `min_gb_free`, `min_percent_free` or `inodes`"));
        }
        if self.min_gb_free.is_some_and(|min| !(min >= 0.0 && min.is_finite())) {
            problems.push(Invalid::field("min_gb_free", "is a number of gigabytes, from 0 up"));
        }
        if self.min_percent_free.is_some_and(|min| !(0.0..=100.0).contains(&min)) {
            problems.push(Invalid::field("min_percent_free", "is a percentage, from 0 to 100"));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let seen = cx.observe(FilesystemUsageProbe { path: self.path.clone() }).await?;
        let verdict = match &*seen {
            Ok(usage) => self.judge(&self.path, usage)?,
            Err(missing) => file_path::missing(&self.path, missing),
        };
        Ok(verdict.expected(self.expected()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn seen(used: u64, available: u64, inodes: u64, inodes_available: u64) -> FilesystemUsage {
        // A tenth more is reserved for root.
        let total = (used + available) / 9 * 10;
        FilesystemUsage { total, used, available, inodes, inodes_available, is_mount_point: false }
    }

    #[test]
    fn what_is_reserved_is_not_free_and_no_inode_is_no_space() {
        const GB: u64 = 1_000_000_000;
        let check = || DiskSpaceAssert::new("/d");
        for (check, seen, told) in [
            (check().min_gb_free(5), seen(95 * GB, 5 * GB, 10, 1), None),
            (
                check().min_gb_free(5),
                seen(95 * GB, 5 * GB - 1, 10, 1),
                Some("the filesystem of /d has 4.999999999 GB free (4.7 GiB of 93.1 GiB)"),
            ),
            (check().min_percent_free(5), seen(95 * GB, 5 * GB, 10, 1), None),
            (
                check().min_percent_free(10),
                seen(95 * GB, 5 * GB, 10, 1),
                Some("the filesystem of /d is 5.0 % free (5 GB of 100 GB)"),
            ),
            (
                check().min_gb_free(1),
                seen(0, 100 * GB, 10, 0),
                Some(
                    "the filesystem of /d has no inode left: no file can be made on it, however many bytes are free",
                ),
            ),
            (check().inodes(5), seen(0, GB, 10, 4), Some("the filesystem of /d has 4 of 10 inodes free")),
            (check().inodes(5), seen(0, GB, 10, 5), None),
            // Without a limit (btrfs).
            (check().inodes(5).min_gb_free(1), seen(0, GB, 0, 0), None),
        ] {
            let verdict = check.judge(Path::new("/d"), &seen).unwrap();
            assert_eq!(
                (verdict.has_passed(), Some(verdict.text()).filter(|_| told.is_some())),
                (told.is_none(), told)
            );
        }
        assert!(check().min_gb_free(0).judge(Path::new("/proc"), &seen(0, 0, 0, 0)).is_err());
    }
}
