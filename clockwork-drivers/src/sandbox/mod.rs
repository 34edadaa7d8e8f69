//! Foreign programs, kept in a sandbox: [`start`] starts one, and says what of its [`Sandbox`] this machine enforces.
//!
//! For a program that runs once ([`crate::command`]) and for one that goes on talking over its standard streams alike.
//! Whatever it starts ends with it, daemons too, and at the latest when its [`Running`] is dropped.

mod refusal;
mod spec;
mod start;
mod tree;

pub use spec::{NetworkAccess, Sandbox};
pub use start::{Enforcement, Launch, Running, start};
