//! [`UnitProbe`]: what systemd's manager says of a unit.

use std::collections::HashMap;

use clockwork_core::{CheckError, Context, Fault, Probe, text::quote};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::bus::Bus;

const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Asks for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnitProbe {
    /// Its whole name, as [`unit_name`] makes it.
    pub unit: String,
    /// The D-Bus address of the bus on which systemd is; the system's own where it is left out.
    pub bus: Option<String>,
}

/// A unit's state, in systemd's words (`systemctl show`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// Why it could not be loaded.
    pub load_error: Option<String>,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`…
    pub active: String,
    /// The same in more detail: `running`, `exited`, `dead`, `auto-restart`…
    pub sub: String,
    /// Whether it starts by itself: `enabled`, `disabled`, `static`, `masked`…; empty where there is no file.
    pub file: String,
    /// The file changed since it was read.
    pub stale: bool,
    /// For services: how its main process ran last.
    pub last_run: Option<LastRun>,
}

/// How a service's main process ran last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastRun {
    /// `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, `start-limit-hit`…
    pub result: String,
    /// `exited with code 3`, `was killed by SIGKILL`; `None` where it has not ended.
    pub ended: Option<String>,
    /// How often it was restarted by its restart setting.
    pub restarts: u32,
}

/// The whole name of a unit: without a type it is a service, as for `systemctl`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn unit_name(name: &str) -> Result<String, String> {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "timer",
        "mount",
        "target",
        "path",
        "device",
        "swap",
        "slice",
        "scope",
        "automount",
    ];
    if name.is_empty() {
        return Err(String::from("is empty: name a unit"));
    }
    if name.contains('/') {
        return Err(format!("{} is a path: give the unit's name alone", quote(name)));
    }
    if name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c)) {
        return Err(format!("{} cannot be the name of a unit", quote(name)));
    }
    let typed = name.rsplit_once('.').is_some_and(|(_, kind)| TYPES.contains(&kind));
    let whole = if typed { name.to_owned() } else { format!("{name}.service") };
    if whole.contains("@.") {
        let instance = whole.replacen("@.", "@NAME.", 1);
        return Err(format!("{whole} is a template: name one of its instances, as in {instance}"));
    }
    Ok(whole)
}

impl Probe for UnitProbe {
    type Observation = UnitState;

    async fn look(&self, cx: &Context) -> Result<UnitState, CheckError> {
        let bus = Bus::of(self.bus.as_deref(), cx).await?;
        let interface = "org.freedesktop.systemd1.Manager";
        // Loads it if need be, which only reads its file: what is not loaded has no state.
        let answer = bus.call(MANAGER_PATH, interface, "LoadUnit", &(self.unit.as_str()), cx).await?;
        let path: OwnedObjectPath = answer.body().deserialize().map_err(unreadable)?;
        let unit = properties(&bus, path.as_str(), "org.freedesktop.systemd1.Unit", cx).await?;
        let mut state = UnitState {
            load: unit.text("LoadState")?,
            load_error: unit.error("LoadError"),
            active: unit.text("ActiveState")?,
            sub: unit.text("SubState")?,
            file: unit.text("UnitFileState")?,
            stale: unit.flag("NeedDaemonReload"),
            last_run: None,
        };
        if self.unit.ends_with(".service") && state.load != "not-found" {
            let service = properties(&bus, path.as_str(), "org.freedesktop.systemd1.Service", cx).await?;
            state.last_run = Some(service.last_run()?);
        }
        Ok(state)
    }

    fn describe(&self) -> String {
        format!("asking systemd for {}", self.unit)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// All properties of one interface.
struct Properties(HashMap<String, OwnedValue>);

async fn properties(bus: &Bus, path: &str, interface: &str, cx: &Context) -> Result<Properties, CheckError> {
    let answer = bus.call(path, PROPERTIES, "GetAll", &(interface), cx).await?;
    Ok(Properties(answer.body().deserialize().map_err(unreadable)?))
}

fn unreadable(error: zbus::Error) -> CheckError {
    CheckError::unobservable("what systemd says cannot be read").with_source(error)
}

impl Properties {
    fn text(&self, name: &str) -> Result<String, CheckError> {
        let value = self.0.get(name).and_then(|value| value.downcast_ref::<&str>().ok());
        let missing = || CheckError::unobservable(format!("systemd does not say what {name} is"));
        value.map(str::to_owned).ok_or_else(missing)
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.downcast_ref::<bool>().unwrap_or(false))
    }

    fn number(&self, name: &str) -> i64 {
        let value = self.0.get(name);
        let signed = value.and_then(|value| value.downcast_ref::<i32>().ok()).map(i64::from);
        let unsigned = || value.and_then(|value| value.downcast_ref::<u32>().ok()).map(i64::from);
        signed.or_else(unsigned).unwrap_or(0)
    }

    /// A structure of the error's name and its message.
    fn error(&self, name: &str) -> Option<String> {
        let structure = self.0.get(name)?.downcast_ref::<zbus::zvariant::Structure<'_>>().ok()?;
        let message = structure.fields().get(1)?.downcast_ref::<&str>().ok()?.to_owned();
        (!message.is_empty()).then_some(message)
    }

    fn last_run(&self) -> Result<LastRun, CheckError> {
        let status = i32::try_from(self.number("ExecMainStatus")).unwrap_or(-1);
        // The numbers are those of `si_code` (`CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`); 0 is "has not ended".
        let ended = match self.number("ExecMainCode") {
            1 => Some(format!("exited with code {status}")),
            2 | 3 => Some(format!("was killed by {}", crate::signal::name(status))),
            _ => None,
        };
        let restarts = u32::try_from(self.number("NRestarts")).unwrap_or(0);
        Ok(LastRun { result: self.text("Result")?, ended, restarts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_whole() {
        for (name, whole) in [
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("app.v2", "app.v2.service"),
            ("docker.socket", "docker.socket"),
            ("getty@tty1", "getty@tty1.service"),
            (r"dev-disk-by\x2dlabel.swap", r"dev-disk-by\x2dlabel.swap"),
        ] {
            assert_eq!(unit_name(name).as_deref(), Ok(whole));
        }
        for (name, problem) in [
            ("", "is empty"),
            ("/etc/systemd/system/x.service", "is a path"),
            ("a b", "cannot be the name of a unit"),
            ("getty@", "getty@.service is a template: name one of its instances, as in getty@NAME.service"),
            ("getty@.service", "is a template"),
        ] {
            assert!(unit_name(name).is_err_and(|told| told.contains(problem)), "{name}");
        }
    }
}
