//! [`Session`]: one connection that one look has for itself, for what takes several steps: a snapshot that is read row by
//! row, a row that is written and taken away again.
//!
//! No task drives it: who looks reads and writes. One that is dropped while the server works for it has the server told to
//! cancel, so that a query which nobody waits for does not go on.

use bytes::{Bytes, BytesMut};
use clockwork_core::{CheckError, Context};
use postgres_protocol::message::frontend;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    message::{self, MESSAGE_LIMIT, Message, NoMessage, ServerError},
    open::{self, Cancel, Opened, Server, Stream},
    refusal,
};
use crate::sql::{
    Connection,
    failure::{FailureKind, Said, SqlFailure},
};

/// How many bytes of an answer are kept of what is asked with [`Session::rows`].
const KEPT_LIMIT: usize = 1 << 20;

/// A row as it came: texts, and `None` for NULL.
pub(in crate::sql) type RawRow = Vec<Option<Bytes>>;

/// See the module.
pub(in crate::sql) struct Session {
    stream: Stream,
    inbox: BytesMut,
    pub(in crate::sql) server: Server,
    cancel: Option<Cancel>,
    said: Said,
    /// The server has not said yet that it is done.
    busy: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.busy
            && let Some(cancel) = self.cancel.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // A courtesy of two seconds at most; the server has its own timeout for the statement.
            runtime.spawn(cancel.send());
        }
    }
}

impl Session {
    pub(in crate::sql) async fn open(
        connection: &Connection,
        cx: &Context,
    ) -> Result<Result<Self, SqlFailure>, CheckError> {
        cx.phase(format!("connecting to {}", connection.place()));
        Ok(open::connect(connection, cx).await?.map(|Opened { stream, inbox, server, cancel, said }| Self {
            stream,
            inbox,
            server,
            cancel: Some(cancel),
            said,
            busy: false,
        }))
    }

    fn lost(&self, what: &str) -> SqlFailure {
        SqlFailure::new(FailureKind::Lost, format!("{} {what}", self.server.place))
    }

