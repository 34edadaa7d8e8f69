//! What a program that is a check of its own writes: its verdict, as one JSON document. Only what is surely meant is
//! believed; everything else is `errored`, with how to write it.

use clockwork_core::{
    CheckError, Verdict, nearest,
    text::{quote, quote_bytes},
};
use clockwork_drivers::command::{CommandRun, Ended, OUTPUT_LIMIT};
use serde_json::{Map, Value};

use crate::command_words::{behind, said, text};

const EXAMPLE: &str = r#"write `{"verdict": "passed"}`, or `{"verdict": "failed", "message": "why"}`"#;
const KEYS: [&str; 5] = ["verdict", "message", "expected", "actual", "details"];
const VERDICTS: [&str; 3] = ["passed", "failed", "errored"];
/// How much of `details` is taken, in bytes of JSON.
const DETAILS: usize = 64 << 10;

/// The verdict of a program that has ended.
pub(crate) fn program_verdict(run: &CommandRun) -> Result<Verdict, CheckError> {
    let (code, ended) = match run.ended {
        Ended::Code(0) => (Some(0), String::new()),
        Ended::Code(code) => (Some(code), format!(", and exited with code {code}")),
        Ended::Signal(_) => (None, format!(" and {}", run.ended)),
    };
    let suspicion = run.suspicion.as_deref().filter(|_| code != Some(0));
    let no_verdict = |what: String| {
        let stderr = if text(&run.stderr).trim().is_empty() { String::new() } else { said(run) };
        let error = CheckError::unobservable(format!("the program {what}{ended}{stderr}{}", behind(run)));
        error.hint(suspicion.unwrap_or(EXAMPLE))
    };
    let Some(code) = code else {
        return Err(no_verdict(String::from("came to no verdict:")).retryable());
    };
    if !run.stdout.is_whole() {
        return Err(no_verdict(format!(
            "wrote {} bytes on its standard output, of which {OUTPUT_LIMIT} are kept: too many for a verdict",
            run.stdout.total
        )));
    }
    let written = &run.stdout.kept;
    if written.iter().all(u8::is_ascii_whitespace) {
        return Err(no_verdict(String::from(
            "wrote nothing on its standard output, where its verdict should be",
        )));
    }
    let document: Value = serde_json::from_slice(written).map_err(|error| {
        let found = quote_bytes(written);
        // More than one document, or words around it.
        let why = match first_document(written) {
            true => String::from("wrote more than its verdict on its standard output (what is not it belongs to the standard error)"),
            false => format!("wrote something that is not JSON ({error})"),
        };
        no_verdict(format!("{why}: {found}"))
    })?;
    let Value::Object(mut fields) = document else {
        return Err(no_verdict(format!("wrote {}, which is no verdict", quote(&document.to_string()))));
    };
    if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = match nearest(unknown, KEYS) {
            Some(near) => format!(" (did you mean `{near}`?)"),
            None => format!(" (it has {})", KEYS.join(", ")),
        };
        return Err(no_verdict(format!("wrote a verdict with the unknown key {}{near}", quote(unknown))));
    }
    let verdict = word(&fields).map_err(&no_verdict)?;
    let mut told = |key: &str| match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) if key != "message" && !value.is_object() && !value.is_array() => {
            Ok(Some(value.to_string()))
        }
        Some(value) => Err(no_verdict(format!(
            "wrote a verdict whose `{key}` is no text: {}",
            quote(&value.to_string())
        ))),
    };
    let (message, expected, actual) = (told("message")?, told("expected")?, told("actual")?);
    let details = match fields.remove("details") {
        None | Some(Value::Null) => None,
        Some(details @ Value::Object(_)) if details.to_string().len() <= DETAILS => Some(details),
        Some(Value::Object(_)) => {
            return Err(no_verdict(format!(
                "wrote a verdict whose `details` are larger than {DETAILS} bytes"
            )));
        }
        Some(other) => {
            return Err(no_verdict(format!(
                "wrote a verdict whose `details` are no object: {}",
                quote(&other.to_string())
            )));
        }
    };
    let message = message.map(|message| quote(&message));
    let judged = match verdict {
        "errored" => {
            let message = message.unwrap_or_else(|| String::from("for no reason that it tells"));
            let error =
                CheckError::unobservable(format!("the program could not look: {message}")).retryable();
            return Err(match suspicion {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        "passed" if code != 0 => {
            return Err(no_verdict(String::from("says that it passed")));
        }
        "passed" => Verdict::passed().message(message.unwrap_or_default()),
        _ => Verdict::failed(
            message.unwrap_or_else(|| String::from("the program says that it failed, and not why")),
        ),
    };
    let judged = match expected {
        Some(expected) => judged.expected(quote(&expected)),
        None => judged,
    };
    let judged = match actual {
        Some(actual) => judged.actual(quote(&actual)),
        None => judged,
    };
    let judged = match details {
        Some(details) => judged.detail("program", details),
        None => judged,
    };
    Ok(judged.detail("exit_code", code))
}

/// The word that stands for what it found.
fn word(fields: &Map<String, Value>) -> Result<&'static str, String> {
    let Some(found) = fields.get("verdict") else {
        return Err(String::from("wrote JSON without a `verdict`"));
    };
    let known = VERDICTS.into_iter().find(|known| found == known);
    known.ok_or_else(|| {
        let shown = quote(&found.as_str().map_or_else(|| found.to_string(), str::to_owned));
        let meant = match found.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("warning" | "warn") => {
                ": a failure that only warns is `failed`, and the manifest says `severity: warning`"
            }
            Some("skipped" | "skip") => ": what is not to be looked at, the manifest says by `skip`",
            Some("pass" | "ok" | "success" | "succeeded" | "true") => " (did you mean `passed`?)",
            Some("fail" | "failure" | "false") => " (did you mean `failed`?)",
            Some("error") => " (did you mean `errored`?)",
            Some(word) => match nearest(word, VERDICTS) {
                Some("passed") => " (did you mean `passed`?)",
                Some("failed") => " (did you mean `failed`?)",
                Some(_) => " (did you mean `errored`?)",
                None => ", which is none of passed, failed, errored",
            },
            None if found.as_bool() == Some(true) => " (did you mean `passed`?)",
            None if found.as_bool() == Some(false) => " (did you mean `failed`?)",
            None => ", which is none of passed, failed, errored",
        };
        format!("wrote the verdict {shown}{meant}")
    })
}

/// Whether there is a document at the beginning.
fn first_document(written: &[u8]) -> bool {
    let mut documents = serde_json::Deserializer::from_slice(written).into_iter::<Value>();
    matches!(documents.next(), Some(Ok(_)))
}
