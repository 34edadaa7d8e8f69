//! Where a probe looks from: the host, or the inside of a container, which the kernel shows through its first process.

#[cfg(target_os = "linux")]
mod ids;
#[cfg(feature = "tcp")]
pub(crate) mod network;
#[cfg(feature = "container")]
mod relay;
#[cfg(target_os = "linux")]
pub(crate) mod root;
#[cfg(not(target_os = "linux"))]
#[path = "root_elsewhere.rs"]
pub(crate) mod root;
#[cfg(feature = "mysql")]
pub(crate) mod tunnel;

#[cfg(target_os = "linux")]
pub(crate) use ids::IdMap;
#[cfg(feature = "container")]
pub use relay::{Helper, relay};
#[cfg(target_os = "linux")]
pub(crate) use root::no_entry;

use std::io;

use clockwork_core::{CheckError, Context, Vantage};

/// The process whose namespaces are the vantage; `None` for the host's own.
///
/// # Errors
/// When the resource is no container, the container does not run, or it cannot be seen.
pub async fn process(cx: &Context) -> Result<Option<u32>, CheckError> {
    match cx.vantage() {
        Vantage::Host => Ok(None),
        #[cfg(feature = "container")]
        Vantage::Inside(name) => crate::container::first_process(cx, name).await.map(Some),
        #[cfg(not(feature = "container"))]
        Vantage::Inside(name) => Err(CheckError::unobservable(format!("cannot look from inside {name}"))
            .hint("build clockwork-drivers with its `container` feature")),
    }
}

/// How much of a configuration file is read.
#[cfg(feature = "dns")]
const CONFIGURATION: u64 = 1 << 20;

/// A configuration file as it is there: the host's, or the container's own, whose links do not lead out of it. `None`
/// where there is none.
///
/// # Errors
/// As [`process`]; or when the file is there and cannot be read.
#[cfg(feature = "dns")]
pub(crate) async fn read(path: &'static str, cx: &Context) -> Result<Option<Vec<u8>>, CheckError> {
    use std::io::Read;

    #[cfg(feature = "container")]
    if let Some(elsewhere) = elsewhere(path, cx).await? {
        return Ok(elsewhere);
    }
    let inside = process(cx).await?;
    let read = move || -> Result<Option<Vec<u8>>, CheckError> {
        let unreadable = |error: io::Error| {
            CheckError::unobservable(format!(
                "cannot read {path} at {}",
                inside.map_or("host", |_| "the container")
            ))
            .with_source(error)
        };
        let file = match root::open(path, inside)? {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut content = Vec::new();
        file.take(CONFIGURATION).read_to_end(&mut content).map_err(unreadable)?;
        Ok(Some(content))
    };
    tokio::task::spawn_blocking(read).await?
}

/// The file, from the engine, where the kernel does not show the container's root.
#[cfg(all(feature = "container", feature = "dns"))]
async fn elsewhere(path: &'static str, cx: &Context) -> Result<Option<Option<Vec<u8>>>, CheckError> {
    use std::io::Read;

    let Vantage::Inside(name) = cx.vantage() else { return Ok(None) };
    let (engine, seen) = crate::container::running(cx, name).await?;
    let Some(details) = &*seen else { return Ok(None) };
    if let Some(pid) = crate::container::process_here(details).await
        && tokio::task::spawn_blocking(move || root::may_enter(pid)).await?
    {
        return Ok(None);
    }
    let engine = crate::container::client::engine(&engine, cx).await?;
    cx.phase(format!("waiting for the engine to send {path}"));
    let archive = format!("/containers/{}/archive?path={path}", details.id);
    let done = engine.act("GET", &archive, "application/json", b"").await?;
    match done.status {
        404 => return Ok(Some(None)),
        200 => {}
        _ => {
            let message = format!("cannot read {path} of {name}: the engine says {}", done.told());
            return Err(CheckError::unobservable(message));
        }
    }
    let broken = |error: io::Error| {
        CheckError::unobservable(format!("cannot read {path} of {name}: what the engine sends is no archive"))
            .with_source(error)
    };
    let mut archive = tar::Archive::new(&done.body[..]);
    let Some(entry) = archive.entries().map_err(broken)?.next() else { return Ok(Some(None)) };
    let mut content = Vec::new();
    entry.map_err(broken)?.take(CONFIGURATION).read_to_end(&mut content).map_err(broken)?;
    Ok(Some(Some(content)))
}
