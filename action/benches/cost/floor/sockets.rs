//! Listeners, as `ss` shows them.

use std::process::Command;

use anyhow::ensure;

/// Whether nothing listens at this port. Blocks.
pub(super) fn closed(port: u16) -> anyhow::Result<()> {
    let output = Command::new("ss").arg("-Hltn").output()?;
    ensure!(output.status.success(), "ss: {}", output.status);
    let listeners = String::from_utf8(output.stdout)?;
    let suffix = format!(":{port}");
    let mut local = listeners.lines().filter_map(|line| line.split_ascii_whitespace().nth(3));
    ensure!(!local.any(|address| address.ends_with(&suffix)), "port {port} is open");
    Ok(())
}
