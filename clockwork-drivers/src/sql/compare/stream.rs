//! [`RowStream`]: the rows of one side, one after the other, sorted by the key. What an engine does for it is its own
//! [`Pump`], a future that the stream polls itself: it reads no faster than rows are taken, and ends when the stream does.

use std::{future::Future, pin::Pin};

use clockwork_core::{CheckError, Context};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::value::Value;
use crate::sql::{
    Connection, DatabaseEngine,
    failure::{FailureKind, SqlFailure},
};

/// A row: as many values as there are columns.
pub(in crate::sql) type Row = Vec<Value>;

/// How many bytes of rows are handed over together, about.
const BATCH: usize = 64 << 10;

/// What is asked of one side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sql) struct Sorted {
    /// The query, without what ends it.
    pub(in crate::sql) sql: String,
    pub(in crate::sql) params: Vec<Json>,
    /// The names of the columns by which rows are told apart.
    pub(in crate::sql) key: Vec<String>,
    /// How long the server lets it run, in seconds.
    pub(in crate::sql) patience: Option<u64>,
}

impl Sorted {
    /// The query with its rows sorted by these expressions. It may end with a comment.
    pub(in crate::sql) fn by(&self, order: &[String]) -> String {
        format!("SELECT * FROM (\n{}\n) AS clockwork ORDER BY {}", self.sql, order.join(", "))
    }

    /// Where the key's columns are.
    ///
    /// # Errors
    /// Where one is missing, or there are two of it; where there are no columns, because it is no query.
    pub(in crate::sql) fn places(&self, columns: &[String]) -> Result<Vec<usize>, Stopped> {
        if columns.is_empty() {
            let message = "the statement brings no columns: a query is needed";
            return Err(SqlFailure::new(FailureKind::Statement, message).terminal().into());
        }
        self.key.iter().map(|name| Ok(place(name, columns)?)).collect()
    }
}

/// Where a column is, by its name, whatever its case: engines differ in what they make of that.
pub(super) fn place(name: &str, columns: &[String]) -> Result<usize, Incomplete> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| column.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((place, _)), None) => Ok(place),
        (None, _) => Err(Incomplete::Missing { name: name.to_owned(), columns: columns.to_vec() }),
        (Some(_), Some(_)) => Err(Incomplete::Twice(name.to_owned())),
    }
}

/// The columns of a query are not what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// The query has no column of this name.
    Missing {
        /// Which one.
        name: String,
        /// Those that it has.
        columns: Vec<String>,
    },
    /// The query has two columns of this name.
    Twice(String),
}

/// Why a side brings no rows, or no more.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Stopped {
    Failed(SqlFailure),
    Incomplete(Incomplete),
}

impl From<SqlFailure> for Stopped {
    fn from(failure: SqlFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Incomplete> for Stopped {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

enum Piece {
    Columns(Vec<String>),
    Rows(Vec<Row>),
}

/// Where an engine puts what it reads.
pub(in crate::sql) struct Pump {
    sender: mpsc::Sender<Piece>,
    batch: Vec<Row>,
    size: usize,
}

impl Pump {
    pub(in crate::sql) async fn columns(&mut self, columns: Vec<String>) {
        // Where nobody takes it any more, the future that this is part of is about to be dropped.
        let _ = self.sender.send(Piece::Columns(columns)).await;
    }

    pub(in crate::sql) async fn row(&mut self, row: Row) {
        if let Some(batch) = self.add(row) {
            let _ = self.sender.send(Piece::Rows(batch)).await;
        }
    }

    pub(in crate::sql) async fn end(mut self) {
        let batch = std::mem::take(&mut self.batch);
        let _ = self.sender.send(Piece::Rows(batch)).await;
    }

    /// For a thread that blocks. Whether anybody still takes rows.
    #[cfg(feature = "sqlite")]
    pub(in crate::sql) fn columns_blocking(&mut self, columns: Vec<String>) -> bool {
        self.sender.blocking_send(Piece::Columns(columns)).is_ok()
    }

    #[cfg(feature = "sqlite")]
    pub(in crate::sql) fn row_blocking(&mut self, row: Row) -> bool {
        self.add(row).is_none_or(|batch| self.sender.blocking_send(Piece::Rows(batch)).is_ok())
    }

    #[cfg(feature = "sqlite")]
    pub(in crate::sql) fn end_blocking(mut self) {
        let batch = std::mem::take(&mut self.batch);
        let _ = self.sender.blocking_send(Piece::Rows(batch));
    }

    fn add(&mut self, row: Row) -> Option<Vec<Row>> {
        self.size += row.iter().map(Value::size).sum::<usize>();
        self.batch.push(row);
        if self.size < BATCH {
            return None;
        }
        self.size = 0;
        Some(std::mem::take(&mut self.batch))
    }
}

type Pumping = Pin<Box<dyn Future<Output = Result<Result<(), Stopped>, CheckError>> + Send>>;

/// See the module.
pub(super) struct RowStream {
    receiver: mpsc::Receiver<Piece>,
    /// None, when it has ended well.
    pump: Option<Pumping>,
    batch: std::vec::IntoIter<Row>,
}

/// The outer error is ours, the inner one the database's.
pub(super) type Next<T> = Result<Result<T, Stopped>, CheckError>;

impl RowStream {
    pub(super) fn open(connection: &Connection, sorted: Sorted, cx: &Context) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        let pump = Pump { sender, batch: Vec::new(), size: 0 };
        let (connection, cx) = (connection.clone(), cx.clone());
        let pump: Pumping = Box::pin(async move {
            match connection.engine {
                #[cfg(feature = "postgres")]
                DatabaseEngine::Postgresql => {
                    crate::sql::postgres::stream::run(&connection, &sorted, pump, &cx).await
                }
                #[cfg(feature = "mysql")]
                DatabaseEngine::Mysql | DatabaseEngine::Mariadb => {
                    crate::sql::mysql::stream::run(&connection, &sorted, pump, &cx).await
                }
                #[cfg(feature = "sqlite")]
                DatabaseEngine::Sqlite => {
                    crate::sql::sqlite::stream::run(&connection, sorted, pump, &cx).await
                }
                #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
                engine => Err(crate::sql::probe::not_built(engine)),
            }
        });
        Self { receiver, pump: Some(pump), batch: Vec::new().into_iter() }
    }

    /// What the engine read next; `None` behind the last row.
    async fn piece(&mut self) -> Next<Option<Piece>> {
        loop {
            let Some(pump) = &mut self.pump else { return Ok(Ok(self.receiver.recv().await)) };
            tokio::select! {
                biased;
                Some(piece) = self.receiver.recv() => return Ok(Ok(Some(piece))),
                ended = pump => match ended {
                    Ok(Ok(())) => self.pump = None,
                    Ok(Err(stopped)) => return Ok(Err(stopped)),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// The columns' names, which come first.
    pub(super) async fn columns(&mut self) -> Next<Vec<String>> {
        Ok(match self.piece().await? {
            Ok(Some(Piece::Columns(columns))) => Ok(columns),
            Ok(_) => Ok(Vec::new()),
            Err(stopped) => Err(stopped),
        })
    }

    /// The next row; `None` behind the last one.
    pub(super) async fn next(&mut self) -> Next<Option<Row>> {
        loop {
            if let Some(row) = self.batch.next() {
                return Ok(Ok(Some(row)));
            }
            match self.piece().await? {
                Ok(Some(Piece::Rows(rows))) => self.batch = rows.into_iter(),
                Ok(Some(Piece::Columns(_))) => {}
                Ok(None) => return Ok(Ok(None)),
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
    }
}
