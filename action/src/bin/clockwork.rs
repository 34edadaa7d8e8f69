//! The `clockwork` command for manifests: see the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A check makes some thirty small allocations, a third of which stay until the report is written. With glibc's allocator
/// that is a fifth of what a check takes, and with musl's, which releases are linked with, far more.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    clockwork_action::Command::new().main()
}
