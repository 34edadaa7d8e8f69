//! What a program could not do because of its sandbox, and which grant lets it: so that nobody wonders why a program
//! fails here that works in a terminal, and nothing is concluded from what it could not see.

use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use clockwork_core::text::quote;

use super::{
    grants::{Seen, is_shared},
    launch::Denied,
    spec::{Grants, NetworkAccess},
};

/// Programs that tell of the whole machine. In a sandbox they tell of the sandbox.
const TELL_OF_PROCESSES: &[&str] =
    &["fuser", "lsof", "pgrep", "pidof", "pkill", "ps", "pstree", "top", "w", "who"];
const TELL_OF_SOCKETS: &[&str] = &["ip", "netstat", "ss"];
const TELL_OF_SERVICES: &[&str] = &["journalctl", "loginctl", "service", "systemctl"];
const TELL_OF_MOUNTS: &[&str] = &["df", "findmnt", "lsblk", "mount", "mountpoint"];
/// Programs that are about what they reach over a network, and some say nothing when they do not. Not among them are words that
/// scripts have for something else (`host`, and the `http` of an address).
const REACH_OUT: &[&str] = &[
    "curl",
    "dig",
    "mariadb",
    "mysql",
    "mysqladmin",
    "nc",
    "ncat",
    "nslookup",
    "pg_isready",
    "ping",
    "psql",
    "redis-cli",
    "rsync",
    "scp",
    "ssh",
    "telnet",
    "traceroute",
    "wget",
];
/// Programs to which paths among their arguments are mere text, or part of a program.
const INTERPRETERS: &[&str] = &[
    "ash", "awk", "bash", "busybox", "dash", "echo", "env", "ksh", "node", "perl", "printf", "python",
    "python3", "ruby", "sh", "zsh",
];

const GRANTS_A_NETWORK: &str =
    "`sandbox: { network: loopback }` grants what listens on this machine, `all` the rest";

/// What this command is about and cannot see, whatever it says: nothing follows from its end.
pub(super) fn blind(command: &[String], seen: &Seen) -> Option<Denied> {
    let name = Path::new(command.first()?).file_name()?.to_str()?;
    let off = |what: &str| {
        Some(Denied {
            what: format!("{} sees only {what} in its sandbox", quote(name)),
            hint: String::from("`sandbox: off` lets it see the machine"),
        })
    };
    match name {
        _ if TELL_OF_PROCESSES.contains(&name) => return off("its own processes"),
        _ if TELL_OF_SOCKETS.contains(&name) => return off("its own network"),
        _ if TELL_OF_SERVICES.contains(&name) => return off("that there are no services"),
        _ if TELL_OF_MOUNTS.contains(&name) => return off("its own file systems"),
        _ if INTERPRETERS.contains(&name) => return None,
        _ => {}
    }
    let paths = command.iter().skip(1).flat_map(|word| paths(word));
    paths.filter_map(|path| unseen(&path, seen)).next()
}

/// A program, or one in a script that stands among the arguments, that needs a network and is granted none.
pub(super) fn cut_off(command: &[String], grants: &Grants) -> Option<Denied> {
    let name = Path::new(command.first()?).file_name()?.to_str()?;
    if grants.network != NetworkAccess::None {
        return None;
    }
    let in_script = || {
        let scripts = command.iter().skip(1).filter(|_| INTERPRETERS.contains(&name));
        let mut words =
            scripts.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_'));
        words.find(|word| REACH_OUT.contains(word))
    };
    let name = if REACH_OUT.contains(&name) { name } else { in_script()? };
    Some(Denied {
        what: format!("{} reaches no network from its sandbox", quote(name)),
        hint: String::from(GRANTS_A_NETWORK),
    })
}

/// What of this path is there, and not in the sandbox.
pub(super) fn unseen(path: &Path, seen: &Seen) -> Option<Denied> {
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    // Where the sandbox shows that something is not there, or it would be among what belongs to all, nothing is kept from it.
    if own(there) || seen.shows(there) || (there != path && is_shared(there)) {
        return None;
    }
    // To make something there takes more.
    let is_socket = there.metadata().is_ok_and(|seen| seen.file_type().is_socket());
    let grant = if there == path && !is_socket { "read" } else { "write" };
    Some(Denied {
        what: format!("the sandbox does not show it {}", quote(&there.to_string_lossy())),
        hint: format!("`sandbox: {{ {grant}: [{}] }}` grants it", quote(&there.to_string_lossy())),
    })
}

