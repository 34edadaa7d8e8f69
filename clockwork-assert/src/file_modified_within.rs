//! [`FileModifiedWithinAssert`]: a file was changed lately.
//!
//! It proves that the content of what the path leads to (a directory's is the list of its entries) was last changed no
//! longer ago than `max_age`, by this machine's clock. A time in the future is a failure of its own: it says that a clock
//! is wrong, or the time was set by hand, and proves nothing about when the file was changed, so that `not` does not turn
//! it around; [`TOLERANCE`] is forgiven. A missing file judges nothing about its age.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait, duration,
};
use clockwork_drivers::file::{FileMeta, FileStatProbe, Missing, show_path};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file_path;

/// How far a file server's clock may be ahead.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A file was changed no longer ago than this.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileModifiedWithinAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
    /// How long ago its content may have been changed at most.
    #[serde(with = "clockwork_core::duration")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    max_age: Duration,
}

impl FileModifiedWithinAssert {
    /// The file at this path was changed no longer ago than this.
    pub fn new(path: impl Into<PathBuf>, max_age: Duration) -> Self {
        Self { path: Some(path.into()), max_age }
    }

    fn judge(&self, path: &Path, seen: Result<&FileMeta, &Missing>, now: SystemTime) -> Verdict {
        let shown = show_path(path);
        let verdict = match seen {
            Err(missing) => file_path::missing(path, missing),
            Ok(meta) => match now.duration_since(meta.modified) {
                Err(ahead) if ahead.duration() > TOLERANCE => {
                    let ahead = coarse(ahead.duration());
                    Verdict::unjudged(format!(
                        "{shown} was modified {ahead} in the future: a clock is wrong, or its time was set by hand"
                    ))
                    .actual(format!("{ahead} in the future"))
                }
                age => {
                    let age = age.unwrap_or_default();
                    let told = coarse(age);
                    let message = if age <= self.max_age {
                        format!("{shown} was modified {told} ago")
                    } else {
                        let late = coarse(age - self.max_age);
                        format!("{shown} was last modified {told} ago, {late} longer than it may be")
                    };
                    Verdict::of(age <= self.max_age, message).actual(format!("{told} ago"))
                }
            },
        };
        verdict.expected(format!("modified within {}", duration::show(self.max_age)))
    }
}

/// Of what is minutes old, milliseconds are of no interest.
fn coarse(time: Duration) -> String {
    match time.as_secs() {
        0..10 => duration::show(time),
        seconds => duration::show(Duration::from_secs(seconds)),
    }
}

impl AssertionKind for FileModifiedWithinAssert {
    const NAME: &'static str = "FileModifiedWithinAssert";
}

#[async_trait]
impl Assertion for FileModifiedWithinAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(self.path.as_ref(), &format!("within {}", duration::show(self.max_age)))
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
        // After the look, so that what is changed meanwhile is not in the future.
        Ok(self.judge(&path, seen.as_ref().as_ref(), cx.now()))
    }
}

#[cfg(test)]
mod tests {
    use clockwork_drivers::file::FileType;

    use super::*;

    #[test]
    fn age_is_judged_and_the_future_is_not() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let meta = |modified| FileMeta {
            file_type: FileType::Regular,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 1,
            modified,
            link: None,
            open_parents: Vec::new(),
        };
        let check = FileModifiedWithinAssert::new("/f", Duration::from_secs(3600));
        let ago = |seconds: f64| now - Duration::from_secs_f64(seconds);
        for (modified, passed, judged, told) in [
            (ago(0.0), true, true, "/f was modified 0 ms ago"),
            (ago(3600.0), true, true, "/f was modified 1h ago"),
            (ago(3600.5), false, true, "/f was last modified 1h ago, 500 ms longer than it may be"),
            (ago(7261.25), false, true, "/f was last modified 2h1m1s ago, 1h1m1s longer than it may be"),
            (now + Duration::from_millis(900), true, true, "/f was modified 0 ms ago"),
            (
                now + Duration::from_secs(90),
                false,
                false,
                "/f was modified 1m30s in the future: a clock is wrong, or its time was set by hand",
            ),
        ] {
            let verdict = check.judge(Path::new("/f"), Ok(&meta(modified)), now);
            assert_eq!((verdict.has_passed(), verdict.is_judged(), verdict.text()), (passed, judged, told));
        }
    }
}
