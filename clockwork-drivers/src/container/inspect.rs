//! [`ContainerInspect`]: all that the engine knows of one container, for what the list does not tell.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use clockwork_core::{CheckError, Context, Fault, Probe};
use serde::Deserialize;

use super::{
    EngineRef,
    client::{self, segment},
    list::{ContainerState, Health, is_id_prefix, or_default},
};

/// All that the engine knows of one container; nothing, where there is none of exactly this name or id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerInspect {
    /// The engine that runs it.
    pub engine: EngineRef,
    /// Its name, or 12 or more digits of its id.
    pub name: String,
}

/// What `GET /containers/…/json` says, as far as it is needed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerDetails {
    /// 64 hexadecimal digits.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// With the leading slash.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The id of the image that it was made of.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// How often the restart policy started it again.
    #[serde(deserialize_with = "or_default")]
    pub restart_count: u64,
    /// Where it is in its life.
    #[serde(deserialize_with = "or_default")]
    pub state: StateDetails,
    #[serde(deserialize_with = "or_default")]
    pub(crate) config: Config,
    #[serde(deserialize_with = "or_default")]
    pub(crate) host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    pub(crate) network_settings: NetworkSettings,
}

/// Where a container is in its life.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StateDetails {
    #[serde(deserialize_with = "or_default")]
    status: String,
    /// The first process, on the engine's machine; 0 when there is none.
    #[serde(deserialize_with = "or_default")]
    pub pid: u32,
    /// How the last run ended.
    #[serde(deserialize_with = "or_default")]
    pub exit_code: i64,
    /// Whether the kernel ended a process of it for want of memory.
    #[serde(rename = "OOMKilled", deserialize_with = "or_default")]
    pub oom_killed: bool,
    /// When it was last started, in the engine's words (RFC 3339).
    #[serde(deserialize_with = "or_default")]
    started_at: String,
    /// Why the engine could not start it.
    #[serde(deserialize_with = "or_default")]
    pub error: String,
    #[serde(deserialize_with = "or_default")]
    health: HealthState,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthState {
    #[serde(deserialize_with = "or_default")]
    status: String,
    #[serde(deserialize_with = "or_default")]
    failing_streak: u64,
    #[serde(deserialize_with = "or_default")]
    log: Vec<HealthRun>,
}

/// One run of a health check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthRun {
    /// 0 is healthy.
    #[serde(deserialize_with = "or_default")]
    pub exit_code: i64,
    /// What it wrote; the engine keeps 4 KiB of it.
    #[serde(deserialize_with = "or_default")]
    pub output: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Config {
    #[serde(deserialize_with = "or_default")]
    pub(crate) hostname: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) user: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) healthcheck: Healthcheck,
}

/// Without the environment, and what else may hold a secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("image", &self.image).finish_non_exhaustive()
    }
}

/// Times are in nanoseconds, 0 where the engine's default applies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Healthcheck {
    #[serde(deserialize_with = "or_default")]
    pub(crate) test: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) interval: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) timeout: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) start_period: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) retries: u32,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    pub(crate) binds: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) mounts: Vec<MountConfig>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) port_bindings: BTreeMap<String, Option<Vec<Binding>>>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) restart_policy: RestartPolicy,
    #[serde(deserialize_with = "or_default")]
    pub(crate) memory: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) nano_cpus: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) cpu_quota: i64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) cpu_period: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct MountConfig {
    #[serde(deserialize_with = "or_default")]
    pub(crate) source: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) target: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) read_only: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Binding {
    #[serde(rename = "HostIp", deserialize_with = "or_default")]
    pub(crate) host_ip: String,
    #[serde(rename = "HostPort", deserialize_with = "or_default")]
    pub(crate) host_port: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) maximum_retry_count: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    pub(crate) networks: BTreeMap<String, Option<Attachment>>,
    /// `80/tcp`, and where it is published.
    #[serde(deserialize_with = "or_default")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
}

