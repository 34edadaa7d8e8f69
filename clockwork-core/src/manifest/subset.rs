//! The part of YAML that nearly all manifests are written in, read at a tenth of what the parser takes: it was a sixth
//! of what ten thousand checks cost.
//!
//! Block maps and lists, `{…}` and `[…]`, scalars that end on their line, comments. Whatever is more than that, or in
//! error, or only looks unusual, gives `None`, and the parser reads the whole file instead. So this knows no errors,
//! and need not understand all of YAML; but what it takes, it must take as the parser does, which the tests hold it to
//! for every short text and for endless long ones.

use super::{
    node::{DOLLAR, Document, Entry, GOOD_KEYS, Id, Shape},
    scalar::is_null,
    scan::{ENDS, until_quote},
};

/// How deep it follows; far less than is allowed.
const DEPTH: u32 = 24;

/// How long a key may be, in bytes. The parser knows a limit too, a little further on.
const KEY: usize = 1000;

/// How many keys of a map are compared with each other.
const FEW: usize = 16;

/// Where there is no line any more, as if it were indented less than any.
const END: i32 = -1;

/// Reads one document, if nothing about it is unusual.
pub(super) fn read(text: &str) -> Option<Document<'_>> {
    let (bytes, ascii) = (text.as_bytes(), text.is_ascii());
    // Found many bytes at a time.
    let has = |wanted: u8| bytes.iter().fold(false, |any, byte| any | (*byte == wanted));
    if has(b'\r') || (!ascii && text.contains('\u{feff}')) {
        return None;
    }
    let at = if text.starts_with("---\n") { 3 } else { 0 };
    let document = Document::with_capacity(text, 0);
    let (dollars, keys) = (has(b'$'), Vec::new());
    let mut reader = Reader { text, bytes, at, line: 1, start: 0, ascii, dollars, document, keys };
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
    /// Whether there is a `$` anywhere.
    dollars: bool,
    document: Document<'t>,
    /// The keys of the maps that are open.
    keys: Vec<&'t [u8]>,
}

