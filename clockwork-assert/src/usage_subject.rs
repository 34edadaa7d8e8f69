//! Whose usage is meant: what the kinds about memory and processor time share.

use clockwork_core::{Context, Invalid, Resource, text::quote};
use clockwork_drivers::{container::ContainerRef, usage::Subject};

/// The container that is meant, or the process, or this machine where neither is.
pub(crate) fn meant(cx: &Context, container: Option<&str>, process: Option<&str>) -> Subject {
    match process {
        Some(process) => Subject::Process(process.to_owned()),
        None => ContainerRef::meant(cx, container).map_or(Subject::Host, Subject::Container),
    }
}

/// What is wrong with the fields that say so.
pub(crate) fn validate(
    owner: Option<&dyn Resource>,
    container: Option<&str>,
    process: Option<&str>,
) -> Vec<Invalid> {
    let mut invalid = Vec::from_iter(ContainerRef::validate(owner, container, false));
    match process {
        Some(_) if container.is_some() => {
            invalid.push(Invalid::field("process", "give `container` or `process`, not both"))
        }
        Some("") => invalid.push(Invalid::field("process", "a process has a name: what `ps -o comm` shows")),
        Some(name) if name.contains('/') => invalid.push(Invalid::field(
            "process",
            format!("{} is a path; give the program's name alone", quote(name)),
        )),
        _ => {}
    }
    invalid
}

/// For labels: `nginx: `, or nothing.
pub(crate) fn label(container: Option<&str>, process: Option<&str>) -> String {
    container.or(process).map(|name| format!("{name}: ")).unwrap_or_default()
}
