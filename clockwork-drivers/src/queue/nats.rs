//! NATS JetStream, by its API of requests (`$JS.API.…`) over the client protocol.
//!
//! A consumer of JetStream is kept by the server, whether anybody is at it or not. Somebody is, when a subscriber is bound
//! to it (push), when requests for messages wait at it (pull), or when it delivered or was told of acknowledgements
//! between two looks.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use clockwork_core::text::quote;
use serde_json::{Value, json};

use super::{Age, QueueProbe, QueueState, QueueStop};
use crate::{
    container::inspect::instant,
    handshake::{
        Step, nats,
        probe::Credentials,
        talk::{Stream, Talk},
    },
};

/// How many consumers of one stream are looked at.
const CONSUMERS: usize = 4096;
/// At how many of them the oldest message is looked for.
const AGES: usize = 64;

/// JetStream's codes of errors (`err_code`).
const NO_STREAM: u64 = 10059;
const NO_CONSUMER: u64 = 10014;
const NO_MESSAGE: u64 = 10037;

/// What one look leaves for the next one.
pub(super) struct Memory {
    inbox: String,
    asked: u64,
    /// How far each consumer had delivered and been acknowledged at the first look.
    first: HashMap<String, [u64; 4]>,
    /// At whom somebody was seen.
    busy: HashMap<String, bool>,
}

pub(super) async fn open<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Memory, QueueStop> {
    nats::greet_with(talk, login, true).await?;
    use std::hash::{BuildHasher, RandomState};
    let inbox = format!("_INBOX.clockwork.{:016x}", RandomState::new().hash_one(std::process::id()));
    talk.send(format!("SUB {inbox}.* 1\r\n").as_bytes()).await?;
    Ok(Memory { inbox, asked: 0, first: HashMap::new(), busy: HashMap::new() })
}

pub(super) async fn look<S: Stream>(
    talk: &mut Talk<S>,
    probe: &QueueProbe,
    memory: &mut Memory,
    now: SystemTime,
) -> Result<QueueState, QueueStop> {
    let stream = token(&probe.queue, "stream")?;
    let info = ask(talk, memory, &format!("STREAM.INFO.{stream}"), &json!(null)).await?;
    let mut consumers = Vec::new();
    match &probe.group {
        Some(group) => {
            let group = token(group, "consumer")?;
            consumers
                .push(ask(talk, memory, &format!("CONSUMER.INFO.{stream}.{group}"), &json!(null)).await?);
        }
        None => loop {
            let offset = json!({ "offset": consumers.len() });
            let page = ask(talk, memory, &format!("CONSUMER.LIST.{stream}"), &offset).await?;
            let more = page["consumers"].as_array().cloned().unwrap_or_default();
            let (none, total) = (more.is_empty(), page["total"].as_u64().unwrap_or_default());
            consumers.extend(more);
            if none || consumers.len() as u64 >= total || consumers.len() >= CONSUMERS {
                break;
            }
        },
    }
    let now = info["ts"].as_str().and_then(instant).unwrap_or(now);
    let mut state = QueueState::empty();
    if consumers.is_empty() {
        // Nobody will ever take what is there.
        let held = &info["state"];
        let messages = number(&held["messages"]);
        state.backlog = Ok(messages);
        if probe.age && messages > 0 {
            state.oldest = age(&held["first_ts"], now);
        }
        return Ok(state);
    }
    let mut most = None;
    for (index, consumer) in consumers.iter().enumerate() {
        let name = consumer["name"].as_str().unwrap_or_default();
        match memory.somebody_is_at(name, consumer) {
            true => state.consumers += 1,
            false => state.absent.push(format!("nobody is at the consumer {}", quote(name))),
        }
        let unacknowledged = number(&consumer["num_ack_pending"]);
        let waiting = number(&consumer["num_pending"]).saturating_add(unacknowledged);
        if most.is_none_or(|most| waiting > most) {
            most = Some(waiting);
            state.backlog = Ok(waiting);
            state.group = Some(quote(name));
            state.unacknowledged = Some(unacknowledged);
        }
        if probe.age && waiting > 0 {
            let oldest = match index < AGES {
                true => oldest(talk, memory, stream, consumer, now).await?,
                false => Age::Unknown(format!("the stream has more than {AGES} consumers: name one")),
            };
            state.oldest = state.oldest.older(oldest);
        }
    }
    state.absent.truncate(8);
    Ok(state)
}

impl Memory {
    fn somebody_is_at(&mut self, name: &str, consumer: &Value) -> bool {
        let at = |part: &str, field: &str| number(&consumer[part][field]);
        let far = [
            at("delivered", "consumer_seq"),
            at("delivered", "stream_seq"),
            at("ack_floor", "consumer_seq"),
            at("ack_floor", "stream_seq"),
        ];
        let moved = *self.first.entry(name.to_owned()).or_insert(far) != far;
        let here = moved || consumer["push_bound"] == true || number(&consumer["num_waiting"]) > 0;
        let busy = self.busy.entry(name.to_owned()).or_default();
        *busy |= here;
        *busy
    }
}

