//! How text gets into a format: piece by piece, as it is displayed, with what means something there in other words.

use std::fmt::{self, Display, Formatter, Write};

use clockwork_core::text::harmless;

/// Writes what is displayed, made harmless: for each character that is `special`, what `word` writes.
pub(super) fn escape(
    f: &mut Formatter<'_>,
    shown: &impl Display,
    special: impl Fn(char) -> bool,
    word: impl Fn(&mut Formatter<'_>, char) -> fmt::Result,
) -> fmt::Result {
    write!(Escaping { f, special, word }, "{shown}")
}

struct Escaping<'a, 'b, S, W> {
    f: &'a mut Formatter<'b>,
    special: S,
    word: W,
}

impl<S: Fn(char) -> bool, W: Fn(&mut Formatter<'_>, char) -> fmt::Result> Write for Escaping<'_, '_, S, W> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let piece = harmless(piece);
        let mut rest = &*piece;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| (self.special)(*c)) {
            self.f.write_str(&rest[..at])?;
            (self.word)(self.f, c)?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.f.write_str(rest)
    }
}

/// With its line breaks.
pub(super) struct Harmless<T>(pub(super) T);

impl<T: Display> Display for Harmless<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(f, &self.0, |_| false, |_, _| Ok(()))
    }
}

/// On one line.
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(f, &self.0, |c| c == '\n', |f, _| f.write_str("\\n"))
    }
}

/// As it may stand in an element or an attribute: nothing that XML forbids or that acts on a terminal.
pub(crate) struct Xml<T>(pub(crate) T);

impl<T: Display> Display for Xml<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let special = |c| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\n' | '\u{fffe}' | '\u{ffff}');
        escape(f, &self.0, special, |f, c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            // As a reference it survives in an attribute, too.
            '\n' => f.write_str("&#10;"),
            other => write!(f, "{}", other.escape_unicode()),
        })
    }
}
