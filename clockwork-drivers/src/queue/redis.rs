//! Redis streams, by `XINFO`: each group has its own place in the stream, and its consumers.
//!
//! Redis keeps a consumer that is gone until somebody deletes it, and tells for how long it has asked for nothing. What
//! waits for a group is what it has not read (`lag`, which Redis tells since 7.0) and what its consumers did not
//! acknowledge. The beginning of an entry's id is the time at which it was added, unless the producer chose it.

use std::time::Duration;

use clockwork_core::text::quote_bytes;

use super::{Age, QueueProbe, QueueState, QueueStop};
use crate::handshake::{
    Step,
    probe::Credentials,
    redis::{authenticate, command},
    talk::{Stream, Talk},
};

/// How deep answers are nested, and how many elements one has.
const DEEP: u8 = 8;
const MANY: usize = 100_000;

/// Milliseconds since 1970 at the beginning of 2009: no Redis is older, and an id that says so is no time.
const OLDEST: u64 = 1_230_768_000_000;

#[derive(Debug, Clone, PartialEq)]
enum Reply {
    Text(Vec<u8>),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
    Error(Vec<u8>),
}

impl Reply {
    fn list(self) -> Vec<Self> {
        if let Self::List(all) = self { all } else { Vec::new() }
    }

    fn number(&self) -> Option<u64> {
        if let Self::Number(number) = self { u64::try_from(*number).ok() } else { None }
    }

    fn text(&self) -> &[u8] {
        if let Self::Text(text) = self { text } else { &[] }
    }

    /// The value behind this name, in a list of names and values.
    fn field(&self, name: &str) -> Option<&Self> {
        let Self::List(all) = self else { return None };
        all.chunks_exact(2).find(|pair| pair[0].text() == name.as_bytes()).map(|pair| &pair[1])
    }
}

pub(super) async fn open<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<(), QueueStop> {
    if let Some(login) = login {
        if !secrecy::ExposeSecret::expose_secret(&login.password).is_empty() {
            authenticate(talk, login).await?;
        }
        if let Some(database) = &login.database {
            ask(talk, &[b"SELECT", database.as_bytes()]).await?;
        }
    }
    Ok(())
}

pub(super) async fn look<S: Stream>(talk: &mut Talk<S>, probe: &QueueProbe) -> Result<QueueState, QueueStop> {
    let key = probe.queue.as_bytes();
    let mut groups = ask(talk, &[b"XINFO", b"GROUPS", key]).await?.list();
    let length = ask(talk, &[b"XLEN", key]).await?.number().unwrap_or_default();
    if let Some(wanted) = &probe.group {
        groups.retain(|group| group.field("name").is_some_and(|name| name.text() == wanted.as_bytes()));
        if groups.is_empty() {
            let group = clockwork_core::text::quote(wanted);
            return Err(QueueStop::Missing(format!("has the stream, and no group {group} of it")));
        }
    }
    let now = if probe.age { now(talk).await? } else { Duration::ZERO };
    let mut state = QueueState::empty();
    if groups.is_empty() {
        // Whoever reads without a group leaves no trace.
        state.backlog = Ok(length);
        if probe.age && length > 0 {
            state.oldest = first_after(talk, key, b"-", now).await?;
        }
        return Ok(state);
    }
    let mut most = None;
    for group in &groups {
        let name = group.field("name").map(Reply::text).unwrap_or_default();
        for consumer in ask(talk, &[b"XINFO", b"CONSUMERS", key, name]).await?.list() {
            let idle =
                Duration::from_millis(consumer.field("idle").and_then(Reply::number).unwrap_or_default());
            match idle <= probe.max_idle {
                true => state.consumers += 1,
                false => {
                    let who = quote_bytes(consumer.field("name").map(Reply::text).unwrap_or_default());
                    let idle = clockwork_core::duration::show(Duration::from_secs(idle.as_secs()));
                    state.absent.push(format!("the consumer {who} asked for nothing for {idle}"));
                }
            }
        }
        let pending = group.field("pending").and_then(Reply::number).unwrap_or_default();
        let unread = match group.field("lag").and_then(Reply::number) {
            Some(lag) => Ok(lag),
            // What was deleted in between leaves it open; there is no more than is in the stream.
            None if length == 0 => Ok(0),
            None => Err(String::from("this Redis cannot tell how much the group has not read (no `lag`)")),
        };
        let waiting = unread.map(|unread| unread.saturating_add(pending));
        let size = waiting.as_ref().map_or(u64::MAX, |waiting| *waiting);
        if most.is_none_or(|most| size > most) {
            most = Some(size);
            state.backlog = waiting;
            state.group = Some(quote_bytes(name));
            state.unacknowledged = Some(pending);
        }
        if probe.age && size > 0 {
            let oldest = oldest(talk, key, name, group, pending, now).await?;
            state.oldest = state.oldest.older(oldest);
        }
    }
    state.absent.truncate(8);
    Ok(state)
}

