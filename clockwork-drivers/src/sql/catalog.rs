//! What an engine knows of a table: what it is, its columns, and how many rows it is believed to have.

use clockwork_core::{CheckError, Context};
use serde_json::Value;

use super::{
    Connection, DatabaseEngine, Rows, SqlProbe, Statement, TableName,
    failure::{FailureKind, SqlFailure},
};

/// How many columns and near names are read.
const KEEP: usize = 4096;

/// What was found where a table should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableLook {
    /// Something of that name.
    Found(Table),
    /// Nothing.
    Missing {
        /// Where it was looked for: the schemas of the search path, or the database.
        searched: String,
        /// Tables elsewhere, or in another case, that may have been meant.
        near: Vec<String>,
    },
}

/// Something with columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// With its schema, where the engine has such.
    pub name: String,
    /// What it is.
    pub relation: Relation,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

impl Table {
    /// Something of this name, with these columns.
    pub fn new(name: impl Into<String>, relation: Relation, columns: Vec<Column>) -> Self {
        Self { name: name.into(), relation, columns }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, as it is stored.
    pub name: String,
    /// Its type, as the engine writes it.
    pub type_name: String,
}

/// What has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// A table.
    Table,
    /// A table that is divided into others.
    PartitionedTable,
    /// A table that lies on another server.
    ForeignTable,
    /// A query that looks like a table.
    View,
    /// A view whose rows are stored.
    MaterializedView,
    /// None of these, in the engine's words: a sequence, an index, a type.
    Other(String),
}

impl std::fmt::Display for Relation {
    /// With its article.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Table => "a table",
            Self::PartitionedTable => "a partitioned table",
            Self::ForeignTable => "a foreign table",
            Self::View => "a view",
            Self::MaterializedView => "a materialized view",
            Self::Other(other) => other,
        })
    }
}

type Looked<T> = Result<Result<T, SqlFailure>, CheckError>;

async fn ask(connection: &Connection, sql: &str, params: Vec<Option<String>>, cx: &Context) -> Looked<Rows> {
    let statement = Statement::new(sql, cx).params(params).keep(KEEP);
    Ok((*cx.observe(SqlProbe::new(connection, statement)).await?).clone())
}

/// Unwraps an answer; ends with the failure otherwise.
macro_rules! answered {
    ($looked:expr) => {
        match $looked {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure)),
        }
    };
}

/// Looks for what has this name, as a statement of this connection would find it.
///
/// # Errors
/// When Clockwork cannot look.
pub async fn look_up(connection: &Connection, name: &TableName, cx: &Context) -> Looked<TableLook> {
    match connection.engine {
        DatabaseEngine::Postgresql => postgres(connection, name, cx).await,
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => mysql(connection, name, cx).await,
        DatabaseEngine::Sqlite => sqlite(connection, name, cx).await,
    }
}

fn columns(rows: &[Vec<Value>], at: usize) -> Vec<Column> {
    let named = rows.iter().filter(|row| row.get(at).is_some_and(Value::is_string));
    named
        .map(|row| Column {
            name: Rows::text(row, at).to_owned(),
            type_name: Rows::text(row, at + 1).to_owned(),
        })
        .collect()
}

/// The server itself finds it (`to_regclass`): with its search path, and what the user may see.
const POSTGRES: &str = "\
SELECT n.nspname::text, c.relname::text, c.relkind::text, a.attname::text, \
       pg_catalog.format_type(a.atttypid, a.atttypmod) \
FROM pg_catalog.pg_class c \
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
WHERE c.oid = pg_catalog.to_regclass($1) ORDER BY a.attnum";

const POSTGRES_NEAR: &str = "\
SELECT pg_catalog.array_to_string(pg_catalog.current_schemas(false), ', '), \
       CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END \
FROM (SELECT 1) one \
LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) \
  ON pg_catalog.lower(c.relname) = pg_catalog.lower($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
ORDER BY 2 LIMIT 5";

async fn postgres(connection: &Connection, name: &TableName, cx: &Context) -> Looked<TableLook> {
    let found = answered!(ask(connection, POSTGRES, vec![Some(name.quoted())], cx).await?);
    let Some(first) = found.rows.first() else {
        let near = answered!(ask(connection, POSTGRES_NEAR, vec![Some(name.name.clone())], cx).await?);
        let searched = near.rows.first().map(|row| Rows::text(row, 0)).unwrap_or_default();
        let searched = match &name.schema {
            Some(schema) => format!("schema {schema}"),
            None => format!("search_path: {searched}"),
        };
        let near = near.rows.iter().map(|row| Rows::text(row, 1)).filter(|near| !near.is_empty());
        return Ok(Ok(TableLook::Missing { searched, near: near.map(str::to_owned).collect() }));
    };
    let relation = match Rows::text(first, 2) {
        "r" => Relation::Table,
        "p" => Relation::PartitionedTable,
        "f" => Relation::ForeignTable,
        "v" => Relation::View,
        "m" => Relation::MaterializedView,
        "S" => Relation::Other(String::from("a sequence")),
        "i" | "I" => Relation::Other(String::from("an index")),
        "c" => Relation::Other(String::from("a composite type")),
        _ => Relation::Other(String::from("something else")),
    };
    let name = format!("{}.{}", Rows::text(first, 0), Rows::text(first, 1));
    Ok(Ok(TableLook::Found(Table { name, relation, columns: columns(&found.rows, 3) })))
}

