//! The shop's connection to its database: one, made anew when it is gone.

use std::{io, time::Duration};

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::setting;

/// How long the database may take. Whoever asks the shop waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Database {
    config: Config,
    client: Mutex<Option<Client>>,
}

impl Database {
    /// Of the environment's DATABASE_HOST, DATABASE_USER, and the password in the file DATABASE_PASSWORD_FILE.
    pub(crate) fn new() -> io::Result<Self> {
        let password = std::fs::read_to_string(setting("DATABASE_PASSWORD_FILE")?)?;
        let mut config = Config::new();
        config.host(setting("DATABASE_HOST")?).dbname("shop").user(setting("DATABASE_USER")?);
        config.password(password.trim_end()).connect_timeout(PATIENCE);
        Ok(Self { config, client: Mutex::new(None) })
    }

    pub(crate) async fn run(&self, sql: &str) -> io::Result<()> {
        self.ask(sql).await.map(drop)
    }

    /// The number that a statement answers with.
    pub(crate) async fn number(&self, sql: &str) -> io::Result<i64> {
        let answer = self.ask(sql).await?;
        let number = answer.iter().find_map(|one| match one {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        number.ok_or_else(|| io::Error::other("the database answers without a number"))
    }

    async fn ask(&self, sql: &str) -> io::Result<Vec<SimpleQueryMessage>> {
        let mut client = self.client.lock().await;
        let ask = async {
            let connected = match client.take().filter(|client| !client.is_closed()) {
                Some(connected) => connected,
                None => {
                    let (connected, connection) = self.config.connect(NoTls).await.map_err(told)?;
                    tokio::spawn(connection); // it ends with the client
                    connected
                }
            };
            let answer = connected.simple_query(sql).await.map_err(told)?;
            *client = Some(connected);
            Ok(answer)
        };
        timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err(io::Error::other("the database does not answer")))
    }
}

fn told(error: tokio_postgres::Error) -> io::Error {
    match error.as_db_error() {
        Some(said) => io::Error::other(said.message().to_owned()),
        None => io::Error::other(error.to_string()),
    }
}
