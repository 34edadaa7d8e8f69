//! Users and groups as the system resolves them.

use clockwork_core::{CheckError, Probe};
use nix::{
    errno::Errno,
    unistd::{Gid, Group, Uid, User},
};

use super::{Account, AccountProbe};

/// The user or the group that is asked for, on this machine.
pub(in crate::file) fn account(asked: &AccountProbe) -> Result<Option<Account>, CheckError> {
    let user = |found: Option<User>| found.map(|user| Account { name: user.name, id: user.uid.as_raw() });
    let group =
        |found: Option<Group>| found.map(|group| Account { name: group.name, id: group.gid.as_raw() });
    let answer = match asked {
        AccountProbe::UserNamed(name) => User::from_name(name).map(user),
        AccountProbe::User(id) => User::from_uid(Uid::from_raw(*id)).map(user),
        AccountProbe::GroupNamed(name) => Group::from_name(name).map(group),
        AccountProbe::Group(id) => Group::from_gid(Gid::from_raw(*id)).map(group),
    };
    match answer {
        Ok(found) => Ok(found),
        // getpwnam_r(3): each of these may mean that there is none.
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        Err(errno) => Err(CheckError::unobservable(format!("failed {}", asked.describe()))
            .with_source(std::io::Error::from(errno))
            .retryable()),
    }
}
