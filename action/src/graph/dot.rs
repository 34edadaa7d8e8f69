//! For Graphviz: an arrow points from a resource to what it needs; dashed lines are assertions over several resources.

use std::io::{self, Write};

use super::Drawing;

pub(super) fn write(out: &mut impl Write, drawing: &Drawing) -> io::Result<()> {
    writeln!(out, "digraph {} {{", quoted(&drawing.project))?;
    writeln!(out, "  label={};", quoted(&drawing.headline()))?;
    out.write_all(
        b"  rankdir=RL;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    )?;
    out.write_all(b"  edge [fontname=\"sans-serif\", fontsize=10];\n")?;
    for (number, node) in drawing.nodes.iter().enumerate() {
        let (line, fill) = node.state.colours();
        let lines =
            [format!("{} {}", node.state.mark(), node.name), node.kind.to_owned(), node.summary.clone()];
        let label = lines.map(|line| escaped(&line)).join("\\n");
        writeln!(out, "  n{number} [label=\"{label}\", color=\"{line}\", fillcolor=\"{fill}\"];")?;
    }
    for (number, node) in drawing.nodes.iter().enumerate() {
        for needed in &node.needs {
            writeln!(out, "  n{number} -> n{needed};")?;
        }
    }
    for (number, cross) in drawing.cross.iter().enumerate() {
        let (colour, label) = (cross.state.colours().0, quoted(&cross.label()));
        let style = format!("style=dashed, color=\"{colour}\", fontcolor=\"{colour}\"");
        if let [from, to] = cross.about[..] {
            writeln!(out, "  n{from} -> n{to} [label={label}, {style}, constraint=false];")?;
            continue;
        }
        writeln!(out, "  x{number} [label={label}, shape=ellipse, {style}];")?;
        for about in &cross.about {
            writeln!(out, "  x{number} -> n{about} [{style}, dir=none];")?;
        }
    }
    out.write_all(b"}\n")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Graphviz reads backslashes in labels as its own escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
