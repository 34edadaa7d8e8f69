//! Files: what is at a path, what is in it, who it belongs to, and how much a directory or a filesystem holds; and
//! [`FileResource`], a file that should be there.
//!
//! Every probe makes one hop to a blocking thread for all its system calls, and short looks share such threads. Nothing is opened that is not a regular
//! file, so that a FIFO without a writer, a device or a socket can neither hang nor flood us, and whatever is read is
//! read up to a bound or in chunks. From inside a container paths are resolved by the kernel as the container's own
//! processes would resolve them (`openat2` with `RESOLVE_IN_ROOT`), so an absolute link stays inside.
//!
//! Paths: a relative one is relative to the working directory (inside a container: to its root); `~` is not expanded.

mod account;
#[cfg(feature = "container")]
mod archive;
mod content;
mod document;
mod lane;
mod mode;
mod place;
mod regex_stream;
mod resource;
mod root;
mod scan;
mod stat;
mod usage;
mod yaml;

pub use account::{Account, AccountProbe, AccountRef};
pub use content::{DOCUMENT_LIMIT, FileBytes, FileContentProbe, IN_MEMORY};
pub use document::{Document, DocumentFormat, FileDocumentProbe};
pub use mode::{FileMode, ModeError};
pub use place::{check_path, show_path};
pub use resource::{FileDriver, FileObservation, FileResource};
pub use root::{Absence, Missing};
pub use scan::{FALLBACK_LIMIT, FileScanProbe, FileSha256Probe, Needle};
pub use stat::{FileMeta, FileStatProbe, FileType, Found};
pub use usage::{DirectoryUsage, DirectoryUsageProbe, FilesystemUsage, FilesystemUsageProbe};

#[cfg(test)]
mod tests;
