//! The probes and drivers against the real thing.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod endpoint;
mod handshake;
mod http;
mod inventory;
