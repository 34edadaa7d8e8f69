//! MigrationsAppliedAssert on tables as the tools make them, beside directories as they want them.

use std::{path::Path, sync::Arc};

use clockwork_assert::MigrationsAppliedAssert;
use clockwork_core::{AssertionExt, CheckResult, Outcome};

use super::postgres_server::Postgres;
use crate::run::{check, directory, output, told};

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
}

/// The tables, as the tools' own migrations create them.
const TABLES: &str = "
CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
  installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL);
CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES (1, 'users', 'x', '123'), (2, 'orders', 'x', '456');
CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT now());
INSERT INTO __diesel_schema_migrations (version) VALUES ('00000000000000'), ('20240101120000');
CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL,
  type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL,
  installed_on TIMESTAMP NOT NULL DEFAULT now(), execution_time INT NOT NULL, success BOOLEAN NOT NULL);
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('b2');
CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, applied timestamptz NOT NULL DEFAULT now());
INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial'), ('shop', '0001_initial');
CREATE TABLE schema_migrations (version VARCHAR PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20240101000000'), ('20240301000000');
CREATE SCHEMA go; CREATE TABLE go.schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO go.schema_migrations VALUES (2, false);
";

#[tokio::test]
async fn every_tool_is_known_and_its_state_told() {
    let server = Postgres::start();
    server.psql(TABLES);
    let (_kept, root) = directory();
    write(
        &root,
        &[
            ("sqlx/0001_users.sql", "CREATE TABLE a ();"),
            ("sqlx/0002_orders.up.sql", "CREATE TABLE b ();"),
            ("sqlx/0002_orders.down.sql", "DROP TABLE b;"),
            ("sqlx/README.md", "x"),
            ("refinery/V1__users.sql", "x"),
            ("refinery/V2__orders.rs", "x"),
            ("diesel/00000000000000_diesel_initial_setup/up.sql", "x"),
            ("diesel/2024-01-01-120000_users/up.sql", "x"),
            ("diesel/2024-02-01-120000_orders/up.sql", "x"),
            ("flyway/V1__users.sql", "123456789"),
            ("flyway/V1_1__orders.sql", "x"),
            ("flyway/R__views.sql", "x"),
            ("deep/V1__users.sql", "x"),
            ("deep/2025/V2__orders.sql", "x"),
            ("deep/2025/more/V3__more.sql", "x"),
            ("alembic/env.py", "import alembic"),
            ("alembic/versions/a1_users.py", "revision = 'a1'\ndown_revision = None\n"),
            ("alembic/versions/b2_orders.py", "revision = 'b2'\ndown_revision = 'a1'\n"),
            ("django/shop/migrations/__init__.py", ""),
            ("django/shop/migrations/0001_initial.py", "class Migration(migrations.Migration): pass\n"),
            ("rails/20240101000000_users.rb", "x"),
            ("rails/20240201000000_orders.rb", "x"),
            ("rails/20240301000000_more.rb", "x"),
            ("go/000001_users.up.sql", "x"),
            ("go/000001_users.down.sql", "x"),
            ("go/000002_orders.up.sql", "x"),
            ("empty/README.md", "x"),
        ],
    );
    let applied = |table: &str, folder: &str| {
        MigrationsAppliedAssert::new(table).directory(root.join(folder)).connection(server.connection())
    };
    let digest = |name: &str| output("sha384sum", &[root.join(name).to_str().unwrap()])[..96].to_owned();
    let insert = |version: u32, success: bool, digest: &str| {
        server.psql(&format!(
            "INSERT INTO _sqlx_migrations VALUES ({version}, 'x', now(), {success}, decode('{digest}', 'hex'), 1)"
        ))
    };
    says(
        &check(applied("_sqlx_migrations", "sqlx")).await,
        Outcome::Failed,
        "sqlx: 2 migrations are pending",
    );
    insert(1, true, &digest("sqlx/0001_users.sql"));
    says(
        &check(applied("_sqlx_migrations", "sqlx")).await,
        Outcome::Failed,
        "sqlx: migration \"2\" is pending",
    );
    told(&check(applied("_sqlx_migrations", "sqlx").not()).await, Outcome::Passed);
    insert(2, false, &digest("sqlx/0002_orders.up.sql"));
    says(
        &check(applied("_sqlx_migrations", "sqlx")).await,
        Outcome::Failed,
        "migration \"2\" failed; repair",
    );
    server.psql("UPDATE _sqlx_migrations SET success = true");
    says(
        &check(applied("_sqlx_migrations", "sqlx").version("0002")).await,
        Outcome::Passed,
        "sqlx: 2 migrations ran",
    );
    write(&root, &[("sqlx/0001_users.sql", "CREATE TABLE c ();")]);
    says(
        &check(applied("_sqlx_migrations", "sqlx")).await,
        Outcome::Failed,
        "ran with another content than its file",
    );

    let flyway = |row: &str| server.psql(&format!("INSERT INTO flyway_schema_history VALUES ({row})"));
    // `printf 123456789 | gzip | tail -c8 | od -t d4` says -873187034.
    flyway("1, '1', 'users', 'SQL', 'V1__users.sql', -873187034, 'me', now(), 1, true");
    says(
        &check(applied("flyway_schema_history", "flyway")).await,
        Outcome::Failed,
        "Flyway: 2 migrations are pending: \"1.1\", \"views\"",
    );
    flyway("2, '2', 'more', 'SQL', 'V2__more.sql', 0, 'me', now(), 1, true");
    says(
        &check(applied("flyway_schema_history", "flyway")).await,
        Outcome::Failed,
        "\"1.1\" has not run, and newer ones have",
    );
    says(
        &check(applied("flyway_schema_history", "flyway")).await,
        Outcome::Failed,
        "migration \"2\" ran, and has no file",
    );
    flyway("3, '1.1', 'orders', 'SQL', 'V1_1__orders.sql', 5, 'me', now(), 1, true");
    says(
        &check(applied("flyway_schema_history", "flyway")).await,
        Outcome::Failed,
        "\"1.1\" ran with another content",
    );

    says(
        &check(applied("refinery_schema_history", "refinery")).await,
        Outcome::Passed,
        "refinery: 2 migrations ran",
    );
    says(
        &check(applied("refinery_schema_history", "deep")).await,
        Outcome::Failed,
        "refinery: migration \"3\" is pending",
    );
    says(
        &check(applied("__diesel_schema_migrations", "diesel")).await,
        Outcome::Failed,
        "\"20240201120000\" is pending",
    );
    says(&check(applied("alembic_version", "alembic")).await, Outcome::Passed, "Alembic: 2 migrations ran");
    told(&check(applied("alembic_version", "alembic").version("a1")).await, Outcome::Passed);
    says(&check(applied("django_migrations", "django")).await, Outcome::Passed, "Django: 2 migrations ran");
    let rails = check(applied("schema_migrations", "rails")).await;
    says(&rails, Outcome::Failed, "Rails: migration \"20240201000000\" has not run, and newer ones have");
    assert_eq!(rails.details()["out_of_order"][0], "20240201000000");
    says(
        &check(applied("go.schema_migrations", "go")).await,
        Outcome::Passed,
        "golang-migrate: 2 migrations ran",
    );
    server.psql("UPDATE go.schema_migrations SET dirty = true");
    says(
        &check(applied("go.schema_migrations", "go")).await,
        Outcome::Failed,
        "golang-migrate: migration \"2\" failed",
    );

    says(
        &check(applied("schema_migrations", "empty")).await,
        Outcome::Errored,
        "holds no migration of Rails",
    );
    says(
        &check(applied("schema_migrations", "no_such")).await,
        Outcome::Errored,
        "cannot read the directory",
    );
    says(
        &check(applied("users", "rails")).await,
        Outcome::Errored,
        "is a table of no tool that is known here",
    );
    says(
        &check(applied("no_such", "rails")).await,
        Outcome::Failed,
        "no migration has run: there is no table",
    );
    told(&check(applied("no_such", "rails").not()).await, Outcome::Passed);
    let version = MigrationsAppliedAssert::new("schema_migrations")
        .version("20250101000000")
        .connection(server.connection());
    says(&check(version).await, Outcome::Failed, "has not run, the newest that has is \"20240301000000\"");
}
