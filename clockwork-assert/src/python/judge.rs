//! What a run of a function means.

use std::{path::Path, time::Duration};

use clockwork_core::{
    CheckError, Fault, Verdict, duration, nearest,
    text::{bounded, quote},
};
use clockwork_drivers::{
    python::{Asserted, Ending, Frame, Printed, PythonFile, PythonRun, Raised, Returned, Told},
    sandbox::NetworkAccess,
};
use serde_json::{Map, Value};

use super::{PythonAssert, place};

/// How long a message of the user's may become.
const MESSAGE: usize = 2000;
/// How much of what was printed stands in the details, and at the end of a message.
const PRINTED: usize = 4000;
const SHOWN: usize = 200;

/// A read-only file system.
const EROFS: i32 = 30;
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

impl PythonAssert {
    pub(super) fn judge(
        &self,
        run: &PythonRun,
        about_resource: bool,
        file: &PythonFile,
    ) -> Result<Verdict, CheckError> {
        let judged = match &run.ending {
            Ending::Told(told) => self.told(told, about_resource, file),
            Ending::Ended { how, signal, at } => Err(self.ended(how, *signal, at.as_ref())),
            Ending::Hung { ran, at } => {
                let at = at.as_ref().map(|frame| format!(" (it stood at {})", place::line(frame)));
                let message =
                    format!("did not end in time: it ran for {}{}", about(*ran), at.unwrap_or_default());
                Err(CheckError::timed_out(Fault::Observer, message)
                    .hint("it and all that it had started were ended; raise `timeout` if it needs longer"))
            }
            _ => Err(CheckError::unobservable(
                "wrote to the worker's own descriptors: what it says is not believed",
            )),
        };
        // It may have found nothing only because it was not shown.
        let judged = match (judged, &run.denied) {
            (Ok(verdict), Some(denied)) => {
                let passed = if verdict.has_passed() { "passed" } else { "failed" };
                let message = format!("{}: nothing follows from it, though the check {passed}", denied.what);
                Err(CheckError::unobservable(message).hint(&denied.hint))
            }
            (Err(error), Some(denied)) if !error.is_timeout() => {
                Err(error.hint(format!("{}: {}", denied.what, denied.hint)))
            }
            (judged, _) => judged,
        };
        match judged {
            Ok(verdict) => Ok(self.with_evidence(verdict, &run.printed, file)),
            Err(error) => Err(self.with_details(error, &run.printed, file)),
        }
    }

