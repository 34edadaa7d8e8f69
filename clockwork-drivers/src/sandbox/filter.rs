//! Which system calls a program may make: all but those that administer the machine, that reach into other processes,
//! that widen what the kernel offers to attack, and that make sockets which were not granted.

use std::collections::{BTreeMap, BTreeSet};

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::spec::NetworkAccess;

/// What the filter depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) network: NetworkAccess,
    /// Whether the sockets of other programs of this machine are hidden by other means, so that such sockets may be made.
    pub(super) unix: bool,
    /// Whether only what was granted is there at all: then it may change modes, owners and times of that.
    pub(super) view: bool,
    /// Whether a control group counts all memory. The limit of a process counts what it shares with nobody, alone.
    pub(super) counted: bool,
}

/// Calls that no check needs, and that a sandbox is left by.
const NEVER: &[libc::c_long] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // namespaces and mounts
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // files by number instead of by name
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // the machine
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    // keys of the user's
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // large and seldom used parts of the kernel
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_memfd_secret,
    libc::SYS_vmsplice,
];

#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[libc::c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[libc::c_long] = &[];

/// Without a view of its own: changes of modes, owners, times and attributes, which Landlock does not know; and memory
/// and queues that all processes of one user share.
const ATTRIBUTES: &[libc::c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];
#[cfg(target_arch = "x86_64")]
const ATTRIBUTES_HERE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const ATTRIBUTES_HERE: &[libc::c_long] = &[];

const SYS_FCHMODAT2: libc::c_long = 452;
/// The newer form of `open_tree`.
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

/// Calls whose arguments lie where no filter sees them. Who is told that there are none uses the older ones.
const OLDER: [libc::c_long; 2] = [libc::SYS_clone3, libc::SYS_openat2];

/// All bits that make a new namespace.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The programs for the kernel, to be installed one after the other.
pub(super) fn compile(wanted: Wanted) -> Result<Vec<BpfProgram>, String> {
    // Refused whatever their arguments are.
    let mut always: BTreeSet<libc::c_long> = NEVER.iter().chain(NEVER_HERE).copied().collect();
    always.insert(SYS_OPEN_TREE_ATTR);
    if !wanted.view {
        always.extend(ATTRIBUTES.iter().chain(ATTRIBUTES_HERE));
    }
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let told = |error: seccompiler::BackendError| error.to_string();
    if !wanted.counted {
        always.extend([libc::SYS_memfd_create, libc::SYS_shmget]);
        let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let uncounted = [shared, libc::MAP_GROWSDOWN].map(|flags| rule([masked(3, flags, flags)]));
        refused.insert(libc::SYS_mmap, uncounted.into_iter().collect::<Result<_, _>>().map_err(told)?);
    }
    // New namespaces.
    let bits = NAMESPACES.iter().map(|bit| rule([masked(0, *bit, *bit)]));
    refused.insert(libc::SYS_clone, bits.collect::<Result<_, _>>().map_err(told)?);
    // What is typed into a terminal as if by its user.
    let typed = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| rule([masked(1, !0, request as libc::c_int)]));
    refused.insert(libc::SYS_ioctl, typed.into_iter().collect::<Result<_, _>>().map_err(told)?);
    // Programs that run as their owner: files that outlive the sandbox.
    for (call, mode) in MODES {
        refused.entry(*call).or_insert(set_ids(*mode, None).map_err(told)?);
    }
    for (call, flags, mode) in OPENS {
        refused.insert(*call, set_ids(*mode, Some(*flags)).map_err(told)?);
    }
    match sockets(wanted).map_err(told)? {
        some if some.is_empty() => _ = always.insert(libc::SYS_socket),
        some => _ = refused.insert(libc::SYS_socket, some),
    }
    refused.retain(|call, _| !always.contains(call));
    Ok(vec![program(refused, libc::EPERM as u32).map_err(told)?, by_number(&always)])
}

/// Where these take a mode.
#[cfg(target_arch = "x86_64")]
const MODES: &[(libc::c_long, u8)] = &[
    (libc::SYS_creat, 1),
    (libc::SYS_mkdir, 1),
    (libc::SYS_mkdirat, 2),
    (libc::SYS_mknod, 1),
    (libc::SYS_mknodat, 2),
    (libc::SYS_chmod, 1),
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (SYS_FCHMODAT2, 2),
];
#[cfg(not(target_arch = "x86_64"))]
const MODES: &[(libc::c_long, u8)] = &[
    (libc::SYS_mkdirat, 2),
    (libc::SYS_mknodat, 2),
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (SYS_FCHMODAT2, 2),
];
/// Where these take flags, and a mode if the flags say so.
#[cfg(target_arch = "x86_64")]
const OPENS: &[(libc::c_long, u8, u8)] = &[(libc::SYS_open, 1, 2), (libc::SYS_openat, 2, 3)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS: &[(libc::c_long, u8, u8)] = &[(libc::SYS_openat, 2, 3)];

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn set_ids(mode: u8, flags: Option<u8>) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let bits = [libc::S_ISUID, libc::S_ISGID].map(|bit| bit as libc::c_int);
    let rules = bits.into_iter().map(|bit| match flags {
        None => rule([masked(mode, bit, bit)]),
        Some(flags) => rule([masked(flags, libc::O_CREAT, libc::O_CREAT), masked(mode, bit, bit)]),
    });
    rules.collect()
}

