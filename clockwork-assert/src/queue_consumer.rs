//! [`QueueConsumerAssert`]: a queue is consumed: somebody is at it, and not too much waits for too long.
//!
//! It proves what the broker tells just now, by its own protocol, and takes nothing from the queue. It does not prove that
//! the consumers do their work well, nor who they are.
//!
//! What is counted depends on the broker:
//!
//! | | AMQP (RabbitMQ) | NATS JetStream | Redis streams |
//! | --- | --- | --- | --- |
//! | `queue` | a queue | a stream | the key of a stream |
//! | `group` | | one consumer of the stream | one consumer group |
//! | a consumer | a subscription of a client | a consumer of the stream that somebody is at: a subscriber is bound (push), requests wait (pull), or it delivers while it is looked at, for `over` at most | a consumer of a group that asked for something within `max_idle` |
//! | backlog | messages that no consumer has yet | what is not delivered, and what is not acknowledged, of the consumer where most is | what the group has not read, and what is not acknowledged, of the group where most is |
//! | `max_age` | not told | by the time of the first message that is not acknowledged | by the first such entry's id, which is its time |
//!
//! A Redis consumer that waits without end (`BLOCK 0`) looks idle: let it wait for less, or raise `max_idle`. One that reads
//! without a group leaves no trace. A stream without a consumer or group has all that is in it as backlog.
//!
//! With `max_growth` the queue is looked at for `over`, and the backlog may grow by so many messages meanwhile.
//!
//! Judged (so that `not` turns it around) is what the broker tells of the queue. Not judged: a broker that is not reached, a
//! queue that is not there. Credentials that are refused are `errored`: they are not what is asserted.
//!
//! `details`: `consumers`, `absent` (why consumers were not counted), `backlog`, `group`, `unacknowledged`, `oldest_s`,
//! `growth`.

use std::time::Duration;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Named, Resource, ResourceName, Verdict,
    async_trait, duration::show, schemars::JsonSchema, text::quote,
};
use clockwork_drivers::queue::{Age, BrokerEngine, QueueObservation, QueueProbe, QueueState, QueueStop};
use serde::Deserialize;

use crate::broker::{Broker, BrokerField};

/// A queue is consumed.
///
/// ```
/// use std::time::Duration;
///
/// use clockwork_assert::{Broker, BrokerEngine, QueueConsumerAssert};
/// use clockwork_drivers::ContainerResource;
///
/// let rabbit = ContainerResource::new("rabbit").image("rabbitmq:3").ports(["5672:5672"]);
/// QueueConsumerAssert::new("orders", &rabbit).consumers(2).max_backlog(100);
/// QueueConsumerAssert::at_broker("ORDERS", Broker::new(BrokerEngine::Nats)).max_age(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct QueueConsumerAssert {
    /// The queue (AMQP) or the stream (NATS JetStream, Redis).
    queue: String,
    /// Where it is: a resource's name, a URL (`amqp://`, `nats://`, `redis://`), or a map.
    broker: BrokerField,
    /// How many consume it.
    #[serde(default)]
    consumers: Consumers,
    /// How many messages may wait.
    #[serde(default)]
    max_backlog: Option<u64>,
    /// How old the oldest message may be that waits. (AMQP does not tell.)
    #[serde(default, with = "clockwork_core::duration::optional")]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    max_age: Option<Duration>,
    /// By how many messages the backlog may grow during `over`.
    #[serde(default)]
    max_growth: Option<u64>,
    /// How long it is looked at, where one look does not show it. `timeout` has to be longer.
    #[serde(with = "clockwork_core::duration", default = "second")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    over: Duration,
    /// The one consumer group (Redis) or consumer (JetStream) that is meant.
    #[serde(default)]
    group: Option<String>,
    /// How long a consumer of Redis may have asked for nothing, and still counts.
    #[serde(with = "clockwork_core::duration", default = "minute")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    max_idle: Duration,
}

/// How many consume a queue.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
struct Consumers {
    /// At least.
    #[serde(default = "one")]
    min: u64,
    /// At most.
    #[serde(default)]
    max: Option<u64>,
}

impl Default for Consumers {
    fn default() -> Self {
        Self { min: one(), max: None }
    }
}

