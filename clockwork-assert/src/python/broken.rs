//! Why a user's file cannot be imported.

use clockwork_core::{CheckError, text::quote};
use clockwork_drivers::python::{Broken, PythonFile, Raised};

use super::{PythonAssert, judge::traceback, place};

/// No such file or directory.
const ENOENT: i32 = 2;

impl PythonAssert {
    pub(super) fn broken(&self, broken: &Broken, seen: &PythonFile) -> CheckError {
        let shown = quote(&self.file.to_string_lossy());
        let error = match broken {
            Broken::Unreadable { errno: ENOENT, .. } if !self.file.exists() => {
                CheckError::unobservable(format!("there is no file {shown}"))
                    .hint("`file` is relative to Clockwork's working directory")
            }
            Broken::Unreadable { message, .. } => {
                let error = CheckError::unobservable(format!(
                    "cannot read {shown}: {}",
                    place::one_line(message, 200)
                ));
                if self.file.exists() {
                    self.grant(error, None, Some(&self.file.to_string_lossy()))
                } else {
                    error
                }
            }
            Broken::Syntax { message, file, line, column, source } => {
                let mut at = place::file(file);
                for number in [line, column].into_iter().flatten() {
                    at.push_str(&format!(":{number}"));
                }
                let source = if source.is_empty() { String::new() } else { format!(": {}", quote(source)) };
                CheckError::unobservable(format!(
                    "{shown} is not valid Python {}: {} (at {at}{source})",
                    seen.version(),
                    place::one_line(message, 300),
                ))
            }
            Broken::Exit { code, frames } => CheckError::unobservable(format!(
                "{shown} called `sys.exit({})` while it was imported{}",
                place::one_line(code, 100),
                frames.last().map(|frame| format!(" (at {})", place::line(frame))).unwrap_or_default(),
            ))
            .hint("put what is for the command line behind `if __name__ == \"__main__\":`")
            .detail("traceback", traceback(frames)),
            Broken::Raised(raised) => self.not_imported(&shown, raised, seen),
            _ => CheckError::unobservable(format!("cannot import {shown}")),
        };
        self.with_details(error, &seen.printed, seen)
    }

    fn not_imported(&self, shown: &str, raised: &Raised, seen: &PythonFile) -> CheckError {
        let at =
            raised.frames.last().map(|frame| format!(" (at {})", place::line(frame))).unwrap_or_default();
        if raised.r#type == "ModuleNotFoundError"
            && let Some(module) = &raised.module
        {
            return self.without_module(module, &at, seen).detail("traceback", traceback(&raised.frames));
        }
        let error = CheckError::unobservable(format!(
            "cannot import {shown}: it raised {}{at}",
            super::judge::named(raised),
        ))
        .retryable()
        .detail("traceback", traceback(&raised.frames));
        self.grant(error, raised.errno, raised.path.as_deref())
    }

    /// Says which interpreter lacks it, and how it gets it.
    pub(super) fn without_module(&self, module: &str, at: &str, seen: &PythonFile) -> CheckError {
        let package = module.split('.').next().unwrap_or(module);
        CheckError::unobservable(format!(
            "there is no module {} for {} ({}, Python {}){at}",
            quote(module),
            quote(&self.python),
            quote(seen.executable()),
            seen.version(),
        ))
        .hint(format!(
            "install it there (`{} -m pip install {}`), or name the interpreter that has it with `python`",
            place::one_line(&self.python, 200),
            place::one_line(package, 100),
        ))
    }
}
