//! How much a filesystem or a tree holds.

use std::{
    collections::HashSet,
    fs::{self, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use clockwork_core::CheckError;

use super::{
    Root, explain,
    of_system::{self, facts},
};
use crate::file::{
    DirectoryUsage, FilesystemUsage, Missing,
    usage::{DEPTH, Walked},
};

/// How full the filesystem is that holds a path.
pub(in crate::file) fn filesystem(
    _: &Root,
    path: &Path,
) -> Result<Result<FilesystemUsage, Missing>, CheckError> {
    match of_system::filesystem(path) {
        Ok(usage) => Ok(Ok(usage)),
        Err(error) => explain(path, "measure", error).map(Err),
    }
}

/// How much a tree takes.
pub(in crate::file) fn directory(
    _: &Root,
    path: &Path,
    walked: &Walked,
) -> Result<Result<DirectoryUsage, Missing>, CheckError> {
    let seen = match fs::metadata(path) {
        Ok(seen) => seen,
        Err(error) => return explain(path, "measure", error).map(Err),
    };
    let device = facts(&seen).device;
    let mut walk = Walk { usage: DirectoryUsage::default(), device, linked: HashSet::new(), walked };
    walk.count(&seen);
    if seen.is_dir() {
        walk.descend(path, 0)?;
    }
    Ok(Ok(walk.usage))
}

struct Walk<'a> {
    usage: DirectoryUsage,
    device: u64,
    linked: HashSet<u64>,
    walked: &'a Walked,
}

impl Walk<'_> {
    fn count(&mut self, seen: &Metadata) {
        let told = facts(seen);
        if told.shared.is_some_and(|number| !seen.is_dir() && !self.linked.insert(number)) {
            return;
        }
        self.usage.bytes += told.taken;
        self.usage.entries += 1;
        self.walked.counted(self.usage.entries);
    }

    fn descend(&mut self, path: &Path, depth: usize) -> Result<(), CheckError> {
        self.walked.goes_on()?;
        if depth == DEPTH {
            self.unseen(path, format!("it is more than {DEPTH} directories deep"));
            return Ok(());
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if depth > 0 && has_gone(&error) => return Ok(()),
            Err(error) => {
                self.unseen(path, error.to_string());
                return Ok(());
            }
        };
        for entry in entries {
            let (below, seen) = match entry.map(|entry| (entry.path(), entry.metadata())) {
                Ok((below, Ok(seen))) => (below, seen),
                Ok((_, Err(error))) if has_gone(&error) => continue,
                Ok((below, Err(error))) => {
                    self.unseen(&below, error.to_string());
                    continue;
                }
                Err(error) => {
                    self.unseen(path, error.to_string());
                    return Ok(());
                }
            };
            if facts(&seen).device != self.device {
                continue;
            }
            self.count(&seen);
            // A link is none of these.
            if seen.is_dir() {
                self.descend(&below, depth + 1)?;
            }
        }
        Ok(())
    }

    fn unseen(&mut self, path: &Path, why: String) {
        self.usage.unseen.get_or_insert_with(|| (PathBuf::from(path), why));
    }
}

fn has_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
