//! `${vars.X}`, `${env.X}` and `${env.X:-default}` in scalars that have been parsed, so that no value can change the
//! structure, or what stands around it. `${captured.X}` is left as it is, and marked: it is for kinds that fill it in when
//! they run, and wrong anywhere else.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    error::{Source, Spot, Trouble},
    node::{BROKEN, CAPTURED, DOLLAR, DONE, Document, FROM_ENV, INTERPOLATED, Id, Shape},
    parse::MAX_BYTES,
};
use crate::{nearest, text::quote};

/// The variables that a manifest may use, by their dotted names.
#[derive(Debug, Default)]
pub(super) struct Vars {
    values: BTreeMap<String, Var>,
    /// Those that are made of others, and were not taken yet.
    waiting: BTreeSet<String>,
}

#[derive(Debug, Clone)]
enum Var {
    Scalar {
        text: String,
        quoted: bool,
        null: bool,
        from_env: bool,
    },
    /// A map or a list, which cannot stand in text.
    Collection(&'static str),
    /// Its own value is in error, which has been told.
    Broken,
    /// What it is made of is made of it, or goes too deep.
    Circular,
}

/// How deep variables may be made of others.
pub(super) const MAX_DEPTH: usize = 16;

impl Vars {
    /// Takes `--var NAME=VALUE`, whose value is taken as it is.
    pub(super) fn set(&mut self, name: &str, text: &str) {
        let value = Var::Scalar { text: text.to_owned(), quoted: false, null: false, from_env: false };
        self.values.insert(name.to_owned(), value);
    }

    /// Takes a map of variables, and says whether some of them are made of others and wait for these. What is there
    /// already stays: whoever overrides comes first.
    pub(super) fn take(&mut self, document: &Document, map: Id) -> bool {
        self.waiting.clear();
        let mut maps = vec![(map, String::new())];
        let mut unready = false;
        while let Some((map, prefix)) = maps.pop() {
            for (key, value) in document.pairs(map) {
                let name = format!("{prefix}{}", document.text(document.resolve(key)));
                let value = document.resolve(value);
                let entry = document.entry(value);
                let var = match entry.shape {
                    Shape::Mapping => {
                        maps.push((value, format!("{name}.")));
                        Var::Collection("a map")
                    }
                    Shape::Sequence => Var::Collection("a list"),
                    _ if entry.has(BROKEN) => Var::Broken,
                    _ if entry.has(DOLLAR) && !entry.has(DONE) => {
                        if !self.values.contains_key(&name) {
                            self.waiting.insert(name);
                        }
                        unready = true;
                        continue;
                    }
                    shape => Var::Scalar {
                        text: document.text(value).to_owned(),
                        quoted: shape == Shape::Quoted,
                        null: document.is_null(value),
                        from_env: entry.has(FROM_ENV),
                    },
                };
                self.values.entry(name).or_insert(var);
            }
        }
        unready
    }

    /// Takes those that still wait as what they are: made of themselves, or too deep.
    pub(super) fn give_up(&mut self) {
        self.values.extend(std::mem::take(&mut self.waiting).into_iter().map(|name| (name, Var::Circular)));
    }

    /// Whether a text names a variable that still waits for others.
    fn has_to_wait(&self, text: &str) -> bool {
        let names = text.replace("$$", "");
        names.split("${vars.").skip(1).any(|rest| {
            let name = rest.split_once('}').map_or(rest, |(name, _)| name);
            self.waiting.contains(name.split_once(":-").map_or(name, |(name, _)| name))
        })
    }
}

/// What values are put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Variables, but for those that name one that waits for others.
    Ready,
    /// What is left of the variables.
    Variables,
    /// All else, where what is captured during the run may stand, too.
    Whole,
}

/// What values are put in from.
pub(super) struct Interpolator<'a> {
    pub(super) vars: &'a Vars,
    pub(super) pass: Pass,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// The values that came from the environment, by the text that asked for them: not to be shown.
    pub(super) shown_as: &'a mut BTreeMap<String, String>,
    /// How many variables were unknown.
    pub(super) unknown: usize,
}

