//! What of Clockwork's environment a program gets: what tells where things are and in which language, no secrets.

use std::{collections::BTreeMap, ffi::OsString};

const NAMES: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"];

/// These, those that the sandbox grants, and those that it is given, as `NAME=value`.
pub(super) fn environment<'a>(
    granted: &[String],
    given: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<OsString> {
    let lets = |name: &str| {
        NAMES.contains(&name) || name.starts_with("LC_") || granted.iter().any(|granted| granted == name)
    };
    let own = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(lets));
    let mut all: BTreeMap<OsString, OsString> = own.collect();
    all.insert("TMPDIR".into(), "/tmp".into());
    all.extend(given.map(|(name, value)| (name.into(), value.into())));
    let entry = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    all.into_iter().map(entry).collect()
}
