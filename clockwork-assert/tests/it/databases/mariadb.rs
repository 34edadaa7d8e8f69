//! All kinds on a real MariaDB server.

use std::{sync::Arc, time::Duration};

use clockwork_assert::{DatabaseConnectionAssert, QuerySuccessAssert, RowCountAssert, TableExistsAssert};
use clockwork_core::{AssertionExt, CheckResult, Outcome, Project};
use clockwork_drivers::sql::{Connection, TlsMode};
use serde_json::json;

use super::{
    mariadb_server::{MariaDb, PASSWORD},
    secret,
};
use crate::{
    run::{check, run, told},
    server::nobody,
};

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
    assert!(!format!("{result:?}").contains(PASSWORD), "{message}");
}

#[tokio::test]
async fn who_is_let_in_and_how() {
    let server = MariaDb::start(true);
    let enters = |connection: Connection| DatabaseConnectionAssert::new().connection(connection);
    says(&check(enters(server.as_user("admin"))).await, Outcome::Passed, "MariaDB 1");
    says(&check(enters(server.as_user("admin"))).await, Outcome::Passed, "with TLS");
    says(&check(enters(server.as_user("tls_only"))).await, Outcome::Passed, "with TLS");
    let wrong = Connection { password: Some(secret("wrong")), ..server.as_user("admin") };
    says(&check(enters(wrong.clone())).await, Outcome::Failed, "refuses the user or the password");
    told(&check(enters(wrong.clone()).not()).await, Outcome::Passed);
    let elsewhere = Connection { database: Some("no_such".into()), ..server.as_user("admin") };
    told(&check(enters(elsewhere)).await, Outcome::Failed);
    let trusted = Connection { ca_file: Some(server.certificate()), ..server.as_user("admin") };
    says(&check(enters(trusted.clone())).await, Outcome::Passed, "with TLS");
    let untrusted = Connection { ca_file: None, tls: Some(TlsMode::VerifyFull), ..trusted.clone() };
    says(&check(enters(untrusted)).await, Outcome::Failed, "no TLS with localhost:");
    let other_name = Connection { host: "127.0.0.1".into(), ..trusted };
    says(&check(enters(other_name)).await, Outcome::Failed, "no TLS with 127.0.0.1:");
    let refused =
        Connection { host: "127.0.0.1".into(), port: Some(nobody().await.port()), ..server.as_user("admin") };
    says(
        &check(enters(refused.clone())).await,
        Outcome::Failed,
        "refused the connection; nothing listens there",
    );
    told(&check(TableExistsAssert::new("users").connection(refused).not()).await, Outcome::Errored);
    let asked = QuerySuccessAssert::new("SELECT 1").connection(wrong);
    says(&check(asked).await, Outcome::Errored, "refuses the user or the password");
}

