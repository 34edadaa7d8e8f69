//! How foreign text gets into a format: made harmless, and with what means something there in other words. It is written by
//! the runs between those.

use std::{
    borrow::Cow,
    fmt::{self, Display, Formatter},
};

use clockwork_core::text::harmless;

/// Writes the text, made harmless. Where a byte is `special`, `word` writes the character that begins there.
pub(super) fn escape(
    f: &mut Formatter<'_>,
    text: &str,
    special: impl Fn(u8) -> bool,
    word: impl Fn(&mut Formatter<'_>, char) -> fmt::Result,
) -> fmt::Result {
    let text = harmless(text);
    let mut rest = &*text;
    while let Some(at) = rest.bytes().position(&special) {
        let (run, behind) = rest.split_at(at);
        let Some(c) = behind.chars().next() else { break };
        if at > 0 {
            f.write_str(run)?;
        }
        word(f, c)?;
        rest = &behind[c.len_utf8()..];
    }
    f.write_str(rest)
}

/// Foreign text on one line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match harmless(text) {
        text if text.contains('\n') => text.replace('\n', "\\n").into(),
        text => text,
    }
}

/// Text as it may stand in an element or an attribute: nothing that XML forbids or that acts on a terminal.
pub(crate) struct Xml<'a>(pub(crate) &'a str);

impl Display for Xml<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // U+FFFE and U+FFFF begin so, as many others do.
        let special = |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | b'\n' | 0xef);
        escape(f, self.0, special, |f, c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            // As a reference it survives in an attribute, too.
            '\n' => f.write_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => write!(f, "{}", c.escape_unicode()),
            other => write!(f, "{other}"),
        })
    }
}
