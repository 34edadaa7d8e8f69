//! Why a container does not run, in words: what the kinds about containers share.

use clockwork_core::{CheckError, Context, Verdict, text::quote};
use clockwork_drivers::container::{
    ContainerDetails, ContainerInspect, ContainerLogs, ContainerRef, ContainerState, ContainerSummary, Log,
};

/// How many lines of a log a message shows.
const SHOWN: u32 = 5;

/// What is known of a container that is not as it should be.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) details: ContainerDetails,
    /// The end of its log; nothing, where the engine cannot show it.
    log: Option<std::sync::Arc<Log>>,
    /// How long ago it ended, in the engine's words.
    ago: Option<String>,
    /// The engine's own command, for hints.
    command: &'static str,
}

/// Looks closer at a container that the list shows in trouble; `None`, where it is gone meanwhile.
pub(crate) async fn examine(
    container: &ContainerRef,
    found: &ContainerSummary,
    command: &'static str,
    cx: &Context,
) -> Result<Option<Examined>, CheckError> {
    // By its id: a new container may have got the name meanwhile.
    let (engine, name) = (container.engine.clone(), found.id.clone());
    let details = cx.observe(ContainerInspect { engine: engine.clone(), name: name.clone() }).await?;
    let Some(details) = details.as_ref().clone() else { return Ok(None) };
    let has_log = !matches!(details.state(), ContainerState::Running | ContainerState::Created);
    let log = match has_log {
        // Not every log driver lets itself be read, and the state is known without it.
        true => cx.observe(ContainerLogs { engine, name, lines: SHOWN, since: None }).await.ok(),
        false => None,
    };
    Ok(Some(Examined { details, log, ago: ago(&found.status), command }))
}

/// There is no such container.
pub(crate) fn missing(name: &str, engine: &str) -> Verdict {
    Verdict::failed(clockwork_drivers::container::missing(name, engine)).actual("missing")
}

/// What is wrong with a container that does not run.
pub(crate) fn not_running(name: &str, seen: &Examined) -> Verdict {
    let (details, command) = (&seen.details, seen.command);
    let state = details.state();
    let mut message = match &state {
        ContainerState::Running => String::from("runs"),
        ContainerState::Created => {
            format!("was created and never started; start it with `{command} start {name}`")
        }
        ContainerState::Exited => {
            let ago = seen.ago.as_deref().map(|ago| format!(", {ago}")).unwrap_or_default();
            format!("{}{ago}", how_it_ended(details))
        }
        ContainerState::Paused => format!("is paused; let it go on with `{command} unpause {name}`"),
        ContainerState::Restarting => {
            let count = details.restart_count;
            format!("keeps restarting ({count} times so far): each time, it {}", how_it_ended(details))
        }
        ContainerState::Removing => String::from("is being removed"),
        ContainerState::Dead => {
            format!("is dead: the engine could not remove it; try `{command} rm --force {name}`")
        }
        other => format!("is in the state {other}, which Clockwork does not know"),
    };
    if state == ContainerState::Exited && details.stays_down() {
        message.push_str(&format!("; its restart policy `{}` leaves it so", details.restart_policy()));
    }
    if !details.state.error.is_empty() {
        message.push_str(&format!("; the engine says {}", quote(&details.state.error)));
    }
    if let Some(log) = &seen.log {
        message.push_str(&last_lines(log));
    }
    let actual = match state {
        ContainerState::Exited => format!("exited ({})", details.state.exit_code),
        ref state => state.to_string(),
    };
    let mut verdict = Verdict::failed(message).actual(actual).detail("state", details.state().to_string());
    if matches!(state, ContainerState::Exited | ContainerState::Restarting) {
        verdict = verdict
            .detail("exit_code", details.state.exit_code)
            .detail("oom_killed", details.state.oom_killed)
            .detail("restart_count", details.restart_count);
    }
    if details.stays_down() { verdict.terminal() } else { verdict }
}

fn how_it_ended(details: &ContainerDetails) -> String {
    let code = details.state.exit_code;
    if details.state.oom_killed {
        let limit = details.memory_limit();
        let limit =
            limit.map(|limit| format!(" (limit {})", clockwork_core::ByteSize(limit))).unwrap_or_default();
        return format!("was killed for want of memory{limit}, exit code {code}");
    }
    match code {
        126 => String::from("exited with code 126 (its command cannot be executed)"),
        127 => String::from("exited with code 127 (its command was not found)"),
        129..=159 => match signal(code - 128) {
            Some(signal) => format!("exited with code {code} (as after {signal})"),
            None => format!("exited with code {code}"),
        },
        _ => format!("exited with code {code}"),
    }
}

fn signal(number: i64) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// `Exited (3) 5 seconds ago` has no other time in it that people understand at once.
fn ago(status: &str) -> Option<String> {
    let (_, ago) = status.split_once(") ")?;
    let plain =
        ago.len() < 40 && ago.ends_with(" ago") && ago.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
    plain.then(|| ago.to_owned())
}

/// The end of a log, quoted and indented, behind a message.
pub(crate) fn last_lines(log: &Log) -> String {
    let skipped = log.lines.len().saturating_sub(SHOWN as usize);
    let lines: Vec<_> = log.lines[skipped..].iter().map(|line| format!("\n  {}", quote(line))).collect();
    match lines.as_slice() {
        [] => String::from("\nits log is empty"),
        lines => format!("\nthe last lines of its log:{}", lines.concat()),
    }
}

#[cfg(test)]
#[path = "container_state_tests.rs"]
mod tests;

#[cfg(test)]
pub(crate) fn examined(json: serde_json::Value, lines: &[&str]) -> Examined {
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    let details = serde_json::from_value(json).unwrap_or_default();
    Examined {
        details,
        log: Some(std::sync::Arc::new(Log { lines, incomplete: false })),
        ago: None,
        command: "docker",
    }
}