async fn oldest<S: Stream>(
    talk: &mut Talk<S>,
    key: &[u8],
    name: &[u8],
    group: &Reply,
    pending: u64,
    now: Duration,
) -> Result<Age, QueueStop> {
    if pending > 0 {
        let summary = ask(talk, &[b"XPENDING", key, name]).await?.list();
        if let Some(first) = summary.get(1).filter(|first| !first.text().is_empty()) {
            return Ok(age(first.text(), now));
        }
    }
    let last = group.field("last-delivered-id").map(Reply::text).unwrap_or(b"0-0");
    first_after(talk, key, &[b"(", last].concat(), now).await
}

/// The age of the first entry from here on.
async fn first_after<S: Stream>(
    talk: &mut Talk<S>,
    key: &[u8],
    from: &[u8],
    now: Duration,
) -> Result<Age, QueueStop> {
    let entries = ask(talk, &[b"XRANGE", key, from, b"+", b"COUNT", b"1"]).await?.list();
    let first = entries.into_iter().next().map(Reply::list);
    Ok(match first.as_deref() {
        Some([id, ..]) => age(id.text(), now),
        _ => Age::None,
    })
}

fn age(id: &[u8], now: Duration) -> Age {
    let added = std::str::from_utf8(id).ok().and_then(|id| id.split('-').next()?.parse::<u64>().ok());
    match added {
        Some(added) if added >= OLDEST => Age::Of(now.saturating_sub(Duration::from_millis(added))),
        _ => Age::Unknown(format!("the id {} is no time: the producer chose it", quote_bytes(id))),
    }
}

/// The time of day, by the server's clock.
async fn now<S: Stream>(talk: &mut Talk<S>) -> Result<Duration, QueueStop> {
    let parts = ask(talk, &[b"TIME"]).await?.list();
    let seconds = parts.first().and_then(|part| std::str::from_utf8(part.text()).ok()?.parse().ok());
    seconds.map(Duration::from_secs).ok_or_else(|| talk.stranger().into())
}

/// The answer to a command.
async fn ask<S: Stream>(talk: &mut Talk<S>, words: &[&[u8]]) -> Result<Reply, QueueStop> {
    talk.send(&command(words)).await?;
    let error = match Box::pin(reply(talk, DEEP)).await? {
        Reply::Error(error) => error,
        answer => return Ok(answer),
    };
    let said = talk.quote(&error);
    Err(match error.split(|byte| *byte == b' ').next().unwrap_or_default() {
        b"WRONGTYPE" => QueueStop::Missing(format!("has no stream of this name, but something else: {said}")),
        b"NOAUTH" => QueueStop::Refused(format!("asks for credentials, and none are given: {said}")),
        b"NOPERM" => QueueStop::Refused(format!("does not allow to ask: {said}")),
        _ if error.windows(11).any(|part| part == b"no such key") => {
            QueueStop::Missing(format!("has no such stream: {said}"))
        }
        _ => QueueStop::Unreachable(Step::Protocol, format!("answered {said}")),
    })
}

async fn reply<S: Stream>(talk: &mut Talk<S>, deep: u8) -> Result<Reply, QueueStop> {
    let line = talk.line().await?;
    let (kind, rest) = line.split_first().ok_or_else(|| talk.stranger())?;
    let number = std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok());
    Ok(match (kind, number) {
        (b'+', _) => Reply::Text(rest.to_vec()),
        (b'-', _) => Reply::Error(rest.to_vec()),
        (b':', Some(number)) => Reply::Number(number),
        (b'$' | b'*', Some(-1)) => Reply::Nothing,
        (b'$', Some(size)) => {
            let size = usize::try_from(size).map_err(|_| talk.stranger())?;
            let mut text = talk.exactly(size.saturating_add(2)).await?;
            text.truncate(size);
            Reply::Text(text)
        }
        (b'*', Some(count)) => {
            let count = usize::try_from(count).ok().filter(|count| *count <= MANY && deep > 0);
            let count = count.ok_or_else(|| talk.stranger())?;
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(Box::pin(reply(talk, deep - 1)).await?);
            }
            Reply::List(all)
        }
        _ => return Err(talk.stranger().into()),
    })
}
