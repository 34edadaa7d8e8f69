//! Logs as containers really write them.

use clockwork_assert::LogContainsAssert;
use clockwork_core::prelude::*;

use super::{Container, docker, engine, result};

async fn found(container: &Container, asserted: LogContainsAssert) -> bool {
    let seen = result(container.resource().assert(asserted)).await;
    assert!(matches!(seen.verdict, Outcome::Passed | Outcome::Failed), "{}", seen.message);
    seen.verdict == Outcome::Passed
}

#[tokio::test]
async fn both_streams_a_terminal_and_broken_text_are_read_alike() {
    if !engine() {
        return;
    }
    let script = r"echo ready on stdout; echo oops on stderr >&2; printf 'caf\377 last'; sleep 0.2; printf '\n\001\000\000\000\n'; echo end";
    for options in [&[][..], &["--tty"]] {
        let container = Container::run("log", options, script);
        container.wait_until("{{.State.Status}}", "exited");
        for (pattern, there) in [
            ("^ready on stdout$", true),
            ("^oops on stderr$", true),
            ("^caf\u{fffd} last$", true),
            ("^end$", true),
            ("missing", false),
            (r"stderr\ncaf", options.contains(&"--tty")), // stdout and stderr may overtake each other otherwise
        ] {
            if pattern.contains("\\n") && !there {
                continue;
            }
            assert_eq!(
                found(&container, LogContainsAssert::new(pattern)).await,
                there,
                "{pattern} {options:?}"
            );
            let absent = LogContainsAssert::new(pattern).absent();
            assert_eq!(found(&container, absent).await, !there, "{pattern} {options:?}");
        }
    }
}

#[tokio::test]
async fn only_the_lines_that_were_asked_for_count_however_long_they_are() {
    if !engine() {
        return;
    }
    // Longer than what an engine keeps in one piece, so that it counts each of these lines as several.
    let script =
        "for n in 1 2 3 4 5; do printf \"line-$n \"; head -c 50000 /dev/zero | tr '\\0' x; echo; done";
    let container = Container::run("long", &[], script);
    container.wait_until("{{.State.Status}}", "exited");
    for (lines, pattern, there) in [
        (5, "^line-1 x", true),
        (4, "^line-1 ", false),
        (4, "^line-2 x+$", true),
        (1, "^line-5 x{100}", true),
        (1, "line-4", false),
        (100, "^line-1 x+$", true),
    ] {
        let asserted = LogContainsAssert::new(pattern).lines(lines);
        assert_eq!(found(&container, asserted).await, there, "{pattern} in {lines} lines");
    }
}

#[tokio::test]
async fn since_looks_no_further_back() {
    if !engine() {
        return;
    }
    let container = Container::run("since", &[], "echo old; sleep 3; echo new; sleep 600");
    while !docker(&["logs", &container.0]).contains("new") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let since = |pattern: &str, secs| LogContainsAssert::new(pattern).since(Duration::from_secs(secs));
    assert!(!found(&container, since("old", 2)).await);
    assert!(found(&container, since("new", 2)).await);
    assert!(found(&container, since("old", 600)).await);
}

#[tokio::test]
async fn a_huge_log_is_read_in_bounded_memory() {
    if !engine() {
        return;
    }
    let container = Container::run(
        "huge",
        &[],
        "yes $(head -c 8000 /dev/zero | tr '\\0' x) | head -c 100000000; echo; echo end",
    );
    container.wait_until("{{.State.Status}}", "exited");
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    };
    let before = resident();
    assert!(found(&container, LogContainsAssert::new("^end$")).await);
    let all = LogContainsAssert::new("missing").lines(1_000_000).timeout(Duration::from_secs(60));
    let seen = result(container.resource().assert(all)).await;
    assert_eq!(seen.verdict, Outcome::Errored, "{}", seen.message);
    assert!(seen.message.contains("do not fit into memory"), "{}", seen.message);
    let grown = resident().saturating_sub(before);
    assert!(grown < 100, "{grown} MiB for a log of 100 MB");
}

#[tokio::test]
async fn a_container_that_is_not_there_has_no_log_to_be_judged() {
    if !engine() {
        return;
    }
    let nobody = clockwork_drivers::ContainerResource::new("cw-nobody");
    let absent = result(nobody.clone().assert(LogContainsAssert::new("x").absent())).await;
    assert_eq!(absent.verdict, Outcome::Failed, "{}", absent.message);
    let not = result(nobody.assert(LogContainsAssert::new("x").not())).await;
    assert_eq!(not.verdict, Outcome::Errored, "{}", not.message);
}
