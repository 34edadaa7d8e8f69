//! [`MigrationFilesProbe`]: the migrations that lie in a directory, by each tool's rules for names.

use std::path::{Path, PathBuf};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{MigrationTool, alembic, checksum, django, normal_version};
use crate::sql::shown;

/// How many files and directories are looked at.
const ENTRIES: usize = 20_000;

/// How long one file may be, in bytes.
const FILE_LIMIT: u64 = 16 << 20;

/// How deep Django's apps may lie below the directory that is named.
const DEPTH: usize = 5;

/// The migrations in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MigrationFilesProbe {
    /// The directory.
    pub directory: PathBuf,
    /// Whose.
    pub tool: MigrationTool,
}

/// What lies there, in the order of the versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationFiles {
    /// Never empty.
    pub migrations: Vec<Migration>,
}

/// A migration that lies in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// Its version, in the one spelling; for Django `app.name`; for a repeatable one of Flyway its description.
    pub version: String,
    /// Its file's name.
    pub name: String,
    /// What the tool would write down of its content.
    pub checksum: Option<String>,
    /// Whether it runs again whenever its content changes (Flyway's `R__`).
    pub repeatable: bool,
    /// What has to have run before (Alembic).
    pub after: Vec<String>,
    /// What needs no longer run where this has (Django).
    pub replaces: Vec<String>,
}

impl Probe for MigrationFilesProbe {
    type Observation = MigrationFiles;

    async fn look(&self, cx: &Context) -> Result<MigrationFiles, CheckError> {
        cx.phase(format!("reading {}", shown(&self.directory)));
        let Self { directory, tool } = self.clone();
        let mut migrations = tokio::task::spawn_blocking(move || Reader::read(&directory, tool)).await??;
        migrations.sort_by(|one, other| {
            let order = super::compare_versions(&one.version, &other.version);
            one.repeatable.cmp(&other.repeatable).then(order)
        });
        if migrations.is_empty() {
            let message = format!("{} holds no migration of {}", shown(&self.directory), self.tool.name());
            return Err(
                CheckError::unobservable(message).hint("is it the right directory, and the right tool?")
            );
        }
        Ok(MigrationFiles { migrations })
    }

    fn describe(&self) -> String {
        format!("reading {}", shown(&self.directory))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &MigrationFiles) -> usize {
        seen.migrations.len() * 256
    }
}

struct Reader {
    tool: MigrationTool,
    seen: usize,
    found: Vec<Migration>,
}

/// An entry of a directory: its name and whether it is a directory itself.
struct Entry {
    path: PathBuf,
    name: String,
    is_directory: bool,
}

