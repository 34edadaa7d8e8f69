//! What ran beside what should have: pending, failed, out of order, changed, unknown.

use std::collections::{HashMap, HashSet};

use clockwork_core::text::quote;
use clockwork_drivers::sql::{Applied, MigrationFiles, MigrationTool, compare_versions, normal_version};

/// How migrations stand. The lists are of versions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// How many ran.
    pub(crate) applied: usize,
    /// The newest that ran, where versions have an order.
    pub(crate) newest: Option<String>,
    /// They lie in the directory, and have not run.
    pub(crate) pending: Vec<String>,
    /// The same, and newer ones have: the tool would not run them any more, or in another order than elsewhere.
    pub(crate) out_of_order: Vec<String>,
    /// They did not run to their end.
    pub(crate) failed: Vec<String>,
    /// Their files are not what ran.
    pub(crate) changed: Vec<String>,
    /// They ran, and no file is theirs.
    pub(crate) unknown: Vec<String>,
    /// Everything that ran, or need not.
    ran: HashSet<String>,
}

impl State {
    /// Whether this one ran.
    pub(crate) fn has(&self, tool: MigrationTool, version: &str) -> bool {
        self.ran.contains(&normal_version(tool, version))
    }

    /// What is wrong, in words.
    pub(crate) fn wrong(&self, tool: MigrationTool) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut tell = |versions: &[String], one: &str, many: &str, more: &str| match versions {
            [] => {}
            [version] => wrong.push(format!("migration {} {one}{more}", quote(version))),
            versions => wrong.push(format!("{} migrations {many}{more}: {}", versions.len(), list(versions))),
        };
        let newest = self.newest.as_deref().map(quote).unwrap_or_default();
        let dirty = match tool {
            MigrationTool::Sqlx | MigrationTool::Flyway | MigrationTool::GolangMigrate => {
                "; repair what it left half-done"
            }
            _ => "",
        };
        tell(&self.failed, "failed", "failed", dirty);
        tell(&self.pending, "is pending", "are pending", "");
        tell(
            &self.out_of_order,
            "has not run, and newer ones have",
            "have not run, and newer ones have",
            &format!(" (up to {newest})"),
        );
        tell(
            &self.changed,
            "ran with another content than its file has now",
            "ran with another content than their files have now",
            "",
        );
        if tool.misses_files() {
            tell(&self.unknown, "ran, and has no file", "ran, and have no file", "");
        }
        wrong
    }
}

fn list(versions: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<_> = versions.iter().take(SHOWN).map(|version| quote(version)).collect();
    if versions.len() > SHOWN {
        shown.push(String::from("…"));
    }
    shown.join(", ")
}

/// Compares what ran with what lies in the directory.
pub(crate) fn compare(tool: MigrationTool, applied: &Applied, files: Option<&MigrationFiles>) -> State {
    let mut state = State { applied: applied.migrations.len(), ..State::default() };
    let mut checksums = HashMap::new();
    for migration in &applied.migrations {
        if migration.failed {
            state.failed.push(migration.version.clone());
        } else {
            state.ran.insert(migration.version.clone());
        }
        checksums.insert((migration.repeatable, migration.version.as_str()), migration.checksum.as_deref());
    }
    let numbered = applied.migrations.iter().filter(|ran| !ran.repeatable && !ran.failed);
    state.newest = match tool.has_order() {
        true => numbered
            .map(|ran| &ran.version)
            .chain(&applied.baseline)
            .max_by(|one, other| compare_versions(one, other))
            .cloned(),
        false => applied.migrations.last().map(|ran| ran.version.clone()),
    };
    let Some(files) = files else { return state };
    let known: HashSet<&str> = files.migrations.iter().map(|file| file.version.as_str()).collect();
    match tool {
        MigrationTool::Alembic => ancestors(&mut state, files),
        MigrationTool::GolangMigrate => up_to_newest(&mut state, files),
        MigrationTool::Django => squashed(&mut state, files),
        _ => {}
    }
    for file in &files.migrations {
        let version = &file.version;
        let base = applied.baseline.as_ref().filter(|_| !file.repeatable);
        if base.is_some_and(|base| compare_versions(version, base).is_le()) {
            state.ran.insert(version.clone());
            continue;
        }
        if state.failed.contains(version) {
            continue;
        }
        if !state.ran.contains(version) {
            let late = state.newest.as_ref().is_some_and(|newest| compare_versions(version, newest).is_lt());
            match late && tool.has_order() && !file.repeatable {
                true => state.out_of_order.push(version.clone()),
                false => state.pending.push(version.clone()),
            }
            continue;
        }
        let written = checksums.get(&(file.repeatable, version.as_str())).copied().flatten();
        if let (Some(written), Some(found)) = (written, &file.checksum)
            && written != found
        {
            // A repeatable one runs again when it changes: until then it is pending.
            let list = if file.repeatable { &mut state.pending } else { &mut state.changed };
            list.push(version.clone());
        }
    }
    let ran = applied.migrations.iter().map(|ran| &ran.version);
    state.unknown.extend(ran.filter(|version| !known.contains(version.as_str())).cloned());
    state
}

/// Alembic names only the last: what had to run before it did.
fn ancestors(state: &mut State, files: &MigrationFiles) {
    let by_version: HashMap<_, _> =
        files.migrations.iter().map(|file| (file.version.as_str(), file)).collect();
    let mut next: Vec<_> = state.ran.iter().cloned().collect();
    while let Some(version) = next.pop() {
        for before in by_version.get(version.as_str()).iter().flat_map(|file| &file.after) {
            if state.ran.insert(before.clone()) {
                next.push(before.clone());
            }
        }
    }
    state.applied = state.ran.len();
}

/// golang-migrate names only the last: all before it ran.
fn up_to_newest(state: &mut State, files: &MigrationFiles) {
    let last = state.newest.clone().or_else(|| state.failed.first().cloned());
    let Some(last) = last else { return };
    for file in &files.migrations {
        if compare_versions(&file.version, &last).is_lt() {
            state.ran.insert(file.version.clone());
        }
    }
    state.applied = state.ran.len();
}

/// Django takes a squashed migration for applied where all that it replaces are, and the other way around.
fn squashed(state: &mut State, files: &MigrationFiles) {
    for file in files.migrations.iter().filter(|file| !file.replaces.is_empty()) {
        if file.replaces.iter().all(|replaced| state.ran.contains(replaced)) {
            state.ran.insert(file.version.clone());
        } else if state.ran.contains(&file.version) {
            state.ran.extend(file.replaces.iter().cloned());
        }
    }
}
