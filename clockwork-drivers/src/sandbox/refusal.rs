//! Why a program did not start, and whose fault that is. What is missing or broken on the machine is the machine's.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use clockwork_core::{CheckError, text::quote};
use nix::errno::Errno;

use super::launch::wrong_directory;

/// `path` is where the program is looked for, if it is not looked for in the directories of PATH.
pub(super) fn refusal(
    program: &str,
    path: Option<&PathBuf>,
    cwd: Option<&Path>,
    error: io::Error,
) -> CheckError {
    let shown = quote(program);
    if let Some(wrong) = cwd.and_then(|cwd| wrong_directory(&shown, cwd)) {
        return wrong;
    }
    let file = path.and_then(|path| fs::metadata(path).ok());
    match (error.raw_os_error().map(Errno::from_raw), file) {
        (Some(Errno::ENOENT), Some(_)) => CheckError::target(format!("cannot run {shown}"))
            .hint("it is there, but not the interpreter that its first line names, or its loader"),
        (Some(Errno::ENOENT), None) if path.is_some() => {
            CheckError::target(format!("there is no program {shown}"))
        }
        (Some(Errno::ENOENT | Errno::ENOTDIR), _) => {
            CheckError::target(format!("there is no program {shown} in the directories of PATH"))
        }
        (Some(Errno::EACCES), Some(file)) if file.is_dir() => {
            CheckError::target(format!("cannot run {shown}: it is a directory"))
        }
        (Some(Errno::EACCES), Some(file)) if file.permissions().mode() & 0o111 == 0 => {
            CheckError::target(format!("cannot run {shown}: it is not executable"))
                .hint("`chmod +x` makes it so")
        }
        (Some(Errno::EACCES), _) => CheckError::unobservable(format!("no permission to run {shown}")),
        (Some(Errno::ENOEXEC), _) => {
            CheckError::target(format!("cannot run {shown}: it is no program that this machine can run"))
                .hint("a script needs a first line like `#!/bin/sh`")
        }
        (Some(Errno::E2BIG), _) => CheckError::unobservable(format!(
            "cannot run {shown}: its arguments and environment are too large"
        )),
        _ => CheckError::unobservable(format!("cannot run {shown}")).with_source(error).retryable(),
    }
}