impl Reader {
    fn read(directory: &Path, tool: MigrationTool) -> Result<Vec<Migration>, CheckError> {
        let mut reader = Self { tool, seen: 0, found: Vec::new() };
        match tool {
            MigrationTool::Django => reader.django(directory, 0)?,
            MigrationTool::Alembic => {
                reader.each(directory, Self::alembic)?;
                let versions = directory.join("versions");
                if versions.is_dir() {
                    reader.each(&versions, Self::alembic)?;
                }
            }
            MigrationTool::Diesel => reader.each(directory, Self::diesel)?,
            MigrationTool::Flyway | MigrationTool::Rails | MigrationTool::Refinery => {
                reader.below(directory)?;
            }
            _ => reader.each(directory, Self::by_name)?,
        }
        let mut versions: Vec<_> = reader.found.iter().map(|found| (&found.version, &found.name)).collect();
        versions.sort();
        if let Some(twice) = versions.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (one, other) =
                (clockwork_core::text::quote(twice[0].1), clockwork_core::text::quote(twice[1].1));
            return Err(CheckError::unobservable(format!(
                "{} holds two migrations of one version: {one} and {other}",
                shown(directory)
            )));
        }
        Ok(reader.found)
    }

    fn entries(&mut self, directory: &Path) -> Result<Vec<Entry>, CheckError> {
        let cannot = |error| {
            CheckError::unobservable(format!("cannot read the directory {}", shown(directory)))
                .with_source(error)
        };
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            self.seen += 1;
            if self.seen > ENTRIES {
                let message = format!("{} holds more than {ENTRIES} files", shown(directory));
                return Err(
                    CheckError::unobservable(message).hint("name the directory of the migrations itself")
                );
            }
            let (path, name) = (entry.path(), entry.file_name());
            let is_directory = std::fs::metadata(&path).is_ok_and(|found| found.is_dir());
            // A name that is no text is none of these tools'.
            entries.extend(name.into_string().ok().map(|name| Entry { path, name, is_directory }));
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn each(
        &mut self,
        directory: &Path,
        read: fn(&Self, &Entry) -> Result<Option<Migration>, CheckError>,
    ) -> Result<(), CheckError> {
        for entry in self.entries(directory)? {
            let migration = read(self, &entry)?;
            self.found.extend(migration);
        }
        Ok(())
    }

    /// These tools take what lies in directories below, too. A link back up ends at the limit of entries.
    fn below(&mut self, directory: &Path) -> Result<(), CheckError> {
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in self.entries(&directory)? {
                let migration = self.by_name(&entry)?;
                self.found.extend(migration);
                if entry.is_directory {
                    directories.push(entry.path);
                }
            }
        }
        Ok(())
    }

    fn content(&self, path: &Path) -> Result<Vec<u8>, CheckError> {
        let cannot =
            |error| CheckError::unobservable(format!("cannot read {}", shown(path))).with_source(error);
        let found = std::fs::metadata(path).map_err(cannot)?;
        if !found.is_file() || found.len() > FILE_LIMIT {
            return Err(CheckError::unobservable(format!("{} is no file of at most 16 MiB", shown(path))));
        }
        std::fs::read(path).map_err(cannot)
    }

    fn text(&self, path: &Path) -> Result<String, CheckError> {
        Ok(String::from_utf8_lossy(&self.content(path)?).into_owned())
    }

    fn migration(&self, version: &str, entry: &Entry) -> Migration {
        Migration {
            version: normal_version(self.tool, version),
            name: entry.name.clone(),
            ..Migration::default()
        }
    }

    fn alembic(&self, entry: &Entry) -> Result<Option<Migration>, CheckError> {
        if entry.is_directory || !entry.name.ends_with(".py") {
            return Ok(None);
        }
        Ok(alembic::read(&entry.name, &self.text(&entry.path)?))
    }

    fn diesel(&self, entry: &Entry) -> Result<Option<Migration>, CheckError> {
        let version = entry.name.split('_').next().unwrap_or_default();
        let digits = version.starts_with(|c: char| c.is_ascii_digit());
        let is_one = entry.is_directory && digits && entry.path.join("up.sql").is_file();
        Ok(is_one.then(|| self.migration(version, entry)))
    }

    /// Those whose files say it all in their names: `0001_users.sql`, `V1__users.sql`, `20240101_users.rb`.
    fn by_name(&self, entry: &Entry) -> Result<Option<Migration>, CheckError> {
        if entry.is_directory {
            return Ok(None);
        }
        let Some((version, repeatable)) = self.version(&entry.name) else { return Ok(None) };
        let mut migration = self.migration(version, entry);
        if repeatable {
            version.clone_into(&mut migration.version);
            migration.repeatable = true;
        }
        migration.checksum = match self.tool {
            MigrationTool::Sqlx => Some(checksum::sqlx(&self.content(&entry.path)?)),
            MigrationTool::Flyway if entry.name.ends_with(".sql") => {
                Some(checksum::flyway(&self.content(&entry.path)?))
            }
            _ => None,
        };
        Ok(Some(migration))
    }

    /// The version in a file's name, or the description of a repeatable one.
    fn version<'a>(&self, name: &'a str) -> Option<(&'a str, bool)> {
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self.tool {
            MigrationTool::Sqlx => {
                let stem = name.strip_suffix(".sql")?;
                if stem.ends_with(".down") {
                    return None;
                }
                stem.split_once('_')
                    .map(|(version, _)| version)
                    .filter(digits)
                    .map(|version| (version, false))
            }
            MigrationTool::Refinery => {
                let stem = name.strip_suffix(".sql").or_else(|| name.strip_suffix(".rs"))?;
                let (version, _) = stem.strip_prefix(['V', 'U'])?.split_once("__")?;
                Some(version).filter(digits).map(|version| (version, false))
            }
            MigrationTool::Flyway => {
                let stem = name.strip_suffix(".sql").or_else(|| name.strip_suffix(".java"))?;
                if let Some(description) = stem.strip_prefix("R__") {
                    return Some((description, true));
                }
                let (version, _) = stem.strip_prefix('V')?.split_once("__")?;
                let numbers = version.split(['.', '_']).all(|part| digits(&part));
                numbers.then_some((version, false))
            }
            MigrationTool::Rails => {
                let (version, _) = name.strip_suffix(".rb")?.split_once('_')?;
                Some(version).filter(digits).map(|version| (version, false))
            }
            MigrationTool::GolangMigrate => {
                let (stem, _) = name.rsplit_once('.')?;
                let (version, _) = stem.strip_suffix(".up")?.split_once('_')?;
                Some(version).filter(digits).map(|version| (version, false))
            }
            MigrationTool::Diesel | MigrationTool::Alembic | MigrationTool::Django => None,
        }
    }

    /// An app's own `migrations`, or those of all apps below.
    fn django(&mut self, directory: &Path, depth: usize) -> Result<(), CheckError> {
        let entries = self.entries(directory)?;
        let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let called = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        if called(&absolute).as_deref() == Some("migrations") {
            let app = absolute.parent().and_then(called).unwrap_or_default();
            for entry in entries {
                if let Some(name) = entry.name.strip_suffix(".py").filter(|_| !entry.is_directory) {
                    let found = django::read(&app, name, &self.text(&entry.path)?);
                    self.found.extend(found.map(|found| Migration { name: entry.name.clone(), ..found }));
                }
            }
        } else if depth < DEPTH {
            // What pip and npm brought has apps of its own, which are not this project's files.
            let own = |name: &str| {
                !name.starts_with('.') && !["node_modules", "site-packages", "venv"].contains(&name)
            };
            for entry in entries.into_iter().filter(|entry| entry.is_directory && own(&entry.name)) {
                if !std::fs::symlink_metadata(&entry.path).is_ok_and(|found| found.is_symlink()) {
                    self.django(&entry.path, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}
