//! Processes that were really started, compared with `ps`.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]
