//! The sandbox of programs: what it must not let through (`escapes`), what it must (`grants`), what it says
//! (`messages`). All of it as root and as a user without rights, by starting this binary again.

mod anew;
mod attempts;
mod escapes;
mod grants;
mod limits;
mod messages;
