//! [`WorkflowQuery`]: a step that asks a database, or changes something in it.

use std::collections::BTreeSet;

use clockwork_core::{CheckError, Context, Invalid, Matcher, Named, Resource};
use clockwork_drivers::sql::{Connection, FailureKind, Rows, SqlFailure, SqlProbe, Statement};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::captured::{Captured, names_in, names_in_text};
use crate::database;

/// A step that asks a database, or changes something in it.
///
/// ```
/// use clockwork_assert::WorkflowQuery;
/// use clockwork_drivers::ContainerResource;
///
/// let database = ContainerResource::new("shop-db");
/// WorkflowQuery::of(&database, "SELECT status FROM orders WHERE id = $1").param("${captured.id}").value("new");
/// WorkflowQuery::of(&database, "DELETE FROM orders WHERE id = $1").param("${captured.id}").read_only(false);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowQuery {
    /// The resource whose `connection` it is. If this and `connection` are left out, the one that it is declared on.
    #[serde(default)]
    resource: Option<String>,
    /// The database.
    #[serde(default)]
    connection: Option<Connection>,
    /// One statement. What varies stands in `params`: `$1` in PostgreSQL, `?` in the others.
    sql_query: String,
    /// What stands for `$1` or `?`, in their order; `${captured.NAME}` alone keeps the type that it was captured with.
    #[serde(default)]
    params: Vec<Value>,
    /// The number of rows that it brings.
    #[serde(default)]
    rows: Option<Matcher>,
    /// The first column of the first row.
    #[serde(default)]
    value: Option<Matcher>,
    /// The number of rows that it wrote.
    #[serde(default)]
    affected: Option<Matcher>,
    /// Whether the server refuses what writes. With `false`, what it writes is committed.
    #[serde(default = "crate::http_request::yes")]
    read_only: bool,
    /// With `read_only: false`: what it writes is rolled back at the end of the step.
    #[serde(default)]
    rollback: bool,
}

impl WorkflowQuery {
    fn new(resource: Option<String>, connection: Option<Connection>, sql_query: String) -> Self {
        Self {
            resource,
            connection,
            sql_query,
            params: Vec::new(),
            rows: None,
            value: None,
            affected: None,
            read_only: true,
            rollback: false,
        }
    }

    /// This statement, in the database of this resource.
    pub fn of(resource: impl Named, sql_query: impl Into<String>) -> Self {
        Self::new(Some(resource.resource_name().to_string()), None, sql_query.into())
    }

    /// This statement, over this connection.
    pub fn at(connection: Connection, sql_query: impl Into<String>) -> Self {
        Self::new(None, Some(connection), sql_query.into())
    }

    /// What stands for the next `$1` or `?`.
    #[must_use]
    pub fn param(mut self, value: impl Into<Value>) -> Self {
        self.params.push(value.into());
        self
    }

    /// The number of rows that it brings.
    #[must_use]
    pub fn rows(mut self, rows: impl Into<Matcher>) -> Self {
        self.rows = Some(rows.into());
        self
    }

