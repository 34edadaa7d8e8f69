//! What the server's error codes say of the database.

use super::message::ServerError;
use crate::sql::failure::{FailureKind, Said, SqlFailure};

/// An error that the server answered, sorted by its code (PostgreSQL's appendix A).
pub(super) fn sort(error: &ServerError, who: &str, said: &Said) -> SqlFailure {
    use FailureKind::{
        Busy, Credentials, Forbidden, Lost, NoDatabase, NoTable, OtherProtocol, ReadOnly, Slow, Statement,
    };
    let code = error.code.as_str();
    let words = said.quote(&error.message);
    let (kind, message, hint) = match code {
        "28P01" => (Credentials, format!("{who} refuses the user or the password: {words}"), ""),
        "28000" => (
            Credentials,
            format!("{who} lets this user not in: {words}"),
            "the server's pg_hba.conf says who may come from where, and whether without TLS",
        ),
        "3D000" => (NoDatabase, format!("{who} has no such database: {words}"), ""),
        "57P03" => (Busy, format!("{who} takes nobody now: {words}"), ""),
        "53300" => (
            Busy,
            format!("{who} has too many connections: {words}"),
            "raise max_connections, or find out who holds them (pg_stat_activity)",
        ),
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" => {
            (Lost, format!("{who} ended the connection: {words}"), "")
        }
        "25006" => (
            ReadOnly,
            format!("the statement writes, and the server refused it: {words}"),
            "with `read_only: false` it may; what it did is rolled back",
        ),
        "42501" => (
            Forbidden,
            format!("the user may not do this: {words}"),
            "grant it, or connect as a user who may",
        ),
        "42P01" | "3F000" => (NoTable, format!("the database refused the statement: {words}"), ""),
        "57014" => (Slow, format!("the server broke the statement off: {words}"), ""),
        "08P01" => (OtherProtocol, format!("{who} broke the protocol: {words}"), ""),
        // Out of resources; a deadlock, a lock that was not to be had, a conflict with the recovery of a replica.
        _ if matches!(code.get(..2), Some("53" | "40" | "55")) => {
            (Busy, format!("the database could not run the statement now: {words}"), "")
        }
        _ => (Statement, format!("the database refused the statement: {words}"), ""),
    };
    let mut message = format!("{message} ({code})");
    for (name, more) in [("detail", &error.detail), ("hint", &error.hint)] {
        if !more.is_empty() {
            message.push_str(&format!(", {name}: {}", said.quote(more)));
        }
    }
    let mut failure = SqlFailure::new(kind, message).code(code);
    // A syntax error, several statements, a parameter of no type.
    if matches!(code, "42601" | "42P02" | "42P18") {
        failure = failure.terminal();
    }
    if hint.is_empty() { failure } else { failure.hint(hint) }
}
