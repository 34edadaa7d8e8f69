//! A file's mode, owner, content and digest.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    sync::LazyLock,
};

use anyhow::{Context as _, ensure};
use nix::unistd::User;
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

use crate::check::{Check, FILE_PATTERN};

/// What every file is compared with, made ready once, and only where there is a file to compare.
pub(super) struct Expected {
    pattern: LazyLock<Result<Regex, regex::Error>>,
    users: HashMap<String, u32>,
}

impl Expected {
    /// Looks the owners up that these checks name.
    pub(super) fn new(checks: &[Check]) -> anyhow::Result<Self> {
        let mut users = HashMap::new();
        for check in checks {
            if let Check::File { owner, .. } = check
                && !users.contains_key(owner)
            {
                let user = User::from_name(owner)?.with_context(|| format!("there is no user {owner}"))?;
                users.insert(owner.clone(), user.uid.as_raw());
            }
        }
        Ok(Self { pattern: LazyLock::new(|| Regex::new(FILE_PATTERN)), users })
    }

    /// Looks at one file. Blocks.
    pub(super) fn check(&self, check: &Check) -> anyhow::Result<()> {
        match check {
            Check::Exists { path } => {
                ensure!(fs::metadata(path)?.is_file(), "not a file");
            }
            Check::File { path, mode, owner, sha256 } => {
                let mut file = File::open(path)?;
                let metadata = file.metadata()?;
                ensure!(metadata.mode() & 0o7777 == *mode, "mode {:o}", metadata.mode());
                ensure!(Some(&metadata.uid()) == self.users.get(owner), "owner {}", metadata.uid());
                let mut content = Vec::with_capacity(usize::try_from(metadata.len())? + 1);
                file.read_to_end(&mut content)?;
                let pattern = self.pattern.as_ref().map_err(Clone::clone)?;
                ensure!(pattern.is_match(&content), "the pattern is not there");
                let digest = hex(&Sha256::digest(&content));
                ensure!(digest == *sha256, "sha256 {digest}");
            }
            // What nobody can do without: to read which packages there are. The limits of this scenario are absolute.
            Check::Vulnerabilities { root, packages, .. } => {
                let status = fs::read_to_string(format!("{root}/var/lib/dpkg/status"))?;
                let count = status.lines().filter(|line| line.starts_with("Package: ")).count();
                ensure!(count == *packages, "{count} packages");
            }
            _ => {}
        }
        Ok(())
    }
}

/// In lower case, as `sha256sum` prints it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
