//! A picture of its own: no script, no font, nothing to be fetched. What everything stands on is on the left; an arrow
//! points from a resource to what it needs; dashed lines are assertions over several resources.

use std::{
    cmp::Ordering,
    io::{self, Write},
};

use super::{
    Cross, Drawing, Node, State,
    layout::{Item, Layout},
    short,
};
use crate::format::Xml;

const BOX_HEIGHT: f64 = 64.0;
const GAP: f64 = 22.0;
/// Between two layers: room for arrows and for the names of assertions.
const BETWEEN: f64 = 130.0;
const MARGIN: f64 = 24.0;
const HEAD: f64 = 36.0;
const FOOT: f64 = 30.0;
/// What one character of the fixed-width font takes at 13 and at 11 pixels, a little more than it does.
const WIDE: f64 = 8.0;
const NARROW: f64 = 6.8;
/// How many characters a box shows of a name.
const NAME: usize = 36;

pub(super) fn write(out: &mut impl Write, drawing: &Drawing) -> io::Result<()> {
    let plan = Plan::new(drawing);
    let (width, height) = (plan.width, plan.height);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" role=\"img\">"
    )?;
    let (head, state) = (drawing.headline(), drawing.state());
    writeln!(out, "<title>{}</title>", Xml(&head))?;
    out.write_all(
        b"<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
          orient=\"auto\"><path d=\"M0 0 10 5 0 10z\" fill=\"#57606a\"/></marker></defs>\n",
    )?;
    out.write_all(b"<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")?;
    let colour = state.colours().0;
    text(out, (MARGIN, MARGIN + 8.0), 15, colour, "start", &format!("{} {head}", state.mark()))?;
    let layout = &plan.layout;
    layout.edges.iter().try_for_each(|edge| dependency(out, &plan, edge))?;
    let cross = || drawing.cross.iter().enumerate();
    cross().try_for_each(|(number, cross)| lines_of(out, &plan, number, cross))?;
    let mut taken = Vec::new();
    for (node, &Place { x, y, width }) in drawing.nodes.iter().zip(&plan.places) {
        resource(out, node, Place { x, y, width })?;
        taken.push(Area { x, y, width, height: BOX_HEIGHT });
    }
    cross().try_for_each(|(number, cross)| label_of(out, &plan, number, cross, &mut taken))?;
    let legend = "→ needs   ┄ assertion over several resources   ✓ holds   ✗ failed   ? not judged   ! warning   - skipped";
    text(out, (MARGIN, height - 12.0), 11, "#57606a", "start", legend)?;
    out.write_all(b"</svg>\n")
}

/// Where a box stands: its left upper corner and its width.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
}

impl Place {
    fn middle(self) -> f64 {
        self.y + BOX_HEIGHT / 2.0
    }

    fn right(self) -> f64 {
        self.x + self.width
    }
}

struct Plan {
    layout: Layout,
    /// By item: way points are as wide as their layer.
    places: Vec<Place>,
    /// Where the assertions stand that are about one resource, or about more than two.
    knots: Vec<Place>,
    width: f64,
    height: f64,
}

