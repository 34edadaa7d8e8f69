//! The few calls that have no safe form: what runs between `fork` and `exec`. All `unsafe` of the project is here.
//!
//! A sandbox has to be built by the process that then becomes the program: limits and user namespaces belong to a whole
//! process, and only one with a single thread may enter a user namespace. A helper program would do, but the SDK is built
//! into other people's programs, which have no such helper and cannot be run again as one. So the process is forked.
//!
//! What has been forked from a process with threads holds a copy of its memory, with whatever the other threads were
//! about to change. C libraries repair their own allocator there, and nothing that is run there takes any lock of ours.

use std::{io, os::unix::process::CommandExt, process::Command};

use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, clone},
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask},
    unistd::{ForkResult, Pid},
};

/// Has `child` run in the new process, before it becomes the program. It may fork again ([`fork`]), and returns only in
/// the process that is to become the program.
///
/// It has to be content with system calls and allocation: no lock that another thread could have held, no thread, no
/// output.
#[expect(unsafe_code, reason = "there is no other way to act between fork and exec")]
pub(super) fn before_exec(
    command: &mut Command,
    child: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: as the module's documentation says, what `child` does is system calls and allocation, which C libraries
    // allow after fork.
    unsafe { command.pre_exec(child) };
}

/// Forks a process that has one thread, because it was forked itself: for [`before_exec`] alone.
#[expect(unsafe_code, reason = "the first process of a pid namespace has to be forked")]
pub(super) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the calling process has no other thread whose state could be copied half-way.
    unsafe { nix::unistd::fork() }
}

/// Has `child` run in a new process that shares this one's memory, and waits until it has become another program, or ended,
/// as it does when `child` returns. This saves to copy the memory only to throw the copy away: for [`before_exec`] alone.
///
/// # Errors
/// When there is no new process.
#[expect(
    unsafe_code,
    reason = "no crate offers a process that shares memory until it becomes another program"
)]
pub(super) fn until_exec(child: &mut (dyn FnMut() + Send)) -> nix::Result<Pid> {
    const STACK: usize = 512 << 10; // most of it is never touched, so that it costs nothing
    let mut stack = vec![0; STACK];
    let shared = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    let run = Box::new(|| {
        child();
        1
    });
    // SAFETY: the calling process has one thread, which does not go on before the new process has left its memory; so
    // nobody else sees what `child` changes, and the stack outlives its use.
    unsafe { clone(run, &mut stack, shared, Some(libc::SIGCHLD)) }
}

/// Ends this process without any of what a program does at its end, which is the forked program's business.
#[expect(unsafe_code, reason = "a forked process must not run what its program registered for its end")]
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: it has no conditions.
    unsafe { libc::_exit(code) }
}

/// Closes all descriptors from `first` on, whoever they belong to: this process will not use them.
#[expect(unsafe_code, reason = "no crate offers close_range")]
pub(super) fn close_from(first: i32) {
    // SAFETY: the descriptors' owners are in the memory of a process that goes on without them, and ends by `exit`.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if closed != 0 {
        // A kernel from before 5.9. The limit on open files says how many there can be.
        let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
        for descriptor in first..limit.map_or(1024, |(soft, _)| soft.min(65_536) as i32) {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Has all descriptors from `first` on closed when this process becomes another program, also those that Clockwork was
/// itself given by whoever started it.
#[expect(unsafe_code, reason = "no crate offers close_range")]
pub(super) fn close_on_exec_from(first: i32) {
    // SAFETY: it changes nothing for this program.
    let marked =
        unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked != 0 {
        // A kernel from before 5.11.
        for descriptor in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
            let descriptor = descriptor.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(descriptor) = descriptor.filter(|descriptor| *descriptor >= first) {
                // SAFETY: as above.
                unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
            }
        }
    }
}

/// Has the kernel end this process with its parent; `parent` is who that has to be.
pub(super) fn die_with(parent: Option<Pid>) -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    match parent {
        // It was gone before the kernel knew that we care.
        Some(parent) if nix::unistd::getppid() != parent => Err(Errno::ESRCH),
        _ => Ok(()),
    }
}

/// Has every signal do what it does by itself: what the program has arranged for them is not for this process.
#[expect(unsafe_code, reason = "to set what a signal does can break what others rely on")]
pub(super) fn default_signals() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        // SAFETY: nothing of the program, which could rely on its handlers, runs in this process.
        let _ = unsafe { sigaction(signal, &default) }; // two cannot be set
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
