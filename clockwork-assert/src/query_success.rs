//! [`QuerySuccessAssert`]: a query succeeds, and brings what it should.
//!
//! One statement, in a transaction that is always rolled back. Under `read_only`, which is the default, the server refuses
//! what writes (`clockwork_drivers::sql` says what no transaction can refuse). With `read_only: false` it may write, and
//! what it wrote is rolled back all the same; a sequence that it moved stays moved, and MySQL commits after a CREATE, an
//! ALTER or a DROP.
//!
//! `rows` compares the number of rows, `value` the first column of the first row, which has the type that it has in the
//! database: numbers are numbers (a `numeric` with more than 15 digits is text), booleans are booleans (MySQL has none: 0
//! and 1), JSON is JSON, NULL is null, and all else is text as the engine writes it (times in UTC, arrays as `{1,2}`).
//! After 100000 rows it stops counting, which is `errored` unless those prove the failure. `max_ms` is the statement's
//! time, over a connection of its own, from sending it to its last row.
//!
//! Judged (so that `not` turns it around): the statement is refused, brings another number of rows or another value, takes
//! too long. Not judged: a value where there is no row, a statement that writes and was refused for that, a user who may
//! not ask (`errored`), and everything that keeps from asking.
//!
//! `details`: `rows`, `took_ms`, and the engine's `code` of a refusal.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Mismatch, Resource, Verdict,
    async_trait, text::quote,
};
use clockwork_drivers::sql::{Connection, FailureKind, Rows, SqlFailure, SqlProbe, Statement};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::database;

/// A query succeeds, and brings what it should.
///
/// ```
/// use clockwork_assert::QuerySuccessAssert;
///
/// QuerySuccessAssert::new("SELECT count(*) FROM orders WHERE status = $1").param("stuck").value(0);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuerySuccessAssert {
    /// One statement. What varies stands in `params`: `$1` in PostgreSQL, `?` in the others.
    sql_query: String,
    /// What stands for `$1` or `?`, in their order.
    #[serde(default)]
    params: Vec<Value>,
    /// The number of rows that it brings.
    #[serde(default)]
    rows: Option<Matcher>,
    /// The first column of the first row.
    #[serde(default)]
    value: Option<Matcher>,
    /// How long it may take, in milliseconds.
    #[serde(default)]
    max_ms: Option<u64>,
    /// Whether the server refuses what writes.
    #[serde(default = "crate::http_request::yes")]
    read_only: bool,
    /// The database. The resource's own, if left out.
    #[serde(default)]
    connection: Option<Connection>,
}

impl QuerySuccessAssert {
    /// This query succeeds.
    pub fn new(sql_query: impl Into<String>) -> Self {
        Self {
            sql_query: sql_query.into(),
            params: Vec::new(),
            rows: None,
            value: None,
            max_ms: None,
            read_only: true,
            connection: None,
        }
    }

    /// What stands for the next `$1` or `?`.
    #[must_use]
    pub fn param(mut self, value: impl Into<Value>) -> Self {
        self.params.push(value.into());
        self
    }

    /// What stands for `$1` or `?`, in their order.
    #[must_use]
    pub fn params<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.params.extend(values.into_iter().map(Into::into));
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

    /// How long it may take, in milliseconds.
    #[must_use]
    pub fn max_ms(mut self, ms: u64) -> Self {
        self.max_ms = Some(ms);
        self
    }

    /// Whether the server refuses what writes.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// The database.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    fn expected(&self) -> String {
        let mut told = vec![String::from("succeeds")];
        told.extend(self.rows.as_ref().map(|rows| format!("rows {rows}")));
        told.extend(self.value.as_ref().map(|value| format!("value {value}")));
        told.extend(self.max_ms.map(|ms| format!("at most {ms} ms")));
        told.join(", ")
    }
}

impl AssertionKind for QuerySuccessAssert {
    const NAME: &'static str = "QuerySuccessAssert";
}

#[async_trait]
impl Assertion for QuerySuccessAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        quote(self.sql_query.split_whitespace().collect::<Vec<_>>().join(" ").as_str())
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = database::problems(self.connection.as_ref(), owner);
        problems.extend(database::sql_problems("sql_query", &self.sql_query, "statement"));
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let connection = database::required(self.connection.as_ref(), cx)?;
        let mut statement = Statement::new(&self.sql_query, cx).params(self.params.iter().cloned());
        if !self.read_only {
            statement = statement.may_write();
        }
        let probe = SqlProbe::new(&connection, statement);
        let seen = match self.max_ms {
            Some(_) => cx.measure(probe.alone()).await?,
            None => cx.observe(probe).await?,
        };
        let verdict = match &*seen {
            Ok(rows) => self.judge(rows)?,
            Err(failure) => refused(failure)?,
        };
        Ok(verdict.expected(self.expected()))
    }
}

