//! Statements over one connection of `tokio-postgres`, which every worker uses at the same time.

use anyhow::{Context as _, ensure};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// One connection, and the task that drives it.
pub(super) struct Connection {
    client: Client,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Logs in.
pub(super) async fn connect(port: u16, password_file: &str) -> anyhow::Result<Connection> {
    let password = std::fs::read_to_string(password_file)?;
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").dbname("postgres").password(password);
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection).abort_handle();
    Ok(Connection { client, driver })
}

/// A count that must be this number, in a transaction that may only read.
pub(super) async fn check(connection: &Connection, number: u32) -> anyhow::Result<()> {
    let sql = format!("BEGIN READ ONLY; {}; ROLLBACK", crate::check::sql(&number.to_string()));
    let answer = connection.client.simple_query(&sql).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let count: u32 = row.context("no row")?.parse()?;
    ensure!(count == number, "{count}");
    Ok(())
}
