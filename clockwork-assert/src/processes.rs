//! What the process kinds share: which processes are meant, and how many of them there are.

use clockwork_core::{CheckError, Context, Invalid, Pattern, text::quote};
use clockwork_drivers::{
    file::AccountRef,
    process::{Meant, Process, ProcessState, ProcessTable, ProcessTableProbe},
};

/// How many processes a message names.
const NAMED: usize = 5;

/// Which processes are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) command: Option<&'a Pattern>,
    pub(crate) user: Option<&'a AccountRef>,
}

/// The processes that are meant.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Alive or stopped.
    pub(crate) running: Vec<String>,
    pub(crate) pids: Vec<u32>,
    /// Ended, and not yet reaped.
    zombies: Vec<String>,
    /// Perhaps meant: what we may see of them does not tell.
    unknown: Vec<String>,
    /// Why there may be more than we see.
    incomplete: Option<String>,
    /// The user that is meant does not exist.
    no_user: bool,
}

impl Selection<'_> {
    pub(crate) fn problems(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        match (self.name, self.command) {
            (None, None) => problems.push(Invalid::whole("give `name` or `command`")),
            (Some(_), Some(_)) => problems.push(Invalid::field("command", "give either `name` or `command`")),
            (Some(""), None) => problems.push(Invalid::field("name", "is empty")),
            (Some(name), None) if name.contains('/') => {
                let problem = format!(
                    "{} is a path: a process goes by its program's name alone; to match a path, use `command`",
                    quote(name)
                );
                problems.push(Invalid::field("name", problem));
            }
            (None, Some(command)) if command.as_str().is_empty() => {
                problems.push(Invalid::field("command", "is empty, which matches anything"));
            }
            _ => {}
        }
        let problem = self.user.and_then(AccountRef::problem);
        problems.extend(problem.map(|problem| Invalid::field("user", problem)));
        problems
    }

    /// `process named nginx of user www-data`, or more of them.
    pub(crate) fn describe(&self, plural: bool) -> String {
        let noun = if plural { "processes" } else { "process" };
        let which = match (self.name, self.command) {
            (Some(name), _) if is_plain(name) => format!("{noun} named {name}"),
            (Some(name), _) => format!("{noun} named {}", quote(name)),
            (None, Some(command)) => {
                format!("{noun} with a command line that matches {}", quote(command.as_str()))
            }
            (None, None) => noun.to_owned(),
        };
        match self.user {
            Some(user) => format!("{which} of user {user}"),
            None => which,
        }
    }

    pub(crate) fn label(&self) -> String {
        let which = match (self.name, self.command) {
            (Some(name), _) if is_plain(name) => name.to_owned(),
            (Some(name), _) => quote(name),
            (None, Some(command)) => quote(command.as_str()),
            (None, None) => String::new(),
        };
        match self.user {
            Some(user) => format!("{which}, user {user}"),
            None => which,
        }
    }

    fn means(&self, process: &Process) -> Meant {
        match (self.name, self.command) {
            (Some(name), _) => process.goes_by(name),
            (None, Some(command)) => process.was_called_as(command),
            (None, None) => Meant::Unknown,
        }
    }

    /// Looks at the process table and counts.
    pub(crate) async fn count(&self, cx: &Context) -> Result<Census, CheckError> {
        let table = cx.observe(ProcessTableProbe).await?;
        let user = match self.user {
            None => None,
            Some(AccountRef::Id(id)) => {
                table.has_users()?;
                Some(*id)
            }
            Some(name) => match &*cx.observe(name.user()).await? {
                Some(account) => Some(account.id),
                None => return Ok(Census { no_user: true, ..Census::default() }),
            },
        };
        Ok(self.take(&table, user))
    }

    fn take(&self, table: &ProcessTable, user: Option<u32>) -> Census {
        let mut census = Census { incomplete: table.incomplete.clone(), ..Census::default() };
        for process in &table.processes {
            if user.is_some_and(|user| table.user_of(process) != user) {
                continue;
            }
            let list = match (self.means(process), process.state) {
                (Meant::No, _) => continue,
                (_, ProcessState::Zombie) => &mut census.zombies,
                (Meant::Unknown, _) => &mut census.unknown,
                (Meant::Yes, state) => {
                    census.pids.push(process.pid);
                    if state == ProcessState::Stopped {
                        census.running.push(format!("{process}, stopped"));
                        continue;
                    }
                    &mut census.running
                }
            };
            list.push(process.to_string());
        }
        census
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'`'))
}

impl Census {
    /// Whether there may be more of them than are known.
    pub(crate) fn may_be_more(&self) -> bool {
        self.incomplete.is_some() || !self.unknown.is_empty()
    }

    /// Why there may be more, as an error: what was not seen is neither there nor not there.
    pub(crate) fn blind(&self, what: &str) -> CheckError {
        let why = match (&self.incomplete, self.unknown.as_slice()) {
            (Some(why), _) => why.clone(),
            (None, unknown) => {
                format!("what we may see of it does not tell whether it is meant: {}", named(unknown))
            }
        };
        CheckError::unobservable(format!("cannot tell {what}: {why}"))
            .hint("run as root, or as a user who may see all processes")
    }

    pub(crate) fn no_user(&self) -> bool {
        self.no_user
    }

    /// What else is worth knowing: that zombies do not count.
    pub(crate) fn zombies(&self) -> String {
        match self.zombies.as_slice() {
            [] => String::new(),
            [one] => {
                format!(" (a zombie does not count: {one}, which has ended and was not reaped by its parent)")
            }
            zombies => format!(
                " ({} zombies do not count: {}, which have ended and were not reaped by their parents)",
                zombies.len(),
                named(zombies)
            ),
        }
    }

    /// `nginx (pid 12), nginx (pid 13)`, at most some of them.
    pub(crate) fn running(&self) -> String {
        named(&self.running)
    }
}

fn named(processes: &[String]) -> String {
    match processes.get(..NAMED) {
        Some(first) if processes.len() > NAMED => {
            format!("{} and {} more", first.join(", "), processes.len() - NAMED)
        }
        _ => processes.join(", "),
    }
}
