//! [`ProcessRunningAssert`]: a process runs.
//!
//! `name` is what the process calls itself (`ps -o comm`) or the name of the program that it runs; the kernel keeps 15
//! bytes of the former, so the rest of a longer name is compared with the program and the first arguments. `command`
//! is a regular expression over the arguments, joined by spaces (`ps -o args`).
//!
//! Threads are no processes, zombies do not count, stopped processes do, and Clockwork's own process never does. From
//! inside a container (`at:`) the processes of its pid namespace count, by their numbers on the host.
//!
//! It proves that the process is there, not that it does its work. How many there are judges the property; where
//! processes are concealed from us and that could make the difference, the verdict is `errored`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Pattern, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::AccountRef;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::processes::{Census, Selection};

/// At least `min_count` and at most `max_count` such processes run.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessRunningAssert {
    /// The name of the process or of its program, whole.
    #[serde(default)]
    name: Option<String>,
    /// A regular expression that matches somewhere in the command line, instead of `name`.
    #[serde(default)]
    command: Option<Pattern>,
    /// The least number of them; 1 unless given.
    #[serde(default)]
    min_count: Option<usize>,
    /// The most of them.
    #[serde(default)]
    max_count: Option<usize>,
    /// Only those of this user, by name or number. Not on Windows.
    #[serde(default)]
    user: Option<AccountRef>,
}

impl ProcessRunningAssert {
    /// A process of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// A process whose command line matches.
    pub fn command(pattern: Pattern) -> Self {
        Self { command: Some(pattern), ..Self::default() }
    }

    /// The least number of them.
    #[must_use]
    pub fn min_count(mut self, count: usize) -> Self {
        self.min_count = Some(count);
        self
    }

    /// The most of them.
    #[must_use]
    pub fn max_count(mut self, count: usize) -> Self {
        self.max_count = Some(count);
        self
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

    fn counts(&self) -> (usize, Option<usize>) {
        (self.min_count.unwrap_or(1), self.max_count)
    }

    fn expected(&self) -> String {
        match self.counts() {
            (1, None) => String::from("running"),
            (min, None) => format!("at least {min} running"),
            (min, Some(max)) if min == max => format!("exactly {min} running"),
            (0, Some(max)) => format!("at most {max} running"),
            (min, Some(max)) => format!("{min} to {max} running"),
        }
    }

    fn judge(&self, census: &Census) -> Result<Verdict, CheckError> {
        let selection = self.selection();
        if census.no_user() {
            let user = selection.user.map(ToString::to_string).unwrap_or_default();
            let message = format!("there is no user {user}, and so no {}", selection.describe(false));
            return Ok(Verdict::unjudged(message).expected(self.expected()).actual("no such user"));
        }
        let ((min, max), count) = (self.counts(), census.running.len());
        let too_few = count < min;
        let too_many = max.is_some_and(|max| count > max);
        // More of them may be concealed. That changes nothing where there are too many already, or enough.
        if census.may_be_more() && (too_few || (max.is_some() && !too_many)) {
            return Err(census.blind(&format!("how many {} there are", selection.describe(true))));
        }
        let zombies = census.zombies();
        let message = match count {
            0 => format!("no {} is running{zombies}", selection.describe(false)),
            1 => format!("1 {} is running: {}{zombies}", selection.describe(false), census.running()),
            _ => format!("{count} {} are running: {}{zombies}", selection.describe(true), census.running()),
        };
        let message = match (too_few && count > 0, too_many) {
            (true, _) => format!("{message}; expected at least {min}"),
            (_, true) => format!("{message}; expected at most {}", max.unwrap_or_default()),
            _ => message,
        };
        let verdict = Verdict::of(!too_few && !too_many, message);
        let pids: Vec<_> = census.pids.iter().take(100).copied().collect();
        Ok(verdict
            .expected(self.expected())
            .actual(format!("{count} running"))
            .detail("count", count)
            .detail("pids", pids))
    }
}

impl AssertionKind for ProcessRunningAssert {
    const NAME: &'static str = "ProcessRunningAssert";
}

#[async_trait]
impl Assertion for ProcessRunningAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let which = self.selection().label();
        match self.counts() {
            (1, None) => which,
            _ => format!("{which}, {}", self.expected()),
        }
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.selection().problems();
        match self.counts() {
            (0, None) => {
                problems.push(Invalid::field("min_count", "is 0 without a `max_count`: any number would do"));
            }
            (min, Some(max)) if min > max => {
                let problem = match self.min_count {
                    Some(min) => format!("is {max} and less than `min_count`, {min}"),
                    None => String::from("is 0 and less than `min_count`, 1: use ProcessNotRunningAssert"),
                };
                problems.push(Invalid::field("max_count", problem));
            }
            _ => {}
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        self.judge(&self.selection().count(cx).await?)
    }
}
