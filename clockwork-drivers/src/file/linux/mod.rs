//! Files as Linux shows them: descriptors that stand for places (`O_PATH`), and paths that stay under a container's root
//! (`openat2`).

mod open;
mod root;
mod stat;
mod usage;

#[cfg(feature = "container")]
pub(super) use open::nameless;
pub(super) use open::open;
pub(super) use root::Root;
pub(super) use stat::stat;
pub(super) use usage::{directory, filesystem};

pub(super) use super::account_unix::account;
