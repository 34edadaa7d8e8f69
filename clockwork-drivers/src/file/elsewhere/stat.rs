//! What is at a path.

use std::{fs, io, path::Path, time::SystemTime};

use clockwork_core::CheckError;

use super::{Root, explain, of_system::facts};
use crate::file::{FileMeta, FileType, Missing, place::parent};

/// How many links are followed.
const LINKS: usize = 40;

pub(in crate::file) fn stat(_: &Root, path: &Path) -> Result<Result<FileMeta, Missing>, CheckError> {
    match try_stat(path) {
        Ok(meta) => Ok(Ok(meta)),
        Err(error) => explain(path, "look at", error).map(Err),
    }
}

fn try_stat(path: &Path) -> io::Result<FileMeta> {
    let mut seen = fs::symlink_metadata(path)?;
    let (mut link, mut parents) = (None, vec![parent(path)]);
    if seen.is_symlink() {
        seen = fs::metadata(path)?;
        // The links of the last component, one by one, for the directories that hold them.
        let mut here = path.to_owned();
        while let Ok(target) = fs::read_link(&here)
            && parents.len() <= LINKS
        {
            here = parent(&here).join(&target);
            parents.push(parent(&here));
            link.get_or_insert(target);
        }
    }
    let mut open_parents = Vec::new();
    for directory in parents {
        match fs::metadata(&directory).map(|seen| facts(&seen)) {
            Ok(seen) if seen.file_type == FileType::Directory && seen.mode & 0o1002 == 0o002 => {
                open_parents.push((directory, seen.mode));
            }
            // To search a directory is enough to see the file, and to see the directory too.
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
            Err(error) => return Err(error),
        }
    }
    let told = facts(&seen);
    Ok(FileMeta {
        file_type: told.file_type,
        mode: told.mode,
        uid: told.uid,
        gid: told.gid,
        size: seen.len(),
        modified: seen.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        link,
        open_parents,
    })
}
