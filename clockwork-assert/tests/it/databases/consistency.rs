//! `DataConsistencyAssert` on real servers of PostgreSQL and MariaDB and SQLite files; `psql`, `mariadb` and `sqlite3` say
//! what is there.

use std::{process::Command, sync::Arc, time::Duration};

use clockwork_assert::{DataConsistencyAssert, DataSide};
use clockwork_core::{AssertionExt, CheckResult, Outcome, Project};
use clockwork_drivers::{ContainerResource, sql::Connection};
use serde_json::Value;

use super::postgres_server::Postgres;
use crate::run::{check, directory, run, told};

fn details(result: &CheckResult) -> Value {
    result.details()
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
}

/// Both sides on one server.
fn both(server: &Postgres, left: &str, right: &str) -> DataConsistencyAssert {
    let side = |sql: &str| DataSide::at(server.connection(), sql);
    DataConsistencyAssert::new(side(left), side(right), "id")
}

#[tokio::test]
async fn missing_extra_and_differing_rows_are_found() {
    let server = Postgres::start();
    server.psql("CREATE TABLE copy AS SELECT * FROM users");
    let query = |table: &str| format!("SELECT id, email, age FROM {table}");
    let same = || both(&server, &query("users"), &query("copy"));
    says(&check(same()).await, Outcome::Passed, "10 rows compared");
    says(&check(same().not()).await, Outcome::Failed, "holds, and must not");
    server.psql("DELETE FROM copy WHERE id = 3");
    server.psql("INSERT INTO copy (id, email, age) VALUES (77, E'new\\nrow', NULL)");
    server.psql("UPDATE copy SET age = age + 1 WHERE id IN (5, 6)");
    let result = check(same()).await;
    says(&result, Outcome::Failed, "1 row missing on the right (id 3 (email \"u3@example.org\", age 3))");
    says(&result, Outcome::Failed, "1 row extra on the right (id 77 (email \"new\\nrow\", age NULL))");
    says(&result, Outcome::Failed, "2 rows different (id 5: age is 5 and 6; id 6: age is 6 and 7)");
    told(&check(same().not()).await, Outcome::Passed);
    // The witness: what psql says of the same.
    let witness = |sql: &str| server.psql(sql).parse::<u64>().unwrap();
    let seen = details(&result);
    for (key, sql) in [
        ("missing", "SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT FROM copy c WHERE c.id = u.id)"),
        ("extra", "SELECT count(*) FROM copy c WHERE NOT EXISTS (SELECT FROM users u WHERE c.id = u.id)"),
        (
            "differing",
            "SELECT count(*) FROM users u JOIN copy c USING (id) WHERE (u.email, u.age) IS DISTINCT FROM (c.email, c.age)",
        ),
        ("left_rows", "SELECT count(*) FROM users"),
    ] {
        assert_eq!(seen[key], witness(sql), "{key}: {seen}");
    }
    assert_eq!(seen["examples"][0]["key"]["id"], 3, "{seen}");
    assert_eq!(seen["examples"][1]["columns"]["age"]["right"], 6, "{seen}");
    // A difference of one is within the tolerance, and a missing row is not.
    let result = check(same().tolerance("age", 1.0)).await;
    assert_eq!((&details(&result)["differing"], &details(&result)["missing"]), (&0.into(), &1.into()));
    says(&check(same().tolerance("aeg", 1.0)).await, Outcome::Failed, "did you mean \"age\"?");
}

