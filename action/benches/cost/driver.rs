//! Runs both sides of each scenario turn about, as whole processes, and compares.

use std::{env, fs, process::ExitCode};

use anyhow::{Context as _, bail, ensure};

use crate::{
    check::{self, Check},
    flat, floor,
    measure::{self, Cost},
    scenario::{NAMES, World},
    table,
};

/// The command that is measured, built by cargo in the same profile.
const CLOCKWORK: &str = env!("CARGO_BIN_EXE_clockwork");

/// `[SCENARIO…] [--rounds N]`.
pub(crate) fn run(arguments: &mut Vec<String>) -> anyhow::Result<ExitCode> {
    let rounds = match arguments.iter().position(|argument| argument == "--rounds") {
        Some(at) => {
            let rounds = arguments.get(at + 1).and_then(|rounds| rounds.parse().ok());
            arguments.drain(at..(at + 2).min(arguments.len()));
            Some(rounds.filter(|rounds| *rounds > 0).context("--rounds takes a number")?)
        }
        None => None,
    };
    if let Some(option) = arguments.iter().find(|argument| argument.starts_with('-')) {
        bail!("unknown option {option}; usage: cost [SCENARIO…] [--rounds N]");
    }
    if arguments.is_empty() {
        arguments.extend(NAMES.iter().chain([&flat::NAME]).map(|name| (*name).to_owned()));
    }

    println!("{}\n", table::machine());
    let mut world = World::new()?;
    let (mut rows, mut flat_rows) = (Vec::new(), Vec::new());
    for name in arguments {
        if name == flat::NAME {
            flat_rows = flat::run(&world, rounds)?;
            continue;
        }
        match world.scenario(name)? {
            Ok(scenario) => {
                let rounds = rounds.unwrap_or(scenario.rounds);
                let (floor, clockwork) = compare(&world, scenario.name, &scenario.checks, rounds)?;
                let assertions = scenario.checks.iter().map(Check::assertions).sum();
                let row = table::Row { scenario, rounds, assertions, floor, clockwork };
                eprintln!("{}", row.line());
                rows.push(row);
            }
            Err(why) => eprintln!("\n!! {name} is left out: {why}\n"),
        }
    }
    let mut held = true;
    if !rows.is_empty() {
        println!("{}", table::comparison(&rows));
        held &= rows.iter().all(|row| row.over().is_empty());
    }
    if !flat_rows.is_empty() {
        println!("{}", flat::table(&flat_rows));
        held &= flat::holds(&flat_rows);
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The medians of both sides, after one run of each that does not count.
pub(crate) fn compare(
    world: &World,
    name: &str,
    checks: &[Check],
    rounds: usize,
) -> anyhow::Result<(Cost, Cost)> {
    let directory = world.directory();
    let list = directory.join(format!("{name}.list"));
    let manifest = directory.join(format!("{name}.yaml"));
    fs::write(&list, check::floor_list(checks))?;
    fs::write(&manifest, check::manifest(checks))?;
    let word = |path: &std::path::Path| path.display().to_string();
    let this = word(&env::current_exe()?);
    let floor_command = [this, floor::PART.to_owned(), word(&list)];
    let clockwork_command =
        [CLOCKWORK.to_owned(), "assert".to_owned(), "--manifest".to_owned(), word(&manifest)];
    let assertions: usize = checks.iter().map(Check::assertions).sum();

    let run = |command: &[String], says: &str| {
        let output = directory.join("output");
        let cost = measure::run(command, directory, &output)?;
        // An end without an error is not enough: it must also have looked at everything.
        let said = fs::read_to_string(&output)?;
        ensure!(said.contains(says), "expected {says:?}, got:\n{}", said.lines().next().unwrap_or_default());
        anyhow::Ok(cost)
    };
    let run_floor = || run(&floor_command, &format!("All {} checks passed", checks.len()));
    let passed = match assertions {
        1 => "1 assertion passed".to_owned(),
        many => format!("{many} assertions passed"),
    };
    let run_clockwork = || run(&clockwork_command, &passed);

    run_floor()?;
    run_clockwork()?;
    let (mut floor, mut clockwork) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            floor.push(run_floor()?);
            clockwork.push(run_clockwork()?);
        } else {
            clockwork.push(run_clockwork()?);
            floor.push(run_floor()?);
        }
    }
    Ok((Cost::median(&floor), Cost::median(&clockwork)))
}
