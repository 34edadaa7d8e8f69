//! As a tree: what everything else stands on first, and beneath it what needs it. Every resource stands there once, under
//! the one of its needs that lies deepest; the others are named.

use std::io::{self, Write};

use clockwork_core::Palette;

use super::{Drawing, layout::layers};

/// Deeper trees are not indented further, but say what they need.
const DEEPEST: usize = 40;

pub(super) fn write(out: &mut impl Write, drawing: &Drawing, palette: &Palette) -> io::Result<()> {
    let state = drawing.state();
    let (colour, reset) = (state.paint(palette), palette.reset);
    writeln!(out, "{colour}{} {}{reset}", state.mark(), drawing.headline())?;
    let Tree { parent, children, roots } = Tree::new(drawing);
    // The bars to the left of a resource, and whether it is the last one of its siblings. A stack, as a chain may be
    // longer than recursion bears.
    let mut stack: Vec<(usize, String, bool)> = Vec::new();
    let push = |stack: &mut Vec<_>, numbers: &[usize], bars: &str| {
        let siblings = numbers.iter().enumerate().rev();
        stack.extend(siblings.map(|(place, &number)| (number, bars.to_owned(), place + 1 == numbers.len())));
    };
    push(&mut stack, &roots, "  ");
    while let Some((number, bars, last)) = stack.pop() {
        let node = &drawing.nodes[number];
        let flat = bars.chars().count() >= 3 * DEEPEST;
        let (branch, bar) = match parent[number] {
            None => ("", ""),
            Some(_) if flat => ("", ""),
            Some(_) if last => ("└─ ", "   "),
            Some(_) => ("├─ ", "│  "),
        };
        let dim = palette.dim;
        let (colour, mark) = (node.state.paint(palette), node.state.mark());
        write!(
            out,
            "{bars}{branch}{colour}{mark}{reset} {} {dim}{}, {}",
            node.name, node.kind, node.summary
        )?;
        let needs = node.needs.iter().filter(|&&needed| flat || Some(needed) != parent[number]);
        let needs: Vec<_> = needs.map(|&needed| drawing.nodes[needed].name.as_str()).collect();
        if !needs.is_empty() {
            write!(out, ", {} {}", if flat { "needs" } else { "needs also" }, needs.join(", "))?;
        }
        writeln!(out, "{reset}")?;
        let bars = format!("{bars}{bar}");
        let down = if children[number].is_empty() { "   " } else { "│  " };
        for finding in &node.findings {
            let (colour, mark) = (finding.state.paint(palette), finding.state.mark());
            write!(out, "{bars}{down}  {colour}{mark}{reset} {}", finding.check)?;
            colon(out, &finding.message)?;
        }
        push(&mut stack, &children[number], &bars);
    }
    let own: Vec<_> = drawing.own_cross().collect();
    if !own.is_empty() {
        writeln!(out, "  across resources")?;
    }
    for cross in own {
        let (colour, mark) = (cross.state.paint(palette), cross.state.mark());
        let about: Vec<_> = cross.about.iter().map(|&number| drawing.nodes[number].name.as_str()).collect();
        write!(out, "  {colour}{mark}{reset} {}", cross.kind)?;
        if !about.is_empty() {
            write!(out, " ({})", about.join(" → "))?;
        }
        colon(out, &cross.message)?;
    }
    Ok(())
}

fn colon(out: &mut impl Write, message: &str) -> io::Result<()> {
    if message.is_empty() { writeln!(out) } else { writeln!(out, ": {message}") }
}

struct Tree {
    parent: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl Tree {
    fn new(drawing: &Drawing) -> Self {
        let layer = layers(drawing);
        let deepest = |needs: &[usize]| {
            // The first of several, so the order is the manifest's.
            needs.iter().copied().rev().max_by_key(|&needed| layer[needed])
        };
        let parent: Vec<_> = drawing.nodes.iter().map(|node| deepest(&node.needs)).collect();
        let mut children = vec![Vec::new(); parent.len()];
        let mut roots = Vec::new();
        for (number, parent) in parent.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(number),
                None => roots.push(number),
            }
        }
        Self { parent, children, roots }
    }
}