    async fn send(&mut self, out: &BytesMut) -> Result<(), SqlFailure> {
        self.busy = true;
        let sent = async {
            self.stream.write_all(out).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &std::io::Error) -> SqlFailure {
        self.lost(&format!("broke the connection off: {}", self.said.quote(&error.to_string())))
    }

    async fn receive(&mut self) -> Result<Message, SqlFailure> {
        loop {
            match message::take(&mut self.inbox, MESSAGE_LIMIT) {
                // A notice, a parameter that changed, a notification.
                Ok(Some(message)) if matches!(message.tag, b'N' | b'S' | b'A') => continue,
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(NoMessage::TooLong) => {
                    let message = "the answer has a row that is larger than clockwork reads (16 MiB)";
                    return Err(SqlFailure::new(FailureKind::Limit, message));
                }
                Err(NoMessage::Garbled) => return Err(self.lost("broke the protocol")),
            }
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => {
                    self.busy = false;
                    return Err(self.lost("closed the connection"));
                }
                Ok(_) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn refusal(&mut self, message: Message) -> SqlFailure {
        let error = ServerError::read(message.body);
        let failure = refusal::sort(&error, &self.server.place, &self.said);
        if failure.kind == FailureKind::Lost {
            self.busy = false;
        }
        failure
    }

    /// Reads until the server is done, and says what went wrong on the way.
    async fn finish(&mut self) -> Result<(), SqlFailure> {
        let mut failed = None;
        loop {
            let message = self.receive().await?;
            match message.tag {
                b'E' => {
                    let failure = self.refusal(message);
                    if failure.kind == FailureKind::Lost {
                        return Err(failure);
                    }
                    failed.get_or_insert(failure);
                }
                b'G' | b'W' => return Err(self.lost("asks for data, which nobody has")),
                b'Z' => {
                    self.busy = false;
                    return failed.map_or(Ok(()), Err);
                }
                _ => {}
            }
        }
    }

    /// Runs statements of our own that bring nothing.
    pub(in crate::sql) async fn run(&mut self, sql: &str) -> Result<(), SqlFailure> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(|error| unsendable(&error.to_string()))?;
        self.send(&out).await?;
        self.finish().await
    }

    /// The columns, with their types, that a statement would bring.
    pub(in crate::sql) async fn describe(&mut self, sql: &str) -> Result<Vec<(String, u32)>, SqlFailure> {
        let mut out = BytesMut::new();
        let written = frontend::parse("", sql, [], &mut out)
            .and_then(|()| frontend::describe(b'S', "", &mut out))
            .map(|()| frontend::sync(&mut out));
        written.map_err(|error| unsendable(&error.to_string()))?;
        self.send(&out).await?;
        let mut columns = Vec::new();
        loop {
            let message = self.receive().await?;
            match message.tag {
                b'T' => match message::columns(message.body) {
                    Some(found) => columns = found,
                    None => return Err(self.lost("broke the protocol")),
                },
                b'E' => {
                    let failure = self.refusal(message);
                    self.finish().await?;
                    return Err(failure);
                }
                b'Z' => {
                    self.busy = false;
                    return Ok(columns);
                }
                _ => {}
            }
        }
    }

    /// Asks; the rows are then taken with [`Session::next`].
    pub(in crate::sql) async fn ask(&mut self, sql: &str, params: &[Value]) -> Result<(), SqlFailure> {
        let mut out = BytesMut::new();
        write_question(sql, params, &mut out)?;
        self.send(&out).await
    }

    /// The next row; `None` behind the last one.
    pub(in crate::sql) async fn next(&mut self) -> Result<Option<RawRow>, SqlFailure> {
        loop {
            let message = self.receive().await?;
            match message.tag {
                b'D' => match message::values(message.body) {
                    Some(values) => return Ok(Some(values)),
                    None => return Err(self.lost("broke the protocol: a row of its answer cannot be read")),
                },
                b'E' => {
                    let failure = self.refusal(message);
                    if failure.kind != FailureKind::Lost {
                        self.finish().await?;
                    }
                    return Err(failure);
                }
                b'Z' => {
                    self.busy = false;
                    return Ok(None);
                }
                b'G' | b'W' | b'H' => return Err(self.lost("answers with a COPY, which is no query")),
                _ => {}
            }
        }
    }

    /// The few rows of a statement of our own, as text.
    pub(in crate::sql) async fn rows(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> Result<Vec<Vec<Option<String>>>, SqlFailure> {
        self.ask(sql, params).await?;
        let (mut rows, mut kept) = (Vec::new(), 0);
        while let Some(row) = self.next().await? {
            kept += row.iter().flatten().map(Bytes::len).sum::<usize>();
            if kept > KEPT_LIMIT {
                return Err(SqlFailure::new(FailureKind::Limit, "the answer is larger than clockwork reads"));
            }
            let text = |value: Option<Bytes>| value.map(|text| String::from_utf8_lossy(&text).into_owned());
            rows.push(row.into_iter().map(text).collect());
        }
        Ok(rows)
    }
}

fn unsendable(error: &str) -> SqlFailure {
    let error = clockwork_core::text::quote(error);
    SqlFailure::new(FailureKind::Statement, format!("the statement cannot be sent: {error}"))
}

fn write_question(sql: &str, params: &[Value], out: &mut BytesMut) -> Result<(), SqlFailure> {
    let write = |out: &mut BytesMut| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        frontend::parse("", sql, [], out)?;
        frontend::bind("", "", [], params, super::answer::param, [], out).map_err(|error| match error {
            frontend::BindError::Conversion(error) => error,
            frontend::BindError::Serialization(error) => error.into(),
        })?;
        frontend::describe(b'P', "", out)?;
        frontend::execute("", 0, out)?;
        frontend::sync(out);
        Ok(())
    };
    write(out).map_err(|error| unsendable(&error.to_string()))
}
