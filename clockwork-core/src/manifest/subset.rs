//! The part of YAML that nearly all manifests are written in, read at a tenth of what the parser takes: it was a sixth
//! of what ten thousand checks cost.
//!
//! Block maps and lists, `{…}` and `[…]`, scalars that end on their line, comments. Whatever is more than that, or in
//! error, or only looks unusual, gives `None`, and the parser reads the whole file instead. So this knows no errors,
//! and need not understand all of YAML; but what it takes, it must take as the parser does, which the tests hold it to
//! for every short text and for endless long ones.

use std::borrow::Cow;

use super::node::{Document, Shape};

/// How deep it follows; far less than is allowed.
const DEPTH: u32 = 24;

/// How long a key may be, in bytes. The parser knows a limit too, a little further on.
const KEY: usize = 1000;

/// Where there is no line any more, as if it were indented less than any.
const END: i32 = -1;

/// Reads one document, if nothing about it is unusual.
pub(super) fn read(text: &str) -> Option<Document> {
    let bytes = text.as_bytes();
    if bytes.contains(&b'\r') || (!text.is_ascii() && text.contains('\u{feff}')) {
        return None;
    }
    let document = Document::with_capacity(text.len());
    let at = if text.starts_with("---\n") { 3 } else { 0 };
    let mut reader = Reader { text, bytes, at, line: 1, start: 0, ascii: text.is_ascii(), document };
    let indent = reader.next_line()?;
    if indent == END || reader.block(indent, DEPTH)? != END {
        return None;
    }
    Some(reader.document)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// From 1, and where it begins.
    line: u32,
    start: usize,
    ascii: bool,
    document: Document,
}

/// A scalar that has been read and has no place in the document yet.
struct Scalar<'t> {
    column: u32,
    width: u32,
    shape: Shape,
    text: Cow<'t, str>,
    bytes: usize,
}