    fn told(&self, told: &Told, about_resource: bool, file: &PythonFile) -> Result<Verdict, CheckError> {
        match told {
            Told::Returned(returned) => self::returned(returned),
            Told::Raised(raised) if raised.assertion => Ok(asserted(raised)),
            Told::Raised(raised) => Err(self.raised(raised, file)),
            Told::Exit { code, frames } => Err(CheckError::unobservable(format!(
                "called `sys.exit({})`{}",
                place::one_line(code, 100),
                frames.last().map(|frame| format!(" (at {})", place::line(frame))).unwrap_or_default(),
            ))
            .hint("return a verdict instead")
            .detail("traceback", traceback(frames))),
            Told::Missing { names } => {
                let function = self.function.as_deref().unwrap_or_default();
                let near = match nearest(function, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => String::from("it has no functions at all"),
                    None => {
                        let names: Vec<_> = names.iter().take(10).map(String::as_str).collect();
                        format!("it has {}", place::one_line(&names.join(", "), 300))
                    }
                };
                let file = quote(&self.file.to_string_lossy());
                Err(CheckError::unobservable(format!("there is no function {} in {file}", quote(function)))
                    .hint(near))
            }
            Told::NotCallable { r#type } => Err(CheckError::unobservable(format!(
                "{} in {} is no function: it is of type {}",
                quote(self.function.as_deref().unwrap_or_default()),
                quote(&self.file.to_string_lossy()),
                place::one_line(r#type, 100),
            ))),
            Told::Arguments { message, signature } => {
                let hint = if about_resource {
                    "it is called with the resource, and with `args` by their names"
                } else {
                    "it is called with `args` by their names; at the top level there is no resource, and the first argument is None"
                };
                Err(CheckError::unobservable(format!(
                    "cannot be called so: {}; it takes {}",
                    place::one_line(message, 300),
                    place::one_line(signature, 300),
                ))
                .hint(hint))
            }
            Told::Large { size } => {
                Err(CheckError::unobservable(format!("what it returned is too large to keep: {size} bytes"))
                    .hint("return what tells why, and not all that was seen"))
            }
            _ => Err(CheckError::unobservable("ended in a way that is not known here")),
        }
    }

    fn raised(&self, raised: &Raised, file: &PythonFile) -> CheckError {
        let at =
            raised.frames.last().map(|frame| format!(" (at {})", place::line(frame))).unwrap_or_default();
        let error = match (&raised.module, raised.r#type.as_str()) {
            (Some(module), "ModuleNotFoundError") => self.without_module(module, &at, file),
            (_, "MemoryError") => CheckError::unobservable(format!("ran out of memory{at}"))
                .hint("`sandbox.memory` says how much it may use"),
            _ => {
                let error = format!("raised {}{at}", named(raised));
                self.grant(CheckError::unobservable(error).retryable(), raised.errno, raised.path.as_deref())
            }
        };
        let error = match &raised.cause {
            Some(cause) => error.detail("cause", place::one_line(cause, 500)),
            None => error,
        };
        error.detail("traceback", traceback(&raised.frames))
    }

    fn ended(&self, how: &str, signal: Option<i32>, at: Option<&Frame>) -> CheckError {
        let at = at.map(|frame| format!(" (at {})", place::line(frame))).unwrap_or_default();
        let error = CheckError::unobservable(format!("{how}{at}"));
        match signal {
            Some(SIGKILL) => error
                .hint("perhaps for want of memory; `sandbox.memory` says how much it may use")
                .retryable(),
            Some(SIGXCPU) => error.hint("`sandbox.cpu` says how long it may compute"),
            Some(SIGXFSZ) => error.hint("`sandbox.file_size` says how large a file may become"),
            Some(_) => error.retryable(),
            None => error.hint("a check returns its verdict, or raises"),
        }
    }

    /// With the grant that it may lack.
    pub(super) fn grant(&self, error: CheckError, errno: Option<i32>, path: Option<&str>) -> CheckError {
        if self.sandbox.is_off() {
            return error;
        }
        if let (Some(EROFS), Some(directory)) = (errno, path.and_then(|path| Path::new(path).parent())) {
            let directory = place::one_line(&directory.to_string_lossy(), 300);
            return error
                .hint(format!("to have it written, grant that: `sandbox: {{ write: [{directory}] }}`"));
        }
        if let Some(path) = path
            && Path::new(path).exists()
        {
            let path = place::one_line(path, 300);
            return error.hint(format!(
                "if the sandbox keeps it from that, grant it: `sandbox: {{ read: [{path}] }}`"
            ));
        }
        // Not permitted, refused, unreachable, no address: what programs get who have no network.
        let of_network =
            matches!(errno, Some(-5..=-1 | 1 | 13 | 97 | 99 | 101 | 111 | 113)) && path.is_none();
        match self.sandbox.network_access() {
            NetworkAccess::None if of_network => error
                .hint("the sandbox lets it reach no network: grant it with `sandbox: { network: loopback }`, or `all`"),
            NetworkAccess::Loopback if of_network && errno != Some(111) => error.hint(
                "the sandbox lets it reach only this machine: grant it more with `sandbox: { network: all }`",
            ),
            _ => error,
        }
    }

    fn with_evidence(&self, mut verdict: Verdict, printed: &Printed, file: &PythonFile) -> Verdict {
        let known = verdict.details();
        if !verdict.has_passed()
            && let Some(said) = said(printed)
        {
            let message = format!("{}; {said}", verdict.text());
            verdict = verdict.message(message);
        }
        for (name, value) in evidence(printed, file) {
            if !known.contains_key(name) {
                verdict = verdict.detail(name, value);
            }
        }
        verdict
    }

    pub(super) fn with_details(
        &self,
        mut error: CheckError,
        printed: &Printed,
        file: &PythonFile,
    ) -> CheckError {
        for (name, value) in evidence(printed, file) {
            error = error.detail(name, value);
        }
        error
    }
}

