//! What the engine sends, piece by piece, for code that reads.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Buf, Bytes};
use clockwork_core::{CheckError, Context};
use tokio::sync::mpsc;

use super::client::Engine;

/// How many pieces wait to be read.
const WAITING: usize = 16;

/// Asks the engine for something of any length, and reads it on a blocking thread; `None` where there is no such thing.
///
/// # Errors
/// The engine's; or `broken`'s, of what `read` says is wrong with what was sent.
pub(crate) async fn download<T: Send + 'static>(
    engine: &Engine,
    path: &str,
    cx: &Context,
    read: impl FnOnce(Pieces, &Arc<AtomicBool>) -> io::Result<T> + Send + 'static,
    broken: impl FnOnce(io::Error) -> CheckError,
) -> Result<Option<T>, CheckError> {
    cx.phase(format!("reading {} from {}", path.split('?').next().unwrap_or(path), engine.describe()));
    let (sender, receiver) = mpsc::channel(WAITING);
    let abandoned = Abandon::default();
    let flag = Arc::clone(&abandoned.0);
    let pieces = Pieces { receiver, piece: Bytes::new(), ended: false };
    let reading = tokio::task::spawn_blocking(move || read(pieces, &flag));
    let poured = engine.pour(path, &sender).await;
    if let Ok(Some(())) = poured {
        // An empty piece is the end; without it, what came is not all.
        let _ = sender.send(Bytes::new()).await;
    }
    drop(sender);
    let read = reading.await;
    if poured?.is_none() {
        return Ok(None);
    }
    match read {
        Ok(Ok(read)) => Ok(Some(read)),
        Ok(Err(error)) => Err(broken(error)),
        Err(stopped) => Err(CheckError::unobservable("the look was stopped").with_source(stopped)),
    }
}

/// Tells the blocking thread that nobody waits any more.
#[derive(Default)]
pub(crate) struct Abandon(pub(crate) Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The pieces, in order.
pub(crate) struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the engine broke off")),
                Some(piece) => {
                    self.ended = piece.is_empty();
                    self.piece = piece;
                }
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
