//! [`PassesFile`]: what passed, from one run to the next (`fresh_for`).
//!
//! It lies in the user's cache directory and not beside the manifest: a checkout must not bring verdicts with it.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clockwork_core::{Graph, Passes};

use crate::system;

/// A file of passes is never longer.
const LIMIT: u64 = 64 << 20;

/// What passed, and where it is kept.
#[derive(Debug)]
pub(crate) struct PassesFile {
    passes: Passes,
    path: Option<PathBuf>,
}

impl PassesFile {
    /// What passed before for the project of this directory; nothing, unless something of it may be used again. A file that
    /// cannot be read is told to `complain`, and everything is looked at.
    pub(crate) fn open(graph: &Graph, directory: &Path, complain: impl Fn(&anyhow::Error)) -> Self {
        if !graph.reuses() {
            return Self { passes: Passes::default(), path: None };
        }
        let path = place(directory);
        let passes = path.as_deref().map(read).transpose().unwrap_or_else(|error| {
            complain(&error.context("what passed before is not used"));
            None
        });
        Self { passes: passes.unwrap_or_default(), path }
    }

    pub(crate) fn passes(&self) -> Passes {
        self.passes.clone()
    }

    /// Keeps what this run added.
    ///
    /// # Errors
    /// When it cannot be written: then the next run looks at everything.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let Some(path) = self.path.as_deref().filter(|_| self.passes.changed()) else { return Ok(()) };
        // Another run may have ended meanwhile. What cannot be read is written anew.
        let others = read(path).ok();
        let text = self.passes.write(others.as_ref());
        write(path, &text)
            .with_context(|| format!("what passed is not kept: cannot write {}", path.display()))
    }
}

/// Where it is kept: by the directory, as two checkouts of one project are about two deployments.
fn place(directory: &Path) -> Option<PathBuf> {
    let cache = system::cache()?;
    let mut hasher = DefaultHasher::new();
    directory.canonicalize().ok()?.hash(&mut hasher);
    Some(cache.join("clockwork").join(format!("passes-{:016x}.json", hasher.finish())))
}

fn read(path: &Path) -> anyhow::Result<Passes> {
    let shown = path.display();
    let known = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Passes::default()),
        known => known.with_context(|| format!("cannot read {shown}"))?,
    };
    // Whoever could write it could write what passes.
    ensure!(system::is_ours_alone(path, &known), "{shown} can be written by others; remove it");
    ensure!(known.is_file() && known.len() <= LIMIT, "{shown} is no file of passes; remove it");
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    match Passes::read(&text) {
        Ok(passes) => Ok(passes),
        Err(error) => bail!("{shown} is damaged, remove it: {error}"),
    }
}

/// All of it or nothing.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let directory = path.parent().context("it has no directory")?;
    system::create_private(directory)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let written = (|| {
        let mut file = system::new_private(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    Ok(written?)
}
