//! Memory and processor time, compared with `docker stats`, `ps`, `free` and the control groups' own files.

use std::process::Command;

use clockwork_assert::{CpuUsageAssert, MemoryUsageAssert};
use clockwork_core::prelude::*;
use clockwork_drivers::container::{ContainerRef, ContainerResource, ContainerStats, EngineRef};

use super::{Container, docker, engine, result};

/// `512.3MiB` as docker prints it, in bytes.
fn bytes(text: &str) -> f64 {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.trim().strip_suffix(name)?, unit))).expect("a unit");
    number.parse::<f64>().expect("a number") * *unit as f64
}

fn near(ours: f64, theirs: f64, part: f64) -> bool {
    (ours - theirs).abs() <= theirs * part
}

/// (`true`, because a shell becomes its last command, and forgets what it holds.)
const HOLDS_50_MB: &str = "x=$(head -c 50000000 /dev/zero | tr '\\0' x); echo held; sleep 600; true";

fn wait_for_log(container: &Container, text: &str) {
    while !docker(&["logs", &container.0]).contains(text) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn a_containers_memory_is_what_docker_stats_shows() {
    if !engine() {
        return;
    }
    let container = Container::run("memory", &["--memory", "256m"], HOLDS_50_MB);
    wait_for_log(&container, "held");
    let seen = result(container.resource().assert(MemoryUsageAssert::max_percent(90))).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    let stats = docker(&["stats", "--no-stream", "--format", "{{.MemUsage}}", &container.0]);
    let (used, limit) = stats.split_once(" / ").expect("usage / limit");
    let number = |key: &str| seen.details()[key].as_f64().expect("a number");
    assert!(near(number("used_bytes"), bytes(used), 0.1), "{seen:?} against {stats}");
    assert_eq!(number("limit_bytes"), bytes(limit));
    assert_eq!(number("limit_bytes").to_string(), container.inspect("{{.HostConfig.Memory}}"));
    let small = result(container.resource().assert(MemoryUsageAssert::max_mb(40))).await;
    assert_eq!(small.verdict, Outcome::Failed, "{}", small.message);
}

#[tokio::test]
async fn page_cache_is_not_counted() {
    if !engine() {
        return;
    }
    let script = "dd if=/dev/zero of=/tmp/file bs=1M count=100 2>/dev/null; echo cached; sleep 600";
    let container = Container::run("cache", &[], script);
    wait_for_log(&container, "cached");
    let seen = result(container.resource().assert(MemoryUsageAssert::max_mb(30))).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    // The control group's own file counts it.
    let id = container.inspect("{{.Id}}");
    let raw = [
        "/sys/fs/cgroup/memory/docker/{}/memory.usage_in_bytes",
        "/sys/fs/cgroup/docker/{}/memory.current",
        "/sys/fs/cgroup/system.slice/docker-{}.scope/memory.current",
    ];
    let raw = raw
        .iter()
        .find_map(|path| std::fs::read_to_string(path.replace("{}", &id)).ok())
        .expect("a control group");
    assert!(raw.trim().parse::<u64>().expect("a number") > 90_000_000, "{raw}");
}

#[tokio::test]
async fn processor_time_is_of_one_core_and_what_docker_stats_shows() {
    if !engine() {
        return;
    }
    let half = Container::run("half", &["--cpus", "0.3"], "while :; do :; done");
    let idle = Container::run("idle", &[], "sleep 600");
    let measured = |container: &Container| {
        container.resource().assert(CpuUsageAssert::max_percent(5).over(Duration::from_secs(2)))
    };
    let (busy, calm) = tokio::join!(result(measured(&half)), result(measured(&idle)));
    assert_eq!(calm.verdict, Outcome::Passed, "{}", calm.message);
    assert_eq!(busy.verdict, Outcome::Failed, "{}", busy.message);
    let ours = busy.details()["percent"].as_f64().expect("a number");
    let stats = docker(&["stats", "--no-stream", "--format", "{{.CPUPerc}}", &half.0]);
    let theirs: f64 = stats.trim_end_matches('%').parse().expect("a number");
    assert!((ours - theirs).abs() < 20.0 && ours < 40.0, "{ours} against {theirs}");
}

#[tokio::test]
async fn the_engines_word_agrees_with_the_control_group() {
    if !engine() {
        return;
    }
    let container = Container::run("stats", &["--memory", "128m"], HOLDS_50_MB);
    wait_for_log(&container, "held");
    let name = container.0.clone();
    let asks = assertion("asks the engine", move |cx: Context| {
        let name = name.clone();
        async move {
            let stats = cx
                .observe(ContainerStats(ContainerRef { engine: EngineRef::default(), name: name.clone() }))
                .await?;
            let told = format!("{} {:?} {}", stats.memory, stats.memory_limit, stats.cpu_nanos);
            Ok((false, told)) as Result<_, CheckError>
        }
    });
    let told = result(container.resource().assert(asks)).await.message.clone();
    let own = result(container.resource().assert(MemoryUsageAssert::max_mb(1))).await;
    let (memory, rest) = told.split_once(' ').expect("two parts");
    assert!(
        near(own.details()["used_bytes"].as_f64().expect("a number"), memory.parse().expect("a number"), 0.1),
        "{told}"
    );
    assert!(rest.starts_with("Some(134217728) ") && !rest.ends_with(" 0"), "{told}");
}

#[tokio::test]
async fn what_does_not_run_uses_nothing_that_could_be_judged() {
    if !engine() {
        return;
    }
    let container = Container::run("ended", &[], "true");
    container.wait_until("{{.State.Status}}", "exited");
    let memory = MemoryUsageAssert::max_mb(1);
    let seen = result(container.resource().assert(memory.clone())).await;
    assert_eq!(seen.verdict, Outcome::Failed, "{}", seen.message);
    assert!(seen.message.ends_with("uses nothing: it is exited"), "{}", seen.message);
    let not = result(container.resource().assert(memory.not())).await;
    assert_eq!(not.verdict, Outcome::Errored, "{}", not.message);
    let nobody = ContainerResource::new("cw-nobody").assert(CpuUsageAssert::max_percent(1));
    assert_eq!(result(nobody).await.verdict, Outcome::Failed);
}

/// A process that ends whatever happens.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of this shell under a name that no other process has.
fn start(name: &str, script: &str) -> (tempfile::TempDir, Process) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join(name);
    std::fs::copy("/bin/sh", &program).expect("a copy");
    let child = Command::new(&program).args(["-c", script]).spawn().expect("it starts");
    (folder, Process(child))
}