#[tokio::test]
async fn what_proves_nothing_does_not_pass() {
    let server = Postgres::start();
    server.psql("CREATE TABLE twice (id int, v int); INSERT INTO twice VALUES (1, 1), (1, 2), (2, 1)");
    server.psql("CREATE TABLE once (id int, v int); INSERT INTO once VALUES (1, 1), (2, 1)");
    let all = |table: &str| format!("SELECT * FROM {table}");
    let same = |left: &str, right: &str| both(&server, &all(left), &all(right));
    let result = check(same("twice", "twice")).await;
    says(
        &result,
        Outcome::Failed,
        "2 rows cannot be told apart by the key (id 1: 2 rows on the left, 2 on the right)",
    );
    told(&check(same("twice", "twice").not()).await, Outcome::Errored);
    says(
        &check(same("once", "twice")).await,
        Outcome::Failed,
        "1 row extra on the right (id 1: 1 rows on the left",
    );
    says(&check(same("twice", "once")).await, Outcome::Failed, "1 row missing on the right");
    let none = || both(&server, "SELECT id FROM once WHERE v > 9", "SELECT id FROM once WHERE v > 9");
    says(&check(none()).await, Outcome::Failed, "neither side brings a row");
    told(&check(none().not()).await, Outcome::Errored);
    told(&check(none().allow_empty()).await, Outcome::Passed);
    let result = check(both(&server, "SELECT id FROM once", "SELECT id FROM once WHERE v > 9")).await;
    says(&result, Outcome::Failed, "2 rows missing on the right (id 1; id 2)");
    let null = both(&server, "SELECT NULL::int AS id", "SELECT NULL::int AS id");
    says(&check(null).await, Outcome::Failed, "has NULL in \"id\"");
    // Other columns, no such column, a column twice.
    let result = check(both(&server, "SELECT id, v FROM once", "SELECT id, v AS w FROM once").not()).await;
    says(&result, Outcome::Errored, "the queries have other columns: only the left one has \"v\"");
    let result = check(both(&server, "SELECT v FROM once", "SELECT id, v FROM once")).await;
    says(&result, Outcome::Failed, "the left query has no column \"id\", only \"v\"");
    // In another order, and in other case, they are the same.
    told(
        &check(both(&server, "SELECT id, v FROM once", "SELECT v AS \"V\", id FROM once")).await,
        Outcome::Passed,
    );
    // A collation of its own, and a query that ends in a comment.
    let texts = "SELECT * FROM (VALUES ('a'), ('B'), ('ä'), ('b'), (''), ('a b'), ('ab')) t(id)";
    let collated = format!("{texts} ORDER BY id COLLATE \"und-x-icu\" -- sorted");
    says(&check(both(&server, texts, &collated)).await, Outcome::Passed, "7 rows compared");
}