impl Reader<'_> {
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
        let bytes = self.scalar(false)?;
        if self.byte() == b':' && bytes <= KEY {
            return self.mapping(indent, depth.checked_sub(1)?);
        }
        self.next_line()
    }

    /// A value that is all on one line, or in brackets, under a key or a dash at this column.
    fn value(&mut self, indent: i32, depth: u32) -> Option<i32> {
        if matches!(self.byte(), b'{' | b'[') {
            self.flow_node(indent, depth)?;
        } else {
            self.scalar(false)?;
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

    /// A map whose first key has been read.
    fn mapping(&mut self, indent: i32, depth: u32) -> Option<i32> {
        let id = self.document.open_before(Shape::Mapping);
        let first = self.keys.len();
        let mut good = true;
        loop {
            good &= self.good_key(first);
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
                self.close(id, first, good);
                return (next < indent).then_some(next);
            }
            self.key(false)?;
        }
    }

    fn flow_node(&mut self, indent: i32, depth: u32) -> Option<()> {
        match self.byte() {
            b'{' => self.flow(indent, Shape::Mapping, b'}', depth.checked_sub(1)?),
            b'[' => self.flow(indent, Shape::Sequence, b']', depth.checked_sub(1)?),
            _ => self.scalar(true).map(drop),
        }
    }

    fn flow(&mut self, indent: i32, shape: Shape, close: u8, depth: u32) -> Option<()> {
        let column = self.width(self.start, self.at) + 1;
        let id = self.document.push(self.line, column, 1, shape);
        self.at += 1;
        let first = self.keys.len();
        let mut good = shape == Shape::Mapping;
        loop {
            self.flow_space(indent)?;
            if self.byte() == close {
                break;
            }
            if shape == Shape::Mapping {
                let quoted = matches!(self.byte(), b'"' | b'\'');
                self.key(true)?;
                good &= self.good_key(first);
                self.at += 1;
                if self.spaces() == 0 && !quoted {
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
        self.close(id, first, good);
        Some(())
    }

    /// Whether it is certain that the last scalar is a good key, and none of those from `first` on.
    fn good_key(&mut self, first: usize) -> bool {
        let Some(name) = self.document.last_in_file() else { return false };
        let known = &self.keys[first..];
        let good = name != b"<<" && !is_null(name) && known.len() < FEW && !known.contains(&name);
        if good {
            self.keys.push(name);
        }
        good
    }

    fn close(&mut self, id: Id, first: usize, good_keys: bool) {
        self.keys.truncate(first);
        self.document.close(id);
        if good_keys {
            self.document.mark(id, GOOD_KEYS);
        }
    }

    /// Between brackets, a line may end wherever a space may stand.
    fn flow_space(&mut self, indent: i32) -> Option<()> {
        self.spaces();
        if matches!(self.byte(), b'\n' | b'#') {
            return (self.next_line()? > indent).then_some(());
        }
        Some(())
    }

    /// A scalar with a `:` behind it.
    fn key(&mut self, flow: bool) -> Option<()> {
        let bytes = self.scalar(flow)?;
        (self.byte() == b':' && bytes <= KEY).then_some(())
    }

    /// A scalar that ends on its line, and how many bytes it takes. To one in quotes, the parser adds the space and the
    /// comment behind it.
    fn scalar(&mut self, flow: bool) -> Option<usize> {
        let from = self.at;
        let (shape, place) = match self.byte() {
            quote @ (b'"' | b'\'') => (Shape::Quoted, self.quoted(quote)?),
            _ => (Shape::Plain, self.plain(flow)?),
        };
        let column = self.width(self.start, from) + 1;
        let width = self.width(from, self.at);
        let id = self.document.add(Entry::new(self.line, column, width, shape, place));
        if self.dollars && self.document.text(id).contains('$') {
            self.document.mark(id, DOLLAR);
        }
        Some(self.at - from)
    }

    /// Returns where the text is and how long: as it stands there, or a text of the document's own.
    fn quoted(&mut self, quote: u8) -> Option<(u32, u32)> {
        let from = self.at + 1;
        let end = from + until_quote(&self.bytes[from..], quote)?;
        let twice = quote == b'\'' && self.bytes.get(end + 1) == Some(&quote);
        let place = if self.bytes[end] == quote && !twice {
            self.at = end + 1;
            (from as u32, (end - from) as u32)
        } else {
            self.escaped(quote, from, end)?
        };
        self.blank();
        Some(place)
    }

    /// The same where something stands for something else, at `at` for the first time.
    fn escaped(&mut self, quote: u8, from: usize, mut at: usize) -> Option<(u32, u32)> {
        let (mut text, mut copied) = (String::new(), from);
        loop {
            let next = self.bytes.get(at + 1).copied().unwrap_or(b'\n');
            let escaped = match self.bytes[at] {
                b'\\' if quote == b'"' => match next {
                    b'\\' | b'"' | b'/' => Some(char::from(next)),
                    b'n' => Some('\n'),
                    b't' => Some('\t'),
                    b'r' => Some('\r'),
                    _ => return None,
                },
                b'\\' => None,
                b'\'' if quote == b'\'' && next == quote => Some('\''),
                byte if byte == quote => break,
                _ => return None,
            };
            if let Some(escaped) = escaped {
                text.push_str(&self.text[copied..at]);
                text.push(escaped);
                at += 1;
                copied = at + 1;
            }
            at += 1;
            at += until_quote(&self.bytes[at..], quote)?;
        }
        self.at = at + 1;
        text.push_str(&self.text[copied..at]);
        Some(self.document.own(&text))
    }

    fn plain(&mut self, flow: bool) -> Option<(u32, u32)> {
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
        let mut end = from;
        loop {
            let rest = &self.bytes[self.at..];
            let word = rest.iter().position(|byte| ENDS[usize::from(*byte)]).unwrap_or(rest.len());
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
        Some((from as u32, (end - from) as u32))
    }
}

#[cfg(test)]
#[path = "subset_tests.rs"]
mod tests;
