//! The `clockwork` command for manifests: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    clockwork_action::Command::new().main()
}
