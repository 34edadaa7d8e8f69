//! What Clockwork costs over a bare floor: a hand-written tokio program that does the same I/O with no framework.
//!
//! ```text
//! cargo bench -p clockwork-action --bench cost              # every scenario
//! cargo bench -p clockwork-action --bench cost -- http-1000 start
//! ```
//!
//! Each scenario is a list of [`check::Check`]s. From it come the manifest that `clockwork assert` reads and the plain
//! list that the [`floor`] reads; both run as whole processes against one [`server`] in a process of its own, turn
//! about, and what the kernel charged each of them ([`measure`]) is compared. A scenario over its limit fails the run.
//!
//! This one binary plays all the parts: driver, server, floor, and the small parent that measures one child.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to whoever runs it")]

mod certificates;
mod check;
mod containers;
mod crowd;
mod database;
mod driver;
mod flat;
mod floor;
mod measure;
mod planning;
mod scenario;
mod server;
mod table;
mod vulnerability;

use std::{env, process::ExitCode};

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let part = arguments.first().cloned().unwrap_or_default();
    match part.as_str() {
        server::PART => server::serve(&arguments[1..])?,
        crowd::PART => crowd::hold()?,
        floor::PART => return floor::run(arguments.get(1), arguments.get(2)),
        measure::PART => measure::run_child(&arguments[1..])?,
        _ => return driver::run(&mut arguments),
    }
    Ok(ExitCode::SUCCESS)
}
