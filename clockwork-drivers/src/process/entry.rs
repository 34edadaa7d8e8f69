//! [`Process`]: one process, and whether it is the one that is meant.

use std::fmt;

/// How many bytes of a name the kernel keeps.
const COMM: usize = 15;

/// One process (a group of threads).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number, on the host.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its name, at most 15 bytes of it: what `ps -o comm` shows.
    pub name: String,
    /// What it is doing.
    pub state: ProcessState,
    /// The user whose rights it has (the effective one), as the host numbers them.
    pub uid: u32,
    /// Its arguments.
    pub command_line: CommandLine,
    /// The name of the program that it runs, without the directory; `None` for a thread of the kernel, for a zombie,
    /// and where we may not look.
    pub program: Option<String>,
    /// Whether we may not look at its program.
    pub program_hidden: bool,
    /// Its pid namespace, if that is not ours; 0 where we may not look.
    pub(super) namespace: Option<u64>,
}

/// The arguments of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// All of them; none for a thread of the kernel, and for a zombie.
    Whole(Vec<String>),
    /// The first of them: there are more than anybody should have.
    Beginning(Vec<String>),
    /// We may not look.
    Hidden,
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessState {
    /// It runs, or waits for something.
    Alive,
    /// It was stopped, by a signal or a debugger.
    Stopped,
    /// It ended, and its parent has not asked how.
    Zombie,
}

/// Whether a process is the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// What we may see of it does not tell.
    Unknown,
}

impl Process {
    /// Whether this process goes by `name`: its own name, or that of its program. The kernel keeps 15 bytes of a
    /// name; the rest of a longer one is looked for in the program's name and in the first three arguments (a script
    /// comes after its interpreter, and that one's option).
    pub fn goes_by(&self, name: &str) -> Meant {
        if self.name == name || self.program.as_deref() == Some(name) {
            return Meant::Yes;
        }
        let cut_off = name.len() > COMM && self.name.len() == COMM && name.starts_with(&self.name);
        if !cut_off {
            return Meant::No;
        }
        match &self.command_line {
            CommandLine::Whole(arguments) | CommandLine::Beginning(arguments) => {
                if arguments.iter().take(3).any(|argument| base_name(argument) == name) {
                    return Meant::Yes;
                }
                // Neither the program's name nor the arguments are there to tell, as for a zombie.
                if self.program_hidden || arguments.is_empty() { Meant::Unknown } else { Meant::No }
            }
            CommandLine::Hidden => Meant::Unknown,
        }
    }

    /// Whether `regex` matches the arguments, joined by spaces. What has no arguments is never meant.
    pub fn was_called_as(&self, regex: &regex::Regex) -> Meant {
        match &self.command_line {
            CommandLine::Whole(arguments) if arguments.is_empty() => Meant::No,
            CommandLine::Whole(arguments) if regex.is_match(&arguments.join(" ")) => Meant::Yes,
            CommandLine::Whole(_) => Meant::No,
            // The end is not there: an anchor would mean something else.
            CommandLine::Beginning(_) | CommandLine::Hidden => Meant::Unknown,
        }
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `nginx (412)`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_graphic() && c != '"');
        if plain {
            write!(f, "{} (pid {})", self.name, self.pid)
        } else {
            write!(f, "{} (pid {})", clockwork_core::text::quote(&self.name), self.pid)
        }
    }
}
