//! Why a program did not start, and whose fault that is. What is missing or broken on the machine is the machine's.

use std::{
    io,
    path::{Path, PathBuf},
};

use clockwork_core::{CheckError, text::quote};

use super::launch::wrong_directory;

/// `path` is where the program is looked for, if it is not looked for in the directories of PATH.
pub(super) fn refusal(
    program: &str,
    path: Option<&PathBuf>,
    cwd: Option<&Path>,
    error: io::Error,
) -> CheckError {
    /// `ERROR_BAD_EXE_FORMAT`.
    const NO_PROGRAM: i32 = 193;
    let shown = quote(program);
    if let Some(wrong) = cwd.and_then(|cwd| wrong_directory(&shown, cwd)) {
        return wrong;
    }
    let is_directory = path.is_some_and(|path| path.is_dir());
    match error.kind() {
        io::ErrorKind::NotFound if path.is_some() => {
            CheckError::target(format!("there is no program {shown}"))
        }
        io::ErrorKind::NotFound => {
            CheckError::target(format!("there is no program {shown} in the directories of PATH"))
                .hint("a word of the command interpreter is none: `[cmd, /c, …]` has it said to that")
        }
        io::ErrorKind::PermissionDenied if is_directory => {
            CheckError::target(format!("cannot run {shown}: it is a directory"))
        }
        io::ErrorKind::PermissionDenied => CheckError::unobservable(format!("no permission to run {shown}")),
        _ if error.raw_os_error() == Some(NO_PROGRAM) => {
            CheckError::target(format!("cannot run {shown}: it is no program that this machine can run"))
        }
        _ => CheckError::unobservable(format!("cannot run {shown}")).with_source(error).retryable(),
    }
}
