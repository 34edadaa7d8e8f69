//! Linux, macOS and their relatives.

#[cfg(feature = "tcp")]
use std::io;
#[cfg(any(feature = "container", feature = "postgres"))]
use std::path::Path;
#[cfg(feature = "container")]
use std::path::PathBuf;

#[cfg(any(feature = "container", feature = "postgres"))]
pub(crate) use tokio::net::UnixStream as LocalStream;

/// The variable that names the user's own directory.
#[cfg(feature = "container")]
pub(crate) const HOME: &str = "HOME";

/// The scheme of an endpoint that has a path, and how it is written.
#[cfg(feature = "container")]
pub(crate) const LOCAL_SCHEME: &str = "unix";
#[cfg(feature = "container")]
pub(crate) const WHOLE_PATH: &str = "a unix socket needs an absolute path: unix:///var/run/docker.sock";
#[cfg(feature = "container")]
pub(crate) const ENDPOINTS: &str = "write unix:///path/to/docker.sock, tcp://host:2375 or https://host:2376";

/// The path in such an endpoint.
#[cfg(feature = "container")]
pub(crate) fn local_path(rest: &str) -> Option<PathBuf> {
    rest.starts_with('/').then(|| PathBuf::from(rest))
}

/// The endpoint of such a path.
#[cfg(feature = "container")]
pub(crate) fn local_endpoint(path: &Path) -> String {
    format!("unix://{}", path.display())
}

/// Whether such a socket is there.
#[cfg(feature = "container")]
pub(crate) fn is_local_socket(path: &Path) -> bool {
    path.exists()
}

/// Error numbers of connections.
#[cfg(feature = "tcp")]
pub(crate) mod number {
    pub(crate) use nix::libc::{
        ECONNREFUSED as REFUSED, EHOSTUNREACH as HOST_UNREACHABLE, ENETUNREACH as NETWORK_UNREACHABLE,
        ETIMEDOUT as TIMED_OUT,
    };
}

/// Connects to a socket that has a path.
///
/// # Errors
/// The operating system's.
#[cfg(any(feature = "container", feature = "postgres"))]
pub(crate) async fn connect_local(path: &Path) -> io::Result<LocalStream> {
    LocalStream::connect(path).await
}

/// Whether this error number says that there is no network of that family here.
#[cfg(feature = "tcp")]
pub(crate) fn is_no_such_network(number: i32) -> bool {
    number == nix::libc::EAFNOSUPPORT
}

/// Whether it says that this machine has run out of something.
#[cfg(feature = "tcp")]
pub(crate) fn is_exhausted(number: i32) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(&number)
}

/// Whether the resolver could not even ask. Its own answers carry no error number; one that does is this machine's.
#[cfg(feature = "tcp")]
pub(crate) fn could_not_ask(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

/// How many files, sockets among them, this process may have open.
#[cfg(feature = "socket")]
pub(crate) fn open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// The number of an interface.
#[cfg(feature = "dns")]
pub(crate) fn interface(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// Reads at a place of a file, and leaves its own place alone.
#[cfg(feature = "vulnerability")]
pub(crate) fn read_exact_at(file: &std::fs::File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// The path that is these bytes.
#[cfg(all(feature = "container", feature = "file"))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

/// A folder among the temporary files for this user alone. Whoever was first may have made it: see [`is_private`].
#[cfg(feature = "vulnerability")]
pub(crate) fn own_temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("clockwork-{}", nix::unistd::geteuid()))
}

/// A folder that nobody else may enter.
#[cfg(feature = "vulnerability")]
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(folder)
}

/// Whether a folder belongs to this user, and nobody else may enter it.
#[cfg(feature = "vulnerability")]
pub(crate) fn is_private(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(folder)
        .is_ok_and(|it| it.is_dir() && it.uid() == nix::unistd::geteuid().as_raw() && it.mode() & 0o077 == 0)
}

/// Opens a file for reading that is no link, and waits for nobody.
#[cfg(feature = "vulnerability")]
pub(crate) fn open_no_link(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// A program's standard input that is this socket.
#[cfg(feature = "sandbox")]
pub(crate) fn input(socket: &crate::sandbox::Descriptor) -> io::Result<std::process::Stdio> {
    socket.try_clone().map(std::process::Stdio::from)
}

/// The signal that ended a program.
#[cfg(feature = "command")]
pub(crate) fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