/// Sockets of all families but those that are granted.
fn sockets(wanted: Wanted) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let inet: &[libc::c_int] = match wanted.network {
        NetworkAccess::None => &[],
        _ => &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK],
    };
    let unix: &[libc::c_int] = if wanted.unix { &[libc::AF_UNIX] } else { &[] };
    let but: Vec<Condition> = inet.iter().chain(unix).map(|family| differs(0, *family)).collect();
    match but.is_empty() {
        true => Ok(Vec::new()), // always
        false => Ok(vec![SeccompRule::new(but.into_iter().collect::<Result<_, _>>()?)?]),
    }
}

fn rule<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

fn masked(argument: u8, mask: libc::c_int, value: libc::c_int) -> Condition {
    let compare = SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, u64::from(value.cast_unsigned()))
}

fn differs(argument: u8, value: libc::c_int) -> Condition {
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Ne,
        u64::from(value.cast_unsigned()),
    )
}

/// Calls of another architecture (of 32 bits, say, whose numbers mean others) end the program.
fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: u32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch)?.try_into()
}

/// Those that are refused whatever their arguments are. They are searched for by halves: the kernel tries each of its calls
/// when it takes a filter, and one comparison after the other would cost more than all else that a sandbox is made of.
///
/// Said not to exist are [`OLDER`], and the calls of a second set with the same architecture (x32), which the rules
/// would not know by their numbers. Calls of other architectures have been seen to already.
fn by_number(refused: &BTreeSet<libc::c_long>) -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let refused: Vec<u32> = refused.iter().map(|call| *call as u32).collect();
    let search = halves(&refused);
    let mut program = vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        jump(libc::BPF_JEQ, OLDER[0] as u32, 3, 0),
        jump(libc::BPF_JEQ, OLDER[1] as u32, 2, 0),
        jump(libc::BPF_JGE, X32, 1, 0),
        instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    program.extend(search);
    program
}

/// Answers for what was loaded: refused if it is one of these, which are sorted.
fn halves(calls: &[u32]) -> BpfProgram {
    const FEW: usize = 4;
    if calls.len() > FEW
        && let (below, above @ [first, ..]) = calls.split_at(calls.len() / 2)
    {
        let (below, above) = (halves(below), halves(above));
        let over = instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, below.len() as u32);
        return [vec![jump(libc::BPF_JGE, *first, 0, 1), over], below, above].concat();
    }
    let mut program = Vec::with_capacity(calls.len() + 2);
    for (place, call) in calls.iter().enumerate() {
        program.push(jump(libc::BPF_JEQ, *call, (calls.len() - place) as u8, 0));
    }
    program.extend([answer(libc::SECCOMP_RET_ALLOW), answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32)]);
    program
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

/// Skips so many instructions, if that is so, and so many if not.
fn jump(comparison: u32, to: u32, jt: u8, jf: u8) -> sock_filter {
    instruction(libc::BPF_JMP | comparison | libc::BPF_K, jt, jf, to)
}

fn answer(answer: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer, for the few instructions that there are.
    fn run(program: &BpfProgram, call: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let one = &program[at];
            at += 1;
            let skip = |taken: bool| usize::from(if taken { one.jt } else { one.jf });
            match u32::from(one.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => loaded = call,
                code if code == libc::BPF_JMP | libc::BPF_JA => at += one.k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ => at += skip(loaded == one.k),
                code if code == libc::BPF_JMP | libc::BPF_JGE => at += skip(loaded >= one.k),
                code if code == libc::BPF_RET => return one.k,
                code => panic!("{code}"),
            }
        }
    }

    #[test]
    fn exactly_what_is_listed_is_refused() {
        let (refuse, unknown) = (libc::SECCOMP_RET_ERRNO | 1, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
        for count in [0, 1, 2, 4, 5, 7, 9, 20, 83] {
            let calls: BTreeSet<libc::c_long> = (0..count).map(|number| number * 5 + number % 3).collect();
            let program = by_number(&calls);
            for call in 0..600 {
                let expected = match calls.contains(&libc::c_long::from(call)) {
                    _ if OLDER.contains(&libc::c_long::from(call)) => unknown,
                    true => refuse,
                    false => libc::SECCOMP_RET_ALLOW,
                };
                assert_eq!(run(&program, call), expected, "{call} of {count}");
            }
            for x32 in [0x4000_0000, 0x4000_0001, u32::MAX] {
                assert_eq!(run(&program, x32), unknown);
            }
        }
    }
}
