//! `clockwork.report/v1`, indented, streamed.
//!
//! JSON lets a string hold characters that act on a terminal (the C1 controls) or reorder what is shown (bidirectional
//! controls). They are written as `\u` escapes, which every reader turns back.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

use clockwork_core::{Report, text::harmful};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    pretty(out, report)
}

/// A value, indented.
pub(super) fn pretty(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut out = Harmless { out, gathered: Vec::with_capacity(2 * GATHERED) };
    value.serialize(&mut Serializer::with_formatter(&mut out, Indented::default()))?;
    out.write_all(b"\n")?;
    out.pass_on()
}

/// A value on one line, in which nothing acts on a terminal.
pub(super) fn line(value: &impl Serialize) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    match escaped(&json) {
        Cow::Borrowed(_) => Ok(json),
        Cow::Owned(escaped) => Ok(escaped),
    }
}

/// JSON in which nothing acts on a terminal: what would, stands in a string.
fn escaped(json: &str) -> Cow<'_, str> {
    let Some(mut next) = harmful(json) else { return Cow::Borrowed(json) };
    let (mut escaped, mut rest) = (String::with_capacity(json.len() + 16), json);
    loop {
        let (at, c) = next;
        escaped.push_str(&rest[..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
        rest = &rest[at + c.len_utf8()..];
        match harmful(rest) {
            Some(more) => next = more,
            None => break,
        }
    }
    escaped.push_str(rest);
    Cow::Owned(escaped)
}

/// So many bytes are looked at at a time.
const GATHERED: usize = 8 << 10;

/// Passes JSON on with escapes for what is not harmless. It is told whole characters, as the serializer writes strings.
struct Harmless<'a, W> {
    out: &'a mut W,
    gathered: Vec<u8>,
}

impl<W: Write> Harmless<'_, W> {
    #[cold]
    fn pass_on(&mut self) -> io::Result<()> {
        let json = str::from_utf8(&self.gathered).map_err(io::Error::other)?;
        self.out.write_all(escaped(json).as_bytes())?;
        self.gathered.clear();
        Ok(())
    }
}

impl<W: Write> Write for Harmless<'_, W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// Inlined, as most of what is written is a mark or two.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < GATHERED { Ok(()) } else { self.pass_on() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()?;
        self.out.flush()
    }
}

/// What [`serde_json::ser::PrettyFormatter`] writes, with each line's beginning in one piece.
#[derive(Default)]
struct Indented {
    depth: usize,
    filled: bool,
}

impl Indented {
    fn line<W: ?Sized + Write>(&self, out: &mut W, first: bool) -> io::Result<()> {
        const LINE: &[u8] = b",\n                                                                ";
        let (from, to) = (usize::from(first), 2 + 2 * self.depth);
        out.write_all(&LINE[from..to.min(LINE.len())])?;
        (LINE.len()..to).try_for_each(|_| out.write_all(b" "))
    }

    fn begin<W: ?Sized + Write>(&mut self, out: &mut W, mark: &[u8; 1]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(mark)
    }

    fn end<W: ?Sized + Write>(&mut self, out: &mut W, mark: &[u8; 1]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(out, true)?;
        }
        out.write_all(mark)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}
