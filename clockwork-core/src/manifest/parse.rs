//! From bytes to a [`Document`]. Whatever the bytes are, this ends quickly: the size, the depth and what aliases
//! unfold to are bounded, and nothing here recurses.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::{
    error::{Spot, Trouble},
    node::{BROKEN, DOLLAR, Document, GOOD_KEYS, Id, Shape},
    subset,
};
use crate::text::quote;

/// How large a manifest may be, in bytes.
pub(super) const MAX_BYTES: usize = 32 << 20;

/// How deep collections may be nested, aliases unfolded.
const MAX_DEPTH: u32 = 64;

/// How many nodes aliases may stand for, all together.
const MAX_ALIASED: u64 = 100_000;

/// The text of a file, as far as it is any, and what is wrong with the rest.
pub(super) fn decode(bytes: &[u8]) -> (&str, Option<Trouble>) {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", bytes.len());
        return ("", Some(Trouble::new("too-large", None, message)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return ("", Some(Trouble::new("not-utf8", None, "the file is UTF-16; save it as UTF-8")));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, rest) = match str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            (str::from_utf8(valid).unwrap_or_default(), rest.first())
        }
    };
    // The parser takes a NUL for the end, and would leave out whatever follows.
    let control = |byte: &u8| (*byte < b' ') & !matches!(byte, b'\t' | b'\n' | b'\r') | (*byte == 0x7f);
    // Whether there is one is found many bytes at a time, and where, only if so.
    let any = text.as_bytes().iter().fold(false, |any, byte| any | control(byte));
    if any && let Some(at) = text.as_bytes().iter().position(control) {
        let byte = text.as_bytes()[at];
        let message = format!("there is a control character here (0x{byte:02x}), which YAML does not allow");
        let help = format!("in double quotes it is written as an escape: \"\\x{byte:02x}\"");
        return (text, Some(Trouble::new("control-character", spot_at(&text[..at]), message).help(help)));
    }
    let wrong = rest.map(|byte| {
        let message = format!("the file is not UTF-8: there is the byte 0x{byte:02x} here");
        Trouble::new("not-utf8", spot_at(text), message)
    });
    (text, wrong)
}

/// The place behind this text.
fn spot_at(before: &str) -> Spot {
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let ends = before.matches('\n').count() + before.matches('\r').count() - before.matches("\r\n").count();
    Spot { line: ends as u32 + 1, column: before[line_start..].chars().count() as u32 + 1, width: 1 }
}

const BEFORE_JSON: &str = "--- ";

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Trouble> {
    subset::read(text).map_or_else(|| parse_all(text), Ok)
}

/// Reads one document with the parser, which knows all of YAML, and what is wrong with it.
pub(super) fn parse_all(text: &str) -> Result<Document<'_>, Trouble> {
    let mut builder =
        Builder { document: Document::with_capacity(text, text.len() / 2), ..Builder::default() };
    let mut documents = 0;
    // A `{` that begins a line may turn out to be a key, and so the parser keeps everything up to its `}`, which is all
    // of a file that is JSON. Behind `---` it is none.
    let json = text.starts_with(['{', '[']).then(|| format!("{BEFORE_JSON}{text}"));
    let shift = if json.is_some() { BEFORE_JSON.len() } else { 0 };
    let unshifted = |mark: Marker| match mark.line() {
        1 => Marker::new(mark.index(), 1, mark.col().saturating_sub(shift)),
        _ => mark,
    };
    for event in Parser::new_from_str(json.as_deref().unwrap_or(text)) {
        let (event, span) = event.map_err(|error| syntax(text, unshifted(*error.marker()), error.info()))?;
        let span = Span::new(unshifted(span.start), unshifted(span.end));
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let message = "a second document begins here, and a manifest is one";
                return Err(Trouble::new("several-documents", spot(span), message)
                    .help("put what follows `---` into a file of its own".to_owned()));
            }
        }
        builder.event(event, span)?;
    }
    Ok(builder.document)
}

