//! [`DataConsistencyAssert`]: two queries bring the same rows: a copy, a replica or a migrated table has what the original
//! has.
//!
//! Rows are told apart by `key`, and compared column by column, by name. A value is equal to one of the same type alone:
//! numbers by what they say (1 is 1.00), texts byte by byte, NULL to NULL. Not equal are a number and a text, a boolean
//! and a number (cast one of them in its query), a value and NULL. Times are texts as the engine writes them, in UTC and
//! without a zone; JSON and arrays are texts too. `tolerance` lets numbers be apart, by value and not by percent.
//!
//! Each side is read in one snapshot (repeatable read), in a read-only transaction that the server enforces; the engines may
//! differ. The snapshots of two servers are not of the same instant: what changes meanwhile shows as a difference, and
//! `within` looks again. Both are sorted by the key by their servers and merged as they come, in memory that does not
//! depend on how many rows there are.
//!
//! Judged: rows that are missing on the right, extra there, or different. Not judged (`failed`, and `errored` under `not`):
//! no row on either side unless `allow_empty` is set, which would be equal without proving anything; a key that several
//! rows have, as often on both sides; a NULL in a key; queries with other columns; a database that does not answer. Where
//! a server sorts the key in a way that cannot be followed, it is `errored`.
//!
//! `details`: `left_rows`, `right_rows`, `equal`, `missing`, `extra`, `differing`, `repeated`, `examples` (the first few of
//! each kind: `kind`, `key`, `columns`), `took_ms`.

use std::collections::BTreeMap;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Named, Resource, ResourceName, Verdict,
    async_trait, nearest,
    text::{harmless, quote},
};
use clockwork_drivers::sql::{
    Compared, Connection, DifferenceKind, Incomparable, Incomplete, Number, Side, SideOf, TableComparison,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{database, http_answer::milliseconds, one_or_many::OneOrMany, tolerance::Tolerance};

/// Two queries bring the same rows.
///
/// ```
/// use clockwork_assert::{DataConsistencyAssert, DataSide};
/// use clockwork_drivers::ContainerResource;
///
/// let (old, new) = (ContainerResource::new("old-db"), ContainerResource::new("new-db"));
/// let query = "SELECT id, email, balance FROM accounts";
/// DataConsistencyAssert::new(DataSide::of(&old, query), DataSide::of(&new, query), "id").tolerance("balance", 0.01);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConsistencyAssert {
    /// What it is compared with.
    left: DataSide,
    /// What has to be the same.
    right: DataSide,
    /// The column, or the columns, by which a row is known: one row for each key.
    key: OneOrMany<String>,
    /// How far apart numbers may be: `0.01` in all columns, or column → distance. The key is compared exactly.
    #[serde(default)]
    tolerance: Option<Tolerance>,
    /// Whether it may pass when neither side has a row.
    #[serde(default)]
    allow_empty: bool,
}

/// One side of a comparison: a query, and where it is asked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSide {
    /// The resource whose `connection` it is. If this and `connection` are left out, the one that it is declared on.
    #[serde(default)]
    resource: Option<String>,
    /// The database.
    #[serde(default)]
    connection: Option<Connection>,
    /// A query. Its rows may come in any order.
    sql_query: String,
    /// What stands for `$1` or `?`, in their order.
    #[serde(default)]
    params: Vec<Value>,
}

impl DataSide {
    /// What this query brings from the database of this resource.
    pub fn of(resource: impl Named, sql_query: impl Into<String>) -> Self {
        let resource = Some(resource.resource_name().to_string());
        Self { resource, connection: None, sql_query: sql_query.into(), params: Vec::new() }
    }

    /// What this query brings over this connection.
    pub fn at(connection: Connection, sql_query: impl Into<String>) -> Self {
        Self { resource: None, connection: Some(connection), sql_query: sql_query.into(), params: Vec::new() }
    }

    /// What stands for the next `$1` or `?`.
    #[must_use]
    pub fn param(mut self, value: impl Into<Value>) -> Self {
        self.params.push(value.into());
        self
    }

