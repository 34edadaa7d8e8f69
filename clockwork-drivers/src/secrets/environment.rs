//! [`SecretVariablesProbe`]: whether environment variables hold secrets, here or in a container.

use std::{
    fs,
    io::{self, Read},
};

use clockwork_core::{CheckError, Context, ExposeSecret, Fault, Probe, SecretString, text::quote};

use super::SecretSight;
use crate::container::{ContainerDetails, ContainerInspect, ContainerRef};

/// How much of an environment is read: more than the kernel allows one to be, most often.
const LIMIT: u64 = 8 << 20;

/// Whose environment is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EnvironmentOf {
    /// Clockwork's own.
    Clockwork,
    /// A container's: what its first process has, and what the engine gave it.
    Container(ContainerRef),
}

/// Looks at variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretVariablesProbe {
    /// Whose.
    pub of: EnvironmentOf,
    /// Their names.
    pub names: Vec<String>,
    /// How many characters each should have at least.
    pub min_length: usize,
}

/// What can be told of them, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVariables(pub Vec<SecretSight>);

impl Probe for SecretVariablesProbe {
    type Observation = SecretVariables;

    async fn look(&self, cx: &Context) -> Result<SecretVariables, CheckError> {
        let environment = match &self.of {
            EnvironmentOf::Clockwork => Environment::own(&self.names),
            EnvironmentOf::Container(container) => {
                let details = cx.observe(ContainerInspect::from(container)).await?;
                let Some(details) = &*details else {
                    return Err(CheckError::target(format!(
                        "there is no container {}",
                        quote(&container.name)
                    )));
                };
                of_container(details).await?
            }
        };
        let sights = self.names.iter().map(|name| environment.sight(name, self.min_length));
        Ok(SecretVariables(sights.collect()))
    }

    fn describe(&self) -> String {
        match &self.of {
            EnvironmentOf::Clockwork => String::from("looking at Clockwork's environment"),
            EnvironmentOf::Container(container) => {
                format!("looking at the environment of {}", container.name)
            }
        }
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// Variables, in the order in which they count. Wiped when dropped.
struct Environment {
    entries: Vec<SecretString>,
    /// Why there may be others.
    hidden: Option<String>,
}

impl Environment {
    fn own(names: &[String]) -> Self {
        let entry = |name: &String| {
            let value = std::env::var_os(name)?;
            Some(SecretString::from(format!("{name}={}", value.to_string_lossy())))
        };
        Self { entries: names.iter().filter_map(entry).collect(), hidden: None }
    }

    fn sight(&self, name: &str, min_length: usize) -> SecretSight {
        let value =
            self.entries.iter().find_map(|entry| entry.expose_secret().strip_prefix(name)?.strip_prefix('='));
        match (value, &self.hidden) {
            (Some(value), _) => SecretSight::of(value, name, min_length),
            (None, Some(why)) => SecretSight::Hidden(why.clone()),
            (None, None) => SecretSight::Unset,
        }
    }
}

/// What the first process has counts first: its start script may have set it. Some programs write over their environment
/// to show a title in `ps`, so what is not found there may still be found in what the engine gave it.
async fn of_container(details: &ContainerDetails) -> Result<Environment, CheckError> {
    let configured = details.config.env.iter().map(|entry| SecretString::from(entry.as_str()));
    let (pid, id) = (details.state.pid, details.id.clone());
    let (mut entries, hidden) = match pid {
        0 => (Vec::new(), None),
        pid => tokio::task::spawn_blocking(move || of_process(pid, &id)).await?,
    };
    entries.extend(configured);
    Ok(Environment { entries, hidden })
}

/// The environment of a container's first process, or why it cannot be seen.
fn of_process(pid: u32, container: &str) -> (Vec<SecretString>, Option<String>) {
    let hidden = |why: &str| (Vec::new(), Some(why.to_owned()));
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"));
    // A process id of another machine would name any process of this one.
    let here = groups.is_ok_and(|groups| crate::usage::cgroup::names_container(&groups, container));
    if !here || !cfg!(target_os = "linux") {
        return hidden("its process runs on another machine, or hidden from this one");
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(LIMIT).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return hidden("only root may see what its process has");
        }
        Err(error) => return (Vec::new(), Some(format!("what its process has cannot be read: {error}"))),
    }
    // One string, moved into its protected home before it is looked at.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let text = SecretString::from(text);
    let entries = text.expose_secret().split('\0').filter(|entry| !entry.is_empty()).map(SecretString::from);
    (entries.collect(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_names_counts_and_hidden_is_not_unset() {
        let entries =
            ["A=real-81hf", "A=changeme", "EMPTY=", "BLANK= \t", "AB=x"].map(SecretString::from).into();
        let set = |long_enough| SecretSight::Set { placeholder: false, long_enough };
        let mut environment = Environment { entries, hidden: None };
        assert_eq!(environment.sight("A", 0), set(true));
        assert_eq!(environment.sight("A", 9), set(true));
        assert_eq!(environment.sight("A", 10), set(false));
        assert_eq!(environment.sight("EMPTY", 0), SecretSight::Empty);
        assert_eq!(environment.sight("BLANK", 0), SecretSight::Empty);
        assert_eq!(environment.sight("AB", 0), SecretSight::Set { placeholder: true, long_enough: true });
        assert_eq!(environment.sight("B", 0), SecretSight::Unset);
        environment.hidden = Some(String::from("no"));
        assert_eq!(environment.sight("B", 0), SecretSight::Hidden(String::from("no")));
    }
}
