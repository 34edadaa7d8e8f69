//! What happens between `fork` and `exec`, in two processes:
//!
//! - the one that Clockwork started is the first process in a new pid namespace: it enters the other namespaces, with a copy of
//!   a view of the file system that was made before, waits for all that is there, ends what the program has left, tells
//!   how the program ended, and ends;
//! - its child gives up what it may do, and becomes the program.
//!
//! Where Clockwork may not make namespaces itself, the one that it started enters those of a user namespace, has a child
//! that is the first process there and makes the view, and only waits. Where there are no namespaces to enter, it adopts
//! whatever the program leaves behind, and ends it.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::BorrowedFd,
    sync::Arc,
    time::Duration,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::{
        resource::{Resource, setrlimit},
        signal::{Signal, kill},
        stat::Mode,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, chdir, execve, getpid, mkdir, setsid},
};
use rustix::{
    stdio::{dup2_stdin, dup2_stdout, stdout},
    thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets},
};
use seccompiler::BpfProgram;

use super::{
    files::{self, May, Rules},
    fork::{close_from, close_on_exec_from, default_signals, die_with, exit, fork, until_exec},
    lent::Lend,
    mould::Mould,
    report::{Report, Stage, Told},
    view::{Failed, View},
};

/// How long what a program left behind may go on once it has ended itself, in milliseconds.
const GRACE_MS: u64 = 250;
/// How often it is looked whether it does.
const STEP_MS: u64 = 2;

/// All that the forked process needs, prepared before.
#[derive(Debug)]
pub(super) struct Plan {
    /// Who has forked.
    pub(super) parent: Pid,
    /// Whether it may be that no user namespace is needed.
    pub(super) root: bool,
    pub(super) ids: (u32, u32),
    pub(super) view: Arc<View>,
    /// What it is a copy of. Then the process that was forked is the first of a pid namespace.
    pub(super) mould: Option<Arc<Mould>>,
    /// Of the program, with and without a view of its own.
    pub(super) rules: (Rules, Rules),
    pub(super) tcp: bool,
    /// What is reached of this machine, from a network of its own.
    pub(super) lend: Option<Lend>,
    /// With a view and sockets of this machine's programs, with a view, and without.
    pub(super) filters: [Vec<BpfProgram>; 3],
    pub(super) limits: Vec<(Resource, u64, u64)>,
    /// How many processes; set where it counts those of this program alone.
    pub(super) processes: u64,
    /// Whether a control group counts them.
    pub(super) counted: bool,
    pub(super) doors: Vec<File>,
    pub(super) cwd: CString,
    pub(super) required: bool,
    /// Where its temporary files go if it has no view of its own.
    pub(super) scratch: CString,
    pub(super) program: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
}

/// Returns only in a process in which something went wrong.
/// It tells through `pipe` what it does.
pub(super) fn enter(plan: &Plan, pipe: BorrowedFd<'_>) -> io::Result<()> {
    let mut report = Report::new(pipe);
    report.at(Stage::Session, setsid)?;
    let namespaces = match &plan.mould {
        // Who forked it is outside, and has no number here. If they are gone, nobody hears that it is ready.
        Some(_) => {
            report.at(Stage::Session, || die_with(None))?;
            true
        }
        None => {
            report.at(Stage::Session, || die_with(Some(plan.parent)))?;
            namespaces(plan, &mut report)?
        }
    };
    if namespaces && plan.mould.is_none() {
        match report.at(Stage::Fork, fork)? {
            ForkResult::Parent { child } => wait_aside(child),
            ForkResult::Child => {}
        }
        report.at(Stage::Session, || die_with(None))?;
    }
    if namespaces {
        prepare(plan, &mut report)?;
    } else {
        report.at(Stage::Session, || nix::sys::prctl::set_child_subreaper(true))?;
    }
    // Its memory is a copy of Clockwork's.
    report.at(Stage::Session, || nix::sys::prctl::set_dumpable(false))?;
    let mut failed = Ok(());
    let program = until_exec(&mut || failed = become_program(plan, &mut report));
    failed?;
    let program = report.at(Stage::Fork, || program)?;
    keep(pipe);
    if namespaces { first(program) } else { adopt(program) }
}

/// Returns only if that fails.
fn become_program(plan: &Plan, report: &mut Report<'_>) -> io::Result<()> {
    close_on_exec_from(3);
    confine(plan, report)?;
    let scratch = CString::new([b"TMPDIR=", plan.scratch.as_bytes()].concat())?;
    let elsewhere = |variable: &CString| !report.record.view && variable.as_c_str() == c"TMPDIR=/tmp";
    let environment = plan.environment.iter();
    let environment: Vec<_> =
        environment.map(|variable| if elsewhere(variable) { scratch.as_c_str() } else { variable }).collect();
    // Not by what searches for it, which has a shell run what the kernel cannot.
    let Err(errno) = execve(&plan.program, &plan.arguments, &environment);
    Err(errno.into())
}

/// Enters namespaces of its own, as far as this machine allows.
fn namespaces(plan: &Plan, report: &mut Report<'_>) -> io::Result<bool> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    if plan.lend.is_some() {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    if plan.root && unshare(flags).is_ok() {
        report.record.namespaces = true;
        return Ok(true);
    }
    if unshare(flags | CloneFlags::CLONE_NEWUSER).is_err() {
        return Ok(false);
    }
    let (uid, gid) = plan.ids;
    report.at(Stage::Users, || {
        let write =
            |file: &str, text: String| File::options().write(true).open(file)?.write_all(text.as_bytes());
        let _ = write("/proc/self/setgroups", String::from("deny")); // kernels from before 3.19 know no such file
        write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        write("/proc/self/gid_map", format!("{gid} {gid} 1"))
    })?;
    (report.record.namespaces, report.record.users) = (true, true);
    Ok(true)
}

