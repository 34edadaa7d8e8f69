//! [`Printed`]: what a check wrote on its standard output and error, in the order in which it came.

use std::{io, os::fd::OwnedFd};

use tokio::net::unix::pipe;

/// How much is kept, in bytes.
const LIMIT: usize = 64 << 10;

/// What was written: its beginning, and how much it was in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// The first 64 KiB.
    pub kept: Vec<u8>,
    /// How many bytes there were in all.
    pub total: u64,
}

impl Printed {
    /// What is kept, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// Whether all of it is kept.
    pub fn is_whole(&self) -> bool {
        self.total == self.kept.len() as u64
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
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = io::pipe()?;
        let pipe = pipe::Receiver::from_owned_fd(ours.into())?;
        Ok((Self { pipe, over: false, printed: Printed::default() }, theirs.into()))
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
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.over = true,
            }
        }
    }
}
