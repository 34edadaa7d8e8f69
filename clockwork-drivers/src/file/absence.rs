//! [`Missing`]: that nothing is at a path, and why.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use super::show_path;

/// The path's beginnings, shortest first, ending with the whole path.
pub(super) fn prefixes(path: &Path) -> impl Iterator<Item = PathBuf> {
    let mut prefix = PathBuf::new();
    path.components().filter_map(move |component| {
        prefix.push(component);
        (component != Component::RootDir).then(|| prefix.clone())
    })
}

/// Nothing is at a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The component at which it ends.
    pub path: PathBuf,
    /// What is the matter there.
    pub why: Absence,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// There is no such entry.
    NotThere,
    /// A symbolic link leads to this target, which is not there.
    DanglingLink(PathBuf),
    /// Symbolic links lead in a circle.
    LinkLoop,
    /// The path goes on, but what is here is no directory.
    NotADirectory,
    /// No filesystem holds a name of this length.
    NameTooLong,
    /// This system lets no file have such a name.
    NotAName,
}

impl Missing {
    /// The sentence about `path`: `/srv/app/x is missing: there is no /srv/app`.
    pub fn describe(&self, path: &Path) -> String {
        let shown = show_path(path);
        if self.path == path && self.why == Absence::NotThere {
            return format!("{shown} is missing");
        }
        format!("{shown} is missing: {self}")
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = show_path(&self.path);
        match &self.why {
            Absence::NotThere => write!(f, "there is no {path}"),
            Absence::DanglingLink(target) => {
                write!(f, "the link {path} leads to {}, which is not there", show_path(target))
            }
            Absence::LinkLoop => write!(f, "the link {path} leads in a circle"),
            Absence::NotADirectory => write!(f, "{path} is not a directory"),
            Absence::NameTooLong => write!(f, "the name is too long for any filesystem"),
            Absence::NotAName => write!(f, "no file of this system can have such a name"),
        }
    }
}