    fn problems(&self, side: Side, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let field = |name: &str| format!("{}.{name}", side.as_str());
        let mut problems =
            database::problems_of(&field(""), self.resource.as_deref(), self.connection.as_ref(), owner);
        problems.extend(database::sql_problems(&field("sql_query"), &self.sql_query, "query"));
        problems
    }

    fn asked(&self, cx: &Context) -> Result<SideOf, CheckError> {
        let connection = database::of_resource(self.resource.as_deref(), self.connection.as_ref(), cx)?;
        Ok(SideOf { connection, sql: self.sql_query.clone(), params: self.params.clone() })
    }
}

impl DataConsistencyAssert {
    /// The right side has the rows of the left side, and no others. Rows are known by these columns.
    pub fn new(left: DataSide, right: DataSide, key: impl Into<OneOrMany<String>>) -> Self {
        Self { left, right, key: key.into(), tolerance: None, allow_empty: false }
    }

    /// How far apart the numbers of a column may be.
    #[must_use]
    pub fn tolerance(mut self, column: impl Into<String>, distance: f64) -> Self {
        let columns = match self.tolerance.take() {
            Some(Tolerance::Columns(columns)) => columns,
            _ => BTreeMap::new(),
        };
        let more = [(column.into(), distance.to_string())];
        self.tolerance = Some(Tolerance::Columns(columns.into_iter().chain(more).collect()));
        self
    }

    /// How far apart the numbers of all columns may be.
    #[must_use]
    pub fn tolerance_of_all(mut self, distance: f64) -> Self {
        self.tolerance = Some(Tolerance::All(distance.to_string()));
        self
    }

    /// It may pass when neither side has a row.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.allow_empty = true;
        self
    }
}

impl AssertionKind for DataConsistencyAssert {
    const NAME: &'static str = "DataConsistencyAssert";
}

#[async_trait]
impl Assertion for DataConsistencyAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("by {}", harmless(&self.key.as_slice().join(", ")))
    }

    fn related(&self) -> Vec<ResourceName> {
        database::related([&self.left, &self.right].map(|side| side.resource.as_deref()))
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.left.problems(Side::Left, owner);
        problems.extend(self.right.problems(Side::Right, owner));
        let key = self.key.as_slice();
        if key.is_empty() || key.iter().any(String::is_empty) {
            problems.push(Invalid::field("key", "names no column: give the one by which a row is known"));
        }
        let same =
            |(at, name): (usize, &String)| key[..at].iter().any(|other| other.eq_ignore_ascii_case(name));
        if key.iter().enumerate().any(same) {
            problems.push(Invalid::field("key", "names a column twice"));
        }
        for (column, distance) in self.tolerance.iter().flat_map(Tolerance::each) {
            if !Number::parse(distance).is_some_and(|number| number.is_distance()) {
                let problem = format!("{} is no distance: write a number of at least 0", quote(distance));
                problems.push(Invalid::field("tolerance", problem));
            }
            if column.is_some_and(|column| key.iter().any(|name| name.eq_ignore_ascii_case(column))) {
                let problem = "names a column of the key, which is compared exactly";
                problems.push(Invalid::field("tolerance", problem));
            }
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (left, right) = (self.left.asked(cx)?, self.right.asked(cx)?);
        let mut probe = TableComparison::new(left, right, self.key.as_slice().to_vec(), cx);
        for (column, distance) in self.tolerance.iter().flat_map(Tolerance::each) {
            probe = probe.tolerance(column, distance);
        }
        let verdict = match &*cx.observe(probe).await? {
            Ok(compared) => self.judge(compared),
            Err(incomparable) => not_compared(incomparable)?,
        };
        Ok(verdict.expected("the same rows on both sides"))
    }
}

/// `1 row`, `3 rows`.
fn rows(count: u64) -> String {
    if count == 1 { String::from("1 row") } else { format!("{count} rows") }
}

