//! What a worker tells, as it stands in its lines of JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::place::Frame;

/// Something that a check looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "0", content = "1", rename_all = "snake_case")]
pub(super) enum Looked {
    /// A path.
    Path(String),
    /// A host, or an empty one: a socket.
    Network(String),
    /// A program.
    Command(Vec<String>),
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Told {
    /// It returned.
    Returned(Returned),
    /// It raised something.
    Raised(Box<Raised>),
    /// It asked Python to end, with this code.
    Exit {
        /// What it gave to `sys.exit`.
        code: String,
        /// Where.
        frames: Vec<Frame>,
    },
    /// There is no such function.
    Missing {
        /// What the file has instead.
        names: Vec<String>,
    },
    /// What has this name is no function.
    NotCallable {
        /// Its type.
        r#type: String,
    },
    /// It cannot be called so.
    Arguments {
        /// What Python says.
        message: String,
        /// What it takes: `(resource, *, limit)`.
        signature: String,
    },
    /// What it told was this many bytes long.
    Large {
        /// In bytes.
        size: u64,
    },
}

/// What a function returned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Returned {
    /// `True` or `False`.
    Bool {
        /// Which.
        value: bool,
    },
    /// `(bool, message)`.
    Pair {
        /// The first.
        value: bool,
        /// The second.
        message: String,
    },
    /// `None`.
    None {
        /// Whether anything in the function could have failed.
        can_fail: bool,
    },
    /// A dict.
    Dict {
        /// Its entries, as JSON can hold them.
        items: Vec<(String, Value)>,
        /// The types of those that JSON cannot hold as they are.
        types: BTreeMap<String, String>,
    },
    /// Anything else.
    Other {
        /// Its type: `numpy.bool_`.
        r#type: String,
        /// How Python shows it.
        shown: String,
    },
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Raised {
    /// Its type: `KeyError`, `requests.exceptions.ConnectionError`.
    pub r#type: String,
    /// What it says.
    pub message: String,
    /// The lines of the user's that it came through, outermost first.
    pub frames: Vec<Frame>,
    /// Whether it is an `AssertionError`.
    pub assertion: bool,
    /// The module that could not be imported.
    #[serde(default)]
    pub module: Option<String>,
    /// The number of the operating system's error behind it.
    #[serde(default)]
    pub errno: Option<i32>,
    /// The path that that is about.
    #[serde(default)]
    pub path: Option<String>,
    /// The exception that it was raised because of.
    #[serde(default)]
    pub cause: Option<String>,
    /// What the `assert` that failed compared.
    #[serde(default)]
    pub asserted: Option<Asserted>,
}

/// The condition of an `assert`, and what its parts were.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Asserted {
    /// Its text.
    pub condition: String,
    /// Its value, where it is no comparison and nothing has to be called for it.
    #[serde(default)]
    pub value: Option<String>,
    /// How it compares: `==`.
    #[serde(default)]
    pub operator: Option<String>,
    /// The text of the left side.
    #[serde(default)]
    pub left: Option<String>,
    /// The text of the right side.
    #[serde(default)]
    pub right: Option<String>,
    /// What the left side was, where nothing has to be called for it.
    #[serde(default)]
    pub left_value: Option<String>,
    /// The same of the right side.
    #[serde(default)]
    pub right_value: Option<String>,
}

/// Why a file cannot be imported.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Broken {
    /// It cannot be read.
    Unreadable {
        /// The operating system's number for why.
        errno: i32,
        /// Its words.
        message: String,
    },
    /// It is no Python.
    Syntax {
        /// What Python says.
        message: String,
        /// In which file.
        file: String,
        /// The line, from 1.
        line: Option<u32>,
        /// The column, from 1.
        column: Option<u32>,
        /// That line.
        source: String,
    },
    /// It raised something.
    Raised(Box<Raised>),
    /// It asked Python to end.
    Exit {
        /// What it gave to `sys.exit`.
        code: String,
        /// Where.
        frames: Vec<Frame>,
    },
}
