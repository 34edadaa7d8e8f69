#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_drivers::sql::Receiver;

use super::*;

fn kind(more: Value) -> ReplicationAssert {
    let mut fields = json!({ "primary": "db", "replica": "copy" });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).unwrap()
}

/// A pair that holds, 5 ms behind.
fn pair() -> Replication {
    let primary = ServerFacts {
        place: "db:5432".into(),
        system: "1".into(),
        started: "t1".into(),
        timeline: Some(1),
        position: 1000,
        senders: 1,
        ..ServerFacts::default()
    };
    let receiver = Receiver { status: Some("streaming".into()), from: None };
    let replica = ServerFacts {
        in_recovery: true,
        started: "t2".into(),
        senders: 0,
        receiver: Some(receiver),
        ..primary.clone()
    };
    let caught_up = Some(Duration::from_millis(5));
    Replication { primary, replica, caught_up, ..Replication::default() }
}

#[test]
fn what_is_wrong_is_told_apart() {
    type Change = fn(&mut Replication);
    // what is other than in a good pair, by position and by canary: the state, and whether it was judged
    let table: [(Change, &str, &str, bool); 14] = [
        (|_| {}, "following", "following", true),
        (|seen| seen.replica.started = "t1".into(), "following", "following", true),
        (
            |seen| (seen.replica.started, seen.replica.in_recovery) = ("t1".into(), false),
            "same_server",
            "same_server",
            false,
        ),
        (|seen| seen.primary.in_recovery = true, "no_primary", "no_primary", false),
        (|seen| seen.replica.system = "2".into(), "foreign", "foreign", true),
        (
            |seen| (seen.replica.system, seen.replica.in_recovery) = ("2".into(), false),
            "foreign",
            "foreign",
            true,
        ),
        (|seen| seen.replica.in_recovery = false, "diverged", "diverged", true),
        (|seen| seen.replica.timeline = Some(2), "diverged", "diverged", true),
        (|seen| seen.replica.position = 1001, "diverged", "diverged", true),
        (|seen| seen.replica.paused = true, "stopped", "stopped", true),
        // Fed from files.
        (|seen| seen.replica.receiver = None, "stopped", "following", true),
        (|seen| seen.replica.receiver = Some(Receiver::default()), "following", "following", true),
        (|seen| seen.primary.senders = 0, "foreign", "following", true),
        (|seen| seen.caught_up = Some(Duration::from_secs(5)), "lagging", "lagging", true),
    ];
    for (number, (change, by_position, by_canary, judged)) in table.into_iter().enumerate() {
        let mut seen = pair();
        change(&mut seen);
        for (method, expected) in [("position", by_position), ("canary", by_canary)] {
            let verdict = kind(json!({ "method": method })).judge(&seen).unwrap();
            assert_eq!(verdict.details()["state"], expected, "{number} by {method}: {verdict:?}");
            assert_eq!(verdict.has_passed(), expected == "following", "{number}: {verdict:?}");
            assert_eq!(verdict.is_judged(), judged, "{number}: {verdict:?}");
        }
    }
}

#[test]
fn what_there_was_no_time_for_is_not_judged() {
    let waited = Duration::from_secs(2);
    let seen = |cut_short| Replication { caught_up: None, waited, cut_short, ..pair() };
    let slow = kind(json!({ "max_lag": "1m" }));
    let error = slow.judge(&seen(true)).unwrap_err();
    assert!(error.to_string().contains("copy was behind for 2 s, and the check has no time"), "{error}");
    let verdict = kind(json!({})).judge(&seen(false)).unwrap();
    assert!(
        verdict.text().starts_with("copy is more than 2 s behind db: what was written is not there yet"),
        "{verdict:?}"
    );
    // What is surely wrong needs no time.
    let mut paused = seen(true);
    paused.replica.paused = true;
    assert!(!slow.judge(&paused).unwrap().has_passed());
}

#[test]
fn what_does_not_go_together_is_said() {
    for (more, expected) in [
        (json!({}), None),
        (json!({ "method": "canary", "table": "ops.canary", "max_lag": "200ms" }), None),
        (json!({ "replica": "db" }), Some("nothing follows itself")),
        (json!({ "max_lag": 0 }), Some("no time")),
        (json!({ "table": "x" }), Some("is for `method: canary`")),
        (json!({ "method": "canary", "table": "x; DROP" }), Some("is not a table's name")),
        (json!({ "primary": { "engine": "sqlite" } }), Some("SQLite needs `path`")),
    ] {
        let problems = kind(more.clone()).validate(None);
        match expected {
            None => assert_eq!(problems, [], "{more}"),
            Some(expected) => assert!(problems[0].message.contains(expected), "{more}: {problems:?}"),
        }
    }
    let both: ReplicationAssert = kind(json!({ "primary": { "engine": "postgresql", "database": "shop" } }));
    assert_eq!(both.related(), [ResourceName::new("copy")]);
    assert!(serde_json::from_value::<ReplicationAssert>(json!({ "primary": "a", "replica": 5 })).is_err());
}
