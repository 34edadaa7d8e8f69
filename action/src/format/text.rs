//! For people: core's text, streamed.

use std::{fmt, io};

use clockwork_core::{Report, TextOptions, write_text};

pub(super) fn write(out: &mut impl io::Write, report: &Report, options: &TextOptions) -> io::Result<()> {
    let mut adapter = Adapter { out, error: None };
    match write_text(&mut adapter, report, options) {
        Ok(()) => Ok(()),
        Err(fmt::Error) => {
            Err(adapter.error.unwrap_or_else(|| io::Error::other("cannot be written as text")))
        }
    }
}

/// Writes text to a byte stream, and keeps the error that `fmt` has no room for.
struct Adapter<'a, W> {
    out: &'a mut W,
    error: Option<io::Error>,
}

impl<W: io::Write> fmt::Write for Adapter<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}
