//! [`DatabaseConnectionAssert`]: a database lets this user in.
//!
//! It proves that a connection was made, encrypted as `tls` asks, that the user and the password were accepted, and that
//! the database is there and takes connections now. It does not prove that anything is in it.
//!
//! `tls: prefer` and `require` accept any certificate, as PostgreSQL's own clients do; `verify-full` accepts one that is
//! trusted and for this host. MySQL's trust is Mozilla's list of roots, unless there is a `ca_file`.
//!
//! Judged (so that `not` turns it around): refused, no answer in time, something else at the port, TLS, user or password
//! refused, no such database, starting up, too many connections. Not judged: a name that does not resolve. A password
//! that is not set is `errored`.
//!
//! `details`: `product`, and `tls`: its version, or null for a connection in clear.

use std::path::PathBuf;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Secret, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::sql::{
    ConnectProbe, Connected, Connection, DatabaseEngine, FailureKind, SqlFailure, TlsMode,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::database;

/// A database lets this user in.
///
/// ```
/// use clockwork_assert::DatabaseConnectionAssert;
///
/// DatabaseConnectionAssert::new().host("db.example").database("shop").user("admin");
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConnectionAssert {
    /// The database. The resource's own, if left out; what stands beside it goes before what it says.
    #[serde(default)]
    connection: Option<Connection>,
    /// What kind of database. PostgreSQL, if nothing else says so.
    #[serde(default)]
    engine: Option<DatabaseEngine>,
    /// Where it listens: a name or an address.
    #[serde(default)]
    host: Option<String>,
    /// The port.
    #[serde(default)]
    port: Option<u16>,
    /// The database's name.
    #[serde(default)]
    database: Option<String>,
    /// Who connects.
    #[serde(default)]
    credentials: Option<Credentials>,
    /// Whether the connection has to be encrypted: `prefer` (if the server can), `require` (with any certificate) or
    /// `verify-full` (with one that is trusted and for this host).
    #[serde(default)]
    tls: Option<TlsMode>,
    /// A PEM file: then only what stands in it is trusted, and `tls` is `verify-full`.
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// Who connects.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password: `{ env: NAME }` or `{ file: path }`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The password, from this environment variable: short for `password: { env: NAME }`.
    #[serde(default)]
    pub password_env: Option<String>,
}

impl DatabaseConnectionAssert {
    /// The resource's own database lets its user in.
    pub fn new() -> Self {
        Self::default()
    }

    /// This database.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// What kind of database.
    #[must_use]
    pub fn engine(mut self, engine: DatabaseEngine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The database's name.
    #[must_use]
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// Who connects, without a password.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.credentials.get_or_insert_default().user = user.into();
        self
    }

    /// Who connects.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.credentials =
            Some(Credentials { user: user.into(), password: Some(password), password_env: None });
        self
    }

    /// Whether the connection has to be encrypted.
    #[must_use]
    pub fn tls(mut self, tls: TlsMode) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Who alone is trusted: a PEM file.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// The connection, with what the owner knows; `None` where nobody says anything.
    fn meant(&self, owner: Option<&dyn Resource>) -> Option<Connection> {
        let base = database::meant(self.connection.as_ref(), owner);
        let own = self.host.is_some() || self.port.is_some() || self.engine.is_some();
        let mut connection = match (base, self.engine) {
            (Some(base), None) => base,
            // Another kind of database has nothing to do with the resource's.
            (Some(base), Some(engine)) if base.engine == engine => base,
            (_, engine) if own => Connection::new(engine.unwrap_or_default()),
            _ => return None,
        };
        if let Some(host) = &self.host {
            connection.host.clone_from(host);
        }
        connection.port = self.port.or(connection.port);
        if self.database.is_some() {
            connection.database.clone_from(&self.database);
            connection.path = None; // SQLite's file, which this names otherwise
        }
        if let Some(credentials) = &self.credentials {
            connection.user = Some(credentials.user.clone());
            connection.password.clone_from(&credentials.password);
            connection.password_env.clone_from(&credentials.password_env);
        }
        connection.tls = self.tls.or(connection.tls);
        connection.ca_file = self.ca_file.clone().or(connection.ca_file);
        Some(connection)
    }
}

impl AssertionKind for DatabaseConnectionAssert {
    const NAME: &'static str = "DatabaseConnectionAssert";
}

#[async_trait]
impl Assertion for DatabaseConnectionAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.meant(None).map(|connection| connection.place()).unwrap_or_default()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        match self.meant(owner) {
            Some(connection) => connection.validate(""),
            None => {
                let missing = "is missing: give one, or declare this on a resource that has a `connection`";
                vec![Invalid::field("host", missing)]
            }
        }
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let connection =
            self.meant(cx.resource()).ok_or_else(|| CheckError::unobservable("host: is missing"))?;
        let expected = expected(&connection);
        let verdict = match cx.observe(ConnectProbe { connection: connection.clone() }).await {
            Ok(seen) => judge(&connection, &seen)?,
            Err(error) => {
                let actual = error.message().to_owned();
                Verdict::of_target(error)?.actual(actual)
            }
        };
        Ok(verdict.expected(expected))
    }
}

/// `user "admin" gets into the database "shop" at db:5432`.
fn expected(connection: &Connection) -> String {
    let place = connection.place();
    if connection.engine == DatabaseEngine::Sqlite {
        return format!("{place} is an SQLite database");
    }
    let database = connection.database().map(|name| format!(" into the database {}", quote(name)));
    format!("user {} gets in{} at {place}", quote(connection.user()), database.unwrap_or_default())
        .replace("gets in into", "gets into")
}

fn judge(connection: &Connection, seen: &Result<Connected, SqlFailure>) -> Result<Verdict, CheckError> {
    let connected = match seen {
        Ok(connected) => connected,
        Err(failure) if matches!(failure.kind, FailureKind::Unresolved | FailureKind::Limit) => {
            return Err(failure.error.clone());
        }
        Err(failure) => {
            let verdict = database::judged(&failure.error).actual(failure.error.message());
            return Ok(match &failure.code {
                Some(code) => verdict.detail("code", code.as_str()),
                None => verdict,
            });
        }
    };
    let Connected { place, product, tls, .. } = connected;
    let told = match (connection.engine, tls.as_deref()) {
        (DatabaseEngine::Sqlite, _) => format!("{place} is a database that {product} reads"),
        (_, None) => format!("{product} at {place}, in clear"),
        (_, Some("")) => format!("{product} at {place}, with TLS"),
        (_, Some(version)) => format!("{product} at {place}, with TLS {version}"),
    };
    let tls = tls.as_ref().map_or(Value::Null, |version| json!(version));
    Ok(Verdict::passed()
        .message(told.clone())
        .actual(told)
        .detail("product", product.as_str())
        .detail("tls", tls))
}
