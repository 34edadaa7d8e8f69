//! Landlock: which files a program may use, also where it has no view of its own; and that it signals, traces and
//! connects to nothing outside. It is built on what the kernel offers, of whatever age.

use std::{
    ffi::CString,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use clockwork_core::CheckError;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};

use super::grants::Seen;

/// The newest version that we know; what an older kernel does not know is left out.
const NEWEST: ABI = ABI::V9;

/// What may be done with what is beneath a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Read it, and run it.
    Read,
    /// All of it.
    Write,
    /// Read from it and write to it, but nothing else: for devices.
    Use,
}

/// Paths, and what may be done with what is beneath.
pub(super) type Rules = Vec<(CString, May)>;

/// What the kernel could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Enforced {
    /// Files are restricted.
    pub(super) files: bool,
    /// Signals and abstract sockets are.
    pub(super) scope: bool,
}

/// Restricts this process, and all that it starts. `tcp` says whether it may use TCP.
pub(super) fn restrict(rules: &Rules, tcp: bool) -> Enforced {
    let files = restricted(rules, tcp).is_some_and(|status| status != RulesetStatus::NotEnforced);
    Enforced { files, scope: files && kernel_scopes() }
}

fn restricted(rules: &Rules, tcp: bool) -> Option<RulesetStatus> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let mut ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST)).ok()?;
    if !tcp {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST)).ok()?;
    }
    let mut ruleset = ruleset.scope(Scope::from_all(NEWEST)).ok()?.create().ok()?;
    for (path, may) in rules {
        let Ok(file) = open(path.as_c_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) else {
            continue; // what is not there needs no rule
        };
        let access = access(*may, &file);
        ruleset = ruleset.add_rule(PathBeneath::new(file, access)).ok()?;
    }
    Some(ruleset.restrict_self().ok()?.ruleset)
}

/// Whether this kernel restricts signals and abstract sockets (6.12).
fn kernel_scopes() -> bool {
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    hard.scope(Scope::from_all(ABI::V6)).is_ok_and(|ruleset| ruleset.create().is_ok())
}

fn access(may: May, file: &OwnedFd) -> BitFlags<AccessFs> {
    let directory =
        nix::sys::stat::fstat(file).is_ok_and(|stat| stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR);
    let access = match may {
        May::Read => AccessFs::from_read(NEWEST),
        May::Write => AccessFs::from_all(NEWEST),
        May::Use => AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir,
    };
    if directory { access } else { access & AccessFs::from_file(NEWEST) }
}

/// What it may do with what its view shows.
pub(super) fn inside(seen: &Seen) -> Result<Rules, CheckError> {
    let mut rules = vec![
        (CString::from(c"/"), May::Read),
        (CString::from(c"/tmp"), May::Write),
        (CString::from(c"/dev/null"), May::Use),
        (CString::from(c"/dev/full"), May::Use),
        (CString::from(c"/dev/random"), May::Use),
        (CString::from(c"/dev/urandom"), May::Use),
    ];
    granted(seen, true, &mut rules)?;
    Ok(rules)
}

/// The same where it has no view of its own: all that it is granted, one by one.
pub(super) fn outside(seen: &Seen) -> Result<Rules, CheckError> {
    let mut rules = Vec::new();
    for device in [c"/dev/null", c"/dev/full", c"/dev/random", c"/dev/urandom"] {
        rules.push((device.into(), May::Use));
    }
    rules.push((c"/dev/zero".into(), May::Read)); // to write to it is to have memory that no limit counts
    rules.push((CString::from(c"/proc"), May::Read));
    granted(seen, false, &mut rules)?;
    Ok(rules)
}

fn granted(seen: &Seen, only_writable: bool, rules: &mut Rules) -> Result<(), CheckError> {
    let path = |path: &Path| {
        CString::new(path.as_os_str().as_bytes())
            .map_err(|_| CheckError::unobservable("a path holds a NUL character"))
    };
    for (shown, write) in &seen.shown {
        if *write {
            rules.push((path(shown)?, May::Write));
        } else if !only_writable {
            for part in seen.parts(shown) {
                rules.push((path(&part)?, May::Read));
            }
        }
    }
    Ok(())
}
