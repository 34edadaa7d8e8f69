//! `QueueConsumerAssert` at real brokers: RabbitMQ, NATS with JetStream, and Redis. Their own programs are the witnesses.

mod nats;
mod rabbitmq;
mod redis;

use std::{sync::Arc, time::Duration};

use clockwork_assert::QueueConsumerAssert;
use clockwork_core::{AssertionExt, CheckResult, Outcome, Secret, SecretString};

use crate::run::{check, told};

/// Patient with a loaded machine.
async fn judged(assertion: QueueConsumerAssert) -> Arc<CheckResult> {
    let result = check(assertion.timeout(Duration::from_secs(60))).await;
    assert!(!result.message.contains("canary"), "{}", result.message);
    result
}

async fn passes(assertion: QueueConsumerAssert) -> String {
    told(&judged(assertion).await, Outcome::Passed).to_owned()
}

async fn fails(assertion: QueueConsumerAssert) -> String {
    told(&judged(assertion).await, Outcome::Failed).to_owned()
}

async fn is_blind(assertion: QueueConsumerAssert) -> String {
    told(&judged(assertion).await, Outcome::Errored).to_owned()
}

fn secret(text: &str) -> Secret {
    Secret::from(SecretString::from(text))
}
