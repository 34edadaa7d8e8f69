//! [`Printed`]: what a check wrote on its standard output and error, in the order in which it came.

use std::io;

use clockwork_core::{ExposeSecret, SecretString};

use super::pipe;
use crate::sandbox::Descriptor;

/// What stands for a secret that was printed.
const MASK: &[u8] = b"[secret]";
/// Shorter ones are words of every text: to hide them would tell them.
const SHORTEST: usize = 4;

/// How much is kept, in bytes.
const LIMIT: usize = 64 << 10;

/// What was written: its beginning, and how much it was in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// The first 64 KiB.
    pub kept: Vec<u8>,
    /// How many bytes there were in all.
    pub total: u64,
    whole: bool,
}

impl Printed {
    /// What is kept, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// Whether all of it is kept.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Makes these unreadable, also one that the bound cut in two: before anybody else cuts it again.
    pub(super) fn hide<'s>(&mut self, secrets: impl Iterator<Item = &'s SecretString>) {
        let mut secrets: Vec<_> = secrets.map(|secret| secret.expose_secret().as_bytes()).collect();
        // The longest first: of one that another begins, the rest would stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            let mut hidden = Vec::with_capacity(self.kept.len());
            let mut rest = self.kept.as_slice();
            while let Some((first, others)) = rest.split_first() {
                if let Some(after) = rest.strip_prefix(secret) {
                    hidden.extend_from_slice(MASK);
                    rest = after;
                } else if !self.whole && secret.starts_with(rest) {
                    break;
                } else {
                    hidden.push(*first);
                    rest = others;
                }
            }
            self.kept = hidden;
        }
    }
}

/// Reads what a process writes into a pipe.
#[derive(Debug)]
pub(super) struct Reader {
    pipe: pipe::Receiver,
    over: bool,
    pub(super) printed: Printed,
}

impl Reader {
    /// A new pipe, and its other end.
    pub(super) fn pair() -> io::Result<(Self, Descriptor)> {
        let (pipe, theirs) = pipe::pair()?;
        Ok((Self { pipe, over: false, printed: Printed { whole: true, ..Printed::default() } }, theirs))
    }

    /// Reads on for ever: for a `select`, beside what ends.
    pub(super) async fn drain(&mut self) -> std::convert::Infallible {
        while !self.over {
            if self.pipe.readable().await.is_err() {
                break;
            }
            self.take();
            // A flood must not keep others from their turn.
            tokio::task::yield_now().await;
        }
        std::future::pending().await
    }

    /// All that was written and is not taken yet.
    pub(super) fn take_all(&mut self) -> Printed {
        self.take();
        std::mem::replace(&mut self.printed, Printed { whole: true, ..Printed::default() })
    }

    /// What is there already, and how much of it.
    pub(super) fn take(&mut self) {
        let mut buffer = [0; 16 << 10];
        // At most what a pipe holds: somebody may write on and on.
        for _ in 0..64 {
            match self.pipe.try_read(&mut buffer) {
                Ok(0) => return self.over = true,
                Ok(read) => {
                    self.printed.total += read as u64;
                    let room = LIMIT - self.printed.kept.len();
                    self.printed.kept.extend_from_slice(&buffer[..read.min(room)]);
                    self.printed.whole &= read <= room;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.over = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_even_when_cut() {
        let secrets = ["hunter", "hunter22", "no"].map(SecretString::from);
        for (kept, whole, hidden) in [
            ("a hunter22 b hunter22 no", true, "a [secret] b [secret] no"),
            ("a hunter2", false, "a "),
            ("a hunte", false, "a "),
            ("a hunte", true, "a hunte"),
        ] {
            let mut printed = Printed { kept: kept.into(), total: 99, whole };
            printed.hide(secrets.iter());
            assert_eq!(printed.text(), hidden);
        }
    }
}