#[tokio::test]
async fn a_process_is_what_ps_shows() {
    let name = format!("cwm{}", std::process::id());
    let (_folder, process) = start(&name, "while :; do sleep 1; done");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let blank = || BlankResource::new("machine");
    let seen = result(blank().assert(MemoryUsageAssert::max_mb(10_000).process(&name))).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    let ps = Command::new("ps").args(["-C", &name, "-o", "rss="]).output().expect("ps is there");
    let ps = String::from_utf8_lossy(&ps.stdout)
        .split_whitespace()
        .map(|kb| kb.parse::<f64>().expect("kB") * 1024.0)
        .sum();
    assert!(near(seen.details()["used_bytes"].as_f64().expect("a number"), ps, 0.2), "{seen:?} against {ps}");
    drop(process);

    let name = format!("cwc{}", std::process::id());
    let (_folder, process) = start(&name, "while :; do :; done");
    let busy = result(blank().assert(CpuUsageAssert::max_percent(5).process(&name))).await;
    assert_eq!(busy.verdict, Outcome::Failed, "{}", busy.message);
    assert!(busy.details()["percent"].as_f64().expect("a number") < 115.0, "{}", busy.message);
    drop(process);
    let gone = result(blank().assert(CpuUsageAssert::max_percent(5).process(&name))).await;
    assert_eq!(gone.verdict, Outcome::Failed);
    assert!(gone.message.contains("no process named"), "{}", gone.message);
}

#[tokio::test]
async fn the_host_is_what_free_shows() {
    let seen = result(BlankResource::new("machine").assert(MemoryUsageAssert::max_percent(100))).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
    let free = Command::new("free").arg("-b").output().expect("free is there");
    let free = String::from_utf8_lossy(&free.stdout).into_owned();
    let line: Vec<f64> = free
        .lines()
        .nth(1)
        .expect("a line")
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    let (total, available) = (line[0], line[5]);
    let number = |key: &str| seen.details()[key].as_f64().expect("a number");
    assert_eq!(number("limit_bytes"), total);
    assert!((number("used_bytes") - (total - available)).abs() < total * 0.03, "{seen:?} against {free}");
    let cores = std::thread::available_parallelism().expect("cores").get() as f64;
    let cpu = CpuUsageAssert::max_percent(cores * 100.0).over(Duration::from_millis(300));
    let cpu = result(BlankResource::new("machine").assert(cpu)).await;
    assert_eq!(cpu.verdict, Outcome::Passed, "{}", cpu.message);
}

#[tokio::test]
async fn measuring_longer_than_one_may_says_so() {
    let slow =
        CpuUsageAssert::max_percent(100).over(Duration::from_secs(10)).timeout(Duration::from_millis(300));
    let seen = result(BlankResource::new("machine").assert(slow)).await;
    assert_eq!(seen.verdict, Outcome::Errored);
    assert!(seen.message.contains("`timeout` has to be longer than `over`"), "{}", seen.message);
}
