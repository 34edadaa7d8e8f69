//! The process table, read once for all checks.

use std::{collections::HashSet, fs};

/// The names of all processes that are not dead. Blocks.
pub(super) fn names() -> anyhow::Result<HashSet<String>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // `pid (name) state …`; the name may hold anything, brackets too. A process may end while we look.
        let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
        let stat = String::from_utf8_lossy(&stat);
        if let (Some(from), Some(to)) = (stat.find('('), stat.rfind(')'))
            && !stat[to..].starts_with(") Z")
        {
            names.insert(stat[from + 1..to].to_owned());
        }
    }
    Ok(names)
}