/// In any case: whether that counts is the server's `lower_case_table_names`.
const MYSQL: &str = "\
SELECT t.table_schema, t.table_name, t.table_type, @@lower_case_table_names, c.column_name, c.column_type, DATABASE() \
FROM information_schema.tables t \
LEFT JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name \
WHERE t.table_schema = COALESCE(?, DATABASE()) AND LOWER(t.table_name) = LOWER(?) \
ORDER BY t.table_name, c.ordinal_position";

async fn mysql(connection: &Connection, name: &TableName, cx: &Context) -> Looked<TableLook> {
    let params = vec![name.schema.clone(), Some(name.name.clone())];
    let found = answered!(ask(connection, MYSQL, params, cx).await?);
    let any_case = |row: &[Value]| row.get(3).and_then(Value::as_i64).is_some_and(|mode| mode != 0);
    let is_it = |row: &[Value]| Rows::text(row, 1) == name.name || any_case(row);
    let rows: Vec<_> = found.rows.iter().filter(|row| is_it(row)).cloned().collect();
    let Some(first) = rows.first() else {
        let searched = match name.schema.as_deref().or(connection.database()) {
            Some(database) => format!("database {database}"),
            None => {
                let message = "no database is chosen, so that there is nowhere to look for the table";
                let failure = SqlFailure::new(FailureKind::Statement, message);
                return Ok(Err(failure.hint("give the connection a `database`, or write `database.table`")));
            }
        };
        let mut near: Vec<_> =
            found.rows.iter().map(|row| format!("{}.{}", Rows::text(row, 0), Rows::text(row, 1))).collect();
        near.dedup();
        return Ok(Ok(TableLook::Missing { searched, near }));
    };
    let relation = match Rows::text(first, 2) {
        "BASE TABLE" | "SYSTEM VERSIONED" => Relation::Table,
        "VIEW" | "SYSTEM VIEW" => Relation::View,
        "SEQUENCE" => Relation::Other(String::from("a sequence")),
        _ => Relation::Other(String::from("something else")),
    };
    let name = format!("{}.{}", Rows::text(first, 0), Rows::text(first, 1));
    Ok(Ok(TableLook::Found(Table { name, relation, columns: columns(&rows, 4) })))
}

async fn sqlite(connection: &Connection, name: &TableName, cx: &Context) -> Looked<TableLook> {
    let schema = name.schema.as_deref().unwrap_or("main");
    let sql = format!(
        "SELECT m.name, m.type, c.name, c.type FROM {}.sqlite_master m LEFT JOIN pragma_table_xinfo(m.name, ?1) c \
         WHERE m.type IN ('table', 'view') AND lower(m.name) = lower(?2) ORDER BY c.cid",
        name.identifier(schema)
    );
    let params = vec![Some(schema.to_owned()), Some(name.name.clone())];
    let found = answered!(ask(connection, &sql, params, cx).await?);
    let Some(first) = found.rows.first() else {
        let searched = format!("schema {schema}");
        return Ok(Ok(TableLook::Missing { searched, near: Vec::new() }));
    };
    let relation = if Rows::text(first, 1) == "view" { Relation::View } else { Relation::Table };
    let name = Rows::text(first, 0).to_owned();
    Ok(Ok(TableLook::Found(Table { name, relation, columns: columns(&found.rows, 2) })))
}

/// How many rows the engine's statistics believe a table has; `None` where there are none: it was never analysed, or is
/// a view, or the engine keeps no such statistics.
///
/// # Errors
/// When Clockwork cannot look.
pub async fn estimate(connection: &Connection, name: &TableName, cx: &Context) -> Looked<Option<u64>> {
    let (sql, params) = match connection.engine {
        DatabaseEngine::Postgresql => (
            // Before PostgreSQL 14 a table that was never analysed has 0 rows on 0 pages.
            "SELECT CASE WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0 AND \
             pg_catalog.pg_relation_size(c.oid) > 0) OR c.relkind NOT IN ('r', 'p', 'm', 'f') THEN NULL \
             ELSE c.reltuples::bigint END FROM pg_catalog.pg_class c \
             WHERE c.oid = pg_catalog.to_regclass($1)",
            vec![Some(name.quoted())],
        ),
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => (
            "SELECT CAST(table_rows AS SIGNED) FROM information_schema.tables \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?",
            vec![name.schema.clone(), Some(name.name.clone())],
        ),
        DatabaseEngine::Sqlite => return Ok(Ok(None)),
    };
    let rows = answered!(ask(connection, sql, params, cx).await?);
    if rows.rows.is_empty() {
        let message =
            format!("there is no table {} that could be seen", clockwork_core::text::quote(&name.name));
        return Ok(Err(SqlFailure::new(FailureKind::NoTable, message)));
    }
    Ok(Ok(rows.value().and_then(Value::as_u64)))
}