fn spot(span: Span) -> Spot {
    let width = if span.start.line() == span.end.line() { span.end.col() - span.start.col() } else { 0 };
    Spot { line: span.start.line() as u32, column: span.start.col() as u32 + 1, width: width as u32 }
}

fn syntax(text: &str, mark: Marker, info: &str) -> Trouble {
    let spot = Spot { line: mark.line() as u32, column: mark.col() as u32 + 1, width: 1 };
    if info == "recursion limit exceeded" {
        return too_deep(spot);
    }
    let line = text.split('\n').nth(mark.line().saturating_sub(1)).unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let at: String = line.chars().skip(mark.col().saturating_sub(1)).take(2).collect();
    let help = if at == "${" {
        Some("between `{}` and `[]`, a value with `${…}` in it needs quotes")
    } else if indent.contains('\t') || info.contains("tab") {
        Some("YAML is indented with spaces, never with tabs")
    } else if info.contains("unknown escape") {
        Some("a backslash begins an escape in double quotes; in single quotes it is one like any other")
    } else if info.contains("mapping values are not allowed") {
        Some("text with `: ` in it needs quotes; otherwise look at the indentation")
    } else if info.contains("did not find expected key") || info.contains("simple key expect") {
        Some("look at the indentation, and for a `:` that is missing")
    } else if info.contains("end of stream") || info.contains("expected ',' or") || info.contains("eof") {
        Some("look for a quote or a bracket that is not closed")
    } else if info.contains("cannot start any token") || info.contains("unexpected character") {
        Some("text that begins with this character needs quotes")
    } else {
        None
    };
    Trouble::new("syntax", spot, format!("this is not YAML: {info}")).help(help.map(str::to_owned))
}

/// A collection that is being read, or one that an anchor names.
#[derive(Debug, Clone, Copy)]
struct Frame {
    id: Id,
    anchor: usize,
    /// How many nodes it unfolds to, itself included.
    nodes: u64,
    /// How many levels it has.
    height: u32,
}

#[derive(Debug, Default)]
struct Builder<'t> {
    document: Document<'t>,
    open: Vec<Frame>,
    anchors: HashMap<usize, Frame>,
    aliased: u64,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Trouble> {
        let Spot { line, column, width } = spot(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let shape = if style == ScalarStyle::Plain { Shape::Plain } else { Shape::Quoted };
                let id = self.document.push_scalar(line, column, width, shape, &text);
                if let Some(tag) = tag {
                    self.tag(id, &tag, spot(span))?;
                }
                self.leave(Frame { id, anchor, nodes: 1, height: 0 });
            }
            Event::SequenceStart(anchor, tag) => self.enter(Shape::Sequence, anchor, tag.as_deref(), span)?,
            Event::MappingStart(anchor, tag) => self.enter(Shape::Mapping, anchor, tag.as_deref(), span)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.open.pop() {
                    self.document.close(frame.id);
                    self.leave(frame);
                }
            }
            Event::Alias(anchor) => self.alias(anchor, spot(span))?,
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, shape: Shape, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Trouble> {
        let Spot { line, column, .. } = spot(span);
        let spot = Spot { line, column, width: 1 };
        if let Some(tag) = tag {
            return Err(no_tags(tag, spot));
        }
        if self.open.len() as u32 >= MAX_DEPTH {
            return Err(too_deep(spot));
        }
        let id = self.document.push(line, column, 1, shape);
        self.open.push(Frame { id, anchor, nodes: 1, height: 1 });
        Ok(())
    }

    /// A node is complete: its parent grows by it, and its anchor names it from now on.
    fn leave(&mut self, frame: Frame) {
        if let Some(parent) = self.open.last_mut() {
            parent.nodes += frame.nodes;
            parent.height = parent.height.max(frame.height + 1);
        }
        if frame.anchor > 0 {
            self.anchors.insert(frame.anchor, frame);
        }
    }

    fn alias(&mut self, anchor: usize, spot: Spot) -> Result<(), Trouble> {
        let Some(target) = self.anchors.get(&anchor).copied() else {
            return Err(Trouble::new(
                "endless-alias",
                spot,
                "this alias stands for something that it is a part of",
            ));
        };
        self.aliased += target.nodes;
        if self.aliased > MAX_ALIASED {
            let message = format!("aliases stand for more than {MAX_ALIASED} values here, all together");
            return Err(Trouble::new("too-many-aliases", spot, message));
        }
        if self.open.len() as u32 + target.height > MAX_DEPTH {
            return Err(too_deep(spot));
        }
        let id = self.document.push(spot.line, spot.column, spot.width, Shape::Alias);
        self.document.set_target(id, target.id);
        self.leave(Frame { id, anchor: 0, ..target });
        Ok(())
    }

    /// `!!str` and `!` make text of a plain scalar; there are no other types to ask for.
    fn tag(&mut self, id: Id, tag: &Tag, spot: Spot) -> Result<(), Trouble> {
        let text = (tag.is_yaml_core_schema() && tag.suffix == "str")
            || (tag.handle.is_empty() && tag.suffix == "!");
        if !text {
            return Err(no_tags(tag, spot));
        }
        self.document.set_quoted(id);
        Ok(())
    }
}

