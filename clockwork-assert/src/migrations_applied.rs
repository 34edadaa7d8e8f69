//! [`MigrationsAppliedAssert`]: a database's migrations ran, all of a directory's or up to a version.
//!
//! The tool is known by its table's columns: sqlx, refinery, diesel, Flyway, Alembic, Django, Rails and golang-migrate.
//! With a `directory` it proves that everything there ran (nothing is pending), that nothing failed half-way, that nothing
//! was left out that is older than the newest that ran (out of order), and for sqlx and Flyway that the files are the ones
//! that ran, by their checksums. What ran and has no file is a failure where it is one to the tool itself (sqlx, refinery,
//! Flyway, Alembic, golang-migrate).
//!
//! It does not prove that the tables are still as the migrations made them. For Alembic and golang-migrate, which write down
//! only where they are, `version` is that one, or with a `directory` one before it.
//!
//! Judged (so that `not` turns it around): pending, failed, out of order, changed, unknown, and no table at all, which
//! means that none ran. Not judged: everything that keeps from looking. A directory that cannot be read or holds no
//! migration is `errored`, and so is a table of none of these tools.
//!
//! `details`: `tool`, `applied` (how many), `newest`, and lists of versions: `pending`, `out_of_order`, `failed`, `changed`,
//! `unknown`.

use std::{fmt, path::PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
    text::{harmless, quote},
};
use clockwork_drivers::sql::{
    Applied, Connection, MigrationFiles, MigrationFilesProbe, MigrationTool, TableLook, TableName,
    applied_migrations, look_up,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::{
    database,
    migration_state::{State, compare},
    table_exists,
};

/// A database's migrations ran.
///
/// ```
/// use clockwork_assert::MigrationsAppliedAssert;
///
/// MigrationsAppliedAssert::new("_sqlx_migrations").directory("migrations");
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationsAppliedAssert {
    /// The table in which the tool writes down what ran: `_sqlx_migrations`, `flyway_schema_history`, `alembic_version`…
    table: String,
    /// This migration ran. In Django `app.name`.
    #[serde(default, deserialize_with = "version")]
    #[schemars(with = "Option<Version>")]
    version: Option<String>,
    /// The directory of the migrations: all of them ran. For Django a project, or one app's `migrations`.
    #[serde(default)]
    directory: Option<PathBuf>,
    /// The tool, where the table's columns do not tell.
    #[serde(default)]
    tool: Option<MigrationTool>,
    /// The database. The resource's own, if left out.
    #[serde(default)]
    connection: Option<Connection>,
}

/// What the schema says of a version.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema alone")]
enum Version {
    Text(String),
    Number(u64),
}

/// A text, or a number that stands there as it is: `20240301`.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a migration's version: a text, or a whole number (put one with a point or zeros before it in quotes)")
        }

        fn visit_str<E: de::Error>(self, version: &str) -> Result<Self::Value, E> {
            Ok(Some(version.to_owned()))
        }

        fn visit_u64<E: de::Error>(self, version: u64) -> Result<Self::Value, E> {
            Ok(Some(version.to_string()))
        }

        fn visit_i64<E: de::Error>(self, version: i64) -> Result<Self::Value, E> {
            Ok(Some(version.to_string()))
        }
    }
    deserializer.deserialize_any(Visitor)
}

impl MigrationsAppliedAssert {
    /// About the migrations that are written down in this table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), version: None, directory: None, tool: None, connection: None }
    }

    /// This migration ran.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// All migrations in this directory ran.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The tool, where the table's columns do not tell.
    #[must_use]
    pub fn tool(mut self, tool: MigrationTool) -> Self {
        self.tool = Some(tool);
        self
    }

    /// The database.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    fn expected(&self) -> String {
        match (&self.version, &self.directory) {
            (Some(version), None) => format!("migration {} has run", quote(version)),
            (version, Some(directory)) => {
                let directory = quote(&directory.to_string_lossy());
                let also = version.as_ref().map(|version| format!(", {} among them", quote(version)));
                format!("all migrations of {directory} have run{}", also.unwrap_or_default())
            }
            (None, None) => String::from("migrations have run"),
        }
    }
}

impl AssertionKind for MigrationsAppliedAssert {
    const NAME: &'static str = "MigrationsAppliedAssert";
}

