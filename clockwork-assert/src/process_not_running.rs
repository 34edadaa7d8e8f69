//! [`ProcessNotRunningAssert`]: no such process runs.
//!
//! Which processes are meant is said as in [`ProcessRunningAssert`](crate::ProcessRunningAssert). Zombies have ended,
//! so they are none. It passes only if every process could be looked at: where some are concealed from us, or do not
//! let us see enough to tell, the verdict is `errored`, and so it is where the user that is meant does not exist.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Pattern, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::AccountRef;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::processes::{Census, Selection};

/// No such process runs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessNotRunningAssert {
    /// The name of the process or of its program, whole.
    #[serde(default)]
    name: Option<String>,
    /// A regular expression that matches somewhere in the command line, instead of `name`.
    #[serde(default)]
    command: Option<Pattern>,
    /// Only those of this user, by name or number. Not on Windows.
    #[serde(default)]
    user: Option<AccountRef>,
}

impl ProcessNotRunningAssert {
    /// No process of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// No process whose command line matches.
    pub fn command(pattern: Pattern) -> Self {
        Self { command: Some(pattern), ..Self::default() }
    }

    /// Only those of this user, by name or number.
    #[must_use]
    pub fn user(mut self, user: impl Into<AccountRef>) -> Self {
        self.user = Some(user.into());
        self
    }

    fn selection(&self) -> Selection<'_> {
        Selection { name: self.name.as_deref(), command: self.command.as_ref(), user: self.user.as_ref() }
    }

    fn judge(&self, census: &Census) -> Result<Verdict, CheckError> {
        let selection = self.selection();
        if census.no_user() {
            let user = selection.user.map(ToString::to_string).unwrap_or_default();
            return Err(CheckError::unobservable(format!("there is no user {user}"))
                .hint("correct `user`: of a user who does not exist, nothing ever runs"));
        }
        let count = census.running.len();
        if count == 0 && census.may_be_more() {
            return Err(census.blind(&format!("whether a {} is running", selection.describe(false))));
        }
        let zombies = census.zombies();
        let message = match count {
            0 => format!("no {} is running{zombies}", selection.describe(false)),
            1 => format!("a {} is running: {}{zombies}", selection.describe(false), census.running()),
            _ => format!("{count} {} are running: {}{zombies}", selection.describe(true), census.running()),
        };
        let verdict = Verdict::of(count == 0, message);
        let pids: Vec<_> = census.pids.iter().take(100).copied().collect();
        Ok(verdict
            .expected("not running")
            .actual(if count == 0 { String::from("not running") } else { format!("{count} running") })
            .detail("count", count)
            .detail("pids", pids))
    }
}

impl AssertionKind for ProcessNotRunningAssert {
    const NAME: &'static str = "ProcessNotRunningAssert";
}

#[async_trait]
impl Assertion for ProcessNotRunningAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.selection().label()
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        self.selection().problems()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        self.judge(&self.selection().count(cx).await?)
    }
}
