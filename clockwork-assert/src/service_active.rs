//! [`ServiceActiveAssert`]: a systemd unit is active, and starts at boot or does not.
//!
//! It asks systemd's manager over D-Bus, not `systemctl`. Active is what `systemctl is-active` calls so: `active` and
//! `reloading`; a service that ran to its end and has `RemainAfterExit=` is. It proves that systemd has the unit up, not that the
//! service does its work.
//!
//! `enabled: true` asks that it starts at boot by itself: `enabled`, `alias`, or `generated` (from `/etc/init.d`, from
//! `fstab`). A `static` or `indirect` unit does not, something else has to start it; neither does one that is enabled
//! until the next boot (`enabled-runtime`). `enabled: false` asks for the opposite.
//!
//! Judged (so that `not` turns it around): every state of a unit, also that there is none of this name or that it is
//! masked. No systemd on this machine, no bus, or no permission to ask are `errored`.
//!
//! `details`: `load`, `active`, `sub`, `enabled` (systemd's word), and for a service `result` and `restarts`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait, text::quote,
};
use clockwork_drivers::systemd::{LastRun, UnitProbe, UnitState, unit_name};
use schemars::JsonSchema;
use serde::Deserialize;

/// A systemd unit is active. Where there is no systemd, nobody can tell: the verdict is `errored`.
///
/// ```
/// use clockwork_assert::ServiceActiveAssert;
///
/// ServiceActiveAssert::new("nginx").enabled(true);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceActiveAssert {
    /// The unit; without a type it is a service: `nginx` is `nginx.service`.
    unit: String,
    /// Whether it starts at boot by itself; not asked unless given.
    #[serde(default)]
    enabled: Option<bool>,
    /// The D-Bus address of the bus on which systemd is, as in `unix:path=/run/user/1000/bus` for a user's own; the
    /// system's unless given.
    #[serde(default)]
    bus: Option<String>,
}

impl ServiceActiveAssert {
    /// This unit is active; without a type it is a service.
    pub fn new(unit: impl Into<String>) -> Self {
        Self { unit: unit.into(), enabled: None, bus: None }
    }

    /// Whether it starts at boot by itself.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// The D-Bus address of the bus on which systemd is, if it is not the system's.
    #[must_use]
    pub fn bus(mut self, address: impl Into<String>) -> Self {
        self.bus = Some(address.into());
        self
    }

    fn expected(&self) -> &'static str {
        match self.enabled {
            None => "active",
            Some(true) => "active, enabled",
            Some(false) => "active, not enabled",
        }
    }

    fn judge(&self, unit: &str, seen: &UnitState) -> Verdict {
        let active = matches!(seen.active.as_str(), "active" | "reloading" | "refreshing");
        let boot = self.enabled.and_then(|enabled| wrong_at_boot(enabled, &seen.file));
        let mut message = match (active, &boot) {
            (true, Some(boot)) => format!("{unit} is active, but {boot}"),
            (true, None) => up(unit, seen),
            (false, Some(boot)) if seen.load == "loaded" => format!("{}; and it {boot}", down(unit, seen)),
            (false, _) => down(unit, seen),
        };
        if seen.stale {
            message.push_str("; its file changed since systemd read it (`systemctl daemon-reload`)");
        }
        let mut verdict = Verdict::of(active && boot.is_none(), message)
            .expected(self.expected())
            .actual(actual(seen))
            .detail("load", word(&seen.load))
            .detail("active", word(&seen.active))
            .detail("sub", word(&seen.sub))
            .detail("enabled", word(&seen.file));
        if let Some(run) = &seen.last_run {
            verdict = verdict.detail("result", word(&run.result)).detail("restarts", run.restarts);
        }
        verdict
    }
}

/// One of systemd's words, which are few; whatever else says that it is systemd is not believed.
fn word(text: &str) -> String {
    match text.len() < 40 && text.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        true => text.to_owned(),
        false => quote(text),
    }
}

fn actual(seen: &UnitState) -> String {
    let file = if seen.file.is_empty() { String::new() } else { format!(", {}", word(&seen.file)) };
    match seen.load.as_str() {
        "loaded" => format!("{} ({}){file}", word(&seen.active), word(&seen.sub)),
        load => format!("{} ({}), {}", word(&seen.active), word(&seen.sub), word(load)),
    }
}