#[async_trait]
impl Assertion for MigrationsAppliedAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let what = match (&self.version, &self.directory) {
            (Some(version), _) => harmless(version).into_owned(),
            (None, Some(directory)) => harmless(&directory.to_string_lossy()).into_owned(),
            (None, None) => String::new(),
        };
        format!("{}: {what}", harmless(&self.table))
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = database::problems(self.connection.as_ref(), owner);
        if let Some(connection) = database::meant(self.connection.as_ref(), owner)
            && let Err(message) = TableName::parse(connection.engine, &self.table)
        {
            problems.push(Invalid::field("table", message));
        }
        if self.version.is_none() && self.directory.is_none() {
            problems.push(Invalid::whole("give `directory`, `version`, or both"));
        }
        if self.version.as_ref().is_some_and(|version| version.trim().is_empty()) {
            problems.push(Invalid::field("version", "is empty: name a migration"));
        }
        if self.directory.as_ref().is_some_and(|directory| directory.as_os_str().is_empty()) {
            problems.push(Invalid::field("directory", "is empty: name a directory"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let connection = database::required(self.connection.as_ref(), cx)?;
        let name = TableName::parse(connection.engine, &self.table).map_err(CheckError::unobservable)?;
        let looked =
            look_up(&connection, &name, cx).await?.map_err(|failure| database::unjudged(&failure))?;
        let columns = match &looked {
            TableLook::Found(table) => &table.columns,
            TableLook::Missing { searched, near } => {
                let verdict = table_exists::missing(&self.table, searched, near);
                let message = format!("no migration has run: {}", verdict.text());
                return Ok(Verdict::failed(message).expected(self.expected()).actual("no such table"));
            }
        };
        let tool = match self.tool {
            Some(tool) if tool.fits(columns) => tool,
            Some(tool) => {
                let message = format!("{} is not a table of {}", quote(&self.table), tool.name());
                return Err(CheckError::unobservable(format!("{message}: its columns are others")));
            }
            None => MigrationTool::recognise(columns).ok_or_else(|| {
                let names: Vec<_> = columns.iter().take(20).map(|column| quote(&column.name)).collect();
                let message = format!("{} is a table of no tool that is known here", quote(&self.table));
                CheckError::unobservable(format!("{message}: its columns are {}", names.join(", ")))
                    .hint("say `tool`, if it is one of these")
            })?,
        };
        let applied = applied_migrations(&connection, &name, tool, cx).await?;
        let applied = applied.map_err(|failure| database::unjudged(&failure))?;
        let files = match &self.directory {
            Some(directory) => {
                let probe = MigrationFilesProbe { directory: directory.clone(), tool };
                // The files lie where clockwork runs, wherever it looks from.
                Some(cx.observe(probe).await?)
            }
            None => None,
        };
        Ok(self.judge(tool, &applied, files.as_deref()).expected(self.expected()))
    }
}

impl MigrationsAppliedAssert {
    fn judge(&self, tool: MigrationTool, applied: &Applied, files: Option<&MigrationFiles>) -> Verdict {
        let state = compare(tool, applied, files);
        let mut wrong = state.wrong(tool);
        if let Some(version) = &self.version
            && !state.has(tool, version)
        {
            let newest = match &state.newest {
                Some(newest) => format!("the newest that has is {}", quote(newest)),
                None => String::from("none has"),
            };
            wrong.insert(0, format!("migration {} has not run, {newest}", quote(version)));
        }
        let State { newest, applied, pending, out_of_order, failed, changed, unknown, .. } = &state;
        let count = if *applied == 1 { "1 migration" } else { &format!("{applied} migrations") };
        let at = newest.as_ref().map(|newest| format!(", the newest is {}", quote(newest)));
        let actual = format!("{}: {count} ran{}", tool.name(), at.unwrap_or_default());
        let verdict = match wrong.is_empty() {
            true => Verdict::passed().message(actual.clone()),
            false => Verdict::failed(format!("{}: {}", tool.name(), wrong.join("; "))),
        };
        verdict
            .actual(actual)
            .detail("tool", tool.name())
            .detail("applied", *applied)
            .detail("newest", newest.clone())
            .detail("pending", pending.clone())
            .detail("out_of_order", out_of_order.clone())
            .detail("failed", failed.clone())
            .detail("changed", changed.clone())
            .detail("unknown", unknown.clone())
    }
}

#[cfg(test)]
#[path = "migrations_applied_tests.rs"]
mod tests;
