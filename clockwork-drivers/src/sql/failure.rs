//! [`SqlFailure`]: what came instead of an answer, sorted by what it says of the database.

use clockwork_core::{CheckError, ExposeSecret, SecretString, text::quote};

/// What came instead of an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqlFailure {
    /// What it says of the database.
    pub kind: FailureKind,
    /// The engine's own code: an SQLSTATE, or an error number.
    pub code: Option<String>,
    /// In words; whose fault it is for an assertion that is about something in the database.
    pub error: CheckError,
}

/// What a failure says of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The host's name does not resolve: it may be a typing error.
    Unresolved,
    /// Nobody accepts a connection.
    Unreachable,
    /// Somebody accepts it who is no such database.
    OtherProtocol,
    /// No encrypted connection as it was asked for.
    Tls,
    /// The user or the password is refused.
    Credentials,
    /// There is no such database.
    NoDatabase,
    /// It is there and takes nobody now: starting up, shutting down, full, locked.
    Busy,
    /// It closed the connection, or broke the protocol.
    Lost,
    /// The statement writes, and was not allowed to.
    ReadOnly,
    /// The user may not do this.
    Forbidden,
    /// A table, a view or a schema that the statement names is not there.
    NoTable,
    /// The statement took longer than the server was told to let it.
    Slow,
    /// Anything else that is wrong with the statement.
    Statement,
    /// The answer is larger than Clockwork reads.
    Limit,
}

impl SqlFailure {
    /// With the fault that this kind means for whoever asks about something in the database.
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let error = match kind {
            FailureKind::Credentials => CheckError::unobservable(message).retryable(),
            FailureKind::Forbidden | FailureKind::Limit => CheckError::unobservable(message),
            FailureKind::ReadOnly => CheckError::target(message).terminal(),
            _ => CheckError::target(message),
        };
        Self { kind, code: None, error }
    }

    /// Another layer's error, sorted.
    pub(crate) fn of(kind: FailureKind, error: CheckError) -> Self {
        Self { kind, code: None, error }
    }

    #[must_use]
    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Waiting cannot help: the statement itself is wrong.
    #[must_use]
    pub(crate) fn terminal(mut self) -> Self {
        self.error = self.error.terminal();
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    /// It was said of a statement of our own, with which the one that is asked was to be held to its limits: nothing is
    /// known of that one.
    #[must_use]
    pub(crate) fn of_our_own(self) -> Self {
        use FailureKind::{Forbidden, Limit, NoTable, ReadOnly, Slow, Statement};
        match self.kind {
            Statement | NoTable | ReadOnly | Slow | Forbidden | Limit => {
                let message = format!("the statement cannot be held to its limits: {}", self.error.message());
                Self { code: self.code, ..Self::new(Limit, message) }
            }
            _ => self,
        }
    }

    /// Whether it says something of the connection, and nothing of the statement.
    pub fn is_connection(&self) -> bool {
        use FailureKind::{Busy, Credentials, Lost, NoDatabase, OtherProtocol, Tls, Unreachable, Unresolved};
        matches!(
            self.kind,
            Unresolved | Unreachable | OtherProtocol | Tls | Credentials | NoDatabase | Busy | Lost
        )
    }
}

impl From<SqlFailure> for CheckError {
    fn from(failure: SqlFailure) -> Self {
        failure.error
    }
}

/// What a server or a library says, made fit for a message: without the password, which a server may repeat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Option<SecretString>);

impl Said {
    pub(crate) fn without(secret: Option<SecretString>) -> Self {
        Self(secret.filter(|secret| !secret.expose_secret().is_empty()))
    }

    /// Quoted and bounded.
    pub(crate) fn quote(&self, text: &str) -> String {
        match &self.0 {
            Some(secret) if text.contains(secret.expose_secret()) => {
                quote(&text.replace(secret.expose_secret(), "[secret]"))
            }
            _ => quote(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_a_server_repeats_is_not_shown() {
        let said = Said::without(Some(SecretString::from("hunter2")));
        assert_eq!(said.quote("user:hunter2@db\nhunter2"), r#""user:[secret]@db\n[secret]""#);
        assert_eq!(Said::without(Some(SecretString::from(""))).quote("x"), r#""x""#);
    }
}
