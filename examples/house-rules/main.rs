//! The command with the rules of the house: what a team installs instead of `clockwork`.
//!
//! ```text
//! cargo run --bin house -- assert --manifest examples/house-rules/clockwork.yaml --var backups=/var/backups
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    clockwork_action::Command::new().register(house_rules::register).main()
}
