//! `ReplicationAssert` on real PostgreSQL servers that stream to each other; `psql` says what is there.

use std::{sync::Arc, time::Duration};

use clockwork_assert::{DatabaseRef, ReplicationAssert, ReplicationMethod};
use clockwork_core::{AssertionExt, CheckResult, Engine, Event, Graph, Outcome, Project, RunOptions, Stop};
use clockwork_drivers::{
    ContainerResource,
    sql::{Connection, DatabaseEngine},
};

use super::postgres_server::Postgres;
use crate::run::{check, run, told};

const METHODS: [ReplicationMethod; 2] = [ReplicationMethod::Position, ReplicationMethod::Canary];

fn follows(primary: &Postgres, replica: &Postgres, method: ReplicationMethod) -> ReplicationAssert {
    let at = |server: &Postgres| DatabaseRef::at(server.connection());
    // Generous: what is told apart here does not depend on how loaded the machine is.
    ReplicationAssert::new(at(primary), at(replica)).max_lag(Duration::from_secs(20)).method(method)
}

/// With time for it.
async fn look(assertion: ReplicationAssert) -> Arc<CheckResult> {
    check(assertion.timeout(Duration::from_secs(60))).await
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, state: &str, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
    assert_eq!(result.details()["state"], state, "{message}");
}

fn canaries(server: &Postgres) -> String {
    server.psql("SELECT coalesce(to_regclass('clockwork_canary')::text, 'none')")
}

/// Waits until psql says so.
async fn wait_for(server: &Postgres, sql: &str, expected: &str) {
    for _ in 0..600 {
        if server.psql(sql) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sql} did not become {expected}, but is {}", server.psql(sql));
}

