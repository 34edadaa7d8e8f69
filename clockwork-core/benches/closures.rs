//! What a closure costs as an assertion, over calling it.
//!
//! ```text
//! cargo bench -p clockwork-core --bench closures
//! ```
//!
//! A run of many closures that return at once, in turns with calling them all on the same runtime; medians are compared.

#![expect(clippy::print_stdout, reason = "a program that talks to whoever runs it")]

use std::{error::Error, hint::black_box, process::ExitCode, time::Instant};

use clockwork_core::{Engine, prelude::*};

const ROUNDS: usize = 41;
const MANY: usize = 10_000;
const LIMIT_US: f64 = 2.0;

async fn even(number: usize) -> bool {
    black_box(number).is_multiple_of(2)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let engine = Engine::standard();
    let mut project = Project::new("closures");
    for number in (0..MANY).map(|number| number * 2) {
        project = project.assert(assertion(number.to_string(), move |_: Context| even(number)));
    }
    let (mut calls, mut runs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let held = runtime.block_on(async {
            let mut held = true;
            for number in (0..MANY).map(|number| number * 2) {
                held &= even(number).await;
            }
            held
        });
        calls.push(began.elapsed());
        assert!(held, "they are even");
        let began = Instant::now();
        let report = runtime.block_on(engine.assert(&project)).map_err(|error| error.to_string())?;
        runs.push(began.elapsed());
        assert!(report.passed(), "{report}");
    }
    let [call, run] = [calls, runs].map(|mut times| {
        times.sort();
        times[ROUNDS / 2].as_secs_f64() * 1e6 / MANY as f64
    });
    let over = run - call > LIMIT_US;
    let mark = if over { ", OVER" } else { "" };
    println!(
        "a closure: {call:.3} µs called, {run:.3} µs asserted; limit {LIMIT_US} µs over calling it{mark}"
    );
    Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
