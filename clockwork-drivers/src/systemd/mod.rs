//! systemd's units, as its manager tells them over D-Bus ([`UnitProbe`]). Nothing is started, and `systemctl` is not
//! needed.

mod bus;
mod unit;

pub use unit::{LastRun, UnitProbe, UnitState, unit_name};
