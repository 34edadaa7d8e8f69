//! A PostgreSQL server of the test's own.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use clockwork_core::Secret;
use clockwork_drivers::sql::{Connection, DatabaseEngine};

use super::{
    daemon::{Daemon, as_nobody, free_port, from_template, give, wait_until},
    secret,
};
use crate::run::directory;

pub(crate) const PASSWORD: &str = "hunter2-canary";

/// A server with TLS, SCRAM, a superuser `postgres` and a database `shop` with a few tables.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
    log: PathBuf,
    _daemon: Daemon,
    _kept: tempfile::TempDir,
}

const HBA: &str = "\
local all all trust
local replication all trust
hostnossl all tls_only 127.0.0.1/32 reject
host all nobody_in 127.0.0.1/32 reject
host all md5_user 127.0.0.1/32 md5
host all clear_user 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
";

const SHOP: &str = r#"
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(255) NOT NULL, age int, tags text[], joined timestamptz(3));
INSERT INTO users (email, age) SELECT 'u' || n || '@example.org', n FROM generate_series(1, 10) n;
CREATE TABLE "Users" ("Id" int, "eMail" text);
CREATE SCHEMA app;
CREATE TABLE app.orders (id int PRIMARY KEY, total numeric(10,2));
CREATE VIEW adults AS SELECT * FROM users WHERE age >= 8;
CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n FROM users;
CREATE TABLE events (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE "order" (id int);
CREATE SEQUENCE ticket;
CREATE FUNCTION sneaky() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN 1; END $$;
CREATE ROLE admin LOGIN PASSWORD 'hunter2-canary';
GRANT SELECT ON users TO admin;
CREATE ROLE full_house LOGIN PASSWORD 'hunter2-canary' CONNECTION LIMIT 0;
CREATE ROLE tls_only LOGIN PASSWORD 'hunter2-canary';
CREATE ROLE nobody_in LOGIN PASSWORD 'hunter2-canary';
CREATE ROLE clear_user LOGIN PASSWORD 'hunter2-canary';
SET password_encryption = md5;
CREATE ROLE md5_user LOGIN PASSWORD 'hunter2-canary';
"#;

fn binary(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<_> = versions
        .map(|version| version.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::with(&[], true)
    }

    /// With these settings, and the tables only if somebody can be let in to make them.
    pub(crate) fn with(settings: &[&str], usable: bool) -> Self {
        let (kept, directory) = directory();
        let data = directory.join("data");
        from_template("postgres", &data, |data| {
            let password = data.with_extension("password");
            std::fs::write(&password, PASSWORD).unwrap();
            std::fs::set_permissions(&password, PermissionsExt::from_mode(0o644)).unwrap();
            let mut command = as_nobody();
            command.arg(binary("initdb")).arg("-D").arg(data).arg("--pwfile").arg(password).current_dir("/");
            command.args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync"]);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        });
        std::fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        for setting in settings.iter().filter(|setting| setting.ends_with(".signal")) {
            std::fs::write(data.join(setting), "").unwrap();
        }
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("server.crt"), certificate.cert.pem()).unwrap();
        std::fs::write(data.join("server.crt"), certificate.cert.pem()).unwrap();
        std::fs::write(data.join("server.key"), certificate.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(data.join("server.key"), PermissionsExt::from_mode(0o600)).unwrap();
        let server = Self::launch(kept, directory, settings, usable);
        if usable {
            server.psql_in("postgres", "CREATE DATABASE shop");
            server.psql(SHOP);
        }
        server
    }

    /// A server of another cluster, without anything in it.
    pub(crate) fn of_another_cluster() -> Self {
        let (kept, directory) = directory();
        give(&directory);
        let mut command = as_nobody();
        command.arg(binary("initdb")).arg("-D").arg(directory.join("data")).current_dir("/");
        command.args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = Self::launch(kept, directory, &["ssl=off"], true);
        server.psql_in("postgres", "CREATE DATABASE shop");
        server
    }

    /// A replica that streams from this one, over its socket.
    pub(crate) fn replica(&self, settings: &[&str]) -> Self {
        let (kept, directory) = directory();
        give(&directory);
        let mut command = as_nobody();
        command.arg(binary("pg_basebackup")).arg("-D").arg(directory.join("data")).current_dir("/");
        command.args([
            "-h",
            self.directory.to_str().unwrap(),
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
        ]);
        command.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::launch(kept, directory, settings, true)
    }

    /// Starts the server on the data of this directory.
    fn launch(kept: tempfile::TempDir, directory: PathBuf, settings: &[&str], usable: bool) -> Self {
        let data = directory.join("data");
        give(&directory);
        let (port, log) = (free_port(), directory.join("log"));
        let mut arguments = vec!["-D".to_owned(), data.to_str().unwrap().to_owned()];
        let usual =
            ["fsync=off", "ssl=on", "listen_addresses=127.0.0.1", "log_connections=on", "shared_buffers=8MB"];
        let settings =
            usual.into_iter().chain(settings.iter().copied().filter(|setting| setting.contains('=')));
        let mut all: Vec<_> = settings.map(str::to_owned).collect();
        all.push(format!("port={port}"));
        all.push(format!("unix_socket_directories={}", directory.display()));
        arguments.extend(all.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        let mut daemon = Daemon::start(&binary("postgres"), &arguments, &log);
        let ready = binary("pg_isready");
        wait_until("PostgreSQL", &log, || {
            assert!(daemon.runs(), "PostgreSQL ended: {}", std::fs::read_to_string(&log).unwrap());
            let mut command = Command::new(&ready);
            command.args(["-h", directory.to_str().unwrap(), "-p", &port.to_string()]);
            let code = command.output().unwrap().status.code();
            // 1: it is there, and takes nobody.
            code == Some(if usable { 0 } else { 1 })
        });
        Self { port, directory, log, _daemon: daemon, _kept: kept }
    }

    /// What `psql` says, as the superuser, over the socket.
    pub(crate) fn psql(&self, sql: &str) -> String {
        self.psql_in("shop", sql)
    }

    pub(crate) fn psql_in(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new("psql");
        command.args([
            "-h",
            self.directory.to_str().unwrap(),
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
        ]);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Whether `psql` is let in over TCP with these settings.
    pub(crate) fn lets_in(&self, user: &str, password: &str, database: &str, more: &str) -> bool {
        let target = format!("host=localhost port={} user={user} dbname={database} {more}", self.port);
        let mut command = Command::new("psql");
        command.args(["-X", "-d", &target, "-c", "SELECT 1"]).env("PGPASSWORD", password);
        command.output().unwrap().status.success()
    }

    /// As the superuser, to `shop`, over the socket, where no password is hashed four thousand times.
    pub(crate) fn connection(&self) -> Connection {
        Connection { host: self.directory.to_str().unwrap().to_owned(), ..self.as_user("postgres") }
    }

    pub(crate) fn as_user(&self, user: &str) -> Connection {
        Connection {
            port: Some(self.port),
            database: Some("shop".into()),
            user: Some(user.into()),
            password: Some(secret(PASSWORD)),
            host: "localhost".into(),
            ..Connection::new(DatabaseEngine::Postgresql)
        }
    }

    pub(crate) fn with_password(&self, user: &str, password: Option<Secret>) -> Connection {
        Connection { password, ..self.as_user(user) }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("server.crt")
    }

    /// How often clockwork was let in over TCP.
    pub(crate) fn logins(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines()
            .filter(|line| line.contains("connection authorized") && line.contains("=clockwork"))
            .count()
    }
}
