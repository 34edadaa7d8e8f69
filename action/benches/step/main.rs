//! What the GitHub Action costs: from a step's start to its first probe, by the emulator that the tests have; and writing
//! ten thousand results in every format.
//!
//! ```text
//! cargo bench -p clockwork-action --bench step
//! CLOCKWORK=target/x86_64-unknown-linux-musl/dist/clockwork cargo bench -p clockwork-action --bench step
//! ```

#![expect(clippy::unwrap_used, reason = "a benchmark that panics has failed")]
#![expect(clippy::print_stdout, reason = "a program that talks to whoever runs it")]

#[path = "../cost/measure.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod measure;
#[path = "../../tests/runner/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod runner;

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use runner::Runner;

const ROUNDS: usize = 21;
const RESULTS: usize = 10_000;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == measure::PART) {
        measure::run_child(&arguments[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    let program =
        env::var_os("CLOCKWORK").map_or_else(|| env!("CARGO_BIN_EXE_clockwork").into(), PathBuf::from);
    let program = program.canonicalize()?;
    let size = fs::metadata(&program)?.len() as f64 / f64::from(1 << 20);
    println!("{}, {size:.1} MiB", program.display());
    let started = to_first_probe(&program);
    let (wall, peak) = formats(&program)?;
    let over = [
        row(
            "from the step's start to the first probe, the command being in the tool cache",
            started,
            "ms",
            150.0,
        ),
        row("writing all formats for 10,000 results", wall, "ms", 300.0),
        row("the whole process's peak, with all formats", peak, "MiB", 100.0),
    ];
    Ok(if over.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says what was measured; whether it is over its limit.
fn row(what: &str, value: f64, unit: &str, limit: f64) -> bool {
    let over = value > limit;
    println!("{what}: {value:.1} {unit}, limit {limit} {unit}{}", if over { ", OVER" } else { "" });
    over
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// In milliseconds.
fn to_first_probe(program: &Path) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, probed) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            sender.send(Instant::now()).unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let mut runner = Runner::new();
    let manifest = format!(
        "project: cost\nassertions:\n  - HttpStatusAssert: {{ url: \"http://127.0.0.1:{port}/\", expected_status: 200 }}\n"
    );
    fs::write(runner.workspace().join("clockwork.yaml"), manifest).unwrap();
    let action = cached(&runner, program);
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        let running = runner.start(&action, &[]);
        let first = probed.recv_timeout(Duration::from_secs(60)).unwrap() - began;
        let step = running.finish();
        assert_eq!(step.conclusion, "success", "{}", step.text());
        assert!(probed.try_recv().is_err(), "one probe a round");
        first.as_secs_f64() * 1e3
    });
    median(rounds.collect())
}

/// The action as it is checked out, with its command in the tool cache.
fn cached(runner: &Runner, program: &Path) -> PathBuf {
    let root = runner.path().join("checkout");
    let action = root.join("action");
    fs::create_dir_all(&action).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["action.yml", "run.sh", "install.sh", "log.sh"] {
        fs::copy(here.join(file), action.join(file)).unwrap();
    }
    fs::write(root.join("Cargo.toml"), "[workspace.package]\nversion = \"0.1.0\"\n").unwrap();
    let target = if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-musl"
    } else {
        "x86_64-unknown-linux-musl"
    };
    // As long as it will be after some years.
    let sums = (0..200).map(|n| format!("{n:064x}  clockwork-0.0.{n}-{target}.tar.gz\n"));
    let own = format!("{:064x}  clockwork-0.1.0-{target}.tar.gz\n", 7);
    fs::write(action.join("checksums.txt"), sums.chain([own]).collect::<String>()).unwrap();
    let directory = runner.tools().join("clockwork/0.1.0").join(target);
    fs::create_dir_all(&directory).unwrap();
    symlink(program, directory.join("clockwork")).unwrap();
    fs::write(format!("{}.complete", directory.display()), "").unwrap();
    assert_ne!(fs::metadata(program).unwrap().permissions().mode() & 0o111, 0);
    action
}

/// What all formats take over one line of text, in milliseconds; and the peak with them, in MiB.
fn formats(program: &Path) -> anyhow::Result<(f64, f64)> {
    let directory = tempfile::tempdir()?;
    // A tenth of them fails, as a warning, so that the process succeeds.
    let assertions: String = (0..RESULTS)
        .map(|n| match n % 10 {
            0 => {
                format!("      - FileExistsAssert: {{ path: \"missing-{n}\" }}\n        severity: warning\n")
            }
            _ => format!(
                "      - FileExistsAssert: {{ path: clockwork.yaml }}\n        name: \"number {n}\"\n"
            ),
        })
        .collect();
    let manifest = format!(
        "project: cost\nresources:\n  here:\n    kind: FileResource\n    path: .\n    assertions:\n{assertions}"
    );
    fs::write(directory.path().join("clockwork.yaml"), manifest)?;
    let program = program.display().to_string();
    let command = |more: &[&str]| {
        [&[program.as_str(), "assert"][..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = command(&["--quiet", "--format=text"]);
    let formats = [
        "text=t",
        "json=j",
        "junit=x",
        "tap=p",
        "markdown=m",
        "html=h",
        "sarif=s",
        "prometheus=q",
        "github-output=o",
    ];
    let formats: Vec<String> = formats.iter().map(|format| format!("--format={format}")).collect();
    let mut all: Vec<&str> = formats.iter().map(String::as_str).collect();
    all.push("--format=github");
    let all = command(&all);
    let output = directory.path().join("output");
    let (mut over, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let without = measure::run(&plain, directory.path(), &output)?;
        let with = measure::run(&all, directory.path(), &output)?;
        over.push(with.wall_ms - without.wall_ms);
        peaks.push(with.peak_mib);
    }
    Ok((median(over), median(peaks)))
}
