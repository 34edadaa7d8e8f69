//! How a container's user namespace calls the host's users and groups.

use std::path::Path;

use clockwork_core::CheckError;

use super::no_entry;

/// How a user namespace maps ids: a container may call user 100000 of the host its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdMap(Vec<Range>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

/// What the kernel calls an id that has no counterpart.
const NOBODY: u32 = 65534;

impl IdMap {
    /// The map of the users of `pid`'s namespace.
    pub(crate) fn users(pid: u32) -> Result<Self, CheckError> {
        Self::read(pid, "uid_map")
    }

    /// The map of the groups of `pid`'s namespace.
    pub(crate) fn groups(pid: u32) -> Result<Self, CheckError> {
        Self::read(pid, "gid_map")
    }

    /// Everybody keeps their id.
    #[cfg(test)]
    pub(crate) fn identity() -> Self {
        Self(vec![Range { inside: 0, outside: 0, count: u32::MAX }])
    }

    fn read(pid: u32, name: &str) -> Result<Self, CheckError> {
        let path = format!("/proc/{pid}/{name}");
        let map = std::fs::read_to_string(Path::new(&path)).map_err(|error| no_entry(pid, error))?;
        Ok(Self::parse(&map))
    }

    fn parse(map: &str) -> Self {
        let range = |line: &str| {
            let mut fields = line.split_ascii_whitespace().map(|field| field.parse().ok());
            Some(Range { inside: fields.next()??, outside: fields.next()??, count: fields.next()?? })
        };
        Self(map.lines().filter_map(range).collect())
    }

    /// What an id of the host is called inside.
    pub(crate) fn inside(&self, outside: u32) -> u32 {
        let range = self
            .0
            .iter()
            .find(|range| outside.checked_sub(range.outside).is_some_and(|offset| offset < range.count));
        range.map_or(NOBODY, |range| range.inside + (outside - range.outside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_called_what_the_container_calls_them() {
        let map = IdMap::parse("         0     100000      65536\n     70000  7 1\n");
        let told: Vec<_> = [100_000, 100_033, 165_535, 165_536, 0, 7].map(|id| map.inside(id)).into();
        assert_eq!(told, [0, 33, 65535, NOBODY, NOBODY, 70000]);
        assert_eq!(IdMap::parse("0 0 4294967295\n").inside(1000), 1000);
        assert_eq!(IdMap::identity().inside(1000), 1000);
    }
}
