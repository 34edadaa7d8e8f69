//! [`QueueConsumerAssert`]'s judgement, by tables.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

fn orders() -> QueueConsumerAssert {
    QueueConsumerAssert::new("orders", "rabbit")
}

fn state(consumers: u64, backlog: u64) -> QueueState {
    QueueState {
        consumers,
        absent: Vec::new(),
        backlog: Ok(backlog),
        group: None,
        unacknowledged: None,
        oldest: Age::None,
    }
}

fn judge(kind: &QueueConsumerAssert, looks: &[QueueState]) -> Result<Verdict, CheckError> {
    kind.judge(&QueueObservation { looks: looks.to_vec(), stopped: None }, BrokerEngine::Amqp)
}

#[test]
fn somebody_consumes_and_not_too_much_waits() {
    let old = |age| QueueState { oldest: age, ..state(1, 3) };
    let group = QueueState { group: Some(String::from("\"g\"")), ..state(1, 30) };
    let minute = Duration::from_secs(60);
    for (kind, looks, expected) in [
        (orders(), vec![state(1, 0)], Ok("1 consumer, no message waits")),
        (orders(), vec![state(2, 5)], Ok("2 consumers, 5 messages wait")),
        (orders(), vec![state(0, 5)], Err("nobody consumes the queue \"orders\"")),
        (orders().consumers(3), vec![state(2, 0)], Err("2 of 3 consumers are at the queue \"orders\"")),
        (
            orders().max_consumers(1),
            vec![state(2, 0)],
            Err("2 consumers are at the queue \"orders\", at most 1 expected"),
        ),
        (orders().max_backlog(5), vec![state(1, 5)], Ok("1 consumer, 5 messages wait")),
        (orders().max_backlog(4), vec![state(1, 5)], Err("5 messages wait, at most 4 expected")),
        (orders().max_backlog(4), vec![group], Err("30 messages wait for \"g\", at most 4 expected")),
        (
            orders().max_growth(0, Duration::from_secs(2)),
            vec![state(1, 5), state(1, 5)],
            Ok("1 consumer, 5 messages wait"),
        ),
        (
            orders().max_growth(2, Duration::from_secs(2)),
            vec![state(1, 5), state(1, 8)],
            Err("the backlog grew by 3 messages in 2 s, from 5 to 8"),
        ),
        (orders().max_age(minute), vec![old(Age::Of(minute))], Ok("1 consumer, 3 messages wait")),
        (
            orders().max_age(minute),
            vec![old(Age::Of(Duration::from_millis(61_234)))],
            Err("the oldest message waits for 1m1s, at most 1m expected"),
        ),
    ] {
        let verdict = judge(&kind, &looks).unwrap();
        assert_eq!(verdict.text(), expected.unwrap_or_else(|message| message));
        assert_eq!((verdict.has_passed(), verdict.is_judged()), (expected.is_ok(), true), "{expected:?}");
    }
}

#[test]
fn what_is_not_told_is_not_judged_unless_something_is_wrong_anyway() {
    let untold = QueueState { backlog: Err(String::from("no lag")), ..state(1, 0) };
    let error = judge(&orders().max_backlog(5), std::slice::from_ref(&untold)).unwrap_err();
    assert_eq!(error.to_string(), "the queue \"orders\" cannot be judged: no lag");
    assert!(judge(&orders(), std::slice::from_ref(&untold)).unwrap().has_passed());
    let nobody = QueueState { consumers: 0, ..untold };
    assert!(!judge(&orders().max_backlog(5), &[nobody]).unwrap().has_passed());
}

#[test]
fn what_is_wrong_with_the_fields_is_told() {
    let at = |engine| QueueConsumerAssert::at_broker("orders", Broker::new(engine));
    let minute = Duration::from_secs(60);
    for (kind, message) in [
        (at(BrokerEngine::Nats).max_age(minute), None),
        (
            at(BrokerEngine::Amqp).max_age(minute),
            Some("AMQP does not tell how old messages are; use `max_backlog` or `max_growth`"),
        ),
        (at(BrokerEngine::Amqp).group("g"), Some("a queue of AMQP has no groups")),
        (orders().consumers(0), Some("asks for none, and nothing else is asked")),
        (orders().consumers(0).max_backlog(1), None),
        (orders().consumers(2).max_consumers(1), Some("has a `max` below its `min`")),
        (orders().over(Duration::ZERO), Some("is too short to see anything: take 100ms or more")),
        (
            QueueConsumerAssert::at_broker("orders", Broker::default()),
            Some("is missing: say `amqp`, `nats` or `redis`, or name a `resource`"),
        ),
        (
            QueueConsumerAssert::at_broker("orders", Broker::new(BrokerEngine::Redis).vhost("x")),
            Some("only AMQP has virtual hosts"),
        ),
    ] {
        let problems = kind.validate(None);
        assert_eq!(problems.first().map(|problem| problem.message.as_str()), message, "{problems:?}");
    }
}
