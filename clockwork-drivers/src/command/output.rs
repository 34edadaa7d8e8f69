//! What a command writes: kept up to a bound, counted beyond it.

use clockwork_core::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What stands for a secret that a command wrote.
const MASK: &[u8] = b"[secret]";

/// What was written to one of the two outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The beginning of it; all of it, if [`Output::is_whole`]. Secrets that the command was given are masked.
    pub kept: Vec<u8>,
    /// How many bytes there were in all.
    pub total: u64,
    whole: bool,
}

impl Output {
    /// Whether all of it is kept.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The last of what is kept of it.
    pub(super) fn end(&self, bytes: usize) -> String {
        String::from_utf8_lossy(&self.kept[self.kept.len().saturating_sub(bytes)..]).into_owned()
    }

    /// Reads to the end. A command that writes more than `limit` is not held up: the rest is read and counted.
    pub(super) async fn drain(&mut self, reader: Option<impl AsyncRead + Unpin>, limit: usize) {
        self.whole = true;
        let Some(mut reader) = reader else { return };
        let mut buffer = vec![0; 64 << 10];
        loop {
            // A pipe has no errors but that its descriptor is wrong.
            let Ok(read @ 1..) = reader.read(&mut buffer).await else { return };
            self.total += read as u64;
            let room = limit - self.kept.len();
            self.kept.extend_from_slice(&buffer[..read.min(room)]);
            self.whole &= read <= room;
        }
    }

    /// Makes these unreadable, also one that the bound cut in two.
    pub(super) fn mask(&mut self, secrets: &[SecretString]) {
        let mut secrets: Vec<_> = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        // The longest first: of one that another begins, the rest would stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            if secret.is_empty() {
                continue;
            }
            let mut masked = Vec::with_capacity(self.kept.len());
            let mut rest = self.kept.as_slice();
            while !rest.is_empty() {
                if let Some(after) = rest.strip_prefix(secret) {
                    masked.extend_from_slice(MASK);
                    rest = after;
                } else if !self.whole && secret.starts_with(rest) {
                    break;
                } else {
                    masked.push(rest[0]);
                    rest = &rest[1..];
                }
            }
            self.kept = masked;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_is_counted_and_not_kept() {
        let flood = vec![b'x'; 300_000];
        let mut output = Output::default();
        output.drain(Some(flood.as_slice()), 1000).await;
        assert_eq!((output.kept.len(), output.total, output.is_whole()), (1000, 300_000, false));
        let mut output = Output::default();
        output.drain(Some(&flood[..1000]), 1000).await;
        assert_eq!((output.kept.len(), output.total, output.is_whole()), (1000, 1000, true));
    }

    #[test]
    fn secrets_are_masked_even_when_cut() {
        let secrets = ["hunter", "hunter22", ""].map(SecretString::from);
        for (kept, whole, masked) in [
            ("a hunter22 b hunter22", true, "a [secret] b [secret]"),
            ("a hunter2", false, "a "),
            ("a hunte2", true, "a hunte2"),
            ("", true, ""),
        ] {
            let mut output = Output { kept: kept.into(), total: 9, whole };
            output.mask(&secrets);
            assert_eq!(String::from_utf8_lossy(&output.kept), masked);
        }
    }
}