/// A value that was put in.
struct Value<'v> {
    text: Cow<'v, str>,
    quoted: bool,
    null: bool,
    from_env: bool,
    captured: bool,
}

impl Interpolator<'_> {
    /// Puts values into all scalars from `from` up to `to`, and returns what is wrong.
    pub(super) fn apply(
        &mut self,
        document: &mut Document,
        (from, to): (Id, Id),
        source: &Source<'_>,
    ) -> Vec<(Id, Trouble)> {
        let mut troubles = Vec::new();
        if !document.has(DOLLAR) {
            return troubles;
        }
        for id in from..to {
            if !document.entry(id).has(DOLLAR) || document.entry(id).has(DONE | BROKEN) {
                continue;
            }
            if self.pass == Pass::Ready && self.vars.has_to_wait(document.text(id)) {
                continue;
            }
            document.mark(id, DONE);
            match self.expand(document.text(id)) {
                Ok(None) => {}
                Ok(Some(value)) if document.has_room(&value.text) => {
                    document.set_text(id, &value.text);
                    if value.quoted {
                        document.set_quoted(id);
                    }
                    let interpolated = if value.null { 0 } else { INTERPOLATED };
                    let captured = if value.captured { CAPTURED } else { 0 };
                    document.mark(id, interpolated | captured | if value.from_env { FROM_ENV } else { 0 });
                }
                Ok(Some(_)) => {
                    let spot = locate(document, id, source, "$");
                    troubles.push((id, Trouble::new("too-large", spot, TOO_LARGE)));
                    // Whatever else holds a variable is not looked at any more.
                    (id..to)
                        .filter(|id| document.entry(*id).has(DOLLAR))
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|id| document.mark(id, BROKEN));
                }
                Err(wrong) => {
                    document.mark(id, BROKEN);
                    if let Some(Wrong { code, what, message, help }) = wrong {
                        let spot = locate(document, id, source, &what);
                        troubles.push((id, Trouble::new(code, spot, message).help(help)));
                    }
                }
            }
        }
        troubles
    }

    /// The text with its values, `None` where there is nothing to do.
    fn expand(&mut self, text: &str) -> Result<Option<Value<'static>>, Option<Wrong>> {
        let Some(first) = text.find("$$").into_iter().chain(text.find("${")).min() else { return Ok(None) };
        let (mut expanded, mut rest) = (text[..first].to_owned(), &text[first..]);
        let (mut from_env, mut captured) = (false, false);
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = behind;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let Some((expression, behind)) = inner.split_once('}') else {
                    let message = "this `${` is not closed";
                    return Err(Some(
                        Wrong::new("interpolation", format!("${{{inner}"), message)
                            .help("close it with `}`, or write `$${` for the text `${`"),
                    ));
                };
                let value = self.value(expression)?;
                // Alone in its scalar, a value keeps its type.
                if inner.len() + 2 == text.len() && behind.is_empty() {
                    let text = Cow::Owned(value.text.into_owned());
                    return Ok(Some(Value { text, ..value }));
                }
                from_env |= value.from_env;
                captured |= value.captured;
                if expanded.len() + value.text.len() > MAX_BYTES {
                    return Err(Some(Wrong::new("too-large", what_of(expression), TOO_LARGE)));
                }
                expanded.push_str(&value.text);
                rest = behind;
            } else {
                expanded.push('$');
            }
        }
        expanded.push_str(rest);
        Ok(Some(Value { text: Cow::Owned(expanded), quoted: false, null: false, from_env, captured }))
    }

    fn value(&mut self, expression: &str) -> Result<Value<'_>, Option<Wrong>> {
        let what = what_of(expression);
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        let default_value = |text: &str| Value {
            text: Cow::Owned(text.to_owned()),
            quoted: false,
            null: false,
            from_env: false,
            captured: false,
        };
        if is_captured(expression) && self.pass == Pass::Whole {
            return Ok(Value { captured: true, ..default_value(&what) });
        }
        if default.is_some_and(|default| default.contains("${")) {
            let message = "a default cannot have a `${…}` in it";
            return Err(Some(Wrong::new("interpolation", what, message)));
        }
        if let Some(name) = name.strip_prefix("env.").filter(|name| is_env_name(name)) {
            // As shells and compose have it, `:-` stands in for what is empty, too.
            return match ((self.env)(name).filter(|text| default.is_none() || !text.is_empty()), default) {
                (Some(text), _) => {
                    self.shown_as.insert(text.clone(), what);
                    Ok(Value { from_env: true, ..default_value(&text) })
                }
                (None, Some(default)) => Ok(default_value(default)),
                (None, None) => Err(Some(
                    Wrong::new(
                        "unset-variable",
                        what,
                        format!("the environment variable `{name}` is not set"),
                    )
                    .help(&format!("set it, or give a default: `${{env.{name}:-…}}`")),
                )),
            };
        }
        let Some(name) = name.strip_prefix("vars.").filter(|name| !name.is_empty()) else {
            return Err(Some(Wrong::syntax(what, expression)));
        };
        let vars = self.vars;
        match (vars.values.get(name), default) {
            (Some(Var::Scalar { text, quoted, null, from_env }), _) => {
                let (quoted, null, from_env) = (*quoted, *null, *from_env);
                Ok(Value { text: Cow::Borrowed(text), quoted, null, from_env, captured: false })
            }
            (Some(Var::Collection(shape)), _) => {
                let message = format!("`vars.{name}` is {shape}, which cannot stand in text");
                Err(Some(Wrong::new("interpolation", what, message).help("name one of the values in it")))
            }
            (Some(Var::Broken), _) => Err(None),
            (Some(Var::Circular), _) => {
                let message =
                    format!("variables are made of each other in a circle, or more than {MAX_DEPTH} deep");
                Err(Some(Wrong::new("interpolation", what, message)))
            }
            (None, Some(default)) => Ok(default_value(default)),
            (None, None) => {
                // Searching takes as long as there are variables; whoever has so many unknown ones has another problem.
                self.unknown += 1;
                let known = vars.values.keys().map(String::as_str).take(if self.unknown > 100 {
                    0
                } else {
                    usize::MAX
                });
                let near = nearest(name, known);
                let help = match near {
                    Some(near) => format!("did you mean `${{vars.{near}}}`?"),
                    None => format!("declare it under `vars`, or give it with `--var {name}=…`"),
                };
                let message = format!("there is no variable {}", quote(name));
                Err(Some(Wrong::new("unset-variable", what, message).help(&help)))
            }
        }
    }
}

