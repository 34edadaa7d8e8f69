//! All kinds on real SQLite files, which `sqlite3` made.

use std::{os::unix::fs::MetadataExt, path::Path, time::Duration};

use clockwork_assert::{DatabaseConnectionAssert, QuerySuccessAssert, RowCountAssert, TableExistsAssert};
use clockwork_core::{AssertionExt, Outcome};
use clockwork_drivers::sql::Connection;
use serde_json::json;

use crate::run::{check, directory, output, told};

fn sqlite3(path: &Path, sql: &str) -> String {
    output("sqlite3", &["-batch", path.to_str().unwrap(), sql])
}

const SHOP: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(255), score REAL, raw BLOB);
INSERT INTO users (email, score, raw) VALUES ('a', 1.5, x'ff'), ('b', NULL, NULL);
CREATE VIEW adults AS SELECT * FROM users;";

#[tokio::test]
async fn a_file_is_read_and_never_made_or_changed() {
    let (_kept, directory) = directory();
    let path = directory.join("shop.db");
    sqlite3(&path, SHOP);
    let connection = || Connection::sqlite(&path);
    let enters = |path: &Path| DatabaseConnectionAssert::new().connection(Connection::sqlite(path));
    let result = check(enters(&path)).await;
    assert!(told(&result, Outcome::Passed).contains("SQLite 3."), "{}", result.message);
    let missing = directory.join("missing.db");
    let result = check(enters(&missing)).await;
    assert!(told(&result, Outcome::Failed).contains("missing.db\" is missing"), "{}", result.message);
    told(&check(enters(&missing).not()).await, Outcome::Passed);
    assert!(!missing.exists());
    std::fs::write(directory.join("text"), "hello, this is no database at all").unwrap();
    let result = check(enters(&directory.join("text"))).await;
    assert!(told(&result, Outcome::Failed).contains("it begins with \"hello, this"), "{}", result.message);
    assert!(told(&check(enters(&directory)).await, Outcome::Failed).contains("it is a directory"));

    let table = |name: &str| TableExistsAssert::new(name).connection(connection());
    told(
        &check(table("USERS").columns([("Id", "integer"), ("email", "varchar(255)")])).await,
        Outcome::Passed,
    );
    assert!(told(&check(table("main.adults")).await, Outcome::Passed).contains("is a view"));
    let result = check(table("users").column("id", "text")).await;
    assert!(told(&result, Outcome::Failed).contains("\"INTEGER\", expected \"text\""), "{}", result.message);
    told(&check(table("nothing").not()).await, Outcome::Passed);
    told(
        &check(TableExistsAssert::new("users").connection(Connection::sqlite(&missing)).not()).await,
        Outcome::Errored,
    );

    let rows = RowCountAssert::new("users").connection(connection());
    told(&check(rows.clone().min(2).max(2)).await, Outcome::Passed);
    told(&check(rows.clone().max(0).r#where("score IS NULL")).await, Outcome::Failed);
    told(&check(rows.min(1).estimate()).await, Outcome::Errored);
    assert_eq!(sqlite3(&path, "SELECT count(*) FROM users WHERE score IS NULL"), "1");

    let query = |sql: &str| QuerySuccessAssert::new(sql).connection(connection());
    for (sql, value) in [
        ("SELECT id FROM users WHERE email = 'b'", json!(2)),
        ("SELECT score FROM users WHERE id = 1", json!(1.5)),
        ("SELECT score FROM users WHERE id = 2", json!({ "is": "null" })),
        ("SELECT raw FROM users WHERE id = 1", json!("0xff")),
        ("SELECT email FROM users WHERE id = 1", json!("a")),
    ] {
        let matcher: clockwork_core::Matcher = serde_json::from_value(value).unwrap();
        told(&check(query(sql).value(matcher)).await, Outcome::Passed);
    }
    told(&check(query("SELECT email FROM users WHERE id = ?").param(2).value("b")).await, Outcome::Passed);
    for (sql, param, value) in [
        ("SELECT count(*) FROM users WHERE length(email) > ?", json!(0), json!(2)),
        ("SELECT count(*) FROM users WHERE score * 2 < ?", json!(3.5), json!(1)),
        ("SELECT count(*) FROM users WHERE (score IS NULL) = ?", json!(true), json!(1)),
        ("SELECT typeof(?)", json!(null), json!("null")),
        ("SELECT typeof(?)", json!("5"), json!("text")),
    ] {
        let matcher: clockwork_core::Matcher = serde_json::from_value(value).unwrap();
        told(&check(query(sql).param(param).value(matcher)).await, Outcome::Passed);
    }
    told(&check(query("-- SELECT 1").rows(0)).await, Outcome::Failed);
    let before = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().mtime_nsec());
    let copy = directory.join("copy.db");
    for sql in [
        "DELETE FROM users",
        "CREATE TABLE t (x)",
        "SELECT 1; DELETE FROM users",
        "PRAGMA user_version = 7",
        &format!("VACUUM INTO '{}'", copy.display()),
        "SELECT * FROM no_such",
        "SELEC",
    ] {
        told(&check(query(sql)).await, Outcome::Failed);
    }
    let _ = check(query(&format!("ATTACH '{}' AS other", copy.display()))).await;
    assert!(!copy.exists());
    told(&check(query("DELETE FROM users").read_only(false)).await, Outcome::Passed);
    let after = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().mtime_nsec());
    assert_eq!(before, after);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let began = std::time::Instant::now();
    let result = check(query(endless).timeout(Duration::from_millis(300))).await;
    assert!(told(&result, Outcome::Failed).contains("no answer within 300 ms"), "{}", result.message);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_database_in_wal_mode_gets_no_files_from_us() {
    let (_kept, directory) = directory();
    let path = directory.join("shop.db");
    sqlite3(&path, &format!("PRAGMA journal_mode = WAL; {SHOP}"));
    let files = || std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(files(), 1);
    let rows = RowCountAssert::new("users").connection(Connection::sqlite(&path)).min(2).max(2);
    told(&check(rows.clone()).await, Outcome::Passed);
    assert_eq!(files(), 1);
    // While somebody has it open, what they wrote is seen.
    let mut shell = std::process::Command::new("sqlite3")
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"INSERT INTO users (email) VALUES ('c');\n").unwrap();
    let three = RowCountAssert::new("users").connection(Connection::sqlite(&path)).min(3).max(3);
    told(
        &check(three.within(Duration::from_secs(10)).every(Duration::from_millis(50))).await,
        Outcome::Passed,
    );
    drop(input);
    shell.wait().unwrap();
}
