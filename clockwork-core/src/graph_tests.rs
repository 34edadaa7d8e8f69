#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Instant;

use super::Graph;
use crate::{BlankResource, Context, Project, ResourceExt, assertion};

fn holds() -> crate::Declared {
    assertion("holds", async |_: Context| true)
}

fn blank(name: &str, needs: &[&str]) -> BlankResource {
    needs
        .iter()
        .fold(BlankResource::new(name).assert(holds()), |resource, needed| resource.depends_on(*needed))
}

fn problems(project: &Project) -> String {
    Graph::new(project).unwrap_err().to_string()
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let project = Project::new("shop")
        .with(blank("api", &["databse", "cache"]))
        .with(blank("database", &[]))
        .with(blank("cache", &["queue"]))
        .with(blank("queue", &["cache"]))
        .with(blank("self", &["self"]))
        .with(blank("database", &[]))
        .with(blank("bad name\n", &[]))
        .with(blank("host", &[]))
        .assert(holds().at("ap"));
    insta::assert_snapshot!(problems(&project), @r#"
    the project is not valid; nothing ran
      resources.database: two resources are called `database`; the other one is at resources.database [duplicate-resource]
      resources.bad name\n: "bad name\n" cannot name a resource: use ASCII letters, digits, `.`, `_` and `-`, begin with a letter or digit, at most 128 characters [bad-name]
      resources.host: `host` is reserved and cannot name a resource [bad-name]
      resources.api.depends_on.0: there is no resource "databse"; did you mean `database`? [unknown-resource]
      resources.cache.depends_on: resources depend on each other in a circle: cache → queue → cache [dependency-cycle]
      resources.self.depends_on: resources depend on each other in a circle: self → self [dependency-cycle]
      assertions.0.at: there is no resource "ap"; did you mean `api`? [unknown-resource]
    "#);
}

#[test]
fn a_part_that_needs_its_composite_is_a_circle() {
    let project = Project::new("p").with(blank("stack", &[]).child(blank("part", &["stack"])));
    assert!(problems(&project).contains("stack → part → stack"), "{}", problems(&project));
}

#[test]
fn a_project_that_asserts_nothing_is_an_error() {
    let project = Project::new("p").with(BlankResource::new("a"));
    assert!(problems(&project).contains("nothing is asserted"));
}

#[test]
fn ids_are_stable_and_unique() {
    let project = Project::new("p")
        .with(BlankResource::new("a").assert(holds()).assert(holds()).assert(holds().name("other")))
        .assert(holds());
    let graph = Graph::new(&project).unwrap();
    assert_eq!(
        graph.checks.iter().map(|check| &*check.id).collect::<Vec<_>>(),
        [
            "a/FunctionAssertion/holds",
            "a/FunctionAssertion/holds#2",
            "a/FunctionAssertion/other",
            "cross/FunctionAssertion/holds"
        ]
    );
}

proptest::proptest! {
    /// Whatever the edges: either a circle is told, or every resource stands behind all that it needs.
    #[test]
    fn the_order_respects_every_edge_or_a_circle_is_told(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..40)) {
        let names: Vec<_> = (0..12).map(|n| format!("r{n}")).collect();
        let mut project = Project::new("p");
        for (index, name) in names.iter().enumerate() {
            let needs: Vec<_> = edges.iter().filter(|(from, _)| *from == index).map(|(_, to)| names[*to].as_str()).collect();
            project = project.with(blank(name, &needs));
        }
        match Graph::new(&project) {
            Ok(graph) => {
                let order: Vec<_> = graph.resources().map(|(resource, _)| resource.common().name().to_string()).collect();
                let place = |n: usize| order.iter().position(|name| *name == names[n]).unwrap();
                proptest::prop_assert!(edges.iter().all(|(from, to)| place(*to) < place(*from)));
            }
            Err(error) => proptest::prop_assert!(error.problems.iter().all(|problem| problem.code == "dependency-cycle")),
        }
    }
}

#[test]
fn a_large_graph_is_planned_in_time_linear_in_its_size() {
    let plan = |resources: usize| {
        let mut project = Project::new("p");
        for n in 0..resources {
            let mut resource = blank(&format!("r{n}"), &[]);
            if n > 0 {
                resource = resource
                    .depends_on(format!("r{}", n / 2).as_str())
                    .depends_on(format!("r{}", n - 1).as_str());
            }
            project = project.with(resource.assert(holds()).assert(holds()).assert(holds()));
        }
        let began = Instant::now();
        assert_eq!(Graph::new(&project).unwrap().len(), resources * 4);
        began.elapsed()
    };
    // Not a timed test: a quadratic planner would need minutes for this, and the test runner's patience ends first.
    plan(20_000);
    // Nor may hints cost what nobody reads.
    let mut project = Project::new("p");
    for n in 0..8_000 {
        project = project.with(blank(&format!("r{n}"), &[&format!("unknown{n}")]));
    }
    assert_eq!(Graph::new(&project).unwrap_err().problems.len(), 8_000);
}
