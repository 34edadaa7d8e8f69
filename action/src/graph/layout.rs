//! Where the boxes stand: layers by the longest path, and within a layer an order that crosses few edges.

use super::Drawing;

/// An order is improved this often.
const SWEEPS: usize = 8;

/// Edges over many layers are led around boxes by way points; larger graphs do without.
const MOST_WAY_POINTS: usize = 20_000;

/// How far each resource is from what needs nothing.
pub(super) fn layers(drawing: &Drawing) -> Vec<usize> {
    let mut layers = vec![0; drawing.nodes.len()];
    // Needs stand before what needs them.
    for (number, node) in drawing.nodes.iter().enumerate() {
        layers[number] = node.needs.iter().map(|&needed| layers[needed] + 1).max().unwrap_or(0);
    }
    layers
}

/// What stands in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The box of this resource.
    Box(usize),
    /// A point that an edge goes through.
    WayPoint,
}

/// Where the boxes stand.
#[derive(Debug)]
pub(super) struct Layout {
    /// The items of each layer, by number, from the top down.
    pub(super) layers: Vec<Vec<usize>>,
    /// What each item is. The first ones are the boxes, in the drawing's order.
    pub(super) items: Vec<Item>,
    /// Each dependency, as the items that its edge goes through: from what needs to what is needed.
    pub(super) edges: Vec<Vec<usize>>,
}

impl Layout {
    pub(super) fn new(drawing: &Drawing) -> Self {
        let mut layer = layers(drawing);
        let mut items: Vec<_> = (0..drawing.nodes.len()).map(Item::Box).collect();
        let dependencies = || {
            let nodes = drawing.nodes.iter().enumerate();
            nodes.flat_map(|(number, node)| node.needs.iter().map(move |&needed| (number, needed)))
        };
        let between: usize = dependencies().map(|(from, to)| layer[from] - layer[to] - 1).sum();
        let mut edges = Vec::new();
        for (from, to) in dependencies() {
            let mut edge = vec![from];
            if between <= MOST_WAY_POINTS {
                for at in (layer[to] + 1..layer[from]).rev() {
                    edge.push(items.len());
                    items.push(Item::WayPoint);
                    layer.push(at);
                }
            }
            edge.push(to);
            edges.push(edge);
        }
        let mut layers = vec![Vec::new(); layer.iter().max().map_or(0, |deepest| deepest + 1)];
        layer.iter().enumerate().for_each(|(item, &layer)| layers[layer].push(item));
        let mut layout = Self { layers, items, edges };
        layout.untangle();
        layout
    }

    /// Moves every item towards the middle of its neighbours in the next layer, to and fro.
    fn untangle(&mut self) {
        let mut neighbours = vec![(Vec::new(), Vec::new()); self.items.len()];
        for pair in self.edges.iter().flat_map(|edge| edge.windows(2)) {
            neighbours[pair[0]].0.push(pair[1]);
            neighbours[pair[1]].1.push(pair[0]);
        }
        let mut place = vec![0.0; self.items.len()];
        for layer in &self.layers {
            layer.iter().enumerate().for_each(|(at, &item)| place[item] = spread(at, layer.len()));
        }
        for sweep in 0..SWEEPS {
            let upwards = sweep % 2 == 0;
            let count = self.layers.len();
            for at in 0..count {
                let layer = &mut self.layers[if upwards { at } else { count - 1 - at }];
                let towards = |item: usize| {
                    let (below, above) = &neighbours[item];
                    let others = if upwards { below } else { above };
                    match others.len() {
                        0 => place[item],
                        count => others.iter().map(|&other| place[other]).sum::<f64>() / count as f64,
                    }
                };
                let mut keyed: Vec<_> = layer.iter().map(|&item| (towards(item), item)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                *layer = keyed.into_iter().map(|(_, item)| item).collect();
                layer.iter().enumerate().for_each(|(at, &item)| place[item] = spread(at, layer.len()));
            }
        }
    }
}

/// Where in its layer the item at this place stands, the layer being centred.
fn spread(at: usize, count: usize) -> f64 {
    at as f64 - (count as f64 - 1.0) / 2.0
}
