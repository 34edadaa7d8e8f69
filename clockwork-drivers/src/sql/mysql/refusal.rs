//! What the server's errors, and the client's, say of the database.

use std::io;

use clockwork_core::CheckError;
use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::{
    sql::failure::{FailureKind, Said, SqlFailure},
    tls,
};

/// Who is asked.
pub(super) struct Whom<'a> {
    pub(super) place: &'a str,
    pub(super) said: &'a Said,
}

impl Whom<'_> {
    /// An error while the connection was made; the outer one is our own.
    pub(super) fn at_the_door(&self, error: Error) -> Result<SqlFailure, CheckError> {
        use io::ErrorKind::{
            AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, PermissionDenied,
            TimedOut,
        };
        let place = self.place;
        match &error {
            Error::Io(IoError::Io(error)) if tls::failure(place, error).is_some() => {
                let failure = tls::failure(place, error).unwrap_or_else(|| CheckError::target("no TLS"));
                Ok(SqlFailure::of(FailureKind::Tls, failure))
            }
            Error::Io(IoError::Io(error)) => match error.kind() {
                ConnectionRefused => {
                    let failure =
                        SqlFailure::new(FailureKind::Unreachable, format!("{place} refused the connection"));
                    Ok(failure
                        .hint("nothing listens there: is the service running, and is its port published?"))
                }
                HostUnreachable | NetworkUnreachable | TimedOut => Ok(SqlFailure::new(
                    FailureKind::Unreachable,
                    format!("cannot connect to {place}: {}", self.said.quote(&error.to_string())),
                )),
                AddrNotAvailable | PermissionDenied => Err(CheckError::unobservable(format!(
                    "cannot connect to {place}: {}",
                    self.said.quote(&error.to_string())
                ))
                .retryable()),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    Ok(self.no_mysql(&error.to_string()))
                }
                _ if error.raw_os_error().is_some_and(|number| [23, 24].contains(&number)) => {
                    Err(CheckError::unobservable(format!("cannot connect to {place}: too many open files"))
                        .retryable()
                        .hint("raise `ulimit -n`, or lower `concurrency`"))
                }
                _ => Ok(self.lost(error)),
            },
            Error::Io(IoError::Tls(error)) => {
                let message = format!("no TLS with {place}: {}", self.said.quote(&error.to_string()));
                Ok(SqlFailure::new(FailureKind::Tls, message))
            }
            Error::Driver(DriverError::ConnectionClosed) => Ok(self.sort(&error)),
            Error::Driver(
                DriverError::UnknownAuthPlugin { .. }
                | DriverError::MysqlOldPasswordDisabled
                | DriverError::CleartextPluginDisabled,
            ) => {
                let what = self.said.quote(&error.to_string());
                let message = format!("{place} asks for a login by a way that is not known here: {what}");
                Ok(SqlFailure::new(FailureKind::Credentials, message))
            }
            Error::Server(error) => Ok(self.refused(error, true)),
            other => Ok(self.no_mysql(&other.to_string())),
        }
    }

    fn no_mysql(&self, what: &str) -> SqlFailure {
        let message = format!("{} does not speak MySQL: {}", self.place, self.said.quote(what));
        SqlFailure::new(FailureKind::OtherProtocol, message).hint("is it the right port?")
    }

    fn lost(&self, error: &io::Error) -> SqlFailure {
        let message =
            format!("{} broke the connection off: {}", self.place, self.said.quote(&error.to_string()));
        SqlFailure::new(FailureKind::Lost, message)
    }

    /// An error of a connection that is there.
    pub(super) fn sort(&self, error: &Error) -> SqlFailure {
        match error {
            Error::Server(error) => self.refused(error, false),
            Error::Io(IoError::Io(error)) => self.lost(error),
            Error::Driver(DriverError::ConnectionClosed) => {
                let message = format!("{} closed the connection", self.place);
                SqlFailure::new(FailureKind::Lost, message)
            }
            Error::Driver(error @ (DriverError::StmtParamsMismatch { .. } | DriverError::MixedParams)) => {
                SqlFailure::new(FailureKind::Statement, self.said.quote(&error.to_string()))
            }
            Error::Driver(DriverError::PacketTooLarge) => {
                let message = "the answer has a row that is larger than clockwork reads (16 MiB)";
                SqlFailure::new(FailureKind::Limit, message)
            }
            other => {
                let message =
                    format!("{} broke the protocol: {}", self.place, self.said.quote(&other.to_string()));
                SqlFailure::new(FailureKind::Lost, message)
            }
        }
    }

    fn refused(&self, error: &ServerError, at_the_door: bool) -> SqlFailure {
        use FailureKind::{
            Busy, Credentials, Forbidden, Lost, NoDatabase, NoTable, ReadOnly, Slow, Statement, Tls,
        };
        let (who, words) = (self.place, self.said.quote(&error.message));
        let (kind, message, hint) = match error.code {
            1045 | 1698 | 1862 | 3118 | 4151 => {
                (Credentials, format!("{who} refuses the user or the password: {words}"), "")
            }
            1044 | 1129 | 1130 | 1251 if at_the_door => {
                (Credentials, format!("{who} lets this user not in: {words}"), "")
            }
            1049 => (NoDatabase, format!("{who} has no such database: {words}"), ""),
            1040 | 1203 | 1226 => (
                Busy,
                format!("{who} has too many connections: {words}"),
                "raise max_connections, or find out who holds them (SHOW PROCESSLIST)",
            ),
            1053 => (Busy, format!("{who} takes nobody now: {words}"), ""),
            3159 => (Tls, format!("{who} takes nobody without TLS: {words}"), ""),
            1927 | 4031 => (Lost, format!("{who} ended the connection: {words}"), ""),
            1792 => (
                ReadOnly,
                format!("the statement writes, and the server refused it: {words}"),
                "with `read_only: false` it may; what it did is rolled back",
            ),
            1044 | 1142 | 1143 | 1227 | 1370 | 1410 => (
                Forbidden,
                format!("the user may not do this: {words}"),
                "grant it, or connect as a user who may",
            ),
            1046 => (
                Statement,
                format!("the database refused the statement: {words}"),
                "give the connection a `database`",
            ),
            1109 | 1146 => (NoTable, format!("the database refused the statement: {words}"), ""),
            1317 | 1969 | 3024 => (Slow, format!("the server broke the statement off: {words}"), ""),
            1205 | 1213 => (Busy, format!("the database could not run the statement now: {words}"), ""),
            _ => (Statement, format!("the database refused the statement: {words}"), ""),
        };
        let mut failure =
            SqlFailure::new(kind, format!("{message} ({})", error.code)).code(error.code.to_string());
        // A syntax error, or several statements.
        if error.code == 1064 {
            failure = failure.terminal();
        }
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}