fn no_tags(tag: &Tag, spot: Spot) -> Trouble {
    let tag = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    Trouble::new("tag", spot, format!("the tag {} means nothing here", quote(&tag)))
        .help("leave it out; of all tags, `!!str` alone is known".to_owned())
}

fn too_deep(spot: Spot) -> Trouble {
    Trouble::new("too-deep", spot, format!("nested more than {MAX_DEPTH} levels deep"))
}

/// What is wrong with keys: those that are no text, and those that come twice. After interpolation, because that can
/// make two keys the same.
pub(super) fn key_troubles(document: &Document, mut report: impl FnMut(Id, Trouble)) {
    let mut seen = Names::default();
    let nothing_put_in = !document.has(DOLLAR);
    for id in 0..document.len() as Id {
        let entry = document.entry(id);
        if entry.shape != Shape::Mapping || (entry.has(GOOD_KEYS) && nothing_put_in) {
            continue;
        }
        seen.clear();
        for (key, _) in document.pairs(id) {
            let entry = document.entry(key);
            let target =
                if entry.shape == Shape::Alias { document.entry(document.resolve(key)) } else { entry };
            let spot = || Spot { line: entry.line, column: entry.column, width: entry.width.max(1) };
            if target.is_collection() {
                report(key, Trouble::new("bad-key", spot(), "a key has to be text, not a list or a map"));
                continue;
            }
            let name = document.bytes_of(target);
            if name == b"<<" {
                let message = "merge keys (`<<`) are not supported";
                let help = "an alias (`*name`) can stand for a whole value; repeat the fields otherwise";
                report(key, Trouble::new("merge-key", spot(), message).help(help.to_owned()));
            } else if document.is_null_at(target) {
                report(key, Trouble::new("bad-key", spot(), "there is no key before this `:`"));
            } else if !seen.insert(name) && !entry.has(BROKEN) {
                let name = document.text_of(target);
                let first = document.get(id, name).map_or(0, |(first, _)| document.entry(first).line);
                let message =
                    format!("the key {} comes twice; the first one is on line {first}", quote(name));
                report(key, Trouble::new("duplicate-key", spot(), message));
            }
        }
    }
}

/// The keys of a mapping. Nearly all have a few, which are compared sooner than hashed.
#[derive(Default)]
struct Names<'a> {
    few: Vec<&'a [u8]>,
    many: HashSet<&'a [u8]>,
}

impl<'a> Names<'a> {
    /// How many are compared.
    const FEW: usize = 16;

    fn clear(&mut self) {
        if self.few.len() == Self::FEW {
            self.many.clear();
        }
        self.few.clear();
    }

    /// False, if the name is there already.
    fn insert(&mut self, name: &'a [u8]) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}
