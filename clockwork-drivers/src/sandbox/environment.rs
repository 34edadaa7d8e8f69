//! What of Clockwork's environment a program gets: what tells where things are and in which language, no secrets.

use std::ffi::OsString;

const NAMES: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"];

/// These, and those that the sandbox grants.
pub(super) fn environment(granted: &[String]) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(move |(name, _)| {
        name.to_str().is_some_and(|name| {
            NAMES.contains(&name) || name.starts_with("LC_") || granted.iter().any(|granted| granted == name)
        })
    })
}
