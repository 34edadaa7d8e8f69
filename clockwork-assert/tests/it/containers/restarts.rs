//! `ContainerRestartsAssert`, with `docker inspect` as the witness.

use std::time::Duration;

use clockwork_assert::ContainerRestartsAssert;
use clockwork_core::{AssertionExt, Outcome, ResourceExt};

use super::{Container, engine, result};

#[tokio::test]
async fn restarts_are_those_that_the_engine_counts() {
    if !engine() {
        return;
    }
    let calm = Container::run("calm", &[], "exec sleep 70.5");
    let found = result(calm.resource().assert(ContainerRestartsAssert::new())).await;
    assert_eq!((found.verdict, &*found.message), (Outcome::Passed, "was never started again"));
    // It crashes twice, and then runs.
    let script = "echo x >> /count; [ $(wc -l < /count) -gt 2 ] && exec sleep 70.5; exit 3";
    let container = Container::run("twice", &["--restart", "always"], script);
    container.wait_until("{{.RestartCount}} {{.State.Status}}", "2 running");
    let hour = Duration::from_secs(3600);
    for (assertion, outcome, told) in [
        (ContainerRestartsAssert::new(), Outcome::Failed, "was started again 2 times"),
        (ContainerRestartsAssert::new().max(1), Outcome::Failed, "was started again 2 times"),
        (ContainerRestartsAssert::new().max(2), Outcome::Passed, "was started again 2 times"),
        (ContainerRestartsAssert::new().max(2).within(hour), Outcome::Passed, "was started again 2 times"),
        (
            ContainerRestartsAssert::new().within(hour),
            Outcome::Failed,
            "was started again at least once within the last 1h, 2 times in all",
        ),
    ] {
        let found = result(container.resource().assert(assertion)).await;
        assert_eq!((found.verdict, &*found.message), (outcome, told));
    }
    // The engine remembers three starts of the last hour, two of them again; if others kept it busy, it may have forgotten.
    let found = result(container.resource().assert(ContainerRestartsAssert::new().max(1).within(hour))).await;
    match found.verdict {
        Outcome::Failed => {
            assert_eq!(found.message, "was started again 2 times within the last 1h, 2 times in all")
        }
        verdict => {
            assert_eq!(verdict, Outcome::Errored);
            assert!(
                found.message.starts_with("cannot tell how often it was started again"),
                "{}",
                found.message
            );
        }
    }
    std::thread::sleep(Duration::from_millis(1200));
    let lately = ContainerRestartsAssert::new().within(Duration::from_secs(1));
    let found = result(container.resource().assert(lately)).await;
    let told = "was started again 2 times in all, and not within the last 1 s";
    assert_eq!((found.verdict, &*found.message), (Outcome::Passed, told));
}

#[tokio::test]
async fn a_crash_loop_and_want_of_memory_are_told() {
    if !engine() {
        return;
    }
    let container = Container::run("crashes", &["--restart", "always"], "exit 7");
    container.wait_until("{{ge .RestartCount 5}}", "true");
    container.wait_until("{{.State.Status}}", "restarting");
    let found = result(container.resource().assert(ContainerRestartsAssert::new().max(2))).await;
    assert_eq!(found.verdict, Outcome::Failed);
    assert!(found.message.contains("was started again "), "{}", found.message);
    let options = ["--memory", "16m", "--memory-swap", "16m"];
    let container = Container::run("killed", &options, "x=aaaaaaaa; while :; do x=$x$x; done");
    container.wait_until("{{.State.Status}} {{.State.OOMKilled}}", "exited true");
    let found = result(container.resource().assert(ContainerRestartsAssert::new().max(9))).await;
    let told = "the kernel ended a process of it for want of memory (limit 16 MiB); it is exited, its last exit code was 137";
    assert_eq!((found.verdict, &*found.message), (Outcome::Failed, told));
    let gone = || clockwork_drivers::ContainerResource::new("cw-nobody-is-called-so");
    assert_eq!(result(gone().assert(ContainerRestartsAssert::new())).await.verdict, Outcome::Failed);
    assert_eq!(result(gone().assert(ContainerRestartsAssert::new().not())).await.verdict, Outcome::Errored);
}
