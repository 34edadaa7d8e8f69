//! The kinds about databases, against real servers of PostgreSQL and MariaDB and real SQLite files; `psql`, `mariadb` and
//! `sqlite3` are the witnesses.

pub(crate) mod daemon;
mod hostile;
#[cfg(feature = "mysql")]
mod mariadb;
#[cfg(feature = "mysql")]
pub(crate) mod mariadb_server;
mod migrations;
mod postgres;
mod postgres_server;
mod postgres_statements;
mod postgres_tls;
#[cfg(feature = "sqlite")]
mod sqlite;

use clockwork_core::{Secret, SecretString};

/// A password that is given in Rust.
fn secret(text: &str) -> Secret {
    Secret::from(SecretString::from(text))
}
