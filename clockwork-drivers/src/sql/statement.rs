//! [`Statement`] and [`Rows`]: one statement, and what it brought.

use std::time::Duration;

use clockwork_core::Context;
use serde_json::Value;
use tokio::time::Instant;

/// How many bytes of an answer are read.
pub const BYTE_LIMIT: usize = 64 << 20;

/// How many rows are counted.
pub const ROW_LIMIT: u32 = 100_000;

/// One statement, in a transaction of its own that is rolled back, unless it is to be committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Statement {
    /// The statement; one, not several.
    pub sql: String,
    /// What stands for `$1`, `?`. PostgreSQL is told the text, and makes of it what the statement needs; the others are
    /// told the type, too, without which SQLite finds each number less than each text.
    pub params: Vec<Value>,
    /// Whether the server is to refuse what writes.
    pub read_only: bool,
    /// Whether what it wrote stays.
    pub commit: bool,
    /// How many rows are kept; those beyond are counted.
    pub keep: usize,
    /// How many rows are read.
    pub row_limit: u32,
    /// How long the server lets it run, in seconds.
    pub patience: Option<u64>,
}

impl Statement {
    /// One that may not write. It runs on the server for as long as whoever asks can wait.
    pub fn new(sql: impl Into<String>, cx: &Context) -> Self {
        let (sql, patience) = (sql.into(), patience(cx));
        Self {
            sql,
            params: Vec::new(),
            read_only: true,
            commit: false,
            keep: 1,
            row_limit: ROW_LIMIT,
            patience,
        }
    }

    /// What stands for `$1`, `?`.
    #[must_use]
    pub fn params<P: Into<Value>>(mut self, params: impl IntoIterator<Item = P>) -> Self {
        self.params = params.into_iter().map(Into::into).collect();
        self
    }

    /// It may write, in a transaction that is rolled back.
    #[must_use]
    pub fn may_write(mut self) -> Self {
        self.read_only = false;
        self
    }

    /// It may write, and what it wrote stays.
    #[must_use]
    pub fn commit(mut self) -> Self {
        (self.read_only, self.commit) = (false, true);
        self
    }

    /// How many rows are kept.
    #[must_use]
    pub fn keep(mut self, rows: usize) -> Self {
        self.keep = rows;
        self
    }
}

/// How long the server may let a statement run, in seconds: as long as whoever asks can wait.
pub(crate) fn patience(cx: &Context) -> Option<u64> {
    // In whole seconds, so that those who ask the same with the same patience share the answer.
    cx.deadline().map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        left.as_millis().div_ceil(1000).clamp(1, 86_400) as u64
    })
}

/// What a statement brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The first rows, as many as were to be kept.
    pub rows: Vec<Vec<Value>>,
    /// How many rows there were, or how many were read before the limit.
    pub count: u64,
    /// Whether there are more than were read.
    pub more: bool,
    /// How many rows it wrote, where the engine says so: of an INSERT, an UPDATE, a DELETE.
    pub affected: Option<u64>,
    /// From sending the statement to its last row.
    pub took: Duration,
}

impl Rows {
    /// The first column of the first row.
    pub fn value(&self) -> Option<&Value> {
        self.rows.first()?.first()
    }

    /// A row's column as text; empty where it is none.
    pub(crate) fn text(row: &[Value], column: usize) -> &str {
        row.get(column).and_then(Value::as_str).unwrap_or_default()
    }

    /// About how many bytes it holds on to.
    pub(crate) fn weight(&self) -> usize {
        let value = |value: &Value| match value {
            Value::String(text) => text.len(),
            Value::Array(_) | Value::Object(_) => value.to_string().len() * 2,
            _ => 0,
        };
        let row = |row: &Vec<Value>| row.iter().map(|each| 32 + value(each)).sum::<usize>();
        256 + self.rows.iter().map(row).sum::<usize>()
    }
}
