//! What differs from system to system, with one face: signals, a program in this one's place, files of the user's own.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    Signals, cache, create_private, end_at_the_second, is_ours_alone, new_private, run_instead,
};
#[cfg(windows)]
pub(crate) use windows::{
    Signals, cache, create_private, end_at_the_second, is_ours_alone, new_private, run_instead,
};
