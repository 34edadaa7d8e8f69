//! Being let in, tables and rows, on a real PostgreSQL server.

use std::{sync::Arc, time::Duration};

use clockwork_assert::{DatabaseConnectionAssert, QuerySuccessAssert, RowCountAssert, TableExistsAssert};
use clockwork_core::{AssertionExt, CheckResult, Outcome, Project, ResourceExt};
use clockwork_drivers::{
    ContainerResource,
    sql::{Connection, DatabaseEngine},
};

use super::{
    postgres_server::{PASSWORD, Postgres},
    secret,
};
use crate::{
    run::{check, run, told},
    server::nobody,
};

fn enters(connection: Connection) -> DatabaseConnectionAssert {
    DatabaseConnectionAssert::new().connection(connection)
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
    assert!(!format!("{result:?}").contains(PASSWORD), "{message}");
}

#[tokio::test]
async fn who_is_let_in_and_who_is_not() {
    let server = Postgres::start();
    for (user, password, database, passes, words) in [
        ("admin", Some(PASSWORD), "shop", true, "PostgreSQL "),
        ("md5_user", Some(PASSWORD), "shop", true, "with TLS 1.3"),
        ("clear_user", Some(PASSWORD), "shop", true, "PostgreSQL "),
        (
            "admin",
            Some("wrong"),
            "shop",
            false,
            "refuses the user or the password: \"password authentication failed",
        ),
        ("no_such_user", Some(PASSWORD), "shop", false, "(28P01)"),
        (
            "admin",
            Some(PASSWORD),
            "no_such",
            false,
            "has no such database: \"database \\\"no_such\\\" does not exist\" (3D000)",
        ),
        ("full_house", Some(PASSWORD), "shop", false, "has too many connections"),
        (
            "nobody_in",
            Some(PASSWORD),
            "shop",
            false,
            "lets this user not in: \"pg_hba.conf rejects connection",
        ),
        ("admin", None, "shop", false, "asks for the password of user \"admin\", and none is given"),
    ] {
        let connection = Connection {
            database: Some(database.into()),
            ..server.with_password(user, password.map(secret))
        };
        let result = check(enters(connection.clone())).await;
        says(&result, if passes { Outcome::Passed } else { Outcome::Failed }, words);
        let witness = password.is_some_and(|password| server.lets_in(user, password, database, ""));
        assert_eq!(witness, passes, "psql does not agree about {user}");
        let turned = check(enters(connection).not()).await;
        told(&turned, if passes { Outcome::Failed } else { Outcome::Passed });
    }
    // Over the socket, where everybody is trusted.
    let socket = Connection { host: server.directory.display().to_string(), ..server.as_user("admin") };
    says(&check(enters(socket)).await, Outcome::Passed, "in clear");
    // The fields of its own go before the connection's.
    let own = DatabaseConnectionAssert::new()
        .host("127.0.0.1")
        .port(server.port)
        .database("shop")
        .credentials("admin", secret(PASSWORD));
    says(&check(own).await, Outcome::Passed, "PostgreSQL ");
    let unset = server.with_password("admin", Some(clockwork_core::Secret::env("CLOCKWORK_NO_SUCH")));
    says(&check(enters(unset)).await, Outcome::Errored, "is not set");
}

#[tokio::test]
async fn what_is_not_there_is_not_accessible_and_proves_nothing_else() {
    let closed = nobody().await.port();
    let refused = Connection {
        port: Some(closed),
        host: "127.0.0.1".into(),
        ..Connection::new(DatabaseEngine::Postgresql)
    };
    let here = || enters(refused.clone());
    says(&check(here()).await, Outcome::Failed, "refused the connection; nothing listens there");
    told(&check(here().not()).await, Outcome::Passed);
    let table = || TableExistsAssert::new("users").connection(refused.clone());
    says(&check(table()).await, Outcome::Failed, "refused the connection");
    says(&check(table().not()).await, Outcome::Errored, "under `not` this proves nothing");
    let unknown = Connection { host: "no-such-host.invalid".into(), ..refused.clone() };
    let patient = Duration::from_secs(20);
    says(&check(enters(unknown.clone()).timeout(patient)).await, Outcome::Failed, "does not resolve");
    told(&check(enters(unknown).not().timeout(patient)).await, Outcome::Errored);
}

#[tokio::test]
async fn a_server_that_takes_nobody_yet() {
    let server = Postgres::with(&["hot_standby=off", "standby.signal"], false);
    let result = check(enters(server.connection())).await;
    says(&result, Outcome::Failed, "takes nobody now: ");
    says(&result, Outcome::Failed, "(57P03)");
    says(
        &check(RowCountAssert::new("users").min(1).connection(server.connection())).await,
        Outcome::Failed,
        "57P03",
    );
}

