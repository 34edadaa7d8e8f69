//! Where there is no `fork`, no process is forked for a check, and there is none to talk to.

use std::io;

use clockwork_core::CheckError;
use serde::Serialize;
use serde_json::Value;

use crate::sandbox::Descriptor;

/// There is none.
#[derive(Debug)]
pub(super) struct Channel(Descriptor);

impl Channel {
    pub(super) fn pair() -> io::Result<(Self, Descriptor)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn try_send(&self, _: &Value, _: &[Descriptor]) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) async fn send(&self, _: &Value, _: &[Descriptor]) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) async fn write(&mut self, _: &impl Serialize) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) async fn write_raw(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.0 {}
    }
}

/// That no process can be told anything.
pub(super) fn no_socket(_: io::Error) -> CheckError {
    crate::platform::lacks("run a check in Python", "Unix's fork")
        .hint("run it as a program (CommandAssert), or from a machine with Linux or macOS")
}
