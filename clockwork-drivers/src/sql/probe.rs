//! [`SqlProbe`] runs one statement; [`ConnectProbe`] connects, and says who is there.

use clockwork_core::{CheckError, Context, Probe};

use super::{
    Connection, DatabaseEngine,
    failure::SqlFailure,
    statement::{Rows, Statement},
};

/// Runs one statement, in a transaction that is always rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlProbe {
    /// The database.
    pub connection: Connection,
    /// The statement.
    pub statement: Statement,
    /// Over a connection of its own: for those who measure. What may write has one anyway.
    pub alone: bool,
}

impl SqlProbe {
    /// Runs this statement.
    pub fn new(connection: &Connection, statement: Statement) -> Self {
        Self { connection: connection.clone(), statement, alone: false }
    }

    /// The same, over a connection of its own: for those who measure.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }
}

impl Probe for SqlProbe {
    type Observation = Result<Rows, SqlFailure>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let Self { connection, statement, alone } = self;
        let alone = *alone || !statement.read_only;
        match connection.engine {
            #[cfg(feature = "postgres")]
            DatabaseEngine::Postgresql if alone => {
                super::postgres::run_alone(connection, statement, cx).await
            }
            #[cfg(feature = "postgres")]
            DatabaseEngine::Postgresql => super::postgres::run(connection, statement, cx).await,
            #[cfg(feature = "mysql")]
            DatabaseEngine::Mysql | DatabaseEngine::Mariadb => {
                super::mysql::run(connection, statement, alone, cx).await
            }
            #[cfg(feature = "sqlite")]
            DatabaseEngine::Sqlite => super::sqlite::run(connection, statement, cx).await,
            #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
            engine => Err(not_built(engine)),
        }
    }

    fn looks_inside(&self) -> bool {
        self.connection.crosses_a_network()
    }

    fn describe(&self) -> String {
        format!("asking {}", self.connection.place())
    }

    fn weight(seen: &Self::Observation) -> usize {
        seen.as_ref().map_or(512, Rows::weight)
    }
}

/// Connects, logs in, and says who is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectProbe {
    /// The database.
    pub connection: Connection,
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// Who it is, for messages.
    pub place: String,
    /// What it calls itself: `PostgreSQL 15.6`.
    pub product: String,
    /// The version of TLS; `None` in clear.
    pub tls: Option<String>,
}

impl Probe for ConnectProbe {
    type Observation = Result<Connected, SqlFailure>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let connection = &self.connection;
        match connection.engine {
            #[cfg(feature = "postgres")]
            DatabaseEngine::Postgresql => Ok(super::postgres::connect(connection, cx).await?.map(|server| {
                let version: String = server.version.chars().take(64).collect();
                let product = format!("PostgreSQL {}", clockwork_core::text::harmless(&version));
                Connected { place: server.place, product, tls: server.tls }
            })),
            #[cfg(feature = "mysql")]
            DatabaseEngine::Mysql | DatabaseEngine::Mariadb => super::mysql::connect(connection, cx).await,
            #[cfg(feature = "sqlite")]
            DatabaseEngine::Sqlite => super::sqlite::connect(connection, cx).await,
            #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
            engine => Err(not_built(engine)),
        }
    }

    fn looks_inside(&self) -> bool {
        self.connection.crosses_a_network()
    }

    fn describe(&self) -> String {
        format!("connecting to {}", self.connection.place())
    }
}

#[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
pub(super) fn not_built(engine: DatabaseEngine) -> CheckError {
    let feature = match engine {
        DatabaseEngine::Postgresql => "postgres",
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => "mysql",
        DatabaseEngine::Sqlite => "sqlite",
    };
    CheckError::unobservable(format!("this program was built without {engine}"))
        .hint(format!("build it with the feature `{feature}`"))
}