#[tokio::test]
async fn a_replica_that_follows_is_seen_to_and_nothing_is_left_behind() {
    let primary = Postgres::start();
    let replica = primary.replica(&[]);
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    let named = |name: &str, server: &Postgres| {
        ContainerResource::new(name).image("x").connection(server.connection())
    };
    let (one, other) = (named("db", &primary), named("copy", &replica));
    for method in METHODS {
        let assertion = ReplicationAssert::new(&one, &other).max_lag(Duration::from_secs(20)).method(method);
        let project = Project::new("test").with(one.clone()).with(other.clone());
        let project = project.assert(assertion.clone().timeout(Duration::from_secs(60)));
        let result = run(project).await.remove(0);
        says(&result, Outcome::Passed, "following", "after");
        assert_eq!(result.related.iter().map(|name| &**name).collect::<Vec<_>>(), ["db", "copy"]);
        let details = result.details();
        assert_eq!(details["receiver"]["status"], "streaming", "{details}");
        assert_eq!(details["timeline"], 1, "{details}");
        // The witness compares the positions itself.
        let position = details["replica_position"].as_str().unwrap();
        let behind = primary.psql(&format!("SELECT '{position}'::pg_lsn <= pg_current_wal_lsn()"));
        assert_eq!(behind, "t", "{details}");
        told(
            &check(follows(&primary, &replica, method).not().timeout(Duration::from_secs(60))).await,
            Outcome::Failed,
        );
    }
    assert_eq!(canaries(&primary), "none");
    // A cascade.
    let further = replica.replica(&[]);
    wait_for(&replica, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    for method in METHODS {
        says(&look(follows(&primary, &further, method)).await, Outcome::Passed, "following", "after");
        let result = look(follows(&replica, &further, method)).await;
        says(&result, Outcome::Failed, "no_primary", "is no primary: it is a replica itself");
        told(&check(follows(&replica, &further, method).not()).await, Outcome::Errored);
    }
    // With few rights: a table that was made by hand stays, and holds nothing.
    let as_admin = |server: &Postgres| DatabaseRef::at(server.as_user("admin"));
    let limited =
        || ReplicationAssert::new(as_admin(&primary), as_admin(&replica)).max_lag(Duration::from_secs(20));
    says(&look(limited()).await, Outcome::Passed, "following", "after");
    let result = look(limited().method(ReplicationMethod::Canary)).await;
    let message = told(&result, Outcome::Errored);
    assert!(
        message.contains("the user may not do this") && message.contains("CREATE TABLE \"clockwork_canary\""),
        "{message}"
    );
    primary.psql(
        "CREATE TABLE app.pulse (id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); \
         GRANT USAGE ON SCHEMA app TO admin; GRANT SELECT, INSERT, DELETE ON app.pulse TO admin",
    );
    let result = look(limited().method(ReplicationMethod::Canary).table("app.pulse")).await;
    says(&result, Outcome::Passed, "following", "the row was there after");
    assert_eq!(result.details()["cleanup"]["table"], "kept");
    assert_eq!(primary.psql("SELECT count(*) FROM app.pulse"), "0");
}

#[tokio::test]
async fn a_replica_that_stopped_is_caught_though_nothing_is_written() {
    let primary = Postgres::start();
    let replica = primary.replica(&["wal_retrieve_retry_interval=100ms"]);
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    replica.psql("SELECT pg_wal_replay_pause()");
    wait_for(&replica, "SELECT pg_get_wal_replay_pause_state()", "paused").await;
    for method in METHODS {
        let result = look(follows(&primary, &replica, method).max_lag(Duration::from_secs(2))).await;
        says(&result, Outcome::Failed, "stopped", "replaying is paused there");
        told(
            &check(follows(&primary, &replica, method).max_lag(Duration::from_secs(2)).not()).await,
            Outcome::Passed,
        );
    }
    assert_eq!(canaries(&primary), "none");
    replica.psql("SELECT pg_wal_replay_resume()");
    // Nobody feeds it any more, and the primary is idle: it has everything that there is.
    let socket = primary.directory.to_str().unwrap();
    replica.psql(&format!("ALTER SYSTEM SET primary_conninfo = 'host={socket} port=1 user=postgres'"));
    replica.psql("SELECT pg_reload_conf()");
    wait_for(&replica, "SELECT count(*) FROM pg_stat_wal_receiver", "0").await;
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication", "0").await;
    for method in METHODS {
        let result = look(follows(&primary, &replica, method).max_lag(Duration::from_secs(2))).await;
        says(&result, Outcome::Failed, "stopped", "no process receives the log there");
    }
    let none = || DatabaseRef::at(Connection { port: Some(1), ..primary.connection() });
    let gone = ReplicationAssert::new(none(), DatabaseRef::at(replica.connection()));
    let message = told(&look(gone.clone()).await, Outcome::Failed).to_owned();
    assert!(message.starts_with("the primary: cannot connect to"), "{message}");
    told(&check(gone.not()).await, Outcome::Errored);
    let other = ReplicationAssert::new(DatabaseRef::at(Connection::new(DatabaseEngine::Mariadb)), none());
    let message = told(&look(other).await, Outcome::Errored).to_owned();
    assert!(message.contains("replication of MariaDB cannot be looked at"), "{message}");
}

#[tokio::test]
async fn a_replica_that_lags_is_told_from_one_that_there_was_no_time_for() {
    let primary = Postgres::start();
    let replica = primary.replica(&["recovery_min_apply_delay=1h"]);
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    primary.psql("CREATE TABLE late AS SELECT generate_series(1, 1000)");
    for method in METHODS {
        let result = look(follows(&primary, &replica, method).max_lag(Duration::from_secs(2))).await;
        says(&result, Outcome::Failed, "lagging", "behind");
        assert!(result.message.contains("bytes of log are still to be replayed"), "{}", result.message);
        // The witness: it has received what it has not replayed.
        assert_eq!(replica.psql("SELECT pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn()"), "t");
        let hurried = follows(&primary, &replica, method).max_lag(Duration::from_secs(300));
        let result = check(hurried.timeout(Duration::from_secs(4))).await;
        let message = told(&result, Outcome::Errored);
        assert!(message.contains("has no time to wait for 5m"), "{message}");
    }
    assert_eq!(canaries(&primary), "none");
}

#[tokio::test]
async fn who_is_no_replica_of_that_primary_is_told() {
    let primary = Postgres::start();
    let replica = primary.replica(&[]);
    // A copy of the same cluster (the tests' servers are all that), with a replica of its own.
    let copy = Postgres::start();
    let of_copy = copy.replica(&[]);
    for server in [&primary, &copy] {
        wait_for(server, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    }
    let foreign = Postgres::of_another_cluster();
    for method in METHODS {
        // By another way, as what is equal is refused before anything runs.
        let twice = ReplicationAssert::new(
            DatabaseRef::at(primary.connection()),
            DatabaseRef::at(primary.as_user("postgres")),
        );
        let result = look(twice.method(method)).await;
        says(&result, Outcome::Failed, "same_server", "are one and the same server");
        says(
            &look(follows(&primary, &copy, method)).await,
            Outcome::Failed,
            "diverged",
            "takes writes itself, on timeline 1",
        );
        says(
            &look(follows(&primary, &foreign, method)).await,
            Outcome::Failed,
            "foreign",
            "it is of another cluster",
        );
    }
    // Only a row can tell that this one follows a copy.
    let canary = follows(&primary, &of_copy, ReplicationMethod::Canary).max_lag(Duration::from_secs(2));
    let result = look(canary.clone()).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
    told(&check(canary.not().timeout(Duration::from_secs(60))).await, Outcome::Passed);
    copy.psql("CREATE TABLE more AS SELECT generate_series(1, 10000)");
    wait_for(&copy, "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()", "1")
        .await;
    let result = look(follows(&primary, &of_copy, ReplicationMethod::Position)).await;
    says(&result, Outcome::Failed, "diverged", "bytes of log that");
    // One that was promoted, and what follows it.
    let further = replica.replica(&[]);
    wait_for(&replica, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    replica.psql("SELECT pg_promote()");
    wait_for(&further, "SELECT received_tli FROM pg_stat_wal_receiver", "2").await;
    for method in METHODS {
        let result = look(follows(&primary, &replica, method).max_lag(Duration::from_secs(2))).await;
        says(&result, Outcome::Failed, "diverged", "takes writes itself, on timeline 2");
        let result = look(follows(&primary, &further, method).max_lag(Duration::from_secs(2))).await;
        says(&result, Outcome::Failed, "diverged", "follows timeline 2, and");
    }
    for server in [&primary, &copy, &replica] {
        assert_eq!(canaries(server), "none");
    }
}

/// Ctrl-C while the row is waited for.
#[tokio::test]
async fn a_canary_is_taken_away_when_the_run_is_interrupted() {
    let primary = Postgres::start();
    let replica = primary.replica(&["recovery_min_apply_delay=1h"]);
    wait_for(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1").await;
    let slow = follows(&primary, &replica, ReplicationMethod::Canary).max_lag(Duration::from_secs(50));
    let project = Project::new("test").assert(slow.timeout(Duration::from_secs(60)));
    let stop = Stop::default();
    let mut options = RunOptions::default();
    options.stop = stop.clone();
    let mut events = Engine::standard().run(Arc::new(Graph::new(&project).unwrap()), options).unwrap();
    let run = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Finished(report) = event {
                return report;
            }
        }
        unreachable!("a run ends with its report")
    });
    wait_for(&primary, "SELECT coalesce(to_regclass('clockwork_canary')::text, 'none')", "clockwork_canary")
        .await;
    stop.stop();
    let report = run.await.unwrap();
    let result = &report.results[0];
    assert_eq!(told(result, Outcome::Skipped), "the run was interrupted; its cleanup ran");
    assert_eq!(result.details()["cleanup"]["row"], "deleted", "{result:?}");
    assert_eq!(canaries(&primary), "none");
}
