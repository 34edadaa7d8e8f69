//! A MariaDB server of the test's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use clockwork_drivers::sql::{Connection, DatabaseEngine};

use super::{
    daemon::{Daemon, as_nobody, free_port, from_template, give, wait_until},
    secret,
};
use crate::run::directory;

pub(crate) const PASSWORD: &str = "hunter2-canary";

/// A server with a database `shop`, and a user `admin` who may come over TCP.
pub(crate) struct MariaDb {
    pub(crate) port: u16,
    directory: PathBuf,
    _daemon: Daemon,
    _kept: tempfile::TempDir,
}

const SHOP: &str = "\
CREATE DATABASE shop; USE shop;
CREATE TABLE users (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) NOT NULL, age INT, active BOOLEAN);
INSERT INTO users (email, age, active) SELECT CONCAT('u', seq), seq, seq % 2 FROM seq_1_to_10;
CREATE VIEW adults AS SELECT * FROM users WHERE age >= 8;
CREATE TABLE `order` (total DECIMAL(10,2), at DATETIME, day DATE);
INSERT INTO `order` VALUES (12.50, '2026-01-31 12:00:00', '2026-01-31');
CREATE FUNCTION sneaky() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM users; RETURN 1; END;
CREATE USER admin@'%' IDENTIFIED BY 'hunter2-canary'; GRANT ALL ON shop.* TO admin@'%';
CREATE USER reader@'%' IDENTIFIED BY 'hunter2-canary'; GRANT SELECT ON shop.users TO reader@'%';
CREATE USER tls_only@'%' IDENTIFIED BY 'hunter2-canary' REQUIRE SSL; GRANT ALL ON shop.* TO tls_only@'%';";

impl MariaDb {
    pub(crate) fn start(tls: bool) -> Self {
        let (kept, directory) = directory();
        let data = directory.join("data");
        from_template("mariadb", &data, |data| {
            let mut command = as_nobody();
            command
                .arg("mariadb-install-db")
                .arg("--no-defaults")
                .arg(format!("--datadir={}", data.display()));
            command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]).current_dir("/");
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        });
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("server.crt"), certificate.cert.pem()).unwrap();
        std::fs::write(directory.join("server.key"), certificate.signing_key.serialize_pem()).unwrap();
        give(&directory);
        let (port, log) = (free_port(), directory.join("log"));
        let socket = directory.join("socket");
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            format!("--socket={}", socket.display()),
            // One that starts takes away all temporary tables that it finds, also those of another that runs.
            format!("--tmpdir={}", data.display()),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
            "--innodb-buffer-pool-size=16M".to_owned(),
            "--skip-name-resolve".to_owned(),
        ];
        if tls {
            arguments.push(format!("--ssl-cert={}", directory.join("server.crt").display()));
            arguments.push(format!("--ssl-key={}", directory.join("server.key").display()));
        }
        let mut daemon = Daemon::start(Path::new("/usr/sbin/mariadbd"), &arguments, &log);
        wait_until("MariaDB", &log, || {
            assert!(daemon.runs(), "MariaDB ended: {}", std::fs::read_to_string(&log).unwrap());
            socket.exists()
        });
        let server = Self { port, directory, _daemon: daemon, _kept: kept };
        server.client_with(
            &["--delimiter=;;"],
            &SHOP
                .replace(";\nCREATE", ";;\nCREATE")
                .replace(";\nINSERT", ";;\nINSERT")
                .replace("shop; USE shop;", "shop;; USE shop;")
                .replace("; GRANT", ";; GRANT"),
        );
        server
    }

    /// What `mariadb` says, as root, over the socket.
    pub(crate) fn client(&self, sql: &str) -> String {
        self.client_with(&["--database=shop"], sql)
    }

    fn client_with(&self, more: &[&str], sql: &str) -> String {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-u", "root", "-N", "-B"]).args(more);
        command.arg(format!("--socket={}", self.directory.join("socket").display())).args(["-e", sql]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn as_user(&self, user: &str) -> Connection {
        Connection {
            host: "localhost".into(),
            port: Some(self.port),
            database: Some("shop".into()),
            user: Some(user.into()),
            password: Some(secret(PASSWORD)),
            ..Connection::new(DatabaseEngine::Mariadb)
        }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("server.crt")
    }
}