/// What of the network is not reached from the sandbox. An empty host is any.
#[cfg(feature = "python")]
pub(super) fn unreached(host: &str, grants: &Grants) -> Option<Denied> {
    let here = host.is_empty()
        || host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback() || address.is_unspecified());
    let (what, hint) = match grants.network {
        NetworkAccess::None => (String::from("the sandbox lets it reach no network"), GRANTS_A_NETWORK),
        NetworkAccess::Loopback if !here => (
            format!("the sandbox lets it reach only this machine, and not {}", quote(host)),
            "`sandbox: { network: all }` grants the rest",
        ),
        _ => return None,
    };
    Some(Denied { what, hint: String::from(hint) })
}

/// What every sandbox has of its own.
fn own(path: &Path) -> bool {
    [
        "/proc",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/fd",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
    ]
    .iter()
    .any(|own| path.starts_with(own))
        || ["/", "/tmp", "/dev", "/var/tmp", "/dev/shm"].iter().any(|own| path == Path::new(own))
}

/// The absolute paths in a text.
fn paths(text: &str) -> Vec<PathBuf> {
    let ends = |c: char| c.is_whitespace() || "\"'`‘’“”:,;()[]{}<>=|&".contains(c);
    let words = text.split(ends).map(|word| word.trim_end_matches(['.', '!', '?']));
    words
        .filter(|word| word.starts_with('/') && word.len() > 1 && word.len() < 4096)
        .map(|word| Path::new(word).components().collect())
        .take(64)
        .collect()
}

/// What is said where there is no network.
const NO_NETWORK: &[&str] = &[
    "network is unreachable",
    "resolve host",
    "resolve address",
    "temporary failure in name resolution",
    "name or service not known",
    "name resolution",
    "nodename nor servname",
    "getaddrinfo",
    "connect to",
    "couldn't connect",
    "connect eperm",
    "can't connect",
    "cannot connect",
    "connection failed",
    "failed to connect",
    "unable to connect",
    "create socket",
    "open socket",
    "socket:",
    "socket error",
    "bad address",
    "no address associated",
    "urlopen error",
    "newconnectionerror",
    "netlink",
];

/// Which grant a program that failed seems to lack, by what it said.
pub(super) fn suspicion(said: &str, grants: &Grants, seen: &Seen) -> Option<String> {
    let small = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| small.contains(word));
    let told = paths(said);
    if let Some(denied) = told.iter().find_map(|path| unseen(path, seen)) {
        return Some(format!("{}: {}", denied.what, denied.hint));
    }
    if grants.network == NetworkAccess::None && says(NO_NETWORK) {
        return Some(String::from(
            "the sandbox allows it no network: `sandbox: { network: loopback }` grants what listens on this machine, `all` \
             the rest",
        ));
    }
    if says(&["read-only file system"])
        || (says(&["permission denied"]) && told.iter().any(|path| seen.shows(path)))
    {
        let path = told.iter().find(|path| seen.access_of(path) == Some(false));
        return Some(match path {
            Some(path) => format!(
                "in the sandbox it may only read {}: `sandbox: {{ write: […] }}` grants more",
                quote(&path.to_string_lossy())
            ),
            None => String::from(
                "in the sandbox it may only read what it sees: `sandbox: { write: […] }` grants more",
            ),
        });
    }
    let limits: [(&[&str], String); 5] = [
        (
            &["cannot allocate memory", "memoryerror", "out of memory", "not enough memory", "enomem"],
            format!("sandbox.memory is {}", grants.memory),
        ),
        (
            &[
                "cannot fork",
                "fork: retry",
                "can't fork",
                "resource temporarily unavailable",
                "eagain",
                "can't start new thread",
            ],
            format!("sandbox.processes is {}", grants.processes),
        ),
        (&["too many open files", "emfile"], format!("sandbox.open_files is {}", grants.open_files)),
        (&["file too large", "efbig"], format!("sandbox.file_size is {}", grants.file_size)),
        (
            &["no space left on device", "enospc"],
            format!("sandbox.file_size, the room in its `/tmp`, is {}", grants.file_size),
        ),
    ];
    if let Some((_, limit)) = limits.into_iter().find(|(words, _)| says(words)) {
        return Some(limit);
    }
    if grants.network == NetworkAccess::Loopback
        && says(NO_NETWORK)
        && !says(&["localhost", "127.0.0.1", "::1"])
    {
        return Some(String::from(
            "the sandbox allows it only what listens on this machine: `sandbox: { network: all }` grants the rest",
        ));
    }
    if says(&["operation not permitted", "permission denied", "permissionerror", "eperm", "must be root"]) {
        return Some(String::from(
            "in the sandbox it has no rights but to use what is granted, also as root: `sandbox: off` lets it do all that \
             Clockwork may",
        ));
    }
    None
}