/// What a refusal says of the query.
fn refused(failure: &SqlFailure) -> Result<Verdict, CheckError> {
    match failure.kind {
        FailureKind::NoTable | FailureKind::Statement => {
            let verdict = database::judged(&failure.error).actual(failure.error.message());
            Ok(match &failure.code {
                Some(code) => verdict.detail("code", code.as_str()),
                None => verdict,
            })
        }
        _ => Err(database::unjudged(failure)),
    }
}

/// `3 rows`.
fn rows_told(rows: &Rows) -> String {
    match (rows.count, rows.more) {
        (1, false) => String::from("1 row"),
        (count, false) => format!("{count} rows"),
        (count, true) => format!("more than {count} rows"),
    }
}

impl QuerySuccessAssert {
    fn judge(&self, seen: &Rows) -> Result<Verdict, CheckError> {
        let took_ms = seen.took.as_secs_f64() * 1000.0;
        let mut wrong: Vec<(String, bool)> = Vec::new();
        let mut actual = vec![rows_told(seen)];
        if let Some(matcher) = &self.rows
            && let Err(mismatch) = count(matcher, seen)?
        {
            let message = match seen.more {
                true => format!("expected rows {matcher}, got more than {}", seen.count),
                false => mismatch.message,
            };
            wrong.push((format!("rows: {message}"), mismatch.judged));
        }
        if let Some(matcher) = &self.value {
            actual.extend(seen.value().map(|value| format!("value {}", Matcher::equals(value.clone()))));
            if let Err(mismatch) = matcher.check(seen.value()) {
                let message = match seen.value() {
                    Some(_) => mismatch.message,
                    None => format!("expected {matcher}, but the query brought no row"),
                };
                wrong.push((format!("value: {message}"), mismatch.judged));
            }
        }
        if let Some(max_ms) = self.max_ms {
            let took = clockwork_core::duration::show(seen.took);
            if took_ms > max_ms as f64 {
                wrong.push((format!("took {took}, at most {max_ms} ms are allowed"), true));
            }
            actual.push(took);
        }
        let told = wrong.iter().map(|(message, _)| message.as_str()).collect::<Vec<_>>().join("; ");
        let actual = actual.join(", ");
        let verdict = match wrong.iter().all(|(_, judged)| *judged) {
            true if wrong.is_empty() => Verdict::passed().message(actual.clone()),
            true => Verdict::failed(told),
            false => Verdict::unjudged(told),
        };
        let took_ms = (took_ms * 1000.0).round() / 1000.0;
        Ok(verdict.actual(actual).detail("rows", seen.count).detail("took_ms", took_ms))
    }
}

/// Compares the number of rows, which is known only as far as they were read.
fn count(matcher: &Matcher, seen: &Rows) -> Result<Result<(), Mismatch>, CheckError> {
    if !seen.more {
        return Ok(matcher.check(Some(&Value::from(seen.count))));
    }
    // Where every number that the matcher names was passed, it says the same of all that may follow.
    let names_more = largest(&serde_json::to_value(matcher).unwrap_or_default()) > seen.count as f64;
    let undecided = || {
        let message = format!("the query brings more than {} rows, and no more are read", seen.count);
        CheckError::unobservable(message).hint("let the database count: `SELECT count(*) …` with `value`")
    };
    match matcher.check(Some(&Value::from(seen.count + 1))) {
        Err(mismatch) if !names_more => Ok(Err(mismatch)),
        Ok(()) if !names_more => Ok(Ok(())),
        _ => Err(undecided()),
    }
}

/// The largest number in a matcher.
fn largest(matcher: &Value) -> f64 {
    match matcher {
        Value::Number(number) => number.as_f64().unwrap_or(f64::INFINITY),
        Value::Array(parts) => parts.iter().map(largest).fold(0.0, f64::max),
        Value::Object(parts) => parts.values().map(largest).fold(0.0, f64::max),
        _ => 0.0,
    }
}

#[cfg(test)]
#[path = "query_success_tests.rs"]
mod tests;
