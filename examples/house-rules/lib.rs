//! A library of assertions: the rules of one house, for all its projects. It is a crate like any other; whoever uses it
//! gives [`register`] to the command (`main.rs`), or declares its kinds in Rust.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Registry, Resource, Verdict,
    async_trait, duration, schemars::JsonSchema, text::quote,
};
use serde::Deserialize;

/// The kinds of this crate.
pub fn register(registry: &mut Registry) {
    registry.assertion::<BackupFreshAssert>();
}

/// The newest file of a directory is a backup that is young enough, and large enough to be one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "clockwork_core::schemars")]
pub struct BackupFreshAssert {
    /// Where the backups are.
    pub directory: PathBuf,
    /// How old the newest one may be.
    #[serde(with = "clockwork_core::duration")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    pub max_age: Duration,
    /// How large it is at least.
    #[serde(default)]
    pub min_size: ByteSize,
}

impl AssertionKind for BackupFreshAssert {
    const NAME: &'static str = "BackupFreshAssert";
}

#[async_trait]
impl Assertion for BackupFreshAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("{}, <= {}", self.directory.display(), duration::show(self.max_age))
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let bad = self.max_age.is_zero().then(|| Invalid::field("max_age", "no backup is that young"));
        bad.into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let directory = self.directory.clone();
        // What blocks is left to a thread that is for that.
        let newest = tokio::task::spawn_blocking(move || newest(&directory)).await??;
        Ok(self.judge(newest.as_ref(), cx.now()))
    }
}

impl BackupFreshAssert {
    fn judge(&self, newest: Option<&Backup>, now: SystemTime) -> Verdict {
        let Some(Backup { name, written, size }) = newest else {
            return Verdict::failed(format!("there is no file in {}", self.directory.display()));
        };
        let age = now.duration_since(*written).unwrap_or_default();
        let (name, size) = (quote(name), ByteSize(*size));
        let verdict = if age > self.max_age {
            Verdict::failed(format!("the newest backup, {name}, is {} old", duration::show(age)))
        } else if size < self.min_size {
            Verdict::failed(format!("the newest backup, {name}, has only {size}"))
        } else {
            Verdict::passed().message(format!("{name} is {} old", duration::show(age)))
        };
        verdict
            .expected(format!("<= {}, >= {}", duration::show(self.max_age), self.min_size))
            .actual(format!("{}, {size}", duration::show(age)))
    }
}

struct Backup {
    name: String,
    written: SystemTime,
    size: u64,
}

fn newest(directory: &Path) -> std::io::Result<Option<Backup>> {
    let mut newest: Option<Backup> = None;
    for entry in std::fs::read_dir(directory)? {
        let (entry, known) = entry.and_then(|entry| entry.metadata().map(|known| (entry, known)))?;
        let written = known.modified()?;
        if known.is_file() && newest.as_ref().is_none_or(|other| other.written < written) {
            let name = entry.file_name().to_string_lossy().into_owned();
            newest = Some(Backup { name, written, size: known.len() });
        }
    }
    Ok(newest)
}