impl<'t> Reader<'t> {
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(b'\n')
    }

    fn spaces(&mut self) -> usize {
        let rest = &self.bytes[self.at..];
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        self.at += spaces;
        spaces
    }

    /// How many characters.
    fn width(&self, from: usize, to: usize) -> u32 {
        if self.ascii { (to - from) as u32 } else { self.text[from..to].chars().count() as u32 }
    }

    /// Goes on to the next line that has more than a comment, and says how far it is indented. On this line there must
    /// be no more than a comment either, unless it is the first one.
    fn next_line(&mut self) -> Option<i32> {
        let mut fresh = self.at == 0;
        loop {
            let spaces = self.spaces();
            match self.bytes.get(self.at) {
                None => return Some(END),
                Some(b'\n') => {
                    self.at += 1;
                    (self.line, self.start, fresh) = (self.line + 1, self.at, true);
                }
                Some(b'#') if fresh || self.bytes[self.at - 1] == b' ' => self.comment(),
                Some(_) if fresh => return Some(spaces as i32),
                Some(_) => return None,
            }
        }
    }

    fn comment(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// Spaces, and a comment behind them.
    fn blank(&mut self) {
        if self.spaces() > 0 && self.byte() == b'#' {
            self.comment();
        }
    }

    fn at_dash(&self) -> bool {
        self.byte() == b'-' && matches!(self.bytes.get(self.at + 1), None | Some(b' ' | b'\n'))
    }

    /// The node that begins here, at this column. As all that read a node in a block, it ends at the next line with
    /// content, and returns how far that one is indented.
    fn block(&mut self, indent: i32, depth: u32) -> Option<i32> {
        if self.at_dash() {
            return self.sequence(indent, true, depth.checked_sub(1)?);
        }
        if matches!(self.byte(), b'{' | b'[') {
            return self.value(indent - 1, depth);
        }
        let scalar = self.scalar(false)?;
        if self.byte() == b':' {
            return self.mapping(indent, scalar, depth.checked_sub(1)?);
        }
        self.push(&scalar);
        self.next_line()
    }

    /// A value that is all on one line, or in brackets, under a key or a dash at this column.
    fn value(&mut self, indent: i32, depth: u32) -> Option<i32> {
        if matches!(self.byte(), b'{' | b'[') {
            self.flow_node(indent, depth)?;
        } else {
            let scalar = self.scalar(false)?;
            self.push(&scalar);
        }
        self.next_line()
    }

    /// The parser puts a list that is not indented at what follows its first dash.
    fn sequence(&mut self, indent: i32, indented: bool, depth: u32) -> Option<i32> {
        let dash = self.at;
        self.at += 1;
        self.blank();
        let column = self.width(self.start, if indented { dash } else { self.at }) + 1;
        let id = self.document.push(self.line, column, 1, Shape::Sequence);
        loop {
            let next = match self.byte() {
                b'\n' => match self.next_line()? {
                    inner if inner > indent => self.block(inner, depth)?,
                    _ => return None,
                },
                _ => self.block((self.at - self.start) as i32, depth)?,
            };
            if next != indent || !self.at_dash() {
                self.document.close(id);
                return (next <= indent).then_some(next);
            }
            self.at += 1;
            self.blank();
        }
    }

    fn mapping(&mut self, indent: i32, mut key: Scalar<'t>, depth: u32) -> Option<i32> {
        let id = self.document.push(self.line, key.column, 1, Shape::Mapping);
        loop {
            if self.byte() != b':' || key.bytes > KEY {
                return None;
            }
            self.push(&key);
            self.at += 1;
            let spaces = self.spaces();
            let next = match self.byte() {
                b'\n' | b'#' => match self.next_line()? {
                    inner if inner > indent => self.block(inner, depth)?,
                    inner if inner == indent && self.at_dash() => {
                        self.sequence(indent, false, depth.checked_sub(1)?)?
                    }
                    _ => return None,
                },
                _ if spaces > 0 => self.value(indent, depth)?,
                _ => return None,
            };
            if next != indent {
                self.document.close(id);
                return (next < indent).then_some(next);
            }
            key = self.scalar(false)?;
        }
    }

    fn flow_node(&mut self, indent: i32, depth: u32) -> Option<()> {
        match self.byte() {
            b'{' => self.flow(indent, Shape::Mapping, b'}', depth.checked_sub(1)?),
            b'[' => self.flow(indent, Shape::Sequence, b']', depth.checked_sub(1)?),
            _ => {
                let scalar = self.scalar(true)?;
                self.push(&scalar);
                Some(())
            }
        }
    }

    fn flow(&mut self, indent: i32, shape: Shape, close: u8, depth: u32) -> Option<()> {
        let column = self.width(self.start, self.at) + 1;
        let id = self.document.push(self.line, column, 1, shape);
        self.at += 1;
        loop {
            self.flow_space(indent)?;
            if self.byte() == close {
                break;
            }
            if shape == Shape::Mapping {
                let key = self.scalar(true)?;
                if self.byte() != b':' || key.bytes > KEY {
                    return None;
                }
                self.push(&key);
                self.at += 1;
                if self.spaces() == 0 && key.shape == Shape::Plain {
                    return None;
                }
            }
            self.flow_node(indent, depth)?;
            self.flow_space(indent)?;
            match self.byte() {
                b',' => self.at += 1,
                byte if byte == close => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.document.close(id);
        Some(())
    }

    /// Between brackets, a line may end wherever a space may stand.
    fn flow_space(&mut self, indent: i32) -> Option<()> {
        self.spaces();
        if matches!(self.byte(), b'\n' | b'#') {
            return (self.next_line()? > indent).then_some(());
        }
        Some(())
    }

    /// A scalar that ends on its line. To one in quotes, the parser adds the space and the comment behind it.
    fn scalar(&mut self, flow: bool) -> Option<Scalar<'t>> {
        let from = self.at;
        let (shape, text) = match self.byte() {
            quote @ (b'"' | b'\'') => (Shape::Quoted, self.quoted(quote)?),
            _ => (Shape::Plain, Cow::Borrowed(self.plain(flow)?)),
        };
        let column = self.width(self.start, from) + 1;
        let width = self.width(from, self.at);
        Some(Scalar { column, width, shape, text, bytes: self.at - from })
    }

    fn quoted(&mut self, quote: u8) -> Option<Cow<'t, str>> {
        let from = self.at + 1;
        let (mut text, mut copied, mut at) = (Cow::Borrowed(""), from, from);
        loop {
            let special = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b'\n' | b'\t');
            at += self.bytes[at..].iter().position(special)?;
            let next = self.bytes.get(at + 1).copied().unwrap_or(b'\n');
            let escaped = match self.bytes[at] {
                b'\n' | b'\t' => return None,
                b'\\' if quote == b'"' => match next {
                    b'\\' | b'"' | b'/' => char::from(next),
                    b'n' => '\n',
                    b't' => '\t',
                    b'r' => '\r',
                    _ => return None,
                },
                b'\'' if quote == b'\'' && next == quote => '\'',
                byte if byte == quote => break,
                _ => {
                    at += 1;
                    continue;
                }
            };
            let text = text.to_mut();
            text.push_str(&self.text[copied..at]);
            text.push(escaped);
            at += 2;
            copied = at;
        }
        self.at = at + 1;
        self.blank();
        match &mut text {
            Cow::Borrowed(text) => *text = &self.text[from..at],
            Cow::Owned(text) => text.push_str(&self.text[copied..at]),
        }
        Some(text)
    }

    fn plain(&mut self, flow: bool) -> Option<&'t str> {
        let from = self.at;
        match self.byte() {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'_'
            | b'$'
            | b'~'
            | b'<'
            | b'='
            | b'('
            | 0x80.. => {}
            b'-' | b'.' | b'+' if self.bytes.get(from + 1).is_some_and(u8::is_ascii_digit) => {}
            _ => return None,
        }
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' ' | b':' | b',' | b'[' | b']' | b'{' | b'}');
        let mut end = from;
        loop {
            let rest = &self.bytes[self.at..];
            let word = rest.iter().position(ends).unwrap_or(rest.len());
            if word > 0 {
                self.at += word;
                end = self.at;
            }
            let next = self.bytes.get(self.at + 1).copied().unwrap_or(b'\n');
            match self.byte() {
                b'\n' => break,
                b'\t' => return None,
                b' ' => {
                    self.at += 1;
                    match next {
                        b'#' => break,
                        b'-' if flow => return None,
                        _ => continue,
                    }
                }
                b':' if matches!(next, b' ' | b'\n') => break,
                b':' if flow && matches!(next, b',' | b'[' | b']' | b'{' | b'}') => return None,
                b':' => {}
                _ if flow => break,
                _ => {}
            }
            self.at += 1;
            end = self.at;
        }
        self.at = end;
        Some(&self.text[from..end])
    }

    fn push(&mut self, scalar: &Scalar<'_>) {
        let Scalar { column, width, shape, text, .. } = scalar;
        self.document.push_scalar(self.line, *column, *width, *shape, text);
    }
}

#[cfg(test)]
#[path = "subset_tests.rs"]
mod tests;
