//! [`SecretsPresentAssert`]: secrets are where the program that needs them looks, and are no placeholders.
//!
//! Variables are those of Clockwork's own environment; on a `ContainerResource`, or `at:` one, those of the container:
//! what its first process has (its start script may have set it) and what the engine gave it. Files are looked for on the
//! host, or inside the container of `at:`.
//!
//! It proves that there is something and that it does not look like an example's. It does not prove that it is the right
//! secret: ask what it opens. Nothing of a value is ever told, neither its length nor which placeholder it is: the probe
//! forgets the value before it answers.
//!
//! Placeholders (unless `not_default: false`) are, without case and punctuation: some sixty words (`changeme`,
//! `password`, `secret`, `example`, `todo`, `none`…), anything with a phrase like `change me`, `your key` or
//! `placeholder` in it, the variable's own name, words in brackets (`<token>`, `{{ token }}`), variables that nobody put
//! in (`${TOKEN}`), one character again and again (`xxx`), and counting (`123456`).
//!
//! Judged (so that `not` turns it around): unset, empty, a placeholder, too short, a file that is missing. Not judged: a
//! path at which something else than a file is, and a container that does not exist. What cannot be seen is `errored`.
//!
//! `details`: `secrets`, each `variable` or `file` with its `state`: `present`, `unset`, `missing`, `empty`,
//! `placeholder`, `too short`, `unknown`, `not a file`.

use std::path::PathBuf;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Vantage, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::{
    container::ContainerRef,
    file::{check_path, show_path},
    secrets::{EnvironmentOf, SecretFile, SecretFileProbe, SecretSight, SecretVariablesProbe},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Secrets are there, and are no placeholders. Their values are never shown.
///
/// ```
/// use clockwork_assert::SecretsPresentAssert;
///
/// SecretsPresentAssert::new().env_vars(["DB_PASSWORD"]).files(["/run/secrets/api-key"]).min_length(16);
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsPresentAssert {
    /// The names of environment variables: Clockwork's own; on a `ContainerResource` or `at:` one, the container's.
    #[serde(default)]
    env_vars: Vec<String>,
    /// The paths of files, each of which holds a secret.
    #[serde(default)]
    files: Vec<PathBuf>,
    /// How many characters each of them has at least. The line break at the end of a file does not count.
    #[serde(default)]
    min_length: Option<usize>,
    /// Whether a placeholder counts as missing; true unless given.
    #[serde(default)]
    not_default: Option<bool>,
}

impl SecretsPresentAssert {
    /// Nothing yet: say what has to be there with `env_vars` and `files`.
    pub fn new() -> Self {
        Self::default()
    }

    /// These environment variables.
    #[must_use]
    pub fn env_vars<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.env_vars.extend(names.into_iter().map(Into::into));
        self
    }

    /// These files.
    #[must_use]
    pub fn files<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.files.extend(paths.into_iter().map(Into::into));
        self
    }

    /// How many characters each of them has at least.
    #[must_use]
    pub fn min_length(mut self, characters: usize) -> Self {
        self.min_length = Some(characters);
        self
    }

    /// Whether a placeholder counts as missing.
    #[must_use]
    pub fn not_default(mut self, not_default: bool) -> Self {
        self.not_default = Some(not_default);
        self
    }

    /// Whose environment is meant, and in words.
    fn environment(cx: &Context) -> (EnvironmentOf, String) {
        let container = match cx.vantage() {
            Vantage::Host => ContainerRef::meant(cx, None),
            Vantage::Inside(name) => ContainerRef::meant(cx, Some(name.as_str())),
        };
        match container {
            Some(container) => {
                let words = format!("the environment of the container {}", container.name);
                (EnvironmentOf::Container(container), words)
            }
            None => (EnvironmentOf::Clockwork, String::from("the environment of clockwork itself")),
        }
    }

    fn expected(&self) -> String {
        let mut told = String::from("present");
        if let Some(least) = self.min_length {
            told.push_str(&format!(", at least {least} characters long"));
        }
        if self.not_default != Some(false) {
            told.push_str(", no placeholder");
        }
        told
    }

    /// What is wrong with one of them: its state, and the words for it.
    fn wrong(&self, sight: &SecretSight) -> Option<(&'static str, String)> {
        match sight {
            SecretSight::Unset => Some(("unset", String::from("is not set"))),
            SecretSight::Hidden(why) => Some(("unknown", format!("cannot be seen: {why}"))),
            SecretSight::Empty => Some(("empty", String::from("is empty"))),
            SecretSight::Set { placeholder: true, .. } if self.not_default != Some(false) => {
                Some(("placeholder", String::from("holds a placeholder, not a secret")))
            }
            SecretSight::Set { long_enough: false, .. } => {
                let least = self.min_length.unwrap_or_default();
                Some(("too short", format!("is shorter than {least} characters")))
            }
            _ => None,
        }
    }

    fn judge(&self, seen: &[Seen<'_>], place: &str) -> Result<Verdict, CheckError> {
        let (mut told, mut judged, mut details) = (Vec::new(), false, Vec::new());
        let mut hidden = false;
        for one in seen {
            let (key, name, wrong) = match one {
                Seen::Variable(name, sight) => {
                    let wrong = self.wrong(sight).map(|(state, words)| {
                        let place = if state == "unset" { format!(" in {place}") } else { String::new() };
                        (state, format!("{} {words}{place}", plain(name)))
                    });
                    ("variable", plain(name), wrong)
                }
                Seen::File(path, SecretFile::Read(sight)) => {
                    let wrong = self.wrong(sight);
                    (
                        "file",
                        show_path(path),
                        wrong.map(|(state, words)| (state, format!("{} {words}", show_path(path)))),
                    )
                }
                Seen::File(path, SecretFile::Missing(missing)) => {
                    ("file", show_path(path), Some(("missing", missing.describe(path))))
                }
                Seen::File(path, SecretFile::NotRegular(what)) => {
                    let words = format!("{} is {what}, not a file", show_path(path));
                    ("file", show_path(path), Some(("not a file", words)))
                }
            };
            let state = wrong.as_ref().map_or("present", |(state, _)| state);
            details.push(json!({ key: name, "state": state }));
            if let Some((state, words)) = wrong {
                hidden |= state == "unknown";
                judged |= !matches!(state, "unknown" | "not a file");
                told.push(words);
            }
        }
        let actual = format!("{} of {} as expected", seen.len() - told.len(), seen.len());
        let message = told.join("; ");
        let details = Value::from(details);
        if hidden && !judged {
            return Err(CheckError::unobservable(message)
                .hint("run clockwork as root, on the machine of the container")
                .detail("secrets", details));
        }
        let verdict = match (told.is_empty(), judged) {
            (true, _) => Verdict::passed(),
            (false, true) => Verdict::failed(message),
            (false, false) => Verdict::unjudged(message),
        };
        Ok(verdict.expected(self.expected()).actual(actual).detail("secrets", details))
    }
}

