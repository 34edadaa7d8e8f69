//! `clockwork.report/v1`, indented, streamed.
//!
//! JSON lets a string hold characters that act on a terminal (the C1 controls) or reorder what is shown (bidirectional
//! controls). They are written as `\u` escapes, which every reader turns back.

use std::{borrow::Cow, io};

use clockwork_core::{Report, text::harmless};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};

pub(super) fn write(out: &mut impl io::Write, report: &Report) -> io::Result<()> {
    pretty(out, report)
}

/// A value, indented.
pub(super) fn pretty(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Harmless(PrettyFormatter::new())))?;
    out.write_all(b"\n")
}

/// A value on one line, in which nothing acts on a terminal.
pub(super) fn line(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(
        &mut bytes,
        Harmless(serde_json::ser::CompactFormatter),
    ))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Writes what the formatter inside it writes, with escapes for what is not harmless.
struct Harmless<F>(F);

/// Passes these on to the formatter inside.
macro_rules! pass_on {
    ($($method:ident $(($argument:ident: $type:ty))?),* $(,)?) => {$(
        fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $argument: $type)?) -> io::Result<()> {
            self.0.$method(writer $(, $argument)?)
        }
    )*};
}

impl<F: Formatter> Formatter for Harmless<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Borrowed means that there was nothing to escape.
        if matches!(harmless(fragment), Cow::Borrowed(_)) {
            return out.write_all(fragment.as_bytes());
        }
        let mut utf8 = [0; 4];
        for c in fragment.chars() {
            let text = &*c.encode_utf8(&mut utf8);
            if matches!(harmless(text), Cow::Borrowed(_)) {
                out.write_all(text.as_bytes())?;
            } else {
                let mut utf16 = [0; 2];
                for unit in c.encode_utf16(&mut utf16) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    pass_on! {
        begin_array, end_array, end_array_value, begin_object, end_object, end_object_value, begin_object_value,
        begin_array_value(first: bool), begin_object_key(first: bool), write_char_escape(escape: CharEscape),
    }
}
