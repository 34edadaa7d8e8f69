//! See the module: what is asked of any broker, and what it tells.

use std::time::Duration;

use clockwork_core::{CheckError, Context, Probe};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use super::{amqp, nats, redis};
use crate::vantage::network::Network;
use crate::{
    handshake::{
        Login, Step, Stopped,
        probe::{Credentials, reach},
        talk::Talk,
    },
    resolve::authority,
};

/// What a broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BrokerEngine {
    /// AMQP 0-9-1, as RabbitMQ speaks it.
    #[serde(alias = "rabbitmq")]
    Amqp,
    /// NATS, with JetStream.
    #[serde(alias = "jetstream")]
    Nats,
    /// Redis, or what speaks its protocol.
    #[serde(alias = "valkey")]
    Redis,
}

impl BrokerEngine {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amqp => "AMQP",
            Self::Nats => "NATS",
            Self::Redis => "Redis",
        }
    }

    /// The port that it usually listens at.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Amqp => 5672,
            Self::Nats => 4222,
            Self::Redis => 6379,
        }
    }

    /// What holds messages, as its users call it.
    pub fn calls_it(self) -> &'static str {
        match self {
            Self::Amqp => "queue",
            Self::Nats | Self::Redis => "stream",
        }
    }
}

/// Asks a broker about a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueProbe {
    /// What it speaks.
    pub engine: BrokerEngine,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who asks; the engine's way of asking without a name, if `None`.
    pub login: Option<Login>,
    /// The queue, or the stream.
    pub queue: String,
    /// The one consumer group (Redis) or consumer (JetStream) that is meant; all of them, if `None`.
    pub group: Option<String>,
    /// Redis keeps consumers that are gone: those that asked for nothing for so long do not count.
    pub max_idle: Duration,
    /// Whether the age of the oldest message is asked.
    pub age: bool,
    /// How long to look, for what one look cannot show.
    pub over: Duration,
    /// Look once more at the end of that.
    pub twice: bool,
    /// JetStream does not say who is at a consumer between two of its requests: while there are fewer than these, look on.
    pub wanted: u64,
    /// How long each look may take.
    pub patience: Duration,
}

/// What the broker told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueObservation {
    /// The first look and, where there were more, the last.
    pub looks: Vec<QueueState>,
    /// Why there is nothing to see, if so.
    pub stopped: Option<QueueStop>,
}

/// Why nothing is seen of a queue. The messages are whole sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueStop {
    /// The broker was not reached, or does not speak the protocol.
    Unreachable(Step, String),
    /// The queue is not there, or the virtual host, the stream, the group.
    Missing(String),
    /// The broker does not tell us: credentials or permissions.
    Refused(String),
}

/// One look at a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// How many consume it.
    pub consumers: u64,
    /// Who should, and is not there: why, in words, quoted and bounded.
    pub absent: Vec<String>,
    /// How many messages wait: of several groups, where most do. Or why that is not told.
    pub backlog: Result<u64, String>,
    /// The group that this is, where there are groups; quoted.
    pub group: Option<String>,
    /// How many of them a consumer has and did not acknowledge yet; `None` where it is not told.
    pub unacknowledged: Option<u64>,
    /// How old the oldest waiting message is.
    pub oldest: Age,
}

impl QueueState {
    /// Nobody is there, and nothing waits.
    pub(super) fn empty() -> Self {
        Self {
            consumers: 0,
            absent: Vec::new(),
            backlog: Ok(0),
            group: None,
            unacknowledged: None,
            oldest: Age::None,
        }
    }
}

/// How old the oldest message is that still has to be dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    /// None waits, or nobody asked.
    None,
    /// So old.
    Of(Duration),
    /// The broker does not tell: why.
    Unknown(String),
}

impl Age {
    /// The older one; what is not known is not the younger.
    pub(super) fn older(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::None, age) | (age, Self::None) => age,
            (Self::Of(one), Self::Of(other)) => Self::Of(one.max(other)),
        }
    }
}

impl From<Stopped> for QueueStop {
    fn from(Stopped { step, message }: Stopped) -> Self {
        match step {
            Step::Authentication => Self::Refused(message),
            step => Self::Unreachable(step, message),
        }
    }
}

/// How often a queue is looked at within `over`, when it is looked at on.
const LOOKS: u32 = 8;

/// How much of a broker's answers is read.
const LIMIT: usize = 16 << 20;

