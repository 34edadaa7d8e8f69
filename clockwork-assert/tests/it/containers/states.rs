//! Every state that a container can be brought into.

use clockwork_assert::{ContainerHealthyAssert, ContainerRunningAssert};
use clockwork_core::{Vantage, prelude::*};
use clockwork_drivers::container::{ContainerResource, Restart, Runtime};

use super::{BUSYBOX, Container, docker, engine, result, results};

/// Running and healthy, as Clockwork has them.
async fn judged(container: &Container) -> [(Outcome, String); 2] {
    let resource =
        container.resource().assert(ContainerRunningAssert::new()).assert(ContainerHealthyAssert::new());
    let results = results(resource).await;
    [0, 1].map(|n| (results[n].verdict, results[n].message.clone()))
}

/// Neither running nor healthy, and both say the same.
async fn in_trouble(container: &Container, told: &[&str]) {
    for (outcome, message) in judged(container).await {
        assert_eq!(outcome, Outcome::Failed, "{message}");
        for told in told {
            assert!(message.contains(told), "{told:?} is not in {message:?}");
        }
    }
}

#[tokio::test]
async fn running_without_a_health_check_runs_and_cannot_be_called_healthy() {
    if !engine() {
        return;
    }
    let container = Container::run("plain", &[], "sleep 600");
    let [running, healthy] = judged(&container).await;
    assert_eq!(running.0, Outcome::Passed, "{}", running.1);
    assert_eq!(healthy.0, Outcome::Failed);
    assert!(healthy.1.starts_with("has no health check"), "{}", healthy.1);
    let not = result(container.resource().assert(ContainerHealthyAssert::new().not())).await;
    assert_eq!(not.verdict, Outcome::Errored, "nothing said that it is unhealthy: {}", not.message);
    let hopeless = ContainerHealthyAssert::new().within(Duration::from_secs(30));
    assert_eq!(result(container.resource().assert(hopeless)).await.attempts, 1);
}

#[tokio::test]
async fn created_is_not_running() {
    if !engine() {
        return;
    }
    let container = Container::make(&["create"], "created", &[], "sleep 600");
    in_trouble(&container, &["was created and never started", &format!("docker start {}", container.0)])
        .await;
}

#[tokio::test]
async fn exited_says_its_code_and_its_last_words_and_is_not_waited_for() {
    if !engine() {
        return;
    }
    let container = Container::run("exited", &[], "echo one; echo last words >&2; exit 3");
    container.wait_until("{{.State.Status}}", "exited");
    in_trouble(&container, &["exited with code 3, ", " ago", "restart policy `no`", "\n  \"last words\""])
        .await;
    let within = ContainerRunningAssert::new().within(Duration::from_secs(30));
    let waited = result(container.resource().assert(within)).await;
    assert_eq!((waited.attempts, waited.actual.as_deref()), (1, Some("exited (3)")));
    assert_eq!(waited.details()["exit_code"], 3);
    let not = result(container.resource().assert(ContainerRunningAssert::new().not())).await;
    assert_eq!(not.verdict, Outcome::Passed);
}

#[tokio::test]
async fn paused_is_not_running() {
    if !engine() {
        return;
    }
    let container = Container::run("paused", &[], "sleep 600");
    docker(&["pause", &container.0]);
    in_trouble(&container, &["is paused", "docker unpause"]).await;
    docker(&["unpause", &container.0]);
    assert_eq!(judged(&container).await[0].0, Outcome::Passed);
}

#[tokio::test]
async fn a_crash_loop_is_not_running() {
    if !engine() {
        return;
    }
    let container = Container::run("loop", &["--restart", "always"], "echo crashing; exit 7");
    container.wait_until("{{ge .RestartCount 4}}", "true");
    container.wait_until("{{.State.Status}}", "restarting");
    in_trouble(&container, &["keeps restarting", "exited with code 7", "\"crashing\""]).await;
}

#[tokio::test]
async fn out_of_memory_is_said() {
    if !engine() {
        return;
    }
    let options = ["--memory", "16m", "--memory-swap", "16m"];
    let container = Container::run("oom", &options, "x=aaaaaaaa; while :; do x=$x$x; done");
    container.wait_until("{{.State.Status}}", "exited");
    assert_eq!(container.inspect("{{.State.OOMKilled}}"), "true");
    in_trouble(&container, &["was killed for want of memory (limit 16 MiB), exit code 137"]).await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    if !engine() {
        return;
    }
    let container = Container::make(&["create", "--entrypoint", "/nope"], "unstartable", &[], "");
    super::run(&["start", &container.0]);
    in_trouble(&container, &["the engine says", "/nope"]).await;
}

