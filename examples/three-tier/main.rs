//! Three tiers on two container networks, and what goes wrong between them.
//!
//! ```text
//! cargo run --bin three-tier              # starts the system, asserts it, removes it
//! cargo run --bin three-tier -- faults    # breaks it in many ways, and shows whom each is blamed on
//! cargo run --bin three-tier -- up shop /srv/shop    # leaves it running, and writes the manifest's variables
//! cargo run --bin three-tier -- down shop /srv/shop
//! ```
//!
//! It needs the images that scripts/engine.sh makes and, to break what is in networks, root.

mod certificates;
mod docker;
mod faults;
mod system;

use std::{path::Path, process::ExitCode, time::Instant};

use docker::Result;
use system::{System, told};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        [] => healthy(),
        ["faults"] => faults::all("", None),
        ["faults", "--only", part] => faults::all(part, None),
        ["faults", "--table", file] => faults::all("", Some(file.as_ref())),
        ["up", name, directory] => up(name, Path::new(directory)),
        ["down", name, directory] => System::new(name, Path::new(directory)).map(drop),
        _ => Err(String::from(
            "usage: three-tier [faults [--only PART | --table FILE] | up NAME DIRECTORY | down NAME DIRECTORY]",
        )),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a system in this process's name, and lends it.
fn with_system(work: impl FnOnce(&System) -> Result) -> Result {
    let directory = tempfile::tempdir().map_err(told)?;
    let system = System::new(&format!("cw-tiers-{}", std::process::id()), directory.path())?;
    let began = Instant::now();
    system.start()?;
    eprintln!("the system is up after {:.1} s", began.elapsed().as_secs_f64());
    work(&system)
}

/// Starts a system that outlives this process, and says what the manifest needs to know of it.
fn up(name: &str, directory: &Path) -> Result {
    std::fs::create_dir_all(directory).map_err(told)?;
    let system = System::new(name, directory)?;
    system.start()?;
    for (name, value) in system.variables() {
        println!("{name}={value}");
    }
    // Its end would be that of the containers.
    std::mem::forget(system);
    Ok(())
}

fn healthy() -> Result {
    with_system(|system| {
        let report = system.assert(None)?;
        println!("{report}");
        match report.passed() {
            true => Ok(()),
            false => Err(String::from("it should be healthy")),
        }
    })
}
