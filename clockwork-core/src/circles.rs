//! Which nodes of a graph lie on a common circle (Tarjan's strongly connected components), without recursion.

/// For each node, the number of its component: two nodes have the same one if each leads to the other.
pub(crate) fn circles(edges: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut component = vec![UNSEEN; edges.len()];
    let (mut number, mut lowest) = (vec![UNSEEN; edges.len()], vec![UNSEEN; edges.len()]);
    let (mut open, mut walk) = (Vec::new(), Vec::new());
    let (mut next, mut components) = (0, 0);
    for start in 0..edges.len() {
        if number[start] != UNSEEN {
            continue;
        }
        walk.push((start, 0));
        while let Some((node, edge)) = walk.pop() {
            if edge == 0 {
                (number[node], lowest[node]) = (next, next);
                next += 1;
                open.push(node);
            } else {
                // Back from where the edge before this one led.
                lowest[node] = lowest[node].min(lowest[edges[node][edge - 1]]);
            }
            let mut edge = edge;
            let deeper = loop {
                let Some(&to) = edges[node].get(edge) else { break None };
                edge += 1;
                if number[to] == UNSEEN {
                    break Some(to);
                }
                if component[to] == UNSEEN {
                    lowest[node] = lowest[node].min(number[to]);
                }
            };
            if let Some(to) = deeper {
                walk.push((node, edge));
                walk.push((to, 0));
                continue;
            }
            if lowest[node] == number[node] {
                while let Some(one) = open.pop() {
                    component[one] = components;
                    if one == node {
                        break;
                    }
                }
                components += 1;
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Two nodes are in one component exactly if each reaches the other.
        #[test]
        fn who_reaches_each_other_lies_on_a_circle(pairs in proptest::collection::vec((0usize..9, 0usize..9), 0..30)) {
            let mut edges = vec![Vec::new(); 9];
            pairs.iter().for_each(|&(from, to)| edges[from].push(to));
            let mut reach = [[false; 9]; 9];
            (0..9).for_each(|n| reach[n][n] = true);
            pairs.iter().for_each(|&(from, to)| reach[from][to] = true);
            for over in 0..9 {
                for from in 0..9 {
                    for to in 0..9 {
                        reach[from][to] |= reach[from][over] && reach[over][to];
                    }
                }
            }
            let found = circles(&edges);
            for from in 0..9 {
                for to in 0..9 {
                    proptest::prop_assert_eq!(found[from] == found[to], reach[from][to] && reach[to][from]);
                }
            }
        }
    }
}
