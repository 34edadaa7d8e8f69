//! Text that comes from outside, made harmless: bounded, and unable to move the cursor, forge a line or hide itself.

use std::{borrow::Cow, fmt::Write};

/// How much foreign text a message quotes, in characters.
pub const QUOTE_LIMIT: usize = 200;

/// Foreign text in double quotes, on one line, at most [`QUOTE_LIMIT`] characters.
///
/// ```
/// assert_eq!(clockwork_core::text::quote("a\n\x1b[31m"), r#""a\n\u{1b}[31m""#);
/// ```
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().min(QUOTE_LIMIT) + 2);
    quoted.push('"');
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.len() <= QUOTE_LIMIT && text.bytes().all(plain) {
        quoted.push_str(text);
        quoted.push('"');
        return quoted;
    }
    for (count, c) in text.chars().enumerate() {
        if count == QUOTE_LIMIT {
            let _ = write!(quoted, "…\" ({} bytes in all)", text.len());
            return quoted;
        }
        push_quoted(&mut quoted, c);
    }
    quoted.push('"');
    quoted
}

/// What stands between the quotes of [`quote`], of all of the text.
pub(crate) fn quote_unbounded(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    text.chars().for_each(|c| push_quoted(&mut quoted, c));
    quoted
}

fn push_quoted(quoted: &mut String, c: char) {
    match c {
        '"' | '\\' => quoted.extend(['\\', c]),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        c if is_harmful(c) => {
            let _ = write!(quoted, "{}", c.escape_unicode());
        }
        c => quoted.push(c),
    }
}

/// The same for bytes that may not be UTF-8.
pub fn quote_bytes(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(QUOTE_LIMIT * 4 + 4)];
    quote(&String::from_utf8_lossy(shown))
}

/// Our own message with whatever foreign text got into it: line breaks stay, everything else that could act on a
/// terminal or a log is escaped.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let Some(first) = harmful(text) else { return Cow::Borrowed(text) };
    let mut safe = String::with_capacity(text.len() + 16);
    let (mut rest, mut next) = (text, Some(first));
    while let Some((at, c)) = next {
        let _ = write!(safe, "{}{}", &rest[..at], c.escape_unicode());
        rest = &rest[at + c.len_utf8()..];
        next = harmful(rest);
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

/// The first character that could act on a terminal or a log, and where it is.
pub fn harmful(text: &str) -> Option<(usize, char)> {
    let mut at = 0;
    loop {
        at += plain(&text.as_bytes()[at..]);
        match text[at..].chars().next()? {
            c if c != '\n' && is_harmful(c) => return Some((at, c)),
            c => at += c.len_utf8(),
        }
    }
}

/// Whether it is printable ASCII on one line, as nearly all names are.
pub(crate) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let low = word & (0x7f * EACH);
        (word | (low + EACH) | !(low + 0x60 * EACH)) & (0x80 * EACH) == 0
    };
    match bytes.last_chunk() {
        // Of what is longer, some of the last bytes are looked at twice.
        Some(last) => plain(last) && bytes.as_chunks().0.iter().all(plain),
        None => bytes.iter().all(|byte| matches!(byte, b' '..=b'~')),
    }
}

/// One in each of eight bytes.
const EACH: u64 = u64::MAX / 0xff;

/// How many bytes at the beginning are harmless ASCII: eight of them are looked at at a time.
fn plain(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| {
        let word = u64::from_le_bytes(**word);
        let low = word & (0x7f * EACH);
        // The highest bit of each byte: from a space on; deleted; neither of both, but a line break.
        let (shown, delete) = (low + 0x60 * EACH, low + EACH);
        let other = (low ^ (u64::from(b'\n') * EACH)) + 0x7f * EACH;
        (word | delete | !shown & other) & (0x80 * EACH) == 0
    });
    let plain = 8 * plain.count();
    plain + bytes[plain..].iter().take_while(|byte| matches!(byte, b' '..=b'~' | b'\n')).count()
}

/// At most `limit` bytes of `text`, cut between characters, and said so.
pub fn bounded(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}… ({} bytes in all)", &text[..end], text.len())
}

/// Control characters, and the invisible ones that reorder or hide text (Unicode TR 36: bidirectional controls).
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Decimal digits behind what is there already: through `fmt` they cost ten times as much.
pub fn push_number(text: &mut String, number: u64) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_survives() {
        let hostile = "ok\r\n\u{1b}[2K✓ All passed\u{202e}\u{9b}31m\0";
        assert_eq!(quote(hostile), r#""ok\r\n\u{1b}[2K✓ All passed\u{202e}\u{9b}31m\u{0}""#);
        assert_eq!(harmless("a\nb"), "a\nb");
        assert_eq!(harmless("a\rb\u{1b}"), "a\\u{d}b\\u{1b}");
    }

    #[test]
    fn what_is_harmful_is_found_wherever_it_stands() {
        for c in (0..=0x3000).chain(0xfe00..0x1_0000).filter_map(char::from_u32) {
            for before in 0..17 {
                let text =
                    format!("{}{c}{}", "~\n \u{e4}"[..(before % 4).min(3)].repeat(before), " }~\n".repeat(3));
                let expected = text.char_indices().find(|(_, c)| *c != '\n' && is_harmful(*c));
                assert_eq!(harmful(&text), expected, "{text:?}");
                for text in [&*text, &"~".repeat(before), &format!("{}{c}", " ".repeat(before))] {
                    assert_eq!(is_plain(text), text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn everything_is_bounded() {
        let quoted = quote(&"x".repeat(100_000));
        assert!(quoted.len() < 300 && quoted.ends_with("(100000 bytes in all)"), "{quoted}");
        assert_eq!(bounded("äöü".to_owned(), 3), "ä… (6 bytes in all)");
    }
}
