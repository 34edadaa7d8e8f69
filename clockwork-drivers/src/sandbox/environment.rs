//! What of Clockwork's environment a program gets: what tells where things are and in which language, no secrets.

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::ffi::OsString;

const NAMES: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"];
/// What no program of Windows runs without, or finds its files.
const WINDOWS: &[&str] = &[
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];

/// Whether a program gets this variable of Clockwork's: one of the above, or one that its sandbox grants.
fn lets(name: &str, granted: &[String]) -> bool {
    if cfg!(windows) {
        let same = |other: &str| name.eq_ignore_ascii_case(other);
        return WINDOWS.iter().any(|other| same(other)) || granted.iter().any(|other| same(other));
    }
    NAMES.contains(&name) || name.starts_with("LC_") || granted.iter().any(|granted| granted == name)
}

/// Those of Clockwork's own environment that a program gets.
pub(super) fn own(granted: &[String]) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| lets(name, granted)))
}

/// These, those that the sandbox grants, and those that it is given, as `NAME=value`.
#[cfg(target_os = "linux")]
pub(super) fn environment<'a>(
    granted: &[String],
    given: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<OsString> {
    let mut all: BTreeMap<OsString, OsString> = own(granted).collect();
    all.insert("TMPDIR".into(), "/tmp".into());
    all.extend(given.map(|(name, value)| (name.into(), value.into())));
    let entry = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    all.into_iter().map(entry).collect()
}