/// How a container is attached to a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attachment {
    #[serde(rename = "IPAddress", deserialize_with = "or_default")]
    address: String,
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "or_default")]
    address_v6: String,
}

impl ContainerDetails {
    /// Where it is in its life.
    pub fn state(&self) -> ContainerState {
        ContainerState::read(&self.state.status)
    }

    /// The name of the image that it was made of, as it was given then.
    pub fn image_name(&self) -> &str {
        &self.config.image
    }

    /// When it was last started, by the engine's clock; `None` where it never was.
    pub fn started_at(&self) -> Option<SystemTime> {
        instant(&self.state.started_at)
    }

    /// What its health check says; `None` for a word that nobody knows yet.
    pub fn health(&self) -> Option<Health> {
        Health::read(&self.state.health.status)
    }

    /// The names of the networks that it is in.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.network_settings.networks.keys().map(String::as_str)
    }

    /// The addresses that it has in them.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let attachments = self.network_settings.networks.values().flatten();
        attachments.flat_map(|one| [&one.address, &one.address_v6]).filter_map(|address| address.parse().ok())
    }

    /// The TCP ports of this machine that lead to it, and on which address; on all, if `None`.
    pub fn published(&self) -> Vec<(Option<IpAddr>, u16)> {
        let ports = self.network_settings.ports.iter().filter(|(port, _)| port.ends_with("/tcp"));
        let bindings = ports.filter_map(|(_, bindings)| bindings.as_ref()).flatten();
        let read = |binding: &Binding| {
            let address = binding.host_ip.parse().ok().filter(|address: &IpAddr| !address.is_unspecified());
            Some((address, binding.host_port.parse().ok()?))
        };
        bindings.filter_map(read).collect()
    }

    /// What it calls itself: the first digits of its id, unless it was given another name.
    pub fn hostname(&self) -> &str {
        &self.config.hostname
    }

    /// How many checks in a row failed.
    pub fn failing_streak(&self) -> u64 {
        self.state.health.failing_streak
    }

    /// The last run of its health check.
    pub fn last_health_run(&self) -> Option<&HealthRun> {
        self.state.health.log.last()
    }

    /// The memory that it may use, in bytes; `None` where nothing but the machine limits it.
    pub fn memory_limit(&self) -> Option<u64> {
        Some(self.host_config.memory).filter(|&limit| limit > 0)
    }

    /// The restart policy's name: `no`, `always`, `unless-stopped`, `on-failure`.
    pub fn restart_policy(&self) -> &str {
        match self.host_config.restart_policy.name.as_str() {
            "" => "no",
            name => name,
        }
    }

    /// Whether nobody but a person will start it again: it ended, and its restart policy lets it be.
    pub fn stays_down(&self) -> bool {
        let policy = &self.host_config.restart_policy;
        let given_up = policy.maximum_retry_count > 0 && self.restart_count >= policy.maximum_retry_count;
        self.state() == ContainerState::Exited
            && match self.restart_policy() {
                "no" => true,
                "on-failure" => self.state.exit_code == 0 || given_up,
                _ => false,
            }
    }

    /// The engine also takes the beginning of an id, however short, for a name.
    fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix('/').unwrap_or(&self.name) == name
            || (is_id_prefix(name) && self.id.starts_with(name))
    }
}

/// `2026-01-31T12:00:00.123456789Z`, or with an offset; the year 1 is how engines say never.
pub(crate) fn instant(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let zone = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let numbers = |text: &str, mark: char| {
        let mut parts = text.split(mark).map(|part| part.parse::<i64>().ok());
        Some((parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?))
    };
    let (year, month, day) = numbers(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (hour, minute, second) = numbers(clock, ':')?;
    let offset = match zone.split_at_checked(1)? {
        ("Z", _) => 0,
        (sign, zone) => {
            let (hours, minutes, _) = numbers(zone, ':')?;
            (hours * 3600 + minutes * 60) * if sign == "-" { -1 } else { 1 }
        }
    };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970, with the year beginning in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(u64::try_from(seconds).ok()?, nanos))
}

