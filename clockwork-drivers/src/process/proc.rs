//! The process table as Linux shows it, in `/proc`.

use std::{
    borrow::Cow,
    fs,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use clockwork_core::CheckError;

use super::{
    entry::{CommandLine, Process, ProcessState},
    table::ProcessTable,
};
use crate::vantage::{self, IdMap};

/// What else is known of a table.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// How a container calls the host's users.
    users: Option<IdMap>,
    own_pid: u32,
}

impl About {
    /// A user of the host, as it is known at the vantage.
    pub(super) fn user(&self, user: u32) -> u32 {
        self.users.as_ref().map_or(user, |users| users.inside(user))
    }
}

/// How much of a process's arguments is read, and of what the kernel says of it: a list of many groups may be long.
const ARGUMENTS: usize = 32 << 10;
const STATUS: usize = 1 << 20;

/// The table of this machine.
pub(super) fn read_own() -> Result<ProcessTable, CheckError> {
    read(Path::new("/proc"))
}

pub(super) fn read(proc: &Path) -> Result<ProcessTable, CheckError> {
    let blind = |error: io::Error| {
        CheckError::unobservable(format!("cannot read the process table in {}", proc.display()))
            .with_source(error)
            .hint("mount procfs there")
    };
    // The number that this very procfs has for us: in a container that may be another than we think.
    let own_pid = fs::read_link(proc.join("self")).map_err(blind)?;
    let Some(own_pid) = own_pid.to_str().and_then(|pid| pid.parse().ok()) else {
        return Err(blind(io::Error::other("it does not know this process")));
    };
    let mut processes = Vec::new();
    let mut room = [vec![0; 4 << 10], vec![0; 4 << 10]];
    let mut concealed = 0_usize;
    for entry in fs::read_dir(proc).map_err(blind)? {
        let name = entry.map_err(blind)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if pid == own_pid {
            continue;
        }
        match read_process(&proc.join(&name), pid, &mut room) {
            Ok(process) => processes.push(Arc::new(process)),
            Err(error) if has_ended(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => concealed += 1,
            Err(error) => return Err(blind(error).retryable()),
        }
    }
    let incomplete = match concealed {
        0 => hidden(proc),
        count => Some(format!("{count} processes of other users cannot be looked at")),
    };
    Ok(ProcessTable { processes, incomplete, about: About { users: None, own_pid } })
}

/// A process that ends while it is read is not there any more.
fn has_ended(error: &io::Error) -> bool {
    const NO_SUCH_PROCESS: i32 = nix::errno::Errno::ESRCH as i32;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

impl ProcessState {
    pub(super) fn of(letter: &str) -> Self {
        match letter.chars().next() {
            Some('T' | 't') => Self::Stopped,
            Some('Z' | 'X' | 'x') => Self::Zombie,
            _ => Self::Alive,
        }
    }
}

/// Reads a file of the kernel's, or its beginning. Whoever has room for more than there is gets all of it at once, so that this
/// is one call, and no second one to find the end.
fn read_into<'a>(room: &'a mut Vec<u8>, path: &Path, limit: usize) -> io::Result<&'a [u8]> {
    let mut file = fs::File::open(path)?;
    let mut length = 0;
    loop {
        match file.read(&mut room[length..]) {
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if length < room.len() || length >= limit {
            return Ok(&room[..length.min(limit)]);
        }
        room.resize(2 * length, 0);
    }
}

fn read_process(directory: &Path, pid: u32, [status, arguments]: &mut [Vec<u8>; 2]) -> io::Result<Process> {
    let status = text(read_into(status, &directory.join("status"), STATUS)?);
    let [name, state, parent, users, numbers, is_of_kernel] =
        fields(&status, ["Name", "State", "PPid", "Uid", "NSpid", "Kthread"]);
    // A thread of the kernel, where that says so, has neither arguments nor a program.
    let (command_line, (program, program_hidden)) = match is_of_kernel {
        "1" => (CommandLine::Whole(Vec::new()), (None, false)),
        _ => (read_arguments(&directory.join("cmdline"), arguments)?, read_program(&directory.join("exe"))?),
    };
    // One number for each pid namespace that the process is in, beginning with ours.
    let nested = numbers.split_ascii_whitespace().count() > 1;
    Ok(Process {
        pid,
        parent: parent.parse().unwrap_or(0),
        name: unescape(name),
        state: ProcessState::of(state),
        uid: users.split_ascii_whitespace().nth(1).and_then(|uid| uid.parse().ok()).unwrap_or(u32::MAX),
        command_line,
        program,
        program_hidden,
        namespace: nested.then(|| namespace(directory).unwrap_or(0)),
    })
}

/// What the kernel says of a process under these names, empty where it says nothing. It reads no further than it has to, as there
/// may be thousands of processes.
fn fields<'a, const N: usize>(status: &'a str, names: [&str; N]) -> [&'a str; N] {
    let (mut found, mut missing) = ([None; N], N);
    for line in status.lines() {
        if let Some((name, value)) = line.split_once(':')
            && let Some(place) = names.iter().position(|wanted| *wanted == name)
            && found[place].is_none()
        {
            found[place] = Some(value.trim());
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
    }
    found.map(Option::unwrap_or_default)
}

/// The same text, with replacements for what is none. Nearly all is, which is quicker to see as a whole.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The kernel writes a name's line breaks and backslashes escaped.
fn unescape(name: &str) -> String {
    let mut parts = name.split("\\\\").map(|part| part.replace("\\n", "\n"));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |whole, part| whole + "\\" + &part)
}

