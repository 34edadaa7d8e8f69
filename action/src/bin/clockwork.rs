//! The `clockwork` command for manifests: see the library.

use std::process::ExitCode;

/// A check makes some twenty small allocations, a third of which stay until the report is written. With glibc's allocator
/// that was a fifth of what a check takes, and with musl's, which releases are linked with, far more.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    clockwork_action::Command::new().main()
}