impl DataConsistencyAssert {
    fn judge(&self, seen: &Compared) -> Verdict {
        let Compared { left_rows, right_rows, equal, missing, extra, differing, repeated, .. } = *seen;
        let (mut told, mut actual) = (Vec::new(), Vec::new());
        let kinds = [
            (DifferenceKind::Missing, missing, "missing on the right"),
            (DifferenceKind::Extra, extra, "extra on the right"),
            (DifferenceKind::Differing, differing, "different"),
        ];
        for (kind, count, words) in kinds.into_iter().filter(|(_, count, _)| *count > 0) {
            actual.push(format!("{count} {}", kind.as_str()));
            told.push(format!("{} {words} ({})", rows(count), examples(seen, kind)));
        }
        let differs = !told.is_empty();
        if repeated > 0 {
            told.push(format!(
                "{} cannot be told apart by the key ({}): add columns to `key`",
                rows(repeated),
                examples(seen, DifferenceKind::Repeated)
            ));
        }
        let verdict = if differs {
            Verdict::failed(told.join("; "))
        } else if repeated > 0 {
            Verdict::unjudged(told.join("; "))
        } else if left_rows == 0 && right_rows == 0 && !self.allow_empty {
            Verdict::unjudged(
                "neither side brings a row, so that nothing was compared; `allow_empty: true` says that this is right",
            )
        } else {
            Verdict::passed().message(format!("{} compared", rows(equal)))
        };
        let actual = match actual.as_slice() {
            [] => format!("{} and {}", rows(left_rows), rows(right_rows)),
            some => some.join(", "),
        };
        let examples: Vec<Value> = seen
            .examples
            .iter()
            .map(|one| json!({ "kind": one.kind.as_str(), "key": one.key, "columns": one.columns }))
            .collect();
        verdict
            .actual(actual)
            .detail("left_rows", left_rows)
            .detail("right_rows", right_rows)
            .detail("equal", equal)
            .detail("missing", missing)
            .detail("extra", extra)
            .detail("differing", differing)
            .detail("repeated", repeated)
            .detail("examples", examples)
            .detail("took_ms", milliseconds(seen.took))
    }
}

/// How many examples of a kind a message shows.
const SHOWN: usize = 3;

fn examples(seen: &Compared, kind: DifferenceKind) -> String {
    let told = seen.examples.iter().filter(|example| example.kind == kind).take(SHOWN);
    let told: Vec<_> = told.map(|example| example.message.as_str()).collect();
    told.join("; ")
}

fn not_compared(incomparable: &Incomparable) -> Result<Verdict, CheckError> {
    let listed = |names: &[String]| {
        let quoted: Vec<_> = names.iter().take(8).map(|name| quote(name)).collect();
        quoted.join(", ")
    };
    Ok(match incomparable {
        Incomparable::Failed(side, failure) => {
            return Err(database::of_place(&format!("the {} side", side.as_str()), failure));
        }
        Incomparable::Columns(side, Incomplete::Missing { name, columns }) => {
            let near = nearest(name, columns.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {}?", quote(near)));
            let message = format!(
                "the {} query has no column {}, only {}{near}",
                side.as_str(),
                quote(name),
                listed(columns)
            );
            Verdict::unjudged(message).terminal()
        }
        Incomparable::Columns(side, Incomplete::Twice(name)) => {
            let message = format!(
                "the {} query has two columns {}: name each once, with AS",
                side.as_str(),
                quote(name)
            );
            Verdict::unjudged(message).terminal()
        }
        Incomparable::OtherColumns { only_left, only_right } => {
            let sides = [("left", only_left), ("right", only_right)];
            let told = sides.iter().filter(|(_, names)| !names.is_empty());
            let told: Vec<_> =
                told.map(|(side, names)| format!("only the {side} one has {}", listed(names))).collect();
            let message =
                format!("the queries have other columns: {}; select the same on both sides", told.join(", "));
            Verdict::unjudged(message)
        }
        Incomparable::NullKey { side, column } => Verdict::unjudged(format!(
            "a row of the {} side has NULL in {}, a column of the key: no row can be known by it",
            side.as_str(),
            quote(column)
        )),
        Incomparable::Unsorted { side, keys: [before, after] } => {
            let message = format!(
                "the {} side's server sorts the key otherwise than its values are compared: {before} came before {after}",
                side.as_str()
            );
            return Err(
                CheckError::unobservable(message).hint("cast the key to a number or to a text in its query")
            );
        }
    })
}

#[cfg(test)]
#[path = "data_consistency_tests.rs"]
mod tests;
