//! [`TableExistsAssert`]: a table is there, with these columns.
//!
//! It proves that a statement of this connection finds the table: with the server's own rules for case, with its search
//! path, and as far as the user may see. Tables, partitioned and foreign tables, views and materialized views all count,
//! and the evidence says which it is; sequences, indexes and types do not. In PostgreSQL a name without quotes is in small
//! letters (`"Users"` in quotes is another table than `users`); MySQL and SQLite have rules of their own, which hold.
//!
//! A column's type is compared by what it means (`int`, `integer` and `int4` are one type, `varchar(255)` is `character
//! varying(255)`), and where no length is given, any will do. Columns that are not named may be there too.
//!
//! Judged (so that `not` turns it around): the table is missing, or is something else; a column is missing, or of another
//! type. Not judged: everything that keeps from looking at the table, a refused connection for one.

use std::collections::BTreeMap;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
    text::{harmless, quote},
};
use clockwork_drivers::sql::{
    Column, Connection, DatabaseEngine, Relation, Table, TableLook, TableName, look_up,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{column_type, database};

/// A table is there, with these columns.
///
/// ```
/// use clockwork_assert::TableExistsAssert;
///
/// TableExistsAssert::new("app.users").column("id", "bigint").column("email", "text");
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableExistsAssert {
    /// The table: `users`, `app.users`, `"Users"`.
    table: String,
    /// Columns that it has, and their types: `{ id: bigint, email: varchar(255) }`.
    #[serde(default)]
    columns: BTreeMap<String, String>,
    /// The database. The resource's own, if left out.
    #[serde(default)]
    connection: Option<Connection>,
}

impl TableExistsAssert {
    /// This table is there.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), columns: BTreeMap::new(), connection: None }
    }

    /// It has a column of this name and type.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, type_name: impl Into<String>) -> Self {
        self.columns.insert(name.into(), type_name.into());
        self
    }

    /// It has columns of these names and types.
    #[must_use]
    pub fn columns<N: Into<String>, T: Into<String>>(
        self,
        columns: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        columns.into_iter().fold(self, |assertion, (name, type_name)| assertion.column(name, type_name))
    }

    /// The database.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    fn expected(&self) -> String {
        let columns: Vec<_> =
            self.columns.iter().map(|(name, type_name)| format!("{name} {type_name}")).collect();
        match columns.is_empty() {
            true => format!("table {}", self.table),
            false => format!("table {} ({})", self.table, columns.join(", ")),
        }
    }
}

impl AssertionKind for TableExistsAssert {
    const NAME: &'static str = "TableExistsAssert";
}

#[async_trait]
impl Assertion for TableExistsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        harmless(&self.table).into_owned()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = database::problems(self.connection.as_ref(), owner);
        let Some(connection) = database::meant(self.connection.as_ref(), owner) else { return problems };
        if let Err(message) = TableName::parse(connection.engine, &self.table) {
            problems.push(Invalid::field("table", message));
        }
        for (name, type_name) in &self.columns {
            if name.is_empty() || type_name.trim().is_empty() {
                problems.push(Invalid::field("columns", "each needs a name and a type: `{ id: bigint }`"));
            }
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let connection = database::required(self.connection.as_ref(), cx)?;
        let name = TableName::parse(connection.engine, &self.table).map_err(CheckError::unobservable)?;
        match look_up(&connection, &name, cx).await? {
            Ok(look) => {
                Ok(judge(connection.engine, &self.table, &self.columns, &look).expected(self.expected()))
            }
            Err(failure) => Err(database::unjudged(&failure)),
        }
    }
}

