//! [`Channel`]: our end of a socket to one process of a worker: lines of JSON, and descriptors that go with them.

use std::{
    io::{self, IoSlice},
    os::{fd::AsRawFd, unix::net::UnixStream as StdUnixStream},
    sync::{Mutex, PoisonError},
};

use clockwork_core::CheckError;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::sandbox::Descriptor;

/// Of a closed socket only an error tells. On macOS there is no such flag: there it is enough that Rust's runtime ignores
/// the signal.
#[cfg(not(target_os = "macos"))]
const NO_SIGNAL: MsgFlags = MsgFlags::MSG_NOSIGNAL;
#[cfg(target_os = "macos")]
const NO_SIGNAL: MsgFlags = MsgFlags::empty();

/// How long a line may become.
const LIMIT: usize = 4 << 20;

/// Our end of a socket.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    /// What came behind the last line.
    rest: Vec<u8>,
    /// Held while a message goes out, so that none gets into another.
    sending: Mutex<()>,
}

impl Channel {
    /// A new socket, and its other end.
    pub(super) fn pair() -> io::Result<(Self, Descriptor)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        Ok((Self { socket, rest: Vec::new(), sending: Mutex::new(()) }, theirs.into()))
    }

    /// A short message with these descriptors, at once or not at all.
    pub(super) fn try_send(&self, message: &Value, descriptors: &[Descriptor]) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{message}\n");
        let numbers: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() { &[][..] } else { &rights[..] };
        let flags = MsgFlags::MSG_DONTWAIT | NO_SIGNAL;
        let sent =
            sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(line.as_bytes())], rights, flags, None)?;
        // The half of a message would spoil all that follow.
        if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// The same, when there is room for it.
    pub(super) async fn send(&self, message: &Value, descriptors: &[Descriptor]) -> io::Result<()> {
        loop {
            match self.try_send(message, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The socket's own word for it is old: nothing is sent through it.
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
                sent => return sent,
            }
        }
    }

    /// A message of any length, for who is alone with the other end.
    pub(super) async fn write(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.socket.write_all(&line).await
    }

    /// These bytes.
    pub(super) async fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The next line; `None` behind the last. Nothing is lost when it is dropped before it is done.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.rest[looked..].iter().position(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(looked + end + 1);
                let mut line = std::mem::replace(&mut self.rest, rest);
                line.pop();
                return Ok(Some(line));
            }
            looked = self.rest.len();
            if looked > LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.socket.read_buf(&mut self.rest).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// That no process can be told anything.
pub(super) fn no_socket(error: io::Error) -> CheckError {
    CheckError::unobservable("cannot make a socket to a worker").with_source(error).retryable()
}
