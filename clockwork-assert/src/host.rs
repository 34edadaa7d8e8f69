//! What can be a `host`.

use clockwork_core::{Invalid, text::quote};

/// What is wrong with the field `host`, if anything is.
pub(crate) fn problem(host: &str) -> Option<Invalid> {
    let wrong = host.is_empty() || host.contains(['/', '@']) || host.chars().any(char::is_whitespace);
    wrong.then(|| Invalid::field("host", format!("{} is neither a name nor an address", quote(host))))
}