fn evidence(printed: &Printed, file: &PythonFile) -> Vec<(&'static str, Value)> {
    let mut evidence = vec![("python", Value::from(file.version()))];
    if printed.total > 0 {
        let text = printed.text();
        let output =
            if printed.is_whole() { text } else { format!("{text}… ({} bytes in all)", printed.total) };
        evidence.push(("output", bounded(output, PRINTED).into()));
    }
    evidence.extend(file.enforcement().map(|enforcement| ("sandbox", enforcement.details())));
    evidence
}

/// The end of what it printed.
fn said(printed: &Printed) -> Option<String> {
    let text = printed.text();
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let count = text.chars().count();
    Some(if !printed.is_whole() {
        format!("it printed {} bytes, which begin with {}", printed.total, quote(text))
    } else if count <= SHOWN {
        format!("it printed {}", quote(text))
    } else {
        let end: String = text.chars().skip(count - SHOWN).collect();
        format!("what it printed ends with {}", quote(&end))
    })
}

fn returned(returned: &Returned) -> Result<Verdict, CheckError> {
    match returned {
        Returned::Bool { value } => Ok(Verdict::of(*value, if *value { "" } else { "returned False" })),
        Returned::Pair { value: false, message } if message.is_empty() => {
            Ok(Verdict::failed("returned False"))
        }
        Returned::Pair { value, message } => {
            Ok(Verdict::of(*value, "").message(bounded(message.clone(), MESSAGE)))
        }
        Returned::None { can_fail: true } => Ok(Verdict::passed()),
        Returned::None { can_fail: false } => Err(CheckError::unobservable(
            "returned None, and nothing in it could have failed: no `assert`, nothing raised, nothing called",
        )
        .hint("return True or False, or assert something")),
        Returned::Dict { items, types } => {
            let items: Map<String, Value> = items.iter().cloned().collect();
            let told = |key: &str, wanted: &str| {
                CheckError::unobservable(format!(
                    "returned a dict whose `{key}` is of type {}, not {wanted}",
                    types.get(key).map(|name| place::one_line(name, 100)).unwrap_or_default(),
                ))
            };
            dict(items, &told)
        }
        Returned::Other { r#type, shown } => {
            let (kind, shown) = (place::one_line(r#type, 200), place::one_line(shown, 200));
            let hint = match kind.as_str() {
                "generator" | "async_generator" => "it has a `yield`: a check returns its verdict, once",
                "numpy.bool_" | "numpy.bool" => "make a bool of it: `return bool(…)`",
                _ => "return True or False, (bool, message), a dict with `passed`, or None behind assertions",
            };
            Err(CheckError::unobservable(format!("returned {shown} of type {kind}, which is no verdict"))
                .hint(hint))
        }
        _ => Err(CheckError::unobservable("returned what is not known here")),
    }
}

/// A verdict with its evidence.
fn dict(
    mut items: Map<String, Value>,
    wrong: &dyn Fn(&str, &str) -> CheckError,
) -> Result<Verdict, CheckError> {
    let passed = match items.remove("passed") {
        Some(Value::Bool(passed)) => passed,
        Some(_) => return Err(wrong("passed", "bool")),
        None => {
            let meant = items.keys().find(|key| {
                nearest("passed", [key.as_str()]).is_some()
                    || matches!(key.as_str(), "ok" | "success" | "result" | "verdict" | "status" | "pass")
            });
            let hint = match meant {
                Some(meant) => format!("did you mean `passed` by `{}`?", place::one_line(meant, 50)),
                None => String::from(
                    "`passed` is True or False; `message`, `expected`, `actual` and details may follow",
                ),
            };
            return Err(CheckError::unobservable("returned a dict without `passed`").hint(hint));
        }
    };
    let message = match items.remove("message") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(message)) => bounded(message, MESSAGE),
        Some(_) => return Err(wrong("message", "str")),
    };
    let message =
        if message.is_empty() && !passed { String::from("returned `passed`: False") } else { message };
    let mut verdict = Verdict::of(passed, "").message(message);
    let text = |value: Value| match value {
        Value::String(text) => bounded(text, MESSAGE),
        value => bounded(value.to_string(), MESSAGE),
    };
    if let Some(expected) = items.remove("expected").filter(|value| !value.is_null()) {
        verdict = verdict.expected(text(expected));
    }
    if let Some(actual) = items.remove("actual").filter(|value| !value.is_null()) {
        verdict = verdict.actual(text(actual));
    }
    let details = match items.remove("details") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(details)) => details,
        Some(_) => return Err(wrong("details", "dict")),
    };
    for (key, value) in details.into_iter().chain(items) {
        verdict = verdict.detail(&key, value);
    }
    Ok(verdict)
}