fn one() -> u64 {
    1
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

/// How long a look may take where the check has no deadline, and how long before that it gives up.
const PATIENCE: Duration = Duration::from_secs(5);
const MARGIN: Duration = Duration::from_millis(200);

impl QueueConsumerAssert {
    /// Somebody consumes this queue of this broker: a resource, or its name.
    pub fn new(queue: impl Into<String>, broker: impl Named) -> Self {
        Self::of(queue.into(), BrokerField::named(broker.resource_name()))
    }

    /// Somebody consumes this queue of this broker, which is no resource of the project.
    pub fn at_broker(queue: impl Into<String>, broker: Broker) -> Self {
        Self::of(queue.into(), BrokerField(broker))
    }

    fn of(queue: String, broker: BrokerField) -> Self {
        Self {
            queue,
            broker,
            consumers: Consumers::default(),
            max_backlog: None,
            max_age: None,
            max_growth: None,
            over: second(),
            group: None,
            max_idle: minute(),
        }
    }

    /// At least so many consume it; 0, where that is no question.
    #[must_use]
    pub fn consumers(mut self, min: u64) -> Self {
        self.consumers.min = min;
        self
    }

    /// At most so many consume it.
    #[must_use]
    pub fn max_consumers(mut self, max: u64) -> Self {
        self.consumers.max = Some(max);
        self
    }

    /// So many messages may wait.
    #[must_use]
    pub fn max_backlog(mut self, messages: u64) -> Self {
        self.max_backlog = Some(messages);
        self
    }

    /// So old may the oldest message be that waits.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// By so many messages may the backlog grow while it is looked at for so long.
    #[must_use]
    pub fn max_growth(mut self, messages: u64, over: Duration) -> Self {
        (self.max_growth, self.over) = (Some(messages), over);
        self
    }

    /// How long it is looked at, where one look does not show it.
    #[must_use]
    pub fn over(mut self, over: Duration) -> Self {
        self.over = over;
        self
    }

    /// The one consumer group (Redis) or consumer (JetStream) that is meant.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// How long a consumer of Redis may have asked for nothing, and still counts.
    #[must_use]
    pub fn max_idle(mut self, idle: Duration) -> Self {
        self.max_idle = idle;
        self
    }

    fn what(&self, engine: BrokerEngine) -> String {
        format!("the {} {}", engine.calls_it(), quote(&self.queue))
    }

    fn judge(&self, seen: &QueueObservation, engine: BrokerEngine) -> Result<Verdict, CheckError> {
        let (Some(first), Some(last)) = (seen.looks.first(), seen.looks.last()) else {
            return Err(CheckError::unobservable("the queue was not looked at"));
        };
        let (mut wrong, mut blind) = (Vec::new(), Vec::new());
        let Consumers { min, max } = self.consumers;
        if last.consumers < min {
            let absent: String = last.absent.iter().take(3).map(|why| format!("; {why}")).collect();
            wrong.push(match last.consumers {
                0 => format!("nobody consumes {}{absent}", self.what(engine)),
                some => format!("{} of {min} consumers are at {}{absent}", some, self.what(engine)),
            });
        }
        if let Some(max) = max.filter(|max| last.consumers > *max) {
            wrong.push(format!(
                "{} consumers are at {}, at most {max} expected",
                last.consumers,
                self.what(engine)
            ));
        }
        let of = last.group.as_ref().map(|group| format!(" for {group}")).unwrap_or_default();
        let growth = match (&first.backlog, &last.backlog) {
            (Ok(before), Ok(after)) => Some(after.saturating_sub(*before)),
            _ => None,
        };
        match &last.backlog {
            Ok(backlog) => {
                if let Some(max) = self.max_backlog.filter(|max| backlog > max) {
                    wrong.push(format!("{}{of}, at most {max} expected", waits(*backlog)));
                }
            }
            Err(why) if self.max_backlog.is_some() || self.max_growth.is_some() => blind.push(why.clone()),
            Err(_) => {}
        }
        if let (Some(max), Some(growth)) = (self.max_growth, growth)
            && growth > max
        {
            let before = first.backlog.as_ref().map_or(0, |before| *before);
            let over = show(self.over);
            wrong.push(format!(
                "the backlog grew by {growth} messages in {over}, from {before} to {}",
                before + growth
            ));
        }
        if let Some(max) = self.max_age {
            match &last.oldest {
                Age::Of(age) if *age > max => {
                    wrong.push(format!(
                        "the oldest message waits for {}, at most {} expected",
                        shown(*age),
                        show(max)
                    ));
                }
                Age::Unknown(why) => blind.push(why.clone()),
                Age::Of(_) | Age::None => {}
            }
        }
        if wrong.is_empty() && !blind.is_empty() {
            return Err(CheckError::unobservable(format!(
                "{} cannot be judged: {}",
                self.what(engine),
                blind.join("; ")
            )));
        }
        let consumers = match last.consumers {
            1 => String::from("1 consumer"),
            many => format!("{many} consumers"),
        };
        let actual = match &last.backlog {
            Ok(backlog) => format!("{consumers}, {}", waits(*backlog)),
            Err(_) => consumers,
        };
        let verdict = match wrong.is_empty() {
            true => Verdict::passed().message(actual.clone()),
            false => Verdict::failed(wrong.join("; ")),
        };
        Ok(with_details(verdict, last, growth.filter(|_| seen.looks.len() > 1))
            .expected(self.expected())
            .actual(actual))
    }

    fn expected(&self) -> String {
        let Consumers { min, max } = self.consumers;
        let mut all = Vec::new();
        match (min, max) {
            (0, None) => {}
            (1, None) => all.push(String::from("at least 1 consumer")),
            (min, None) => all.push(format!("at least {min} consumers")),
            (min, Some(max)) => all.push(format!("{min} to {max} consumers")),
        }
        all.extend(self.max_backlog.map(|max| format!("at most {max} waiting")));
        all.extend(self.max_age.map(|max| format!("none older than {}", show(max))));
        all.extend(self.max_growth.map(|max| format!("growing by at most {max} in {}", show(self.over))));
        all.join(", ")
    }
}

fn waits(backlog: u64) -> String {
    match backlog {
        0 => String::from("no message waits"),
        1 => String::from("1 message waits"),
        many => format!("{many} messages wait"),
    }
}

/// Above a second nobody wants to read of milliseconds.
fn shown(age: Duration) -> String {
    show(if age > Duration::from_secs(1) { Duration::from_secs(age.as_secs()) } else { age })
}

fn with_details(verdict: Verdict, seen: &QueueState, growth: Option<u64>) -> Verdict {
    let oldest = if let Age::Of(age) = seen.oldest { Some(age.as_secs_f64()) } else { None };
    verdict
        .detail("consumers", seen.consumers)
        .detail_of("absent", &seen.absent)
        .detail_of("backlog", &seen.backlog.as_ref().ok())
        .detail_of("group", &seen.group)
        .detail_of("unacknowledged", &seen.unacknowledged)
        .detail_of("oldest_s", &oldest)
        .detail_of("growth", &growth)
}

#[async_trait]
impl Assertion for QueueConsumerAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let queue = clockwork_core::text::harmless(&self.queue).into_owned();
        match &self.group {
            Some(group) => format!("{queue}, {}", clockwork_core::text::harmless(group)),
            None => queue,
        }
    }

    fn related(&self) -> Vec<ResourceName> {
        self.broker.resource().map(ResourceName::new).into_iter().collect()
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.broker.validate();
        let mut add = |field: &str, message: String| problems.push(Invalid::field(field, message));
        let Consumers { min, max } = self.consumers;
        if self.queue.is_empty() {
            add("queue", String::from("is empty"));
        }
        if max.is_some_and(|max| max < min) {
            add("consumers", String::from("has a `max` below its `min`"));
        }
        let limits =
            [self.max_backlog.is_some(), self.max_age.is_some(), self.max_growth.is_some(), max.is_some()];
        if min == 0 && !limits.contains(&true) {
            add("consumers", String::from("asks for none, and nothing else is asked"));
        }
        if self.broker.engine() == Some(BrokerEngine::Amqp) {
            if self.max_age.is_some() {
                add(
                    "max_age",
                    String::from(
                        "AMQP does not tell how old messages are; use `max_backlog` or `max_growth`",
                    ),
                );
            }
            if self.group.is_some() {
                add("group", String::from("a queue of AMQP has no groups"));
            }
        }
        if self.over < Duration::from_millis(100) {
            add("over", String::from("is too short to see anything: take 100ms or more"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (engine, host, port, login) = self.broker.place(cx).await?;
        let left =
            cx.deadline().map(|deadline| deadline.saturating_duration_since(tokio::time::Instant::now()));
        let patience = left.map_or(PATIENCE, |left| left.saturating_sub(self.over + MARGIN)).max(MARGIN);
        let probe = QueueProbe {
            engine,
            host,
            port,
            login,
            queue: self.queue.clone(),
            group: self.group.clone(),
            max_idle: self.max_idle,
            age: self.max_age.is_some(),
            over: self.over,
            twice: self.max_growth.is_some(),
            wanted: self.consumers.min,
            patience,
        };
        let seen = cx.observe(probe).await?;
        match &seen.stopped {
            None => self.judge(&seen, engine),
            Some(QueueStop::Unreachable(_, message)) => {
                Ok(Verdict::unjudged(message.clone()).expected(self.expected()))
            }
            Some(QueueStop::Missing(message)) => {
                Ok(Verdict::unjudged(format!("cannot find {}: {message}", self.what(engine)))
                    .expected(self.expected()))
            }
            Some(QueueStop::Refused(message)) => {
                Err(CheckError::unobservable(message.clone()).hint("give `broker` a user who may ask"))
            }
        }
    }
}

impl AssertionKind for QueueConsumerAssert {
    const NAME: &'static str = "QueueConsumerAssert";
}

#[cfg(test)]
#[path = "queue_consumer_tests.rs"]
mod tests;
