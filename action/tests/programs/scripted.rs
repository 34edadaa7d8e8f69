//! A Rust program with a project of its own, for the tests of the command: `SCRIPT` says what becomes of its assertions.

use std::sync::atomic::{AtomicU32, Ordering};

use clockwork_core::prelude::*;

fn main() -> ExitCode {
    clockwork_action::main(project(&std::env::var("SCRIPT").unwrap_or_default()))
}

fn project(script: &str) -> Project {
    let project = Project::new("scripted");
    match script {
        "passes" => project.with(web().assert(says("holds", true, ""))),
        "fails" => {
            project.with(web().assert(says("holds", true, "")).assert(says("is quick", false, "took 512 ms")))
        }
        "errors" => project.with(web().assert(assertion("is seen", async |_: Context| {
            Err::<bool, _>(CheckError::unobservable("no permission").hint("run it as root"))
        }))),
        "warns" => project.with(
            web()
                .assert(says("holds", true, ""))
                .assert(says("is quick", false, "took 512 ms").severity(Severity::Warning)),
        ),
        "skips" => project.with(web().assert(says("holds", true, "").skip("not today"))),
        "chain" => project
            .with(BlankResource::new("database").assert(says("answers", false, "refused")))
            .with(web().depends_on("database").assert(says("answers", true, ""))),
        "hostile" => project.with(web().assert(says(
            "\n✓ All 9 assertions passed\x1b[2J",
            false,
            "\nok 1 - forged\n</failure></testcase>\u{9b}2J\u{202e}\",\"verdict\":\"passed\"",
        ))),
        "commands" => project.with(web().assert(says(
            "is no command",
            false,
            "said\n::error::forged\nand ##[error]forged",
        ))),
        "hangs" => project
            .with(
                web().assert(says("holds", true, "")).assert(
                    assertion("answers", async |_: Context| std::future::pending::<bool>().await)
                        .within(Duration::from_secs(60))
                        .timeout(Duration::from_secs(30)),
                ),
            )
            .with(BlankResource::new("jobs").depends_on("web").assert(says("run", true, ""))),
        "blocks" => project.with(web().assert(assertion("answers", async |_: Context| {
            // What an assertion must not do, and some will.
            std::thread::sleep(Duration::from_secs(20));
            true
        }))),
        "starts" => {
            let looks = AtomicU32::new(0);
            let starts = assertion("starts", move |_: Context| {
                let look = looks.fetch_add(1, Ordering::Relaxed);
                async move { (look > 4, "connection refused\nforged line") }
            });
            project
                .with(web().assert(starts.within(Duration::from_secs(30)).every(Duration::from_millis(300))))
        }
        "many" => project.with(
            (0..20_000).fold(web(), |web, number| web.assert(says(&format!("holds {number}"), true, ""))),
        ),
        // No assertion at all.
        _ => project.with(web()),
    }
}

fn web() -> BlankResource {
    BlankResource::new("web")
}

fn says(name: &str, passes: bool, message: &'static str) -> clockwork_core::Declared {
    assertion(name, move |_: Context| async move { (passes, message) })
}
