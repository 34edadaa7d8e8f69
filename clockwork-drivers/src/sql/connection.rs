//! [`Connection`]: how to reach a database.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clockwork_core::{Invalid, Secret, text::quote};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to reach a database; assertions about databases use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// What kind of database.
    pub engine: DatabaseEngine,
    /// Where it listens, as seen from where Clockwork runs: a name, an address, or the directory of a PostgreSQL
    /// server's socket.
    #[serde(default = "localhost")]
    pub host: String,
    /// The engine's usual port, if left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// The database's name. For PostgreSQL the user's, if left out; for SQLite its file, as `path`.
    #[serde(default)]
    pub database: Option<String>,
    /// Who connects: `postgres` or `root`, the engine's first user, if left out.
    #[serde(default)]
    pub user: Option<String>,
    /// The password: `{ env: NAME }` or `{ file: path }`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The password, from this environment variable: short for `password: { env: NAME }`.
    #[serde(default)]
    pub password_env: Option<String>,
    /// The file of an SQLite database.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Whether the connection has to be encrypted. `prefer`, if left out; `verify-full`, if there is a `ca_file`.
    #[serde(default)]
    pub tls: Option<TlsMode>,
    /// A PEM file: then only what stands in it is trusted, instead of the machine's roots. It needs `tls: verify-full`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// What kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseEngine {
    /// PostgreSQL.
    #[default]
    #[serde(alias = "postgres")]
    Postgresql,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// SQLite: a file.
    Sqlite,
}

impl fmt::Display for DatabaseEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
            Self::Sqlite => "SQLite",
        })
    }
}

/// Whether a connection has to be encrypted, in the words of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Encrypted if the server can, with any certificate; in clear otherwise.
    #[default]
    Prefer,
    /// Encrypted, with any certificate.
    Require,
    /// Encrypted, with a certificate that is trusted and for this host.
    VerifyFull,
}

fn localhost() -> String {
    String::from("localhost")
}

impl Connection {
    /// A connection to this kind of database on this machine, with nothing else said.
    pub fn new(engine: DatabaseEngine) -> Self {
        Self {
            engine,
            host: localhost(),
            port: None,
            database: None,
            user: None,
            password: None,
            password_env: None,
            path: None,
            tls: None,
            ca_file: None,
        }
    }