/// In the first process of the namespaces: what is seen there.
fn prepare(plan: &Plan, report: &mut Report<'_>) -> io::Result<()> {
    let entered = match &plan.mould {
        Some(mould) => {
            let network = if plan.lend.is_some() { CloneFlags::CLONE_NEWNET } else { CloneFlags::empty() };
            report.record.namespaces = true;
            plan.view.enter_copy(&mould.0, CloneFlags::CLONE_NEWIPC | network)
        }
        None => plan.view.enter(),
    };
    if let Some(lend) = &plan.lend {
        report.at(Stage::Network, || lend.offer())?;
    }
    match entered {
        Ok(proc) => (report.record.view, report.record.proc) = (true, proc),
        Err(Failed::Early(_)) => {}
        Err(Failed::Late(step, errno)) => {
            report.record.step = step;
            return Err(report.failed(Stage::View, errno.into()));
        }
    }
    Ok(())
}

/// In the process that becomes the program: gives up what it may do.
fn confine(plan: &Plan, report: &mut Report<'_>) -> io::Result<()> {
    report.at(Stage::Session, || {
        setsid()?;
        die_with(None)
    })?;
    let view = report.record.view;
    if view {
        report.at(Stage::Directory, || chdir(plan.cwd.as_c_str()))?;
    }
    for door in &plan.doors {
        let mut door = door;
        report.at(Stage::Groups, || door.write_all(b"0"))?;
    }
    for (resource, soft, hard) in &plan.limits {
        let (_, most) = nix::sys::resource::getrlimit(*resource)?;
        report.at(Stage::Limits, || setrlimit(*resource, (*soft).min(most), (*hard).min(most)))?;
    }
    // The kernel counts the processes of a user in a user namespace by themselves, and does not limit root's.
    if !plan.counted && report.record.users && plan.ids.0 != 0 {
        let most = plan.processes + 2; // those that wait for it
        report.at(Stage::Limits, || setrlimit(Resource::RLIMIT_NPROC, most, most))?;
    }
    report.record.processes = plan.counted || (report.record.users && plan.ids.0 != 0);
    report.at(Stage::Rights, give_up_rights)?;
    let enforced = if view {
        files::restrict(&plan.rules.0, plan.tcp)
    } else {
        report.at(Stage::Directory, || mkdir(plan.scratch.as_c_str(), Mode::from_bits_truncate(0o700)))?;
        let mut rules = plan.rules.1.clone();
        rules.push((plan.scratch.clone(), May::Write));
        files::restrict(&rules, plan.tcp)
    };
    (report.record.landlock, report.record.scope) = (enforced.files, enforced.scope);
    let filters = &plan.filters[match (view, enforced.scope || plan.lend.is_some()) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    }];
    report.record.filtered = true;
    if plan.required && !report.record.is_whole(plan.lend.is_some()) {
        return Err(report.failed(Stage::Required, Errno::EPERM.into()));
    }
    // It is the last thing, because it forbids what has been done here. To tell of it is allowed.
    for filter in filters {
        if seccompiler::apply_filter(filter).is_err() {
            report.record.filtered = false;
        }
    }
    if plan.required && !report.record.filtered {
        return Err(report.failed(Stage::Required, Errno::EPERM.into()));
    }
    report.ready()
}

/// No capabilities, and no way to any, whatever is run.
fn give_up_rights() -> nix::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    // These take a capability; without it, there is nothing to give up.
    let _ = rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED,
    );
    for capability in CapabilitySet::all().iter() {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, none).map_err(|error| Errno::from_raw(error.raw_os_error()))
}

/// Waits for the first process of the namespaces, which tells the rest.
fn wait_aside(first: Pid) -> ! {
    let _ = nix::sys::prctl::set_dumpable(false); // its memory is a copy of Clockwork's
    close_from(0);
    default_signals();
    let _ = waitpid(first, None);
    exit(0)
}

/// The first process of the namespaces: ends what the program has left.
fn first(program: Pid) -> ! {
    let (status, left) = wait_for(program);
    if left {
        // All but this one.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        while waitpid(None, None) != Err(Errno::ECHILD) {}
    }
    tell(status, left)
}

/// Without a pid namespace: whatever the program leaves behind becomes a child of this process.
fn adopt(program: Pid) -> ! {
    let (status, left) = wait_for(program);
    for _ in 0..1000 {
        let own = format!("/proc/self/task/{}/children", getpid());
        let children = std::fs::read_to_string(own).unwrap_or_default();
        for child in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        match waitpid(None, None) {
            Err(Errno::ECHILD) => break,
            _ => continue, // what it had started itself is ours now
        }
    }
    tell(status, left)
}

/// How the program ended, and whether something of it was still there a while later.
fn wait_for(program: Pid) -> (i32, bool) {
    let status = loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == program => break code << 8,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => break signal as i32,
            Err(Errno::ECHILD) => break 0xff00,
            _ => {}
        }
    };
    for _ in 0..GRACE_MS / STEP_MS {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return (status, false),
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {}
            }
        }
        std::thread::sleep(Duration::from_millis(STEP_MS));
    }
    (status, true)
}

/// Closes all but this one, which becomes the standard streams, so that nobody waits for what this process holds.
fn keep(report: BorrowedFd<'_>) {
    if dup2_stdin(report).and_then(|()| dup2_stdout(report)).is_err() {
        exit(1);
    }
    close_from(2);
    default_signals();
}

fn tell(status: i32, left: bool) -> ! {
    let _ = nix::unistd::write(stdout(), &Told::Ended { status, left }.encode());
    exit(0)
}
