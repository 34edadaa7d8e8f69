//! What is said to a sandbox, and what it says, on every system.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use clockwork_core::{CheckError, SecretString, text::quote};
use serde_json::{Value, json};

use crate::platform;

#[cfg(unix)]
pub use std::os::fd::OwnedFd as Descriptor;

/// What Unix hands from process to process: here there is none.
#[cfg(not(unix))]
#[derive(Debug)]
pub enum Descriptor {}

/// What is to run, and what of Clockwork's it needs.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The program and its arguments. No shell reads them. A program without a `/` is looked for in the directories of
    /// PATH, one with is relative to where it runs.
    pub command: Vec<String>,
    /// Variables beside those that the sandbox lets through.
    pub env: Vec<(String, String)>,
    /// The same with values that appear nowhere.
    pub secrets: Vec<(String, SecretString)>,
    /// Where it runs; Clockwork's own working directory unless given. It may read what is there, unless that is a home or
    /// belongs to many, as `/tmp`.
    pub cwd: Option<PathBuf>,
    /// Programs and scripts that it needs beside itself: it may read these, and the directories and installations that
    /// they are in.
    pub readable: Vec<PathBuf>,
    /// Whether its standard input is a pipe; otherwise it is empty.
    pub stdin: bool,
    /// What is its standard input instead: the other end of a socket to a worker.
    pub socket: Option<Arc<Descriptor>>,
}

impl Launch {
    pub(super) fn input(&self) -> Result<Stdio, CheckError> {
        match &self.socket {
            None if self.stdin => Ok(Stdio::piped()),
            None => Ok(Stdio::null()),
            Some(socket) => match platform::input(socket) {
                Ok(socket) => Ok(socket),
                Err(error) => Err(CheckError::unobservable("cannot give a program its socket")
                    .with_source(error)
                    .retryable()),
            },
        }
    }
}

/// What became of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// By what it is enforced: `namespaces`, `landlock`, `seccomp`, `control groups`, `limits`.
    pub by: Vec<&'static str>,
    /// What of it this machine does not enforce, in whole sentences. Empty when all of it is.
    pub missing: Vec<String>,
}

impl Enforcement {
    /// For a result's `details.sandbox`.
    pub fn details(&self) -> Value {
        json!({ "by": self.by, "missing": self.missing })
    }
}

/// How a program's end looked from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remains {
    /// Something that it had started was still there a while after it had ended, and was ended.
    pub left_behind: bool,
    /// Which limits it ran into.
    pub exceeded: Exceeded,
}

/// Which of the limits a program ran into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// Something of it was ended because all of it used more memory than it may.
    pub memory: bool,
    /// Another process or thread than it may have was not started.
    pub processes: bool,
}

/// Something that the sandbox kept from a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// What: for a message.
    pub what: String,
    /// Which grant lets it.
    pub hint: String,
}

/// That nothing can run in this directory, if so.
pub(super) fn wrong_directory(program: &str, directory: &Path) -> Option<CheckError> {
    let why = match fs::metadata(directory) {
        Ok(seen) if !seen.is_dir() => "is not a directory",
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            "is missing"
        }
        _ => return None,
    };
    let directory = quote(&directory.to_string_lossy());
    Some(CheckError::target(format!("cannot run {program}: its working directory {directory} {why}")))
}