impl Probe for QueueProbe {
    type Observation = QueueObservation;

    async fn look(&self, cx: &Context) -> Result<QueueObservation, CheckError> {
        let login = match &self.login {
            Some(login) => Some(login.read()?),
            // What every RabbitMQ lets in from its own machine.
            None if self.engine == BrokerEngine::Amqp => Some(Credentials {
                user: String::from("guest"),
                password: SecretString::from("guest"),
                database: None,
            }),
            None => None,
        };
        let mut looks = Vec::new();
        let stopped = self.look_at(login.as_ref(), &mut looks, cx).await?.err();
        let place = authority(&self.host, self.port);
        let named = |message: String| match message.starts_with(&place) || message.contains(&self.host) {
            true => message,
            false => format!("{place} {message}"),
        };
        let stopped = stopped.map(|stopped| match stopped {
            QueueStop::Unreachable(step, message) if step >= Step::Protocol => {
                QueueStop::Unreachable(step, named(message))
            }
            QueueStop::Refused(message) => QueueStop::Refused(named(message)),
            QueueStop::Missing(message) => QueueStop::Missing(named(message)),
            other @ QueueStop::Unreachable(..) => other,
        });
        Ok(QueueObservation { looks, stopped })
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let queue = clockwork_core::text::quote(&self.queue);
        format!("asking {} about {queue} ({})", authority(&self.host, self.port), self.engine.name())
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }
}

/// A conversation with a broker that goes on for as many looks as are needed.
enum Session {
    Amqp,
    Nats(nats::Memory),
    Redis,
}

impl QueueProbe {
    async fn look_at(
        &self,
        login: Option<&Credentials>,
        looks: &mut Vec<QueueState>,
        cx: &Context,
    ) -> Result<Result<(), QueueStop>, CheckError> {
        let patience = clockwork_core::duration::show(self.patience);
        // The way in first, which is nobody's patience but ours.
        Network::of(cx).await?;
        let began = Instant::now();
        let deadline = began + self.patience;
        let stream = match reach(&self.host, self.port, deadline, &patience, cx).await? {
            Ok(connected) => connected.stream,
            Err(stopped) => return Ok(Err(stopped.into())),
        };
        let place = authority(&self.host, self.port);
        cx.phase(format!("waiting for {place} to tell about the queue ({})", self.engine.name()));
        let late = || {
            let message = format!("{place} said nothing of {} within {patience}", self.engine.name());
            Ok(Err(QueueStop::Unreachable(Step::Protocol, message)))
        };
        let mut talk = Talk::new(stream, self.engine.name()).reading(LIMIT);
        if let Some(login) = login {
            talk.hide(login.password.expose_secret().as_bytes());
        }
        let opened = async {
            Ok::<_, QueueStop>(match self.engine {
                BrokerEngine::Amqp => {
                    amqp::open(&mut talk, login).await?;
                    Session::Amqp
                }
                BrokerEngine::Nats => Session::Nats(nats::open(&mut talk, login).await?),
                BrokerEngine::Redis => {
                    redis::open(&mut talk, login).await?;
                    Session::Redis
                }
            })
        };
        let mut session = match timeout_at(deadline, opened).await {
            Ok(Ok(session)) => session,
            Ok(Err(stopped)) => return Ok(Err(stopped)),
            Err(_) => return late(),
        };
        let first = Instant::now();
        loop {
            let look = async {
                match &mut session {
                    Session::Amqp => amqp::look(&mut talk, self).await,
                    Session::Nats(memory) => nats::look(&mut talk, self, memory, cx.now()).await,
                    Session::Redis => redis::look(&mut talk, self).await,
                }
            };
            let state = match timeout_at(Instant::now() + self.patience, look).await {
                Ok(Ok(state)) => state,
                Ok(Err(stopped)) => return Ok(Err(stopped)),
                Err(_) => return late(),
            };
            let hidden = matches!(session, Session::Nats(_)) && state.consumers < self.wanted;
            looks.truncate(1);
            looks.push(state);
            let left = (first + self.over).saturating_duration_since(Instant::now());
            if left.is_zero() || !(self.twice || hidden) {
                break;
            }
            sleep(left.min(self.over / LOOKS)).await;
        }
        if let Session::Amqp = session {
            // It told what was asked; whether it takes the goodbye is nobody's question.
            let _ = timeout_at(Instant::now() + self.patience, amqp::close(&mut talk)).await;
        }
        Ok(Ok(()))
    }
}