#[tokio::test]
async fn a_query_cannot_write_and_its_failure_names_the_side() {
    let server = Postgres::start();
    let good = "SELECT id FROM users";
    for (bad, words) in [
        ("DELETE FROM users RETURNING id", "the right side: the database refused the statement"),
        ("SELECT sneaky() AS id", "the right side: the statement writes, and the server refused it"),
        ("SELECT 1 AS id); DELETE FROM users; --", "the right side: "),
        ("SELECT id FROM nothing", "the right side: the database refused the statement"),
        ("SELECT 1 / (id - 5) AS id FROM users", "division by zero"),
    ] {
        says(&check(both(&server, good, bad)).await, Outcome::Failed, words);
        told(&check(both(&server, good, bad).not()).await, Outcome::Errored);
    }
    assert_eq!(server.psql("SELECT count(*) FROM users"), "10");
    let slow = both(&server, good, "SELECT id FROM users, pg_sleep(30)").timeout(Duration::from_millis(1500));
    says(&check(slow).await, Outcome::Failed, "no answer within");
    let left = |server: &Postgres| {
        server.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3%0)%' AND pid <> pg_backend_pid()")
    };
    let mut rest = 100;
    while left(&server) != "0" {
        rest -= 1;
        assert!(rest > 0, "the server still runs a query that nobody waits for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Each side is one snapshot: what is committed while it is read is not in it.
    let while_read = "SELECT id, pg_sleep(0.05)::text AS s FROM users";
    let reading = tokio::spawn(check(both(&server, while_read, while_read).timeout(Duration::from_secs(30))));
    server.psql("INSERT INTO users (id, email) SELECT n, 'x' FROM generate_series(1000, 1100) n");
    let seen = details(&reading.await.unwrap());
    for side in ["left_rows", "right_rows"] {
        assert!([10, 111].contains(&seen[side].as_u64().unwrap()), "{seen}");
    }
}

#[tokio::test]
async fn resources_are_named_and_parameters_filled_in() {
    let server = Postgres::start();
    let resource = |name: &str| ContainerResource::new(name).image("x").connection(server.connection());
    let (old, new) = (resource("old"), resource("new"));
    let query = "SELECT id, email FROM users WHERE age > $1";
    let sides = || (DataSide::of(&old, query).param(7), DataSide::of(&new, query).param("7"));
    let (left, right) = sides();
    let consistent = DataConsistencyAssert::new(left, right, ["id"]);
    let project = Project::new("test").with(old.clone()).with(new.clone()).assert(consistent);
    let result = run(project).await.remove(0);
    says(&result, Outcome::Passed, "3 rows compared");
    assert_eq!(result.related.iter().map(|name| &**name).collect::<Vec<_>>(), ["old", "new"]);
    let plain = ContainerResource::new("plain").image("x");
    let right = DataSide::of(&plain, query);
    let consistent = DataConsistencyAssert::new(DataSide::of(&old, query).param(7), right, "id");
    let project = Project::new("test").with(old).with(plain).assert(consistent);
    says(
        &run(project).await.remove(0),
        Outcome::Errored,
        "the resource plain (ContainerResource) has no `connection`",
    );
}

/// A million rows on each side, in memory that does not depend on them.
#[tokio::test]
async fn a_million_rows_take_no_more_memory_than_a_few() {
    let server = Postgres::start();
    server.psql(
        "CREATE TABLE big AS SELECT n AS id, md5(n::text) AS hash FROM generate_series(1, 1000000) n; \
         ALTER TABLE big ADD PRIMARY KEY (id); CREATE TABLE big_copy AS SELECT * FROM big ORDER BY hash; \
         UPDATE big_copy SET hash = 'other' WHERE id = 999999; DELETE FROM big_copy WHERE id = 500000",
    );
    let compare =
        || both(&server, "SELECT * FROM big", "SELECT * FROM big_copy").timeout(Duration::from_secs(300));
    let few = both(&server, "SELECT * FROM big LIMIT 0", "SELECT * FROM big_copy LIMIT 0").allow_empty();
    told(&check(few).await, Outcome::Passed);
    let before = peak();
    let result = check(compare()).await;
    let grown = peak() - before;
    says(&result, Outcome::Failed, "1 row missing on the right (id 500000");
    says(
        &result,
        Outcome::Failed,
        "1 row different (id 999999: hash is \"52c69e3a57331081823331c4e69d3f2e\" and \"other\")",
    );
    let seen = details(&result);
    assert_eq!((&seen["left_rows"], &seen["equal"]), (&1_000_000.into(), &999_998.into()), "{seen}");
    // All rows together are about 60 MB as text.
    assert!(grown < 16 << 10, "the peak of memory grew by {grown} KiB");
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(all(feature = "mysql", feature = "sqlite"))]
mod engines {
    use super::*;
    use crate::databases::mariadb_server::MariaDb;

    fn sqlite(file: &std::path::Path, sql: &str) {
        let output = Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The same rows in three engines, with types that each of them writes in its own way.
    #[tokio::test]
    async fn engines_are_compared_by_value() {
        let (postgres, maria, (_kept, directory)) = (Postgres::start(), MariaDb::start(false), directory());
        let file = directory.join("copy.db");
        postgres.psql(
            "CREATE TABLE item (name varchar(20) PRIMARY KEY, price numeric(10,3), weight float8, at timestamptz(3), \
             raw bytea, note text, code char(5)); \
             INSERT INTO item VALUES ('Zoë', 12.500, 0.1, '2026-01-31 12:00:00.5+00', '\\x00ff', NULL, 'ab'), \
             ('apple', 1, 1e20, '2026-01-31 13:00:00+01', '\\x', '', 'abcde'), ('Apple', -0.5, -2, NULL, NULL, 'n', NULL)",
        );
        maria.client(
            "CREATE TABLE item (name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, \
             price DECIMAL(12,2), weight DOUBLE, at DATETIME(6), raw VARBINARY(20), note TEXT CHARACTER SET utf8mb4, code CHAR(5)) \
             CHARACTER SET utf8mb4; SET NAMES utf8mb4; \
             INSERT INTO item VALUES ('Zo\u{eb}', 12.5, 0.1, '2026-01-31 12:00:00.500000', x'00ff', NULL, 'ab'), \
             ('apple', 1.00, 1e20, '2026-01-31 12:00:00', x'', '', 'abcde'), ('Apple', -0.5, -2, NULL, NULL, 'n', NULL)",
        );
        sqlite(
            &file,
            "CREATE TABLE item (name TEXT COLLATE NOCASE, price NUMERIC, weight REAL, at TEXT, raw BLOB, note TEXT, code TEXT); \
             INSERT INTO item VALUES ('Zo\u{eb}', 12.5, 0.1, '2026-01-31 12:00:00.5', x'00ff', NULL, 'ab'), \
             ('apple', 1, 1e20, '2026-01-31 12:00:00', x'', '', 'abcde'), ('Apple', -0.5, -2.0, NULL, NULL, 'n', NULL);",
        );
        let query = "SELECT * FROM item";
        let sides = || {
            [postgres.connection(), maria.as_user("admin"), Connection::sqlite(&file)]
                .map(|connection| DataSide::at(connection, query))
        };
        for (one, other) in [(0, 1), (1, 2), (2, 0), (1, 0)] {
            let consistent = DataConsistencyAssert::new(sides()[one].clone(), sides()[other].clone(), "name");
            says(&check(consistent).await, Outcome::Passed, "3 rows compared");
        }
        // A text is no number, whatever it says; and each engine's rows are sorted by their bytes.
        sqlite(
            &file,
            "UPDATE item SET price = 'x' WHERE note = 'n'; UPDATE item SET weight = NULL WHERE code = 'ab'",
        );
        let [postgres_side, _, sqlite_side] = sides();
        let result = check(DataConsistencyAssert::new(postgres_side, sqlite_side, "name")).await;
        says(
            &result,
            Outcome::Failed,
            "2 rows different (name \"Apple\": price is the number -0.5 and the text \"x\"",
        );
        says(&result, Outcome::Failed, "name \"Zoë\": weight is 0.1 and NULL");
        let number = DataSide::at(Connection::sqlite(&file), "SELECT 1 AS id");
        let text = DataSide::at(Connection::sqlite(&file), "SELECT '1' AS id");
        let result = check(DataConsistencyAssert::new(number, text, "id")).await;
        says(
            &result,
            Outcome::Failed,
            "1 row missing on the right (id 1); 1 row extra on the right (id \"1\")",
        );
        // Nothing is written, in no engine.
        for connection in [maria.as_user("admin"), Connection::sqlite(&file)] {
            let side = |sql: &str| DataSide::at(connection.clone(), sql);
            let writes =
                DataConsistencyAssert::new(side(query), side("DELETE FROM item RETURNING name"), "name");
            told(&check(writes).await, Outcome::Failed);
        }
        let writes = DataSide::at(maria.as_user("admin"), "SELECT sneaky() AS name");
        let result = check(DataConsistencyAssert::new(writes.clone(), writes, "name")).await;
        says(&result, Outcome::Failed, "the left side: the statement writes, and the server refused it");
        assert_eq!(maria.client("SELECT COUNT(*) FROM item"), "3");
        assert_eq!(maria.client("SELECT COUNT(*) FROM users"), "10");
    }
}