fn what_of(expression: &str) -> String {
    format!("${{{expression}}}")
}

const TOO_LARGE: &str = "with what stands for the variables, the manifest becomes too large";

struct Wrong {
    code: &'static str,
    /// The text that is wrong, as it is written.
    what: String,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(code: &'static str, what: String, message: impl Into<String>) -> Self {
        Self { code, what, message: message.into(), help: None }
    }

    fn help(mut self, help: &str) -> Self {
        self.help = Some(help.to_owned());
        self
    }

    fn syntax(what: String, expression: &str) -> Self {
        let help = if is_env_name(expression) {
            format!(
                "write `${{env.{expression}}}` or `${{vars.{expression}}}`; for the text itself, `$${{{expression}}}`"
            )
        } else {
            "write `${vars.NAME}`, `${env.NAME}` or `${env.NAME:-default}`; `$${` is the text `${`".to_owned()
        };
        let message = format!("{} is not something to put in", quote(&what));
        Self::new("interpolation", what, message).help(&help)
    }
}

/// What a step of a workflow has captured.
fn is_captured(expression: &str) -> bool {
    let name = expression.strip_prefix("captured.").unwrap_or_default();
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_env_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where in the file the text stands: within the scalar, if it is found there.
fn locate(document: &Document, id: Id, source: &Source<'_>, what: &str) -> Spot {
    let entry = document.entry(id);
    let (line, column) = (entry.line, entry.column);
    let text = source.line(line);
    let start = text.char_indices().nth(column as usize - 1).map_or(text.len(), |(at, _)| at);
    match text[start..].find(what) {
        Some(at) => {
            let before = text[start..start + at].chars().count() as u32;
            Spot { line, column: column + before, width: what.chars().count() as u32 }
        }
        None => Spot { line, column, width: entry.width },
    }
}