/// What is wrong with how it starts at boot, if anything is.
fn wrong_at_boot(enabled: bool, file: &str) -> Option<String> {
    let starts = matches!(file, "enabled" | "alias" | "generated");
    let what = match (enabled, file) {
        (true, _) if starts => return None,
        (false, _) if !starts => return None,
        (true, "") => "has no file, so that it is gone after the next boot".to_owned(),
        (true, "static" | "indirect") => format!("is {file}: it does not start at boot by itself"),
        (true, "enabled-runtime") => "is enabled until the next boot only".to_owned(),
        (true, file) => format!("is not enabled ({}): it does not start at boot", word(file)),
        (false, file) => format!("is {}: it starts at boot", word(file)),
    };
    Some(what)
}

fn up(unit: &str, seen: &UnitState) -> String {
    let restarts = match seen.last_run.as_ref().map_or(0, |run| run.restarts) {
        0 => String::new(),
        1 => String::from(", restarted once"),
        count => format!(", restarted {count} times"),
    };
    let masked = if seen.load == "masked" { ", though masked" } else { "" };
    format!("{unit} is {} ({}{restarts}){masked}", word(&seen.active), word(&seen.sub))
}

fn restarts(count: u32) -> String {
    if count == 1 { String::from("1 restart") } else { format!("{count} restarts") }
}

/// Why it is not active, and what to do.
fn down(unit: &str, seen: &UnitState) -> String {
    let why = seen.load_error.as_deref().map(|why| format!(": {}", quote(why))).unwrap_or_default();
    match seen.load.as_str() {
        "not-found" => return format!("there is no unit {unit}"),
        "masked" => return format!("{unit} is masked: it cannot be started until `systemctl unmask {unit}`"),
        "loaded" => {}
        _ => return format!("systemd cannot load {unit}{why}; `systemd-analyze verify {unit}` tells more"),
    }
    let run = seen.last_run.clone().unwrap_or_default();
    let ended = run.ended.as_deref().map(|ended| format!("its process {ended}")).unwrap_or_default();
    match (seen.active.as_str(), seen.sub.as_str()) {
        ("failed", _) => format!("{unit} failed{}; `journalctl -u {unit}` tells more", failure(&run, &ended)),
        ("activating", "auto-restart" | "auto-restart-queued") => {
            let times = restarts(run.restarts);
            let ended = if ended.is_empty() { String::new() } else { format!(": {ended}") };
            format!("{unit} keeps ending and waits to be restarted ({times} so far){ended}")
        }
        ("activating", sub) => {
            let before =
                if run.restarts > 0 { format!(", after {}", restarts(run.restarts)) } else { String::new() };
            format!("{unit} is still starting ({}{before})", word(sub))
        }
        ("deactivating", sub) => format!("{unit} is stopping ({})", word(sub)),
        ("inactive", _) if !ended.is_empty() => {
            format!("{unit} is not running: {ended}, and nothing restarts it")
        }
        ("inactive", _) => format!("{unit} is not running; `systemctl start {unit}` starts it"),
        (active, sub) => format!("{unit} is {} ({})", word(active), word(sub)),
    }
}

/// ` (exit-code): its process exited with code 3`.
fn failure(run: &LastRun, ended: &str) -> String {
    let result = match run.result.as_str() {
        "" | "success" => String::new(),
        "oom-kill" => String::from(" for want of memory (oom-kill)"),
        "start-limit-hit" => String::from(" too often, and systemd gave up (start-limit-hit)"),
        result => format!(" ({})", word(result)),
    };
    if ended.is_empty() { result } else { format!("{result}: {ended}") }
}

impl AssertionKind for ServiceActiveAssert {
    const NAME: &'static str = "ServiceActiveAssert";
}

#[async_trait]
impl Assertion for ServiceActiveAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        match self.enabled {
            None => self.unit.clone(),
            Some(true) => format!("{}, enabled", self.unit),
            Some(false) => format!("{}, not enabled", self.unit),
        }
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        problems.extend(unit_name(&self.unit).err().map(|problem| Invalid::field("unit", problem)));
        if let Some(bus) = &self.bus
            && !bus.contains(':')
        {
            let problem = format!("{} is not a D-Bus address: write `unix:path=/run/…`", quote(bus));
            problems.push(Invalid::field("bus", problem));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let unit = unit_name(&self.unit).map_err(CheckError::unobservable)?;
        let seen = cx.observe(UnitProbe { unit: unit.clone(), bus: self.bus.clone() }).await?;
        Ok(self.judge(&unit, &seen))
    }
}

#[cfg(test)]
#[path = "service_active_tests.rs"]
mod tests;
