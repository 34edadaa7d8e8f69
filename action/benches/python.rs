//! What a hundred checks in Python cost, over one start of their interpreter.
//!
//! ```text
//! cargo bench -p clockwork-action --bench python
//! ```
//!
//! The floor is `python3 -c pass`, on the same interpreter, and the checks' own work, measured in one plain process that
//! imports their file and calls the same function as often. Two kinds of checks: such that do nothing, so that all that is
//! left is what it costs to run them; and such that read a document and look through its rows, a few milliseconds each. The
//! runs take turns, and medians are compared.

#![expect(clippy::print_stdout, reason = "a program that talks to whoever runs it")]

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clockwork_assert::PythonAssert;
use clockwork_core::{Engine, Project};
use clockwork_drivers::sandbox::Sandbox;

const ROUNDS: usize = 15;
const MANY: i32 = 100;

const CHECKS: &str = r#"
import json

ROWS = json.dumps([{"id": number, "name": "row %d" % number, "price": number * 0.5} for number in range(2000)])

def nothing(number): return True

def rows(number):
    rows = json.loads(ROWS)
    assert len(rows) == 2000
    assert all(row["price"] >= 0 for row in rows), "a negative price"
    return True, "%d rows" % len({row["name"] for row in rows})
"#;

/// The same file, and the same function as often, in one process.
const PLAIN: &str = "
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
import checks
for number in range(int(sys.argv[3])): getattr(checks, sys.argv[2])(number)
print((time.perf_counter() - began) * 1000)
";

fn main() -> anyhow::Result<ExitCode> {
    let directory = std::env::temp_dir().join(format!("clockwork-python-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let measured = measure(&directory);
    fs::remove_dir_all(&directory)?;
    measured
}

fn measure(directory: &Path) -> anyhow::Result<ExitCode> {
    fs::write(directory.join("checks.py"), CHECKS)?;
    let python = said(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scenarios = [
        ("nothing", 1, Sandbox::off()),
        ("nothing", MANY, Sandbox::off()),
        ("nothing", 1, Sandbox::new()),
        ("nothing", MANY, Sandbox::new()),
        ("rows", MANY, Sandbox::off()),
        ("rows", MANY, Sandbox::new()),
    ];
    let functions = ["nothing", "rows"];
    let (mut starts, mut works) = (Vec::new(), functions.map(|_| Vec::new()));
    let mut times = scenarios.map(|scenario| (scenario, Vec::new()));
    for _ in 0..ROUNDS {
        let began = Instant::now();
        said(Command::new(&python).args(["-c", "pass"]))?;
        starts.push(began.elapsed().as_secs_f64() * 1000.0);
        let many = MANY.to_string();
        for (function, works) in functions.iter().zip(&mut works) {
            // Without a cache of what is compiled, which a file that has just been deployed does not have.
            let plain = ["-B", "-c", PLAIN, directory.to_str().context("a path")?, function, &many];
            works.push(said(Command::new(&python).args(plain))?.parse()?);
        }
        for ((function, count, sandbox), times) in &mut times {
            let check = PythonAssert::new(directory.join("checks.py"), *function).python(&python);
            let check = check.sandbox(sandbox.clone());
            let project = (0..*count).fold(Project::new("python"), |project, number| {
                project.assert(check.clone().arg("number", number))
            });
            let began = Instant::now();
            let report = runtime.block_on(Engine::standard().assert(&project))?;
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            ensure!(report.passed(), "{report}");
        }
    }
    let (start, works) = (median(starts), works.map(median));
    println!("{python}: starts in {start:.1} ms");
    for (function, work) in functions.iter().zip(works) {
        println!("their file and {MANY} times `{function}` in one process: {work:.1} ms");
    }
    let mut over = false;
    let mut one = 0.0;
    for ((function, count, sandbox), times) in times {
        let took = median(times);
        let work = if function == "rows" { works[1] } else { works[0] };
        let (floor, limit) = (start + work, 1.5 * start + work);
        let kept = if sandbox.is_off() { "without a sandbox" } else { "in a sandbox" };
        print!(
            "{count} times `{function}` {kept}: {took:.1} ms, {:.2}× the floor of {floor:.1} ms",
            took / floor
        );
        if count == 1 {
            one = took;
            println!();
            continue;
        }
        over |= took > limit;
        let each = (took - one) / f64::from(count);
        println!(
            ", {each:.3} ms each beside the first; limit {limit:.1} ms{}",
            if took > limit { ", OVER" } else { "" }
        );
    }
    Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().context("python3")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
