//! Migrations: what a tool wrote down of those that ran, and what lies in its directory.

mod alembic;
mod checksum;
mod django;
mod files;
mod table;

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use files::{Migration, MigrationFiles, MigrationFilesProbe};
pub use table::{Applied, Ran, applied_migrations};

use super::Column;

/// A tool that changes a database step by step, and writes down in a table which steps it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationTool {
    /// sqlx: `_sqlx_migrations`.
    Sqlx,
    /// refinery: `refinery_schema_history`.
    Refinery,
    /// diesel: `__diesel_schema_migrations`.
    Diesel,
    /// Flyway: `flyway_schema_history`.
    Flyway,
    /// Alembic: `alembic_version`.
    Alembic,
    /// Django: `django_migrations`.
    Django,
    /// Rails: `schema_migrations`.
    Rails,
    /// golang-migrate: `schema_migrations` with a column `dirty`.
    GolangMigrate,
}

impl MigrationTool {
    /// The tool's name, as its own pages write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlx => "sqlx",
            Self::Refinery => "refinery",
            Self::Diesel => "diesel",
            Self::Flyway => "Flyway",
            Self::Alembic => "Alembic",
            Self::Django => "Django",
            Self::Rails => "Rails",
            Self::GolangMigrate => "golang-migrate",
        }
    }

    /// The columns by which its table is known. Those of another tool may be among them, so the first that fits is it.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Flyway => &["installed_rank", "version", "script", "checksum", "success"],
            Self::Sqlx => &["version", "description", "success", "checksum", "execution_time"],
            Self::Refinery => &["version", "name", "applied_on", "checksum"],
            Self::Django => &["app", "name", "applied"],
            Self::Diesel => &["version", "run_on"],
            Self::Alembic => &["version_num"],
            Self::GolangMigrate => &["version", "dirty"],
            Self::Rails => &["version"],
        }
    }

    /// The tool whose table has these columns.
    pub fn recognise(columns: &[Column]) -> Option<Self> {
        const ALL: [MigrationTool; 7] = [
            MigrationTool::Flyway,
            MigrationTool::Sqlx,
            MigrationTool::Refinery,
            MigrationTool::Django,
            MigrationTool::Diesel,
            MigrationTool::Alembic,
            MigrationTool::GolangMigrate,
        ];
        let found = ALL.into_iter().find(|tool| tool.fits(columns));
        // A lone `version` is Rails'; with other columns beside it, it may be anybody's.
        found.or_else(|| (columns.len() == 1 && Self::Rails.fits(columns)).then_some(Self::Rails))
    }

    /// Whether a table with these columns can be its own.
    pub fn fits(self, columns: &[Column]) -> bool {
        self.columns().iter().all(|name| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
    }

    /// Whether what ran and has no file is an error to the tool itself.
    pub fn misses_files(self) -> bool {
        matches!(self, Self::Sqlx | Self::Refinery | Self::Flyway | Self::Alembic | Self::GolangMigrate)
    }

    /// Whether its versions have an order, so that one can come too late.
    pub fn has_order(self) -> bool {
        !matches!(self, Self::Alembic | Self::Django)
    }
}

/// A version in the one spelling in which two are equal: numbers without zeros in front, `1_2` as `1.2`, `1.0` as `1`.
pub fn normal_version(tool: MigrationTool, version: &str) -> String {
    let trimmed = |digits: &str| match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => String::from("0"),
        rest => rest.to_owned(),
    };
    match tool {
        MigrationTool::Alembic | MigrationTool::Django => version.to_owned(),
        MigrationTool::Flyway => {
            let mut parts: Vec<_> = version.split(['.', '_']).map(trimmed).collect();
            while parts.len() > 1 && parts.last().is_some_and(|part| part == "0") {
                parts.pop();
            }
            parts.join(".")
        }
        MigrationTool::Diesel => trimmed(&version.replace('-', "")),
        _ => trimmed(version),
    }
}

/// Which of two normal versions comes first: part by part, as numbers.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let part = |one: &str, other: &str| one.len().cmp(&other.len()).then_with(|| one.cmp(other));
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        return match (ones.next(), others.next()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => match part(one, other) {
                Ordering::Equal => continue,
                order => order,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column { name: (*name).to_owned(), type_name: String::from("text") };
        names.iter().map(column).collect()
    }

    #[test]
    fn a_tool_is_known_by_its_columns() {
        use MigrationTool::{Alembic, Diesel, Django, Flyway, GolangMigrate, Rails, Refinery, Sqlx};
        for (names, expected) in [
            (
                &["version", "description", "installed_on", "success", "checksum", "execution_time"][..],
                Some(Sqlx),
            ),
            (
                &[
                    "installed_rank",
                    "version",
                    "description",
                    "type",
                    "script",
                    "checksum",
                    "installed_by",
                    "installed_on",
                    "execution_time",
                    "success",
                ],
                Some(Flyway),
            ),
            (&["version", "name", "applied_on", "checksum"], Some(Refinery)),
            (&["version", "run_on"], Some(Diesel)),
            (&["version_num"], Some(Alembic)),
            (&["id", "app", "name", "applied"], Some(Django)),
            (&["version"], Some(Rails)),
            (&["version", "dirty"], Some(GolangMigrate)),
            (&["version", "inserted_at"], None),
            (&["id", "email"], None),
        ] {
            assert_eq!(MigrationTool::recognise(&columns(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn versions_have_one_spelling_and_an_order() {
        use MigrationTool::{Diesel, Flyway, Rails, Sqlx};
        for (tool, version, expected) in [
            (Sqlx, "0001", "1"),
            (Sqlx, "0", "0"),
            (Rails, "20240101120000", "20240101120000"),
            (Diesel, "2024-01-01-120000", "20240101120000"),
            (Diesel, "00000000000000", "0"),
            (Flyway, "1_2", "1.2"),
            (Flyway, "01.0", "1"),
        ] {
            assert_eq!(normal_version(tool, version), expected, "{version}");
        }
        for (one, other) in [("1", "2"), ("9", "10"), ("1.9", "1.10"), ("1", "1.1"), ("2", "20240101120000")]
        {
            assert_eq!(compare_versions(one, other), Ordering::Less, "{one} {other}");
            assert_eq!(compare_versions(other, one), Ordering::Greater, "{one} {other}");
        }
    }
}
