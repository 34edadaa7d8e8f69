//! [`Exit`]: how the command ends, which is an interface as much as its output.

use std::process::ExitCode;

use clockwork_core::Report;

use crate::cli::FailOn;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All held.
    Held,
    /// Something failed, could not be judged, or could not be written.
    Failed,
    /// The command line or the manifest is wrong, and nothing ran.
    Usage,
    /// Stopped from outside.
    Interrupted,
}

impl Exit {
    /// As the report's verdict says, and the warnings where they count.
    pub(crate) fn of(report: &Report, fail_on: FailOn) -> Self {
        let warned = fail_on == FailOn::Warning && report.summary.warnings > 0;
        match (report.interrupted, report.passed() && !warned) {
            (true, _) => Self::Interrupted,
            (false, true) => Self::Held,
            (false, false) => Self::Failed,
        }
    }

    /// The same, when a result could not be written: never a pass, as somebody waits for that result.
    pub(crate) fn unwritten(self) -> Self {
        if self == Self::Held { Self::Failed } else { self }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
