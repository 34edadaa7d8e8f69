//! Runs both sides of each scenario turn about, as whole processes, and compares.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, bail, ensure};

use crate::{
    check::{self, Check},
    flat, floor,
    measure::{self, Cost},
    planning,
    scenario::{NAMES, World},
    table,
};

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
        arguments.extend(NAMES.iter().chain([&planning::NAME, &flat::NAME]).map(|name| (*name).to_owned()));
    }

    println!("{}\n", table::machine());
    let mut world = World::new()?;
    let (mut rows, mut flat_rows, mut planned) = (Vec::new(), Vec::new(), None);
    for name in arguments {
        if name == flat::NAME {
            flat_rows = flat::run(&world, rounds)?;
            continue;
        }
        if name == planning::NAME {
            planned = Some(planning::run(&world, rounds)?);
            continue;
        }
        match world.scenario(name)? {
            Ok(scenario) => {
                let rounds = rounds.unwrap_or(scenario.rounds);
                let costs = compare(&world, scenario.name, &scenario.checks, rounds)?;
                let assertions = scenario.checks.iter().map(Check::assertions).sum();
                let row = table::Row { scenario, rounds, assertions, costs };
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
    if let Some(planned) = planned {
        println!("{}", planned.table());
        held &= planned.holds();
    }
    if !flat_rows.is_empty() {
        println!("{}", flat::table(&flat_rows));
        held &= flat::holds(&flat_rows);
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What both sides cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    /// The floor under the faster of tokio's runtimes here.
    pub(crate) floor: Cost,
    /// Which one that is.
    pub(crate) runtime: &'static str,
    pub(crate) clockwork: Cost,
}

/// One command that is measured, what its output must say, and what its runs cost.
struct Side {
    command: Vec<String>,
    says: String,
    costs: Vec<Cost>,
}

/// The medians of both sides, after one run of each that does not count.
pub(crate) fn compare(
    world: &World,
    name: &str,
    checks: &[Check],
    rounds: usize,
) -> anyhow::Result<Comparison> {
    let list = world.directory().join(format!("{name}.list"));
    let manifest = world.directory().join(format!("{name}.yaml"));
    fs::write(&list, check::floor_list(checks))?;
    fs::write(&manifest, check::manifest(checks))?;
    let [single, many] = floor::RUNTIMES;
    let mut sides = [
        floor_side(world, &list, single, checks),
        floor_side(world, &list, many, checks),
        assert_side(world, &manifest, checks),
    ];
    for round in 0..=rounds {
        for turn in 0..sides.len() {
            // Each goes first as often as the others: what one leaves warm falls on all alike.
            let side = &mut sides[(round + turn) % 3];
            let cost = side.run(world.directory())?;
            if round > 0 {
                side.costs.push(cost);
            }
        }
    }
    let [single_cost, many_cost, clockwork] = sides.map(|side| Cost::median(&side.costs));
    let (runtime, floor) =
        if single_cost.wall_ms <= many_cost.wall_ms { (single, single_cost) } else { (many, many_cost) };
    Ok(Comparison { floor, runtime, clockwork })
}

fn floor_side(world: &World, list: &Path, runtime: &str, checks: &[Check]) -> Side {
    let list = list.display().to_string();
    let command = vec![world.programs.floor.clone(), floor::PART.to_owned(), list, runtime.to_owned()];
    Side { command, says: format!("All {} checks passed", checks.len()), costs: Vec::new() }
}

fn assert_side(world: &World, manifest: &Path, checks: &[Check]) -> Side {
    let command = [world.programs.clockwork.as_str(), "assert", "--manifest"].map(str::to_owned).into_iter();
    let command = command.chain([manifest.display().to_string()]).collect();
    let says = match checks.iter().map(Check::assertions).sum() {
        1_usize => "✓ All 1 assertion passed".to_owned(),
        many => format!("All {many} assertions passed"),
    };
    Side { command, says, costs: Vec::new() }
}

impl Side {
    /// Runs it once. An end without an error is not enough: it must also have looked at everything.
    fn run(&self, directory: &Path) -> anyhow::Result<Cost> {
        let output = directory.join("output");
        let cost = measure::run(&self.command, directory, &output)?;
        let said = fs::read_to_string(&output)?;
        // Of what takes its time, there are lines of progress before it.
        let says = said.lines().any(|line| line.contains(&self.says));
        ensure!(says, "expected {:?}, got {:?}", self.says, said.lines().next().unwrap_or_default());
        Ok(cost)
    }
}
