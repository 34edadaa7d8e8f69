//! What statements may do, what they bring, and how they end, on a real PostgreSQL server.

use std::{sync::Arc, time::Duration};

use clockwork_assert::QuerySuccessAssert;
use clockwork_core::{AssertionExt, CheckResult, Matcher, Outcome, Project};
use serde_json::{Value, json};

use super::postgres_server::Postgres;
use crate::run::{check, run, told};

fn query(server: &Postgres, sql: &str) -> QuerySuccessAssert {
    QuerySuccessAssert::new(sql).connection(server.connection())
}

fn matcher(json: Value) -> Matcher {
    serde_json::from_value(json).unwrap()
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn what_writes_is_refused_by_the_server() {
    let server = Postgres::start();
    let before = server.psql("SELECT count(*), (SELECT last_value FROM ticket) FROM users");
    for (sql, words) in [
        ("DELETE FROM users", "cannot execute DELETE in a read-only transaction"),
        ("SELECT sneaky()", "cannot execute DELETE in a read-only transaction"),
        (
            "WITH gone AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM gone",
            "in a read-only transaction",
        ),
        ("SELECT nextval('ticket')", "cannot execute nextval() in a read-only transaction"),
        ("CREATE TABLE t (x int)", "cannot execute CREATE TABLE in a read-only transaction"),
        ("DROP TABLE users", "cannot execute DROP TABLE"),
        ("SELECT 1 INTO made", "in a read-only transaction"),
        ("SELECT * FROM users FOR UPDATE", "cannot execute SELECT FOR UPDATE"),
        ("COPY users FROM STDIN", "cannot execute COPY FROM"),
        ("VACUUM users", "VACUUM cannot run inside a transaction block"),
        ("COMMIT; DELETE FROM users", "cannot insert multiple commands into a prepared statement"),
        ("DO $$ BEGIN COMMIT; DELETE FROM users; END $$", "invalid transaction termination"),
        (
            "SELECT set_config('transaction_read_only', 'off', false)",
            "transaction read-write mode must be set before any query",
        ),
    ] {
        let result = check(query(&server, sql)).await;
        says(&result, Outcome::Failed, words);
        if words.contains("read-only transaction") && !sql.contains("set_config") {
            // That it was refused for reading only proves nothing about what the user may do.
            told(&check(query(&server, sql).not()).await, Outcome::Errored);
        }
    }
    // These succeed, and change nothing for whoever comes next.
    for sql in [
        "COMMIT",
        "COMMIT AND CHAIN",
        "ROLLBACK",
        "SET TRANSACTION READ WRITE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
        "SET search_path = app",
        "SAVEPOINT a",
    ] {
        let both =
            Project::new("test").assert(query(&server, sql)).assert(query(&server, "DELETE FROM users"));
        let results = run(both).await;
        told(&results[0], Outcome::Passed);
        told(&results[1], Outcome::Failed);
        told(&check(query(&server, "SELECT count(*) FROM users").value(10)).await, Outcome::Passed);
    }
    // Allowed to write, it is rolled back all the same.
    let result = check(query(&server, "DELETE FROM users RETURNING id").read_only(false).rows(10)).await;
    told(&result, Outcome::Passed);
    assert_eq!(server.psql("SELECT count(*), (SELECT last_value FROM ticket) FROM users"), before);
}

/// Most are sent as one text with what goes around them, so what they end with, or leave open, is not to reach that.
#[tokio::test]
async fn a_statement_is_one_however_it_ends() {
    let server = Postgres::start();
    let before = server.psql("SELECT count(*), (SELECT last_value FROM ticket) FROM users");
    for (sql, failure) in [
        ("SELECT 1;", None),
        ("SELECT 1 ;\n ", None),
        ("SELECT 1;;", None),
        ("SELECT ';'", None),
        ("SELECT 1 -- one", None),
        ("SELECT 1 -- one; two", None),
        ("SELECT 1 /* ; DELETE FROM users */", None),
        ("BEGIN", None),
        ("END", None),
        ("ABORT", None),
        ("ROLLBACK AND CHAIN", None),
        ("START TRANSACTION READ WRITE", None),
        ("SET statement_timeout = 0", None),
        ("LISTEN anything", None),
        ("SELECT 1 /*", Some("unterminated /* comment")),
        ("SELECT '", Some("unterminated quoted string")),
        ("SELECT ';", Some("unterminated quoted string")),
        ("SELECT $$", Some("unterminated dollar-quoted string")),
        ("SELECT \"x", Some("unterminated quoted identifier")),
        ("SELECT 1 \\", Some("syntax error")),
        ("RELEASE a", Some("does not exist")),
        ("PREPARE TRANSACTION 'x'", Some("prepared transactions are disabled")),
        ("/* SELECT 1 */", Some("the statement is empty")),
        ("-- SELECT 1;", Some("the statement is empty")),
        (";", Some("the statement is empty")),
        ("ROLLBACK; DELETE FROM users", Some("cannot insert multiple commands")),
        ("SELECT 1; -- \nDELETE FROM users", Some("cannot insert multiple commands")),
    ] {
        let both =
            Project::new("test").assert(query(&server, sql)).assert(query(&server, "DELETE FROM users"));
        let results = run(both).await;
        match failure {
            None => _ = told(&results[0], Outcome::Passed),
            Some(words) => says(&results[0], Outcome::Failed, words),
        }
        says(&results[1], Outcome::Failed, "cannot execute DELETE in a read-only transaction");
    }
    assert_eq!(server.psql("SELECT count(*), (SELECT last_value FROM ticket) FROM users"), before);
}

/// They share a connection, and are sent one behind the other: what one does to its transaction is not to be the others'.
#[tokio::test]
async fn statements_that_fail_do_nothing_to_those_behind_them() {
    let server = Postgres::start();
    let bad = ["SELECT 1/0", "SELECT * FROM nowhere", "SELEC", "DELETE FROM users", "COMMIT AND CHAIN"];
    let mut project = Project::new("test");
    for number in 0..60_usize {
        let good = query(&server, "SELECT $1::int").param(number as u64).value(number as u64);
        project = project.assert(if number % 3 == 1 { query(&server, bad[number % 5]) } else { good });
    }
    for (number, result) in run(project).await.iter().enumerate() {
        let failed = number % 3 == 1 && number % 5 != 4;
        told(result, if failed { Outcome::Failed } else { Outcome::Passed });
        assert!(!failed || !result.message.contains("25P02"), "{}", result.message);
    }
    assert_eq!(server.psql("SELECT count(*) FROM users"), "10");
}

#[tokio::test]
async fn values_have_their_types() {
    let server = Postgres::start();
    for (sql, expected) in [
        ("SELECT 5::int8", json!(5)),
        ("SELECT 5::int2", json!(5)),
        ("SELECT true", json!(true)),
        ("SELECT 12.50::numeric(10,2)", json!(12.5)),
        ("SELECT 0.1::float8", json!(0.1)),
        ("SELECT 'x'::varchar", json!("x")),
        ("SELECT '5'::text", json!("5")),
        ("SELECT '{\"a\": [1]}'::jsonb", json!({ "equals": { "a": [1] } })),
        ("SELECT NULL::int", json!({ "is": "null" })),
        ("SELECT '2026-01-31 13:00:00+01'::timestamptz", json!("2026-01-31 12:00:00+00")),
        ("SELECT ARRAY[1,2]", json!("{1,2}")),
        (
            "SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            json!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ),
        ("SHOW server_encoding", json!("UTF8")),
        ("SELECT point(1,2)", json!("(1,2)")),
        ("EXPLAIN SELECT 1", json!({ "starts_with": "Result" })),
    ] {
        told(&check(query(&server, sql).value(matcher(expected))).await, Outcome::Passed);
    }
    says(&check(query(&server, "SELECT '5'::text").value(5)).await, Outcome::Failed, "the string \"5\"");
    says(&check(query(&server, "SELECT 1 WHERE false").value(1)).await, Outcome::Failed, "brought no row");
    told(&check(query(&server, "SELECT 1 WHERE false").value(1).not()).await, Outcome::Errored);
    told(&check(query(&server, "SELECT 1 WHERE false").rows(0)).await, Outcome::Passed);
    let params =
        query(&server, "SELECT $1::text || $2::int || coalesce($3::text, '-') || ($4::jsonb ->> 'k')")
            .params([json!("a"), json!(7), json!(null), json!({ "k": true })])
            .value("a7-true");
    told(&check(params).await, Outcome::Passed);
    says(
        &check(query(&server, "SELECT $1::int").param("x").value(1)).await,
        Outcome::Failed,
        "invalid input syntax",
    );
    says(&check(query(&server, "SELEC 1")).await, Outcome::Failed, "(42601)");
    says(&check(query(&server, "-- SELECT 1").rows(0)).await, Outcome::Failed, "the statement is empty");
    told(&check(query(&server, "SELECT * FROM no_such").not()).await, Outcome::Passed);
    says(&check(query(&server, "COPY users TO STDOUT")).await, Outcome::Failed, "COPY brings no rows");
}

#[tokio::test]
async fn memory_is_bounded() {
    let server = Postgres::start();
    let many = "SELECT n FROM generate_series(1, 3000000) n";
    says(&check(query(&server, many).rows(1)).await, Outcome::Failed, "got more than 100000");
    says(&check(query(&server, many).rows(3_000_000)).await, Outcome::Errored, "no more are read");
    told(&check(query(&server, many).rows(matcher(json!({ "gte": 1 })))).await, Outcome::Passed);
    let wide = "SELECT repeat('x', 1000000) FROM generate_series(1, 100)";
    says(&check(query(&server, wide)).await, Outcome::Errored, "larger than clockwork reads");
    let huge = "SELECT repeat('x', 20000000)";
    says(&check(query(&server, huge)).await, Outcome::Errored, "larger than clockwork reads");
}

/// Whoever brings more rows than are read takes the connection with it, and does so once.
#[tokio::test]
async fn a_flood_of_rows_takes_nothing_from_the_others() {
    let server = Postgres::start();
    let mut project = Project::new("test");
    for number in 0..60_usize {
        let many = query(&server, "SELECT n FROM generate_series(1, 3000000) n").rows(1);
        let one = query(&server, &format!("SELECT {number}")).value(number as u64);
        project = project.assert(if number % 6 == 5 { many } else { one });
    }
    for (number, result) in run(project).await.iter().enumerate() {
        match number % 6 {
            5 => says(result, Outcome::Failed, "got more than 100000"),
            _ => _ = told(result, Outcome::Passed),
        }
    }
}

#[tokio::test]
async fn slow_statements_hold_up_nobody_and_do_not_outlive_their_check() {
    let server = Postgres::start();
    let mut project = Project::new("test");
    for number in 0..20 {
        let sql = format!("SELECT {number}");
        project = project.assert(query(&server, &sql).value(number).timeout(Duration::from_secs(3)));
    }
    for _ in 0..2 {
        project = project.assert(query(&server, "SELECT pg_sleep(60)").timeout(Duration::from_millis(900)));
    }
    for number in 20..40 {
        let sql = format!("SELECT {number}");
        project = project.assert(query(&server, &sql).value(number).timeout(Duration::from_secs(3)));
    }
    let results = run(project).await;
    for (index, result) in results.iter().enumerate() {
        match index {
            20 | 21 => says(result, Outcome::Failed, "no answer within "),
            _ => _ = told(result, Outcome::Passed),
        }
    }
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    let began = std::time::Instant::now();
    while server.psql(running) != "0" {
        assert!(began.elapsed() < Duration::from_secs(3), "it still runs on the server");
        std::thread::sleep(Duration::from_millis(50));
    }
    says(
        &check(query(&server, "SELECT pg_sleep(0.2)").max_ms(100)).await,
        Outcome::Failed,
        "at most 100 ms are allowed",
    );
    told(&check(query(&server, "SELECT 1").max_ms(2000)).await, Outcome::Passed);
}

#[tokio::test]
async fn many_slow_statements_do_not_look_like_a_server_that_hangs_up() {
    let server = Postgres::start();
    let mut project = Project::new("test");
    for number in 0..12 {
        let sql = format!("SELECT {number} FROM pg_sleep(0.6)");
        project = project.assert(query(&server, &sql).value(number));
    }
    for number in 12..20 {
        project = project.assert(query(&server, &format!("SELECT {number}")).value(number));
    }
    for result in run(project).await {
        told(&result, Outcome::Passed);
    }
}

#[tokio::test]
async fn a_connection_that_died_between_rounds_is_made_again() {
    let server = Arc::new(Postgres::start());
    let count = query(&server, "SELECT count(*) FROM app.orders").value(1);
    let waiting =
        tokio::spawn(check(count.within(Duration::from_secs(20)).every(Duration::from_millis(100))));
    let meddling = {
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(500));
            for _ in 0..3 {
                server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clockwork'");
                std::thread::sleep(Duration::from_millis(150));
            }
            server.psql("INSERT INTO app.orders VALUES (1, 9.99)");
        })
    };
    meddling.await.unwrap();
    let result = waiting.await.unwrap();
    told(&result, Outcome::Passed);
    let transitions = format!("{:?}", result.timeline);
    assert!(!transitions.contains("closed the connection"), "{transitions}");
    assert!(server.logins() > 1, "{}", server.logins());
}