    /// The first column of the first row.
    #[must_use]
    pub fn value(mut self, value: impl Into<Matcher>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The number of rows that it wrote.
    #[must_use]
    pub fn affected(mut self, rows: impl Into<Matcher>) -> Self {
        self.affected = Some(rows.into());
        self
    }

    /// Whether the server refuses what writes.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// It may write, and what it writes is rolled back at the end of the step.
    #[must_use]
    pub fn rolled_back(mut self) -> Self {
        (self.read_only, self.rollback) = (false, true);
        self
    }

    pub(super) fn resource_name(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// What the step is called where it has no name.
    pub(super) fn label(&self) -> String {
        let words: Vec<_> = self.sql_query.split_whitespace().take(4).collect();
        clockwork_core::text::harmless(&words.join(" ")).into_owned()
    }

    /// The names of what it needs to be captured before.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.params.iter().for_each(|param| names_in(param, &mut names));
        for matcher in self.rows.iter().chain(&self.value).chain(&self.affected) {
            names_in(&serde_json::to_value(matcher).unwrap_or_default(), &mut names);
        }
        names
    }

    /// The same with what was captured.
    pub(super) fn filled(&self, captured: &Captured) -> Result<Self, String> {
        let mut filled = self.clone();
        for param in &mut filled.params {
            *param = captured.value(param)?;
        }
        for matcher in [&mut filled.rows, &mut filled.value, &mut filled.affected].into_iter().flatten() {
            *matcher = captured.matcher(matcher)?;
        }
        Ok(filled)
    }

    pub(super) fn hide_secrets(&self, captured: &mut Captured, cx: &Context) {
        if let Ok(connection) = database::of_resource(self.resource.as_deref(), self.connection.as_ref(), cx)
        {
            connection.password().iter().for_each(|secret| captured.hide(secret));
        }
    }

    pub(super) fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems =
            database::problems_of("", self.resource.as_deref(), self.connection.as_ref(), owner);
        problems.extend(database::sql_problems("sql_query", &self.sql_query, "statement"));
        let mut names = BTreeSet::new();
        names_in_text(&self.sql_query, &mut names);
        if !names.is_empty() {
            let problem =
                "holds `${captured.…}`, which would become a part of the statement: put it into `params`";
            problems.push(Invalid::field("sql_query", problem));
        }
        if self.rollback && self.read_only {
            let problem = "is for `read_only: false`: what may not write has nothing to be rolled back";
            problems.push(Invalid::field("rollback", problem));
        }
        if self.affected.is_some() && self.read_only {
            problems.push(Invalid::field("affected", "is for `read_only: false`: nothing else writes rows"));
        }
        problems
    }

    pub(super) fn probe(&self, cx: &Context) -> Result<SqlProbe, CheckError> {
        let connection = database::of_resource(self.resource.as_deref(), self.connection.as_ref(), cx)?;
        let statement = Statement::new(&self.sql_query, cx).params(self.params.iter().cloned());
        let statement = match (self.read_only, self.rollback) {
            (true, _) => statement,
            (false, true) => statement.may_write(),
            (false, false) => statement.commit(),
        };
        Ok(SqlProbe::new(&connection, statement))
    }

    /// What is wrong with the answer, and whether that was judged.
    pub(super) fn judge(&self, seen: &Rows) -> Result<Result<(), (String, bool)>, CheckError> {
        let count = Value::from(seen.count);
        let affected = seen.affected.map(Value::from);
        let compared = [
            ("rows", &self.rows, Some(&count)),
            ("value", &self.value, seen.value()),
            ("affected", &self.affected, affected.as_ref()),
        ];
        if seen.more && self.rows.is_some() {
            let message = format!("the query brings more than {} rows, and no more are read", seen.count);
            return Err(CheckError::unobservable(message).hint("let the database count: `SELECT count(*) …`"));
        }
        let mut wrong = Vec::new();
        for (name, matcher, found) in compared {
            let Some(matcher) = matcher else { continue };
            match (matcher.check(found), found) {
                (Ok(()), _) => {}
                (Err(mismatch), Some(_)) => {
                    wrong.push((format!("{name}: {}", mismatch.message), mismatch.judged))
                }
                (Err(_), None) if name == "value" => {
                    wrong.push((format!("value: expected {matcher}, but the query brought no row"), false));
                }
                (Err(_), None) => wrong.push((String::from("affected: the statement wrote no rows"), false)),
            }
        }
        if wrong.is_empty() {
            return Ok(Ok(()));
        }
        let told: Vec<_> = wrong.iter().map(|(message, _)| message.as_str()).collect();
        Ok(Err((told.join("; "), wrong.iter().any(|(_, judged)| *judged))))
    }
}

/// What a refusal says of the step: what is wrong, and whether that was judged.
pub(super) fn refused(failure: &SqlFailure) -> Result<(String, bool), CheckError> {
    match failure.kind {
        FailureKind::NoTable | FailureKind::Statement => Ok((failure.error.to_string(), true)),
        _ => Err(database::unjudged(failure)),
    }
}