fn read_arguments(path: &Path, room: &mut Vec<u8>) -> io::Result<CommandLine> {
    let bytes = match read_into(room, path, ARGUMENTS + 1) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(CommandLine::Hidden),
        Err(error) => return Err(error),
    };
    let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else {
        return Ok(CommandLine::Whole(Vec::new()));
    };
    let arguments = bytes[..=last].split(|byte| *byte == 0);
    let arguments = arguments.map(|argument| text(argument).into_owned()).collect();
    Ok(if bytes.len() > ARGUMENTS {
        CommandLine::Beginning(arguments)
    } else {
        CommandLine::Whole(arguments)
    })
}

/// Its name, and whether we may not look.
fn read_program(path: &Path) -> io::Result<(Option<String>, bool)> {
    match fs::read_link(path) {
        Ok(path) => Ok((program_name(&path), false)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok((None, true)),
        // A thread of the kernel and a zombie have none.
        Err(error) if has_ended(&error) => Ok((None, false)),
        Err(error) => Err(error),
    }
}

fn program_name(path: &Path) -> Option<String> {
    let name = String::from_utf8_lossy(path.file_name()?.as_bytes()).into_owned();
    // What the kernel appends once the file was replaced, as an update does.
    Some(name.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(name))
}

fn namespace(process: &Path) -> Option<u64> {
    let link: PathBuf = fs::read_link(process.join("ns/pid")).ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// Why this procfs may conceal whole processes from us, if it may.
fn hidden(proc: &Path) -> Option<String> {
    let status = fs::read_to_string(proc.join("self/status")).ok()?;
    // Before the mounts: those of many containers take as long to read as all processes.
    if may_trace(&status) {
        return None;
    }
    let mounts = fs::read_to_string(proc.join("self/mountinfo")).ok()?;
    conceals(&mounts, &status, &proc.to_string_lossy())
}

/// Whether a process's status says that it has `CAP_SYS_PTRACE`: no mount option conceals anything from it.
fn may_trace(status: &str) -> bool {
    const CAP_SYS_PTRACE: u64 = 1 << 19;
    let [capabilities] = fields(status, ["CapEff"]);
    u64::from_str_radix(capabilities, 16).is_ok_and(|capabilities| capabilities & CAP_SYS_PTRACE != 0)
}

/// The mount option `hidepid`, unless we may look nevertheless: as one with `CAP_SYS_PTRACE`, or of the group that the
/// mount exempts.
pub(super) fn conceals(mounts: &str, status: &str, proc: &str) -> Option<String> {
    // The last mount on a directory is the one that shows.
    let mount = mounts.lines().rev().find(|line| line.split(' ').nth(4) == Some(proc))?;
    let (_, options) = mount.rsplit_once(' ')?;
    let option =
        |name: &str| options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
    let hidepid = option("hidepid").filter(|value| !matches!(*value, "0" | "off"))?;
    let [groups, group] = fields(status, ["Groups", "Gid"]);
    let exempt = option("gid").unwrap_or("0");
    let in_group = hidepid != "4"
        && hidepid != "ptraceable"
        && (groups.split_ascii_whitespace().any(|group| group == exempt)
            || group.split_ascii_whitespace().nth(1) == Some(exempt));
    (!may_trace(status) && !in_group)
        .then(|| format!("{proc} is mounted with hidepid={hidepid}, which conceals the processes of others"))
}

/// The processes of the pid namespace of `first`.
pub(super) fn inside(host: &ProcessTable, first: u32) -> Result<ProcessTable, CheckError> {
    let Some(leader) = host.processes.iter().find(|process| process.pid == first) else {
        let what = format!("the container ended: its first process {first} is gone");
        return Err(CheckError::target(what));
    };
    let users = Some(IdMap::users(first)?);
    let keep: Box<dyn Fn(&Process) -> bool> = match leader.namespace {
        Some(0) => return Err(vantage::no_entry(first, io::ErrorKind::PermissionDenied.into())),
        Some(_) => Box::new(|process| process.namespace == leader.namespace),
        // It shares our pid namespace; then its control group tells its processes from the others.
        None => {
            let group = control_group(first).map_err(|error| vantage::no_entry(first, error))?;
            if group == control_group(host.about.own_pid).unwrap_or_default() {
                let what = "the container shares the host's pid namespace and control group";
                return Err(CheckError::unobservable(what)
                    .hint("its processes cannot be told from the host's; leave out `at`"));
            }
            Box::new(move |process| control_group(process.pid).is_ok_and(|other| other == group))
        }
    };
    let processes = host.processes.iter().filter(|process| keep(process)).cloned().collect();
    let unknown = host.processes.iter().filter(|process| process.namespace == Some(0)).count();
    let incomplete = match (&host.incomplete, unknown) {
        (Some(why), _) => Some(why.clone()),
        (None, 0) => None,
        (None, count) => Some(format!("of {count} processes we may not see which container they are in")),
    };
    Ok(ProcessTable { processes, incomplete, about: About { users, own_pid: host.about.own_pid } })
}

fn control_group(pid: u32) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup"))
}
