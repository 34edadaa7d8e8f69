//! [`RowCountAssert`]: a table has at least, or at most, so many rows.
//!
//! Rows are counted by the database, as this user sees them, and no further than needed: with `min: 1` it stops at the
//! first. Row security and a replica's delay are part of what is seen. `where` is a condition of the engine's own SQL; the
//! server holds it to reading.
//!
//! With `estimate: true` nothing is counted: the engine's statistics are asked, which may be far off. A table that was
//! never analysed, a view, and SQLite have none, which is `errored`.
//!
//! Judged (so that `not` turns it around): too few, too many. Not judged: a missing table, a condition that is refused, and
//! everything that keeps from looking.
//!
//! `details`: `rows`, and `counted`: `exact`, `at least` (counting stopped there) or `estimate`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
    text::{harmless, quote},
};
use clockwork_drivers::sql::{Connection, SqlProbe, Statement, TableName, estimate};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::database;

/// Up to which number counting stops as soon as it is proven; beyond, the engine counts faster without.
const STOP: u64 = 1_000_000;

/// A table has at least, or at most, so many rows.
///
/// ```
/// use clockwork_assert::RowCountAssert;
///
/// RowCountAssert::new("users").min(1).r#where("deleted_at IS NULL");
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowCountAssert {
    /// The table: `users`, `app.users`, `"Users"`.
    table: String,
    /// At least so many rows.
    #[serde(default)]
    min: Option<u64>,
    /// At most so many rows.
    #[serde(default)]
    max: Option<u64>,
    /// Only rows for which this holds: a condition in SQL.
    #[serde(default)]
    r#where: Option<String>,
    /// Ask the engine's statistics, which cost nothing and may be far off.
    #[serde(default)]
    estimate: bool,
    /// The database. The resource's own, if left out.
    #[serde(default)]
    connection: Option<Connection>,
}

impl RowCountAssert {
    /// About the rows of this table.
    pub fn new(table: impl Into<String>) -> Self {
        let table = table.into();
        Self { table, min: None, max: None, r#where: None, estimate: false, connection: None }
    }

    /// At least so many rows.
    #[must_use]
    pub fn min(mut self, rows: u64) -> Self {
        self.min = Some(rows);
        self
    }

    /// At most so many rows.
    #[must_use]
    pub fn max(mut self, rows: u64) -> Self {
        self.max = Some(rows);
        self
    }

    /// Only rows for which this holds: a condition in SQL.
    #[must_use]
    pub fn r#where(mut self, condition: impl Into<String>) -> Self {
        self.r#where = Some(condition.into());
        self
    }

    /// Ask the engine's statistics.
    #[must_use]
    pub fn estimate(mut self) -> Self {
        self.estimate = true;
        self
    }

    /// The database.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    fn expected(&self) -> String {
        let rows = |count: u64| if count == 1 { String::from("1 row") } else { format!("{count} rows") };
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => rows(min),
            (Some(min), Some(max)) => format!("{min} to {max} rows"),
            (Some(min), None) => format!("at least {}", rows(min)),
            (None, Some(max)) => format!("at most {}", rows(max)),
            (None, None) => String::from("some number of rows"),
        }
    }

    /// How many rows prove all there is to prove.
    fn enough(&self) -> Option<u64> {
        let enough = match (self.min, self.max) {
            (_, Some(max)) => max.saturating_add(1),
            (Some(min), None) => min,
            (None, None) => return None,
        };
        Some(enough).filter(|enough| *enough <= STOP)
    }

    fn sql(&self, name: &TableName) -> String {
        // On lines of its own, so that a comment at its end does not swallow what follows.
        let condition = self.r#where.as_ref().map(|condition| format!(" WHERE (\n{condition}\n)"));
        let rows = format!("FROM {}{}", name.quoted(), condition.unwrap_or_default());
        match self.enough() {
            Some(enough) => format!("SELECT count(*) FROM (SELECT 1 AS one {rows} LIMIT {enough}) AS enough"),
            None => format!("SELECT count(*) {rows}"),
        }
    }

    async fn count(
        &self,
        connection: &Connection,
        name: &TableName,
        cx: &Context,
    ) -> Result<Count, CheckError> {
        if self.estimate {
            let estimated =
                estimate(connection, name, cx).await?.map_err(|error| database::unjudged(&error))?;
            return estimated.map(Count::Estimate).ok_or_else(|| {
                CheckError::unobservable(format!(
                    "there is no estimate of the rows of {}: it was never analysed, or is none that has statistics",
                    quote(&self.table)
                ))
                .retryable()
                .hint("run ANALYZE, or leave `estimate` out to have the rows counted")
            });
        }
        let statement = Statement::new(self.sql(name), cx);
        let rows = cx.observe(SqlProbe::new(connection, statement)).await?;
        let rows = rows.as_ref().as_ref().map_err(database::unjudged)?;
        let count = rows.value().and_then(Value::as_u64);
        let count =
            count.ok_or_else(|| CheckError::target("the database answered a count with no number"))?;
        Ok(if self.enough() == Some(count) { Count::AtLeast(count) } else { Count::Exact(count) })
    }
}

