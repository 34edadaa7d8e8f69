//! Where engines listen on this system when nobody says where.

use std::path::PathBuf;

use super::endpoint::Runtime;

/// What of this user's they depend on.
#[cfg(not(any(windows, target_os = "macos")))]
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    pub(super) runtime_dir: PathBuf,
    pub(super) root: bool,
}

/// The sockets, in the order in which they are tried: Docker's, then Podman's.
pub(super) fn sockets(own: &Own, runtime: Runtime) -> Vec<PathBuf> {
    match runtime {
        Runtime::Auto => own.docker().into_iter().chain(own.podman()).collect(),
        Runtime::Docker => own.docker(),
        Runtime::Podman => own.podman(),
    }
}

#[cfg(not(any(windows, target_os = "macos")))]
impl Own {
    /// `set` reads a variable of the environment.
    pub(super) fn read(set: impl Fn(&str) -> Option<String>) -> Self {
        let uid = nix::unistd::Uid::effective();
        let runtime_dir = set("XDG_RUNTIME_DIR");
        let runtime_dir =
            runtime_dir.map_or_else(|| PathBuf::from(format!("/run/user/{uid}")), PathBuf::from);
        Self { runtime_dir, root: uid.is_root() }
    }

    fn docker(&self) -> Vec<PathBuf> {
        vec![PathBuf::from("/var/run/docker.sock"), self.runtime_dir.join("docker.sock")]
    }

    /// This user's own first.
    fn podman(&self) -> Vec<PathBuf> {
        let mut podman =
            vec![PathBuf::from("/run/podman/podman.sock"), self.runtime_dir.join("podman/podman.sock")];
        if !self.root {
            podman.reverse();
        }
        podman
    }
}

/// The engine is in a virtual machine, and its socket where whoever made that puts it.
#[cfg(target_os = "macos")]
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    home: PathBuf,
}

#[cfg(target_os = "macos")]
impl Own {
    pub(super) fn read(set: impl Fn(&str) -> Option<String>) -> Self {
        Self { home: set("HOME").map(PathBuf::from).unwrap_or_default() }
    }

    /// Docker Desktop, OrbStack, Colima, Rancher Desktop.
    fn docker(&self) -> Vec<PathBuf> {
        let own = [
            ".docker/run/docker.sock",
            ".orbstack/run/docker.sock",
            ".colima/default/docker.sock",
            ".rd/docker.sock",
        ];
        let usual = PathBuf::from("/var/run/docker.sock");
        std::iter::once(usual).chain(own.map(|path| self.home.join(path))).collect()
    }

    fn podman(&self) -> Vec<PathBuf> {
        let temporary = std::env::temp_dir().join("podman/podman-machine-default-api.sock");
        vec![self.home.join(".local/share/containers/podman/machine/podman.sock"), temporary]
    }
}

/// They are the same for everybody.
#[cfg(windows)]
#[derive(Debug, Clone, Default)]
pub(super) struct Own;

#[cfg(windows)]
impl Own {
    pub(super) fn read(_: impl Fn(&str) -> Option<String>) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "elsewhere it matters whose they are")]
    fn docker(&self) -> Vec<PathBuf> {
        vec![PathBuf::from(r"\\.\pipe\docker_engine")]
    }

    #[expect(clippy::unused_self, reason = "elsewhere it matters whose they are")]
    fn podman(&self) -> Vec<PathBuf> {
        vec![PathBuf::from(r"\\.\pipe\podman-machine-default")]
    }
}
