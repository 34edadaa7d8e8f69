//! Whether a column's type is the one that was meant, however it is written.

use clockwork_drivers::sql::DatabaseEngine;

/// Whether the engine's `found` is what people write as `expected`. Where no length or precision is expected, any will do.
pub(crate) fn fits(engine: DatabaseEngine, expected: &str, found: &str) -> bool {
    let (expected, found) = (Type::read(engine, expected), Type::read(engine, found));
    let lengths = expected.length.is_none() || expected.length == found.length;
    lengths && expected.name == found.name && expected.dimensions == found.dimensions
}

#[derive(Debug, PartialEq)]
struct Type {
    name: String,
    length: Option<String>,
    /// How many dimensions an array has; 0 for none.
    dimensions: usize,
}

impl Type {
    fn read(engine: DatabaseEngine, text: &str) -> Self {
        let mut text = text.trim().to_lowercase();
        let mut dimensions = 0;
        while let Some(element) = text.strip_suffix("[]") {
            text = element.trim_end().to_owned();
            dimensions += 1;
        }
        // The length may stand in the middle: `timestamp(3) with time zone`.
        let mut length = None;
        if let Some((before, rest)) = text.split_once('(')
            && let Some((inside, after)) = rest.split_once(')')
        {
            length = Some(inside.split_whitespace().collect::<String>());
            text = format!("{before} {after}");
        }
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = match engine {
            DatabaseEngine::Postgresql => {
                // PostgreSQL keeps no count of dimensions.
                dimensions = dimensions.min(1);
                postgres(name)
            }
            DatabaseEngine::Mysql | DatabaseEngine::Mariadb => {
                let (name, length_kept) = mysql(name, length);
                length = length_kept;
                name
            }
            DatabaseEngine::Sqlite => match name.as_str() {
                "int" => String::from("integer"),
                _ => name,
            },
        };
        // `numeric(10)` is what `numeric(10,0)` is written as.
        if matches!(name.as_str(), "numeric" | "decimal" | "decimal unsigned")
            && let Some(length) = &mut length
            && engine != DatabaseEngine::Sqlite
            && !length.contains(',')
        {
            length.push_str(",0");
        }
        Self { name, length, dimensions }
    }
}

fn postgres(name: String) -> String {
    let known = match name.strip_prefix("pg_catalog.").unwrap_or(&name) {
        "int" | "int4" | "serial" | "serial4" => "integer",
        "int8" | "bigserial" | "serial8" => "bigint",
        "int2" | "smallserial" | "serial2" => "smallint",
        "float4" => "real",
        "float8" | "float" | "double" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "char" | "bpchar" => "character",
        "decimal" | "dec" => "numeric",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        "timetz" => "time with time zone",
        "time" => "time without time zone",
        "varbit" => "bit varying",
        other => return other.replace('"', ""),
    };
    known.to_owned()
}

/// Integers have a width for showing them, which changes nothing; but `tinyint(1)` is how a boolean is stored.
fn mysql(name: String, length: Option<String>) -> (String, Option<String>) {
    let (base, sign) = match name.strip_suffix(" unsigned") {
        Some(base) => (base.to_owned(), " unsigned"),
        None => (name, ""),
    };
    let (base, length) = match base.as_str() {
        "bool" | "boolean" => ("tinyint", Some(String::from("1"))),
        "int" | "integer" => ("int", None),
        "bigint" => ("bigint", None),
        "smallint" => ("smallint", None),
        "mediumint" => ("mediumint", None),
        "dec" | "numeric" | "decimal" | "fixed" => ("decimal", length),
        "double precision" | "real" | "double" => ("double", length),
        "character varying" | "varchar" => ("varchar", length),
        "character" | "char" => ("char", length),
        other => return (format!("{other}{sign}"), length),
    };
    (format!("{base}{sign}"), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_has_many_names() {
        use DatabaseEngine::{Mysql, Postgresql, Sqlite};
        for (engine, expected, found, fit) in [
            (Postgresql, "int", "integer", true),
            (Postgresql, "INT4", "integer", true),
            (Postgresql, "serial", "integer", true),
            (Postgresql, "bigint", "integer", false),
            (Postgresql, "varchar(255)", "character varying(255)", true),
            (Postgresql, "varchar", "character varying(255)", true),
            (Postgresql, "varchar(255)", "character varying(64)", false),
            (Postgresql, "varchar(255)", "character varying", false),
            (Postgresql, "text", "character varying", false),
            (Postgresql, "timestamptz", "timestamp with time zone", true),
            (Postgresql, "timestamptz(3)", "timestamp(3) with time zone", true),
            (Postgresql, "timestamp", "timestamp with time zone", false),
            (Postgresql, "numeric(10,2)", "numeric(10,2)", true),
            (Postgresql, "decimal(10, 2)", "numeric(10,2)", true),
            (Postgresql, "numeric(10)", "numeric(10,0)", true),
            (Postgresql, "numeric(10)", "numeric(10,2)", false),
            (Mysql, "decimal(10) unsigned", "decimal(10,0) unsigned", true),
            (Postgresql, "int[]", "integer[]", true),
            (Postgresql, "int[][]", "integer[]", true),
            (Postgresql, "int", "integer[]", false),
            (Postgresql, "Mood", "mood", true),
            (Postgresql, "jsonb", "json", false),
            (Mysql, "int", "int(11)", true),
            (Mysql, "integer", "int", true),
            (Mysql, "int unsigned", "int(10) unsigned", true),
            (Mysql, "int", "int(10) unsigned", false),
            (Mysql, "boolean", "tinyint(1)", true),
            (Mysql, "boolean", "tinyint(4)", false),
            (Mysql, "varchar(255)", "varchar(255)", true),
            (Mysql, "varchar(255)", "varchar(64)", false),
            (Sqlite, "integer", "INTEGER", true),
            (Sqlite, "int", "INTEGER", true),
            (Sqlite, "varchar(10)", "VARCHAR(20)", false),
            (Sqlite, "text", "INTEGER", false),
        ] {
            assert_eq!(fits(engine, expected, found), fit, "{expected} and {found}");
        }
    }
}
