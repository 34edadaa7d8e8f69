//! What a tool wrote down of the migrations that ran.

use clockwork_core::{CheckError, Context};
use serde_json::Value;

use super::{MigrationTool, normal_version};
use crate::sql::{Connection, DatabaseEngine, Rows, SqlFailure, SqlProbe, Statement, TableName};

/// How many migrations are read.
const KEEP: usize = 50_000;

/// What a tool wrote down, in the order in which it ran them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// What ran, or failed.
    pub migrations: Vec<Ran>,
    /// Flyway: nothing up to this version has to run, because the database began with it.
    pub baseline: Option<String>,
}

/// A migration that a tool ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its version, in the one spelling; for Django `app.name`; for a repeatable one of Flyway its description.
    pub version: String,
    /// What the tool calls it, if it says more than the version.
    pub name: String,
    /// Whether it failed, half-way maybe.
    pub failed: bool,
    /// What was written down of its content.
    pub checksum: Option<String>,
    /// Whether it runs again whenever its content changes (Flyway's `R__`).
    pub repeatable: bool,
}

/// Reads the table of this tool.
///
/// # Errors
/// When Clockwork cannot look.
pub async fn applied_migrations(
    connection: &Connection,
    table: &TableName,
    tool: MigrationTool,
    cx: &Context,
) -> Result<Result<Applied, SqlFailure>, CheckError> {
    let statement = Statement::new(select(connection.engine, table, tool), cx).keep(KEEP);
    Ok((*cx.observe(SqlProbe::new(connection, statement)).await?).clone().map(|rows| read(tool, &rows)))
}

fn select(engine: DatabaseEngine, table: &TableName, tool: MigrationTool) -> String {
    let mysql = matches!(engine, DatabaseEngine::Mysql | DatabaseEngine::Mariadb);
    let text = |column: &str| match mysql {
        true => format!("CAST({column} AS CHAR)"),
        false => format!("CAST({column} AS TEXT)"),
    };
    let hex = match engine {
        DatabaseEngine::Postgresql => "encode(checksum, 'hex')",
        _ => "lower(hex(checksum))",
    };
    // version, name, failed, checksum, type
    let (columns, order) = match tool {
        MigrationTool::Sqlx => {
            (format!("{}, description, NOT success, {hex}, ''", text("version")), "version")
        }
        MigrationTool::Refinery => (format!("{}, name, 0, '', ''", text("version")), "version"),
        MigrationTool::Diesel | MigrationTool::Rails => {
            (format!("{}, '', 0, '', ''", text("version")), "version")
        }
        MigrationTool::Flyway => (
            format!(
                "version, description, NOT success, {}, {}",
                text("checksum"),
                if mysql { "`type`" } else { "\"type\"" }
            ),
            "installed_rank",
        ),
        MigrationTool::Alembic => (String::from("version_num, '', 0, '', ''"), "version_num"),
        MigrationTool::Django => (String::from("app, name, 0, '', ''"), "id"),
        MigrationTool::GolangMigrate => (format!("{}, '', dirty, '', ''", text("version")), "version"),
    };
    format!("SELECT {columns} FROM {} ORDER BY {order}", table.quoted())
}

fn read(tool: MigrationTool, rows: &Rows) -> Applied {
    let mut applied = Applied::default();
    for row in &rows.rows {
        let (version, name) = (Rows::text(row, 0), Rows::text(row, 1));
        let failed = match row.get(2) {
            Some(Value::Bool(failed)) => *failed,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            // What cannot be read is no success.
            other => other.is_some_and(|value| !value.is_null()),
        };
        let checksum = Some(Rows::text(row, 3).to_owned()).filter(|checksum| !checksum.is_empty());
        let mut ran = Ran { version: normal_version(tool, version), failed, checksum, ..Ran::default() };
        match tool {
            MigrationTool::Django => ran.version = format!("{version}.{name}"),
            MigrationTool::Flyway => {
                match Rows::text(row, 4) {
                    // Made by Flyway itself, or taken back.
                    "SCHEMA" => continue,
                    "BASELINE" | "SQL_BASELINE" => {
                        applied.baseline = Some(ran.version);
                        continue;
                    }
                    "DELETE" | "UNDO_SQL" | "UNDO_JDBC" => {
                        applied.migrations.retain(|other| other.version != ran.version);
                        continue;
                    }
                    _ => {}
                }
                name.clone_into(&mut ran.name);
                if version.is_empty() {
                    ran.repeatable = true;
                    ran.version = name.replace(' ', "_");
                    applied.migrations.retain(|other| !other.repeatable || other.version != ran.version);
                }
            }
            _ => name.clone_into(&mut ran.name),
        }
        applied.migrations.push(ran);
    }
    applied
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn rows(rows: &[[Value; 5]]) -> Rows {
        let rows: Vec<_> = rows.iter().map(|row| row.to_vec()).collect();
        Rows {
            columns: Vec::new(),
            count: rows.len() as u64,
            rows,
            more: false,
            affected: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn flyway_bases_deletes_and_repeats() {
        let read = read(
            MigrationTool::Flyway,
            &rows(&[
                [
                    json!(null),
                    json!("<< Flyway Schema Creation >>"),
                    json!(false),
                    json!(null),
                    json!("SCHEMA"),
                ],
                [json!("1"), json!("<< Flyway Baseline >>"), json!(false), json!(null), json!("BASELINE")],
                [json!("2"), json!("users"), json!(false), json!("77"), json!("SQL")],
                [json!("3"), json!("orders"), json!(1), json!("-5"), json!("SQL")],
                [json!("3"), json!("orders"), json!(false), json!(null), json!("DELETE")],
                [json!(null), json!("my views"), json!(false), json!("1"), json!("SQL")],
                [json!(null), json!("my views"), json!(false), json!("2"), json!("SQL")],
            ]),
        );
        assert_eq!(read.baseline.as_deref(), Some("1"));
        let told: Vec<_> = read
            .migrations
            .iter()
            .map(|ran| (ran.version.as_str(), ran.failed, ran.checksum.as_deref()))
            .collect();
        assert_eq!(told, [("2", false, Some("77")), ("my_views", false, Some("2"))]);
    }
}