    /// The SQLite database in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::new(DatabaseEngine::Sqlite) }
    }

    /// The port: the one that is said, or the engine's usual one.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.engine {
            DatabaseEngine::Postgresql => 5432,
            DatabaseEngine::Mysql | DatabaseEngine::Mariadb => 3306,
            DatabaseEngine::Sqlite => 0,
        })
    }

    /// The password, whichever way it is said.
    pub fn password(&self) -> Option<Secret> {
        self.password.clone().or_else(|| self.password_env.as_deref().map(Secret::env))
    }

    /// Whether it has to be encrypted, with what a `ca_file` implies.
    pub fn tls(&self) -> TlsMode {
        self.tls.unwrap_or(if self.ca_file.is_some() { TlsMode::VerifyFull } else { TlsMode::Prefer })
    }

    /// The database's name: the one that is said, or for PostgreSQL the user's.
    pub fn database(&self) -> Option<&str> {
        match self.engine {
            DatabaseEngine::Postgresql => self.database.as_deref().or(Some(self.user())),
            _ => self.database.as_deref(),
        }
    }

    /// Who connects: the one that is said, or the engine's first user.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(match self.engine {
            DatabaseEngine::Postgresql => "postgres",
            DatabaseEngine::Mysql | DatabaseEngine::Mariadb => "root",
            DatabaseEngine::Sqlite => "",
        })
    }

    /// `db.example:5432`, the socket, or the file.
    pub fn place(&self) -> String {
        if self.engine == DatabaseEngine::Sqlite {
            return super::shown(self.file().unwrap_or(Path::new("")));
        }
        match self.socket() {
            Some(socket) => super::shown(&socket),
            None => place(&self.host, self.port()),
        }
    }

    /// The file of an SQLite database, whichever way it is said.
    pub(crate) fn file(&self) -> Option<&Path> {
        let file = self.path.as_deref().or_else(|| self.database.as_deref().map(Path::new));
        file.filter(|_| self.engine == DatabaseEngine::Sqlite)
    }

    /// The socket that a host which is a directory means.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        let directory = self.host.starts_with('/');
        directory.then(|| PathBuf::from(format!("{}/.s.PGSQL.{}", self.host, self.port())))
    }

    /// Whether it leads over a network, so that it can begin inside of a container.
    pub(super) fn crosses_a_network(&self) -> bool {
        self.engine != DatabaseEngine::Sqlite && self.socket().is_none()
    }

    /// What is wrong with the fields, taken together; `field` is the one that this connection is the value of.
    pub fn validate(&self, field: &str) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        let mut wrong = |message: String| invalid.push(Invalid::field(field, message));
        if self.password.is_some() && self.password_env.is_some() {
            wrong(String::from("give `password` or `password_env`, not both"));
        }
        if self.engine == DatabaseEngine::Sqlite {
            if self.file().is_none_or(|path| path.as_os_str().is_empty()) {
                wrong(String::from("SQLite needs `path`, the database's file"));
            }
            if self.path.is_some() && self.database.is_some() {
                wrong(String::from("`path` and `database` both name SQLite's file: give one of them"));
            }
            let server = self.port.is_some()
                || self.user.is_some()
                || self.password().is_some()
                || self.tls.is_some()
                || self.ca_file.is_some()
                || self.host != localhost();
            if server {
                wrong(String::from("SQLite is a file: it takes `path`, and nothing of a server"));
            }
            return invalid;
        }
        if self.path.is_some() {
            wrong(String::from("`path` is for SQLite alone; a server's database is named with `database`"));
        }
        if self.port == Some(0) {
            wrong(String::from("nothing can listen at port 0"));
        }
        let bad = |host: &str| host.is_empty() || host.contains('@') || host.chars().any(char::is_whitespace);
        let socket = self.engine == DatabaseEngine::Postgresql && self.host.starts_with('/');
        if bad(&self.host) || (self.host.contains('/') && !socket) {
            wrong(format!("{} is neither a name nor an address", quote(&self.host)));
        }
        for (name, text) in [("user", &self.user), ("database", &self.database)] {
            if text.as_ref().is_some_and(|text| text.is_empty() || text.contains('\0')) {
                wrong(format!("`{name}` cannot be empty, or hold a NUL character"));
            }
        }
        if self.ca_file.is_some() && self.tls() != TlsMode::VerifyFull {
            wrong(String::from("`ca_file` says who is trusted, which only `tls: verify-full` asks"));
        }
        if socket && matches!(self.tls, Some(TlsMode::Require | TlsMode::VerifyFull)) {
            wrong(String::from("a socket on this machine is never encrypted: leave out `tls`"));
        }
        invalid
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn read(json: &str) -> Connection {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_connection_reads_its_password_from_elsewhere() {
        let json =
            r#"{"engine":"postgres","database":"myapp","user":"admin","password":{"env":"DB_PASSWORD"}}"#;
        let connection = read(json);
        assert_eq!((connection.host.as_str(), connection.port()), ("localhost", 5432));
        assert!(format!("{:?}", connection.password()).contains("DB_PASSWORD"));
        assert!(serde_json::from_str::<Connection>(r#"{"engine":"mysql","password":"x"}"#).is_err());
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (json, expected) in [
            (r#"{"engine":"postgresql"}"#, None),
            (r#"{"engine":"postgresql","host":"/run/postgresql"}"#, None),
            (r#"{"engine":"sqlite","path":"a.db"}"#, None),
            (r#"{"engine":"sqlite","database":"/srv/a.db"}"#, None),
            (r#"{"engine":"sqlite","database":""}"#, Some("SQLite needs `path`")),
            (r#"{"engine":"sqlite","path":"a.db","database":"b.db"}"#, Some("give one of them")),
            (r#"{"engine":"mysql","ca_file":"ca.pem"}"#, None),
            (r#"{"engine":"sqlite"}"#, Some("SQLite needs `path`")),
            (r#"{"engine":"sqlite","path":"a.db","user":"x"}"#, Some("nothing of a server")),
            (r#"{"engine":"mysql","path":"a.db"}"#, Some("`path` is for SQLite alone")),
            (r#"{"engine":"mysql","port":0}"#, Some("port 0")),
            (r#"{"engine":"mysql","host":"/run/x"}"#, Some("neither a name nor an address")),
            (r#"{"engine":"postgresql","host":"user@db"}"#, Some("neither a name nor an address")),
            (r#"{"engine":"postgresql","user":""}"#, Some("`user` cannot be empty")),
            (r#"{"engine":"postgresql","tls":"require","ca_file":"x"}"#, Some("verify-full")),
            (r#"{"engine":"postgresql","host":"/run","tls":"require"}"#, Some("never encrypted")),
            (
                r#"{"engine":"mysql","password":{"env":"A"},"password_env":"B"}"#,
                Some("`password` or `password_env`"),
            ),
        ] {
            let told = read(json).validate("connection");
            match expected {
                None => assert_eq!(told, [], "{json}"),
                Some(expected) => assert!(told[0].message.contains(expected), "{json}: {told:?}"),
            }
        }
        assert_eq!(read(r#"{"engine":"mysql","ca_file":"ca.pem"}"#).tls(), TlsMode::VerifyFull);
        assert_eq!(
            read(r#"{"engine":"sqlite","database":"/srv/a.db"}"#).file(),
            Some(Path::new("/srv/a.db"))
        );
        assert_eq!(read(r#"{"engine":"mysql","host":"::1"}"#).place(), "[::1]:3306");
        assert_eq!(read(r#"{"engine":"postgresql","host":"/run"}"#).place(), "\"/run/.s.PGSQL.5432\"");
    }
}