#[tokio::test]
async fn health_is_starting_then_healthy_then_unhealthy() {
    if !engine() {
        return;
    }
    let options = ["--health-cmd", "cat /tmp/healthy", "--health-interval", "1s", "--health-retries", "2"];
    let container = Container::run("health", &options, "sleep 600");
    let [running, starting] = judged(&container).await;
    assert_eq!((running.0, starting.0), (Outcome::Passed, Outcome::Failed));
    assert!(starting.1.starts_with("is still starting"), "{}", starting.1);

    container.wait_until("{{.State.Health.Status}}", "unhealthy");
    let [running, unhealthy] = judged(&container).await;
    assert_eq!((running.0, unhealthy.0), (Outcome::Passed, Outcome::Failed));
    let told = "exited with code 1 and wrote \"cat: can't open '/tmp/healthy': No such file or directory\"";
    assert!(
        unhealthy.1.starts_with("is unhealthy: its last ") && unhealthy.1.contains(told),
        "{}",
        unhealthy.1
    );

    docker(&["exec", &container.0, "touch", "/tmp/healthy"]);
    let patient = ContainerHealthyAssert::new().within(Duration::from_secs(20));
    let healthy = result(container.resource().assert(patient)).await;
    assert_eq!(healthy.verdict, Outcome::Passed, "{}", healthy.message);
    assert!(healthy.attempts > 1);
}

#[tokio::test]
async fn a_missing_one_is_missing_and_names_are_never_completed() {
    if !engine() {
        return;
    }
    let container = Container::run("name", &[], "sleep 600");
    let id = container.inspect("{{.Id}}");
    for (name, found) in [
        (container.0.as_str(), true),
        (&id, true),
        (&id[..12], true),
        (&id[..11], false),
        (&container.0[..container.0.len() - 1], false),
        (&container.0[1..], false),
    ] {
        let running = ContainerRunningAssert::new().container(name);
        let seen = result(ContainerResource::new("other").assert(running)).await;
        assert_eq!(seen.verdict == Outcome::Passed, found, "{name}: {}", seen.message);
        if !found {
            assert!(
                seen.message.starts_with(&format!("there is no container {name} in Docker at ")),
                "{}",
                seen.message
            );
        }
    }
    for kind in [ContainerRunningAssert::new().not(), ContainerHealthyAssert::new().not()] {
        assert_eq!(result(ContainerResource::new("cw-nobody").assert(kind)).await.verdict, Outcome::Passed);
    }
}

#[tokio::test]
async fn a_container_may_be_named_by_its_resource() {
    if !engine() {
        return;
    }
    let container = Container::run("named", &[], "sleep 600");
    let database = ContainerResource::new("database").container_name(&container.0).runtime(Runtime::Docker);
    let running = ContainerRunningAssert::new().container("database");
    let project = Project::new("test").with(database).assert(running);
    let report = Engine::standard().assert(&project).await.expect("a valid project");
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn what_is_observed_has_drifted_only_where_it_differs() {
    if !engine() {
        return;
    }
    let options = [
        "--env",
        "MODE=test",
        "--memory",
        "64m",
        "--cpus",
        "0.5",
        "--restart",
        "on-failure:2",
        "--label",
        "team=shop",
        "--volume",
        "/tmp:/host-tmp:ro",
        "--publish",
        "127.0.0.1:0:80",
        "--user",
        "0",
    ];
    let container = Container::run("drift", &options, "sleep 600");
    let declared = container
        .resource()
        .image(BUSYBOX)
        .command(["sh", "-c", "sleep 600"])
        .env("MODE", "test")
        .memory("64MiB".parse().expect("a size"))
        .cpus(0.5)
        .restart(Restart::OnFailure(2))
        .label("team", "shop")
        .volumes(["/tmp:/host-tmp:ro"])
        .user("0");
    let drift = |name: String| {
        assertion("drift", move |cx: Context| {
            let name = name.clone();
            async move {
                let seen = cx.observe_resource(&name).await?;
                let resource = cx.resource().expect("a resource");
                let driver = resource.driver().expect("a driver");
                let changes = driver.plan(resource, seen.as_ref().as_deref())?;
                Ok((changes.is_empty(), format!("{changes:?}"))) as Result<_, CheckError>
            }
        })
    };
    let same = declared.clone().container_name(&container.0).assert(drift(container.0.clone()));
    let seen = result(same).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    let other = declared.env("MODE", "prod").memory("32MiB".parse().expect("a size"));
    let seen = result(other.assert(drift(container.0.clone()))).await;
    assert!(seen.message.contains("env_vars.MODE") && seen.message.contains("memory"), "{}", seen.message);
    assert!(!seen.message.contains("image"), "{}", seen.message);
}

#[tokio::test]
async fn the_vantage_is_the_containers_first_process() {
    if !engine() {
        return;
    }
    let container = Container::run("vantage", &[], "sleep 600");
    let pid: u32 = container.inspect("{{.State.Pid}}").parse().expect("a number");
    let looks = assertion("first process", move |cx: Context| async move {
        let seen = clockwork_drivers::vantage::process(&cx).await?;
        Ok((seen == Some(pid), format!("{seen:?} at {:?}", cx.vantage()))) as Result<_, CheckError>
    });
    let resource = container.resource();
    let at = looks.clone().at(&resource);
    let seen = result(resource.clone().assert(at.clone())).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    docker(&["stop", "--time", "0", &container.0]);
    let seen = result(resource.assert(at)).await;
    assert!(seen.message.contains("its container is exited"), "{}", seen.message);
    assert_eq!(Vantage::Host.as_str(), "host");
}
