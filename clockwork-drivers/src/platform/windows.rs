//! Windows.

#[cfg(feature = "tcp")]
use std::io;
#[cfg(any(feature = "container", feature = "postgres"))]
use std::path::Path;
#[cfg(feature = "container")]
use std::path::PathBuf;

#[cfg(any(feature = "container", feature = "postgres"))]
pub(crate) use tokio::net::windows::named_pipe::NamedPipeClient as LocalStream;

/// The variable that names the user's own directory.
#[cfg(feature = "container")]
pub(crate) const HOME: &str = "USERPROFILE";

/// The scheme of an endpoint that has a path, which is a named pipe's, and how it is written.
#[cfg(feature = "container")]
pub(crate) const LOCAL_SCHEME: &str = "npipe";
#[cfg(feature = "container")]
pub(crate) const WHOLE_PATH: &str = "a named pipe is one of this machine: npipe:////./pipe/docker_engine";
#[cfg(feature = "container")]
pub(crate) const ENDPOINTS: &str =
    "write npipe:////./pipe/docker_engine, tcp://host:2375 or https://host:2376";

#[cfg(feature = "container")]
const PIPES: &str = r"\\.\pipe\";

/// The path in such an endpoint.
#[cfg(feature = "container")]
pub(crate) fn local_path(rest: &str) -> Option<PathBuf> {
    let name = rest.replace('/', r"\");
    let name = name.strip_prefix(PIPES).filter(|name| !name.is_empty())?;
    Some(PathBuf::from(format!("{PIPES}{name}")))
}

/// The endpoint of such a path.
#[cfg(feature = "container")]
pub(crate) fn local_endpoint(path: &Path) -> String {
    format!("npipe://{}", path.to_string_lossy().replace('\\', "/"))
}

/// Whether such a pipe is there. It is not opened, which would be somebody's turn.
#[cfg(feature = "container")]
pub(crate) fn is_local_socket(path: &Path) -> bool {
    let Some(name) = path.to_str().and_then(|path| path.strip_prefix(PIPES)) else { return false };
    let mut pipes = std::fs::read_dir(PIPES).into_iter().flatten().flatten();
    pipes.any(|pipe| pipe.file_name() == name)
}

/// Error numbers of connections (`winsock2.h`).
#[cfg(feature = "tcp")]
pub(crate) mod number {
    pub(crate) const REFUSED: i32 = 10061;
    pub(crate) const TIMED_OUT: i32 = 10060;
    pub(crate) const HOST_UNREACHABLE: i32 = 10065;
    pub(crate) const NETWORK_UNREACHABLE: i32 = 10051;
}

/// Connects to a named pipe. One whose server is busy with somebody else is waited for.
///
/// # Errors
/// The operating system's.
#[cfg(any(feature = "container", feature = "postgres"))]
pub(crate) async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    use tokio::net::windows::named_pipe::ClientOptions;
    const BUSY: i32 = 231;
    loop {
        match ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(BUSY) => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            opened => return opened,
        }
    }
}

/// Whether this error number says that there is no network of that family here (`WSAEAFNOSUPPORT`).
#[cfg(feature = "tcp")]
pub(crate) fn is_no_such_network(number: i32) -> bool {
    number == 10047
}

/// Whether it says that this machine has run out of something (`WSAEMFILE`, `WSAENOBUFS`, and those of the system itself).
#[cfg(feature = "tcp")]
pub(crate) fn is_exhausted(number: i32) -> bool {
    [10024, 10055, 4, 8, 14].contains(&number)
}

/// Whether the resolver could not even ask. That there is no such name (`WSAHOST_NOT_FOUND`, `WSANO_DATA`) is an answer.
#[cfg(feature = "tcp")]
pub(crate) fn could_not_ask(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| ![11001, 11004].contains(&number))
}

/// How many sockets this process may have open: as many as there is memory for.
#[cfg(feature = "socket")]
pub(crate) fn open_files() -> u64 {
    16 << 10
}

/// The number of an interface: here they have only numbers in addresses.
#[cfg(feature = "dns")]
pub(crate) fn interface(_: &str) -> Option<u32> {
    None
}

/// Reads at a place of a file.
#[cfg(feature = "vulnerability")]
pub(crate) fn read_exact_at(file: &std::fs::File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        match file.seek_read(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The path that is these bytes, in a container.
#[cfg(all(feature = "container", feature = "file"))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// A folder among the temporary files, which here are each user's own.
#[cfg(feature = "vulnerability")]
pub(crate) fn own_temporary_folder() -> PathBuf {
    std::env::temp_dir().join("clockwork")
}

/// A folder with the rights of the one around it.
#[cfg(feature = "vulnerability")]
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    std::fs::create_dir(folder)
}

/// Whether a folder is this user's own: one of those beneath the user's profile.
#[cfg(feature = "vulnerability")]
pub(crate) fn is_private(folder: &Path) -> bool {
    let own = std::env::var_os("USERPROFILE").map(PathBuf::from).and_then(|own| own.canonicalize().ok());
    let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir());
    folder.zip(own).is_some_and(|(folder, own)| folder.starts_with(own))
}

/// Opens a file for reading. Links take rights here that only an administrator has.
#[cfg(feature = "vulnerability")]
pub(crate) fn open_no_link(path: &Path) -> io::Result<std::fs::File> {
    std::fs::File::open(path)
}

/// A program's standard input that is this socket.
#[cfg(feature = "sandbox")]
pub(crate) fn input(socket: &crate::sandbox::Descriptor) -> io::Result<std::process::Stdio> {
    match *socket {}
}

/// The signal that ended a program: here none does.
#[cfg(feature = "command")]
pub(crate) fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}
