//! What a step's lines do: annotations with their limits, masks, outputs, and what is no command.

use std::collections::BTreeMap;

use super::command::Command;

/// How many annotations of one sort a step keeps.
const KEPT: usize = 10;
/// How much of an annotation's message is kept.
const MESSAGE: usize = 4096;

const COMMANDS: [&str; 15] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// What is shown at a line, or above the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// `error`, `warning` or `notice`.
    pub(crate) level: String,
    pub(crate) message: String,
    /// `file`, `line`, `col`, `title`.
    pub(crate) properties: BTreeMap<String, String>,
}

/// A step's log while it runs, and what its lines have done.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// As people see it: without commands, and with `***` for what is masked.
    pub(crate) lines: Vec<String>,
    /// The commands that were obeyed, by name.
    pub(crate) commands: Vec<String>,
    /// Those that are kept.
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) masks: Vec<String>,
    /// A command went wrong, which fails the step.
    pub(crate) failed: bool,
    stopped_by: Option<String>,
}

impl Log {
    /// One line of standard output or standard error.
    pub(crate) fn line(&mut self, line: &str) {
        let token = self.stopped_by.clone();
        let registered = |name: &str| COMMANDS.contains(&name) || token.as_deref() == Some(name);
        let obeyed = Command::parse(line, &registered).is_some_and(|command| self.obey(command));
        if !obeyed {
            self.show(line);
        }
    }

    /// Whether it is a command that is obeyed now.
    fn obey(&mut self, command: Command) -> bool {
        let Command { name, properties, data } = command;
        if let Some(token) = &self.stopped_by {
            if *token != name {
                return false;
            }
            self.stopped_by = None;
            return true;
        }
        match name.as_str() {
            "error" | "warning" | "notice" => self.annotate(&name, data, properties),
            "group" | "endgroup" | "debug" => self.show(&format!("##[{name}]{data}")),
            "add-mask" => {
                if data.trim().is_empty() {
                    self.annotate(
                        "warning",
                        "Can't add secret mask for empty string".to_owned(),
                        BTreeMap::new(),
                    );
                }
                let lines = data.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
                let masks: Vec<_> = lines.map(str::to_owned).chain([data.clone()]).collect();
                self.masks.extend(masks.into_iter().filter(|mask| !mask.is_empty()));
            }
            "set-output" => {
                self.outputs.insert(properties.get("name").cloned().unwrap_or_default(), data);
            }
            "stop-commands" => {
                assert!(!COMMANDS.contains(&data.as_str()) && !data.is_empty(), "an invalid token");
                self.stopped_by = Some(data.to_lowercase());
            }
            "set-env" | "add-path" => {
                self.error(&format!("Unable to process command '{name}' successfully."));
                self.failed = true;
            }
            _ => {}
        }
        self.commands.push(name);
        true
    }

    /// What the runner itself has to say.
    pub(crate) fn error(&mut self, message: &str) {
        self.annotate("error", message.to_owned(), BTreeMap::new());
    }

    fn annotate(&mut self, level: &str, message: String, properties: BTreeMap<String, String>) {
        let message: String = self.masked(&message).chars().take(MESSAGE).collect();
        self.show(&format!("##[{level}]{message}"));
        if self.annotations.iter().filter(|one| one.level == level).count() < KEPT {
            self.annotations.push(Annotation { level: level.to_owned(), message, properties });
        }
    }

    fn show(&mut self, line: &str) {
        self.lines.push(self.masked(line));
    }

    /// The text with `***` for what is masked.
    pub(crate) fn masked(&self, text: &str) -> String {
        let mut masks = self.masks.clone();
        masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
        masks.iter().fold(text.to_owned(), |text, mask| text.replace(mask, "***"))
    }
}
