//! Databases: one statement asked, in a transaction that the server holds to reading and that is rolled back. Committed is
//! only what asks for it: a step of a workflow ([`Statement::commit`]), and the canary of a [`ReplicationProbe`].
//!
//! | engine | feature | what keeps a statement from writing |
//! | --- | --- | --- |
//! | PostgreSQL | `postgres` | `BEGIN READ ONLY` in the same batch, one statement by protocol, `ROLLBACK` |
//! | MySQL, MariaDB | `mysql` | `SET SESSION TRANSACTION READ ONLY`, `START TRANSACTION READ ONLY`, one statement by protocol, `ROLLBACK` |
//! | SQLite | `sqlite` | the file is opened for reading, and `PRAGMA query_only` |
//!
//! What no transaction can refuse, because it is no writing to tables: functions with effects outside of it. In
//! PostgreSQL these are, for those who may call them, `pg_terminate_backend`, `pg_cancel_backend`, `pg_reload_conf`,
//! session advisory locks, `dblink` and foreign servers, untrusted languages, and `COPY … TO PROGRAM` or to a file; in
//! MySQL `KILL`, `GET_LOCK`, `SELECT … INTO OUTFILE`, `SET GLOBAL` and `FLUSH`. Rolled back but not refused are temporary
//! tables and `NOTIFY`. Connect as a user who may only read.

mod both;
mod catalog;
mod compare;
mod connection;
mod failure;
mod migrations;
#[cfg(feature = "mysql")]
mod mysql;
mod name;
mod number;
#[cfg(feature = "postgres")]
mod postgres;
mod probe;
mod replication;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

pub use catalog::{Column, Relation, Table, TableLook, estimate, look_up};
pub use compare::{
    Compared, Decimal, Difference, DifferenceKind, Incomparable, Incomplete, Number, Side, SideOf,
    TableComparison, Value,
};
pub use connection::{Connection, DatabaseEngine, TlsMode};
pub use failure::{FailureKind, SqlFailure};
pub use migrations::{
    Applied, Migration, MigrationFiles, MigrationFilesProbe, MigrationTool, Ran, applied_migrations,
    compare_versions, normal_version,
};
pub use name::TableName;
pub use probe::{ConnectProbe, Connected, SqlProbe};
pub use replication::{
    Receiver, Replication, ReplicationMethod, ReplicationProbe, Role, ServerFacts, canary_table,
};
pub use statement::{BYTE_LIMIT, ROW_LIMIT, Rows, Statement};

/// A file's name, for messages.
pub(crate) fn shown(path: &std::path::Path) -> String {
    clockwork_core::text::quote_bytes(path.as_os_str().as_encoded_bytes())
}