#[tokio::test]
async fn tables_rows_and_queries() {
    let server = MariaDb::start(false);
    let connection = || server.as_user("admin");
    let table = |name: &str| TableExistsAssert::new(name).connection(connection());
    says(&check(DatabaseConnectionAssert::new().connection(connection())).await, Outcome::Passed, "in clear");
    let require = Connection { tls: Some(TlsMode::Require), ..connection() };
    says(&check(DatabaseConnectionAssert::new().connection(require)).await, Outcome::Failed, "offers no TLS");
    says(&check(table("users")).await, Outcome::Passed, "\"shop.users\" is a table");
    says(&check(table("adults")).await, Outcome::Passed, "is a view");
    says(&check(table("shop.`order`").column("total", "decimal(10,2)")).await, Outcome::Passed, "is a table");
    let columns =
        table("users").columns([("id", "bigint unsigned"), ("active", "boolean"), ("EMAIL", "varchar(255)")]);
    told(&check(columns).await, Outcome::Passed);
    says(&check(table("Users")).await, Outcome::Failed, "(database shop); there is \"shop.users\"");
    told(&check(table("nothing").not()).await, Outcome::Passed);
    assert_eq!(server.client("SHOW TABLES LIKE 'nothing'"), "");

    let rows = |table: &str| RowCountAssert::new(table).connection(connection());
    told(&check(rows("users").min(10).max(10)).await, Outcome::Passed);
    says(&check(rows("users").max(2).r#where("age > 7 -- or so")).await, Outcome::Failed, "at least 3 rows");
    assert_eq!(server.client("SELECT COUNT(*) FROM users WHERE age > 7"), "3");
    told(&check(rows("users").min(1).estimate()).await, Outcome::Passed);
    says(&check(rows("adults").min(1).estimate()).await, Outcome::Errored, "no estimate");

    let query = |sql: &str| QuerySuccessAssert::new(sql).connection(connection());
    for (sql, value) in [
        ("SELECT 5", json!(5)),
        ("SELECT active FROM users WHERE id = 1", json!(1)),
        ("SELECT total FROM `order`", json!(12.5)),
        ("SELECT at FROM `order`", json!("2026-01-31 12:00:00")),
        ("SELECT day FROM `order`", json!("2026-01-31")),
        ("SELECT email FROM users WHERE id = 2", json!("u2")),
        ("SELECT TIME('25:00:01')", json!("25:00:01")),
        ("SELECT 1.5e0", json!(1.5)),
        ("SELECT x'ff00'", json!("0xff00")),
    ] {
        let matcher: clockwork_core::Matcher = serde_json::from_value(value).unwrap();
        told(&check(query(sql).value(matcher)).await, Outcome::Passed);
    }
    told(&check(query("SELECT ? + 1").param(4).value(5)).await, Outcome::Passed);
    let active = query("SELECT COUNT(*) FROM users WHERE active = ?").param(true);
    let witness: i64 = server.client("SELECT COUNT(*) FROM users WHERE active = true").parse().unwrap();
    assert_ne!(witness, 0);
    told(&check(active.value(witness)).await, Outcome::Passed);
    says(&check(query("-- SELECT 1").rows(0)).await, Outcome::Failed, "the statement is empty");
    says(&check(query("SELECT ?")).await, Outcome::Failed, "takes 1 parameters");
    says(&check(query("SELEC 1")).await, Outcome::Failed, "(1064)");
    told(&check(query("SELECT * FROM no_such").not()).await, Outcome::Passed);
    says(
        &check(query("SELECT seq FROM seq_1_to_3000000").rows(1)).await,
        Outcome::Failed,
        "more than 100000",
    );
    let forbidden = QuerySuccessAssert::new("SELECT * FROM `order`").connection(server.as_user("reader"));
    says(&check(forbidden).await, Outcome::Errored, "the user may not do this");
    let slow = query("SELECT SLEEP(60)").timeout(Duration::from_millis(800));
    let fast = query("SELECT 1").timeout(Duration::from_secs(5));
    let results = run(Project::new("test").assert(slow).assert(fast)).await;
    told(&results[0], Outcome::Failed);
    told(&results[1], Outcome::Passed);
    let began = std::time::Instant::now();
    while server.client("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
        != "0"
    {
        assert!(began.elapsed() < Duration::from_secs(4), "it still runs on the server");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn what_writes_is_refused_by_the_server() {
    let server = MariaDb::start(false);
    let query = |sql: &str| QuerySuccessAssert::new(sql).connection(server.as_user("admin"));
    for sql in [
        "DELETE FROM users",
        "SELECT sneaky()",
        "DROP TABLE users",
        "CREATE TABLE made (x INT)",
        "TRUNCATE users",
        "INSERT INTO users (email) VALUES ('x')",
        "SELECT 1; DELETE FROM users",
        "ALTER TABLE users ADD COLUMN x INT",
    ] {
        told(&check(query(sql)).await, Outcome::Failed);
    }
    for sql in
        ["COMMIT", "SET SESSION TRANSACTION READ WRITE", "SET autocommit = 1", "SET sql_select_limit = 1"]
    {
        let project = Project::new("test")
            .assert(query(sql))
            .assert(query("DELETE FROM users"))
            .assert(query("SELECT id FROM users").rows(10));
        let results = run(project).await;
        told(&results[1], Outcome::Failed);
        told(&results[2], Outcome::Passed);
    }
    told(&check(query("DELETE FROM users").read_only(false)).await, Outcome::Passed);
    assert_eq!(server.client("SELECT COUNT(*) FROM users"), "10");
    assert_eq!(server.client("SHOW TABLES LIKE 'made'"), "");
}
