//! Secrets that others need: whether they are there and look like secrets, without ever telling what they are.
//!
//! The probes read a value, look at it, and forget it: an observation holds neither the value nor its length nor
//! anything made of it, so that nothing further up can show it.

mod environment;
mod file;
mod placeholder;

pub use environment::{EnvironmentOf, SecretVariables, SecretVariablesProbe};
pub use file::{SecretFile, SecretFileProbe};
pub use placeholder::is_placeholder;

/// What can be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretSight {
    /// There is none.
    Unset,
    /// There is none where we may look, and we may not look everywhere: why.
    Hidden(String),
    /// It is there, and has nothing in it but perhaps white space.
    Empty,
    /// It is there.
    Set {
        /// It looks like what stands in an example, to be replaced.
        placeholder: bool,
        /// It has at least as many characters as were asked for.
        long_enough: bool,
    },
}

impl SecretSight {
    /// Looks at a value. `name` is what it is called: some examples repeat that.
    fn of(value: &str, name: &str, min_length: usize) -> Self {
        if value.trim().is_empty() {
            return Self::Empty;
        }
        Self::Set {
            placeholder: is_placeholder(value, name),
            long_enough: value.chars().count() >= min_length,
        }
    }
}
