//! What it costs to plan: to say of thousands of resources what waits for what, without looking at anything.

use std::{fmt::Write, fs, hint::black_box, time::Instant};

use anyhow::{Context as _, ensure};
use clockwork_assert::PortAccessibleAssert;
use clockwork_core::{Graph, prelude::*};

use crate::{
    measure::{self, Cost},
    scenario::World,
};

/// Its name among the scenarios.
pub(crate) const NAME: &str = "graph-20000";

const RESOURCES: usize = 5_000;
/// The assertions of each.
const ASSERTIONS: u16 = 4;
/// How long planning may take.
const LIMIT_MS: f64 = 50.0;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Planning {
    /// `Graph::new` of a project that is in memory, in milliseconds.
    in_process_ms: f64,
    /// `clockwork graph --declared`, from reading the manifest to writing the drawing.
    whole: Cost,
}

/// Measures both.
pub(crate) fn run(world: &World, rounds: Option<usize>) -> anyhow::Result<Planning> {
    let rounds = rounds.unwrap_or(21);
    let project = project();
    let mut in_process = Vec::new();
    for _ in 0..=rounds {
        let began = Instant::now();
        let graph = black_box(Graph::new(black_box(&project)));
        let wall_ms = began.elapsed().as_secs_f64() * 1e3;
        ensure!(
            graph.is_ok_and(|graph| graph.len() == RESOURCES * usize::from(ASSERTIONS)),
            "not all was planned"
        );
        in_process.push(Cost { wall_ms, ..Cost::default() });
    }
    let (manifest, output) = (world.directory().join("graph.yaml"), world.directory().join("output"));
    fs::write(&manifest, self::manifest())?;
    let path = manifest.to_str().context("the directory's name is not UTF-8")?;
    let command =
        [world.programs.clockwork.as_str(), "graph", "--declared", "--manifest", path].map(str::to_owned);
    let mut whole = Vec::new();
    for _ in 0..=rounds {
        whole.push(measure::run(&command, world.directory(), &output)?);
        let drawn = fs::read_to_string(&output)?.lines().count();
        ensure!(drawn == RESOURCES + 1, "{drawn} lines were drawn");
    }
    // The first of each does not count.
    Ok(Planning { in_process_ms: Cost::median(&in_process[1..]).wall_ms, whole: Cost::median(&whole[1..]) })
}

impl Planning {
    /// Whether it takes as long as it may.
    pub(crate) fn holds(&self) -> bool {
        self.in_process_ms <= LIMIT_MS
    }

    /// The results as Markdown.
    pub(crate) fn table(&self) -> String {
        let Self { in_process_ms, whole } = self;
        let verdict = if self.holds() { "holds" } else { "**over**" };
        format!(
            "| {NAME} | wall / CPU, peak | limit | |\n| --- | --- | --- | --- |\n\
             | planned in memory (`Graph::new`) | {in_process_ms:.1} ms | {LIMIT_MS} ms | {verdict} |\n\
             | whole process (`clockwork graph --declared`) | {:.1} / {:.1} ms, {:.1} MiB | | |\n",
            whole.wall_ms, whole.cpu_ms, whole.peak_mib,
        )
    }
}

fn name(number: usize) -> String {
    format!("service-{number:04}")
}

/// Those before it that it depends on.
fn needs(number: usize) -> Vec<String> {
    let mut needs: Vec<usize> =
        if number == 0 { Vec::new() } else { [2, 3, 7].map(|part| number / part).into() };
    needs.dedup();
    needs.into_iter().map(name).collect()
}

fn project() -> Project {
    (0..RESOURCES).fold(Project::new("planning"), |project, number| {
        let resource = BlankResource::new(name(number));
        let resource =
            needs(number).iter().fold(resource, |resource, need| resource.depends_on(need.as_str()));
        let assert = |resource: BlankResource, port| resource.assert(PortAccessibleAssert::new(port));
        project.with((1..=ASSERTIONS).fold(resource, assert))
    })
}

fn manifest() -> String {
    let mut out = String::from("project: planning\nresources:\n");
    for number in 0..RESOURCES {
        let needs = needs(number).join(", ");
        let _ = writeln!(
            out,
            "  {}:\n    kind: BlankResource\n    depends_on: [{needs}]\n    assertions:",
            name(number)
        );
        for port in 1..=ASSERTIONS {
            let _ = writeln!(out, "      - PortAccessibleAssert: {{ host: 127.0.0.1, port: {port} }}");
        }
    }
    out
}
