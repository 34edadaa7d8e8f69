//! A line of a step's log as the runner reads it: `::name key=value,…::data` where it begins, or else
//! `##[name key=value;…]data` anywhere in it.

use std::collections::BTreeMap;

/// A command that was found in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// In lower case: the runner compares without it.
    pub(crate) name: String,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) data: String,
}

/// What the runner turns back, `%25` at last.
const OLD: [(&str, &str); 5] = [("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%")];
const DATA: [(&str, &str); 3] = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
const PROPERTY: [(&str, &str); 5] = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];

impl Command {
    pub(crate) fn parse(line: &str, registered: &dyn Fn(&str) -> bool) -> Option<Self> {
        Self::parse_new(line, registered).or_else(|| Self::parse_old(line, registered))
    }

    fn parse_new(line: &str, registered: &dyn Fn(&str) -> bool) -> Option<Self> {
        let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        Self::build(head, (',', &PROPERTY), (data, &DATA), registered)
    }

    fn parse_old(line: &str, registered: &dyn Fn(&str) -> bool) -> Option<Self> {
        let (_, rest) = line.split_once("##[")?;
        let (head, data) = rest.split_once(']')?;
        Self::build(head, (';', &OLD), (data, &OLD), registered)
    }

    fn build(
        head: &str,
        (separator, of_properties): (char, &[(&str, &str)]),
        (data, of_data): (&str, &[(&str, &str)]),
        registered: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
        let name = name.to_lowercase();
        if !registered(&name) {
            return None;
        }
        let rest = if separator == ',' { rest.trim() } else { rest };
        let pairs = rest.split(separator).filter_map(|pair| pair.split_once('='));
        let pairs = pairs.filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let properties = pairs.map(|(key, value)| (key.to_lowercase(), unescaped(value, of_properties)));
        Some(Self { name, properties: properties.collect(), data: unescaped(data, of_data) })
    }
}

fn unescaped(text: &str, escapes: &[(&str, &str)]) -> String {
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}