impl Plan {
    fn new(drawing: &Drawing) -> Self {
        let layout = Layout::new(drawing);
        let height_of = |item: &usize| match layout.items[*item] {
            Item::Box(_) => BOX_HEIGHT + GAP,
            Item::WayPoint => GAP,
        };
        let heights: Vec<f64> = layout.layers.iter().map(|layer| layer.iter().map(height_of).sum()).collect();
        let knotted: Vec<_> = drawing.cross.iter().map(|cross| cross.about.len() != 2).collect();
        let knots_height = knotted.iter().filter(|knot| **knot).count() as f64 * 2.0 * GAP;
        let inner = heights.iter().copied().fold(knots_height, f64::max);
        let mut places = vec![Place { x: 0.0, y: 0.0, width: 0.0 }; layout.items.len()];
        // What joins two boxes of the first layer stands to the left of it.
        let first = |number: &usize| drawing.nodes[*number].needs.is_empty();
        let beside =
            drawing.cross.iter().filter(|cross| cross.about.len() == 2 && cross.about.iter().all(first));
        let beside = beside.map(|cross| label_width(cross) / 2.0 + BETWEEN / 4.0).fold(0.0, f64::max);
        let mut x = MARGIN + beside;
        for (layer, height) in layout.layers.iter().zip(&heights) {
            let widths = layer.iter().map(|item| match layout.items[*item] {
                Item::Box(number) => box_width(&drawing.nodes[number]),
                Item::WayPoint => 0.0,
            });
            let width = widths.fold(0.0, f64::max);
            let mut y = MARGIN + HEAD + (inner - height) / 2.0;
            for item in layer {
                // A way point is a box's middle without the box.
                let up = if layout.items[*item] == Item::WayPoint { (BOX_HEIGHT - GAP) / 2.0 } else { 0.0 };
                places[*item] = Place { x, y: y - up, width };
                y += height_of(item);
            }
            x += width + BETWEEN;
        }
        let mut y = MARGIN + HEAD + (inner - knots_height) / 2.0;
        let mut knots = Vec::new();
        let mut widest = 0.0_f64;
        for (cross, knot) in drawing.cross.iter().zip(&knotted) {
            let width = label_width(cross) + 20.0;
            knots.push(Place { x, y, width });
            if *knot {
                widest = widest.max(width);
                y += 2.0 * GAP;
            }
        }
        let end = if widest > 0.0 { x + widest } else { x - BETWEEN };
        // Room for lines between boxes of one layer, and for the legend.
        let width = (end + BETWEEN / 2.0 + MARGIN).max(880.0);
        Self { layout, places, knots, width, height: MARGIN + HEAD + inner + FOOT }
    }
}

fn label_width(cross: &Cross) -> f64 {
    short(&cross.label(), NAME).chars().count() as f64 * NARROW
}

/// The lines of a box, as they are shown.
fn lines(node: &Node) -> [String; 3] {
    let summary = match node.findings.first() {
        Some(finding) if finding.state >= State::Warning => finding.check.clone(),
        _ => node.summary.clone(),
    };
    [
        format!("{} {}", node.state.mark(), short(&node.name, NAME)),
        short(node.kind, NAME),
        short(&summary, NAME + 6),
    ]
}

fn box_width(node: &Node) -> f64 {
    let [name, kind, summary] = lines(node).map(|line| line.chars().count() as f64);
    (name * WIDE).max(kind * NARROW).max(summary * NARROW).max(120.0) + 24.0
}

fn resource(out: &mut impl Write, node: &Node, place: Place) -> io::Result<()> {
    let ((line, fill), Place { x, y, width }) = (node.state.colours(), place);
    let findings = node.findings.iter().map(|f| format!("\n{} {}: {}", f.state.word(), f.check, f.message));
    let told: String = findings.collect();
    writeln!(
        out,
        "<g class=\"{}\"><title>{}</title>",
        node.state.word(),
        Xml(&format!("{}, {}{told}", node.name, node.summary))
    )?;
    let dash = if node.state == State::Skipped { " stroke-dasharray=\"2 2\"" } else { "" };
    writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BOX_HEIGHT}\" rx=\"6\" fill=\"{fill}\" \
         stroke=\"{line}\" stroke-width=\"1.5\"{dash}/>"
    )?;
    let [name, kind, summary] = lines(node);
    text(out, (x + 12.0, y + 22.0), 13, line, "start", &name)?;
    text(out, (x + 12.0, y + 39.0), 11, "#57606a", "start", &kind)?;
    text(out, (x + 12.0, y + 54.0), 11, "#1f2328", "start", &summary)?;
    out.write_all(b"</g>\n")
}

/// From the left side of what needs to the right side of what is needed.
fn dependency(out: &mut impl Write, plan: &Plan, edge: &[usize]) -> io::Result<()> {
    let Some(first) = edge.first() else { return Ok(()) };
    let from = plan.places[*first];
    let (mut x, mut y) = (from.x, from.middle());
    write!(out, "<path d=\"M{x:.1} {y:.1}")?;
    for (place, item) in edge.iter().enumerate().skip(1) {
        let to = plan.places[*item];
        let (right, middle) = (to.right(), to.middle());
        let half = (x - right) / 2.0;
        write!(out, " C{:.1} {y:.1} {:.1} {middle:.1} {right:.1} {middle:.1}", x - half, right + half)?;
        if place + 1 < edge.len() {
            // Straight through the layer.
            write!(out, " L{:.1} {middle:.1}", to.x)?;
        }
        (x, y) = (to.x, middle);
    }
    writeln!(out, "\" fill=\"none\" stroke=\"#57606a\" stroke-width=\"1.2\" marker-end=\"url(#arrow)\"/>")
}

