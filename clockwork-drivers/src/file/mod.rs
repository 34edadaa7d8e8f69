//! Files: what is at a path, what is in it, who it belongs to, and how much a directory or a filesystem holds; and
//! [`FileResource`], a file that should be there.
//!
//! Every probe makes one hop to a blocking thread for all its system calls, and short looks share such threads. Nothing is opened that is not a regular
//! file, so that a FIFO without a writer, a device or a socket can neither hang nor flood us, and whatever is read is
//! read up to a bound or in chunks. From inside a container paths are resolved by the kernel as the container's own
//! processes would resolve them (`openat2` with `RESOLVE_IN_ROOT`), so an absolute link stays inside.
//!
//! On other systems than Linux only this machine's own files are looked at so; the engine brings those of containers.
//!
//! Paths: a relative one is relative to the working directory (inside a container: to its root); `~` is not expanded.

mod absence;
mod account;
#[cfg(unix)]
mod account_unix;
#[cfg(feature = "container")]
mod archive;
mod content;
mod document;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "here it is only compared with what is in use"))]
mod elsewhere;
#[cfg(all(test, target_os = "linux"))]
mod elsewhere_tests;
mod lane;
#[cfg(target_os = "linux")]
mod linux;
mod look;
mod mode;
mod place;
mod regex_stream;
mod resource;
mod scan;
mod stat;
mod usage;
mod yaml;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

pub use absence::{Absence, Missing};
pub use account::{Account, AccountProbe, AccountRef};
pub use content::{DOCUMENT_LIMIT, FileBytes, FileContentProbe, IN_MEMORY};
pub use document::{Document, DocumentFormat, FileDocumentProbe};
pub use mode::{FileMode, ModeError};
pub use place::{check_path, show_path, shown_path};
pub use resource::{FileDriver, FileObservation, FileResource};
pub use scan::{FALLBACK_LIMIT, FileScanProbe, FileSha256Probe, Needle, sha256};
pub use stat::{FileMeta, FileStatProbe, FileType, Found};
#[cfg(windows)]
use stat::{NO_ACCOUNT, NO_MODE};
pub use usage::{DirectoryUsage, DirectoryUsageProbe, FilesystemUsage, FilesystemUsageProbe};

#[cfg(all(test, target_os = "linux"))]
mod tests;