fn judge(
    engine: DatabaseEngine,
    table: &str,
    columns: &BTreeMap<String, String>,
    look: &TableLook,
) -> Verdict {
    let found = match look {
        TableLook::Found(found) => found,
        TableLook::Missing { searched, near } => return missing(table, searched, near),
    };
    let told = format!("{} is {}", quote(&found.name), found.relation);
    if let Relation::Other(_) = found.relation {
        return Verdict::failed(format!("{told}, not a table")).actual(told);
    }
    let wrong: Vec<_> =
        columns.iter().filter_map(|(name, type_name)| column(engine, found, name, type_name)).collect();
    if wrong.is_empty() {
        return Verdict::passed().message(told.clone()).actual(told);
    }
    Verdict::failed(format!("{}: {}", quote(&found.name), wrong.join("; "))).actual(wrong.join("; "))
}

/// Nothing of this name: where it was looked for, and what may have been meant.
pub(crate) fn missing(table: &str, searched: &str, near: &[String]) -> Verdict {
    let mut message = format!("there is no table {} ({})", quote(table), harmless(searched));
    if !near.is_empty() {
        let near: Vec<_> = near.iter().take(5).map(|near| quote(near)).collect();
        message.push_str(&format!("; there is {}", near.join(", ")));
    }
    Verdict::failed(message).actual("no such table")
}

/// What is wrong with a column, if anything is.
fn column(engine: DatabaseEngine, table: &Table, name: &str, type_name: &str) -> Option<String> {
    // A column's name follows the same rules as a table's.
    let stored = TableName::parse(engine, name).map_or_else(|_| name.to_owned(), |parsed| parsed.name);
    let exact = |column: &&Column| column.name == stored;
    let any_case = |column: &&Column| column.name.to_lowercase() == stored.to_lowercase();
    let found = match engine {
        DatabaseEngine::Postgresql => table.columns.iter().find(exact),
        _ => table.columns.iter().find(any_case),
    };
    let Some(found) = found else {
        let near = table.columns.iter().find(any_case);
        let hint =
            near.map(|near| format!(" (there is {}; a name in quotes keeps its case)", quote(&near.name)));
        return Some(format!("it has no column {}{}", quote(&stored), hint.unwrap_or_default()));
    };
    let fits = column_type::fits(engine, type_name, &found.type_name);
    (!fits).then(|| {
        format!("column {} is {}, expected {}", quote(name), quote(&found.type_name), quote(type_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(relation: Relation) -> TableLook {
        let column = |name: &str, type_name: &str| Column { name: name.into(), type_name: type_name.into() };
        let columns = vec![column("id", "integer"), column("Email", "character varying(255)")];
        TableLook::Found(Table::new("public.users", relation, columns))
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        let missing = |near: &[&str]| TableLook::Missing {
            searched: "search_path: public".into(),
            near: near.iter().map(|near| (*near).to_owned()).collect(),
        };
        for (look, columns, expected) in [
            (table(Relation::Table), vec![], ""),
            (table(Relation::View), vec![("ID", "int4")], ""),
            (table(Relation::Table), vec![("\"Email\"", "varchar(255)")], ""),
            (
                table(Relation::Other("a sequence".into())),
                vec![],
                "\"public.users\" is a sequence, not a table",
            ),
            (missing(&[]), vec![], "there is no table \"users\" (search_path: public)"),
            (
                missing(&["app.users", "public.\"Users\""]),
                vec![],
                "there is no table \"users\" (search_path: public); there is \"app.users\", \"public.\\\"Users\\\"\"",
            ),
            (
                table(Relation::Table),
                vec![("email", "text"), ("id", "bigint"), ("age", "int")],
                "\"public.users\": it has no column \"age\"; it has no column \"email\" (there is \"Email\"; a name in \
                 quotes keeps its case); column \"id\" is \"integer\", expected \"bigint\"",
            ),
        ] {
            let columns =
                columns.into_iter().map(|(name, type_name)| (name.into(), type_name.into())).collect();
            let verdict = judge(DatabaseEngine::Postgresql, "users", &columns, &look);
            assert_eq!(verdict.has_passed(), expected.is_empty(), "{verdict:?}");
            assert!(verdict.is_judged());
            if !expected.is_empty() {
                assert_eq!(verdict.text(), expected);
            }
        }
    }
}