/// How many rows there are, as far as that is known.
#[derive(Debug, Clone, Copy)]
enum Count {
    Exact(u64),
    AtLeast(u64),
    Estimate(u64),
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(1) => write!(f, "1 row"),
            Self::AtLeast(1) => write!(f, "at least 1 row"),
            Self::Exact(rows) => write!(f, "{rows} rows"),
            Self::AtLeast(rows) => write!(f, "at least {rows} rows"),
            Self::Estimate(rows) => write!(f, "about {rows} rows (an estimate)"),
        }
    }
}

impl AssertionKind for RowCountAssert {
    const NAME: &'static str = "RowCountAssert";
}

#[async_trait]
impl Assertion for RowCountAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let condition = self.r#where.as_ref().map(|condition| format!(" where {}", quote(condition)));
        format!("{}{}: {}", harmless(&self.table), condition.unwrap_or_default(), self.expected())
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = database::problems(self.connection.as_ref(), owner);
        if let Some(connection) = database::meant(self.connection.as_ref(), owner)
            && let Err(message) = TableName::parse(connection.engine, &self.table)
        {
            problems.push(Invalid::field("table", message));
        }
        match (self.min, self.max) {
            (None, None) => problems.push(Invalid::whole("give `min`, `max`, or both")),
            (Some(min), Some(max)) if min > max => {
                problems.push(Invalid::field("min", format!("is {min}, more than `max`, which is {max}")));
            }
            _ => {}
        }
        match &self.r#where {
            Some(condition) if condition.trim().is_empty() => {
                problems.push(Invalid::field("where", "is empty: leave it out"));
            }
            Some(_) if self.estimate => {
                problems.push(Invalid::field(
                    "estimate",
                    "statistics know of no `where`: leave out one of the two",
                ));
            }
            _ => {}
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let connection = database::required(self.connection.as_ref(), cx)?;
        let name = TableName::parse(connection.engine, &self.table).map_err(CheckError::unobservable)?;
        let count = self.count(&connection, &name, cx).await?;
        Ok(self.judge(count))
    }
}

impl RowCountAssert {
    fn judge(&self, count: Count) -> Verdict {
        let (rows, counted) = match count {
            Count::Exact(rows) => (rows, "exact"),
            Count::AtLeast(rows) => (rows, "at least"),
            Count::Estimate(rows) => (rows, "estimate"),
        };
        let holds = self.min.is_none_or(|min| rows >= min) && self.max.is_none_or(|max| rows <= max);
        let which = if self.r#where.is_some() { " for which the condition holds" } else { "" };
        let message = match holds {
            true => count.to_string(),
            false => format!("{} has {count}{which}, expected {}", quote(&self.table), self.expected()),
        };
        Verdict::of(holds, message)
            .expected(self.expected())
            .actual(count.to_string())
            .detail("rows", rows)
            .detail("counted", counted)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use clockwork_drivers::sql::DatabaseEngine;

    use super::*;

    #[test]
    fn no_more_rows_are_counted_than_prove_it() {
        let users = TableName::parse(DatabaseEngine::Postgresql, "Users").unwrap();
        for (assertion, expected) in [
            (
                RowCountAssert::new("Users").min(1),
                "SELECT count(*) FROM (SELECT 1 AS one FROM \"users\" LIMIT 1) AS enough",
            ),
            (
                RowCountAssert::new("Users").min(1).max(5).r#where("a = 1 -- x"),
                "SELECT count(*) FROM (SELECT 1 AS one FROM \"users\" WHERE (\na = 1 -- x\n) LIMIT 6) AS enough",
            ),
            (RowCountAssert::new("Users").min(5_000_000), "SELECT count(*) FROM \"users\""),
            (RowCountAssert::new("Users").max(u64::MAX), "SELECT count(*) FROM \"users\""),
        ] {
            assert_eq!(assertion.sql(&users), expected);
        }
    }

    #[test]
    fn one_row_is_no_rows() {
        let users = || RowCountAssert::new("users");
        let verdict = users().min(1).judge(Count::Exact(0));
        assert_eq!(verdict.text(), "\"users\" has 0 rows, expected at least 1 row");
        let told = [users().max(1), users().min(1).max(1), users().min(2)].map(|rows| rows.expected());
        assert_eq!(told, ["at most 1 row", "1 row", "at least 2 rows"]);
    }

    #[test]
    fn what_is_wrong_is_the_number() {
        let between = RowCountAssert::new("users").min(2).max(3);
        for (count, holds, message) in [
            (Count::Exact(1), false, "\"users\" has 1 row, expected 2 to 3 rows"),
            (Count::Exact(2), true, "2 rows"),
            (Count::Exact(3), true, "3 rows"),
            (Count::AtLeast(4), false, "\"users\" has at least 4 rows, expected 2 to 3 rows"),
            (Count::Estimate(7), false, "\"users\" has about 7 rows (an estimate), expected 2 to 3 rows"),
        ] {
            let verdict = between.judge(count);
            assert_eq!((verdict.has_passed(), verdict.text()), (holds, message));
        }
    }
}