/// A failed assertion: its message, or its condition and what that compared.
fn asserted(raised: &Raised) -> Verdict {
    let at = raised.frames.last().map(|frame| format!(" ({})", place::place(frame))).unwrap_or_default();
    let compared = raised.asserted.as_ref().and_then(compared);
    let condition = raised.asserted.as_ref().map(|asserted| asserted.condition.as_str());
    let source = raised.frames.last().map(|frame| frame.source.as_str()).filter(|source| !source.is_empty());
    let message = match (raised.message.as_str(), condition, source) {
        ("", Some(condition), _) => match &compared {
            Some(compared) => format!("assert {condition}: {compared}"),
            None => format!("assert {condition}"),
        },
        ("", None, Some(source)) => source.to_owned(),
        ("", None, None) => String::from("an assertion failed"),
        (message, ..) => bounded(message.to_owned(), MESSAGE),
    };
    let mut verdict = Verdict::failed(format!("{message}{at}"));
    if let Some(condition) = condition {
        verdict = verdict.expected(condition);
    }
    if let Some(compared) = compared {
        verdict = verdict.actual(compared);
    }
    verdict.detail("traceback", traceback(&raised.frames))
}

/// `response.status is 503`; of what stands there as it is there is nothing to say.
fn compared(asserted: &Asserted) -> Option<String> {
    let sides = [(&asserted.left, &asserted.left_value), (&asserted.right, &asserted.right_value)];
    let mut told: Vec<_> = sides
        .into_iter()
        .filter_map(|(text, value)| Some((text.as_deref()?, value.as_deref()?)))
        .filter(|(text, value)| text != value && text.replace('"', "'") != *value)
        .map(|(text, value)| format!("{text} is {value}"))
        .collect();
    told.extend(asserted.value.as_ref().map(|value| format!("it is {value}")));
    (!told.is_empty()).then(|| told.join(", "))
}

/// `KeyError: 'x'`.
pub(super) fn named(raised: &Raised) -> String {
    let kind = place::one_line(&raised.r#type, 200);
    match place::one_line(&raised.message, 500) {
        message if message.is_empty() => kind,
        message => format!("{kind}: {message}"),
    }
}

pub(super) fn traceback(frames: &[Frame]) -> Vec<String> {
    frames.iter().map(place::line).collect()
}

/// A time as people would call it, the same in every attempt.
fn about(ran: Duration) -> String {
    let ms = u64::try_from(ran.as_millis()).unwrap_or(u64::MAX);
    let unit = match ms {
        0..=99 => 1,
        100..=999 => 10,
        1000..=9999 => 100,
        _ => 1000,
    };
    duration::show(Duration::from_millis(ms.saturating_add(unit / 2) / unit * unit))
}
