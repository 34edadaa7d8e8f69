//! AMQP 0-9-1: a passive `Queue.Declare` (section 1.7.2.1) tells how many messages are ready and how many consume. It makes
//! nothing; a queue that is not there closes the channel.
//!
//! Ready messages are those that no consumer has: what was delivered and is not acknowledged, AMQP does not tell, and how
//! old a message is neither.

use clockwork_core::text::quote;

use super::{Age, QueueProbe, QueueState, QueueStop};
use crate::handshake::{
    Step, Stopped,
    amqp::{self, CLOSE, frame, reason, send},
    probe::Credentials,
    talk::{Stream, Talk},
};

const CHANNEL_OPEN: [u8; 4] = [0, 20, 0, 10];
const CHANNEL_OPEN_OK: [u8; 4] = [0, 20, 0, 11];
const CHANNEL_CLOSE: [u8; 4] = [0, 20, 0, 40];
const QUEUE_DECLARE: [u8; 4] = [0, 50, 0, 10];
const QUEUE_DECLARE_OK: [u8; 4] = [0, 50, 0, 11];

const PASSIVE: u8 = 1;
const CHANNEL: u16 = 1;

pub(super) async fn open<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<(), QueueStop> {
    amqp::begin(talk).await?;
    if let Some(login) = login {
        amqp::open(talk, login).await.map_err(|stopped| match stopped {
            // RabbitMQ's words, for want of a code of its own.
            Stopped { step: Step::Authentication, message }
                if message.starts_with("does not open") && message.contains("not found") =>
            {
                QueueStop::Missing(message)
            }
            other => other.into(),
        })?;
    }
    send(talk, CHANNEL, &[&CHANNEL_OPEN[..], b"\0"].concat()).await?;
    match frame(talk).await? {
        (CHANNEL, CHANNEL_OPEN_OK, _) => Ok(()),
        (_, CLOSE | CHANNEL_CLOSE, arguments) => Err(told(talk, &arguments)),
        _ => Err(talk.stranger().into()),
    }
}

pub(super) use crate::handshake::amqp::close;

pub(super) async fn look<S: Stream>(talk: &mut Talk<S>, probe: &QueueProbe) -> Result<QueueState, QueueStop> {
    let name = probe.queue.as_bytes();
    let Ok(size) = u8::try_from(name.len()) else {
        return Err(QueueStop::Missing(format!(
            "has no queue {}: AMQP knows no name so long",
            quote(&probe.queue)
        )));
    };
    send(talk, CHANNEL, &[&QUEUE_DECLARE[..], &[0, 0, size], name, &[PASSIVE, 0, 0, 0, 0]].concat()).await?;
    let (_, method, arguments) = frame(talk).await?;
    match method {
        QUEUE_DECLARE_OK => {}
        CLOSE | CHANNEL_CLOSE => return Err(told(talk, &arguments)),
        _ => return Err(talk.stranger().into()),
    }
    let counts = arguments.get(1 + usize::from(arguments.first().copied().unwrap_or_default())..);
    let number = |at: usize| {
        let bytes = counts?.get(at..at + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (Some(messages), Some(consumers)) = (number(0), number(4)) else {
        return Err(talk.stranger().into());
    };
    Ok(QueueState {
        consumers: consumers.into(),
        backlog: Ok(messages.into()),
        oldest: match probe.age {
            true => Age::Unknown(String::from("AMQP does not tell how old messages are")),
            false => Age::None,
        },
        ..QueueState::empty()
    })
}

/// What a `Close` means: a code, and a text.
fn told<S: Stream>(talk: &Talk<S>, arguments: &[u8]) -> QueueStop {
    let code = arguments.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
    let why = talk.quote(reason(arguments));
    match code {
        404 => QueueStop::Missing(format!("has no such queue: {why}")),
        403 => QueueStop::Refused(format!("does not tell about the queue: {why}")),
        // Another connection owns the queue alone: its consumer is there, and nobody else may even ask.
        405 => QueueStop::Refused(format!(
            "does not tell about a queue that one connection has for itself: {why}"
        )),
        _ => QueueStop::Unreachable(Step::Protocol, format!("answered with error {code}: {why}")),
    }
}
