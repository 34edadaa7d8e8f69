//! Paths as they are declared and as they are shown.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use clockwork_core::text;

/// Makes questions equal whose paths are the same letter by letter: to [`Path`] itself `x` and `x/` are equal, and the second
/// asks for a directory.
macro_rules! equal_by_the_letter {
    ($probe:ident $(, $field:ident)*) => {
        impl PartialEq for $probe {
            fn eq(&self, other: &Self) -> bool {
                self.path.as_os_str() == other.path.as_os_str() $(&& self.$field == other.$field)*
            }
        }

        impl Eq for $probe {}

        impl std::hash::Hash for $probe {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.path.as_os_str().hash(state);
                $(self.$field.hash(state);)*
            }
        }
    };
}
pub(super) use equal_by_the_letter;

/// What is wrong with a declared path, if anything is.
pub fn check_path(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Some(String::from("is empty: name a file"));
    }
    if bytes.contains(&0) {
        return Some(String::from("holds a NUL character, which no path can"));
    }
    if bytes == b"~" || bytes.starts_with(b"~/") {
        return Some(format!(
            "{} begins with `~`, which is not expanded: write the whole path, for example with `${{env.HOME}}`, or \
             begin with `./` if the name really has a tilde",
            show_path(path)
        ));
    }
    None
}

/// A path for a message: as it is where it is plain, otherwise quoted, escaped and bounded.
///
/// ```
/// use std::path::Path;
/// use clockwork_drivers::file::show_path;
///
/// assert_eq!(show_path(Path::new("/etc/hosts")), "/etc/hosts");
/// assert_eq!(show_path(Path::new("/tmp/a\nb")), r#""/tmp/a\nb""#);
/// ```
pub fn show_path(path: &Path) -> String {
    shown_path(path).into_owned()
}

/// The same, borrowed where it is plain.
pub fn shown_path(path: &Path) -> Cow<'_, str> {
    // One of a container, which this system has put together in its own way.
    if cfg!(windows) && path.has_root() && !path.is_absolute() {
        let path = path.to_string_lossy().replace('\\', "/");
        return if is_plain(&path) { path.into() } else { text::quote(&path).into() };
    }
    match path.to_str() {
        Some(plain) if is_plain(plain) => plain.into(),
        _ => text::quote_bytes(path.as_os_str().as_encoded_bytes()).into(),
    }
}

/// What would end or change a quoted text; but not what stands between the parts of a path.
const fn is_special(c: char) -> bool {
    matches!(c, '"' | '\'' | '`') || c == '\\' && !cfg!(windows)
}

/// The bytes of a path that is shown as it is.
const SIMPLE: [bool; 256] = {
    let mut simple = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        simple[byte as usize] = !is_special(byte as char);
        byte += 1;
    }
    simple
};

fn is_plain(path: &str) -> bool {
    // As nearly all paths are.
    if path.len() <= text::QUOTE_LIMIT
        && !path.is_empty()
        && path.bytes().all(|byte| SIMPLE[usize::from(byte)])
    {
        return true;
    }
    !path.is_empty()
        && path.chars().count() <= text::QUOTE_LIMIT
        && !path.chars().any(|c| c.is_whitespace() || is_special(c))
        && text::harmless(path).len() == path.len()
}

/// The directory that holds the last component of `path`.
pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}