impl Probe for ContainerInspect {
    type Observation = Option<ContainerDetails>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let engine = client::engine(&self.engine, cx).await?;
        cx.phase(format!("waiting for {}", engine.describe()));
        let path = format!("/containers/{}/json", segment(&self.name));
        let details = engine.json::<ContainerDetails>(&path, 8 << 20).await?;
        Ok(details.filter(|details| details.is_called(&self.name)))
    }

    fn describe(&self) -> String {
        format!("inspecting the container {}", self.name)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(_: &Self::Observation) -> usize {
        16 << 10
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn details(json: &str) -> ContainerDetails {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn podmans_answer_has_the_same_meaning() {
        let seen = details(
            r#"{"Id":"aaaaaaaaaaaa1111","Name":"/web","State":{"Status":"running","Pid":7,"ExitCode":0,
                "Health":{"Status":"unhealthy","FailingStreak":4,
                "Log":[{"Start":"2026-01-31T12:00:00Z","End":"2026-01-31T12:00:00Z","ExitCode":1,"Output":"refused"}]}},
                "RestartCount":0,"HostConfig":{"Binds":null,"RestartPolicy":{"Name":"","MaximumRetryCount":0}},
                "Config":{"Env":null,"Cmd":null,"Healthcheck":null}}"#,
        );
        assert_eq!((seen.health(), seen.failing_streak()), (Some(Health::Unhealthy), 4));
        assert_eq!(seen.last_health_run().unwrap().output, "refused");
        assert_eq!(seen.restart_policy(), "no");
        // Without a health check, Podman has a health with an empty status, Docker has none.
        let without = r#"{"State":{"Status":"running","Health":{"Status":"","FailingStreak":0,"Log":null}}}"#;
        assert_eq!(details(without).health(), Some(Health::Undefined));
        assert_eq!(details(r#"{"State":{"Status":"running"}}"#).health(), Some(Health::Undefined));
    }

    #[test]
    fn times_are_read_as_date_reads_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2026-11-23T20:02:19.532176000Z", Some(1_795_464_139.532_176)),
            ("2024-02-29T23:59:59.5+02:00", Some(1_709_243_999.5)),
            ("2000-03-01T00:00:00-01:30", Some(951_874_200.0)),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("yesterday", None),
        ] {
            let since =
                instant(text).map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64());
            assert_eq!(since, seconds, "{text}");
        }
    }

    #[test]
    fn the_engine_may_find_another_container_than_the_one_that_was_meant() {
        let other = details(r#"{"Id":"abcdefabcdef1234","Name":"/other"}"#);
        for (name, is) in [("other", true), ("abcdefabcdef", true), ("ab", false), ("abcdef", false)] {
            assert_eq!(other.is_called(name), is, "{name}");
        }
    }

    #[test]
    fn only_what_nobody_starts_again_stays_down() {
        let one = |status: &str, policy: &str, max: u64, code: i64, count: u64| {
            details(&format!(
                r#"{{"RestartCount":{count},"State":{{"Status":"{status}","ExitCode":{code}}},
                    "HostConfig":{{"RestartPolicy":{{"Name":"{policy}","MaximumRetryCount":{max}}}}}}}"#
            ))
            .stays_down()
        };
        assert!(one("exited", "", 0, 0, 0) && one("exited", "no", 0, 3, 0));
        assert!(one("exited", "on-failure", 0, 0, 0) && one("exited", "on-failure", 2, 3, 2));
        assert!(!one("exited", "on-failure", 2, 3, 1) && !one("exited", "on-failure", 0, 3, 9));
        assert!(!one("exited", "always", 0, 3, 0) && !one("exited", "unless-stopped", 0, 0, 0));
        assert!(!one("created", "no", 0, 0, 0) && !one("paused", "no", 0, 0, 0));
    }
}
