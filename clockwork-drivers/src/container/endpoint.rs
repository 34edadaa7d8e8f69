//! Where a container engine listens: from the resource, the environment, or the usual sockets.
//!
//! The first place that is named, or whose socket is there, decides; a second engine is never asked when that one does
//! not answer, because an empty list from the wrong engine would read as "there is no such container".

use std::{fmt, path::PathBuf};

use clockwork_core::{CheckError, text::quote};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::usual::{self, Own};
use crate::platform;

/// Which engine runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// The first that is there: `DOCKER_HOST`, `CONTAINER_HOST`, Docker's sockets, Podman's sockets.
    #[default]
    Auto,
    /// Docker: `DOCKER_HOST`, or its sockets.
    Docker,
    /// Podman: `CONTAINER_HOST`, or its sockets.
    Podman,
}

/// One engine, as a resource refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EngineRef {
    /// Which engine.
    pub runtime: Runtime,
    /// Where it listens (`unix:///run/user/1000/docker.sock`, `tcp://build:2376`), instead of where it is looked for.
    pub endpoint: Option<String>,
}

/// What the environment says about engines, read once per run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) docker_host: Option<String>,
    pub(crate) container_host: Option<String>,
    pub(crate) tls_verify: bool,
    pub(crate) cert_path: Option<PathBuf>,
    pub(super) own: Own,
}

impl Surroundings {
    pub(crate) fn read() -> Self {
        // As the Docker command has it, an empty variable is one that is not set.
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = set(platform::HOME).map(|home| PathBuf::from(home).join(".docker"));
        let cert_path = set("DOCKER_CERT_PATH").map(PathBuf::from);
        Self {
            docker_host: set("DOCKER_HOST"),
            container_host: set("CONTAINER_HOST"),
            tls_verify: set("DOCKER_TLS_VERIFY").is_some() || cert_path.is_some(),
            cert_path: cert_path.or(home),
            own: Own::read(set),
        }
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket that has a path: a Unix one, on Windows a named pipe.
    Local(PathBuf),
    Tcp {
        authority: String,
        tls: Option<Option<PathBuf>>,
    },
}

/// The address, and where it comes from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    pub(crate) source: &'static str,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Local(path) => f.write_str(&platform::local_endpoint(path))?,
            Address::Tcp { authority, tls: None } => write!(f, "tcp://{authority}")?,
            Address::Tcp { authority, tls: Some(_) } => write!(f, "https://{authority}")?,
        }
        write!(f, " ({})", self.source)
    }
}

/// Where the engine that is meant listens.
pub(crate) fn find(engine: &EngineRef, surroundings: &Surroundings) -> Result<Endpoint, CheckError> {
    if let Some(named) = &engine.endpoint {
        return parse(named, "the resource's `endpoint`", surroundings);
    }
    if let (Runtime::Auto | Runtime::Docker, Some(host)) = (engine.runtime, &surroundings.docker_host) {
        return parse(host, "from DOCKER_HOST", surroundings);
    }
    if let (Runtime::Auto | Runtime::Podman, Some(host)) = (engine.runtime, &surroundings.container_host) {
        return parse(host, "from CONTAINER_HOST", surroundings);
    }
    let sockets = usual::sockets(&surroundings.own, engine.runtime);
    match sockets.iter().find(|path| platform::is_local_socket(path)) {
        Some(path) => Ok(Endpoint { address: Address::Local(path.clone()), source: "its usual socket" }),
        None => {
            let tried: Vec<_> = sockets.iter().map(|path| path.display().to_string()).collect();
            let (which, start) = match engine.runtime {
                Runtime::Podman => ("Podman", "`systemctl --user start podman.socket`"),
                Runtime::Docker => ("Docker", "Docker"),
                Runtime::Auto => ("container engine", "Docker (or Podman's socket)"),
            };
            Err(CheckError::unobservable(format!(
                "there is no {which} here: no socket at {}",
                tried.join(", ")
            ))
            .hint(format!("start {start}, or say where it listens with DOCKER_HOST or `endpoint`")))
        }
    }
}

/// Whether an endpoint can be used, for validation.
pub(crate) fn check(endpoint: &str) -> Result<(), String> {
    parse(endpoint, "", &Surroundings::default()).map(drop).map_err(|error| error.to_string())
}