#[tokio::test]
async fn tables_are_found_as_the_server_finds_them() {
    let server = Postgres::start();
    let table = |name: &str| TableExistsAssert::new(name).connection(server.connection());
    for (name, regclass, words) in [
        ("users", "users", "\"public.users\" is a table"),
        ("USERS", "USERS", "\"public.users\" is a table"),
        ("\"Users\"", "\"Users\"", "\"public.Users\" is a table"),
        ("app.orders", "app.orders", "\"app.orders\" is a table"),
        ("adults", "adults", "is a view"),
        ("summary", "summary", "is a materialized view"),
        ("events", "events", "is a partitioned table"),
        ("order", "order", "\"public.order\" is a table"),
        ("pg_class", "pg_class", "\"pg_catalog.pg_class\" is a table"),
    ] {
        says(&check(table(name)).await, Outcome::Passed, words);
        assert_ne!(server.psql(&format!("SELECT to_regclass('{regclass}')")), "", "{name}");
        told(&check(table(name).not()).await, Outcome::Failed);
    }
    for (name, words) in [
        ("no_such", "there is no table \"no_such\" (search_path: public)"),
        ("orders", "there is no table \"orders\" (search_path: public); there is \"app.orders\""),
        ("\"USERS\"", "there is \"public.\\\"Users\\\"\", \"public.users\""),
        ("app.users", "there is no table \"app.users\" (schema app)"),
        ("ticket", "\"public.ticket\" is a sequence, not a table"),
        ("users_pkey", "is an index, not a table"),
    ] {
        says(&check(table(name)).await, Outcome::Failed, words);
        told(&check(table(name).not()).await, Outcome::Passed);
    }
    let fits = table("users").columns([
        ("id", "bigint"),
        ("Email", "varchar(255)"),
        ("age", "int4"),
        ("tags", "text[]"),
        ("joined", "timestamptz(3)"),
    ]);
    says(&check(fits).await, Outcome::Passed, "is a table");
    let wrong = table("users").columns([("id", "int"), ("name", "text")]);
    says(
        &check(wrong).await,
        Outcome::Failed,
        "\"public.users\": column \"id\" is \"bigint\", expected \"int\"; it has no column \"name\"",
    );
    says(&check(table("\"Users\"").column("email", "text")).await, Outcome::Failed, "there is \"eMail\"");
    // Credentials are not what is asserted here.
    let wrong =
        TableExistsAssert::new("users").connection(server.with_password("admin", Some(secret("wrong"))));
    says(&check(wrong.clone()).await, Outcome::Errored, "refuses the user or the password");
    told(&check(wrong.not()).await, Outcome::Errored);
}

#[tokio::test]
async fn rows_are_counted_as_psql_counts_them() {
    let server = Postgres::start();
    let rows = |table: &str| RowCountAssert::new(table).connection(server.connection());
    for (assertion, passes, words) in [
        (rows("users").min(1), true, "at least 1 row"),
        (rows("users").min(10).max(10), true, "10 rows"),
        (rows("users").min(11), false, "\"users\" has 10 rows, expected at least 11 rows"),
        (rows("users").max(9), false, "\"users\" has at least 10 rows, expected at most 9 rows"),
        (rows("users").max(3).r#where("age > 7"), true, "3 rows"),
        (
            rows("users").max(2).r#where("age > 7 -- or so"),
            false,
            "at least 3 rows for which the condition holds",
        ),
        (rows("adults").min(3).max(3), true, "3 rows"),
        (rows("order").max(0), true, "0 rows"),
        (rows("\"Users\"").min(1), false, "has 0 rows"),
    ] {
        says(&check(assertion.clone()).await, if passes { Outcome::Passed } else { Outcome::Failed }, words);
        told(&check(assertion.not()).await, if passes { Outcome::Failed } else { Outcome::Passed });
    }
    assert_eq!(server.psql("SELECT count(*), count(*) FILTER (WHERE age > 7) FROM users"), "10|3");
    says(&check(rows("no_such").min(1)).await, Outcome::Failed, "(42P01)");
    told(&check(rows("no_such").min(1).not()).await, Outcome::Errored);
    let tricky = rows("users").max(0).r#where("false) UNION ALL SELECT 1 FROM users WHERE (true");
    told(&check(tricky).await, Outcome::Failed);
    let writes = rows("users").min(1).r#where("sneaky() = 1");
    says(&check(writes).await, Outcome::Failed, "the statement writes, and the server refused it");
    assert_eq!(server.psql("SELECT count(*) FROM users"), "10");
    // Never analysed: nobody knows.
    says(&check(rows("users").min(1).estimate()).await, Outcome::Errored, "it was never analysed");
    server.psql("ANALYZE users");
    says(
        &check(rows("users").min(1).max(20).estimate()).await,
        Outcome::Passed,
        "about 10 rows (an estimate)",
    );
    says(&check(rows("adults").min(1).estimate()).await, Outcome::Errored, "run ANALYZE");
    let forbidden = RowCountAssert::new("app.orders").min(1).connection(server.as_user("admin"));
    says(&check(forbidden).await, Outcome::Errored, "the user may not do this");
}

#[tokio::test]
async fn a_hundred_checks_share_one_connection_of_the_resource() {
    let server = Postgres::start();
    let mut resource = ContainerResource::new("db")
        .connection(server.as_user("admin"))
        .assert(DatabaseConnectionAssert::new());
    for number in 0..99 {
        resource =
            resource.assert(QuerySuccessAssert::new("SELECT $1::int + 1").param(number).value(number + 1));
    }
    let results = run(Project::new("test").with(resource)).await;
    assert_eq!(results.len(), 100);
    for result in &results {
        told(result, Outcome::Passed);
    }
    assert_eq!(server.logins(), 1, "one connection serves them all");
}
