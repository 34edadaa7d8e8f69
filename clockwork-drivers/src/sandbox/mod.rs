//! Foreign programs, kept in a sandbox: [`start`] starts one, and says what of its [`Sandbox`] this machine enforces.
//!
//! For a program that runs once ([`crate::command`]) and for one that goes on talking over its standard streams alike.
//! Whatever it starts ends with it, daemons too, and at the latest when its [`Running`] is dropped.
//!
//! What every program may do, without being granted anything:
//!
//! - read what belongs to the system (`/usr`, `/bin`, `/lib`, `/etc` without what not everybody may read, the lists of
//!   package managers), the programs and libraries of the directories in PATH, its own installation, and the directory in
//!   which it runs, unless that is a home or belongs to many, as `/tmp`;
//! - write to a `/tmp` of its own, which nobody else sees and which is gone with it;
//! - see its own processes, and no others.
//!
//! It runs as the same user as Clockwork, root also, but without any capability and without a way to any.

mod child;
mod control;
mod diagnosis;
mod environment;
mod files;
mod filter;
mod fork;
mod grants;
mod lent;
mod mould;
mod network;
mod refusal;
mod report;
mod spec;
mod start;
mod step;
mod tree;
mod view;
mod workshop;

pub use control::Exceeded;
pub use diagnosis::Denied;
pub use spec::{Limits, NetworkAccess, Sandbox};
pub use start::{Enforcement, Launch, Remains, Running, start};