/// The dashed lines of an assertion over several resources, which go behind the boxes.
fn lines_of(out: &mut impl Write, plan: &Plan, number: usize, cross: &Cross) -> io::Result<()> {
    let colour = cross.state.colours().0;
    let line = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" stroke-dasharray=\"5 4\"");
    // Beside the arrows: a little below the middle. Several between the same two keep apart.
    let down = 12.0 + 4.0 * (number % 4) as f64;
    if let [from, to] = cross.about[..] {
        let (from, to) = (plan.places[from], plan.places[to]);
        let (x1, y1) = (if from.x < to.x { from.right() } else { from.x }, from.middle() + down);
        let (x2, y2) = (if from.x > to.x { to.right() } else { to.x }, to.middle() + down);
        // Two boxes of one layer are joined by a bow on their left, others by a curve between their layers.
        let bow = BETWEEN / 3.0;
        let (c1, c2) = if from.x == to.x { (x1 - bow, x2 - bow) } else { ((x1 + x2) / 2.0, (x1 + x2) / 2.0) };
        return writeln!(
            out,
            "<path d=\"M{x1:.1} {y1:.1} C{c1:.1} {y1:.1} {c2:.1} {y2:.1} {x2:.1} {y2:.1}\" {line}/>"
        );
    }
    let knot = plan.knots[number];
    let (x, middle) = (knot.x, knot.y + GAP / 2.0);
    cross.about.iter().try_for_each(|about| {
        let place = plan.places[*about];
        let (right, at) = (place.right(), place.middle() + down);
        let half = (x - right) / 2.0;
        let (c1, c2) = (x - half, right + half);
        writeln!(
            out,
            "<path d=\"M{x:.1} {middle:.1} C{c1:.1} {middle:.1} {c2:.1} {at:.1} {right:.1} {at:.1}\" {line}/>"
        )
    })
}

/// The name of an assertion over several resources, on its line or in a knot of its own.
fn label_of(
    out: &mut impl Write,
    plan: &Plan,
    number: usize,
    cross: &Cross,
    taken: &mut Vec<Area>,
) -> io::Result<()> {
    let (colour, fill) = cross.state.colours();
    let label = short(&cross.label(), NAME);
    writeln!(out, "<g class=\"{}\">", cross.state.word())?;
    if !cross.message.is_empty() {
        writeln!(out, "<title>{}</title>", Xml(&cross.message))?;
    }
    let (middle, y) = if let [from, to] = cross.about[..] {
        let (from, to) = (plan.places[from], plan.places[to]);
        let middle = match from.x.total_cmp(&to.x) {
            Ordering::Less => (from.right() + to.x) / 2.0,
            Ordering::Equal => from.x - BETWEEN / 4.0,
            Ordering::Greater => (to.right() + from.x) / 2.0,
        };
        let width = label_width(cross);
        let mut area = Area {
            x: middle - width / 2.0,
            y: (from.middle() + to.middle()) / 2.0 + 6.0,
            width,
            height: 14.0,
        };
        // Down to where it lies on no other one and on no box; not for ever, as no reader would find it there.
        for _ in 0..30 {
            if !taken.iter().any(|other| other.overlaps(&area)) {
                break;
            }
            area.y += 7.0;
        }
        let y = area.y + 11.0;
        taken.push(area);
        (middle, y)
    } else {
        let Place { x, y, width } = plan.knots[number];
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{GAP}\" rx=\"11\" fill=\"{fill}\" \
             stroke=\"{colour}\" stroke-dasharray=\"5 4\"/>"
        )?;
        (x + width / 2.0, y + GAP / 2.0 + 4.0)
    };
    text(out, (middle, y), 11, colour, "middle", &label)?;
    out.write_all(b"</g>\n")
}

/// What is drawn on already.
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

fn text(
    out: &mut impl Write,
    (x, y): (f64, f64),
    size: u32,
    fill: &str,
    anchor: &str,
    text: &str,
) -> io::Result<()> {
    let weight = if size > 11 { " font-weight=\"600\"" } else { "" };
    // A white edge keeps it readable where it lies on a line.
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{weight} fill=\"{fill}\" text-anchor=\"{anchor}\" \
         stroke=\"#ffffff\" stroke-width=\"3\" stroke-opacity=\"0.7\" paint-order=\"stroke\" \
         xml:space=\"preserve\">{}</text>",
        Xml(text)
    )
}
