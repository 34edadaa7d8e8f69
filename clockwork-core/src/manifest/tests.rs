#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad;
mod bounds;
mod good;
mod kinds;
mod lock;
mod properties;
mod schema;