fn parse(text: &str, source: &'static str, surroundings: &Surroundings) -> Result<Endpoint, CheckError> {
    let wrong = |hint: &str| {
        let from = if source.is_empty() { String::new() } else { format!(" ({source})") };
        Err(CheckError::unobservable(format!("cannot reach a container engine at {}{from}", quote(text)))
            .hint(hint))
    };
    let accepted = platform::ENDPOINTS;
    let Some((scheme, rest)) = text.split_once("://") else { return wrong(accepted) };
    let tcp = |authority: &str, tls: bool| {
        let port = if tls { 2376 } else { 2375 };
        let bare = authority.strip_suffix('/').unwrap_or(authority);
        let has_port = bare.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let authority = if has_port { bare.to_owned() } else { format!("{bare}:{port}") };
        let tls = tls.then(|| surroundings.cert_path.clone());
        Address::Tcp { authority, tls }
    };
    let good_authority = |rest: &str| {
        let bare = rest.strip_suffix('/').unwrap_or(rest);
        !bare.is_empty() && !bare.contains(['/', '@', ' ', '?', '#'])
    };
    let address = match scheme {
        platform::LOCAL_SCHEME => match platform::local_path(rest) {
            Some(path) => Address::Local(path),
            None => return wrong(platform::WHOLE_PATH),
        },
        "tcp" if good_authority(rest) => tcp(rest, surroundings.tls_verify),
        "http" if good_authority(rest) => tcp(rest, false),
        "https" if good_authority(rest) => tcp(rest, true),
        "ssh" => {
            return wrong(
                "ssh is not supported: forward the socket (ssh -L /tmp/engine.sock:/var/run/docker.sock \
                          HOST) and use unix:///tmp/engine.sock",
            );
        }
        _ => return wrong(accepted),
    };
    Ok(Endpoint { address, source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn named(endpoint: &str) -> EngineRef {
        EngineRef { endpoint: Some(endpoint.into()), ..EngineRef::default() }
    }

    #[test]
    fn every_way_to_say_where_an_engine_listens() {
        let plain = Surroundings::default();
        let tls =
            Surroundings { tls_verify: true, cert_path: Some("/certs".into()), ..Surroundings::default() };
        for (text, surroundings, shown) in [
            ("unix:///run/x.sock", &plain, "unix:///run/x.sock"),
            ("tcp://build:2375", &plain, "tcp://build:2375"),
            ("tcp://build", &plain, "tcp://build:2375"),
            ("tcp://[::1]", &plain, "tcp://[::1]:2375"),
            ("tcp://[::1]:99/", &plain, "tcp://[::1]:99"),
            ("tcp://build:2376", &tls, "https://build:2376"),
            ("http://build:2376", &tls, "tcp://build:2376"),
            ("https://build", &plain, "https://build:2376"),
        ] {
            let found = find(&named(text), surroundings).unwrap().to_string();
            assert_eq!(found, format!("{shown} (the resource's `endpoint`)"), "{text}");
        }
        for text in
            ["", "build:2375", "unix://", "unix://x.sock", "ssh://root@build", "tcp://", "tcp://a/b", "x://y"]
        {
            let error = find(&named(text), &plain).unwrap_err();
            assert!(error.to_string().contains("; "), "no way out: {error}");
        }
    }

    #[test]
    fn the_environment_decides_before_the_sockets_and_each_runtime_has_its_own() {
        let both = Surroundings {
            docker_host: Some("unix:///d.sock".into()),
            container_host: Some("unix:///p.sock".into()),
            ..Surroundings::default()
        };
        for (runtime, shown) in [
            (Runtime::Auto, "unix:///d.sock (from DOCKER_HOST)"),
            (Runtime::Docker, "unix:///d.sock (from DOCKER_HOST)"),
            (Runtime::Podman, "unix:///p.sock (from CONTAINER_HOST)"),
        ] {
            let engine = EngineRef { runtime, endpoint: None };
            assert_eq!(find(&engine, &both).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn no_engine_names_every_socket_that_was_tried() {
        let own = Own { runtime_dir: "/nonexistent".into(), root: false };
        let nowhere = Surroundings { own, ..Surroundings::default() };
        let error = find(&EngineRef { runtime: Runtime::Podman, endpoint: None }, &nowhere);
        let Err(error) = error else { return }; // this machine has Podman
        let told = error.to_string();
        assert!(
            told.contains("/run/podman/podman.sock") && told.contains("/nonexistent/podman/podman.sock"),
            "{told}"
        );
        assert!(!error.can_retry());
    }
}