/// One of them, and what can be told of it.
enum Seen<'a> {
    Variable(&'a str, SecretSight),
    File(&'a PathBuf, SecretFile),
}

fn plain(name: &str) -> String {
    // What stands behind an `=` may be the secret.
    let name = name.split('=').next().unwrap_or_default();
    match name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) && name.len() < 100
    {
        true => name.to_owned(),
        false => quote(name),
    }
}

impl AssertionKind for SecretsPresentAssert {
    const NAME: &'static str = "SecretsPresentAssert";
}

#[async_trait]
impl Assertion for SecretsPresentAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let names = self.env_vars.iter().map(|name| plain(name));
        let all: Vec<_> = names.chain(self.files.iter().map(|path| show_path(path))).collect();
        match all.get(..5) {
            Some(first) if all.len() > 5 => format!("{} and {} more", first.join(", "), all.len() - 5),
            _ => all.join(", "),
        }
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        if self.env_vars.is_empty() && self.files.is_empty() {
            problems.push(Invalid::whole("give `env_vars`, or `files`, or both"));
        }
        for name in &self.env_vars {
            if name.is_empty() {
                problems.push(Invalid::field("env_vars", "holds an empty name"));
            } else if name.contains(['=', '\0']) {
                // What stands behind the `=` may be the secret.
                problems.push(Invalid::field(
                    "env_vars",
                    "holds a `=`: give the names of variables, never a value",
                ));
            }
        }
        for path in &self.files {
            problems.extend(check_path(path).map(|problem| Invalid::field("files", problem)));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let min_length = self.min_length.unwrap_or_default();
        let (of, place) = Self::environment(cx);
        let mut seen = Vec::new();
        if !self.env_vars.is_empty() {
            let probe = SecretVariablesProbe { of, names: self.env_vars.clone(), min_length };
            let variables = cx.from_vantage(Vantage::Host).observe(probe).await?;
            let pairs = self.env_vars.iter().zip(&variables.0);
            seen.extend(pairs.map(|(name, sight)| Seen::Variable(name, sight.clone())));
        }
        for path in &self.files {
            let file = cx.observe(SecretFileProbe { path: path.clone(), min_length }).await?;
            seen.push(Seen::File(path, SecretFile::clone(&file)));
        }
        self.judge(&seen, &place)
    }
}
