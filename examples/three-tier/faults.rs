//! What goes wrong between services, and whom a run has to blame for it.

mod list;
mod table;

use std::{collections::BTreeSet, path::Path, time::Instant};

use clockwork_core::{Outcome, Report};

use crate::{
    docker::Result,
    system::{System, told},
    with_system,
};

/// One thing that goes wrong.
struct Fault {
    what: &'static str,
    inject: fn(&System) -> Result,
    undo: fn(&System) -> Result,
    /// Exactly whom the run has to blame.
    blames: &'static [&'static str],
    /// What one of the failures says.
    says: &'static str,
}

/// What a run made of it.
struct Seen {
    what: &'static str,
    verdict: Outcome,
    blamed: Vec<String>,
    says: &'static str,
    took_ms: f64,
}

/// Breaks the system in every way that has this in its description, and writes the table.
pub(crate) fn all(part: &str, table: Option<&Path>) -> Result {
    with_system(|system| {
        let (mut seen, mut wrong) = (Vec::new(), Vec::new());
        for fault in list::faults().iter().filter(|fault| fault.what.contains(part)) {
            (fault.inject)(system)?;
            let began = Instant::now();
            let report = system.assert(None)?;
            let took_ms = began.elapsed().as_secs_f64() * 1000.0;
            eprintln!("{}: {}", fault.what, report.to_string().lines().next().unwrap_or_default());
            (fault.undo)(system)?;
            wrong.extend(wrong_with(fault, &report));
            seen.push(Seen {
                what: fault.what,
                verdict: report.verdict,
                blamed: report.blamed.iter().map(|one| one.what.to_string()).collect(),
                says: fault.says,
                took_ms,
            });
            system.recover()?;
        }
        let written = table::write(&seen);
        match table {
            Some(file) => std::fs::write(file, written).map_err(told)?,
            None => println!("{written}"),
        }
        match wrong.as_slice() {
            [] => Ok(()),
            wrong => Err(wrong.join("\n\n")),
        }
    })
}

/// Whether anybody else was blamed, or nobody, or for something else.
fn wrong_with(fault: &Fault, report: &Report) -> Option<String> {
    let blamed: BTreeSet<&str> = report.blamed.iter().map(|one| &*one.what).collect();
    let expected: BTreeSet<&str> = fault.blames.iter().copied().collect();
    let said = report.results.iter().any(|one| one.fails_the_run() && one.message.contains(fault.says));
    let headline = report.to_string().lines().next().unwrap_or_default().to_owned();
    // One resource's own failure is named where its failures are told, if nothing stands on it.
    let named = report
        .blamed
        .iter()
        .all(|one| headline.contains(&*one.what) || (!one.relationship && one.skipped == 0));
    let named = named || report.blamed.len() > 3;
    (blamed != expected || !said || !named)
        .then(|| format!("{}: expected {expected:?}, {:?}\n{report}", fault.what, fault.says))
}
