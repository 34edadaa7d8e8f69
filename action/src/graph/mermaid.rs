//! For Markdown: an arrow points from a resource to what it needs; dotted lines are assertions over several resources.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{Drawing, State};

pub(super) fn write(out: &mut impl Write, drawing: &Drawing) -> io::Result<()> {
    out.write_all(b"flowchart RL\n")?;
    for (number, node) in drawing.nodes.iter().enumerate() {
        let lines =
            [format!("{} {}", node.state.mark(), node.name), node.kind.to_owned(), node.summary.clone()];
        let label = lines.map(|line| escaped(&line)).join("<br/>");
        writeln!(out, "  n{number}[\"{label}\"]:::{}", node.state.word())?;
    }
    for (number, node) in drawing.nodes.iter().enumerate() {
        for needed in &node.needs {
            writeln!(out, "  n{number} --> n{needed}")?;
        }
    }
    for (number, cross) in drawing.cross.iter().enumerate() {
        let label = escaped(&cross.label());
        if let [from, to] = cross.about[..] {
            writeln!(out, "  n{from} -. \"{label}\" .-> n{to}")?;
            continue;
        }
        writeln!(out, "  x{number}([\"{label}\"]):::{}", cross.state.word())?;
        for about in &cross.about {
            writeln!(out, "  x{number} -.- n{about}")?;
        }
    }
    let states =
        [State::Unknown, State::Passed, State::Skipped, State::Warning, State::Errored, State::Failed];
    for state in states {
        let (line, fill) = state.colours();
        writeln!(out, "  classDef {} stroke:{line},fill:{fill},color:#1f2328", state.word())?;
    }
    Ok(())
}

/// Mermaid has entities of its own, and reads HTML and Markdown in labels: all but plain characters become entities.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_alphanumeric()
            || matches!(c, ' ' | '.' | ',' | ':' | '-' | '/' | '✓' | '✗' | '·' | '!' | '?' | '…')
        {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}
