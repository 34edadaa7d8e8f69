//! Which database an assertion is about: the one that its `connection` says, or a resource's.

use clockwork_core::{CheckError, Context, Invalid, Resource, ResourceName, Verdict};
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

/// The connection that is meant where a resource can be named beside it.
pub(crate) fn of_resource(
    resource: Option<&str>,
    own: Option<&Connection>,
    cx: &Context,
) -> Result<Connection, CheckError> {
    let Some(name) = resource else { return required(own, cx) };
    let found = cx.resource_named(name).map(|resource| &**resource);
    let found = found.ok_or_else(|| CheckError::unobservable(format!("there is no resource {name}")))?;
    meant(None, Some(found)).ok_or_else(|| {
        CheckError::unobservable(format!("the resource {name} ({}) has no `connection`", found.kind()))
            .hint("give it one, or give `connection` here")
    })
}

/// What is wrong where a resource can be named beside the connection. `field` is the prefix of both fields' names.
pub(crate) fn problems_of(
    field: &str,
    resource: Option<&str>,
    own: Option<&Connection>,
    owner: Option<&dyn Resource>,
) -> Vec<Invalid> {
    let connection = format!("{field}connection");
    match (resource, own) {
        (Some(_), Some(_)) => {
            vec![Invalid::field(format!("{field}resource"), "give `resource` or `connection`, not both")]
        }
        (Some(_), None) => Vec::new(),
        (None, Some(own)) => own.validate(&connection),
        (None, None) if meant(None, owner).is_none() => {
            let missing =
                "is missing: give `resource` or `connection`, or declare this on a resource that has one";
            vec![Invalid::field(connection, missing)]
        }
        (None, None) => Vec::new(),
    }
}

/// What is wrong with the text of a statement; `what` it has to be.
pub(crate) fn sql_problems(field: &str, sql: &str, what: &str) -> Vec<Invalid> {
    let mut problems = Vec::new();
    if sql.trim().is_empty() {
        problems.push(Invalid::field(field, format!("is empty: write a {what}")));
    }
    if sql.contains('\0') {
        problems.push(Invalid::field(field, "holds a NUL character, which no statement can"));
    }
    problems
}

/// The resources that are named, each once.
pub(crate) fn related<'a>(names: impl IntoIterator<Item = Option<&'a str>>) -> Vec<ResourceName> {
    let mut related: Vec<ResourceName> = Vec::new();
    for name in names.into_iter().flatten().map(ResourceName::new) {
        if !related.contains(&name) {
            related.push(name);
        }
    }
    related
}

/// What a failure means where several databases are asked: which one it was is told.
pub(crate) fn of_place(place: &str, failure: &SqlFailure) -> CheckError {
    unjudged(failure).prefixed(&format!("{place}: "))
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
