//! Which database an assertion is about: the one that its `connection` says, or its resource's.

use clockwork_core::{CheckError, Context, Invalid, Resource, Verdict};
use clockwork_drivers::{
    container::container_of,
    sql::{Connection, FailureKind, SqlFailure},
};

/// The connection that is meant, if any is.
pub(crate) fn meant(own: Option<&Connection>, owner: Option<&dyn Resource>) -> Option<Connection> {
    own.cloned().or_else(|| owner.and_then(container_of)?.database().cloned())
}

/// The same, for a check.
pub(crate) fn required(own: Option<&Connection>, cx: &Context) -> Result<Connection, CheckError> {
    meant(own, cx.resource()).ok_or_else(|| CheckError::unobservable(format!("connection: {MISSING}")))
}

const MISSING: &str = "is missing: give one, or declare this on a resource that has one";

/// What is wrong with the connection.
pub(crate) fn problems(own: Option<&Connection>, owner: Option<&dyn Resource>) -> Vec<Invalid> {
    match own {
        Some(own) => own.validate("connection"),
        None if meant(None, owner).is_none() => vec![Invalid::field("connection", MISSING)],
        // The resource says itself what is wrong with its own.
        None => Vec::new(),
    }
}

/// What a failure means to an assertion about something in the database: it judges nothing.
pub(crate) fn unjudged(failure: &SqlFailure) -> CheckError {
    let error = failure.error.clone();
    match failure.kind {
        FailureKind::Credentials => {
            error.hint("that is not what is asserted here: a DatabaseConnectionAssert would be about it")
        }
        _ => error,
    }
}

/// `failed`, and judged, with what the error says.
pub(crate) fn judged(error: &CheckError) -> Verdict {
    let verdict = Verdict::failed(error.to_string());
    if error.can_retry() { verdict } else { verdict.terminal() }
}