/// The first message behind what is acknowledged without a gap.
async fn oldest<S: Stream>(
    talk: &mut Talk<S>,
    memory: &mut Memory,
    stream: &str,
    consumer: &Value,
    now: SystemTime,
) -> Result<Age, QueueStop> {
    if consumer["config"]["filter_subjects"].as_array().is_some_and(|several| !several.is_empty()) {
        return Ok(Age::Unknown(String::from("the consumer has several filter subjects")));
    }
    let filter =
        consumer["config"]["filter_subject"].as_str().filter(|filter| !filter.is_empty()).unwrap_or(">");
    let next = number(&consumer["ack_floor"]["stream_seq"]).saturating_add(1);
    let question = json!({ "seq": next, "next_by_subj": filter });
    match ask_for(talk, memory, &format!("STREAM.MSG.GET.{stream}"), &question).await? {
        Ok(answer) => Ok(age(&answer["message"]["time"], now)),
        Err(error) if number(&error["err_code"]) == NO_MESSAGE => Ok(Age::None), // taken since
        Err(error) => Err(refused(talk, &error)),
    }
}

fn age(time: &Value, now: SystemTime) -> Age {
    match time.as_str().and_then(instant) {
        Some(time) => Age::Of(now.duration_since(time).unwrap_or(Duration::ZERO)),
        None => Age::Unknown(String::from("the server did not tell the message's time")),
    }
}

/// What is not told is not zero, but the server's JSON leaves out what is.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// One part of a subject: what stands in the name must not be taken for more.
fn token<'a>(name: &'a str, what: &str) -> Result<&'a str, QueueStop> {
    match !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && !".*>/\\".contains(c)) {
        true => Ok(name),
        false => {
            Err(QueueStop::Missing(format!("has no {what} {}: JetStream allows no such name", quote(name))))
        }
    }
}

/// An answer of the API that is no error.
async fn ask<S: Stream>(
    talk: &mut Talk<S>,
    memory: &mut Memory,
    what: &str,
    question: &Value,
) -> Result<Value, QueueStop> {
    ask_for(talk, memory, what, question).await?.map_err(|error| refused(talk, &error))
}

fn refused<S: Stream>(talk: &Talk<S>, error: &Value) -> QueueStop {
    let told = talk.quote(error["description"].as_str().unwrap_or("no reason").as_bytes());
    match number(&error["err_code"]) {
        NO_STREAM | NO_CONSUMER => QueueStop::Missing(format!("says {told}")),
        _ => QueueStop::Refused(format!("does not tell: {told}")),
    }
}

/// An answer of the API, or the error in it.
async fn ask_for<S: Stream>(
    talk: &mut Talk<S>,
    memory: &mut Memory,
    what: &str,
    question: &Value,
) -> Result<Result<Value, Value>, QueueStop> {
    memory.asked += 1;
    let inbox = format!("{}.{}", memory.inbox, memory.asked);
    let body = if question.is_null() { String::new() } else { question.to_string() };
    let message = format!("PUB $JS.API.{what} {inbox} {}\r\n{body}\r\n", body.len());
    talk.send(message.as_bytes()).await?;
    loop {
        let line = talk.line().await?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        let size =
            |index: usize| words.len().checked_sub(index).and_then(|at| words.get(at)?.parse::<usize>().ok());
        match words.first().copied().unwrap_or_default() {
            "PING" => talk.send(b"PONG\r\n").await?,
            "PONG" | "+OK" | "INFO" => {}
            "-ERR" => {
                let said = talk.quote(text.get(4..).unwrap_or_default().trim().as_bytes());
                return Err(match text.to_ascii_lowercase().contains("permissions violation") {
                    true => QueueStop::Refused(format!("does not allow to ask: {said}")),
                    false => QueueStop::Unreachable(Step::Protocol, format!("answered {said}")),
                });
            }
            "MSG" | "HMSG" => {
                let Some(length) = size(1) else { return Err(talk.stranger().into()) };
                let mut payload = talk.exactly(length.saturating_add(2)).await?;
                payload.truncate(length);
                if words.get(1) != Some(&inbox.as_str()) {
                    continue; // to an older question
                }
                if words[0] == "HMSG" {
                    let head = size(2).filter(|head| *head <= length).unwrap_or(length);
                    let rest = payload.split_off(head);
                    if payload.starts_with(b"NATS/1.0 503") {
                        let message = "has no JetStream, or not for this account";
                        return Err(QueueStop::Missing(String::from(message)));
                    }
                    payload = rest;
                }
                let Ok(mut answer) = serde_json::from_slice::<Value>(&payload) else {
                    return Err(talk.stranger().into());
                };
                return Ok(match answer.get_mut("error").map(Value::take) {
                    Some(error) => Err(error),
                    None => Ok(answer),
                });
            }
            _ => return Err(talk.stranger().into()),
        }
    }
}
