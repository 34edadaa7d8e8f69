//! The kinds against the real thing, through the engine, their verdicts compared with an independent program's.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod healthcheck;
mod port_accessible;
mod response_time;
mod server;
