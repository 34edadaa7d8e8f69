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
//!
//! All of this is Linux's. Elsewhere a program runs without a sandbox, which its [`Enforcement`] says, and one that
//! requires it does not run.

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod diagnosis;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod environment;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod fork;
#[cfg(target_os = "linux")]
mod grants;
mod launch;
#[cfg(target_os = "linux")]
mod lent;
#[cfg(target_os = "linux")]
mod mould;
#[cfg(target_os = "linux")]
mod network;
#[cfg_attr(windows, path = "refusal_windows.rs")]
mod refusal;
#[cfg(target_os = "linux")]
mod report;
mod spec;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod step;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod view;
#[cfg(target_os = "linux")]
mod workshop;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Running, start};
pub use launch::{Denied, Descriptor, Enforcement, Exceeded, Launch, Remains};
pub use spec::{Limits, NetworkAccess, Sandbox};
#[cfg(target_os = "linux")]
pub use start::{Running, start};
